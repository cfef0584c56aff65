"""Which package of which ecosystem a purl means: the only place that knows."""

from __future__ import annotations

from clearway.records.ecosystem import OSV_ECOSYSTEMS, base, normal_ecosystem, normal_name
from clearway.records.errors import InputError

from .distro import FAMILIES, release_of
from .purl_text import Purl

# purl type -> ecosystem, where the purl's name is the package's name.
_NAMED = {
    "pypi": "PyPI",
    "nuget": "NuGet",
    "dotnet-core": "NuGet",  # written by scanners before 2023 for the packages of a .NET deps.json
    "gem": "RubyGems",
    "cargo": "crates.io",
    "pub": "Pub",
    "hackage": "Hackage",
    "cran": "CRAN",
    "bioconductor": "Bioconductor",
    "conan": "ConanCenter",
    "bitnami": "Bitnami",
    "julia": "Julia",
    "opam": "opam",
    # Not OSV ecosystems: named, so that an answer can say that no source is loaded for them.
    "cocoapods": "CocoaPods",
    "conda": "Conda",
    "luarocks": "LuaRocks",
    "brew": "Homebrew",
}
# purl type -> ecosystem, where namespace and name are joined by a slash.
_PATHED = {
    "golang": "Go",
    "composer": "Packagist",
    "hex": "Hex",
    "swift": "SwiftURL",
    "githubactions": "GitHub Actions",
    "cpan": "CPAN",
}
# Types whose packages belong to an operating system. "alpine" is what scanners wrote for "apk" before 2022.
_SYSTEM = frozenset(("deb", "rpm", "apk", "alpine", "alpm"))
# Every ecosystem that a purl can mean or an advisory can name, by its name in any case.
_KNOWN = {
    name.casefold(): name
    for name in (*OSV_ECOSYSTEMS, *_NAMED.values(), *_PATHED.values(), *FAMILIES, "Maven", "npm", "VSCode")
}
# Systems of deb, apk and alpm, whose names of packages are lower case.
_LOWER = frozenset(
    ("Debian", "Ubuntu", "Alpine", "Alpaquita", "Wolfi", "Chainguard", "MinimOS", "Echo", "Arch Linux")
)


def spelled(ecosystem: str) -> str:
    """`ecosystem` as advisories spell it ("pypi" is PyPI, "debian:12" Debian:12); "" for none that is known."""
    name, colon, release = ecosystem.strip().partition(":")
    known = _KNOWN.get(name.casefold(), "")
    return normal_ecosystem(known + colon + release) if known else ""


def asked_ecosystem(ecosystem: str) -> str:
    """`spelled`, of what somebody asked for: "" where nothing was.

    Raises:
        InputError: there is no such ecosystem.
    """
    known = spelled(ecosystem)
    if ecosystem.strip() and not known:
        raise InputError(
            "there is no such ecosystem",
            where="ecosystem",
            mend="as OSV names them: PyPI, npm, Debian, Debian:12",
        )
    return known


def spelled_name(ecosystem: str, name: str) -> str:
    """`name` as `identity` gives it for a purl of that ecosystem."""
    return name.lower() if base(ecosystem) in _LOWER else normal_name(ecosystem, name)


def identity(purl: Purl, distro: str = "") -> tuple[str, str, str]:
    """(ecosystem, name, version) of `purl`, as advisories spell them.

    `distro` is what the document says of its operating system ("debian-12"), used for a package
    whose purl has no `distro` qualifier. The ecosystem is "" for a purl that names no package
    of an ecosystem (generic, docker, oci, github, swid, …): nothing is matched by a bare name.
    The name is in `normal_name`'s spelling. The version is as written, with the epoch in front
    ("1:1.12-3") where an operating-system package has one.

    `github` names a repository, and only some repositories are actions: it is "GitHub Actions" where
    the owner is `actions` or a tool's property says so. Else "no advisory for this action" would be
    said of a C library.
    """
    kind = purl.type
    if kind in _NAMED:
        ecosystem = _NAMED[kind]
        return ecosystem, normal_name(ecosystem, purl.name), purl.version
    if kind in _PATHED:
        ecosystem = _PATHED[kind]
        name = f"{purl.namespace}/{purl.name}" if purl.namespace else purl.name
        if kind == "golang" and not purl.version and "@" in name:
            # Kubernetes' bom tool encodes the "@" before the version; a module path never has one.
            name, _, version = name.partition("@")
            return ecosystem, name, version
        return ecosystem, normal_name(ecosystem, name), purl.version
    if kind == "maven":
        # Without a group no Maven advisory can mean it; "group:artifact" in the name is seen too.
        return "Maven", f"{purl.namespace}:{purl.name}" if purl.namespace else purl.name, purl.version
    if kind == "npm":
        if not purl.namespace:
            return "npm", purl.name, purl.version
        scope = purl.namespace if purl.namespace[0] == "@" else f"@{purl.namespace}"
        return "npm", f"{scope}/{purl.name}", purl.version
    if kind in _SYSTEM:
        return _system(purl, distro)
    if kind == "github" and purl.namespace.lower() == "actions":
        return "GitHub Actions", f"actions/{purl.name.lower()}", purl.version
    if kind == "vscode-extension" and purl.namespace:
        return "VSCode", f"{purl.namespace}.{purl.name}".lower(), purl.version
    return "", purl.name, purl.version


