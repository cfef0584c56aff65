"""What is interrupted goes on where it was: publishing, letters, races of two coordinators; and one flaw, one case."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest

from clearway.findings import kept as findings
from clearway.findings.case import kept, party, release, tasks
from clearway.findings.dedup import edge
from clearway.records.clock import SystemClock
from clearway.records.errors import ClearwayError, ConflictError
from findings_case_world import Cases, a_draft


class AJob:
    """What a task needs of a job."""

    def __init__(self, cases: Cases) -> None:
        self.owner = cases.desk.owner
        self.stopping = False


def run(cases: Cases, task: str, **args: Any) -> None:
    spec: Any = tasks.tasks(cases.world.home, cases.world.url)[task]
    spec.run(AJob(cases), args)


def let_out(cases: Cases, case: kept.Case) -> None:
    with cases.acting() as db:
        release.release(
            db, cases.desk.vault, cases.again(case), cases.desk.home, "out", now=datetime.now(UTC)
        )


def test_publishing_that_is_killed_goes_on_with_the_same_bytes(
    cases: Cases, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = cases.opened(title="A reporter's own words")
    cases.drafted(case)
    let_out(cases, case)

    def killed(*_: Any) -> None:
        raise RuntimeError("killed")

    with monkeypatch.context() as broken:
        broken.setattr(release, "_take_in", killed)
        with pytest.raises(RuntimeError):
            run(cases, release.TASK, case=case.id)
    with cases.desk.acting(None) as db:
        first = release.document(db, case.handling, "csaf")
    assert cases.again(case).published is None
    run(cases, "findings.case_settle")
    with cases.desk.acting(None) as db:
        assert release.document(db, case.handling, "csaf") == first
    assert cases.again(case).published is not None
    with cases.desk.owner() as db:
        (said,) = db.execute(
            "select content::jsonb->>'title' from clearway.log_entry where act = 'case.published' and subject = %s",
            (case.subject,),
        ).fetchall()
    assert said == (a_draft().title,), "the advisory's own, for everybody; the case has a reporter's"


def test_an_embargo_that_ends_without_a_draft_publishes_the_next_one(cases: Cases) -> None:
    from clearway.access import embargo

    case = cases.opened()
    with cases.acting() as db:
        embargo.release(db, case.embargo, "leaked")
    run(cases, "findings.case_settle")
    after = cases.again(case)
    assert (after.em, after.pxa, after.published) == ("exited", "Pxa", None)
    cases.drafted(case)
    run(cases, "findings.case_settle")
    assert cases.again(case).published is not None


def test_two_coordinators_who_release_at_once_release_once(cases: Cases) -> None:
    case = cases.opened()
    cases.drafted(case)

    def once(_: int) -> str:
        try:
            let_out(cases, case)
        except ClearwayError as error:
            return error.code
        return "done"

    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(once, range(4)))
    assert results.count("done") == 1, results
    assert release.publish(cases.desk.owner, cases.world.url, cases.world.home, case.id, SystemClock())


def test_two_who_move_one_machine_at_once_move_it_once(cases: Cases) -> None:
    case = cases.opened()
    vendor = cases.vendor(case)

    def once(_: int) -> bool:
        try:
            with cases.acting() as db:
                kept.move(db, case, "report", "validate", party=vendor.id)
        except ConflictError:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(once, range(4))) == 1
    with cases.acting() as db:
        assert [a.act for a in kept.history(db, cases.desk.vault, case)].count("validate") == 1


def test_what_is_one_flaw_comes_into_one_case_with_each_reporter(cases: Cases) -> None:
    desk = cases.desk
    one, other = desk.finding(), desk.finding(desk.rival)
    gone = desk.finding()
    with cases.acting() as db:
        edge.merge(db, [one, other], "same loop")
        edge.merge(db, [one, gone], "same loop")
    with cases.acting(desk.finder) as db:
        findings.move(db, findings.one(db, gone.handling), "withdrawn", "wrong")
    with cases.acting() as db:
        case = kept.add(db, cases.house, [findings.one(db, one.handling)], along=True)
        assert kept.findings_of(db, case) == [one.handling, other.handling]
        assert {p.organisation for p in party.listed(db, case)} == {"lab", "rival"}
    for who in (desk.finder, desk.rival):
        with cases.acting(who) as db:
            assert len(kept.findings_of(db, case)) == 1, "each its own"


def test_vendors_whose_turn_has_come_are_asked_by_themselves(cases: Cases) -> None:
    from clearway.findings.intake import limit
    from clearway.records.principal import Membership

    maintains = Membership(
        org=cases.desk.vendor, slug="vendor", name="Vendor", kind="vendor", rights=("maintain",)
    )
    with cases.acting(cases.desk.maintainer) as db:
        limited = limit.put(db, maintains, "PyPI", "turns", per_week=0)
    with cases.acting() as db:
        limit.confirm(db, limited.id, holds=True)
    case = cases.opened(package="turns", purl="pkg:pypi/turns@1")
    vendor = cases.vendor(case)
    run(cases, "findings.case_turns")
    with cases.acting() as db:
        assert party.one(db, case, vendor.id).rm == "start"
    with cases.acting(cases.desk.maintainer) as db:
        limit.end(db, limited.id)
    run(cases, "findings.case_turns")
    with cases.acting() as db:
        after = party.one(db, case, vendor.id)
    assert (after.rm, after.answer, after.waits) == ("received", "no-answer", "")
