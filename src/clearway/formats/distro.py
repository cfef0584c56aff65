"""From what inventories write about an operating system to OSV's ecosystem with its release.

Tools name one release in many ways ("debian-11.6", "bookworm", "2 (Karoo)", "el8", "alpine-3.18.2");
advisories name it in one ("Debian:11", "AlmaLinux:8", "Alpine:v3.18").
"""

from __future__ import annotations

# What os-release ID fields, purl namespaces and scanners call each distribution.
_FAMILIES = {
    "debian": "Debian",
    "debian gnu/linux": "Debian",
    "ubuntu": "Ubuntu",
    "alpine": "Alpine",
    "alpine linux": "Alpine",
    "wolfi": "Wolfi",
    "chainguard": "Chainguard",
    "minimos": "MinimOS",
    "echo": "Echo",
    "cleanstart": "CleanStart",
    "alpaquita": "Alpaquita",
    "bellsoft-hardened-containers": "BellSoft Hardened Containers",
    "alma": "AlmaLinux",
    "almalinux": "AlmaLinux",
    "rocky": "Rocky Linux",
    "rockylinux": "Rocky Linux",
    "rocky linux": "Rocky Linux",
    "redhat": "Red Hat",
    "rhel": "Red Hat",
    "red hat enterprise linux": "Red Hat",
    "centos": "CentOS",
    "centos linux": "CentOS",
    "centos stream": "CentOS",
    "fedora": "Fedora",
    "fedora linux": "Fedora",
    "amazon": "Amazon Linux",
    "amzn": "Amazon Linux",
    "amazonlinux": "Amazon Linux",
    "amazon linux": "Amazon Linux",
    "oracle": "Oracle Linux",
    "ol": "Oracle Linux",
    "oraclelinux": "Oracle Linux",
    "oracle linux server": "Oracle Linux",
    "photon": "Photon OS",
    "vmware photon os": "Photon OS",
    "azurelinux": "Azure Linux",
    "azure linux": "Azure Linux",
    "azure": "Azure Linux",
    "mariner": "Azure Linux",
    "cbl-mariner": "Azure Linux",
    "suse": "SUSE",
    "sles": "SUSE",
    "sled": "SUSE",
    "sle": "SUSE",
    "sle-micro": "SUSE",
    "sl-micro": "SUSE",
    "suse linux enterprise server": "SUSE",
    "suse linux enterprise micro": "SUSE",
    "opensuse": "openSUSE",
    "opensuse-leap": "openSUSE",
    "opensuse.leap": "openSUSE",
    "opensuse leap": "openSUSE",
    "opensuse-tumbleweed": "openSUSE",
    "opensuse.tumbleweed": "openSUSE",
    "opensuse tumbleweed": "openSUSE",
    "openeuler": "openEuler",
    "mageia": "Mageia",
    "arch": "Arch Linux",
    "archlinux": "Arch Linux",
    "arch linux": "Arch Linux",
    "freebsd": "FreeBSD",
}
FAMILIES = frozenset(_FAMILIES.values())
_WITHOUT_RELEASES = frozenset(
    ("Wolfi", "Chainguard", "MinimOS", "Echo", "CleanStart", "Arch Linux", "FreeBSD")
)
_MAJOR_ONLY = frozenset(
    (
        "Debian",
        "AlmaLinux",
        "Rocky Linux",
        "Red Hat",
        "CentOS",
        "Fedora",
        "Oracle Linux",
        "Azure Linux",
        "Mageia",
    )
)
# Debian distro-info-data and Ubuntu releases.
_CODENAMES = {
    "squeeze": ("Debian", "6"),
    "wheezy": ("Debian", "7"),
    "jessie": ("Debian", "8"),
    "stretch": ("Debian", "9"),
    "buster": ("Debian", "10"),
    "bullseye": ("Debian", "11"),
    "bookworm": ("Debian", "12"),
    "trixie": ("Debian", "13"),
    "forky": ("Debian", "14"),
    "sid": ("Debian", "sid"),
    "unstable": ("Debian", "sid"),
    "trusty": ("Ubuntu", "14.04"),
    "xenial": ("Ubuntu", "16.04"),
    "bionic": ("Ubuntu", "18.04"),
    "focal": ("Ubuntu", "20.04"),
    "impish": ("Ubuntu", "21.10"),
    "jammy": ("Ubuntu", "22.04"),
    "kinetic": ("Ubuntu", "22.10"),
    "lunar": ("Ubuntu", "23.04"),
    "mantic": ("Ubuntu", "23.10"),
    "noble": ("Ubuntu", "24.04"),
    "oracular": ("Ubuntu", "24.10"),
    "plucky": ("Ubuntu", "25.04"),
    "questing": ("Ubuntu", "25.10"),
}
# The dist tag that a family's build system puts into an rpm release: "1.2-3.el8_7".
_DIST_TAGS = {
    "AlmaLinux": ".el",
    "Rocky Linux": ".el",
    "Red Hat": ".el",
    "CentOS": ".el",
    "Oracle Linux": ".el",
    "Fedora": ".fc",
    "Amazon Linux": ".amzn",
    "Photon OS": ".ph",
    "Mageia": ".mga",
}
_cache: dict[tuple[str, str, str], str] = {}
_CACHE_MAX = 4096  # distinct texts; a hostile document can't grow it further


