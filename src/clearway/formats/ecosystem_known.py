"""Whether an ecosystem, and a release of a system, exists: what is known of them here, and what can't be. Pure.

Of Debian, Ubuntu, Alpine, AlmaLinux and Rocky Linux the releases are known up to the newest of this version of the
project; a few later ones may have come since. Of other systems, releases are named by their makers in many ways.
"""

from __future__ import annotations

import difflib
import re

from clearway.records.ecosystem import OSV_ECOSYSTEMS, base, normal_ecosystem

# Those that OSV does not have, and the project orders versions of.
_OURS = frozenset(
    ("Oracle Linux", "Amazon Linux", "Fedora", "CentOS", "Arch Linux", "Gentoo", "OpenSSL", "vendor")
)
ECOSYSTEMS = OSV_ECOSYSTEMS | _OURS
# Registries of a language or a tool: what they publish is of no release of a system.
_WITHOUT = frozenset(
    (
        "Bioconductor", "Bitnami", "CRAN", "ConanCenter", "GHC", "GitHub Actions", "Go", "Hackage", "Hex", "Julia",
        "NuGet", "Pub", "PyPI", "RubyGems", "SwiftURL", "VSCode", "crates.io", "npm", "opam",
    )
)  # fmt: skip
_REPOSITORY = frozenset(("Maven", "Packagist"))  # a repository follows, by its URL
_REBUILT = frozenset(("Root", "TuxCare", "Docker Hardened Images", "Echo"))  # an ecosystem follows
# The first and the newest release, and how far behind it one may have come since.
_NUMBERED = {"Debian": (1, 14, 2), "AlmaLinux": (8, 10, 2), "Rocky Linux": (8, 10, 2)}
_ALPINE = re.compile(r"v(2\.[0-7]|3\.(\d{1,2}))")
_ALPINE_NEWEST, _ALPINE_SINCE = 22, 4
# Ubuntu Pro has streams of its own, and more come: "Pro:FIPS-preview:22.04", "Pro:Realtime:22.04".
_UBUNTU = re.compile(r"(?:Pro:)?(?:([A-Za-z][\w.+-]{0,40}):)?(\d{1,2})\.(04|10)")
_UBUNTU_STREAMS = frozenset((None, "FIPS", "FIPS-updates", "FIPS-preview", "Realtime"))
_UBUNTU_ODD = ("6.06",)  # the one that came late
_UBUNTU_NEWEST, _UBUNTU_SINCE = 25, 2
_WORD = re.compile(r"[A-Za-z0-9][\w.:+~/ -]{0,99}")


def wrong(ecosystem: str) -> str:
    """Why there is no such ecosystem, or no such release of it, with the cure; "" where there may be."""
    name, _, release = normal_ecosystem(ecosystem).partition(":")
    if name not in ECOSYSTEMS:
        near = difflib.get_close_matches(name, sorted(ECOSYSTEMS), n=1, cutoff=0.6)
        near = near or [e for e in ECOSYSTEMS if e.lower() == name.lower()]
        return f"no ecosystem has that name{f': is it {near[0]}?' if near else ''}"
    if not release:
        return "an ecosystem's release is missing behind the colon" if ":" in ecosystem else ""
    if name in _WITHOUT:
        return f"{name} has no releases: leave out what follows the colon"
    if name in _REPOSITORY:
        return (
            ""
            if release.startswith(("https://", "http://"))
            else f"a repository of {name} is named by its URL"
        )
    if name in _REBUILT:
        return wrong(release) if base(release) in ECOSYSTEMS else ""
    return "" if _standing(name, release) else f"{name} has no such release"


def doubt(ecosystem: str) -> str:
    """What can't be known here of a release that is not `wrong`, "" for nothing."""
    name, _, release = normal_ecosystem(ecosystem).partition(":")
    if not release or name in _REPOSITORY or name in _WITHOUT or name in _REBUILT:
        return ""
    return (
        f"whether {name} has a release {release} is not known here"
        if _standing(name, release) == "unknown"
        else ""
    )


def _standing(name: str, release: str) -> str:
    """ "known", "unknown", or "" for a release that there is not."""
    if name in _NUMBERED:
        first, newest, since = _NUMBERED[name]
        number = int(release) if release.isascii() and release.isdigit() and len(release) < 4 else 0
        return _between(number, first, newest, since)
    if name == "Alpine":
        found = _ALPINE.fullmatch(release)
        return _between(int(found[2] or 0), 0, _ALPINE_NEWEST, _ALPINE_SINCE) if found else ""
    if name == "Ubuntu":
        found = _UBUNTU.fullmatch(release)
        if found is None:
            return "known" if release in _UBUNTU_ODD else ""
        standing = _between(int(found[2]), 4, _UBUNTU_NEWEST, _UBUNTU_SINCE)
        return "unknown" if standing and found[1] not in _UBUNTU_STREAMS else standing
    return "unknown" if _WORD.fullmatch(release) else ""


def _between(number: int, first: int, newest: int, since: int) -> str:
    if first <= number <= newest:
        return "known"
    return "unknown" if newest < number <= newest + since else ""
