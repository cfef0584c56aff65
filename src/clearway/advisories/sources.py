"""The register of sources: what each is, and the ecosystems about which its silence says something.

A source covers an ecosystem when it is that ecosystem's own database. An aggregator covers
what it lists only once at least `least` of its records are loaded: a sample of it is a
handful of warnings, and no reason to call anything else safe. A source that is not in the
register covers nothing.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from clearway.records.ecosystem import base

from .table_meta import SourceNote

if TYPE_CHECKING:
    from collections.abc import Iterable

_REGISTER = Path(__file__).parent / "data" / "sources.json"
# Identities that are not package ecosystems: their silence never says anything.
_NEVER = frozenset({"vendor", "vendor-unreviewed", "cpe", "git", "commit", "vex", "go-folded"})


class Loaded(Struct, frozen=True):
    """What the database holds of one source."""

    source: str
    records: int
    newest: str  # the latest date of a record's own, "" when none has one
    received: str
    undated: int = 0  # records without a date of their own


class _Entry(Struct, frozen=True):
    title: str = ""
    licence: str = ""
    covers: frozenset[str] = frozenset()
    least: int = 1
    days: int = 0


@cache
def _register() -> dict[str, _Entry]:
    document = json.loads(_REGISTER.read_bytes())["sources"]
    return {
        name: _Entry(
            entry.get("title", ""),
            entry.get("licence", ""),
            frozenset(entry.get("covers", ())),
            entry.get("least", 1),
            entry.get("days", 0),
        )
        for name, entry in document.items()
    }


def notes(loaded: Iterable[Loaded], speaks_of: dict[str, set[str]]) -> tuple[SourceNote, ...]:
    """A note a source, sorted; `speaks_of` maps a source to the ecosystems of its claims."""
    found = []
    for state in sorted(loaded, key=lambda s: s.source):
        entry = _register().get(state.source, _Entry())
        named = {e for e in speaks_of.get(state.source, ()) if e not in _NEVER}
        complete = state.records >= entry.least
        covers = {e for e in named if complete and (e in entry.covers or base(e) in entry.covers)}
        found.append(
            SourceNote(
                source=state.source,
                records=state.records,
                newest=_as_date(state.newest),
                received=state.received,
                undated=state.undated,
                title=entry.title,
                licence=entry.licence,
                covers=tuple(sorted(covers)),
                partial=tuple(sorted(named - covers)),
            )
        )
    return tuple(found)


def slow_days(source: str) -> int:
    """How many days a source may be silent that publishes seldom; 0 for one of the usual pace."""
    return _register().get(source, _Entry()).days


def _as_date(version: str) -> str:
    """A record's own version as ISO time: KEV puts its catalogue's number ("2026.08.07") before the time."""
    return version[:10].replace(".", "-") if version[4:5] == "." else version
