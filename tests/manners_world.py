"""A server with every manner of the API over one governed table, and two organisations that use it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from msgspec import Struct

import manners_app
from clearway.access import audience
from clearway.access.marking import own
from clearway.store.migrate import migrate
from intake_world import drop_database, new_database
from live_server import Live
from people import People, Somebody


class Manners(Struct, frozen=True):
    """A server, two organisations with an operator each, and the audience of each organisation alone."""

    url: str
    live: Live
    people: People
    ours: int
    theirs: int
    me: Somebody
    other: Somebody
    our_aud: int
    their_aud: int

    def ask(
        self, method: str, path: str, body: Any = None, *, who: Somebody | None = None, **headers: str
    ) -> Any:
        """Status, headers and body of a request by `who`, by default our operator."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        sent["authorization"] = f"Bearer {(who or self.me).secret}"
        return self.live.ask(method, path, body, {"content-type": "application/json", **sent})

    def wanted(self, name: str, **more: Any) -> dict[str, Any]:
        return {"org": self.ours, "aud": self.our_aud, "name": name, **more}

    def add(self, name: str, **more: Any) -> int:
        status, _, thing = self.ask("POST", "/api/v1/things", self.wanted(name, **more))
        assert status == 201, thing
        return int(thing["id"])


def manners_of(server: str, log: Path, settings: manners_app.Settings | None = None) -> Iterator[Manners]:
    """For a fixture: `yield from manners_of(server, tmp_path / "log")`."""
    url = new_database(server, "made")
    migrate(url)
    manners_app.things(url)
    people = People(url)
    ours, theirs = people.org("ours"), people.org("theirs")
    with people.owner() as db:
        auds = [audience.of(db, own(org)) for org in (ours, theirs)]
    me, other = people.somebody(ours, "operator"), people.somebody(theirs, "operator")
    try:
        with manners_app.over(url, log, settings) as live:
            yield Manners(url, live, people, ours, theirs, me, other, *auds)
    finally:
        people.close()
        drop_database(server, url)
