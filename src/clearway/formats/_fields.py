"""Reading fields of foreign JSON: a missing one is empty, a wrong type is the record's fault."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

from clearway.records.errors import InputError

MAX_ID_CHARS = 200


def an_object(value: Any, name: str) -> dict[str, Any]:
    """`value` as a JSON object; {} for None. Raises InputError for another type."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise InputError(f"`{name}` is not an object", mend="see the format's schema")
    return value


def objects(parent: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """The objects of the list `name`; [] when it is missing or null."""
    found = a_list(parent, name)
    for item in found:
        if not isinstance(item, dict):
            raise InputError(
                f"`{name}` holds something that is not an object", mend="see the format's schema"
            )
    return found


def a_list(parent: dict[str, Any], name: str) -> list[Any]:
    value = parent.get(name)
    if value is None:
        return []
    if not isinstance(value, list):
        raise InputError(f"`{name}` is not a list", mend="see the format's schema")
    return value


def strings(parent: dict[str, Any], name: str) -> tuple[str, ...]:
    """The strings of the list `name`, without empty ones and repetitions, in order."""
    found = a_list(parent, name)
    if not found:
        return ()
    for item in found:
        if not isinstance(item, str):
            raise InputError(f"`{name}` holds something that is not a string", mend="see the format's schema")
    return tuple(dict.fromkeys(item for item in found if item))


def text(parent: dict[str, Any], name: str) -> str:
    """The string `name`; "" when it is missing or null."""
    value = parent.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise InputError(f"`{name}` is not a string", mend="see the format's schema")
    return value


def an_id(parent: dict[str, Any], name: str) -> str:
    """A record's id: printable, without white space, of bounded length."""
    value = text(parent, name)
    if not value:
        raise InputError(f"`{name}` is missing", mend="a record needs an id")
    if len(value) > MAX_ID_CHARS or not value.isprintable() or any(c.isspace() for c in value):
        raise InputError(f"`{name}` is no identifier", mend="use letters, digits and hyphens")
    return value


def one_line(value: str, limit: int = 300) -> str:
    """Foreign text as one printable line of at most `limit` characters."""
    if not value:
        return ""
    line = " ".join(value[: limit * 4].split())
    if not line.isprintable():
        line = "".join(c for c in line if c.isprintable())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def moment(parent: dict[str, Any], name: str) -> datetime | None:
    """The timestamp `name` in UTC; None when missing, or in year 1, which Go's database prints for "none".

    A time without zone reads as UTC: CVE records of 2024 and before leave it out (CVE schema, `timestamp`).
    """
    return parse_moment(text(parent, name), name)


def parse_moment(value: str, name: str) -> datetime | None:
    if not value:
        return None
    try:
        found = datetime.fromisoformat(value)
        if found.year <= 1:
            return None
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        raise InputError(
            f"`{name}` is no timestamp: {one_line(value, 40)}",
            mend="use RFC 3339, such as 2026-08-07T16:45:47Z",
        ) from None


def a_date(value: str, name: str) -> date:
    try:
        return date.fromisoformat(value[:10])
    except ValueError:
        raise InputError(f"`{name}` is no date: {one_line(value, 40)}", mend="use YYYY-MM-DD") from None


def stamp(at: datetime | None) -> str:
    """A version text: UTC with microseconds, so that a greater string is a later time; "" for None."""
    return at.isoformat(timespec="microseconds").replace("+00:00", "Z") if at is not None else ""


def number(parent: dict[str, Any], name: str) -> float | None:
    value = parent.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if abs(value) < 1e6 else None
