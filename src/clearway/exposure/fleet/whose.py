"""Which kept asset an observation is of: by its identifiers, as `records.asset_identity` weighs them, else by name.

1. What names one thing (a digest, a serial number, …) decides, whatever the asset is called; so do a full name and
   addresses, as that rule says.
2. Else the name that the organisation knows it by decides, whatever its case, where nothing contradicts it and one
   side says nothing else of itself, or both share something beside it.
3. Else it is a new asset, called so that it can be told from the one that has the name.

A private address, with or without a short host name, is one asset's only within one source: a document of the same file
name, whatever day stands in it, finds again what it made.
"""

from __future__ import annotations

import re
from itertools import chain, count
from typing import TYPE_CHECKING

from clearway.records.asset_identity import Sameness, identity_keys, same_asset
from clearway.records.fleet_input import AssetIds, Observed, Witness

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .asset import Asset

_TEXT = 300
_MOST = 200
_ONE = {"cloud": "cloud_id", "uuid": "hardware_uuid", "serial": "serial"}
_OTHER = 2
_MANY = frozenset(("image", "fqdn", "mac", "ip"))
# "2026-11-26", "20261126T0830", "2026_11_26-083000": the same export of another day.
DAY = re.compile(r"(?:19|20)\d\d[-_.]?\d\d[-_.]?\d\d(?:[-_.t ]?\d\d[-_.:]?\d\d(?:[-_.:]?\d\d)?)?z?")


def source_of(place: str) -> str:
    """The file's name in lower case without its folder and without a day: what its next export is called too."""
    name = place.replace("\\", "/").rstrip("/").rpartition("/")[2].lower()
    return DAY.sub("", name)[: _TEXT - len("file:")]


def keys_of(seen: Observed, file: str = "") -> tuple[str, ...]:
    """The identifiers to keep of an observation: `identity_keys`, its host name, and `file` where these tell little."""
    keys = list(identity_keys(seen.ids, seen.witness.tool))
    if seen.ids.hostname:
        keys.append(f"host:{seen.ids.hostname}")
    if file and _is_local(seen):
        keys.append(f"file:{file}")
    return tuple(k[:_TEXT] for k in keys[:_MOST])


def alias_of(name: str) -> str:
    """The identifier of an asset that documents call `name` and that is called otherwise here."""
    return f"name:{name}"[:_TEXT]


def choose(seen: Observed, candidates: Sequence[Asset], file: str = "") -> Asset | None:
    """The candidate that `seen` is, None where it is none of them or nobody can tell. Pure.

    Candidates share an identifier or the name with it; of several that it is, the one of its name, then one
    of that name in another case, then the oldest.
    """
    told = [(one, _sameness(seen, one, file)) for one in sorted(candidates, key=lambda a: a.asset)]
    told.sort(key=lambda one: _nearness(seen.name, one[0]))
    same = [one for one, word in told if word.same]
    if same:
        return same[0]
    # By its name, or as what it is called where an asset that may not be seen has that.
    also = alias_of(seen.name)
    named = next((one for one in told if _nearness(seen.name, one[0]) < _OTHER), None) or next(
        (one for one in told if also in one[0].details.identifiers), None
    )
    if named is None or named[1].against:
        return None
    one, _ = named
    return one if _by_name(seen, one, file) else None


def _nearness(name: str, one: Asset) -> int:
    """0 for just that name, 1 for one that differs by case alone, as host names are compared (RFC 4343); `_OTHER`."""
    return 0 if one.name == name else 1 if one.name.lower() == name.lower() else _OTHER


def called(seen: Observed, name: str) -> Iterator[str]:
    """Names for a new asset, the best first, without end: its own, with what tells it from another, with a number."""
    yield name
    ids = seen.ids
    marks = [ids.serial, ids.cloud_id, ids.hardware_uuid, *(d[:19] for d in ids.image_digests), *ids.fqdns, *ids.ips,
             *ids.macs, ids.tool_id]  # fmt: skip
    for mark in chain((m for m in marks if m and m != name), map(str, count(2))):
        yield f"{name[: _TEXT - 83]} ({mark[:80]})"


def _sameness(seen: Observed, one: Asset, file: str) -> Sameness:
    word = same_asset(seen, _as_observed(seen, one))
    known = _nearness(seen.name, one) < _OTHER or alias_of(seen.name) in one.details.identifiers
    if word.same or word.against or not known or not _is_local(seen):
        return word
    return Sameness(same=bool(file) and f"file:{file}" in one.details.identifiers)


def _by_name(seen: Observed, one: Asset, file: str) -> bool:
    """Whether the name alone decides. Nothing that names one thing differs."""
    other = _as_observed(seen, one).ids
    mine, theirs = _facts(seen.ids), _facts(other)
    if not mine or not theirs:
        return True
    if _is_local(seen):  # every branch office has one
        return False
    return bool(mine & theirs)


def _facts(ids: AssetIds) -> set[str]:
    """All that identifies it beside a host name."""
    return {
        *ids.fqdns, *ids.ips, *ids.macs, *ids.image_digests,
        *(v for v in (ids.serial, ids.hardware_uuid, ids.cloud_id, ids.tool_id) if v),
    }  # fmt: skip


def _is_local(seen: Observed) -> bool:
    """Whether nothing but private addresses, and a short host name, tells what it is. A name with a zone tells more."""
    ids = seen.ids
    return bool(ids.ips) and not ids.fqdns and not identity_keys(ids, seen.witness.tool)


def _as_observed(seen: Observed, one: Asset) -> Observed:
    """What is kept of an asset, as the same tool would state it. Of several values of one kind, the one in common."""
    kept: dict[str, list[str]] = {}
    hostname, tool_id = "", ""
    for text in one.details.identifiers:
        kind, _, value = text.partition(":")
        if kind == "sha256":  # as a person types a digest
            kind, value = "image", text
        if kind in _ONE or kind in _MANY:
            kept.setdefault(kind, []).append(value)
        elif kind == "host":
            hostname = value if not hostname or value == seen.ids.hostname else hostname
        elif seen.witness.tool and kind == seen.witness.tool:
            tool_id = value if not tool_id or value == seen.ids.tool_id[: _TEXT - len(kind) - 1] else tool_id
    single = {}
    for kind, field in _ONE.items():
        mine = getattr(seen.ids, field).casefold()[: _TEXT - len(kind) - 1]
        values = kept.get(kind, [])
        single[field] = mine if mine in values else min(values, default="")
    return Observed(
        name=one.name,
        format="",
        ids=AssetIds(
            hostname=hostname,
            fqdns=tuple(sorted({*kept.get("fqdn", ()), *one.details.names})),
            ips=tuple(sorted({*kept.get("ip", ()), *one.details.addresses})),
            macs=tuple(sorted(kept.get("mac", ()))),
            image_digests=tuple(sorted(kept.get("image", ()))),
            tool_id=tool_id,
            **single,
        ),
        witness=Witness(tool=seen.witness.tool),
    )
