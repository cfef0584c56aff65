"""What a public record in the OSV format says, as far as a hint looks at it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import msgspec

from .compare import Told


def told(raw: bytes | Mapping[str, Any], source: str = "") -> Told | None:
    """The title, description, versions and date of a record; None when it has no text that can be read.

    Other formats than OSV give their title and description where they have them under the same names.
    """
    try:
        record: Any = msgspec.json.decode(raw) if isinstance(raw, bytes) else raw
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return None
    if not isinstance(record, Mapping):
        return None
    text = "\n".join(t for t in (record.get("summary"), record.get("details")) if isinstance(t, str))
    if not text.strip():
        return None
    fixed: set[str] = set()
    introduced: set[str] = set()
    for event in _events(record):
        if isinstance(event.get("fixed"), str):
            fixed.add(event["fixed"])
        if isinstance(event.get("introduced"), str) and event["introduced"] != "0":
            introduced.add(event["introduced"])
    return Told(text, frozenset(fixed), frozenset(introduced), _day(record.get("published")), source)


def _events(record: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    found = []
    for affected in _list(record.get("affected"))[:500]:
        for ranges in _list(affected.get("ranges"))[:100]:
            if ranges.get("type") != "GIT":
                found += _list(ranges.get("events"))[:200]
    return found


def _list(value: Any) -> list[Mapping[str, Any]]:
    return [v for v in value if isinstance(v, Mapping)] if isinstance(value, list) else []


def _day(text: Any) -> date | None:
    try:
        found = date.fromisoformat(str(text)[:10])
    except ValueError:
        return None
    return found if found.year > 1990 else None  # the first day of the calendar stands for "not known"
