"""A served workspace with data of which one feed has gone stale, one fails, and records were set aside."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hostile import CORPUS

from clearway.advisories.feeds import store as feed_store
from clearway.advisories.feeds.feed import HABITS, Feed
from database import server  # noqa: F401
from fleet_site import application
from fleet_world import Fleet, fleet_of, kev, osv, package
from intake_world import World, drop_database, new_database
from live_server import within

NOW = datetime.now(UTC)


@pytest.fixture(scope="module")
def live(server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Fleet, str]]:  # noqa: F811
    """The fleet and the URL of the server over it."""
    folder = tmp_path_factory.mktemp("data")
    url = new_database(server, "made")
    world = World(url, folder / "home")
    for fleet in fleet_of(world):
        fleet.ingest(
            osv(
                "PYSEC-1",
                package("PyPI", "django", "4.2"),
                aliases=["CVE-2026-0001"],
                summary="SQL injection",
            ),
            kev("2026.11.01", "CVE-2026-0004"),
        )
        for n, payload in enumerate([p for name, p in CORPUS.items() if name != "long"]):
            (folder / f"bad{n}.json").write_text('{"id": ' + _json(payload) + ', "affected": 5}')
        world.take(*sorted(folder.glob("bad*.json")), forced="osv")
        _feeds(fleet)
        with within(application(url, str(world.home))) as address:
            yield fleet, address
    drop_database(server, url)


def _feeds(fleet: Fleet) -> None:
    habits = HABITS["kev"]
    with fleet.people.owner() as db:
        for name, ago in (("kev", 9), ("vendor", 1), ("current", 0)):
            made = Feed(
                name=name, layout="kev", url="/nowhere", every_s=habits.every_s,
                stale_after_s=habits.stale_after_s, oldest_s=0,
            )  # fmt: skip
            feed_store.add(db, made, NOW - timedelta(days=30))
            db.execute(
                "update clearway.feed set good = %s, tried = %s, dated = %s, entries = 1662 where name = %s",
                (NOW - timedelta(days=ago), NOW, (NOW - timedelta(days=ago)).date().isoformat(), name),
            )
        db.execute(
            "update clearway.feed set error = %s, failures = 3, failing_since = %s where name = 'vendor'",
            ("answers 503: " + CORPUS["image"], NOW - timedelta(hours=5)),
        )


def _json(text: str) -> str:
    import json

    return json.dumps(text)


@pytest.fixture
def admin(live: tuple[Fleet, str]) -> dict[str, Any]:
    """The cookie of the installation's administrator."""
    return {"clearway": live[0].people.admin.cookie}


@pytest.fixture
def operator(live: tuple[Fleet, str]) -> dict[str, Any]:
    return {"clearway": live[0].operator.cookie}
