"""What one step of taking an inventory proved, the next believes by its seal: these rows, this asset, this moment."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from clearway.exposure.fleet import prepare, take
from clearway.formats.inventory import read_inventory
from clearway.records.errors import ClearwayError, ConflictError
from clearway.records.inventory import Inventory
from fleet_world import DAY, Fleet, document, osv, package
from steps import Steps, since, step_of

DJANGO = osv("PYSEC-1", package("PyPI", "django", "4.2"), aliases=["CVE-2026-0001"])
FLASK = osv("PYSEC-2", package("PyPI", "flask", "3.0"), aliases=["CVE-2026-0002"])
PURLS = ("pkg:pypi/django@4.1", "pkg:pypi/flask@2.0", "pkg:pypi/attrs@24.1")
MISSING = "select pvs, flaws, verdicts, seal from clearway.fleet_missing(%s, '{}', '{}', '{}')"
EXPOSE = """select appeared from clearway.fleet_expose(%(asset)s, 0, %(pvs)s::int[], %(flaws)s::int[],
    %(verdicts)s::smallint[], array_fill(date '2026-01-01', array[%(n)s]), array_fill(0::smallint, array[%(n)s]),
    array_fill(null::date, array[%(n)s]), array_fill(0, array[%(n)s]), %(sizes)s::int[], %(seals)s::bytea[])"""


def read(*purls: str) -> Inventory:
    return read_inventory(document(*purls), "sbom.json")


@pytest.fixture
def lacking(fleet: Fleet) -> tuple[Fleet, int, int]:
    """Two assets that hold all of `PURLS`, and whose exposures are not written."""
    fleet.ingest(DJANGO, FLASK)
    assets = [fleet.asset(name) for name in ("web", "db")]
    for asset in assets:
        fleet.upload(asset, *PURLS)
    fleet.world.sql("delete from clearway.exposure returning exposure")
    return fleet, *assets


def missing(db: psycopg.Connection[Any], asset: int) -> dict[str, Any]:
    """What `fleet_expose` takes of it."""
    rows = db.execute(MISSING, (asset,)).fetchall()
    columns = [[value for row in rows for value in row[nth]] for nth in range(3)]
    return {
        "asset": asset, **dict(zip(("pvs", "flaws", "verdicts"), columns, strict=True)), "n": len(columns[0]),
        "sizes": [len(row[0]) for row in rows], "seals": [row[3] for row in rows],
    }  # fmt: skip


def exposures(fleet: Fleet) -> list[tuple[int, str]]:
    return fleet.world.sql(
        "select e.asset, f.id from clearway.exposure e join clearway.flaw f using (flaw) order by 1, 2"
    )


def expose(
    fleet: Fleet,
    asset: int,
    change: Callable[[dict[str, Any]], None] = lambda given: None,
    meanwhile: Callable[[psycopg.Connection[Any]], object] = lambda db: None,
) -> None:
    """In one transaction, what is missing is asked, changed and written."""
    with fleet.acting() as db:
        given = missing(db, asset)
        change(given)
        meanwhile(db)
        db.execute(EXPOSE, given)


def test_what_is_sealed_is_written(lacking: tuple[Fleet, int, int]) -> None:
    fleet, web, _ = lacking
    expose(fleet, web)
    assert exposures(fleet) == [(web, "CVE-2026-0001"), (web, "CVE-2026-0002")]


def _another_flaw(given: dict[str, Any]) -> None:
    given["flaws"] = given["flaws"][::-1]
    given["sizes"], given["seals"] = given["sizes"][::-1], given["seals"][::-1]


def _another_verdict(given: dict[str, Any]) -> None:
    given["verdicts"] = [2, *given["verdicts"][1:]]


def _no_seals(given: dict[str, Any]) -> None:
    given["sizes"], given["seals"] = [], []


def _null_seals(given: dict[str, Any]) -> None:
    given["seals"] = [None] * len(given["sizes"])


def _sizes_of_less(given: dict[str, Any]) -> None:
    given["pvs"] += given["pvs"][:1]
    given["flaws"] += given["flaws"][1:]
    given["verdicts"] += given["verdicts"][:1]
    given["n"] += 1


def _sizes_below_nothing(given: dict[str, Any]) -> None:
    given["sizes"] = [-1, *given["sizes"], 1]
    given["seals"] = [None, *given["seals"], None]
    _sizes_of_less(given)


def _one_seal_twice(given: dict[str, Any]) -> None:
    """The sealed rows, and as many forged behind them, which no seal speaks of."""
    (size,), (seal,) = given["sizes"], given["seals"]
    given.update(sizes=[size, -size, size], seals=[seal, None, seal], n=2 * size)
    given["pvs"] += given["pvs"]
    given["flaws"] += given["flaws"][::-1]
    given["verdicts"] += given["verdicts"]


def _null_sizes(given: dict[str, Any]) -> None:
    given["sizes"] = [None] * given["n"]


def _longer_columns(given: dict[str, Any]) -> None:
    given["flaws"] += given["flaws"][:1]
    given["verdicts"] += given["verdicts"][:1]


def _other_bounds(given: dict[str, Any]) -> None:
    """One row more, before the first of the sealed."""
    numbers = given["pvs"]
    given["pvs"] = f"[0:{len(numbers)}]={{{','.join(map(str, (numbers[0], *numbers)))}}}"


@pytest.mark.parametrize(
    "forge",
    [_another_flaw, _another_verdict, _no_seals, _null_seals, _sizes_of_less, _sizes_below_nothing, _one_seal_twice,
     _null_sizes,
     _longer_columns, _other_bounds],
)  # fmt: skip
def test_other_rows_than_the_sealed_are_refused(
    lacking: tuple[Fleet, int, int], forge: Callable[[dict[str, Any]], None]
) -> None:
    fleet, web, _ = lacking
    with pytest.raises(ClearwayError, match=r"lacks|null value"):
        expose(fleet, web, forge)
    assert exposures(fleet) == []


def test_a_seal_is_of_its_asset_its_transaction_and_its_inventory(lacking: tuple[Fleet, int, int]) -> None:
    fleet, web, other = lacking
    with fleet.acting() as db:
        given = missing(db, web)
    for wrong in (given, {**given, "asset": other}):
        with pytest.raises(ConflictError, match="lacks"), fleet.acting() as db:
            db.execute(EXPOSE, wrong)
    with fleet.owner() as owner:
        prepared = prepare.one(owner, fleet.table, read("pkg:pypi/attrs@24.1"), DAY)
    with pytest.raises(ConflictError, match="lacks"):
        expose(fleet, web, meanwhile=lambda db: take.take(db, web, prepared, b"less", day=DAY))
    assert exposures(fleet) == []


def test_numbers_are_believed_with_their_seal_alone(fleet: Fleet) -> None:
    fleet.ingest(DJANGO)
    web = fleet.asset("web")
    with fleet.owner() as owner:
        prepared = prepare.one(owner, fleet.table, read(*PURLS[:2]), DAY)
    assert prepared.seal is not None

    def taken(pvs: list[int], seal: bytes | None) -> list[int]:
        with fleet.acting() as db:
            row = db.execute(
                """select added from clearway.fleet_take(
                    %s, '{}', 'x', 'x', 'x', '', %s, '', 1, '{}', true, '{}', false, known => %s, seal => %s)""",
                (web, b"0" * 32, pvs, seal),
            ).fetchone()
        assert row is not None
        return list(row[0])

    numbers = list(prepared.pvs)
    assert taken(numbers, None) == []  # of no digest
    assert taken(numbers, bytes(32)) == []
    assert taken(numbers[:1], prepared.seal) == []
    assert taken(numbers[::-1], prepared.seal) == []
    assert sorted(taken(numbers, prepared.seal)) == numbers


def test_nobody_but_the_owner_seals(fleet: Fleet) -> None:
    for asked in ("clearway.fleet_sealed('{1}')", "clearway.fleet_bound(1)"):
        with pytest.raises(ClearwayError, match=r"permission|denied|may not"), fleet.acting() as db:
            db.execute(f"select {asked}".encode())


def test_an_inventory_is_the_same_when_the_steps_of_the_schema_are_taken_back_and_made_again(
    fleet: Fleet,
) -> None:
    fleet.ingest(DJANGO, FLASK)
    steps = Steps(fleet.world.url, *since(step_of("plain_lookups")))
    text = (
        "select pg_get_functiondef(oid) from pg_proc "
        "where proname in ('fleet_take', 'fleet_missing', 'fleet_expose') order by 1"
    )
    before = fleet.world.sql(text)
    steps.down()
    assert fleet.world.sql(text) != before
    steps.up()
    assert fleet.world.sql(text) == before
    fleet.upload(fleet.asset("web"), *PURLS)
    assert {line.flaw for line in fleet.lines()} == {"CVE-2026-0001", "CVE-2026-0002"}
    assert fleet.world.sql("select count(*) from clearway.lookup where not plain") == [(0,)]
