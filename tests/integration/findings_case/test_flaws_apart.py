"""That no flaw is in two open cases holds against SQL of one's own: with anybody's badge, in any order, and at once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clearway.findings import kept as findings
from clearway.findings.case import kept
from clearway.findings.dedup import cluster, edge
from clearway.findings.dedup.cluster import Tie
from clearway.findings.kept import Finding
from clearway.records.errors import ClearwayError, ConflictError, ForbiddenError
from clearway.store.connect import translated
from clearway.store.principal import set_principal
from clearway.store.scalar import scalar
from findings_case_world import Cases

JOIN = "select clearway.add_finding_edge(%s, %s, 'same', 'person', 1::real, 'one loop')"


def pair(cases: Cases) -> tuple[Finding, Finding]:
    return cases.desk.finding(state="queued"), cases.desk.finding(cases.desk.rival, state="queued")


def opened(cases: Cases, finding: Finding) -> kept.Case:
    with cases.acting() as db:
        return kept.add(db, cases.house, [findings.by_id(db, finding.id)])


def in_two(cases: Cases) -> tuple[Finding, Finding, kept.Case, kept.Case]:
    first, twin = pair(cases)
    return first, twin, opened(cases, first), opened(cases, twin)


def refused(cases: Cases, act: Callable[[Any], object], match: str = "2 open cases") -> str:
    with pytest.raises(ConflictError, match=match) as error, translated(), cases.acting() as db:
        act(db)
    return error.value.what


def test_a_coordinators_own_sql_joins_no_two_open_cases(cases: Cases) -> None:
    first, twin, mine, other = in_two(cases)
    said = refused(cases, lambda db: db.execute(JOIN, (first.id, twin.id)))
    assert mine.handling in said
    assert other.handling in said
    with cases.acting() as db:
        assert edge.group_of(db, first.id) == (first.id,)


@pytest.mark.parametrize("who", ["finder", "colleague", "rival", "maintainer", "operator"])
def test_nobody_else_says_what_is_one_flaw(cases: Cases, who: str) -> None:
    first, twin, *_ = in_two(cases)
    somebody = getattr(cases.desk, who)
    for act in (
        lambda db: db.execute(JOIN, (first.id, twin.id)),
        lambda db: db.execute("select clearway.hold_flaws()"),
        lambda db: db.execute("insert into clearway.flaw_touched values (%s)", (first.id,)),
        lambda db: db.execute("delete from clearway.flaw_touched"),
        lambda db: db.execute("select clearway.flaw_likely(1, 'x')"),
    ):
        with pytest.raises((ClearwayError, psycopg.Error)), translated(), cases.acting(somebody) as db:
            act(db)


def test_a_coordinator_writes_nothing_of_what_is_looked_at(cases: Cases) -> None:
    for text in (
        "delete from clearway.flaw_touched",
        "update clearway.flaw_lock set most = 0",
        "drop trigger flaw_apart on clearway.flaw_touched",
        "alter table clearway.finding_edge disable trigger all",
        "set session_replication_role = 'replica'",
    ):
        with pytest.raises(ClearwayError) as error, cases.acting() as db:
            db.execute(text)
        cause = error.value.__cause__
        assert isinstance(cause, psycopg.errors.InsufficientPrivilege), text


def test_through_a_third_finding_no_two_open_cases_are_joined_either(cases: Cases) -> None:
    first, twin, *_ = in_two(cases)
    third = cases.desk.finding(state="queued")
    with cases.acting() as db:
        db.execute(JOIN, (first.id, third.id))
    refused(cases, lambda db: db.execute(JOIN, (third.id, twin.id)))


def test_a_finding_that_is_one_with_another_cases_is_not_taken_by_sql(cases: Cases) -> None:
    first, twin = pair(cases)
    third = cases.desk.finding(state="queued")
    with cases.acting() as db:
        db.execute(JOIN, (first.id, twin.id))
    opened_first = opened(cases, third)
    with cases.acting() as db:
        db.execute("select clearway.case_finding(%s, %s)", (first.id, opened_first.id))
    other = cases.opened()
    refused(cases, lambda db: db.execute("select clearway.case_finding(%s, %s)", (twin.id, other.id)))


def test_a_case_is_not_opened_again_by_sql_while_its_flaw_is_in_another(cases: Cases) -> None:
    first, twin = pair(cases)
    case = opened(cases, first)
    with cases.desk.owner() as db:  # as a case that is published keeps its findings
        db.execute("update clearway.desk_case set closed = clock_timestamp() where case_id = %s", (case.id,))
    with cases.acting() as db:
        db.execute(JOIN, (first.id, twin.id))
    other = cases.opened()
    with cases.acting() as db:
        db.execute("select clearway.case_finding(%s, %s)", (twin.id, other.id))
    again = "select clearway.move_case(%s, null, 'case', 'reopen', 'a vendor has answered')"
    refused(cases, lambda db: db.execute(again, (case.id,)))
    with cases.acting() as db:
        db.execute("select clearway.case_finding(%s, null)", (twin.id,))
        db.execute(again, (case.id,))


def test_what_keeps_two_open_cases_apart_is_not_revoked_by_sql(cases: Cases) -> None:
    first, twin = pair(cases)
    with cases.acting() as db:
        edge.merge(db, [first, twin], "one loop")
        edge.split(db, twin, "two loops")
    opened(cases, first), opened(cases, twin)
    with cases.desk.owner() as db:
        edge.add(db, first.id, twin.id, "same", "input", score=1.0, reason="the same input")
    with cases.acting() as db:
        (apart,) = [e.id for e in edge.of(db, first) if e.verdict == "different" and e.revoked is None]
    refused(cases, lambda db: db.execute("select clearway.revoke_finding_edge(%s, 'wrong')", (apart,)))
    with cases.acting() as db:
        assert edge.group_of(db, first.id) == (first.id,)


def test_one_act_may_pass_through_what_may_not_stay(cases: Cases) -> None:
    first, twin, _, other = in_two(cases)
    with cases.acting() as db:
        db.execute(JOIN, (first.id, twin.id))
        db.execute("select clearway.case_finding(%s, null)", (twin.id,))
    with cases.acting() as db:
        assert edge.group_of(db, first.id) == (first.id, twin.id)
        assert findings.by_id(db, twin.id).case_id is None
    refused(cases, lambda db: db.execute("select clearway.case_finding(%s, %s)", (twin.id, other.id)))


def test_what_is_taken_back_to_a_savepoint_is_not_forgotten_otherwise(cases: Cases) -> None:
    first, twin, *_ = in_two(cases)
    third = cases.desk.finding(state="queued")

    def act(db: Any) -> None:
        db.execute(JOIN, (first.id, twin.id))
        with db.transaction(force_rollback=True):
            db.execute(JOIN, (first.id, third.id))
            db.execute("set constraints all deferred")
        db.execute("set constraints all deferred")

    refused(cases, act)


def test_who_reads_as_of_an_earlier_moment_says_nothing(cases: Cases) -> None:
    first, twin = pair(cases)

    def act(db: Any) -> None:
        db.execute("rollback")
        db.execute("begin isolation level repeatable read")
        set_principal(db, cases.desk.coordinator.key)
        db.execute(JOIN, (first.id, twin.id))

    refused(cases, act, "read committed")


def test_what_a_job_says_of_two_open_cases_without_a_look_is_a_hint_once_it_is_kept(cases: Cases) -> None:
    first, twin, *_ = in_two(cases)
    third = cases.desk.finding(state="queued")
    with cases.desk.owner() as db:
        edge.add(db, first.id, third.id, "same", "input", score=1.0, reason="the same input")
        edge.add(db, third.id, twin.id, "same", "crash", score=0.9, reason="the same state")
    with cases.acting() as db:
        assert edge.group_of(db, first.id) == (first.id, third.id)
        said = {(e.verdict, e.basis) for e in edge.of(db, third) if e.revoked is None}
        hint = next(e for e in edge.of(db, third) if e.verdict == "likely")
    assert said == {("same", "input"), ("likely", "crash")}
    assert hint.reason == "the same state; they are in two open cases"


def test_of_many_who_join_two_cases_in_both_ways_at_once_nobody_brings_them_together(cases: Cases) -> None:
    for _ in range(10):
        first, twin = pair(cases)
        one, other = opened(cases, cases.desk.finding(state="queued")), cases.opened()
        acts: list[tuple[str, tuple[int, int]]] = [
            (JOIN, (first.id, twin.id)),
            ("select clearway.case_finding(%s, %s)", (first.id, one.id)),
            ("select clearway.case_finding(%s, %s)", (twin.id, other.id)),
        ]
        gate = threading.Barrier(len(acts))
        found: list[Exception | None] = [None] * len(acts)

        def run(
            n: int, text: str, args: tuple[int, int], gate: threading.Barrier = gate, found: list[Any] = found
        ) -> None:
            gate.wait()
            try:
                with translated(), cases.acting() as db:
                    db.execute(text, args)
            except Exception as error:  # noqa: BLE001 - looked at below
                found[n] = error

        threads = [threading.Thread(target=run, args=(n, *act)) for n, act in enumerate(acts)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        errors = [e for e in found if e is not None]
        assert len(errors) == 1, found
        assert isinstance(errors[0], ConflictError)
        assert "2 open cases" in errors[0].what


TIES = st.lists(
    st.tuples(
        st.integers(0, 5),
        st.integers(0, 5),
        st.sampled_from(("same", "same", "different", "contains")),
        st.sampled_from(("person", "cross-run", "input", "place")),
    ).filter(lambda t: t[0] != t[1]),
    max_size=14,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ties=TIES)
def test_the_database_finds_the_groups_that_are_shown(
    cases: Cases, six: list[int], ties: list[tuple[int, int, str, str]]
) -> None:
    with cases.desk.owner() as db, db.transaction(force_rollback=True):
        for one, other, verdict, basis in ties:
            edge.add(db, six[one], six[other], verdict, basis, score=1.0, reason="x")  # type: ignore[arg-type]
        rows = db.execute("select finding, flaw from clearway.flaw_groups(%s)", (six,)).fetchall()
    shown = cluster.groups(
        six,
        [Tie(one=six[a], other=six[b], verdict=v, basis=basis) for a, b, v, basis in ties],  # type: ignore[arg-type]
    )
    assert dict(rows) == {number: group[0] for group in shown for number in group}


@pytest.fixture(scope="module")
def six(cases: Cases) -> list[int]:
    return [cases.desk.finding(state="queued").id for _ in range(6)]


def test_nothing_is_left_to_look_at(cases: Cases) -> None:
    first, twin = pair(cases)
    with cases.acting() as db:
        db.execute(JOIN, (first.id, twin.id))
    with cases.desk.owner() as db:
        assert scalar(db, "select count(*) from clearway.flaw_touched") == 0


def test_another_houses_case_is_counted_and_not_named_by_who_may_not_see_it(cases: Cases) -> None:
    people = cases.desk.people
    elsewhere = people.somebody(people.org("apart-house", "clearinghouse"), "coordinator")
    first, twin = pair(cases)
    mine = opened(cases, first)
    with pytest.raises(ForbiddenError), translated(), cases.acting(elsewhere) as db:
        db.execute(JOIN, (first.id, twin.id))
    with cases.acting(elsewhere) as db:
        theirs = kept.add(db, elsewhere.org, [findings.by_id(db, twin.id)])
    with cases.desk.owner() as db:  # a run joins them before either is looked at
        said = edge.add(
            db, first.id, twin.id, "same", "cross-run", score=1.0, reason="each fix silences both"
        )
    with cases.acting() as db:
        assert [e.verdict for e in edge.of(db, first) if e.revoked is None] == ["likely"]
        assert said not in {e.id for e in edge.of(db, first) if e.revoked is None}
        assert theirs.handling != mine.handling
