"""Clearway's own report of a finding: JSON by `schemas/finding.schema.json` (`urn:clearway:schema:finding:1`).

Fields that are not known are kept in the document and mean nothing here, so that a newer writer can be read.
"""

from __future__ import annotations

import base64
import binascii
from hashlib import sha256
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Raw, Struct

from clearway.records.errors import InputError, TooLargeError

from ._fields import one_line
from .reported_parts import (
    MAX_FILES,
    MAX_LINES,
    MAX_STEPS,
    MAX_TEXT,
    FileKind,
    Place,
    Reported,
    ReportedFile,
    Reproduction,
    Role,
    RuledOut,
    Severity,
    Step,
    as_json,
    identified,
    prose,
)

SCHEMA = "urn:clearway:schema:finding:1"
FORMAT = "clearway-finding"
MAX_PROVENANCE = 256 << 10  # bytes
MAX_HOPS = 50
_SEE = "see schemas/finding.schema.json"
# How msgspec begins where it says what was expected alone; its other errors quote what they met.
_OWN_WORDS = ("Expected ", "Object missing required field ")

Line = Annotated[str, Meta(max_length=300)]
Long = Annotated[str, Meta(max_length=2_000)]
Text = Annotated[str, Meta(max_length=MAX_TEXT)]
Cwe = Annotated[str, Meta(pattern="^(CWE-[0-9]{1,5})?$")]
Sha256 = Annotated[str, Meta(pattern="^([0-9a-f]{64})?$")]


class OwnAffected(Struct, frozen=True, kw_only=True):
    """The product: a purl, or an ecosystem as OSV spells it with a name. `release` is one that was shipped."""

    purl: Long = ""
    ecosystem: Annotated[str, Meta(max_length=100)] = ""
    name: Line = ""
    release: Annotated[str, Meta(max_length=200)] = ""


class OwnPlace(Struct, frozen=True, kw_only=True):
    """Where in the product's code."""

    file: Line = ""
    line: Annotated[int, Meta(ge=0, le=10_000_000)] = 0
    function: Line = ""


class OwnStep(Struct, frozen=True, kw_only=True):
    """One step of the way from source to sink."""

    role: Role = "step"
    file: Line = ""
    line: Annotated[int, Meta(ge=0, le=10_000_000)] = 0
    function: Line = ""
    what: Long = ""


class OwnReproduction(Struct, frozen=True, kw_only=True):
    """How it is made to happen. `recipe` is what the desk can run (`schemas/recipe.json`), kept as it is sent."""

    release: Annotated[str, Meta(max_length=200)] = ""
    steps: Text = ""
    expected: Text = ""
    observed: Text = ""
    recipe: dict[str, Any] | None = None


class OwnRuledOut(Struct, frozen=True, kw_only=True):
    """A known shape of false positives, and why this is none of it."""

    shape: Annotated[str, Meta(max_length=60)]
    why: Long


class OwnFile(Struct, frozen=True, kw_only=True):
    """A file, in base64 (`data`, RFC 4648 section 4) or as text; with `sha256`, that is checked."""

    name: Line
    kind: FileKind = "attachment"
    media: Annotated[str, Meta(max_length=200)] = ""
    data: str = ""
    text: str = ""
    sha256: Sha256 = ""


class OwnReport(Struct, frozen=True, kw_only=True):
    """One finding."""

    schema: str
    title: Annotated[str, Meta(min_length=1, max_length=300)]
    affected: OwnAffected
    description: Text = ""
    place: OwnPlace = OwnPlace()
    cwe: Cwe = ""
    severity: Severity = ""
    trace: Annotated[tuple[OwnStep, ...], Meta(max_length=MAX_STEPS)] = ()
    reproduction: OwnReproduction = OwnReproduction()
    ruled_out: Annotated[tuple[OwnRuledOut, ...], Meta(max_length=MAX_LINES)] = ()
    ids: Annotated[tuple[Annotated[str, Meta(max_length=100)], ...], Meta(max_length=MAX_LINES)] = ()
    references: Annotated[tuple[Long, ...], Meta(max_length=MAX_LINES)] = ()
    provenance: dict[str, Any] | None = None
    hops: Annotated[tuple[dict[str, Any], ...], Meta(max_length=MAX_HOPS)] = ()
    files: Annotated[tuple[OwnFile, ...], Meta(max_length=MAX_FILES)] = ()


