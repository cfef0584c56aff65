"""Which OSV ecosystem a CVE record's package is in, where that is certain."""

from __future__ import annotations

from urllib.parse import unquote

# By a label of the collection's host: registries move between hosts and keep their name.
_BY_LABEL = {
    "pypi": "PyPI", "npmjs": "npm", "maven": "Maven", "sonatype": "Maven", "crates": "crates.io",
    "rubygems": "RubyGems", "packagist": "Packagist", "nuget": "NuGet", "go": "Go", "golang": "Go", "hex": "Hex",
    "pub": "Pub", "hackage": "Hackage", "cran": "CRAN",
}  # fmt: skip
_BY_TYPE = {
    "pypi": "PyPI", "npm": "npm", "maven": "Maven", "cargo": "crates.io", "gem": "RubyGems",
    "composer": "Packagist", "nuget": "NuGet", "golang": "Go", "hex": "Hex", "pub": "Pub", "hackage": "Hackage",
    "cran": "CRAN",
}  # fmt: skip


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
    if not purl.startswith("pkg:"):
        return "", ""
    kind, _, path = purl[4:].partition("/")
    ecosystem = _BY_TYPE.get(kind.lower(), "")
    if not ecosystem:
        return "", ""
    path = path.partition("#")[0].partition("?")[0]
    head, at, _ = path.rpartition("@")
    path = unquote(head if at and head else path).strip("/")
    if kind.lower() == "maven":
        group, slash, artifact = path.rpartition("/")
        return (ecosystem, f"{group}:{artifact}") if slash else ("", "")
    return (ecosystem, path) if path else ("", "")
