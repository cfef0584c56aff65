"""Findings of two reporters of one product, for tests of what is one flaw."""

from __future__ import annotations

from findings_world import Desk


class Two:
    """Findings of two reporters of one product."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.ours = desk.finding(
            title="Overflow in parse_string", place="src/parse.c parse_string", state="queued"
        )
        self.theirs = desk.finding(
            desk.rival, title="Crash when a string is read", place="parse.c:99 parse_string", state="queued"
        )
