"""Ecosystem names and the names inside them, spelled one way on both sides of a match.

The ecosystems are those of the OSV schema (`ecosystems.json`); a release or a
repository follows after a colon ("Debian:12", "Packagist:https://packages.drupal.org/8").
"""

from __future__ import annotations

# OSV schema, ecosystems.json.
OSV_ECOSYSTEMS = frozenset(
    (
        "AlmaLinux",
        "Alpaquita",
        "Alpine",
        "Android",
        "Azure Linux",
        "BellSoft Hardened Containers",
        "Bioconductor",
        "Bitnami",
        "CRAN",
        "Chainguard",
        "CleanStart",
        "ConanCenter",
        "Debian",
        "Docker Hardened Images",
        "Echo",
        "FreeBSD",
        "GHC",
        "GitHub Actions",
        "Go",
        "Hackage",
        "Hex",
        "Julia",
        "Kubernetes",
        "Linux",
        "Mageia",
        "Maven",
        "MinimOS",
        "NuGet",
        "OSS-Fuzz",
        "Packagist",
        "Photon OS",
        "Pub",
        "PyPI",
        "Red Hat",
        "Rocky Linux",
        "Root",
        "RubyGems",
        "SUSE",
        "SwiftURL",
        "TuxCare",
        "Ubuntu",
        "VSCode",
        "Wolfi",
        "crates.io",
        "npm",
        "openEuler",
        "openSUSE",
        "opam",
    )
)

# Registries that compare names without regard to case. Go, npm, Maven, crates.io, RubyGems, CRAN and
# Hackage are absent: their names differ by case.
_FOLDED = frozenset(
    ("NuGet", "Packagist", "Hex", "Bitnami", "Pub", "GitHub Actions", "ConanCenter", "VSCode")
)


def base(ecosystem: str) -> str:
    """The ecosystem without release or repository: "AlmaLinux" for "AlmaLinux:8"."""
    return ecosystem.partition(":")[0]


def normal_name(ecosystem: str, name: str) -> str:
    """`name` in the one spelling that its ecosystem treats as equal.

    PyPI: PEP 503 (lower case, runs of `-`, `_` and `.` become `-`). NuGet, Packagist, Hex, Bitnami,
    Pub, GitHub Actions, ConanCenter, VSCode: lower case. SwiftURL: lower case, without scheme,
    `.git` and closing slash. All others: as given.
    """
    kind = ecosystem if ":" not in ecosystem else base(ecosystem)
    if kind == "PyPI":
        return _pep503(name)
    if kind in _FOLDED:
        return name.lower()
    if kind == "SwiftURL":
        return _swift(name)
    return name


def normal_ecosystem(ecosystem: str) -> str:
    """`ecosystem` in the one spelling that advisories and inventories share.

    - "Ubuntu:22.04:LTS" is "Ubuntu:22.04"; "Ubuntu:Pro:18.04:LTS" is "Ubuntu:Pro:18.04", kept apart
      because its fixes reach subscribers only.
    - "Red Hat:enterprise_linux:9::appstream" is "Red Hat:9": an inventory tells the release, not the
      repository. Other Red Hat products stay as written ("Red Hat:rhel_eus:8.4::baseos").
    - "Alpine:3.18" is "Alpine:v3.18" (the OSV schema requires the `v`).
    """
    if ":" not in ecosystem:
        return ecosystem
    if ecosystem.startswith("Ubuntu:"):
        return ecosystem.removesuffix(":LTS")
    if ecosystem.startswith("Red Hat:enterprise_linux:"):
        return "Red Hat:" + ecosystem[25:].partition(":")[0].partition(".")[0]
    if ecosystem.startswith("Alpine:") and ecosystem[7:8].isdigit():
        return "Alpine:v" + ecosystem[7:]
    return ecosystem


def _pep503(name: str) -> str:
    lowered = name.lower()
    if "_" in lowered or "." in lowered:
        lowered = lowered.replace("_", "-").replace(".", "-")
    while "--" in lowered:
        lowered = lowered.replace("--", "-")
    return lowered


def _swift(name: str) -> str:
    lowered = name.lower()
    for scheme in ("https://", "http://", "git://", "ssh://git@"):
        lowered = lowered.removeprefix(scheme)
    return lowered.removesuffix("/").removesuffix(".git")
