"""A patch held against the volatile evidence of a triage: what came first. Pure.

A patch is told in the workbook, or seen by the kept fleet: somebody says that it is done, or an inventory shows the
component no more. Either ends what was in memory.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Iterable


class Wanted(Struct, frozen=True, kw_only=True):
    """What a triage is about: a flaw in a component of an asset, by its number, of an organisation.

    With `told_to`, an audience, only what all of its readers may see is wanted.
    """

    org: int
    asset: int
    flaw: str
    component: str
    told_to: int | None = None


class SeenPatch(Struct, frozen=True, kw_only=True):
    """A patch that the fleet has seen: when that was recorded, and where it stands, such as "inventory/12"."""

    at: datetime
    where: str
    what: str


class TakenBack(SeenPatch, frozen=True, kw_only=True):
    """A patch that did not stay: until when it stood, and whose word it was, "" where it was no person's."""

    by: str
    until: datetime


class Taken(Struct, frozen=True):
    """Volatile evidence: when it was taken, as told, and when that was recorded (None: as it was taken)."""

    at: datetime
    recorded: datetime | None = None


def before_evidence(seen: Iterable[SeenPatch], volatile: Iterable[Taken]) -> str:
    """What the reader of a triage must know of the earliest patch seen; "" when evidence came first, or for none.

    Evidence comes first when it was taken and recorded before the patch: what is told afterwards, under an earlier
    time, proves nothing. The words begin with "patched".
    """
    first = min(seen, key=lambda s: (s.at, s.where), default=None)
    if first is None:
        return ""
    taken = tuple(volatile)
    if any(t.at <= first.at and (t.recorded or t.at) <= first.at for t in taken):
        return ""
    said = f"patched by {minute(first.at)} ({first.where}: {first.what})"
    if not taken:
        return f"{said}, and no volatile evidence was taken"
    earliest = min(t.at for t in taken)
    if earliest > first.at:
        return f"{said}, before the first volatile evidence {minute(earliest)}"
    return f"{said}, and the volatile evidence from before it ({minute(earliest)}) was recorded only after it"


def after_taken_back(taken_back: Iterable[TakenBack], volatile: Iterable[Taken]) -> str:
    """What the reader of a triage must know of the earliest patch that did not stay; "" when evidence came before each.

    A patch that was taken back is no patch: nothing is said while no volatile evidence was taken. But evidence that
    came after it may come from a machine that was patched.
    """
    taken = tuple(volatile)
    if not taken:
        return ""
    for patch in sorted(taken_back, key=lambda s: (s.at, s.where)):
        if before_evidence((patch,), taken):
            return f"{told_back(patch)}: volatile evidence came only after it"
    return ""


def told_back(patch: TakenBack) -> str:
    """A patch that did not stay, in words: when, where, whose word it was, and until when it stood."""
    by = f", by {patch.by}" if patch.by else ""
    return (
        f"a patch of {minute(patch.at)} ({patch.where}: {patch.what}{by}), stood until {minute(patch.until)}"
    )


def minute(at: datetime) -> str:
    """An instant to the minute: "2026-12-07 09:30 UTC"."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
