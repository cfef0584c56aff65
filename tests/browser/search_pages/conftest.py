"""A served workspace with flaws, assets and hostile names, all of them findable."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from hostile import CORPUS

from clearway.app import indexing
from clearway.records.text import plain
from clearway.store.connect import connect
from database import server  # noqa: F401
from fleet_site import application
from fleet_world import Fleet, fleet_of, osv, package
from intake_world import World, drop_database, new_database
from live_server import within


@pytest.fixture(scope="module")
def live(server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Fleet, str]]:  # noqa: F811
    """The fleet and the URL of the server over it."""
    folder = tmp_path_factory.mktemp("search")
    url = new_database(server, "made")
    world = World(url, folder / "home")
    for fleet in fleet_of(world):
        fleet.ingest(
            osv("PYSEC-1", package("PyPI", "django", "4.2"), aliases=["CVE-2026-0001", "GHSA-2c2j-9gv5-cj73"],
                summary="SQL injection in annotate"),
            *(
                osv(f"PYSEC-9{n}", package("PyPI", f"evil{n}", "1.0"), summary=f"zebra {payload}")
                for n, payload in enumerate(CORPUS.values())
            ),
        )  # fmt: skip
        fleet.asset("django-shop", owner="Shop team")
        for n, payload in enumerate(CORPUS.values()):
            fleet.asset(plain(f"zebra {n} {payload}", 280))
        _indexed(world)
        with within(application(url, str(world.home))) as address:
            yield fleet, address
    drop_database(server, url)


def _indexed(world: World) -> None:
    with connect(world.url, autocommit=True) as session:

        @contextmanager
        def transaction() -> Iterator[psycopg.Connection[Any]]:
            with session.transaction():
                yield session

        indexing.follow_kept(transaction)
        table = world.table()
        indexing.follow_flaws(transaction, table)
        table.close()


@pytest.fixture
def operator(live: tuple[Fleet, str]) -> dict[str, str]:
    return {"clearway": live[0].operator.cookie}
