"""The tables that the fleet got later can be taken down and put up again, and what is shown stays."""

from __future__ import annotations

from typing import Any

import pytest

from fleet_world import DAY, Fleet, osv, package
from steps import Steps, since, step_of

COLUMNS = """select table_name, column_name, data_type, is_nullable from information_schema.columns
    where table_schema = 'clearway' order by 1, 2"""
FUNCTIONS = (
    "select oid::regprocedure::text from pg_proc where pronamespace = 'clearway'::regnamespace order by 1"
)
CONSTRAINTS = """select conrelid::regclass::text, pg_get_constraintdef(oid) from pg_constraint
    where connamespace = 'clearway'::regnamespace order by 1, 2"""


@pytest.fixture
def whole(fleet: Fleet) -> Fleet:
    fleet.ingest(osv("PYSEC-1", package("PyPI", "django", "4.2"), aliases=["CVE-2026-0001"]))
    fleet.follow(DAY)
    fleet.upload(fleet.asset("web"), "pkg:pypi/django@4.1")
    return fleet


def test_taken_down_and_put_up_again_the_tables_and_their_rows_are_the_same(whole: Fleet) -> None:
    # What is made anew of its functions by later steps goes down before it.
    later = (step_of(name) for name in ("letters_marked", "due_auds", "begins"))
    steps = Steps(whole.world.url, "0013", "0060", *later)

    def shape() -> list[list[tuple[Any, ...]]]:
        return [whole.world.sql(query) for query in (COLUMNS, FUNCTIONS, CONSTRAINTS)]

    before, shown = shape(), whole.lines()
    steps.down()
    assert whole.world.sql("select to_regclass('clearway.asset_said')") == [(None,)]
    steps.up()
    assert shape() == before
    assert whole.lines() == shown
    assert len(whole.world.sql("select from clearway.asset_said")) == 1


def test_inventories_are_taken_the_same_by_the_functions_of_before(whole: Fleet) -> None:
    steps = Steps(whole.world.url, *since(step_of("take_sooner")))
    names = (
        "select oid::regprocedure::text, prosrc from pg_proc where proname in ('fleet_take', 'fleet_missing')"
    )
    before = sorted(whole.world.sql(names))
    steps.down()
    assert sorted(whole.world.sql(names)) != before
    steps.up()
    assert sorted(whole.world.sql(names)) == before
    whole.upload(whole.asset("again"), "pkg:pypi/django@4.1")
    assert [name for name, _, _ in whole.flaws()] == ["again", "web"]
