"""Which version of which directive governs an organisation's dates: chosen among those that bear on it. Pure.

1. The directive is the one that the organisation has chosen. Where it has chosen none, it is `DEFAULT`, unless nothing
   bears on it there and exactly one other directive is addressed to it as binding.
2. The version is the one that an authority has addressed to it: the strongest standing first, then the address of the
   longest standing, so that whoever addresses it later takes nothing over.
3. Else it is the version that the organisation has imported, else the table that ships.

Of an authority's versions the newest counts, but one that might make a date later, or drop a forensic triage, waits
until the organisation has taken note of it: until then the stricter one before it stands (`settle`).
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from msgspec import Struct

from .standing import Standing
from .strictness import at_least_as_strict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .directive import Directive

DEFAULT = "bod-26-04"
STRENGTH = {"binding": 0, "adopted": 1, "advisory": 2}


class Bearing(Struct, frozen=True, kw_only=True):
    """A version that bears on an organisation on some day. `imported`: it has taken it over itself.

    `taken`: it has taken note of it, or needs not to.
    """

    directive: str
    version_id: int
    version: str
    sha256: bytes
    authority: int  # who issued it; of an import, the organisation itself
    standing: Standing
    since: date
    imported: bool
    taken: bool = True
    issued: date = date.min


class Settled(Struct, frozen=True):
    """`stands`: of each directive and authority the version that counts; `waits`: newer ones, not yet taken note of."""

    stands: tuple[Bearing, ...] = ()
    waits: tuple[Bearing, ...] = ()


def settle(
    bearing: Iterable[Bearing],
    table: Callable[[Bearing], Directive | None],
    ships: Callable[[str], Directive | None],
) -> Settled:
    """What stands of all versions that bear on one organisation, and what waits until it takes note.

    A version is held against what would govern without it: the one that does, else the table that ships (`ships`), and
    of another directive than `DEFAULT` also what governs there. `table` gives a version's table; a version whose table
    is None is not held back, because nothing is counted by it.
    """
    found = tuple(bearing)
    stands: list[Bearing] = []
    waits: list[Bearing] = []
    usual: Directive | None = ships(DEFAULT)
    for directive in sorted({b.directive for b in found}, key=lambda name: (name != DEFAULT, name)):
        own = [b for b in found if b.directive == directive and b.imported]
        theirs = sorted((b for b in found if b.directive == directive and not b.imported), key=_age)
        chosen = {b.authority: b for b in theirs if b.taken}
        newer = [b for b in theirs if b.authority not in chosen or _age(b) > _age(chosen[b.authority])]
        held: dict[int, Bearing] = {}
        for b in newer:
            now = governing((*own, *chosen.values()), directive)
            first = (ships(directive), usual) if now is None else (table(now),)
            new = table(b)
            if new is None or all(old is None or at_least_as_strict(new, old) for old in first):
                chosen[b.authority] = b
                held.pop(b.authority, None)
            else:
                held[b.authority] = b
        if directive == DEFAULT and (now := governing((*own, *chosen.values()), directive)) is not None:
            usual = table(now) or usual
        stands += own
        stands += chosen.values()
        waits += held.values()
    return Settled(tuple(stands), tuple(waits))


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


def _age(b: Bearing) -> tuple[date, int]:
    return b.issued, b.version_id


def _order(b: Bearing) -> tuple[bool, int, date, int]:
    return b.imported, STRENGTH[b.standing], b.since, b.version_id
