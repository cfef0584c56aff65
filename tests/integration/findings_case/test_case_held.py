"""A case whose findings are all withdrawn has nothing to publish: its embargo ends by no clock and by nobody's word."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from clearway.access import clockwatch, embargo
from clearway.findings import kept as findings
from clearway.findings.case import kept, release, talk
from clearway.findings.case.kept import Case
from clearway.records.errors import ConflictError
from clearway.store.connect import translated
from findings_case_world import Cases
from site_client import site

WHY = "every finding of its case is withdrawn"


def now() -> datetime:
    return datetime.now(UTC)


def agreed(cases: Cases) -> Case:
    case = cases.opened()
    cases.drafted(case)
    with cases.acting() as db:
        talk.propose(db, kept.by_id(db, case.id), now() + timedelta(hours=1), "UTC", now=now())
    with cases.acting() as db:
        return talk.accept(db, kept.by_id(db, case.id), now=now())


def arm(cases: Cases, case: Case, *, on_exploitation: bool = False) -> None:
    with cases.acting() as db:
        release.arm(
            db, cases.desk.vault, kept.by_id(db, case.id), cases.desk.home,
            now=now(), on_exploitation=on_exploitation,
        )  # fmt: skip


def withdraw(cases: Cases, case: Case) -> None:
    with cases.acting(cases.desk.finder) as db:
        for handling in kept.findings_of(db, case):
            findings.move(db, findings.one(db, handling), "withdrawn", "a mistake")


def held(cases: Cases, case: Case) -> embargo.Embargo:
    with cases.acting() as db:
        return embargo.one(db, case.embargo)


def hour_comes(cases: Cases, case: Case) -> list[int]:
    """As if it were armed for now: the clock that all embargoes go by is left as it is."""
    with cases.desk.owner() as db:
        db.execute(
            "update clearway.embargo set until = clock_timestamp() where embargo = %s", (case.embargo,)
        )
        reading = clockwatch.Reading(wall=now(), boot="a", up_s=60.0)
        embargo.carry_out(db, reading)
    with cases.desk.owner() as db:
        return release.settle(db)


def added(cases: Cases, case: Case) -> None:
    more = cases.desk.finding()
    with cases.acting() as db:
        kept.take(db, kept.by_id(db, case.id), findings.one(db, more.handling))


def test_it_is_neither_armed_nor_released(cases: Cases) -> None:
    case = agreed(cases)
    withdraw(cases, case)
    with pytest.raises(ConflictError, match="withdrawn"):
        arm(cases, case)
    with pytest.raises(ConflictError, match="withdrawn"), cases.acting() as db:
        release.release(db, cases.desk.vault, kept.by_id(db, case.id), cases.desk.home, "out", now=now())
    # Nor beside the case, by the embargo itself.
    with pytest.raises(ConflictError, match="stands"), translated(), cases.acting() as db:
        embargo.arm(db, case.embargo, now() + timedelta(hours=1), now=now())
    with pytest.raises(ConflictError, match="stands"), translated(), cases.acting() as db:
        embargo.release(db, case.embargo, "by hand")
    assert held(cases, case).ended_by is None
    added(cases, case)
    arm(cases, case)
    assert held(cases, case).until is not None


def test_a_withdrawal_holds_what_is_armed_and_says_so(cases: Cases) -> None:
    case = agreed(cases)
    arm(cases, case, on_exploitation=True)
    withdraw(cases, case)
    assert held(cases, case).frozen == WHY
    assert cases.desk.acts().count("case.held") == 1
    assert case.id not in hour_comes(cases, case)
    assert held(cases, case).ended_by is None
    with cases.acting() as db:  # what is seen in public is still noted, and ends nothing
        seen = release.observe(
            db, cases.desk.vault, kept.by_id(db, case.id), cases.desk.home, "attacks-observed", "seen", now=now()
        )  # fmt: skip
    assert (seen.released, held(cases, case).ended_by) == (None, None)
    with site(cases.desk.home, cases.world.url) as pages:
        assert WHY in pages.page(cases.desk.coordinator.cookie, f"/cases/{case.handling}")
        shown = pages.page(cases.desk.coordinator.cookie, f"/settings/embargoes/{case.embargo}")
        assert "nothing to publish" in shown
        assert "clock can" not in shown
    added(cases, case)
    assert held(cases, case).frozen == WHY  # until a coordinator says so
    arm(cases, case)
    assert held(cases, case).frozen == ""
    assert case.id in hour_comes(cases, case)


def test_one_of_two_findings_that_is_withdrawn_holds_nothing(cases: Cases) -> None:
    case = agreed(cases)
    arm(cases, case)
    added(cases, case)
    with cases.acting(cases.desk.finder) as db:
        first, last = (findings.one(db, h) for h in kept.findings_of(db, case))
        findings.move(db, first, "withdrawn", "a mistake")
    assert held(cases, case).frozen == ""
    with cases.acting(cases.desk.finder) as db:
        findings.move(db, last, "withdrawn", "a mistake")
    assert held(cases, case).frozen == WHY


def test_of_two_that_withdraw_the_last_ones_at_once_the_later_holds_it(cases: Cases) -> None:
    case = agreed(cases)
    arm(cases, case)
    added(cases, case)
    failed: list[BaseException] = []
    with cases.acting(cases.desk.finder) as db:
        first, last = (findings.one(db, h) for h in kept.findings_of(db, case))
        findings.move(db, first, "withdrawn", "a mistake")

        def other() -> None:
            try:
                with cases.acting(cases.desk.finder) as second:
                    findings.move(second, findings.one(second, last.handling), "withdrawn", "too")
            except BaseException as problem:  # noqa: BLE001  told by the test
                failed.append(problem)

        thread = threading.Thread(target=other)
        thread.start()
        thread.join(0.5)  # it waits for the embargo's row, or has not begun: both are right
    thread.join(30)
    assert not thread.is_alive()
    assert failed == []
    assert held(cases, case).frozen == WHY


def test_an_embargo_that_ended_elsewhere_releases_no_case_of_withdrawn_findings(cases: Cases) -> None:
    case = agreed(cases)
    with cases.acting() as db:
        embargo.release(db, case.embargo, "elsewhere")
    withdraw(cases, case)
    with cases.desk.owner() as db:
        assert case.id not in release.settle(db)
    assert cases.again(case).released is None
    added(cases, case)
    with cases.desk.owner() as db:
        assert case.id in release.settle(db)


def test_one_that_is_held_takes_another_day_and_closes(cases: Cases) -> None:
    case = agreed(cases)
    arm(cases, case)
    withdraw(cases, case)
    with cases.acting() as db:
        talk.propose(db, kept.by_id(db, case.id), now() + timedelta(days=2), "UTC", now=now())
    with cases.acting() as db:
        talk.accept(db, kept.by_id(db, case.id), now=now())
    assert held(cases, case).frozen == WHY
    with cases.acting() as db:
        kept.close(db, kept.by_id(db, case.id), "nothing is left of it")
    found: Any = held(cases, case)
    assert (found.until, found.frozen, found.ended_by) == (None, "", None)
