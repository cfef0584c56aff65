"""XML from strangers, element by element: no entities, bounded depth, flat memory."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import TYPE_CHECKING

from clearway.records.errors import InputError, TooLargeError

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

MAX_DEPTH = 200
MAX_XML_BYTES = 512 << 20


def root_of(head: bytes) -> str:
    """The local name of the first element in `head`, "" when none is seen."""
    at = 0
    while (at := head.find(b"<", at)) >= 0:
        if head.startswith(b"<!--", at):
            at = head.find(b"-->", at)
            if at < 0:
                return ""
        elif head[at + 1 : at + 2] in (b"?", b"!"):
            at += 1
        else:
            name = head[at + 1 : at + 200].replace(b"/", b" ").partition(b">")[0].split()
            return name[0].rpartition(b":")[2].decode("ascii", "replace") if name else ""
        at += 1
    return ""


def elements(data: bytes, place: str, wanted: frozenset[tuple[str, str]]) -> Iterator[tuple[str, Element]]:
    """("", root) at its start, then (local name, element) at the end of each whose (parent, name) is `wanted`.

    All else is dropped as soon as it ends. A document type without entities is allowed: some tools write one.

    Raises:
        InputError: not well-formed, or it defines entities.
        TooLargeError: over `MAX_XML_BYTES` or `MAX_DEPTH`.
    """
    from xml.etree.ElementTree import ParseError

    from defusedxml.common import DefusedXmlException
    from defusedxml.ElementTree import iterparse

    if len(data) > MAX_XML_BYTES:
        raise TooLargeError(
            f"more than {MAX_XML_BYTES >> 20} MiB of XML", where=place, mend="split it by asset"
        )
    stack: list[Element] = []
    names: list[str] = []
    inside = 0  # wanted elements that are open
    try:
        for event, element in iterparse(
            io.BytesIO(data),
            events=("start", "end"),
            forbid_dtd=False,
            forbid_entities=True,
            forbid_external=True,
        ):
            name = element.tag.rpartition("}")[2]
            slot = (names[-1] if names else "", name)
            if event == "start":
                if not stack:
                    yield "", element
                stack.append(element)
                names.append(name)
                inside += slot in wanted
                if len(stack) > MAX_DEPTH:
                    raise TooLargeError(f"nested deeper than {MAX_DEPTH} levels", where=place)
                continue
            stack.pop()
            names.pop()
            slot = (names[-1] if names else "", name)
            if slot in wanted:
                inside -= 1
                if not inside:
                    yield name, element
            if stack and not inside:
                stack[-1].remove(element)
    except DefusedXmlException:
        raise InputError(
            "XML with entities is refused", where=place, mend="export it again; the format needs none"
        ) from None
    except ParseError as e:
        raise InputError(
            f"not well-formed XML: {e}", where=place, mend="the file may be cut short; fetch it again"
        ) from None
    except (ValueError, LookupError) as e:  # an unknown or multi-byte encoding in the XML declaration
        raise InputError(f"not readable XML: {e}", where=place, mend="save it as UTF-8") from None


def children(element: Element, name: str) -> Iterator[Element]:
    """The children of that local name."""
    return (child for child in element if child.tag.rpartition("}")[2] == name)


def text(element: Element, name: str) -> str:
    """The stripped text of the first child of that local name; "" without one."""
    found = next(children(element, name), None)
    return (found.text or "").strip() if found is not None else ""
