"""The published version vectors, read from shared data."""

from __future__ import annotations

import json
import re
import tarfile
import tomllib
from collections.abc import Iterator
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import zstandard

from clearway import versions
from clearway.records.errors import ClearwayError

FAULTS = Path(__file__).resolve().parent.parent / "known_vector_faults.toml"

SCALIBR_SCHEMES = {
    "alpine": "apk",
    "cran": "cran",
    "debian": "dpkg",
    "hackage": "hackage",
    "maven": "maven",
    "nuget": "nuget",
    "packagist": "composer",
    "pub": "pub",
    "pypi": "pypi",
    "redhat": "rpm",
    "rubygems": "rubygems",
    "semver": "semver",
}
VERS_SCHEMES = {
    "alpm": "pacman",
    "conan": "conan",
    "datetime": "datetime",
    "deb": "dpkg",
    "gentoo": "gentoo",
    "lexicographic": "lexicographic",
    "maven": "maven",
    "nuget": "nuget",
    "openssl": "openssl",
}
_LINE = re.compile(r"(.*?) ([<=>]) (.*)")


def members(archive: Path) -> Iterator[tuple[str, bytes]]:
    """(name, content) of every file of a .tar.zst."""
    with zstandard.open(archive, "rb") as stream, tarfile.open(fileobj=stream, mode="r|") as tar:
        for member in tar:
            if member.isfile():
                content = tar.extractfile(member)
                assert content is not None
                yield member.name, content.read()


def scalibr(archive: Path) -> Iterator[tuple[str, str, str, str, str]]:
    """(file, scheme, a, relation, b) of every line `a < b`."""
    for name, content in members(archive):
        file = name.rpartition("/")[2]
        scheme = SCALIBR_SCHEMES.get(file.partition("-")[0])
        if not file.endswith(".txt") or scheme is None:
            continue
        for line in content.decode().splitlines():
            text = line.strip()
            if text and not text.startswith(("#", "//")):
                shape = _LINE.fullmatch(text)
                assert shape, f"{file}: {text}"
                yield file, scheme, shape[1], shape[2], shape[3]


def cases(archive: Path, *test_types: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """(file, case) of every JSON test case of the given types."""
    for name, content in members(archive):
        if name.endswith(".json") and "tests/" in name and "schema-0" not in name:
            loaded = json.loads(content)
            listed = loaded.get("tests", []) if isinstance(loaded, dict) else loaded
            for case in listed:
                if isinstance(case, dict) and case.get("test_type") in test_types:
                    yield name.rpartition("/")[2], case


@lru_cache(64)  # of a chain, each end is compared with the eight before it
def _key(scheme: str, text: str) -> bytes:
    return versions.range_key(scheme, text)


def relation(scheme: str, a: str, b: str) -> str:
    """`<`, `=` or `>` as the room orders two ends of a range, or why it can't."""
    try:
        if not versions.has_keys(scheme):
            return "<=>"[versions.compare(scheme, a, b) + 1]
        left, right = _key(scheme, a), _key(scheme, b)
    except ClearwayError as error:
        return f"error: {error}"
    return "<" if left < right else ">" if left > right else "="


@cache
def known_faults() -> dict[tuple[str, str], str]:
    """(scheme, "a < b") -> why the vector is wrong."""
    loaded = tomllib.loads(FAULTS.read_text(encoding="utf-8"))
    return {
        (scheme, vector): group["reason"]
        for scheme, groups in loaded.items()
        for group in groups
        for vector in group["vectors"]
    }
