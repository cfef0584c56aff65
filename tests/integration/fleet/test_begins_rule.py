"""Which version governs is told by PostgreSQL and by a pure rule; of any history they tell the same, on every day."""

from __future__ import annotations

import hashlib
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import Rollback
from test_governed import START, Authority

from clearway.directives.governing import governing
from clearway.directives.issue import Issue, coming, in_force, last_of
from clearway.directives.kept.governing import settled
from clearway.records.errors import NotFoundError
from fleet_world import Fleet

NAME = "water-rule"
# Issued in this order, each so many days after the one before; it begins, and is revoked, so many days after that.
WAITS = st.tuples(st.integers(0, 3), st.integers(0, 6), st.none() | st.integers(0, 8))


def history(waits: list[tuple[int, int, int | None]]) -> list[Issue]:
    made, day = [], START
    for number, (wait, begins, revoked) in enumerate(waits):
        day += timedelta(days=wait)
        made.append(
            Issue(
                directive=NAME,
                version=str(number),
                issued=day,
                begins=day + timedelta(days=begins),
                revoked=None if revoked is None else day + timedelta(days=revoked),
            )
        )
    return made


def kept(db: Any, org: int, issues: list[Issue]) -> None:
    """The history of one authority in the database. Nobody can date by these documents, so none of them waits."""
    for issue in issues:
        document = f"{org} {issue.version}".encode()
        db.execute(
            """insert into clearway.directive_version (org, aud, directive, version, document, sha256, signature,
                key_id, public, issued, begins) values (%s, 0, %s, %s, %s, %s, %s, '', %s, %s, %s)""",
            (
                org,
                NAME,
                issue.version,
                document,
                hashlib.sha256(document).digest(),
                bytes(64),
                bytes(32),
                issue.issued,
                issue.begins,
            ),
        )
        db.execute(
            "update clearway.directive_version set revoked = %s where org = %s and version = %s",
            (issue.revoked, org, issue.version),
        )


def by_rule(issues: list[Issue], day: date) -> str | None:
    try:
        return in_force(issues, NAME, day).version
    except NotFoundError:
        return None


@pytest.fixture
def empty(mine: Fleet) -> tuple[Fleet, int]:
    """An organisation, and an authority that has issued nothing."""
    return mine, Authority(mine, f"authority-{mine.org}", tied=False).org


@given(st.lists(WAITS, min_size=1, max_size=5))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_of_any_history_the_database_and_the_rule_name_one_version_on_every_day(
    empty: tuple[Fleet, int], waits: list[tuple[int, int, int | None]]
) -> None:
    fleet, authority = empty
    issues = history(waits)
    days = [START + timedelta(days=n) for n in range(-1, 22)]
    with fleet.owner(START) as db, db.transaction():
        kept(db, authority, issues)
        db.execute(
            """insert into clearway.directive_address (org, aud, directive, recipient, standing, since)
            values (%s, 0, %s, %s, 'binding', %s)""",
            (authority, NAME, fleet.org, days[0]),
        )
        for day in days:
            found = governing(settled(db, [fleet.org], day)[fleet.org].stands, NAME)
            assert (None if found is None else found.version) == by_rule(issues, day), day
        raise Rollback  # the next history begins from none


@given(st.lists(WAITS, min_size=1, max_size=6), st.integers(-1, 21))
def test_nothing_governs_before_its_day_or_once_it_is_revoked(
    waits: list[tuple[int, int, int | None]], n: int
) -> None:
    issues, day = history(waits), START + timedelta(days=n)
    standing = [i for i in issues if i.begins <= day and (i.revoked is None or i.revoked > day)]
    assert by_rule(issues, day) == (standing[-1].version if standing else None)


def stood(issues: list[Issue], day: date) -> Issue | None:
    """What stands on the day, by the words of the rule alone: begun, not revoked, the last one issued."""
    standing = [i for i in issues if i.begins <= day and (i.revoked is None or i.revoked > day)]
    return standing[-1] if standing else None


# Mostly revoked before, on, or soon after its own day.
CUT_SHORT = st.tuples(st.integers(0, 3), st.integers(1, 6), st.none() | st.integers(0, 7))


@given(st.lists(CUT_SHORT | WAITS, min_size=1, max_size=6), st.integers(-1, 21))
def test_what_is_said_to_come_stands_on_its_day_and_nothing_that_is_revoked_by_then_is_said_to(
    waits: list[tuple[int, int, int | None]], n: int
) -> None:
    day = START + timedelta(days=n)
    issues = history(waits)
    known = [i for i in issues if i.issued <= day]
    days = [day + timedelta(days=d) for d in range(1, 40)]
    begun = [(i, d) for d in days if (i := stood(known, d)) is not None and i.begins == d]
    assert coming(issues, NAME, day) == (begun[0][0] if begun else None)
    if stood(issues, day) is None and begun:
        with pytest.raises(NotFoundError, match=f" {begun[0][0].version} is in effect from {begun[0][1]} on"):
            in_force(issues, NAME, day)
    elif stood(issues, day) is None:
        with pytest.raises(NotFoundError, match=r"revoked|no version"):
            in_force(issues, NAME, day)


@given(st.lists(CUT_SHORT | WAITS, min_size=1, max_size=6), st.integers(-1, 30))
def test_once_all_are_revoked_the_one_that_stood_last_is_looked_at_and_none_that_never_did(
    waits: list[tuple[int, int, int | None]], n: int
) -> None:
    day = START + timedelta(days=n)
    issues = history(waits)
    past = [i for d in range(-1, n + 1) if (i := stood(issues, START + timedelta(days=d))) is not None]
    begun = [i for i in issues if i.begins <= day]
    if past or begun:
        assert last_of(issues, NAME, day) == (past[-1] if past else begun[-1])
    else:
        with pytest.raises(NotFoundError):
            last_of(issues, NAME, day)
