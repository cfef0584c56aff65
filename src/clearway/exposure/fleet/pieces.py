"""The compiled table as intervals for comparing keys in columns, and which packages take more than that. Pure.

Most claims are intervals of the package's own order, affected inside and clear outside. Some can't tell of every other
version (`unread`), and an erratum for a build in a module can't tell of a build outside modules: those are intervals of
*unknown*. A package with anything else (what a source clears, an order of its own, intervals that overlap) is
said by the judge alone, for the versions of that package.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from clearway.versions import has_keys, is_generic, scheme_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from clearway.advisories.table import Claim


# Before every key, and after (`versions`).
_LEAST, _GREATEST = b"", b"\xff"


class Piece(NamedTuple):
    """One interval `lo <= key < hi` of the `claim`-th claim on a package. `fixed` "" where the end is no fix.

    verdict: 1 affected, 2 unknown.
    """

    claim: int
    lo: bytes
    hi: bytes
    record: str
    fixed: str
    basis: str
    verdict: int = 1


def pieces(ecosystem: str, claims: Sequence[Claim]) -> list[Piece] | None:
    """The intervals of a package's claims, for versions built outside modules; None when it takes the judge."""
    # Names of Go modules in lower case are looked up beside the package's own.
    scheme = scheme_of("Go" if ecosystem == "go-folded" else ecosystem)
    if not has_keys(scheme) or not all(_plain(c, scheme) for c in claims):
        return None
    ranged = "generic_order" if is_generic(scheme) else "range"
    return [p for number, claim in enumerate(claims) for p in _of(number, claim, ranged)]


def _plain(claim: Claim, scheme: str) -> bool:
    if claim.status != "affected" or claim.scheme not in ("", scheme):
        return False
    end = b""
    for lo, hi, *_ in claim.intervals:  # sorted
        if lo < end:
            return False
        end = max(end, hi)
    return not any(lo <= at < hi for at, _ in claim.listed if at for lo, hi, *_ in claim.intervals)


def _of(number: int, claim: Claim, ranged: str) -> Iterator[Piece]:
    if claim.module:
        yield Piece(number, _LEAST, _GREATEST, claim.record, "", "none", 2)
        return
    gap = _LEAST
    for lo, hi, _, end, kind in claim.intervals:
        yield Piece(number, lo, hi, claim.record, end if kind == "fixed" else "", ranged)
        if claim.unread and gap < lo:
            yield Piece(number, gap, lo, claim.record, "", "none", 2)
        gap = max(gap, hi)
    if claim.unread and gap < _GREATEST:
        yield Piece(number, gap, _GREATEST, claim.record, "", "none", 2)
    for at, _ in claim.listed:
        if at:  # a text without an order is matched only by one that has none either
            yield Piece(number, at, at + b"\0", claim.record, "", "listed")
