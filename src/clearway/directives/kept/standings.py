"""What each directive is to an organisation: as an authority has addressed it, else as the organisation says itself."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from ..governing import STRENGTH
from ..standing import Standing, read_standing
from . import addresses

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import psycopg


class Held(Struct, frozen=True, kw_only=True):
    """What one directive is to an organisation.

    `said` is the organisation's own word, "" for none; the others are of the authority's address: its name, the version
    that stands, since when it is addressed, and when the organisation took note of it.
    """

    directive: str
    standing: Standing
    said: str = ""
    by: str = ""
    version: str = ""
    since: date | None = None
    acknowledged: date | None = None


def own_word(standing: Mapping[str, str], directive: str) -> str:
    """What the organisation says itself, "" for nothing. An id is the same in capitals, as people write it."""
    folded = directive.casefold()
    return next((word for name, word in standing.items() if name.casefold() == folded), "")


def strongest(todos: Iterable[addresses.ToDo], directive: str) -> addresses.ToDo | None:
    """Of what is addressed, that of this directive which binds most, among equals of the longest standing."""
    mine = [t for t in todos if t.version.directive == directive]
    return min(mine, key=lambda t: (STRENGTH[read_standing(t.standing)], t.since), default=None)


def held(standing: Mapping[str, str], todos: Iterable[addresses.ToDo], directive: str) -> Held:
    """What a directive is to an organisation with these own words, to which `todos` are addressed."""
    said = own_word(standing, directive)
    found = strongest(todos, directive)
    if found is None:
        return Held(directive=directive, standing=read_standing(said or "advisory"), said=said)
    return Held(
        directive=directive,
        standing=read_standing(found.standing),
        said=said,
        by=found.version.by_name,
        version=found.version.version,
        since=found.since,
        acknowledged=found.acknowledged,
    )


def held_by(db: psycopg.Connection[Any], org: int, standing: Mapping[str, str], day: date) -> dict[str, Held]:
    """Each directive that is addressed to the organisation on that day, or that it speaks of itself, by its id."""
    todos = addresses.addressed_to(db, org, day)
    names = {t.version.directive for t in todos} | {name.casefold() for name in standing}
    return {name: held(standing, todos, name) for name in sorted(names)}
