"""Version keys a second and core, in every scheme, on real versions; and ranges compiled a second.

The versions are those that the OSV records and the SBOMs in shared data name. For schemes that
neither names (Gentoo, OpenSSL, Conan, Pub) they are those of the published ordering vectors.
Yardsticks, where installed: `packaging` for PyPI and `univers` for the rest, parsing the same texts.
"""

from __future__ import annotations

import json
import os
import re
import statistics
import tarfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import zstandard

from clearway import versions
from clearway.records.advisory import Event
from clearway.records.errors import ClearwayError

LIMIT = 200_000  # keys a second and core
_PASSES = 5
_FEW = 10_000  # fewer texts than this are repeated, so that a pass can be timed

_PURL_ECOSYSTEMS = {
    "apk": "Alpine", "bitnami": "Bitnami", "cargo": "crates.io", "composer": "Packagist", "cran": "CRAN",
    "deb": "Debian", "gem": "RubyGems", "golang": "Go", "hackage": "Hackage", "hex": "Hex", "maven": "Maven",
    "npm": "npm", "nuget": "NuGet", "pub": "Pub", "pypi": "PyPI", "rpm": "AlmaLinux",
}  # fmt: skip
_PURL = re.compile(rb"pkg:([a-z]+)/[^\"\s@?#<]+@([^\"\s?#<]+)")
_VECTOR_SCHEMES = {
    "conan": "conan", "gentoo": "gentoo", "openssl": "openssl", "datetime": "datetime",
    "lexicographic": "lexicographic",
}  # fmt: skip
_YARDSTICKS = {
    "apk": "AlpineLinuxVersion", "composer": "ComposerVersion", "conan": "ConanVersion", "dpkg": "DebianVersion",
    "gentoo": "GentooVersion", "go": "GolangVersion", "maven": "MavenVersion", "nuget": "NugetVersion",
    "openssl": "OpensslVersion", "rpm": "RpmVersion", "rubygems": "RubygemsVersion", "semver": "SemverVersion",
}  # fmt: skip


def run() -> dict[str, Any]:
    """Rows a scheme, and the goal that the slowest scheme reaches `LIMIT`; skipped where shared data is absent."""
    data = _shared_data()
    goal = f"keys a second and core, slowest of {len(versions.SCHEMES) - 1} schemes"
    skipped = {
        "goal": goal,
        "limit": LIMIT,
        "value": "no shared data",
        "unit": "keys/s",
        "ok": None,
    }
    if data is None:
        return {"rows": [], "goals": [skipped]}
    rows = [_measured(scheme, texts) for scheme, texts in sorted(_by_scheme(data).items())]
    slowest = min(row["keys_per_s"] for row in rows)
    rows.append(_compiled(data))
    met = {"goal": goal, "limit": LIMIT, "value": slowest, "unit": "keys/s", "ok": slowest >= LIMIT}
    return {"rows": rows, "goals": [met]}