class OwnMore(Struct, frozen=True, kw_only=True):
    """What is added to a finding that lacks something: any of its fields."""

    schema: str = ""
    place: OwnPlace = OwnPlace()
    cwe: Cwe = ""
    trace: Annotated[tuple[OwnStep, ...], Meta(max_length=MAX_STEPS)] = ()
    reproduction: OwnReproduction = OwnReproduction()
    ruled_out: Annotated[tuple[OwnRuledOut, ...], Meta(max_length=MAX_LINES)] = ()
    affected: OwnAffected = OwnAffected()
    files: Annotated[tuple[OwnFile, ...], Meta(max_length=MAX_FILES)] = ()


class _RawReproduction(Struct, frozen=True):
    recipe: Raw = Raw(b"")


class _RawParts(Struct, frozen=True):
    """What is handed on as it stands."""

    provenance: Raw = Raw(b"")
    hops: list[Raw] = []
    reproduction: _RawReproduction = _RawReproduction()


def is_own(value: Any) -> bool:
    """Whether a document says that it is one of these, of whatever version."""
    schema = value.get("schema") if isinstance(value, dict) else None
    return isinstance(schema, str) and schema.startswith("urn:clearway:schema:finding:")


def read(data: bytes, value: Any, place: str = "") -> Reported:
    """The report of `data`, whose JSON value is `value`.

    Raises:
        InputError: it does not follow the schema; names the field, and does not quote what stands there.
    """
    if not isinstance(value, dict) or value.get("schema") != SCHEMA:
        raise InputError(
            "another version of the report", where=place or "schema", mend=f'write "schema": "{SCHEMA}"'
        )
    own = convert(value, OwnReport, place)
    kept = _raw_parts(data, place)
    if len(kept.provenance) > MAX_PROVENANCE:
        raise InputError(f"more than {MAX_PROVENANCE >> 10} KiB", where=_at(place, "provenance"))
    title = one_line(own.title)
    if not title:
        raise InputError("the title is empty", where=_at(place, "title"))
    return Reported(
        format=FORMAT,
        raw=data,
        place=place,
        title=title,
        description=prose(own.description),
        **_placed(own.affected, own.place, place),
        cwe=_cwe(own.cwe),
        severity=own.severity,
        trace=_trace(own.trace),
        reproduction=_reproduction(own.reproduction, bytes(kept.reproduction.recipe)),
        ruled_out=_ruled_out(own.ruled_out),
        ids=tuple(filter(None, (one_line(i, 100) for i in own.ids))),
        references=tuple(filter(None, (one_line(r, 2_000) for r in own.references))),
        provenance=bytes(kept.provenance) if own.provenance is not None else b"",
        hops=tuple(bytes(hop) for hop in kept.hops),
        files=files_of(own.files, place),
    )


def with_more(report: Reported, data: bytes, place: str = "") -> Reported:
    """`report` with what the supplement in `data` says in place of what it said.

    Raises:
        InputError: the supplement does not follow the schema.
    """
    value = as_json(data, place)
    more = convert(value, OwnMore, place)
    kept = _raw_parts(data, place)
    product = _placed(more.affected, more.place, place)
    made = more.reproduction
    before = report.reproduction
    recipe = bytes(kept.reproduction.recipe) if made.recipe is not None else b""
    return msgspec.structs.replace(
        report,
        **{name: given for name, given in product.items() if given and given != Place()},
        cwe=_cwe(more.cwe) or report.cwe,
        trace=_trace(more.trace) or report.trace,
        reproduction=Reproduction(
            release=one_line(made.release, 200) or before.release,
            steps=prose(made.steps) or before.steps,
            expected=prose(made.expected) or before.expected,
            observed=prose(made.observed) or before.observed,
            recipe=recipe or before.recipe,
        ),
        ruled_out=_ruled_out(more.ruled_out) or report.ruled_out,
        files=(*report.files, *files_of(more.files, place)),
    )


