"""SPDX 2.2 and 2.3 JSON to an inventory."""

from __future__ import annotations

from typing import Any

from clearway.records.errors import InputError
from clearway.records.inventory import Inventory

from .component import NO_HINTS, Gathering, Hints
from .json_parts import Parts

NOTHING = frozenset(("NOASSERTION", "NONE"))
_CPE_TYPES = frozenset(("cpe23Type", "cpe22Type", "cpe23", "cpe22"))
# Trivy's headings: they group packages and are none themselves.
_HEADING_IDS = (
    "SPDXRef-Application-",
    "SPDXRef-ContainerImage-",
    "SPDXRef-Filesystem-",
    "SPDXRef-Repository-",
)
_HEADING_PURPOSES = frozenset(("FILE", "CONTAINER", "SOURCE", "ARCHIVE"))
_BUILT_FROM = "built package from: "
DESCRIBES = ("DESCRIBES", "DESCRIBE")  # Trivy wrote the second until 2023


def read(data: bytes, name: str) -> Inventory:
    """The inventory in an SPDX 2.x JSON document.

    A package is a component. Not components: what the document describes, unless it has a purl of
    its own (not one of an image: that is the inventory's subject), and a scanner's headings (operating
    system, "python-pkg", …) without purl and CPE. The operating system becomes the document's distro.

    Raises:
        InputError: not JSON, a repeated key, nested too deep, or not SPDX 2.
    """
    parts = Parts(data, name)
    spdx_version = parts.text("spdxVersion")
    if not spdx_version.startswith("SPDX-"):
        raise InputError("is not an SPDX document", where=name, mend="it has no spdxVersion")
    described = _described(parts)
    found = Gathering()
    roots: list[tuple[str, str, str]] = []
    for start, batch in parts.batches("packages"):
        for i, item in enumerate(batch, start):
            if type(item) is dict:
                _add(item, f"packages[{i}]", described, found, roots)
            else:
                found.problems.append(f"packages[{i}] is not an object")
    if not found.components:
        for root, version, place in roots:
            found.add("", root, version, place)
    creation = parts.value("creationInfo")
    created = creation.get("created") if type(creation) is dict else ""
    parts.finish()
    return Inventory(
        name=name,
        format=f"spdx-json-{spdx_version[5:]}",
        components=found.finish(),
        distro=found.distro,
        created=created if type(created) is str else "",
        serial=parts.text("documentNamespace"),
        root_purl=found.root_purl,
        problems=tuple(found.problems),
    )


def _described(parts: Parts) -> set[str]:
    """SPDX ids of what the document describes."""
    listed = parts.value("documentDescribes")
    found = {x for x in listed if type(x) is str} if type(listed) is list else set()
    for _, batch in parts.batches("relationships"):
        for item in batch:
            if type(item) is dict and item.get("relationshipType") in DESCRIBES:
                target = item.get("relatedSpdxElement")
                if type(target) is str:
                    found.add(target)
            elif type(item) is dict and item.get("relationshipType") == "DESCRIBED_BY":
                subject = item.get("spdxElementId")
                if type(subject) is str:
                    found.add(subject)
    return found


def _add(
    item: dict[str, Any], place: str, described: set[str], found: Gathering, roots: list[tuple[str, str, str]]
) -> None:
    get = item.get
    name = get("name")
    name = name if type(name) is str else ""
    version = get("versionInfo")
    version = version if type(version) is str and version not in NOTHING else ""
    purls, cpes = _references(get("externalRefs"))
    identifier = get("SPDXID")
    identifier = identifier if type(identifier) is str else ""
    purpose = get("primaryPackagePurpose")
    source = get("sourceInfo")
    add_package(
        found, roots, identifier, name, version, purls, cpes, place,
        is_root=identifier in described,
        purpose=purpose if type(purpose) is str else "",
        source=source if type(source) is str else "",
    )  # fmt: skip


def add_package(
    found: Gathering,
    roots: list[tuple[str, str, str]],
    identifier: str,
    name: str,
    version: str,
    purls: list[str],
    cpes: tuple[str, ...],
    place: str,
    *,
    is_root: bool,
    purpose: str,
    source: str,
) -> None:
    """Adds one SPDX 2 package to `found`, or to `roots` when it is the document's subject."""
    if purls:
        if is_root:
            found.root_purl = found.root_purl or purls[0]
            if purls[0].startswith(("pkg:oci/", "pkg:docker/")):
                return
        hints = _built_from(source) if source.startswith(_BUILT_FROM) else NO_HINTS
        for purl in purls:
            found.add(purl, name, version, place, cpes, hints)
        return
    if not cpes:
        if purpose in ("OPERATING-SYSTEM", "OPERATING_SYSTEM") or identifier.startswith(
            "SPDXRef-OperatingSystem-"
        ):
            found.distro = f"{name}-{version}" if version else name
            return
        if is_root:
            roots.append((name, version, place))
            return
        if not version and (purpose in _HEADING_PURPOSES or identifier.startswith(_HEADING_IDS)):
            return
    found.add("", name, version, place, cpes)


def _references(references: Any) -> tuple[list[str], tuple[str, ...]]:
    """(purls, CPEs) of a package's `externalRefs`."""
    purls: dict[str, None] = {}  # in order, each once
    cpes: dict[str, None] = {}
    if type(references) is not list:
        return [], ()
    for entry in references:
        if type(entry) is dict:
            kind, locator = entry.get("referenceType"), entry.get("referenceLocator")
            if type(locator) is str and locator:
                if kind == "purl":
                    purls[locator] = None
                elif kind in _CPE_TYPES:
                    cpes[locator] = None
    return list(purls), tuple(cpes)


def _built_from(source: str) -> Hints:
    """Trivy's "built package from: gcc-8 8.4.0-1ubuntu1~18.04"."""
    name, _, version = source[len(_BUILT_FROM) :].strip().partition(" ")
    return Hints(source_name=name, source_version=version.strip())
