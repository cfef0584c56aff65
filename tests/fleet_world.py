"""A kept fleet in a database of its own: records to judge it by, assets, inventories, and days that pass."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, time
from itertools import count
from typing import Any

import psycopg

from clearway.advisories.table import Table
from clearway.exposure.fleet import asset, follow, listing, prepare, take
from clearway.exposure.fleet.wanted import Filter
from clearway.formats.inventory import read_inventory
from intake_world import World, kev, osv, package, write
from people import People

DAY = date(2026, 11, 25)
_numbers = count()


class Fleet:
    """One organisation's fleet. Acts are the operator's, or the owner's at a moment that `at` names."""

    def __init__(self, world: World, people: People | None = None, slug: str = "water") -> None:
        self.world = world
        self.people = people or People(world.url)
        self.org = self.people.org(slug)
        self.operator = self.people.somebody(self.org, "operator")
        self._files = count()

    def another(self) -> Fleet:
        """The fleet of another organisation in the same database."""
        return Fleet(self.world, self.people, f"org-{next(_numbers)}")

    # What is known

    def ingest(self, *records: dict[str, Any], at: date = DAY) -> None:
        folder = self.world.home.parent / f"records{next(self._files)}"
        paths = [write(folder / f"{n}.json", r) for n, r in enumerate(records)]
        self.world.take(*paths, at=datetime.combine(at, time(12), UTC))

    @property
    def table(self) -> Table:
        table = self.world.table()
        table.expect(0)
        return table

    def follow(self, day: date = DAY) -> follow.Followed:
        with self.owner(day) as owner:
            return follow.follow(owner, self.table, day)

    # Who acts

    @contextmanager
    def owner(self, day: date | None = None, hour: int = 12) -> Iterator[psycopg.Connection[Any]]:
        with self.people.owner() as db:
            if day is not None:
                moment = datetime.combine(day, time(hour), UTC).isoformat()
                db.execute("select set_config('clearway.fleet_time', %s, true)", (moment,))
            yield db

    def acting(self, who: Any = None) -> Any:
        return self.people.acting(who or self.operator)

    # What is run

    def asset(self, name: str, exposure: Any = "public", day: date | None = None, **details: Any) -> int:
        with self.owner(day) if day else self.acting() as db:
            return asset.add(
                db, self.org, name, exposure=exposure, since=day or DAY, said_by="test",
                details=asset.Details(**details),
            ).asset  # fmt: skip

    def upload(
        self,
        which: int,
        *purls: str,
        day: date = DAY,
        witness: str = "syft",
        owned: bool = False,
        **more: Any,
    ) -> take.Taken:
        data = document(*purls, **more.pop("document", {}))
        inventory = read_inventory(data, "sbom.json")
        with self.owner(day) as owner:
            prepared = prepare.one(owner, self.table, inventory, day)
        with self.owner(day) if owned else self.acting() as db:
            return take.take(db, which, prepared, data, day=day, witness=witness, **more)

    def lines(self, who: Any = None, **wanted: Any) -> tuple[listing.ExposureLine, ...]:
        sort = wanted.pop("sort", "due")
        with self.acting(who) as db:
            return listing.page(db, Filter(**wanted), sort=sort, limit=500).lines

    def flaws(self, **wanted: Any) -> list[tuple[str, str, str]]:
        """(asset, component, flaw) of what stands, sorted."""
        return sorted((x.asset_name, f"{x.name}@{x.version}", x.flaw) for x in self.lines(**wanted))


def document(*purls: str, **more: Any) -> bytes:
    """A CycloneDX document of these packages."""
    components = [{"type": "library", "name": p, "version": "1", "purl": p} for p in purls]
    return json.dumps(
        {"bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1, "components": components, **more}
    ).encode()


def fleet_of(world: World) -> Iterator[Fleet]:
    """For a fixture: `yield from fleet_of(world)`."""
    made = Fleet(world)
    try:
        yield made
    finally:
        made.people.close()


__all__ = ["DAY", "Fleet", "document", "fleet_of", "kev", "osv", "package"]
