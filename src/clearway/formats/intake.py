"""From a blob to what its source says: the one door through which advisory data comes in.

Every format has its own module; it is imported when first met.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeAlias, Union

from msgspec import Struct

from clearway.records.advisory import Advisory, Epss, Kev
from clearway.records.errors import InputError
from clearway.records.vex import VexDocument

from . import strict_json
from ._fields import an_object, stamp
from .detect import RECORD_KINDS

Item: TypeAlias = Union[Advisory, Kev, Epss, VexDocument]  # noqa: UP007 - read at run time by msgspec


class Decoded(Struct, frozen=True, kw_only=True):
    """One record of one source.

    (`source`, `id`) names it within its `kind`; of two versions the greater text is the newer one. `raw` is
    exact: of a catalogue's entry its own bytes, of a CSV its line. `item` is a tuple where one record holds several
    statements (CSAF: an advisory for each vulnerability); `items` is always a tuple. `notes` are defects that
    did not stop the reading.
    """

    kind: str
    source: str
    id: str
    version: str
    raw: bytes
    item: Item | tuple[Item, ...]
    place: str = ""
    notes: tuple[str, ...] = ()

    @property
    def items(self) -> tuple[Item, ...]:
        return self.item if isinstance(self.item, tuple) else (self.item,)


class Rejected(Struct, frozen=True):
    """An entry of a catalogue that can't be used; the rest of it lands."""

    place: str
    reason: str


def decode(kind: str, data: bytes, place: str) -> Iterator[Decoded | Rejected]:
    """What `data` holds, `kind` being what `detect` said of it.

    Raises:
        InputError: the record can't be used; `where` names the place. A catalogue raises only when it can't be
            read at all and yields `Rejected` for its bad entries.
    """
    try:
        if kind == "kev-json" or kind == "kev-csv":
            yield from _kev(kind, data, place)
        elif kind == "epss-csv":
            yield from _epss(data, place)
        elif kind == "nvd-cpe":
            yield from _nvd(data, place)
        elif kind in RECORD_KINDS:
            yield _one(kind, data, place)
        else:
            raise InputError(f"{kind!r} is no kind of record", mend=f"use one of {', '.join(RECORD_KINDS)}")
    except InputError as e:
        raise type(e)(e.what, where=e.where or place, mend=e.mend) from None


def _one(kind: str, data: bytes, place: str) -> Decoded:
    record = an_object(strict_json.loads(data, place), "the record")
    strict_json.refuse_nul(record, data, place)
    notes: tuple[str, ...] = ("it starts with a byte-order mark",) if strict_json.has_bom(data) else ()
    item: Any
    if kind == "osv":
        from . import osv

        item = osv.advisory(record)
    elif kind == "cve":
        from . import cve

        item = cve.advisory(record)
    elif kind == "openvex":
        from . import openvex

        item, more = openvex.document(record, data)
        notes += more
    elif kind == "cyclonedx-vex":
        from . import cyclonedx_vex

        item, more = cyclonedx_vex.document(record, data)
        notes += more
    else:
        return _csaf(kind, record, data, place, notes)
    version = _vex_version(item) if isinstance(item, VexDocument) else stamp(item.modified or item.published)
    record_id = f"{item.id}#{product}" if kind == "openvex" and (product := _first_product(item)) else item.id
    return Decoded(
        kind=kind,
        source=item.source,
        id=record_id,
        version=version,
        raw=data,
        item=item,
        place=place,
        notes=notes,
    )


def _first_product(item: VexDocument) -> str:
    """What sets apart OpenVEX documents that share an `@id`: tools give one to every file of a hub (36 times)."""
    named = (product.identifiers[0] for s in item.statements for product in s.products if product.identifiers)
    return next(named, "")[:300]


def _csaf(kind: str, record: dict[str, Any], data: bytes, place: str, notes: tuple[str, ...]) -> Decoded:
    from . import csaf

    source, tracking_id, statements = csaf.documents(record, vex=kind == "csaf-vex")
    first = statements[0]
    version = stamp(first.modified or first.published) if isinstance(first, Advisory) else _vex_version(first)
    return Decoded(
        kind=kind,
        source=source,
        id=tracking_id,
        version=version,
        raw=data,
        item=statements,
        place=place,
        notes=notes,
    )


def _vex_version(item: VexDocument) -> str:
    """The later of its times, then its own counter: OpenVEX raises it with every change."""
    times = [at for at in (item.updated, item.timestamp) if at is not None]
    counter = item.version.zfill(6) if item.version.isdigit() else item.version
    return f"{stamp(max(times, default=None))}/{counter}"


def _kev(kind: str, data: bytes, place: str) -> Iterator[Decoded | Rejected]:
    from . import kev

    version, entries = kev.read_json(data, place) if kind == "kev-json" else kev.read_csv(data, place)
    for entry in entries:
        at = f"{place}:{entry.at}"
        if entry.kev is None:
            yield Rejected(at, entry.problem)
        else:
            yield Decoded(
                kind=kind,
                source=entry.kev.source,
                id=entry.kev.cve,
                version=version,
                raw=entry.raw,
                item=entry.kev,
                place=at,
            )


def _epss(data: bytes, place: str) -> Iterator[Decoded | Rejected]:
    from . import epss

    version, rows = epss.read_csv(data, place)
    for row in rows:
        if row.epss is None:
            yield Rejected(f"{place}:{row.line}", row.problem)
        else:
            yield Decoded(
                kind="epss-csv",
                source="first-epss",
                id=row.epss.cve,
                version=version,
                raw=row.raw,
                item=row.epss,
                place=f"{place}:{row.line}",
            )


def _nvd(data: bytes, place: str) -> Iterator[Decoded | Rejected]:
    """One item, or a page of the NVD API with many."""
    from . import nvd_cpe

    record = an_object(strict_json.loads(data, place), "the record")
    if "vulnerabilities" not in record:
        strict_json.refuse_nul(record, data, place)
        item = nvd_cpe.advisory(record)
        yield _nvd_decoded(item, data, place)
        return
    for at, (raw, value) in enumerate(strict_json.entries(data, record, "vulnerabilities")):
        where = f"{place}:vulnerabilities[{at}]"
        try:
            strict_json.refuse_nul(value, raw, where)
            yield _nvd_decoded(nvd_cpe.advisory(an_object(value, "entry")), raw, where)
        except InputError as e:
            yield Rejected(where, e.what)


def _nvd_decoded(item: Advisory, raw: bytes, place: str) -> Decoded:
    return Decoded(
        kind="nvd-cpe",
        source=item.source,
        id=item.id,
        version=stamp(item.modified or item.published),
        raw=raw,
        item=item,
        place=place,
    )
