"""SPDX 3.0 JSON-LD to an inventory: `@graph` documents and single elements."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from clearway.records.inventory import Inventory

from .component import Gathering
from .json_parts import Parts

_TERMS = "https://spdx.org/rdf/"
_PURPOSE_SYSTEM = ("operatingSystem", "operatingsystem")
_CPE = frozenset(("cpe22", "cpe23"))


def read(data: bytes, name: str) -> Inventory:
    """The inventory in an SPDX 3 document: each `software_Package` is a component.

    Terms are known by their last part, so the context's short forms ("software_packageUrl"), prefixed forms
    ("software:packageUrl") and whole IRIs mean the same. A root element (of the SpdxDocument or an
    Sbom) without purl and CPE is the document's subject and no component where there are others.

    Raises:
        InputError: not JSON, a repeated key, or nested too deep.
    """
    parts = Parts(data, name)
    found = Gathering()
    roots: set[str] = set()
    subjects: list[tuple[int, str]] = []
    purls: dict[str, str] = {}
    created = serial = version = ""
    for i, element in _elements(parts):
        if type(element) is not dict:
            found.problems.append(f"@graph[{i}] is not an object")
            continue
        known = {_term(key): value for key, value in element.items()}
        kind = _term(_text(known.get("type")))
        own = known.get("creationInfo") if kind != "CreationInfo" else element
        if type(own) is dict:
            created = created or _text(own.get("created"))
            version = version or _text(own.get("specVersion"))
        if kind == "Package":
            _add(known, f"@graph[{i}]", found, subjects, purls)
        elif kind in ("SpdxDocument", "Sbom", "Bom"):
            roots.update(_texts(known.get("rootElement")))
            if kind == "SpdxDocument":
                serial = _text(known.get("spdxId"))
        elif kind == "Relationship" and known.get("relationshipType") == "describes":
            roots.update(_texts(known.get("to")))
    _drop_subjects(found, subjects, roots)
    found.root_purl = next((purls[root] for root in sorted(roots) if root in purls), "")
    parts.finish()
    return Inventory(
        name=name,
        format=f"spdx3-json-{version or '3.0'}",
        components=found.finish(),
        distro=found.distro,
        created=created,
        serial=serial,
        root_purl=found.root_purl,
        problems=tuple(found.problems),
    )


def _elements(parts: Parts) -> Iterator[tuple[int, Any]]:
    if "@graph" in parts:
        for start, batch in parts.batches("@graph"):
            yield from enumerate(batch, start)
        return
    yield 0, {key: parts.value(key) for key in parts}


def _add(
    known: dict[str, Any],
    place: str,
    found: Gathering,
    subjects: list[tuple[int, str]],
    purls_by_id: dict[str, str],
) -> None:
    name = _text(known.get("name"))
    version = _text(known.get("packageVersion"))
    purls: dict[str, None] = {}  # in order, each once
    cpes: dict[str, None] = {}
    url = _text(known.get("packageUrl"))
    if url:
        purls[url] = None
    identifiers = known.get("externalIdentifier")
    for entry in identifiers if type(identifiers) is list else [identifiers]:
        if type(entry) is dict:
            fields = {_term(key): value for key, value in entry.items()}
            kind, value = _term(_text(fields.get("externalIdentifierType"))), _text(fields.get("identifier"))
            if kind in ("packageUrl", "packageURL", "purl") and value:
                purls[value] = None
            elif kind in _CPE and value:
                cpes[value] = None
    if _term(_text(known.get("primaryPurpose"))) in _PURPOSE_SYSTEM and not purls:
        found.distro = f"{name}-{version}" if version else name
        return
    identifier = _text(known.get("spdxId")) or _text(known.get("id"))
    for purl in list(purls) or [""]:
        if purl:
            purls_by_id.setdefault(identifier, purl)
        elif not cpes:
            subjects.append((len(found.components), identifier))
        found.add(purl, name, version, place, tuple(cpes))


def _drop_subjects(found: Gathering, subjects: list[tuple[int, str]], roots: set[str]) -> None:
    """Removes root packages that nothing can judge, unless they are all there is."""
    gone = {index for index, identifier in subjects if identifier in roots}
    if gone and len(gone) < len(found.components):
        found.drop(gone)


def _term(text: str) -> str:
    """The last part of a term: "software_Package", "software:Package" and its IRI are all "Package"."""
    if text[:1] == "@":
        return text[1:]
    if text.startswith(_TERMS):
        return text.rpartition("/")[2]
    for mark in ("_", ":"):
        head, _, tail = text.partition(mark)
        if tail and head in ("software", "core", "Core", "Software", "spdx"):
            return tail
    return text


def _text(value: Any) -> str:
    if type(value) is str:
        return value
    if type(value) is dict:  # {"@value": …} or {"@id": …}
        inner = value.get("@value", value.get("@id"))
        return inner if type(inner) is str else ""
    if type(value) is list and len(value) == 1:
        return value[0] if type(value[0]) is str else ""
    return ""


def _texts(value: Any) -> list[str]:
    if type(value) is list:
        return [text for text in map(_text, value) if text]
    return [_text(value)] if _text(value) else []
