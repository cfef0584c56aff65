"""The request as it would leave, and what of its parts stays here; one way for the job and for whoever looks first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from clearway.records.errors import ConflictError

from . import answer, outgoing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .outgoing import Cut, Kind, Leaving, Part
    from .settings import Settings


class Composed(Struct, frozen=True, kw_only=True):
    """`body` is what is sent, byte for byte; `refs` are what the answer may name."""

    body: bytes
    leaving: tuple[Leaving, ...]
    refs: tuple[str, ...]
    cuts: tuple[Cut, ...]


def composed(settings: Settings, kind: Kind, parts: Sequence[Part]) -> Composed:
    """The request about the first of `parts`; the same parts and settings give the same bytes. Pure.

    Raises:
        ForbiddenError: as `outgoing.leaving`.
        ConflictError: duplicates are asked for, and there is nothing that it may be compared with.
    """
    leaving = outgoing.leaving(settings, parts)
    refs = outgoing.refs(leaving)
    if kind == "duplicates" and not refs:
        raise ConflictError("there is no finding to compare it with")
    body = outgoing.request(settings, kind, parts, answer.schema(kind, refs))
    return Composed(body=body, leaving=leaving, refs=refs, cuts=outgoing.cuts(settings, parts))