def _measured(scheme: str, texts: list[str]) -> dict[str, Any]:
    function = versions.key_function(scheme)
    repeated = texts * max(1, _FEW // len(texts))
    rate = _rate(function, repeated)
    row: dict[str, Any] = {
        "scheme": scheme,
        "versions": len(texts),
        "keys_per_s": rate,
        "bytes_a_key": sum(len(function(text)) for text in texts) / len(texts),
    }
    parse = _yardstick(scheme)
    if parse is not None:
        readable = [text for text in texts if _parses(parse, text)]
        row["yardstick"] = parse.__name__
        row["ratio"] = rate / _rate(parse, readable * max(1, _FEW // len(readable)), passes=1)
    return row


def _rate(function: Callable[[str], object], texts: list[str], passes: int = _PASSES) -> float:
    """Calls a second of one core's time: the median of some passes over all texts."""
    rates = []
    for _ in range(passes):
        start = time.process_time()
        for text in texts:
            function(text)
        rates.append(len(texts) / (time.process_time() - start))
    return statistics.median(rates)


def _compiled(data: Path) -> dict[str, Any]:
    ranges = [
        (versions.scheme_of(ecosystem), [Event(kind, text) for kind, text in events])  # type: ignore[arg-type]
        for ecosystem, events in _osv_ranges(data)
    ]
    start = time.process_time()
    found = undetermined = 0
    for scheme, events in ranges:
        try:
            found += len(versions.intervals(scheme, events))
        except ClearwayError:
            undetermined += 1
    seconds = time.process_time() - start
    return {
        "ranges": len(ranges),
        "intervals": found,
        "undetermined": undetermined,
        "seconds": seconds,
        "intervals_per_s": found / seconds,
    }


def _by_scheme(data: Path) -> dict[str, list[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for ecosystem, events in _osv_ranges(data):
        found[versions.scheme_of(ecosystem)].update(
            text for kind, text in events if (kind, text) != ("introduced", "0")
        )
    for ecosystem, texts in _osv_lists(data):
        found[versions.scheme_of(ecosystem)].update(texts)
    for archive in sorted((data / "sbom").glob("*.tar.zst")):
        for _, content in _members(archive):
            for kind, version in set(_PURL.findall(content)):
                ecosystem = _PURL_ECOSYSTEMS.get(kind.decode(), "")
                if ecosystem:
                    found[versions.scheme_of(ecosystem)].add(unquote(version.decode("utf-8", "replace")))
    for scheme, text in _vectors(data):
        if scheme not in found or len(found[scheme]) < 10 or scheme in _VECTOR_SCHEMES.values():
            found[scheme].add(text)
    readable = {
        scheme: [text for text in sorted(texts) if _readable(scheme, text)] for scheme, texts in found.items()
    }
    return {scheme: texts for scheme, texts in readable.items() if texts}


def _osv_ranges(data: Path) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    for ecosystem, affected in _osv(data):
        for osv_range in affected.get("ranges", ()):
            if osv_range["type"] != "GIT":
                yield ecosystem, [pair for event in osv_range["events"] for pair in event.items()]


def _osv_lists(data: Path) -> Iterator[tuple[str, Iterable[str]]]:
    for ecosystem, affected in _osv(data):
        yield ecosystem, affected.get("versions", ())


def _osv(data: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for path in sorted((data / "osv").glob("*.jsonl.zst")):
        with zstandard.open(path, "rt", encoding="utf-8") as lines:
            for line in lines:
                for affected in json.loads(line).get("affected", ()):
                    ecosystem = affected.get("package", {}).get("ecosystem")
                    if ecosystem:
                        yield ecosystem, affected


def _vectors(data: Path) -> Iterator[tuple[str, str]]:
    for name, content in _members(data / "conformance" / "osv-scalibr-version-ordering.tar.zst"):
        if name.endswith("/pub-versions.txt"):
            for line in content.decode().splitlines():
                if line.strip() and line[0] not in "#/":
                    yield from (("pub", text) for text in re.split(" [<=>] ", line))
    for name, content in _members(data / "conformance" / "vers-spec-tests.tar.zst"):
        if name.endswith(("_version_cmp_test.json", "lexicographic-test.json")):
            for case in json.loads(content)["tests"]:
                scheme = _VECTOR_SCHEMES.get(case["input"]["input_scheme"])
                if scheme is not None:
                    yield from ((scheme, text) for text in case["input"]["versions"])


def _members(archive: Path) -> Iterator[tuple[str, bytes]]:
    with zstandard.open(archive, "rb") as stream, tarfile.open(fileobj=stream, mode="r|") as tar:
        for member in tar:
            content = tar.extractfile(member)
            if content is not None:
                yield member.name, content.read()


def _readable(scheme: str, text: str) -> bool:
    try:
        versions.key(scheme, text)
    except ClearwayError:
        return False
    return True


def _yardstick(scheme: str) -> Callable[[str], object] | None:
    try:
        if scheme == "pypi":
            from packaging.version import Version

            return Version
        import univers.versions
    except ImportError:
        return None
    found: Callable[[str], object] | None = getattr(univers.versions, _YARDSTICKS.get(scheme, ""), None)
    return found


def _parses(parse: Callable[[str], object], text: str) -> bool:
    try:
        parse(text)
    except Exception:  # noqa: BLE001 - a yardstick may fail in any way on what it can't read
        return False
    return True


def _shared_data() -> Path | None:
    named = os.environ.get("CLEARWAY_SHARED_DATA")
    if named:
        return Path(named) if (Path(named) / "osv").is_dir() else None
    for parent in Path(__file__).resolve().parents:
        if (parent / "shared" / "data" / "osv").is_dir():
            return parent / "shared" / "data"
    return None


if __name__ == "__main__":
    print(json.dumps(run(), indent=1))