def family_of(text: str) -> str:
    """The OSV ecosystem base that a distribution's name or id means ("alma" -> "AlmaLinux"), else ""."""
    return _FAMILIES.get(text.strip().lower(), "")


def release_of(namespace: str, distro: str, document_distro: str = "", version: str = "") -> str:
    """OSV's ecosystem with release for an operating-system package: "Debian:12", "Ubuntu:22.04".

    `namespace` is the purl's, `distro` its `distro` qualifier, `document_distro` what the document
    says of its operating system; it is used only where the purl says nothing and does not
    contradict it. A release that nothing tells is taken from the dist tag of an rpm `version`
    (".el8_7"), else left out ("Debian"), which no advisory of a release matches.
    An unknown distribution keeps its own name; "" when nothing names one.
    """
    slot = (namespace, distro, document_distro)
    ecosystem = _cache.get(slot)
    if ecosystem is None:
        if len(_cache) >= _CACHE_MAX:
            _cache.clear()
        ecosystem = _cache[slot] = _resolve(namespace, distro, document_distro)
    if version and ":" not in ecosystem and ecosystem in _DIST_TAGS:
        tagged = _from_dist_tag(ecosystem, version)
        if tagged:
            return f"{ecosystem}:{tagged}"
    return ecosystem


def names_release(text: str) -> bool:
    """Whether `text` tells a known distribution, and the release where it has releases."""
    ecosystem = release_of("", "", text)
    return ":" in ecosystem or ecosystem in _WITHOUT_RELEASES


def _resolve(namespace: str, distro: str, document_distro: str) -> str:
    family = family_of(namespace)
    own_family, release = _split(distro)
    if own_family:
        family = own_family
    document_family, document_release = _split(document_distro)
    if not namespace and not family:
        family = document_family
    if not release and document_family and document_family == family:
        release, distro = document_release, document_distro
    if not family:
        number = _number(release, 2)
        name = namespace.lower()
        return f"{name}:{number}" if name and number else name
    if family in _WITHOUT_RELEASES:
        return family
    spelled = _spell(family, release, f"{namespace} {distro}".lower())
    return f"{family}:{spelled}" if spelled else family


def _split(text: str) -> tuple[str, str]:
    """(family, release text) of a distro text; either may be ""."""
    lowered = text.strip().lower()
    if not lowered:
        return "", ""
    if lowered in _FAMILIES:
        return _FAMILIES[lowered], ""
    for word in lowered.replace("/", "-").replace("(", "-").replace(")", "-").replace(" ", "-").split("-"):
        if word in _CODENAMES and not _number(lowered, 1):
            return _CODENAMES[word]
    digit = next((i for i, char in enumerate(lowered) if char.isdigit()), -1)
    if digit < 0:
        head, _, tail = lowered.rpartition("-")
        return _FAMILIES.get(head, ""), tail
    family = _FAMILIES.get(lowered[:digit].rstrip("-: /_v"), "")
    if not family:
        family = _FAMILIES.get(lowered.partition("-")[0], "")
    return family, lowered[digit:]


def _spell(family: str, release: str, context: str) -> str:
    if family in _MAJOR_ONLY:
        return release if release == "sid" else _number(release, 1)
    if family == "Ubuntu":
        return _number(release, 2)
    if family == "Alpine":
        if "edge" in release:
            return "edge"
        number = _number(release, 2)
        return f"v{number}" if number else ""
    if family == "Amazon Linux":
        number = _number(release, 1)
        return "1" if len(number) == 4 and number < "2020" else number  # the AMI of 2010..2018 is version 1
    if family == "Photon OS":
        number = _number(release, 2)
        return number if "." in number or not number else f"{number}.0"
    if family == "SUSE":
        return _spell_suse(release, context)
    if family == "openSUSE":
        if "tumbleweed" in context:
            return "Tumbleweed"
        number = _number(release, 2)
        return f"Leap {number}" if number else ""
    if family == "openEuler":
        return release.upper().replace(" (", "-").replace("(", "-").rstrip(")").replace(" ", "-")
    return "stream" if "stream" in release else _number(release, 1)


def _spell_suse(release: str, context: str) -> str:
    """SUSE's marketing name: "sles-15.4" and "sles-15-sp4" are "Linux Enterprise Server 15 SP4"."""
    number = _number(release, 2)
    if not number:
        return ""
    if "micro" in context:
        return f"Linux Enterprise Micro {number}"
    product = "Desktop" if "sled" in context else "Server"
    major, _, pack = number.partition(".")
    if not pack and "sp" in release:
        pack = _number(release.partition("sp")[2], 1)
    return f"Linux Enterprise {product} {major}" + (f" SP{pack}" if pack and pack != "0" else "")


def _number(text: str, parts: int) -> str:
    """The first dotted number in `text`, cut to `parts` parts: ("11.6 (x)", 1) -> "11"; "" when none."""
    start = next((i for i, char in enumerate(text) if char.isdigit()), -1)
    if start < 0:
        return ""
    end = start
    while end < len(text) and (text[end].isdigit() or text[end] == "."):
        end += 1
    return ".".join(piece for piece in text[start:end].split(".")[:parts] if piece)


def _from_dist_tag(family: str, version: str) -> str:
    tag = _DIST_TAGS[family]
    at = version.rfind(tag)
    digits = version[at + len(tag) : at + len(tag) + 4] if at >= 0 else ""
    return _spell(family, _number(digits, 1), "") if digits[:1].isdigit() else ""