def convert(value: Any, kind: Any, place: str) -> Any:
    """`value` as a strict type. Raises InputError that names the field and quotes nothing."""
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        # "Expected `str`, got `int` - at `$.title`": the path is behind the last of these, as a value may hold one.
        what, at, path = str(error).rpartition(" - at `")
        what, path = (what, path.rstrip("`")) if at else (path, "")
        field = path.strip("$. ") or "document"
        raise InputError(
            what if what.startswith(_OWN_WORDS) else "none of the values that may stand here",
            where=_at(place, field), mend=_SEE,
        ) from None  # fmt: skip
    except RecursionError:
        raise TooLargeError("nested too deep", where=place or "document", mend=_SEE) from None


def _raw_parts(data: bytes, place: str) -> _RawParts:
    try:
        return msgspec.json.decode(data.removeprefix(b"\xef\xbb\xbf"), type=_RawParts)
    except (msgspec.MsgspecError, RecursionError):
        raise InputError("it can't be read", where=place, mend=_SEE) from None


def files_of(files: tuple[OwnFile, ...], place: str) -> tuple[ReportedFile, ...]:
    """The files with their bytes. Raises InputError: not base64, both forms, or another hash than stated."""
    found = []
    for n, file in enumerate(files):
        where = _at(place, f"files[{n}]")
        if file.data and file.text:
            raise InputError("`data` and `text` are both given", where=where, mend="give one of them")
        try:
            body = base64.b64decode(file.data, validate=True) if file.data else file.text.encode()
        except (binascii.Error, ValueError):
            raise InputError(
                "`data` is not base64", where=where, mend="RFC 4648, section 4, with padding"
            ) from None
        if file.sha256 and sha256(body).hexdigest() != file.sha256:
            raise InputError("the file has another SHA-256 than is stated", where=where, mend="send it again")
        found.append(
            ReportedFile(kind=file.kind, name=one_line(file.name), data=body, media=one_line(file.media, 200))
        )
    return tuple(found)


def _placed(affected: OwnAffected, at: OwnPlace, place: str) -> dict[str, Any]:
    try:
        found = identified(affected.purl, affected.ecosystem, affected.name, affected.release)
    except InputError as error:
        raise InputError(error.what, where=_at(place, "affected.purl"), mend=error.mend) from None
    return {**found, "at": Place(file=one_line(at.file), line=at.line, function=one_line(at.function))}


def _trace(steps: tuple[OwnStep, ...]) -> tuple[Step, ...]:
    return tuple(
        Step(
            role=s.role,
            file=one_line(s.file),
            line=s.line,
            function=one_line(s.function),
            what=one_line(s.what, 2_000),
        )
        for s in steps
    )


def _reproduction(own: OwnReproduction, recipe: bytes) -> Reproduction:
    return Reproduction(
        release=one_line(own.release, 200),
        steps=prose(own.steps),
        expected=prose(own.expected),
        observed=prose(own.observed),
        recipe=recipe if own.recipe is not None else b"",
    )


def _ruled_out(given: tuple[OwnRuledOut, ...]) -> tuple[RuledOut, ...]:
    return tuple(RuledOut(shape=one_line(r.shape, 60), why=prose(r.why, 2_000)) for r in given)


def _cwe(text: str) -> str:
    return f"CWE-{int(text[4:])}" if text else ""


def _at(place: str, field: str) -> str:
    return f"{place}.{field}" if place else field
