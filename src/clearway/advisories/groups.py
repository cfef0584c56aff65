"""Alias groups: which identifiers mean one flaw, derived from what each source asserts.

An edge is one source's assertion and nothing else; a group is derived from the edges of the
sources that are trusted at the moment, so that revoking a source undoes exactly its merges.
The rules, in order:

1. A record that names two or more CVEs *bundles* them: it never makes them one flaw, and
   neither do its other aliases.
2. A record without aliases that names CVEs under `related` or `upstream` bundles those (AlmaLinux
   and other distributions write so). Otherwise `related` and `upstream` merge nothing.
3. `aliases` say *same*. Groups are what these edges connect.
4. A group that still holds several CVEs was joined by a chain of sources (OSV's issues 888 and
   2374). It is taken apart: an id belongs to the CVE it names directly, to several as a bundle,
   and is reported.
5. A group above `LARGEST_GROUP` ids is reported and not merged: each id stands for itself, or for
   the CVE that it names directly, as a bundle does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

EdgeKind = Literal["same", "related", "upstream", "duplicate", "bundles"]

# Beyond this many ids a "flaw" is more likely a naming accident; CVE-2023-44487, which every maker of an
# HTTP/2 server has an advisory about, has twenty.
LARGEST_GROUP = 32


class Edge(Struct, frozen=True, order=True):
    """`source` asserts, in its record `subject`, that `target` stands to it in relation `kind`."""

    subject: str
    kind: EdgeKind
    target: str
    source: str


class Group(Struct, frozen=True):
    """One flaw: its preferred `id`, all its names, and the records about it that are about others too."""

    id: str
    ids: tuple[str, ...]
    bundled_by: tuple[str, ...] = ()


class Oversized(Struct, frozen=True):
    """A merge that was refused, for a person to look at."""

    ids: tuple[str, ...]
    reason: str


class Groups(Struct, frozen=True):
    """The derived view. `of` maps every known id to the preferred ids of its flaw or flaws."""

    flaws: Mapping[str, Group]
    of: Mapping[str, tuple[str, ...]]
    refused: tuple[Oversized, ...] = ()


def is_cve(identifier: str) -> bool:
    """Whether this is spelled as a CVE id."""
    return identifier.startswith("CVE-")


def preference(identifier: str) -> tuple[int, str]:
    """Sort key of the preferred id of a flaw: CVE, then GHSA, then the source's own, each by text."""
    if is_cve(identifier):
        return (0, identifier)
    return (1, identifier) if identifier.startswith("GHSA-") else (2, identifier)


def edges_of(
    record: str,
    source: str,
    *,
    aliases: Sequence[str] = (),
    related: Sequence[str] = (),
    upstream: Sequence[str] = (),
    duplicates: Sequence[str] = (),
) -> tuple[Edge, ...]:
    """The typed edges that one record asserts (rules 1 to 3 above), sorted, without repeats."""
    names = [a for a in aliases if a and a != record]
    bundling = not is_cve(record) and sum(map(is_cve, set(names))) > 1
    found = set()
    for name in names:
        kind: EdgeKind = "bundles" if bundling else "same"
        if is_cve(record) and is_cve(name):  # two CVEs are two flaws until one of them is rejected
            kind = "duplicate"
        found.add(Edge(record, kind, name, source))
    relations: tuple[tuple[EdgeKind, Sequence[str]], ...] = (("related", related), ("upstream", upstream))
    for relation, targets in relations:
        for target in targets:
            if not target or target == record:
                continue
            bundles = not names and not is_cve(record) and is_cve(target)
            found.add(Edge(record, "bundles" if bundles else relation, target, source))
    found.update(Edge(record, "duplicate", d, source) for d in duplicates if d and d != record)
    return tuple(sorted(found))


