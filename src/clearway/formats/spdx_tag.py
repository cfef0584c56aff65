"""SPDX 2.x tag-value to an inventory (SPDX 2.3, chapter 6 and 7)."""

from __future__ import annotations

import io
from collections.abc import Iterator

from clearway.records.errors import InputError
from clearway.records.inventory import Inventory

from .component import Gathering
from .spdx import DESCRIBES, NOTHING, add_package

_PACKAGE_TAGS = frozenset(
    (
        "SPDXID",
        "PackageVersion",
        "PackageSourceInfo",
        "PrimaryPackagePurpose",
        "ExternalRef",
    )
)
# Tags that open another kind of section: what follows no longer speaks of the package.
_SECTIONS = frozenset(("FileName", "SnippetSPDXID", "LicenseID", "Reviewer"))
_DOCUMENT_TAGS = frozenset(("SPDXVersion", "DocumentNamespace", "Created", "Relationship"))
_WANTED = _PACKAGE_TAGS | _SECTIONS | _DOCUMENT_TAGS | {"PackageName"}
_WANTED_BYTES = {tag.encode(): tag for tag in _WANTED}


def read(data: bytes, name: str) -> Inventory:
    """The inventory in an SPDX tag-value document; what is a component is as for SPDX JSON.

    Raises:
        InputError: not SPDX, or invalid UTF-8 in a line that is read.
    """
    found = Gathering()
    document: dict[str, str] = {}
    if b"\r" in data.partition(b"\n")[0].rstrip(b"\r"):
        data = data.replace(b"\r", b"\n")  # some tools end lines with CR alone
    described = _described(data)
    roots: list[tuple[str, str, str]] = []
    package: dict[str, str] | None = None
    references: list[str] = []
    place = ""
    for number, tag, value in _lines(data, name):
        if tag == "PackageName":
            _add(package, references, described, place, found, roots)
            package, references, place = {"PackageName": value}, [], f"line {number}"
        elif tag in _SECTIONS:
            _add(package, references, described, place, found, roots)
            package, references = None, []
        elif tag == "ExternalRef" and package is not None:
            references.append(value)
        elif tag in _PACKAGE_TAGS:
            if package is not None:
                package.setdefault(tag, value)
        elif tag != "Relationship":
            document.setdefault(tag, value)
    _add(package, references, described, place, found, roots)
    version = document.get("SPDXVersion", "")
    if not version.startswith("SPDX-"):
        raise InputError("is not an SPDX document", where=name, mend="it has no SPDXVersion")
    if not found.components:
        for root, root_version, root_place in roots:
            found.add("", root, root_version, root_place)
    return Inventory(
        name=name,
        format=f"spdx-tag-{version[5:]}",
        components=found.finish(),
        distro=found.distro,
        created=document.get("Created", ""),
        serial=document.get("DocumentNamespace", ""),
        root_purl=found.root_purl,
        problems=tuple(found.problems),
    )


def _described(data: bytes) -> set[str]:
    """SPDX ids of what the document describes: such a relationship may stand anywhere."""
    found = set()
    for word in DESCRIBES:
        needle = b" %s " % word.encode()
        at = data.find(needle)
        while at >= 0:
            start = data.rfind(b"\n", 0, at) + 1
            end = data.find(b"\n", at)
            words = data[start : end if end >= 0 else len(data)].decode("utf-8", "replace").split()
            if len(words) == 4 and words[0] == "Relationship:":
                found.add(words[3])
            at = data.find(needle, end) if end >= 0 else -1
    return found


def _add(
    package: dict[str, str] | None,
    references: list[str],
    described: set[str],
    place: str,
    found: Gathering,
    roots: list[tuple[str, str, str]],
) -> None:
    if package is None:
        return
    purls: dict[str, None] = {}  # in order, each once
    cpes: dict[str, None] = {}
    for reference in references:
        words = reference.split(None, 2)
        if len(words) == 3:
            kind, locator = words[1], words[2].strip()
            if kind == "purl" or kind.endswith("/purl"):
                purls[locator] = None
            elif kind.startswith(("cpe2", "http://spdx.org/rdf/references/cpe2")):
                cpes[locator] = None
    version = package.get("PackageVersion", "")
    identifier = package.get("SPDXID", "")
    add_package(
        found,
        roots,
        identifier,
        package["PackageName"],
        "" if version in NOTHING else version,
        list(purls),
        tuple(cpes),
        place,
        is_root=identifier in described,
        purpose=package.get("PrimaryPackagePurpose", ""),
        source=package.get("PackageSourceInfo", ""),
    )


def _lines(data: bytes, place: str) -> Iterator[tuple[int, str, str]]:
    """(line number, tag, value) of the tags that are read; `<text>` blocks are skipped over.

    A `<text>` that never ends swallows the rest, as the format says.
    """
    inside = False
    for number, line in enumerate(io.BytesIO(data), 1):
        if inside:
            inside = b"</text>" not in line
            continue
        head, colon, value = line.partition(b":")
        if not colon:
            continue
        if b"<text>" in value and b"</text>" not in value:
            inside = True
        tag = _WANTED_BYTES.get(head.strip().removeprefix(b"\xef\xbb\xbf"))
        if tag is None:
            continue
        try:
            text = value.strip().decode("utf-8")
        except UnicodeDecodeError:
            raise InputError(
                "invalid UTF-8", where=f"{place}, line {number}", mend="save the document as UTF-8"
            ) from None
        if text.startswith("<text>"):
            text = text[6:].removesuffix("</text>").strip()
        yield number, tag, text
