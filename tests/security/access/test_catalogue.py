"""What the catalogue tells the application's role: how large tables are, and never what is in them."""

from __future__ import annotations

import pytest

from clearway.records.errors import ConfigError
from people import People


@pytest.fixture
def counted(people: People) -> People:
    """An organisation with assets, and fresh statistics."""
    org = people.org("water")
    who = people.somebody(org, "operator")
    with people.owner() as db:
        db.execute(
            """insert into clearway.event (seq, kind, subject, aud, body)
            select 1000 + n, 'thing.done', 'thing/secret', 0, '{}' from generate_series(1, 500) n"""
        )
        db.execute("analyze clearway.event")
        db.execute("analyze clearway.person")
    assert who.person
    return people


def test_a_tables_estimated_size_is_told_as_the_page_on_markings_says(counted: People) -> None:
    with counted.acting(None) as db:
        row = db.execute(
            "select reltuples from pg_catalog.pg_class where oid = 'clearway.event'::regclass"
        ).fetchone()
    assert row is not None
    assert row[0] >= 500


def test_samples_of_what_governed_tables_hold_are_not_told(counted: People) -> None:
    """`pg_stats` leaves out tables with row security, and `pg_statistic` itself is closed."""
    with counted.owner() as db:
        held = db.execute(
            "select count(*) from pg_stats where schemaname = 'clearway' and tablename = 'event'"
        )
        assert (held.fetchone() or (0,))[0] > 0
    with counted.acting(None) as db:
        told = db.execute(
            """select s.tablename from pg_stats s
            join pg_class c on c.oid = format('clearway.%I', s.tablename)::regclass
            where s.schemaname = 'clearway' and c.relrowsecurity"""
        ).fetchall()
    assert told == []
    with pytest.raises(ConfigError, match="permission denied"), counted.acting(None) as db:
        db.execute("select from pg_catalog.pg_statistic limit 1")
