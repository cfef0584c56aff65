"""A database, people in it, and a fleet with what it is judged by."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import pytest

from database import new_world, server, world  # noqa: F401
from fleet_world import DAY, Fleet, fleet_of, kev, osv, package
from intake_world import World, drop_database, new_database


@pytest.fixture
def fleet(world: World) -> Iterator[Fleet]:  # noqa: F811
    yield from fleet_of(world)


@pytest.fixture(scope="module")
def known(server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:  # noqa: F811
    """A database with a few records in it, for all tests of a module."""
    url = new_database(server, "made")
    for made in fleet_of(World(url, tmp_path_factory.mktemp("known") / "home")):
        made.ingest(
            osv("PYSEC-1", package("PyPI", "django", "4.2"), aliases=["CVE-2026-0001"]),
            osv("PYSEC-2", package("PyPI", "flask", "3.0"), aliases=["CVE-2026-0002"],
                severity=[{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}]),
            osv("PYSEC-3", package("PyPI", "attrs", "24.2")),
            osv("PYSEC-4", package("PyPI", "idna", "3.7"), aliases=["CVE-2026-0004"],
                severity=[{"type": "CVSS_V3", "score": "CVSS:3.1/AV:L/AC:H/PR:H/UI:R/S:U/C:L/I:N/A:N"}]),
            kev("2026.11.01", "CVE-2026-0004", added="2026-10-30"),
            at=DAY,
        )  # fmt: skip
        made.follow(date(2026, 10, 1))
        yield made
    drop_database(server, url)


@pytest.fixture
def mine(known: Fleet) -> Fleet:
    """A fleet of its own beside those of other tests."""
    return known.another()