def derive(records: Iterable[str], edges: Iterable[Edge], *, revoked: frozenset[str] = frozenset()) -> Groups:
    """Groups from assertions; the same whatever the order of the input.

    `records` are the ids that some source has a record for; ids that are only named
    become names of a flaw too. Edges of sources in `revoked` are left out.
    """
    known = frozenset(records)
    parent: dict[str, str] = {}
    same: list[tuple[str, str]] = []
    bundles: dict[str, set[str]] = {}
    ids: set[str] = set(known)
    for edge in edges:
        if edge.source in revoked:
            continue
        if edge.kind == "same":
            same.append((edge.subject, edge.target))
            ids.add(edge.subject)
            ids.add(edge.target)
        elif edge.kind == "bundles":
            bundles.setdefault(edge.subject, set()).add(edge.target)
            ids.add(edge.subject)
            ids.add(edge.target)
    # A record that bundles is nobody's plain alias, whoever says so.
    same = [(a, b) for a, b in same if a not in bundles and b not in bundles]

    def root(x: str) -> str:
        top = x
        while (up := parent.get(top, top)) != top:
            top = up
        while x != top:
            parent[x], x = top, parent.get(x, x)
        return top

    for a, b in same:
        ra, rb = root(a), root(b)
        if ra != rb:
            parent[max(ra, rb)] = min(ra, rb)

    members: dict[str, list[str]] = {}
    for a, b in same:
        for x in (a, b):
            members.setdefault(root(x), []).append(x)
    parts: list[tuple[str, ...]] = []
    refused: list[Oversized] = []
    for raw in members.values():
        part = set(raw)
        if len(part) > LARGEST_GROUP:
            reason = f"more than {LARGEST_GROUP} ids claim to be one flaw"
            refused.append(Oversized(tuple(sorted(part)), reason))
            for identifier, cves_named in _direct(part, same).items():
                bundles.setdefault(identifier, set()).update(cves_named)
            continue
        cves = sorted(x for x in part if is_cve(x))
        if len(cves) < 2:
            parts.append(tuple(part))
            continue
        refused.append(Oversized(tuple(sorted(part)), f"a chain of aliases joins {len(cves)} CVEs"))
        parts.extend(_take_apart(part, cves, same, bundles))
    return _index(known, ids, parts, bundles, tuple(sorted(refused, key=lambda r: r.ids)))


def _direct(part: set[str], same: list[tuple[str, str]]) -> dict[str, set[str]]:
    """For each id of `part` that is no CVE: the CVEs that it names, or that name it."""
    direct: dict[str, set[str]] = {}
    for a, b in same:
        if a in part and is_cve(a) != is_cve(b):
            other, cve = (b, a) if is_cve(a) else (a, b)
            direct.setdefault(other, set()).add(cve)
    return direct


def _take_apart(
    part: set[str], cves: list[str], same: list[tuple[str, str]], bundles: dict[str, set[str]]
) -> list[tuple[str, ...]]:
    """Rule 4: an id goes to the one CVE it names directly; several make it a bundle, none leaves it alone."""
    direct = _direct(part, same)
    groups: dict[str, list[str]] = {cve: [cve] for cve in cves}
    for identifier in sorted(part.difference(cves)):
        named = direct.get(identifier, set())
        if len(named) == 1:
            groups[min(named)].append(identifier)
        elif named:
            bundles.setdefault(identifier, set()).update(named)
    return [tuple(group) for group in groups.values()]


def _index(
    known: frozenset[str],
    ids: set[str],
    parts: list[tuple[str, ...]],
    bundles: dict[str, set[str]],
    refused: tuple[Oversized, ...],
) -> Groups:
    home: dict[str, str] = {}
    names: dict[str, tuple[str, ...]] = {}
    for part in parts:
        ordered = tuple(sorted(part, key=preference))
        names[ordered[0]] = ordered
        for identifier in ordered:
            home[identifier] = ordered[0]
    bundled_by: dict[str, set[str]] = {}
    of: dict[str, tuple[str, ...]] = {}
    for record, targets in bundles.items():
        # Another source's id that nobody placed, such as a GHSA without a record, is no flaw of its own here.
        # A bundle of a bundle reaches the CVEs inside.
        reached = {home.get(t, t) for t in targets if t not in bundles}
        reached |= {c for t in targets if t in bundles for c in bundles[t] if is_cve(c)}
        flaws = sorted({f for f in reached if is_cve(f) or f in known} or reached or {record}, key=preference)
        of[record] = tuple(flaws)
        for flaw in flaws:
            bundled_by.setdefault(flaw, set()).add(record)
    for identifier in ids:
        if identifier not in of:
            of[identifier] = (home.get(identifier, identifier),)
    flaws_found = {
        flaw: Group(flaw, names.get(flaw, (flaw,)), tuple(sorted(bundled_by.get(flaw, ()))))
        for flaw in {f for targets in of.values() for f in targets}
    }
    return Groups(flaws_found, of, refused)
