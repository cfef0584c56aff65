"""The page's form as a report in our own form. Pure.

A form is a report like any other: what is typed becomes the same JSON that a program sends, is read by the same reader
and judged by the same gates.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from clearway.formats.reported_own import SCHEMA

from . import shapes

if TYPE_CHECKING:
    from clearway.formats.reported_parts import FileKind

TEXTS = (
    "title", "purl", "release", "file", "line", "function", "cwe", "severity", "description", "steps", "expected",
    "observed", "source_file", "source_function", "source_what", "sink_file", "sink_function", "sink_what", "finder",
    "publishes",
)  # fmt: skip
SHAPE = "shape_"  # before a shape's key, "-" as "_"
FIELDS = (*TEXTS, *(SHAPE + shape.key.replace("-", "_") for shape in shapes.SHAPES))
Upload = tuple["FileKind", str, bytes]  # kind, name, bytes


def report(values: Mapping[str, str], files: Iterable[Upload] = ()) -> bytes:
    """The report that a form describes. Nothing is checked here: the reader does that."""
    made = {
        "schema": SCHEMA,
        "title": _said(values, "title"),
        "description": _said(values, "description"),
        "affected": {"purl": _said(values, "purl"), "release": _said(values, "release")},
        "severity": _said(values, "severity"),
        **_more(values, files),
    }
    provenance: dict[str, Any] = {}
    if finder := _said(values, "finder"):
        provenance["finders"] = [{"name": finder}]
    if until := _said(values, "publishes"):
        provenance["embargo"] = {"until": until}
    if provenance:
        made["provenance"] = provenance
    return msgspec.json.encode(made)


def supplement(values: Mapping[str, str], files: Iterable[Upload] = ()) -> bytes:
    """What a form adds to a finding: the parts that are filled in, and nothing of the others."""
    made: dict[str, Any] = {k: v for k, v in _more(values, files).items() if v}
    affected = {name: text for name in ("purl", "release") if (text := _said(values, name))}
    if affected:
        made["affected"] = affected
    return msgspec.json.encode(made)


def field_of(where: str) -> str:
    """The field of the form in which an error at `where` in the report is to be mended; "" for the form as a whole."""
    parts = where.replace("]", "").replace("[", ".").split(".")
    known = {
        "title": "title", "description": "description", "purl": "purl", "affected": "purl", "cwe": "cwe",
        "severity": "severity", "place": "file", "trace": "source_file", "reproduction": "steps", "files": "files",
    }  # fmt: skip
    if "release" in parts:
        return "release"
    return next((known[part] for part in reversed(parts) if part in known), "")


def _more(values: Mapping[str, str], files: Iterable[Upload]) -> dict[str, Any]:
    place = {name: text for name in ("file", "function") if (text := _said(values, name))}
    line = _said(values, "line")
    if line.isascii() and line.isdigit() and len(line) < 8:
        place["line"] = int(line)  # type: ignore[assignment]
    made = {
        name: text for name in ("release", "steps", "expected", "observed") if (text := _said(values, name))
    }
    steps = [_step(values, role) for role in ("source", "sink")]
    cwe = _said(values, "cwe").upper()
    return {
        "place": place,
        "cwe": f"CWE-{cwe}" if cwe.isdigit() else cwe,
        "reproduction": made,
        "trace": [step for step in steps if len(step) > 1],
        "ruled_out": [
            {"shape": shape.key, "why": why}
            for shape in shapes.SHAPES
            if (why := _said(values, SHAPE + shape.key.replace("-", "_")))
        ],
        "files": [
            {"kind": kind, "name": name[-300:], "data": base64.b64encode(data).decode()}
            for kind, name, data in files
        ],
    }


def _step(values: Mapping[str, str], role: str) -> dict[str, str]:
    said = {name: text for name in ("file", "function", "what") if (text := _said(values, f"{role}_{name}"))}
    return {"role": role, **said}


def _said(values: Mapping[str, str], name: str) -> str:
    return values.get(name, "").strip()
