"""CycloneDX XML, 1.0 to 1.7, to an inventory.

The document becomes the dictionaries that the JSON reader knows, one component at a time, so that
both spellings of the format mean the same.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NoReturn

from clearway.records.errors import InputError, TooLargeError
from clearway.records.inventory import Inventory

from .component import Gathering
from .cyclonedx import add_component, add_nested, add_root, exposure_of

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

MAX_DEPTH = 200  # levels of elements, as for JSON
_NAMESPACE = "http://cyclonedx.org/schema/bom/"
_KEPT_WHOLE = ("metadata", "vulnerabilities")
_MEND = "export the SBOM again; a CycloneDX document needs no DTD and no entities"


def read(data: bytes, name: str) -> Inventory:
    """The inventory in a CycloneDX XML document; what is a component is as for JSON.

    Raises:
        InputError: not well-formed, not CycloneDX, or it has a DTD or entities.
        TooLargeError: elements nested deeper than `MAX_DEPTH`.
    """
    found = Gathering()
    state: dict[str, Any] = {"metadata": {}, "vulnerabilities": [], "references": {}}
    attributes: dict[str, str] = {}
    namespace = ""
    root: dict[str, Any] | None = None
    index = 0
    for path, element in _elements(data, name):
        if not path:
            namespace, attributes = _split(element.tag)[0], dict(element.attrib)
            if not namespace.startswith(_NAMESPACE) or _split(element.tag)[1] != "bom":
                raise InputError(
                    "is not a CycloneDX document", where=name, mend="its root is not a CycloneDX bom"
                )
        elif path == "components/component":
            item = _component(element)
            _refer(item, state["references"])
            add_component(item, f"components[{index}]", found)
            add_nested(item, f"components[{index}]", found)
            index += 1
        elif path == "metadata":
            state["metadata"] = metadata = _metadata(element)
            root = metadata.get("component")
            if root:
                _refer(root, state["references"])
                add_root(root, found)
        elif path == "vulnerabilities":
            state["vulnerabilities"] = [_vulnerability(child) for child in element]
    statements: tuple[object, ...] = ()
    if state["vulnerabilities"]:
        from .cyclonedx_vulnerabilities import statements as read_statements

        statements = read_statements(state["vulnerabilities"], state["references"], found.problems)
    metadata = state["metadata"]
    return Inventory(
        name=name,
        format=f"cyclonedx-xml-{namespace[len(_NAMESPACE) :]}",
        components=found.finish(),
        distro=found.distro,
        created=metadata.get("timestamp", ""),
        exposure=exposure_of(metadata, found),
        serial=attributes.get("serialNumber", ""),
        vex=statements,
        root_purl=found.root_purl,
        problems=tuple(found.problems),
    )


def _elements(data: bytes, place: str) -> Iterator[tuple[str, Element]]:
    """("", root at its start), then each finished element of interest with its path; memory stays flat.

    A component is yielded with what is nested in it and then forgotten.
    """
    from xml.etree.ElementTree import ParseError

    from defusedxml.common import DefusedXmlException
    from defusedxml.ElementTree import iterparse

    wanted = {"components/component", "metadata", "vulnerabilities"}
    stack: list[Element] = []
    names: list[str] = []
    try:
        for event, element in iterparse(io.BytesIO(data), events=("start", "end"), forbid_dtd=True):
            if event == "start":
                if not stack:
                    yield "", element
                else:
                    names.append(_split(element.tag)[1])
                stack.append(element)
                if len(stack) > MAX_DEPTH:
                    raise TooLargeError(f"nested deeper than {MAX_DEPTH} levels", where=place)
                continue
            path = "/".join(names)
            stack.pop()
            if names:
                names.pop()
            if path in wanted:
                yield path, element
            # What hangs directly below the root or below one of its lists has been used by now.
            if stack and (len(stack) == 1 or (len(stack) == 2 and names[0] not in _KEPT_WHOLE)):
                stack[-1].remove(element)
    except DefusedXmlException:
        raise InputError("XML with a DTD or entities is refused", where=place, mend=_MEND) from None
    except ParseError as e:
        _refuse(str(e), place)
    except (ValueError, LookupError) as e:  # an unknown or multi-byte encoding in the XML declaration
        _refuse(str(e), place)


def _refuse(message: str, place: str) -> NoReturn:
    raise InputError(
        f"not well-formed XML: {message}", where=place, mend="the file may be cut short; fetch it again"
    ) from None


def _split(tag: str) -> tuple[str, str]:
    """(namespace, local name) of an element tag."""
    if tag[:1] == "{":
        namespace, _, local = tag[1:].partition("}")
        return namespace, local
    return "", tag


def _text(element: Element) -> str:
    return (element.text or "").strip()


def _component(element: Element) -> dict[str, Any]:
    """The component and those nested in it, built without recursion."""
    top: dict[str, Any] = {}
    todo = [(element, top)]
    while todo:
        source, target = todo.pop()
        target["type"] = source.get("type", "library")
        if source.get("bom-ref"):
            target["bom-ref"] = source.get("bom-ref")
        for child in source:
            tag = _split(child.tag)[1]
            if tag in ("name", "version", "group", "purl", "cpe"):
                target[tag] = _text(child)
            elif tag == "properties":
                target["properties"] = _properties(child)
            elif tag == "components":
                inner: list[dict[str, Any]] = [{} for _ in child]
                target["components"] = inner
                todo.extend(zip(child, inner, strict=True))
    return top


def _properties(element: Element) -> list[dict[str, str]]:
    return [{"name": child.get("name", ""), "value": _text(child)} for child in element]


def _metadata(element: Element) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for child in element:
        tag = _split(child.tag)[1]
        if tag == "timestamp":
            found["timestamp"] = _text(child)
        elif tag == "component":
            found["component"] = _component(child)
        elif tag == "properties":
            found["properties"] = _properties(child)
    return found


def _refer(item: dict[str, Any], references: dict[str, str]) -> None:
    todo = [item]
    while todo:
        one = todo.pop()
        if one.get("bom-ref") and (one.get("purl") or one.get("cpe")):
            references[one["bom-ref"]] = one.get("purl") or one["cpe"]
        todo.extend(one.get("components", ()))


def _vulnerability(element: Element) -> dict[str, Any]:
    """One vulnerability in the shape of the JSON format, as far as statements need it."""
    found: dict[str, Any] = {"references": [], "affects": []}
    for child in element:
        tag = _split(child.tag)[1]
        if tag in ("id", "updated"):
            found[tag] = _text(child)
        elif tag == "references":
            found["references"] = [{"id": _child(reference, "id")} for reference in child]
        elif tag == "analysis":
            analysis: dict[str, Any] = {
                key: _child(child, key)
                for key in ("state", "justification", "detail", "firstIssued", "lastUpdated")
                if _child(child, key)
            }
            analysis["response"] = [
                _text(response)
                for group in child
                if _split(group.tag)[1] == "responses"
                for response in group
            ]
            found["analysis"] = analysis
        elif tag == "affects":
            found["affects"] = [_target(target) for target in child]
    return found


def _target(element: Element) -> dict[str, Any]:
    versions = [
        {key: _child(version, key) for key in ("version", "range", "status") if _child(version, key)}
        for group in element
        if _split(group.tag)[1] == "versions"
        for version in group
    ]
    return {"ref": _child(element, "ref"), "versions": versions}


def _child(element: Element, name: str) -> str:
    for child in element:
        if _split(child.tag)[1] == name:
            return _text(child)
    return ""
