"""Which exposures are asked for: filters of three states for each value of a facet, as SQL. Pure.

What people type is always a parameter; the text of a condition is one of those below.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, Literal

from msgspec import Struct, field

from clearway.records.errors import UsageError

Status = Literal["open", "mitigated", "fixed", "not_affected", "accepted"]
STATUSES: tuple[Status, ...] = ("open", "mitigated", "fixed", "not_affected", "accepted")
VERDICTS = ("", "affected", "unknown")
# CVSS v3.1 and v4.0 qualitative ratings by their least base score.
SEVERITIES = {"critical": 9.0, "high": 7.0, "medium": 4.0, "low": 0.1, "none": 0.0, "unrated": -1.0}

Facets = Mapping[str, tuple[str, ...]]


class Filter(Struct, frozen=True, kw_only=True):
    """What a list shows. Everything given must hold; `yes` and `no` give each value of a facet one of three states:
    wanted, not wanted, or either.

    `name` is a component's name, or its beginning with `*` after it, and `products` are vendors' products that it means
    (`product.meant`). `asset_name` is the same of an asset, by which `assets` are meant where they are given
    (`called.led`). `flaw` is any present or past id, and `flaws` are more of them. `gone` shows what is over instead of
    what stands.
    """

    org: int | None = None
    asset: int | None = None
    flaw: str = ""
    flaws: tuple[str, ...] = ()
    name: str = ""
    asset_name: str = ""
    assets: tuple[int, ...] | None = None
    products: tuple[int, ...] = ()
    due_from: date | None = None
    due_to: date | None = None
    yes: Facets = field(default_factory=dict)
    no: Facets = field(default_factory=dict)
    gone: bool = False


class Conditions(Struct, frozen=True):
    """SQL conditions on `e` (exposure) joined with what `joins` names, and their parameters."""

    texts: tuple[str, ...]
    values: dict[str, Any]
    joins: frozenset[str]  # of a (asset), v (package_version), f (flaw), c (clock)

    @property
    def text(self) -> str:
        return " and ".join(self.texts)


_SEVERITY = (
    "case when f.score >= 9 then 'critical' when f.score >= 7 then 'high' when f.score >= 4 then 'medium' "
    "when f.score >= 0.1 then 'low' when f.score >= 0 then 'none' else 'unrated' end"
)
# facet -> (expression, what it needs joined, the database's own words for its values or None for the same)
FACETS: dict[str, tuple[str, str, tuple[str, ...] | None]] = {
    "status": ("e.status", "", STATUSES),
    "verdict": ("e.verdict", "", VERDICTS),
    "org": ("e.org", "", None),
    "tier": ("c.tier", "c", None),
    "environment": ("a.environment", "a", None),
    "exposure": ("a.exposure", "a", None),
    "kind": ("a.kind", "a", None),
    "ecosystem": ("v.ecosystem", "v", None),
    "kev": ("case when f.kev is null then 'no' else 'yes' end", "f", None),
    "severity": (_SEVERITY, "f", None),
}
_JOINS = {
    "a": "join clearway.asset a on a.asset = e.asset",
    "v": "join clearway.package_version v on v.pv = e.pv",
    "f": "join clearway.flaw f on f.flaw = e.flaw",
    "c": "join clearway.clock c on c.clock = e.clock",
}
_LOOKED_UP = {
    "a": "cross join lateral (select * from clearway.asset x where x.asset = e.asset offset 0) a",
    "v": "cross join lateral (select * from clearway.package_version x where x.pv = e.pv offset 0) v",
    "f": "cross join lateral (select * from clearway.flaw x where x.flaw = e.flaw offset 0) f",
    "c": "cross join lateral (select * from clearway.clock x where x.clock = e.clock offset 0) c",
}


def joins(needed: frozenset[str]) -> str:
    """The joins, in one order."""
    return " ".join(_JOINS[k] for k in sorted(needed))


def walked(found: Conditions) -> str:
    """The joins for a walk of `e` in the order of its index: each row's own are looked up after it.

    Without `offset 0` the planner begins with the table of a filter whose rows it thinks few, and sorts all that match.
    It may where they are few: those of one name, and flaws in KEV.
    """
    few = {"v" if "w_name" in found.values else "", "a" if "w_asset_name" in found.values else ""}
    if found.values.get("w_yes_kev") == ["yes"]:
        few.add("f")
    return " ".join((_JOINS if k in few else _LOOKED_UP)[k] for k in sorted(found.joins))


def conditions(wanted: Filter) -> Conditions:
    """The SQL of a filter.

    Raises:
        UsageError: no such facet, or no such value of one whose values are known.
    """
    texts = ["e.gone is not null" if wanted.gone else "e.gone is null"]
    values: dict[str, Any] = {}
    needed: set[str] = set()
    if wanted.org is not None:
        texts.append("e.org = %(w_org)s")
        values["w_org"] = wanted.org
    if wanted.asset is not None:
        texts.append("e.asset = %(w_asset)s")
        values["w_asset"] = wanted.asset
    if wanted.flaw:
        texts.append(
            "e.flaw = any(array(select k.flaw from clearway.flaw k where k.id = any(%(w_flaw)s) "
            "union select k.flaw from clearway.flaw_redirect r join clearway.flaw k on k.id = r.new "
            "where r.old = any(%(w_flaw)s)))"
        )
        values["w_flaw"] = [*dict.fromkeys((wanted.flaw, *wanted.flaws))]
    for key, column, join in (("name", "v.name", "v"), ("asset_name", "a.name", "a")):
        text = getattr(wanted, key)
        if key == "asset_name" and wanted.assets is not None:
            texts.append("e.asset = any(%(w_assets)s)")
            values["w_assets"] = [*wanted.assets]
        elif text:
            needed.add(join)
            begins = text.endswith("*")
            condition = f"{column} ^@ %(w_{key})s" if begins else f"{column} = %(w_{key})s"
            values[f"w_{key}"] = text[:-1] if begins else text
            if key == "name" and wanted.products:
                condition = f"({condition} or e.pv = any(%(w_products)s))"
                values["w_products"] = [*wanted.products]
            texts.append(condition)
    if wanted.due_from is not None:
        texts.append("e.due_at >= %(w_from)s and e.due_at < 'infinity'")
        values["w_from"] = wanted.due_from
    if wanted.due_to is not None:
        texts.append("e.due_at <= %(w_to)s")
        values["w_to"] = wanted.due_to
    for state, given in (("yes", wanted.yes), ("no", wanted.no)):
        for facet, chosen in sorted(given.items()):
            if facet not in FACETS:
                raise UsageError(f"no facet {facet!r}", mend="one of: " + ", ".join(FACETS))
            if not chosen:
                continue
            expression, join, words = FACETS[facet]
            if join:
                needed.add(join)
            key = f"w_{state}_{facet}"
            values[key] = _values(facet, chosen, words)
            texts.append(
                f"{expression} = any(%({key})s)" if state == "yes" else f"not {expression} = any(%({key})s)"
            )
    return Conditions(tuple(texts), values, frozenset(needed))


def _values(facet: str, chosen: tuple[str, ...], words: tuple[str, ...] | None) -> list[Any]:
    if facet == "org":
        try:
            return [int(c) for c in chosen]
        except ValueError:
            raise UsageError(f"no organisation {chosen[0]!r}", mend="give its number") from None
    if words is None:
        return list(chosen)
    try:
        return [words.index(c) for c in chosen]
    except ValueError:
        known = ", ".join(w for w in words if w)
        raise UsageError(f"no {facet} {', '.join(chosen)!r}", mend=f"one of: {known}") from None
