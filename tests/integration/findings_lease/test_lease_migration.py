"""The steps from owners' words on can be taken back and made again; leases that were held before stay held."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from clearway.findings.lease import hold
from database import server  # noqa: F401
from lease_house import NET, House, house_of
from steps import Steps, since

FUNCTIONS = """select p.oid::regprocedure::text, p.prosrc, p.proconfig,
    has_function_privilege('clearway_app', p.oid, 'execute'), has_function_privilege('public', p.oid, 'execute')
from pg_proc p where p.pronamespace = 'clearway'::regnamespace and p.prolang <> 12 order by 1"""
SOURCE, WIDE = "198.51.100.7", "203.0.0.0/16"


@pytest.fixture
def alone(server: str, tmp_path: Path) -> Iterator[House]:  # noqa: F811
    yield from house_of(server, tmp_path / "home")


def functions(house: House) -> list[object]:
    with house.owner() as db:
        return [*db.execute(FUNCTIONS)]


def test_taken_back_and_made_again_leases_are_held_as_before(alone: House) -> None:
    house = alone
    steps = Steps(house.people.url, *since("0041"))
    house.prove(house.finder, authorised=["rival"])
    held = house.lease(house.finder, NET, sources=(SOURCE,))
    before = functions(house)
    steps.down()
    between = functions(house)
    assert "lapsed" not in str(between)
    assert len(between) < len(before)
    with house.owner() as db:  # what an older release took
        db.execute("insert into clearway.lease_source select lease, %s::inet from clearway.lease", (WIDE,))
    steps.up()
    assert functions(house) == before
    assert house.whose(house.operator, SOURCE, "192.0.2.9").reference == held.reference
    with house.owner() as db:
        assert db.execute("select count(*) from clearway.lease_source").fetchone() == (1,)
        assert hold.one(db, held.reference).state == "held"
    assert house.ask(house.rival, "192.0.2.9").answer == "wait"
    assert house.renew(house.finder, held).version == 2


def test_taken_back_alone_the_newest_step_leaves_the_functions_before_it(alone: House) -> None:
    house = alone
    before = functions(house)
    steps = Steps(house.people.url, *since("0053"))
    steps.down()
    between = functions(house)
    assert "event_put" not in str(between)
    house.prove(house.finder)
    with house.acting(house.finder) as db:
        row = db.execute(
            "select clearway.emit('lease.overlap', 'lease/x', null, clearway.my_own_audience(), '{}')"
        )
        assert row.fetchone() is not None
    steps.up()
    assert functions(house) == before
