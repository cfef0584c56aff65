"""Which version order each ecosystem follows (OSV schema, "Defined Ecosystems")."""

from __future__ import annotations

_BY_SCHEME = {
    "semver": "npm, crates.io, Hex, SwiftURL, GitHub Actions, Julia, Kubernetes, VSCode, Linux",
    "go": "Go",
    "pub": "Pub",
    "bitnami": "Bitnami",
    "nuget": "NuGet",
    "pypi": "PyPI",
    "maven": "Maven",
    "rubygems": "RubyGems",
    "composer": "Packagist",
    "dpkg": "Debian, Ubuntu, Echo, opam",
    "rpm": (
        "AlmaLinux, Rocky Linux, Red Hat, SUSE, openSUSE, openEuler, Mageia, Azure Linux, Photon OS, "
        "Oracle Linux, Amazon Linux, Fedora, CentOS"
    ),
    "apk": ("Alpine, Wolfi, Chainguard, MinimOS, Alpaquita, BellSoft Hardened Containers, CleanStart"),
    "pacman": "Arch Linux",
    "cran": "CRAN, Bioconductor",
    "hackage": "Hackage, GHC",
    "conan": "ConanCenter",
    "gentoo": "Gentoo",
    "openssl": "OpenSSL",
    "generic": "OSS-Fuzz, Android, FreeBSD, Root, TuxCare, Docker Hardened Images, vendor",
}

REBUILDERS = frozenset(("Root", "TuxCare", "Docker Hardened Images", "Echo"))

# Exact spelling first; then lower case, since inventories do not always spell as the schema does.
SCHEME_OF: dict[str, str] = {}
for _scheme, _names in _BY_SCHEME.items():
    for _name in _names.split(", "):
        SCHEME_OF[_name] = SCHEME_OF[_name.lower()] = _scheme
