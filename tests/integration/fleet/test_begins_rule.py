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
from clearway.directives.issue import Issue, in_force
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