def _system(purl: Purl, distro: str) -> tuple[str, str, str]:
    qualifiers = purl.qualifiers
    namespace = purl.namespace or (
        "alpine" if purl.type == "alpine" else "arch" if purl.type == "alpm" else ""
    )
    own = qualifiers.get("distro") or qualifiers.get("distro_name", "")
    version = with_epoch(purl.version, qualifiers.get("epoch", ""))
    ecosystem = release_of(namespace, own, distro, version if purl.type == "rpm" else "")
    name = purl.name if purl.type == "rpm" else purl.name.lower()
    return ecosystem, name, version


def with_epoch(version: str, epoch: str) -> str:
    """`version` with its epoch in front, never twice; an empty or zero epoch adds nothing."""
    if not version or not epoch or epoch == "0" or not epoch.isdigit():
        return version
    return version if version.partition(":")[0] == epoch and ":" in version else f"{epoch}:{version}"


def source_of(purl: Purl, version: str) -> tuple[str, str]:
    """(source package, its version) from the `upstream` qualifier of an OS package; ("", "") without one.

    `upstream` is "name", "name@version", "name (version)" or an rpm file name ("glibc-2.28-225.el8.src.rpm"), which
    never carries the epoch: the binary's is put in front. A bare name means that the
    source has the binary's `version`.
    """
    upstream = purl.qualifiers.get("upstream", "")
    if not upstream or purl.type not in _SYSTEM:
        return "", ""
    if upstream.endswith(".src.rpm"):
        parts = upstream[:-8].rsplit("-", 2)
        if len(parts) != 3 or not parts[0]:
            return "", ""
        epoch = version.partition(":")[0] if ":" in version else ""
        return parts[0], with_epoch(f"{parts[1]}-{parts[2]}", epoch)
    if " (" in upstream and upstream.endswith(")"):  # as dpkg's status writes it: "openssl (3.0.11-1)"
        name, _, own = upstream[:-1].partition(" (")
        return name, own or version
    name, _, own = upstream.partition("@")
    return name, own or version


def stream_of(purl: Purl) -> str:
    """The rpm module stream, "nodejs:18", from `rpmmod` or `modularitylabel`; "" without both."""
    label = purl.qualifiers.get("rpmmod") or purl.qualifiers.get("modularitylabel", "")
    parts = label.split(":")
    return f"{parts[0]}:{parts[1]}" if len(parts) >= 2 and parts[0] and parts[1] else ""


_FORGES = {
    "github": "https://github.com",
    "gitlab": "https://gitlab.com",
    "bitbucket": "https://bitbucket.org",
}
_HEX = frozenset("0123456789abcdef")


def is_commit(text: str) -> bool:
    """Whether `text` is a full git commit id (SHA-1 or SHA-256, lower case)."""
    return len(text) in (40, 64) and _HEX.issuperset(text)


def repository_of(purl: Purl) -> tuple[str, str]:
    """(repository address, commit) that the purl names, each "" when it doesn't.

    From the forge types (github, gitlab, bitbucket) and the `vcs_url` qualifier
    ("git+https://host/path.git@commit").
    """
    repo = ""
    commit = purl.version if is_commit(purl.version) else ""
    if purl.type in _FORGES:
        repo = f"{_FORGES[purl.type]}/{purl.namespace}/{purl.name}"
    elif "vcs_url" in purl.qualifiers:
        repo = purl.qualifiers["vcs_url"].removeprefix("git+").partition("#")[0]
        head, at, tail = repo.rpartition("@")
        if at and is_commit(tail):
            repo, commit = head, tail
        repo = repo.removesuffix(".git")
    return repo, commit
