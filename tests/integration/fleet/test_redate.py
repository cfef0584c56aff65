"""A day of detection that was stated wrongly is set right, and stays so."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from clearway.exposure.fleet import due, redate
from clearway.records.errors import ConflictError, ForbiddenError, InputError, NotFoundError
from clearway.records.fleet_input import FIRST_DETECTED, begins
from fleet_world import DAY, Fleet

DJANGO = "pkg:pypi/django@4.1"
WRONG, RIGHT = date(2026, 3, 1), date(2026, 11, 20)


def dated(fleet: Fleet) -> int:
    web = fleet.asset("web", day=date(2026, 11, 24))
    fleet.upload(web, DJANGO, day=date(2026, 11, 24), detected=WRONG, owned=True)
    return web


def test_a_wrong_day_is_set_right_to_a_later_one_and_the_due_date_with_it(mine: Fleet) -> None:
    web = dated(mine)
    (before,) = mine.lines(asset=web)
    with mine.owner(DAY) as db:
        was, after = redate.redate(db, before.exposure, RIGHT, "the export had the year wrong", day=DAY)
    assert (was, after.detected) == (WRONG, RIGHT)
    assert before.due is not None
    assert after.due is not None
    assert after.due - before.due == RIGHT - WRONG
    with mine.acting() as db:  # and what was shown before is kept
        assert due.replay(db, before.exposure, DAY - timedelta(days=1)).detected == WRONG
        assert due.replay(db, before.exposure, DAY).detected == RIGHT


def test_no_later_document_puts_the_wrong_day_back(mine: Fleet) -> None:
    web = dated(mine)
    (line,) = mine.lines(asset=web)
    with mine.acting() as db:
        redate.redate(db, line.exposure, RIGHT, "wrong", day=DAY)
    mine.upload(web, DJANGO, detected=WRONG, witness="grype")
    assert [x.detected for x in mine.lines(asset=web)] == [RIGHT]


def test_it_is_on_the_log_with_its_reason(mine: Fleet) -> None:
    web = dated(mine)
    (line,) = mine.lines(asset=web)
    with mine.acting() as db:
        redate.redate(db, line.exposure, RIGHT, "the year was wrong", day=DAY)
    with mine.owner() as db:
        rows = db.execute(
            "select content::jsonb from clearway.log_entry where act = 'exposure.redated' and subject = %s",
            (f"exposure/{line.exposure}",),
        ).fetchall()
    ((said,),) = rows
    assert (said["was"], said["detected"], said["reason"]) == (
        "2026-03-01",
        "2026-11-20",
        "the year was wrong",
    )


@pytest.mark.parametrize(
    "day", [date(2025, 12, 31), DAY + timedelta(days=1)], ids=["before its year", "to come"]
)
def test_a_day_that_cannot_be_is_refused(mine: Fleet, day: date) -> None:
    web = dated(mine)
    (line,) = mine.lines(asset=web)
    with pytest.raises(InputError, match="can't have been detected"), mine.acting() as db:
        redate.redate(db, line.exposure, day, "x", day=DAY)
    with pytest.raises(InputError, match="reason"), mine.acting() as db:
        redate.redate(db, line.exposure, RIGHT, " ", day=DAY)


def test_who_may_not_operate_and_who_sees_nothing_sets_nothing_right_and_neither_does_anybody_what_is_over(
    mine: Fleet,
) -> None:
    web = dated(mine)
    (line,) = mine.lines(asset=web)
    auditor = mine.people.somebody(mine.org, "auditor")
    with pytest.raises(ForbiddenError), mine.acting(auditor) as db:
        redate.redate(db, line.exposure, RIGHT, "x", day=DAY)
    with pytest.raises(NotFoundError), mine.acting(mine.another().operator) as db:
        redate.redate(db, line.exposure, RIGHT, "x", day=DAY)
    mine.upload(web, "pkg:pypi/unknown@1")
    with pytest.raises(ConflictError, match="over"), mine.acting() as db:
        redate.redate(db, line.exposure, RIGHT, "x", day=DAY)


def test_a_day_given_for_a_whole_scan_dates_no_flaw_before_its_year_whether_it_stood_or_not(
    mine: Fleet,
) -> None:
    web = mine.asset("web")
    mine.upload(web, DJANGO, detected=date(2020, 1, 1))
    assert [x.detected for x in mine.lines(asset=web)] == [date(2026, 1, 1)]
    other = mine.asset("other")
    mine.upload(other, DJANGO)
    mine.upload(other, DJANGO, detected=date(2020, 1, 1), witness="grype")
    assert [x.detected for x in mine.lines(asset=other)] == [date(2026, 1, 1)]


@pytest.mark.parametrize(
    "flaw", ["CVE-2024-1", "cve-2021-44228", "CVE-1000-1", "GHSA-1", "CVE-0001-2", "CVE-2999-1"]
)
def test_the_database_and_the_pure_rule_name_one_first_day(mine: Fleet, flaw: str) -> None:
    with mine.owner() as db:
        assert db.execute("select clearway.flaw_begins(%s)", (flaw,)).fetchone() == (begins(flaw),)
    assert begins(flaw) >= FIRST_DETECTED
