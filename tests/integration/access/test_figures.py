"""A figure across organisations tells of none of them, and is made of nothing that is marked."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clearway.access import audience, figures
from clearway.access.marking import own
from clearway.store.scalar import scalar
from people import People

DAY = date(2026, 11, 26)
PLAIN = settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
counts = st.lists(st.integers(0, 10**7), max_size=12)


def disclosed(db: psycopg.Connection[Any], given: Sequence[int]) -> int | None:
    row = db.execute("select clearway.disclosed(%s::bigint[])", (list(given),)).fetchone()
    assert row is not None
    return None if row[0] is None else int(row[0])


@pytest.fixture
def owner(people: People) -> Any:
    with people.owner() as db:
        yield db


@PLAIN
@given(counts)
def test_what_is_shown_is_of_five_at_least_of_whom_none_is_nearly_all_of_it(
    owner: psycopg.Connection[Any], given: list[int]
) -> None:
    found = disclosed(owner, given)
    real = [c for c in given if c > 0]
    if found is None:
        assert len(real) < 5 or max(real) * 5 > sum(real) * 4
    else:
        assert len(real) >= 5
        assert max(real) * 5 <= sum(real) * 4
        assert found % 10 == 0
        assert 0 <= sum(given) - found < 10


@PLAIN
@given(counts, st.randoms())
def test_neither_order_nor_who_contributes_nothing_matters(
    owner: psycopg.Connection[Any], given: list[int], random: Any
) -> None:
    other = [*given, 0, 0]
    random.shuffle(other)
    assert disclosed(owner, other) == disclosed(owner, given)


@PLAIN
@given(st.lists(st.integers(1, 9), min_size=5, max_size=5))
def test_of_small_fleets_a_figure_does_not_tell_whether_one_has_one_more(
    owner: psycopg.Connection[Any], given: list[int]
) -> None:
    """In tens: at least some neighbours look alike, so that no single count can be read off."""
    alike = {disclosed(owner, [n, *given[1:]]) for n in range(1, 10)}
    assert len(alike) <= 2


def fleet(people: People, org: int, exposures: int, *, marked: bool = False) -> None:
    with people.owner() as db:
        aud = audience.of(db, own(org))
        db.execute(
            """with a as (insert into clearway.asset (org, aud, name) values (%(org)s, %(aud)s, 'gw') returning asset),
                f as (insert into clearway.flaw (id, aud, kev)
                    select 'X-' || %(org)s || '-' || n, case when %(marked)s then %(aud)s else 0 end, date '2026-01-01'
                    from generate_series(1, %(n)s) n returning flaw)
            insert into clearway.exposure (asset, pv, flaw, org, aud, detected, due, verdict, clock)
            select a.asset, 1, f.flaw, %(org)s, %(aud)s, '2026-01-01', '2026-02-01', 1, 1 from a, f""",
            {"org": org, "aud": aud, "n": exposures, "marked": marked},
        )


def overdue(people: People, day: date) -> int | None:
    with people.owner() as db:
        assert figures.count(db, day) == 8
        assert figures.count(db, day) == 0, "a day is counted once"
    with people.acting(None) as db:
        found = figures.listed(db)
    return next(f.n for f in found if f.day == day and f.kev and f.state == "overdue")


def test_the_fifth_organisation_makes_a_figure_and_marked_flaws_are_in_none(people: People) -> None:
    for n in range(4):
        fleet(people, people.org(f"fleet{n}"), 3)
    fleet(people, people.org("marked"), 30, marked=True)
    assert overdue(people, DAY) is None
    fleet(people, people.org("fifth"), 3)
    assert overdue(people, DAY.replace(day=27)) == 10
    fleet(people, people.org("giant"), 1000)
    assert overdue(people, DAY.replace(day=28)) is None, "one of them is nearly all of it"
    with people.acting(None) as db:
        assert {f.n for f in figures.listed(db) if f.state != "overdue"} == {None}
        row = db.execute("select count(*) from clearway.exposure").fetchone()
    assert row == (0,)


def test_the_application_counts_nothing_itself(people: People) -> None:
    for call in ("count_figures('2026-11-26')", "disclosed('{1}')"):
        with pytest.raises(Exception, match=r"right|permission"), people.acting(people.admin) as db:
            scalar(db, f"select clearway.{call}")
