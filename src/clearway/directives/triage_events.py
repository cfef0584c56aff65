"""The events of a forensic triage: what is recorded, one at a time, and never changed."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Literal

import msgspec
from msgspec import Struct

from clearway.records.errors import InputError

Conclusion = Literal["none", "suspected", "confirmed"]
_SHA256 = re.compile(r"[0-9a-f]{64}")
_SURROGATE = re.compile("[\ud800-\udfff]")
_EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
_LONGEST = 10_000  # characters of one text


class _Event(Struct, frozen=True, kw_only=True, tag_field="event"):
    """`at` is when it happened, as told; the store keeps apart when it was recorded, and by whom."""

    at: datetime
    by: str


class StepStarted(_Event, frozen=True, kw_only=True, tag="step_started"):
    step: str


class StepDone(_Event, frozen=True, kw_only=True, tag="step_done"):
    step: str
    note: str = ""


class StepSkipped(_Event, frozen=True, kw_only=True, tag="step_skipped"):
    """A step left out: the reason is needed."""

    step: str
    reason: str


class EvidenceTaken(_Event, frozen=True, kw_only=True, tag="evidence_taken"):
    """One item of evidence. `sha256` in hexadecimal, of the bytes as first taken; `place` is where they are kept."""

    evidence: str
    what: str
    volatile: bool
    sha256: str
    size_bytes: int
    place: str


class EvidenceMoved(_Event, frozen=True, kw_only=True, tag="evidence_moved"):
    """Custody passes from `by` to `to`; `sha256` again, as the receiver found it."""

    evidence: str
    to: str
    place: str
    sha256: str


class Patched(_Event, frozen=True, kw_only=True, tag="patched"):
    what: str


class Concluded(_Event, frozen=True, kw_only=True, tag="concluded"):
    conclusion: Conclusion
    summary: str


class IncidentReported(_Event, frozen=True, kw_only=True, tag="incident_reported"):
    """The reference under which the incident was reported to the authority."""

    reference: str


class Reopened(_Event, frozen=True, kw_only=True, tag="reopened"):
    reason: str


Event = (
    StepStarted
    | StepDone
    | StepSkipped
    | EvidenceTaken
    | EvidenceMoved
    | Patched
    | Concluded
    | IncidentReported
    | Reopened
)


def read_event(data: bytes, place: str = "event") -> Event:
    """One event from its JSON. Raises InputError naming `place`."""
    try:
        event: Event = msgspec.json.decode(data, type=Event)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"not an event of a triage: {error}", where=place) from error
    check(event)
    return event


def check(event: Event) -> None:
    """Raises InputError for a text, hash or time that can't be kept."""
    aware(event.at, "at")
    for name in event.__struct_fields__:
        value = getattr(event, name)
        if isinstance(value, str):
            if len(value) > _LONGEST:
                raise InputError(f"more than {_LONGEST:,} characters", where=name)
            if name != "note" and not value.strip():
                raise InputError("is empty", where=name, mend=f"say the {name}")
            if "\0" in value or (not value.isascii() and _SURROGATE.search(value)):
                raise InputError("has a character that can't be kept", where=name, mend="leave it out")
    sha256 = getattr(event, "sha256", None)
    if sha256 is not None and not _SHA256.fullmatch(sha256):
        raise InputError("not a SHA-256 in 64 hexadecimal digits, lower case", where="sha256")
    if getattr(event, "size_bytes", 0) < 0:
        raise InputError("less than nothing", where="size_bytes")


def aware(at: datetime, where: str) -> datetime:
    """The instant in UTC. Raises InputError for one without an offset, or of no calendar that can be kept."""
    if at.utcoffset() is None:
        raise InputError(
            "a time without an offset from UTC", where=where, mend="write it as 2026-12-07T09:30:00Z"
        )
    if at < _EARLIEST:
        raise InputError(f"lies before {_EARLIEST.year}", where=where)
    try:
        return at.astimezone(UTC)
    except OverflowError:
        raise InputError("lies beyond the calendar", where=where) from None
