"""The filters of the list of exposures, and how many exposures each of their values has."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from clearway.http.pages import Address, Choice, Facet

from . import listing, tiers, wanted
from .page_asked import FACETS
from .page_quick import quick

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date

    import psycopg

    from clearway.records.principal import Principal

    from .page_asked import Asked

AT_ONCE_MS = 40  # to count while a page is made
PATIENT_MS = 5_000  # to count after it, in a request of its own
_COUNTED = 10_000  # exposures that the filters count
_VALUES = 12  # of one facet, those with most exposures
LABELS = {
    "status": "Status",
    "verdict": "Verdict",
    "tier": "How soon",
    "kev": "Attackers use it now",
    "severity": "Severity",
    "exposure": "Can be reached from",
    "environment": "Environment",
    "kind": "Kind of asset",
    "ecosystem": "Ecosystem",
    "organisation": "Organisation",
}
TERMS = {"tier": "tier", "kev": "KEV", "severity": "CVSS", "exposure": "exposure"}
VALUES = {
    ("status", "open"): "Open",
    ("status", "mitigated"): "Mitigated",
    ("status", "fixed"): "Done",
    ("status", "not_affected"): "Not affected",
    ("status", "accepted"): "Accepted",
    ("verdict", "affected"): "Affected",
    ("verdict", "unknown"): "Not known",
    ("kev", "yes"): "Yes",
    ("kev", "no"): "No",
    ("exposure", "public"): "The internet",
    ("exposure", "internal"): "Inside only",
    ("exposure", "unknown"): "Nobody has said",
    ("ecosystem", "reported"): "None: a scanner's word alone",
    ("ecosystem", "vendor"): "Vendors' products",
    ("ecosystem", ""): "None named",
}


def count(
    db: psycopg.Connection[Any], me: Principal, asked: Asked, milliseconds: int = AT_ONCE_MS
) -> listing.Counts | None:
    """How many exposures the list has, by facet; None when counting takes longer than that."""
    return quick(db, partial(listing.counts, db, asked.wanted, countable(me), most=_COUNTED), milliseconds)


def countable(me: Principal) -> list[str]:
    return [f for f in wanted.FACETS if f != "org" or len(me.memberships) > 1]


def facets(
    db: psycopg.Connection[Any],
    me: Principal,
    asked: Asked,
    counted: listing.Counts | None,
    address: Address,
    day: date,
    milliseconds: int = AT_ONCE_MS,
) -> tuple[Facet, ...]:
    """Filters with their counts; a facet that is narrowed already counts its values as if it were not."""
    slugs = {str(m.org): m for m in me.memberships}
    exact = counted is not None and counted.exact
    found: list[Facet] = []
    for name, known in FACETS.items():
        inner = "org" if name == "organisation" else name
        chosen = {*address.all(name), *address.all(name + "!")}
        if counted is None:
            numbers = dict.fromkeys(known or (tiers.STANDARD if name == "tier" else ()), 0)
        elif inner not in counted.facets:
            continue
        elif chosen:
            others = asked.without(name, me, day)
            wide = quick(db, partial(listing.counts, db, others, [inner], most=_COUNTED), milliseconds)
            numbers = wide.facets[inner] if wide is not None else counted.facets[inner]
        else:
            numbers = counted.facets[inner]
        if name == "organisation":
            numbers = {slugs[k].slug: n for k, n in numbers.items() if k in slugs}
        values = [v for v in (known or _order(name, numbers, chosen)) if v in numbers or v in chosen]
        if known is None and name != "tier":
            values = values[:_VALUES] + [v for v in values[_VALUES:] if v in chosen]
        if not values or (len(values) == 1 and not chosen):
            continue  # nothing to choose from
        label = {m.slug: m.name for m in me.memberships} if name == "organisation" else {}
        found.append(
            Facet(
                name=name,
                label=LABELS[name],
                term=TERMS.get(name, ""),
                choices=tuple(
                    Choice(v, label.get(v) or words_of(name, v), numbers.get(v, 0) if exact else None)
                    for v in values
                ),
            )
        )
    return tuple(found)


def _order(name: str, numbers: dict[str, int], chosen: set[str]) -> Iterable[str]:
    """The values of a facet that are what the fleet has: those with most first, outcomes by how soon they are."""
    if name == "tier":
        return tiers.ordered({*numbers, *chosen})
    return sorted(numbers, key=lambda v: (-numbers[v], v))


def words_of(facet: str, value: str) -> str:
    """A value of a facet as the filters show it; what people wrote stays as it is."""
    if facet == "tier":
        return tiers.words(value)
    if FACETS[facet] is None:
        return VALUES.get((facet, value)) or value or "(none)"
    return VALUES.get((facet, value)) or value.capitalize()
