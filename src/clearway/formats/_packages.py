"""Which OSV ecosystem a CVE record's package is in, where that is certain."""

from __future__ import annotations

from urllib.parse import unquote

_BY_HOST = {
    "pypi.org": "PyPI", "pypi.python.org": "PyPI", "registry.npmjs.org": "npm", "www.npmjs.com": "npm",
    "npmjs.com": "npm", "repo.maven.apache.org": "Maven", "repo1.maven.org": "Maven", "central.sonatype.com": "Maven",
    "maven.org": "Maven", "crates.io": "crates.io", "rubygems.org": "RubyGems", "packagist.org": "Packagist",
    "repo.packagist.org": "Packagist", "nuget.org": "NuGet", "www.nuget.org": "NuGet", "api.nuget.org": "NuGet",
    "pkg.go.dev": "Go", "proxy.golang.org": "Go", "hex.pm": "Hex", "repo.hex.pm": "Hex", "pub.dev": "Pub",
    "hackage.haskell.org": "Hackage", "cran.r-project.org": "CRAN",
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
    ecosystem = _BY_HOST.get(host, "")
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
