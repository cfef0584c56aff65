"""What a few changed records change in the compiled table: the rows that differ, and the meta they make.

1. From the changed ids, everything is reached that the chains of `same` and `bundles` joined
   before or join now: whole components of the naming graph, so that what is derived of one
   is what it would be in a whole compilation.
2. The flaws and names of these ids are derived anew; those that none yields any more are gone.
3. The packages and products of which the changed records speak, or spoke, are read anew.
4. The counts, sources and catalogues of the meta follow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from zlib import compress

import msgspec
from msgspec import Struct

from . import groups as grouping
from . import sources
from .collect import Collected
from .derived import FACTS, VEX
from .rows import array_of, by_package
from .table import RecordNote, package_key

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .snapshot import Snapshot
    from .table import Meta, SourceNote, Table

    Rows = dict[str, dict[str, bytes | None]]

_ENCODE = msgspec.msgpack.Encoder().encode
_NOTES = msgspec.msgpack.Decoder(RecordNote)
_JOINING = frozenset({"same", "bundles"})


def changed_rows(
    snapshot: Snapshot, old: Table, touched: Sequence[str], counted: set[str]
) -> tuple[Rows, Meta]:
    """The rows that differ from `old`, and its meta but for generation and content.

    `touched` are the ids about which changed records speak or spoke, `counted` their sources.
    """
    wanted = set(touched)
    before = {i: old.records(i) for i in wanted}
    reach = _reach(snapshot, old, wanted)
    facts = Collected()
    for _, _, _, body in snapshot.records_with_ids(reach.ids):
        facts.add(FACTS.decode(body), only=reach.ids)
    derived = grouping.derive(facts.ids, reach.edges)
    rows: Rows = {"package": {}, "vex": {}, "flaw": {}, "alias": {}, "record": {}}

    notes = {i: [_NOTES.decode(n) for n in facts.notes.get(i, ())] for i in wanted}
    packages = {p for i in wanted for n in (*before[i], *notes[i]) for p in n.packages}
    products = {key for i in wanted for key in snapshot.vex_products(i)}
    standing = dict(by_package(snapshot.claims_of(packages | {(VEX, key) for key in products})))
    claims = fewer = 0
    # What neither stood nor stands gets no row: a key alone would tell of a marked record.
    for package in packages:
        bodies = standing.get(package)
        had = len(old.claims(*package))
        if bodies or had:
            rows["package"][package_key(*package)] = None if bodies is None else array_of(bodies)
        claims += len(bodies or ()) - had
        fewer += (bodies is not None) - (had > 0)
    for key in products:
        bodies = standing.get((VEX, key))
        if bodies or old.vex(key):
            rows["vex"][key] = None if bodies is None else compress(array_of(bodies), 1)
    all_notes = dict(facts.all_notes())
    for identifier in wanted:
        own = all_notes.get(identifier)
        if own or before[identifier] or old.withdrawn(identifier):
            rows["record"][identifier] = None if own is None else array_of(own)

    # Names that only a record which is gone used stand for nothing any more.
    stale = {f for i in reach.ids for f in old.flaws_of(i)}
    rows["flaw"] = dict.fromkeys(stale - set(derived.flaws))
    rows["alias"] = dict.fromkeys(i for i in reach.ids - set(derived.of) if old.flaws_of(i))
    epss = snapshot.epss([f for f in derived.flaws if grouping.is_cve(f)])
    new = sum(not (old.flaw(f)) for f in derived.flaws) - sum(old.flaw(f) is not None for f in rows["flaw"])
    for flaw in facts.flaws(derived, reach.edges, epss):
        rows["flaw"][flaw.id] = _ENCODE(flaw)
    for identifier, flaws in derived.of.items():
        rows["alias"][identifier] = " ".join(flaws).encode()

    return rows, msgspec.structs.replace(
        with_catalogues(old.meta, snapshot),
        sources=_sources(snapshot, old, counted, before, notes),
        refused_merges=old.meta.refused_merges
        + len(derived.refused)
        - len(grouping.derive((), reach.edges_before).refused),
        records=old.meta.records + sum(bool(notes[i]) - bool(before[i]) for i in wanted),
        flaws=old.meta.flaws + new,
        packages=old.meta.packages + fewer,
        claims=old.meta.claims + claims,
    )


def with_catalogues(meta: Meta, snapshot: Snapshot) -> Meta:
    """`meta` with what the snapshot's catalogues say of themselves."""
    kev, scores = snapshot.catalogue("kev"), snapshot.catalogue("epss")
    return msgspec.structs.replace(
        meta,
        kev=kev.version,
        kev_received=kev.received,
        kev_entries=kev.entries,
        kev_most=kev.most,
        epss=scores.version,
        epss_entries=scores.entries,
        epss_most=scores.most,
    )


class _Reach(Struct, frozen=True):
    """Whole components of the naming graph: their ids, and the assertions about them now and in the old table."""

    ids: set[str]
    edges: list[grouping.Edge]
    edges_before: set[grouping.Edge]


def _reach(snapshot: Snapshot, old: Table, wanted: set[str]) -> _Reach:
    ids: set[str] = set()
    now: set[grouping.Edge] = set()
    before: set[grouping.Edge] = set()
    frontier = wanted
    while frontier:
        ids |= frontier
        found = set(snapshot.edges_at(frontier))
        now |= found
        names: set[str] = set()
        for flaw_id in {f for i in frontier for f in old.flaws_of(i)}:
            flaw = old.flaw(flaw_id)
            if flaw is not None:
                names.update(flaw.ids, (record for _, record in flaw.bundled_by))
                past = {grouping.Edge(*asserted) for asserted in flaw.asserted}  # type: ignore[arg-type]
                before |= past
                found = found | past
        for edge in found:
            if edge.kind in _JOINING:
                names.update((edge.subject, edge.target))
        frontier = names - ids
    return _Reach(ids, sorted(now), before)


def _sources(
    snapshot: Snapshot,
    old: Table,
    counted: set[str],
    before: dict[str, tuple[RecordNote, ...]],
    notes: dict[str, list[RecordNote]],
) -> tuple[SourceNote, ...]:
    """The notes on the sources, asking the database only about those in `counted`."""
    speaks_of = {n.source: {*n.covers, *n.partial} for n in old.meta.sources}
    spoke = {(n.source, p[0]) for own in before.values() for n in own for p in n.packages}
    speaks = {(n.source, p[0]) for own in notes.values() for n in own for p in n.packages}
    for source, ecosystem in speaks:
        speaks_of.setdefault(source, set()).add(ecosystem)
    for source, ecosystem in spoke - speaks:
        if not snapshot.speaks_of(source, ecosystem):
            speaks_of.get(source, set()).discard(ecosystem)
    kept = [
        sources.Loaded(n.source, n.records, n.newest, n.received, n.undated)
        for n in old.meta.sources
        if n.source not in counted
    ]
    return sources.notes(kept + snapshot.loaded(counted), speaks_of)
