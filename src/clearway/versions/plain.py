"""The two orders of the VERS specification that belong to no ecosystem: instants and bare text."""

from __future__ import annotations

from datetime import UTC, datetime

from ._encode import unreadable


def datetime_key(version: str) -> bytes:
    """The key of an RFC 3339 timestamp: its instant, whatever its offset."""
    try:
        instant = datetime.fromisoformat(version)
        if instant.tzinfo is None or len(version) < 20 or version[10] not in "Tt":
            raise ValueError
        return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f").zfill(26).encode()
    except (ValueError, OverflowError):
        unreadable(version, "is not an RFC 3339 timestamp", "give it as 2026-01-31T12:00:00Z")


def lexicographic_key(version: str) -> bytes:
    """The key of any text: its UTF-8 bytes in order, nothing normalised."""
    if "\0" in version:
        unreadable(version, "has a NUL character")
    return b"\x01" + version.encode("utf-8", "surrogatepass") + b"\0"
