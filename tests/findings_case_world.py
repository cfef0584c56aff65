"""A case at a findings desk: its parties, and short ways to do what they do."""

from __future__ import annotations

from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Any

import psycopg

from clearway.findings.case import draft, kept, party
from clearway.findings.case.kept import Case
from clearway.findings.case.party import Party
from clearway.formats.report_advisory import Draft, Product, tidied
from findings_world import Desk
from intake_world import World
from people import Somebody

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
SETTINGS = """name = "Example Clearinghouse"
namespace = "https://clearing.example.org"
"""


class Cases:
    """`finder` of Lab has reported, `maintainer` maintains at Vendor, `coordinator` sits at the clearinghouse."""

    def __init__(self, desk: Desk, world: World) -> None:
        self.desk, self.world = desk, world
        self.house = desk.people.house
        (desk.home / "cases.toml").write_text(SETTINGS)

    def acting(self, who: Somebody | None = None) -> AbstractContextManager[psycopg.Connection[Any]]:
        return self.desk.acting(who or self.desk.coordinator)

    def opened(self, **facts: Any) -> Case:
        finding = self.desk.finding(**facts)
        with self.acting() as db:
            from clearway.findings import kept as findings

            return kept.add(db, self.house, [findings.one(db, finding.handling)])

    def vendor(self, case: Case, *, asked: bool = True) -> Party:
        with self.acting() as db:
            made = party.add(db, case, role="vendor", member=self.desk.vendor)
            return party.ask(db, kept.by_id(db, case.id), made) if asked else made

    def by_mail(self, case: Case, email: str = "security@example.org", *, told: bool = True) -> Party:
        """`told`: as if its letter had been sent; it still waits."""
        with self.acting() as db:
            made = party.add(db, case, role="maintainer", name="A maintainer", email=email)
            asked = party.ask(db, kept.by_id(db, case.id), made)
        with self.desk.owner() as db:
            return party.told(db, kept.by_id(db, case.id), asked) if told else asked

    def again(self, case: Case, who: Somebody | None = None) -> Case:
        with self.acting(who) as db:
            return kept.one(db, case.handling)

    def drafted(self, case: Case, **facts: Any) -> int:
        with self.acting() as db:
            return draft.put(db, self.desk.vault, kept.by_id(db, case.id), a_draft(**facts), "First release")


def a_draft(**facts: Any) -> Draft:
    return tidied(
        Draft(
            **{
                "title": "Heap buffer overflow in parse_string",
                "description": "A string without an end is read beyond its buffer.",
                "products": (Product(purl="pkg:pypi/example", introduced="1.0", fixed="1.2.4"),),
                "cwe": "CWE-787",
                **facts,
            }
        )
    )
