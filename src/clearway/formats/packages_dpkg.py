"""The dpkg database: /var/lib/dpkg/status (deb-control(5), dpkg(1))."""

from __future__ import annotations

from collections.abc import Iterator

from clearway.records.errors import InputError
from clearway.records.inventory import Inventory

from .component import Gathering, Hints
from .packages import decode, finish, numbered, purl_of

# The version of `base-files` that Ubuntu released with: the file itself names no distribution.
_UBUNTU_BASE_FILES = {
    "7.2ubuntu5": "14.04",
    "9.4ubuntu4": "16.04",
    "10.1ubuntu2": "18.04",
    "11ubuntu5": "20.04",
    "12ubuntu4": "22.04",
    "13ubuntu10": "24.04",
}
_FIELDS = frozenset(("Package", "Status", "Version", "Architecture", "Source", "Filename"))


def read(data: bytes, name: str, kind: str) -> Inventory:
    """A component for each package that is installed (not: removed, configuration files left).

    The database names no distribution; it is taken from the package `base-files`, whose version is the
    release on Debian ("12.4+deb12u5") and known for each LTS release of Ubuntu. Without it the components
    have no ecosystem.

    Raises:
        InputError: not UTF-8, or a repository's index, which lists what could be installed.
    """
    found = Gathering()
    stanzas: list[tuple[int, dict[str, str]]] = []
    for number, stanza in _stanzas(decode(data, name)):
        if "Filename" in stanza:
            raise InputError(
                "is a repository's index, not what is installed",
                where=f"{name}, line {number}",
                mend="give /var/lib/dpkg/status",
            )
        words = stanza.get("Status", "install ok installed").split()
        if not stanza.get("Package") or words[-1:] != ["installed"]:
            continue
        if stanza["Package"] == "base-files":
            found.distro = _distro(stanza.get("Version", ""))
        stanzas.append((number, stanza))
    namespace = found.distro.partition("-")[0]
    for number, stanza in stanzas:
        package, version = stanza["Package"], stanza.get("Version", "")
        architecture = stanza.get("Architecture", "")
        qualifiers = {"arch": architecture} if architecture else {}
        if found.distro:
            qualifiers["distro"] = found.distro
        source, _, source_version = stanza.get("Source", package).partition(" ")
        hints = Hints(source_name=source, source_version=source_version.strip("() ") or version)
        purl = purl_of("deb", namespace, package, version, **qualifiers)
        found.add(purl, package, version, f"line {number}", hints=hints)
    return finish(found, name, kind)


def _stanzas(text: str) -> Iterator[tuple[int, dict[str, str]]]:
    """(line of its first field, fields that are read) of each paragraph."""
    stanza: dict[str, str] = {}
    first = 0
    for number, line in numbered(text):
        if not line.strip():
            if stanza:
                yield first, stanza
            stanza = {}
            continue
        if line[0] in " \t":
            continue  # a folded line: description, conffiles
        field, colon, value = line.partition(":")
        if colon and field in _FIELDS:
            first = first if stanza else number
            stanza[field] = value.strip()
    if stanza:
        yield first, stanza


def _distro(version: str) -> str:
    if "ubuntu" in version:
        for prefix, release in _UBUNTU_BASE_FILES.items():
            if version == prefix or version.startswith(f"{prefix}."):
                return f"ubuntu-{release}"
        return ""
    major = version.partition(".")[0].partition("+")[0]
    return f"debian-{major}" if major.isdigit() else ""
