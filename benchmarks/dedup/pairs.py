"""Pairs of public records that describe one flaw in two databases, and pairs of different flaws of one package.

Two records are of one flaw when they share an id or an alias; then ids, aliases and links are masked (the words are cut
by `hint.words`, which drops them). A negative pair is of the same two databases and the same package, so that neither
the product nor a database's style tells it apart. One record of a database a flaw.
"""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import zstandard

from clearway.findings.dedup.hint.compare import Told

SOURCES = (
    "pypi", "python-psf", "ghsa-sample", "go", "bitnami", "crates.io", "hex-erlang", "haskell", "drupal", "cran",
)  # fmt: skip
SEED = 14409
NEGATIVES = 3  # for each positive pair, as far as the package has so many


class Record(NamedTuple):
    """One record: its names (for the truth alone), its packages, and what the hint may look at."""

    source: str
    names: frozenset[str]
    packages: frozenset[str]
    told: Told


class Pair(NamedTuple):
    """Two records by number, the package that both are of, and whether they are one flaw."""

    one: int
    other: int
    package: str
    same: bool


class World(NamedTuple):
    """The records, which of them are of which package, and the pairs."""

    records: list[Record]
    by_package: dict[str, list[int]]
    pairs: list[Pair]
    flaw: list[int]  # of each record: records with the same number are of one flaw


def load(osv: Path) -> World:
    """All records of the folder of shared OSV data, and the pairs; the same each time."""
    records = [record for source in SOURCES for record in _read(osv, source)]
    flaw = _joined([r.names for r in records])
    one_each: dict[tuple[str, int], int] = {}
    for n, record in enumerate(records):
        one_each.setdefault((record.source, flaw[n]), n)
    by_flaw: dict[int, list[int]] = defaultdict(list)
    for (_, group), n in one_each.items():
        by_flaw[group].append(n)
    positive = [(a, b) for group in by_flaw.values() for i, a in enumerate(group) for b in group[i + 1 :]]
    package = _packages(records, positive)
    by_package: dict[str, list[int]] = defaultdict(list)
    for n in one_each.values():
        for name in {package[p] for p in records[n].packages if p in package}:
            by_package[name].append(n)
    draw = random.Random(SEED)  # noqa: S311
    pairs: list[Pair] = []
    for a, b in sorted(positive):
        name = next(iter(sorted(package[p] for p in records[a].packages if p in package)), "")
        pairs.append(Pair(a, b, name, True))
        others = [
            (a, n) for n in by_package[name] if records[n].source == records[b].source and flaw[n] != flaw[a]
        ] + [
            (n, b) for n in by_package[name] if records[n].source == records[a].source and flaw[n] != flaw[b]
        ]
        for x, y in draw.sample(others, min(NEGATIVES, len(others))):
            pairs.append(Pair(x, y, name, False))
    unique = {(p.one, p.other): p for p in pairs}
    return World(records, by_package, list(unique.values()), flaw)


def _read(osv: Path, source: str) -> Iterator[Record]:
    path = osv / f"{source}.jsonl.zst"
    with path.open("rb") as file:
        data = zstandard.ZstdDecompressor().stream_reader(file).read()
    for line in data.splitlines():
        record: dict[str, Any] = json.loads(line)
        if record.get("withdrawn"):
            continue
        fixed, introduced, packages = set(), set(), set()
        for affected in record.get("affected", ()):
            name = affected.get("package", {}).get("name", "")
            if source == "python-psf":
                name = "python"
            packages.add(f"{source}/{name.lower()}")
            for ranges in affected.get("ranges", ()):
                if ranges.get("type") == "GIT":
                    continue
                for event in ranges["events"]:
                    fixed |= {event["fixed"]} if "fixed" in event else set()
                    introduced |= {event["introduced"]} if event.get("introduced", "0") != "0" else set()
        text = f"{record.get('summary') or ''}\n{record.get('details') or ''}"
        yield Record(
            source,
            frozenset((record["id"], *record.get("aliases", ()))),
            frozenset(packages),
            Told(text, frozenset(fixed), frozenset(introduced), _day(record.get("published", "")), source),
        )


def _day(text: str) -> date | None:
    return date.fromisoformat(text[:10]) if text[:4] > "1990" else None


def _joined(names: list[frozenset[str]]) -> list[int]:
    """The group of each: those who share a name are one."""
    parent: dict[Any, Any] = {}

    def root(x: Any) -> Any:
        while parent.setdefault(x, x) != x:
            parent[x] = parent[parent[x]]
            x = parent[x]
        return x

    for n, own in enumerate(names):
        for name in own:
            parent[root(name)] = root(n)
    groups: dict[Any, int] = {}
    return [groups.setdefault(root(n), len(groups)) for n in range(len(names))]


def _packages(records: list[Record], positive: list[tuple[int, int]]) -> dict[str, str]:
    """One name for what two databases call differently: packages that are most often met in pairs of one flaw."""
    met: dict[tuple[str, str], int] = defaultdict(int)
    for a, b in positive:
        for x in records[a].packages:
            for y in records[b].packages:
                met[x, y] += 1
    best: dict[str, tuple[int, str]] = {}
    for (x, y), count in met.items():
        for p, q in ((x, y), (y, x)):
            best[p] = max(best.get(p, (0, "")), (count, q))
    groups = _joined([frozenset((p, q)) for p, (_, q) in best.items()])
    first: dict[int, str] = {}
    return {p: first.setdefault(group, p) for (p, _), group in zip(best.items(), groups, strict=True)}
