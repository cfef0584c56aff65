"""No flaw is in two open cases: whatever is undone, split, opened again or done at once, and wherever it breaks off."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clearway.findings import kept as findings
from clearway.findings.case import kept
from clearway.findings.dedup import edge, flaw
from clearway.findings.kept import Finding
from clearway.records.errors import ClearwayError, ConflictError
from findings_case_world import Cases
from often import often

TIMES = often(10, 50)


class KilledError(Exception):
    """The process ends here."""


def fresh(cases: Cases, *found: Finding) -> list[Finding]:
    with cases.acting() as db:
        return [findings.by_id(db, f.id) for f in found]


def pair(cases: Cases) -> tuple[Finding, Finding]:
    return cases.desk.finding(state="queued"), cases.desk.finding(cases.desk.rival, state="queued")


def opened(cases: Cases, *found: Finding) -> kept.Case:
    with cases.acting() as db:
        return kept.add(db, cases.house, [findings.by_id(db, f.id) for f in found])


def open_cases_of(cases: Cases, finding: Finding) -> set[str]:
    with cases.acting() as db:
        group = edge.group_of(db, finding.id)
        return {handling for _, handling in flaw.open_cases(db, group).values()}


def test_undo_of_a_split_brings_no_two_open_cases_together(cases: Cases) -> None:
    first, twin = pair(cases)
    with cases.acting() as db:
        edge.merge(db, [first, twin], "one loop")
        act = edge.split(db, twin, "two loops")
    mine, other = opened(cases, first), opened(cases, twin)
    with pytest.raises(ConflictError) as refused, cases.acting() as db:
        edge.undo(db, act, "one loop after all")
    assert mine.handling in refused.value.what
    assert other.handling in refused.value.what
    assert "close it" in refused.value.mend
    with cases.acting() as db:
        assert edge.group_of(db, first.id) == (first.id,)
        kept.close(db, other, "the same as the first")
        edge.undo(db, act, "one loop after all")
        assert edge.group_of(db, first.id) == (first.id, twin.id)


def test_undo_of_an_undo_of_a_merge_is_refused_as_the_merge_would_be(cases: Cases) -> None:
    first, twin = pair(cases)
    with cases.acting() as db:
        undone = edge.undo(db, edge.merge(db, [first, twin], "one loop"), "two loops")
    opened(cases, first), opened(cases, twin)
    with pytest.raises(ConflictError, match="2 open cases"), cases.acting() as db:
        edge.undo(db, undone, "one loop after all")


def test_an_edge_that_keeps_two_open_cases_apart_is_not_revoked(cases: Cases) -> None:
    first, twin = pair(cases)
    with cases.acting() as db:
        edge.apart(db, first, twin, "two loops")
    opened(cases, first), opened(cases, twin)
    with cases.desk.owner() as db:
        edge.add(db, first.id, twin.id, "same", "cross-run", score=1.0, reason="each fix silences both")
    with cases.acting() as db:
        number = next(e.id for e in edge.of(db, first) if e.verdict == "different")
        with pytest.raises(ConflictError, match="2 open cases"):
            edge.revoke(db, first, number, "said by mistake")
        assert edge.group_of(db, first.id) == (first.id,)


def test_a_case_is_not_opened_again_while_its_flaw_is_in_another(cases: Cases) -> None:
    first, twin = pair(cases)
    case = opened(cases, first)
    with cases.acting() as db:
        closed = kept.close(db, case, "nobody answers")
        edge.merge(db, [first, twin], "one loop")
        edge.split(db, first, "for a moment")
    other = opened(cases, twin)
    with cases.acting() as db:
        edge.undo(db, edge_act(db), "one loop after all")
        with pytest.raises(ConflictError, match=other.handling):
            kept.reopen(db, closed, "a vendor has answered")
        assert kept.by_id(db, case.id).closed is not None
        kept.close(db, kept.by_id(db, other.id), "the first goes on")
        assert kept.reopen(db, closed, "a vendor has answered").closed is None


def edge_act(db: Any) -> int:
    row = db.execute("select max(act) from clearway.finding_edge").fetchone()
    assert row is not None
    return int(row[0])


def test_what_a_run_says_of_two_open_cases_is_for_a_person_to_decide(cases: Cases) -> None:
    first, twin = pair(cases)
    opened(cases, first), opened(cases, twin)
    with cases.desk.owner() as db, flaw.settling(db):
        edge.add(db, first.id, twin.id, "same", "cross-run", score=1.0, reason="each fix silences both")
    with cases.acting() as db:
        assert edge.group_of(db, first.id) == (first.id,)
        standing = [e for e in edge.of(db, first) if e.revoked is None]
    assert [(e.verdict, e.basis) for e in standing] == [("likely", "cross-run")]
    assert "two open cases" in standing[0].reason


def test_what_joins_more_than_can_be_looked_at_is_for_a_person_to_decide(cases: Cases) -> None:
    three = [*pair(cases), cases.desk.finding(state="queued")]
    with cases.acting() as db:
        edge.merge(db, three, "one loop")
    fourth = cases.desk.finding(state="queued")
    with cases.desk.owner() as db:
        db.execute("update clearway.flaw_lock set most = 1")
        with flaw.settling(db):
            edge.add(db, fourth.id, three[0].id, "same", "input", score=1.0, reason="the same input")
        db.execute("update clearway.flaw_lock set most = default")
    with cases.acting() as db:
        (said,) = [e for e in edge.of(db, fourth) if e.revoked is None]
    assert said.verdict == "likely"
    assert "than can be looked at" in said.reason


def broken_off(cases: Cases, act: Callable[[Any], object]) -> None:
    with suppress(KilledError), cases.acting() as db:
        act(db)
        raise KilledError


def test_what_breaks_off_leaves_nothing_behind(cases: Cases) -> None:
    first, twin = pair(cases)
    case = opened(cases, first)

    for act in (
        lambda db: edge.merge(db, fresh(cases, first, twin), "one loop"),
        lambda db: kept.add(db, cases.house, [twin]),
        lambda db: kept.take(db, case, twin),
        lambda db: kept.close(db, case, "over"),
    ):
        broken_off(cases, act)
    assert open_cases_of(cases, first) == {case.handling}
    assert open_cases_of(cases, twin) == set()
    other = opened(cases, twin)
    assert open_cases_of(cases, twin) == {other.handling}


def at_once(*acts: Callable[[], Any]) -> list[Any]:
    """What each came to, in threads of their own that begin together; errors other than ours fail the test."""
    found: list[Any] = [None] * len(acts)
    gate = threading.Barrier(len(acts))

    def run(n: int, act: Callable[[], Any]) -> None:
        gate.wait()
        try:
            found[n] = act()
        except Exception as error:  # noqa: BLE001 - all are looked at below
            found[n] = error

    threads = [threading.Thread(target=run, args=(n, act)) for n, act in enumerate(acts)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    strange = [e for e in found if isinstance(e, Exception) and not isinstance(e, ClearwayError)]
    assert strange == []
    return found


def merged(cases: Cases, *found: Finding) -> None:
    with cases.acting() as db:
        edge.merge(db, [findings.by_id(db, f.id) for f in found], "one loop")


def taken(cases: Cases, case: kept.Case, finding: Finding) -> None:
    with cases.acting() as db:
        kept.take(db, case, finding)


def closed(cases: Cases, case: kept.Case) -> None:
    with cases.acting() as db:
        kept.close(db, case, "over")


def again(cases: Cases, case: kept.Case) -> None:
    with cases.acting() as db:
        kept.reopen(db, case, "it goes on")


def test_of_a_merge_and_an_opening_at_once_one_comes_too_late(cases: Cases) -> None:
    for _ in range(TIMES):
        first, twin = pair(cases)
        opened(cases, first)
        found = at_once(lambda: merged(cases, first, twin), lambda: opened(cases, twin))  # noqa: B023
        assert sum(isinstance(f, ConflictError) for f in found) == 1
        assert len(open_cases_of(cases, first)) == 1
        assert len(open_cases_of(cases, twin)) == 1


def test_of_two_openings_at_once_one_comes_too_late(cases: Cases) -> None:
    for _ in range(TIMES):
        first, twin = pair(cases)
        merged(cases, first, twin)

        def both() -> kept.Case:
            with cases.acting() as db:
                return kept.add(db, cases.house, [first], along=True)  # noqa: B023

        found = at_once(both, both)
        assert sum(isinstance(f, ConflictError) for f in found) == 1
        assert len(open_cases_of(cases, first)) == 1


@pytest.mark.slow
def test_of_a_take_and_a_merge_at_once_one_comes_too_late(cases: Cases) -> None:
    here = opened(cases, cases.desk.finding(state="queued"))
    for _ in range(TIMES):
        first, twin = pair(cases)
        opened(cases, first)
        found = at_once(lambda: taken(cases, here, twin), lambda: merged(cases, first, twin))  # noqa: B023
        assert sum(isinstance(f, ConflictError) for f in found) == 1
        assert len(open_cases_of(cases, first)) == 1


@pytest.mark.slow
def test_nothing_is_put_into_a_case_that_is_closed_at_once(cases: Cases) -> None:
    for _ in range(TIMES):
        first, other = pair(cases)
        case = opened(cases, first)
        at_once(lambda: taken(cases, case, other), lambda: closed(cases, case))  # noqa: B023
        with cases.acting() as db:
            assert kept.by_id(db, case.id).closed is not None
            assert kept.findings_of(db, case) == []


@pytest.mark.slow
def test_of_two_that_are_opened_again_at_once_one_comes_too_late(cases: Cases) -> None:
    for _ in range(TIMES):
        first, twin = pair(cases)
        both = [opened(cases, first), opened(cases, twin)]
        for case in both:
            closed(cases, case)
        merged(cases, first, twin)
        found = at_once(*(lambda case=case: again(cases, case) for case in both))
        assert sum(isinstance(f, ConflictError) for f in found) == 1
        assert len(open_cases_of(cases, first)) == 1


STEPS = st.lists(
    st.tuples(
        st.sampled_from(("merge", "split", "undo", "open", "take", "close", "reopen", "out", "run")),
        st.integers(0, 3),
        st.integers(0, 3),
        st.booleans(),
    ),
    min_size=4,
    max_size=12,
)


@settings(
    max_examples=often(8, 15),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=STEPS)
def test_after_each_act_each_flaw_is_in_one_open_case_at_most(
    cases: Cases, steps: list[tuple[str, int, int, bool]]
) -> None:
    four = [cases.desk.finding(cases.desk.rival if n % 2 else None, state="queued") for n in range(4)]
    made: list[kept.Case] = []
    acts: list[int] = []
    done = 0

    def act(db: Any, what: str, a: int, b: int) -> None:
        one, other = (findings.by_id(db, four[n].id) for n in (a, b))
        case = kept.by_id(db, made[b % len(made)].id) if made else None
        if what == "merge":
            acts.append(edge.merge(db, [one, other], "one loop"))
        elif what == "split":
            acts.append(edge.split(db, one, "two loops"))
        elif what == "undo" and acts:
            acts.append(edge.undo(db, acts[a % len(acts)], "wrong"))
        elif what == "open":
            made.append(kept.add(db, cases.house, [one], along=b > 1))
        elif case is not None and what == "take":
            kept.take(db, case, one, along=True)
        elif case is not None and what == "close":
            kept.close(db, case, "over")
        elif case is not None and what == "reopen":
            kept.reopen(db, case, "it goes on")
        elif case is not None and what == "out":
            kept.take_out(db, case, one, "not here")

    def run(one: int, other: int) -> None:
        if one != other:
            with cases.desk.owner() as db, flaw.settling(db):
                edge.add(db, one, other, "same", "cross-run", score=1.0, reason="each fix silences both")

    for what, a, b, killed in steps:
        stood = (list(made), list(acts))
        try:
            if what == "run":
                run(four[a].id, four[b].id)
            else:
                with cases.acting() as db:
                    act(db, what, a, b)
                    if killed:
                        raise KilledError
            done += 1
        except (ClearwayError, KilledError):
            made, acts = stood
        for finding in four:
            assert len(open_cases_of(cases, finding)) <= 1, steps
