"""Which version of which directive governs an organisation's dates: chosen among those that bear on it. Pure.

1. The directive is the one that the organisation has chosen. Where it has chosen none, it is `DEFAULT`, unless nothing
   bears on it there and exactly one other directive is addressed to it as binding.
2. The version is the one that an authority has addressed to it: the strongest standing first, then the address of the
   longest standing, so that whoever addresses it later takes nothing over.
3. Else it is the version that the organisation has imported, else the table that ships.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from msgspec import Struct

from .standing import Standing

if TYPE_CHECKING:
    from collections.abc import Iterable

DEFAULT = "bod-26-04"
_STRENGTH = {"binding": 0, "adopted": 1, "advisory": 2}


class Bearing(Struct, frozen=True, kw_only=True):
    """A version that bears on an organisation on some day. `imported`: it has taken it over itself."""

    directive: str
    version_id: int
    version: str
    sha256: bytes
    authority: int  # who issued it; of an import, the organisation itself
    standing: Standing
    since: date
    imported: bool


def governing(bearing: Iterable[Bearing], directive: str) -> Bearing | None:
    """The version of that directive that governs; None for the table that ships."""
    mine = [b for b in bearing if b.directive == directive]
    return min(mine, key=_order) if mine else None


def rivals(bearing: Iterable[Bearing], directive: str) -> tuple[Bearing, ...]:
    """The addressed versions of that directive that say another thing than each other; () where they agree."""
    found: dict[bytes, Bearing] = {}
    for b in sorted((b for b in bearing if b.directive == directive and not b.imported), key=_order):
        found.setdefault(b.sha256, b)
    return tuple(found.values()) if len(found) > 1 else ()


def directive_of(bearing: Iterable[Bearing], chosen: str = "") -> str:
    """The directive by which dates are counted; `chosen` is the organisation's own choice, "" for none."""
    if chosen:
        return chosen
    every = tuple(bearing)
    if any(b.directive == DEFAULT for b in every):
        return DEFAULT
    binding = {b.directive for b in every if b.standing == "binding"}
    return binding.pop() if len(binding) == 1 else DEFAULT


def _order(b: Bearing) -> tuple[bool, int, date, int]:
    return b.imported, _STRENGTH[b.standing], b.since, b.version_id
