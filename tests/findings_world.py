"""A findings desk with reporters of two organisations, for tests of what comes in and who sees it."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager
from hashlib import sha256
from pathlib import Path
from typing import Any

import psycopg

from clearway.findings import kept
from clearway.findings.desk_key import DeskKey
from clearway.findings.intake import submit
from clearway.findings.vault import Vault
from clearway.ledger import reading
from clearway.store.principal import Pool
from intake_world import World, drop_database, new_database
from people import People, Somebody


class Desk:
    """`finder` is of Lab, `rival` of Rival; `coordinator` sits at the clearinghouse, `maintainer` maintains at Vendor.

    `colleague` reads what Lab reports and reports nothing; `operator` is of neither.
    """

    def __init__(self, people: People, home: Path) -> None:
        self.people = people
        self.home = home
        self.told = 0
        self._first: set[str] | None = None
        home.mkdir(parents=True, exist_ok=True)
        self.lab, self.rival_org = people.org("lab", "lab"), people.org("rival", "finder")
        self.vendor, self.water = people.org("vendor", "vendor"), people.org("water")
        self.finder = people.somebody(self.lab, "finder")
        self.colleague = people.somebody(self.lab, "auditor")
        self.rival = people.somebody(self.rival_org, "finder")
        self.coordinator = people.somebody(people.house, "coordinator")
        self.maintainer = people.somebody(self.vendor, "maintainer")
        self.operator = people.somebody(self.water, "operator")
        self.vault = Vault.of_home(home)
        self.key = DeskKey.of_home(home)
        self.tools = submit.Desk(self.vault, self.key)
        with people.owner() as db:
            from clearway.findings import desk_key

            desk_key.register(db, self.key)

    def acting(self, who: Somebody | None) -> AbstractContextManager[psycopg.Connection[Any]]:
        return self.people.acting(who)

    def owner(self) -> AbstractContextManager[psycopg.Connection[Any]]:
        return self.people.owner()

    def finding(self, who: Somebody | None = None, **facts: Any) -> kept.Finding:
        """A finding of `who` (the finder), with these facts; each call another."""
        reporter = who or self.finder
        with self.acting(reporter) as db:
            return kept.add(db, new_finding(reporter.org, **facts))[0]

    def acts(self) -> list[str]:
        """What the log has been told since the test began, in order."""
        with self.owner() as db:
            told = [a for (a,) in db.execute("select act from clearway.log_entry order by entry")]
        return told[self.told :]

    def clear(self) -> None:
        """Its people alone are left, and `acts` begins anew: what a test begins with where a module has one desk.

        A tenth of the time that a copy of the database takes. What was empty when this was first called is emptied.
        """
        with self.owner() as db:
            full = self._full(db)
            if self._first is None:
                self._first = full
            made = sorted(full - self._first)
            if made:
                db.execute(f"truncate {', '.join(made)} restart identity cascade".encode())
        shutil.rmtree(self.vault.folder, ignore_errors=True)
        self.told = 0
        self.told = len(self.acts())

    @staticmethod
    def _full(db: psycopg.Connection[Any]) -> set[str]:
        """The tables that have a row."""
        names = [
            name
            for (name,) in db.execute(
                """select format('%I.%I', schemaname, tablename) from pg_tables
                where schemaname not in ('pg_catalog', 'information_schema')
                    and not starts_with(tablename::text, 'log_')"""
            )
        ]
        asked = ", ".join(f"exists (select from {name})" for name in names)
        row = db.execute(f"select {asked}".encode()).fetchone() or ()
        return {name for name, there in zip(names, row, strict=True) if there}


_COUNT = iter(range(1, 1_000_000))


def new_finding(org: int, **facts: Any) -> kept.NewFinding:
    """A report as `kept.add` takes it; each call another document."""
    return kept.NewFinding(
        **{
            "org": org,
            "digest": sha256(f"document {next(_COUNT)}".encode()).digest(),
            "format": "clearway-finding",
            "title": "Heap buffer overflow in parse_string",
            "ecosystem": "PyPI",
            "package": "example",
            "release": "1.2.3",
            "purl": "pkg:pypi/example@1.2.3",
            "place": "src/parse.c",
            "cwe": "CWE-787",
            **facts,
        }
    )


def desk_of(world: World) -> Iterator[Desk]:
    """For a fixture: `yield from desk_of(world)`."""
    people = People(world.url)
    try:
        yield Desk(people, world.home)
    finally:
        people.close()


class Template:
    """A database with a desk's people in it, copied for each test: making people anew takes a second."""

    def __init__(self, server: str, home: Path) -> None:
        self.server, self.home = server, home
        self.url = new_database(server, "made")
        self.people = People(self.url)
        try:
            self.desk = Desk(self.people, home)
        finally:
            self.people.close()

    def copy(self, home: Path) -> Iterator[tuple[Desk, World]]:
        """A desk of its own over a copy of the database; its home has the same key."""
        # Copies have the same sessions: what the log of one was told, that of another was not.
        reading._told.clear()
        url = new_database(self.server, self.url.rpartition("/")[2].partition("?")[0])
        home.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(self.home, home)
        people = copy.copy(self.people)
        people.url, people.pool = url, Pool(url, size=4)
        desk = copy.copy(self.desk)
        desk.people, desk.home = people, home
        desk.vault, desk.key = Vault.of_home(home), DeskKey.of_home(home)
        desk.tools = submit.Desk(desk.vault, desk.key)
        try:
            yield desk, World(url, home)
        finally:
            people.close()
            drop_database(self.server, url)

    def close(self) -> None:
        drop_database(self.server, self.url)
