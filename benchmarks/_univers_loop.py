"""The obvious loop: for each component each candidate's ranges, compared with `univers` versions.

It follows the OSV evaluation (events sorted by version, the last one reached decides) and knows
nothing of keys or of remembering.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from clearway.formats.archive import Blob, walk
from clearway.formats.strict_json import loads
from clearway.records.ecosystem import normal_ecosystem, normal_name
from clearway.records.inventory import Component

univers: Any
try:
    from univers import versions as univers
except ImportError:  # a development dependency
    univers = None

CLASSES: dict[str, Any] = (
    {}
    if univers is None
    else {
        "PyPI": univers.PypiVersion,
        "Go": univers.GolangVersion,
        "npm": univers.SemverVersion,
        "crates.io": univers.SemverVersion,
        "Maven": univers.MavenVersion,
        "RubyGems": univers.RubygemsVersion,
        "NuGet": univers.NugetVersion,
        "Packagist": univers.ComposerVersion,
        "AlmaLinux:8": univers.RpmVersion,
        "AlmaLinux:9": univers.RpmVersion,
    }
)

Pair = tuple[str, str, str, str]  # ecosystem, name, version, record


class Loop:
    """The records of one folder, by package."""

    def __init__(self, folder: Path) -> None:
        self.records: set[str] = set()
        self._by_package: dict[tuple[str, str], list[tuple[str, dict[str, Any]]]] = {}
        for piece in walk([folder]):
            if not isinstance(piece, Blob):
                continue
            record = loads(piece.data, piece.place)
            if record.get("withdrawn"):
                continue
            for affected in record.get("affected", ()):
                package = affected.get("package")
                if package is None:
                    continue
                ecosystem = normal_ecosystem(package["ecosystem"])
                name = normal_name(ecosystem, package["name"])
                self.records.add(record["id"])
                self._by_package.setdefault((ecosystem, name), []).append((record["id"], affected))

    def pairs(self, components: Iterable[Component]) -> tuple[set[Pair], set[tuple[str, str]]]:
        """The affected pairs, and the (ecosystem, text) that univers refused to read."""
        found: set[Pair] = set()
        refused: set[tuple[str, str]] = set()
        for c in components:
            for record, affected in self._by_package.get((c.ecosystem, c.name), ()):
                if _affected(CLASSES[c.ecosystem], c.version, affected, c.ecosystem, refused):
                    found.add((c.ecosystem, c.name, c.version, record))
        return found, refused

    def reason(self, pair: Pair, ours: bool, refused: set[tuple[str, str]]) -> str:
        """Why a pair differs: what is known of `univers`, or "unexplained"."""
        ecosystem, name, version, record = pair
        texts = {version}
        for known, affected in self._by_package.get((ecosystem, name), ()):
            if known == record:
                texts |= {str(v) for r in affected.get("ranges", ()) for e in r["events"] for v in e.values()}
                texts |= set(affected.get("versions", ()))
        if ecosystem == "Go" and ours and (ecosystem, name) not in self._by_package:
            return "a Go name that a purl wrote in lower case"
        if any((ecosystem, text) in refused for text in texts):
            return "univers refuses a version"
        if ecosystem == "Go" and any("+incompatible" in t for t in texts):
            return "univers orders +incompatible"
        if ecosystem == "AlmaLinux:8" and any(".module" in t for t in texts) and not ours:
            return "module build compared with a plain one"
        return "unexplained"


def _affected(
    kind: Any, version: str, affected: dict[str, Any], ecosystem: str, refused: set[tuple[str, str]]
) -> bool:
    def read(text: str) -> Any:
        try:
            return kind(text)
        except Exception:  # noqa: BLE001 - univers raises what its parts raise
            refused.add((ecosystem, text))
            return None

    at = read(version)
    if at is None:
        return False
    if version in affected.get("versions", ()):
        return True
    for listed in affected.get("versions", ()):
        other = read(listed)
        if other is not None and other == at:
            return True
    for given in affected.get("ranges", ()):
        if given["type"] == "GIT":
            continue
        events: list[tuple[str, Any, bool]] = []
        for event in given["events"]:
            ((word, text),) = event.items()
            lowest = word == "introduced" and text == "0"
            events.append((word, None if lowest else read(text), lowest))
        inside = False
        ordered = [e for e in events if e[2]]
        rest = [e for e in events if e[1] is not None]
        try:
            rest.sort(key=lambda e: e[1])
            for word, end, lowest in ordered + rest:
                if word == "introduced" and (lowest or at >= end):
                    inside = True
                elif (word == "fixed" and at >= end) or (word == "last_affected" and at > end):
                    inside = False
        except TypeError:
            refused.add((ecosystem, version))
            continue
        if inside:
            return True
    return False
