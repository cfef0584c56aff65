"""A fleet whose people get digests: mail settings, addresses, markings, and the tasks run at a moment."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from clearway.access import audience
from clearway.access.marking import Marking
from clearway.app import mail
from clearway.app.tasks import tasks
from clearway.app.worker import mint
from clearway.records.clock import FixedClock
from fleet_world import DAY, Fleet, kev, osv, package

NOW = datetime(2026, 11, 26, 9, tzinfo=UTC)  # a Thursday
BASE = "https://clearway.example.org"


class Here:
    """A job's attempt without a queue: transactions, and steps that are done once."""

    stopping = False

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        self.done: set[str] = set()

    def owner(self) -> Any:
        return self.fleet.people.owner()

    def acting(self, person: int) -> Any:
        with self.fleet.people.owner() as owner:
            key = mint(owner, person)
        return self.fleet.people.pool.acting(key)

    @contextmanager
    def step(self, name: str) -> Iterator[bool]:
        yield name not in self.done
        self.done.add(name)


def settle(home: Path, port: int, **more: Any) -> mail.Settings:
    """Writes `mail.toml`."""
    said: dict[str, Any] = {
        "host": "127.0.0.1", "port": port, "security": "none", "sender": "Clearway <clearway@example.org>",
        "base_url": BASE, **more,
    }  # fmt: skip
    words = {True: "true", False: "false"}
    lines = [
        f"{k} = {words[v] if isinstance(v, bool) else v if isinstance(v, int) else repr(v)}"
        for k, v in said.items()
    ]
    (home / "mail.toml").write_text("\n".join(lines))
    found = mail.read(home)
    assert found is not None
    return found


def addressed(fleet: Fleet, who: Any = None, rhythm: str = "daily", zone: str = "UTC") -> int:
    """Gives somebody an address and a rhythm; their number."""
    person = (who or fleet.operator).person
    with fleet.people.owner() as db:
        db.execute(
            "update clearway.person set email = %s, digest = %s, time_zone = %s, created = %s where person = %s",
            (f"p{person}@example.org", rhythm, zone, NOW - timedelta(days=40), person),
        )
    return int(person)


def run(fleet: Fleet, name: str, args: dict[str, Any] | None = None, now: datetime = NOW) -> None:
    spec = tasks(fleet.world.home, fleet.world.url, FixedClock(now))[name]
    spec.run(Here(fleet), args or {})  # type: ignore[arg-type]


def marked(fleet: Fleet, marking: Marking, name: str = "") -> None:
    """Gives the fleet's assets, or the one of that name, a marking; what is known of them follows."""
    with fleet.people.owner() as db:
        db.execute(
            "update clearway.asset set aud = %s where org = %s and (%s = '' or name = %s)",
            (audience.of(db, marking), fleet.org, name, name),
        )


def with_something_overdue(fleet: Fleet) -> Fleet:
    """Two machines with something overdue."""
    fleet.ingest(
        osv("PYSEC-1", package("PyPI", "django", "4.2"), aliases=["CVE-2026-0001"]),
        kev("2026.11.01", "CVE-2026-0001", added="2026-10-30"),
    )
    fleet.follow()
    for name in ("secret-gateway", "secret-db"):
        fleet.upload(fleet.asset(name), "pkg:pypi/django@4.1", detected=DAY - timedelta(days=20))
    return fleet
