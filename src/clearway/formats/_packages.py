"""Which OSV ecosystem a CVE record's package is in, where that is certain."""

from __future__ import annotations

from clearway.records.errors import InputError

from .purl import identity, parse

# By a label of the collection's host: registries move between hosts and keep their name.
_BY_LABEL = {
    "pypi": "PyPI", "npmjs": "npm", "maven": "Maven", "sonatype": "Maven", "crates": "crates.io",
    "rubygems": "RubyGems", "packagist": "Packagist", "nuget": "NuGet", "go": "Go", "golang": "Go", "hex": "Hex",
    "pub": "Pub", "hackage": "Hackage", "cran": "CRAN",
}  # fmt: skip
_LANGUAGES = frozenset(_BY_LABEL.values())


def from_collection(url: str, name: str) -> tuple[str, str]:
    """(ecosystem, name) for a CVE `collectionURL` and `packageName`; ("", "") when the collection is none of OSV's."""
    if not url or not name:
        return "", ""
    host = url.lower().removeprefix("https://").removeprefix("http://").partition("/")[0]
    ecosystem = next((e for label in host.split(".") if (e := _BY_LABEL.get(label))), "")
    if ecosystem == "Maven" and ":" not in name:
        return "", ""  # a Maven name is group:artifact
    return (ecosystem, name) if ecosystem else ("", "")


def from_purl(purl: str) -> tuple[str, str]:
    """(ecosystem, name) of a package URL of a language ecosystem; ("", "") for all others."""
    try:
        ecosystem, name, _ = identity(parse(purl))
    except InputError:
        return "", ""
    return (ecosystem, name) if ecosystem in _LANGUAGES else ("", "")
