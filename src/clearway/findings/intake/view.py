"""A finding as its reporter and the desk see it: how it stands, what is missing, its evidence; without its text."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from .. import artefact
from . import overlap, record, submit
from .gates import Gate
from .overlap import Overlap
from .record import Mark

if TYPE_CHECKING:
    import psycopg

    from ..artefact import Artefact
    from ..kept import Finding

    Connection = psycopg.Connection[Any]


class FileLine(Struct, frozen=True, kw_only=True):
    """One sealed file: `id` is its number within the finding; what it is called, the SHA-256 of what was sealed."""

    id: int
    kind: str
    name: str
    media: str
    bytes: int
    sha256: str
    added: datetime


class FindingView(Struct, frozen=True, kw_only=True):
    """One finding. `level` is the highest of E0 to E6; `missing` names the gates at which something is missing."""

    handling: str
    organisation: str
    live: bool
    state: str
    state_why: str
    level: int
    level_why: str
    title: str
    ecosystem: str
    package: str
    release: str
    purl: str
    place: str
    cwe: str
    severity: str
    publishes: date | None
    format: str
    sha256: str
    part: str
    received: datetime
    changed: datetime
    gates: tuple[Gate, ...]
    missing: tuple[str, ...]
    files: tuple[FileLine, ...]
    overlap: Overlap | None = None  # whether others hold it too, once that was told
    mark: Mark | None = None  # how it counts for its reporter


def view(db: Connection, finding: Finding) -> FindingView:
    """`finding` with what hangs on it, as far as the caller may see."""
    asked = submit.gates_of(db, finding.id)
    same = {
        name: getattr(finding, name)
        for name in FindingView.__struct_fields__
        if name in finding.__struct_fields__
    }
    return FindingView(
        **same,
        sha256=finding.digest,
        gates=asked,
        missing=tuple(gate.gate for gate in asked if gate.state == "missing"),
        files=tuple(_line(file) for file in artefact.listed(db, finding.id)),
        overlap=overlap.answer_of(db, finding.id),
        mark=record.mark_of(db, finding.id),
    )


def _line(file: Artefact) -> FileLine:
    same = {name: getattr(file, name) for name in FileLine.__struct_fields__}
    return FileLine(**{**same, "id": file.number})
