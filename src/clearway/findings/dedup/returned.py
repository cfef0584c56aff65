"""Whether a flaw that fires in a release has come back: what its record says of that release. Pure.

A record says it by events (before `fixed`, up to and with `last_affected`), or by a list of affected versions alone.
The order is the ecosystem's own; a release of a system ("Debian:12") is told of by what is said of that release, or of
the system as a whole, and never by what is said of another. What can't be decided is said to be unknown; so is what a
record says more than can be kept of it, since a release could be told of there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec
from msgspec import Struct

from clearway.records.ecosystem import base, normal_ecosystem, normal_name
from clearway.records.errors import VersionUnreadableError
from clearway.versions import compare, scheme_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from clearway.advisories.table_claims import Claim
    from clearway.formats.report_advisory import Product

# affected: it is in a range, or listed; returns: past the end of one; before: before the first of all.
Standing = Literal["affected", "returns", "before", "unknown"]
_ORDER: tuple[Standing, ...] = ("affected", "unknown", "returns", "before")
MOST_BYTES = 1 << 20  # of what is kept of one record, as the database writes JSON


class Bounds(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One product of a record: an OSV range (`introduced` "0": from the first version) or listed versions, or both.

    `more`: no product, but that the record says more than is kept.
    """

    ecosystem: str = ""
    introduced: str = ""
    fixed: str = ""
    last_affected: str = ""
    versions: tuple[str, ...] = ()
    more: bool = False


def kept(bounds: Iterable[Bounds]) -> tuple[Bounds, ...]:
    """What can be kept of them, each once: all, or as many as go into `MOST_BYTES`, and that there are more."""
    found: list[Bounds] = []
    left = MOST_BYTES - _bytes(Bounds(more=True))
    for one in dict.fromkeys(bounds):
        left -= _bytes(one)
        if left < 0 or one.more:
            return (*found, Bounds(more=True))
        found.append(one)
    return tuple(found)


def standing(ecosystem: str, release: str, bounds: Sequence[Bounds]) -> Standing:
    """How `release` stands with a record, `bounds` being all that it says of the package.

    Unknown without a release, where nothing is said of this release of the system, where a version can't be read, and
    between versions of a list. A range that affects it counts before one that it is past.
    """
    if not release:
        return "unknown"
    if any(one.more for one in bounds):
        rest = standing(ecosystem, release, [one for one in bounds if not one.more])
        return "affected" if rest == "affected" else "unknown"
    by_system: dict[str, list[Bounds]] = {}
    for one in bounds:
        by_system.setdefault(_release_of(one.ecosystem), []).append(one)
    own = _release_of(ecosystem)
    if own:
        said = by_system.get(own) or by_system.get("") or []
        return _together(scheme_of(ecosystem), release, said)
    found = {_together(scheme_of(ecosystem), release, said) for said in by_system.values()}
    return found.pop() if len(found) == 1 else "unknown"


def of_products(products: Iterable[Product], ecosystem: str, package: str) -> tuple[Bounds, ...]:
    """What an advisory's products say of a package, in whichever release of its system."""
    return kept(
        Bounds(
            ecosystem=p.ecosystem, introduced=p.introduced, fixed=p.fixed, last_affected=p.last_affected,
            versions=p.versions,
        )
        for p in products
        if base(p.ecosystem) == base(ecosystem)
        and normal_name(p.ecosystem, p.name) == normal_name(ecosystem, package)
    )  # fmt: skip


def of_claims(claims: Iterable[Claim], ecosystem: str) -> tuple[Bounds, ...]:
    """What public records claim of a package of `ecosystem`, as bounds."""
    found: list[Bounds] = []
    for claim in claims:
        if claim.status != "affected":
            continue
        for _, _, introduced, end, kind in claim.intervals:
            if kind in ("", "fixed", "last_affected"):
                found.append(
                    Bounds(
                        ecosystem=ecosystem,
                        introduced=introduced or "0",
                        fixed=end if kind == "fixed" else "",
                        last_affected=end if kind == "last_affected" else "",
                    )
                )
        if claim.listed:
            found.append(Bounds(ecosystem=ecosystem, versions=tuple(text for _, text in claim.listed)))
    return kept(found)


def _bytes(one: Bounds) -> int:
    """At most what it takes: PostgreSQL writes a blank behind each comma and colon."""
    written = msgspec.json.encode(one)
    return len(written) + written.count(b",") + written.count(b":") + 2


def _release_of(ecosystem: str) -> str:
    return normal_ecosystem(ecosystem).partition(":")[2]


def _together(scheme: str, release: str, said: Iterable[Bounds]) -> Standing:
    found = {_one(scheme, release, bounds) for bounds in said}
    return next((s for s in _ORDER if s in found), "unknown")


def _one(scheme: str, release: str, said: Bounds) -> Standing:
    if release in said.versions:
        return "affected"
    try:
        listed = [compare(scheme, release, version) for version in said.versions]
        if 0 in listed:
            return "affected"
        if said.introduced or said.fixed or said.last_affected:
            return _in_range(scheme, release, said)
    except VersionUnreadableError:
        return "unknown"
    if not listed or len(set(listed)) > 1:
        return "unknown"  # between two that are listed nothing is said
    return "returns" if listed[0] > 0 else "before"


def _in_range(scheme: str, release: str, said: Bounds) -> Standing:
    if said.introduced not in ("", "0") and compare(scheme, release, said.introduced) < 0:
        return "before"
    if said.fixed:
        return "affected" if compare(scheme, release, said.fixed) < 0 else "returns"
    if said.last_affected:
        return "affected" if compare(scheme, release, said.last_affected) <= 0 else "returns"
    return "affected"
