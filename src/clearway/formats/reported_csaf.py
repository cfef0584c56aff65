"""CSAF 2.1's profile *Vulnerability Report* (`csaf_vulnerability_report`): a private report that starts coordination.

Each vulnerability of the document is one report. What is asked for is what the profile asks for: a product that is
known to be affected, a name or id, and a note that describes it.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw

from clearway.records.errors import ClearwayError, InputError, TooLargeError
from clearway.records.fleet_input import SetAside

from ._csaf_tree import Product, product_tree
from ._fields import an_object, objects, one_line, strings, text
from .reported_parts import (
    MAX_LINES,
    MAX_REPORTS,
    ReportDocument,
    Reported,
    Reproduction,
    Sizes,
    cwe_in,
    identified,
    prose,
    quiet,
    severity_in,
)

FORMAT = "csaf-vulnerability-report"
CATEGORY = "csaf_vulnerability_report"
_PROVENANCE = ("acknowledgments", "publisher", "tracking", "references", "distribution", "involvements")
_TELLING = ("description", "summary", "details", "general")
_MAX_NOTES = 20


def is_csaf(value: Any) -> bool:
    """Whether a document is CSAF, of whatever profile."""
    document = value.get("document") if isinstance(value, dict) else None
    return isinstance(document, dict) and "csaf_version" in document


def read(data: bytes, value: dict[str, Any], place: str = "") -> ReportDocument:
    """The reports of a document; a vulnerability that names no product is set aside.

    Raises:
        InputError: it is an advisory and no report, or a field has the wrong type.
        TooLargeError: too many vulnerabilities, or a product tree without end.
    """
    document = an_object(value.get("document"), "document")
    if text(document, "category") != CATEGORY:
        raise InputError(
            "this CSAF document is no vulnerability report",
            where=place or "document.category",
            mend=f"its category is {CATEGORY}; an advisory goes to `clearway ingest`",
        )
    vulnerabilities = objects(value, "vulnerabilities")
    if not vulnerabilities:
        raise InputError("the report names no vulnerability", where=place or "vulnerabilities")
    if len(vulnerabilities) > MAX_REPORTS:
        raise TooLargeError(
            f"more than {MAX_REPORTS:,} reports", where=place, mend="send them in several documents"
        )
    products = product_tree(an_object(value.get("product_tree"), "product_tree"))
    found: list[Reported] = []
    aside: list[SetAside] = []
    single = len(vulnerabilities) == 1
    size = Sizes(place)
    raw = _Raw.of(data)
    told = _Told(objects(document, "notes"))
    provenance = _provenance(raw)
    for n, vulnerability in enumerate(vulnerabilities):
        at = f"{place}vulnerabilities[{n}]"
        # Each report holds the document around its vulnerability, so it is counted before it is made.
        size.take(len(data) if single else raw.size_of(n))
        try:
            alone = data if single else raw.alone(n)
            report = _report(alone, document, told, vulnerability, products, provenance, "" if single else at)
        except ClearwayError as error:
            aside.append(SetAside(at, quiet(error, at).what))
            continue
        found.append(report)
    return ReportDocument(format=FORMAT, reports=tuple(found), set_aside=tuple(aside))


class _Told:
    """What notes tell, looked through once: those of the document stand for each of its vulnerabilities."""

    def __init__(self, notes: list[dict[str, Any]]) -> None:
        self.by: dict[str, list[str]] = {category: [] for category in _TELLING}
        self.steps = (
            ""  # how to make it happen, told by the note's title: the standard has no category for it
        )
        for note in notes:
            texts = self.by.get(text(note, "category"))
            if texts is not None and len(texts) < _MAX_NOTES:
                texts.append(text(note, "text"))
            if not self.steps and "reprod" in text(note, "title").lower():
                self.steps = text(note, "text")


class _Raw:
    """The document's own bytes by the names of its top level: what is handed on is not written anew."""

    def __init__(self, head: dict[str, Raw], vulnerabilities: list[Raw], document: dict[str, Raw]) -> None:
        self._head, self._vulnerabilities, self.document = head, vulnerabilities, document
        self._around = sum(len(name) + len(raw) + 10 for name, raw in head.items())

    @classmethod
    def of(cls, data: bytes) -> _Raw:
        """Of a document that has been read, and so can be."""
        head = msgspec.json.decode(data.removeprefix(b"\xef\xbb\xbf"), type=dict[str, Raw])
        vulnerabilities = msgspec.json.decode(head.pop("vulnerabilities"), type=list[Raw])
        return cls(head, vulnerabilities, msgspec.json.decode(head["document"], type=dict[str, Raw]))

    def size_of(self, n: int) -> int:
        """About how many bytes the document of the vulnerability `n` alone has."""
        return self._around + len(self._vulnerabilities[n])

    def alone(self, n: int) -> bytes:
        """The document with the vulnerability `n` as its only one."""
        return msgspec.json.encode({**self._head, "vulnerabilities": [self._vulnerabilities[n]]})


def _provenance(raw: _Raw) -> bytes:
    """What the document says of where it comes from, byte for byte."""
    return msgspec.json.encode({name: raw.document[name] for name in _PROVENANCE if name in raw.document})


def _report(
    raw: bytes,
    document: dict[str, Any],
    told: _Told,
    vulnerability: dict[str, Any],
    products: dict[str, Product],
    provenance: bytes,
    place: str,
) -> Reported:
    status = an_object(vulnerability.get("product_status"), "product_status")
    known = [products[i] for i in strings(status, "known_affected") if i in products]
    if not known:
        raise InputError(
            "no product is stated as known_affected", mend="name it in product_tree and product_status"
        )
    product = next((p for p in known if p.purl), known[0])
    own = _Told(objects(vulnerability, "notes"))
    said = [text for category in _TELLING for text in (*own.by[category], *told.by[category])]
    cwe = text(an_object(vulnerability.get("cwe"), "cwe"), "id")  # CSAF 2.0; 2.1 has a list
    classes = [cwe, *(text(c, "id") for c in objects(vulnerability, "cwes"))]
    ids = [text(vulnerability, "cve"), *(text(i, "text") for i in objects(vulnerability, "ids"))]
    release = product.versions[0] if product.versions else ""
    return Reported(
        format=FORMAT,
        raw=raw,
        place=place,
        title=one_line(text(vulnerability, "title") or text(document, "title")) or "Vulnerability report",
        description=prose("\n\n".join(said[:_MAX_NOTES])),
        **identified(product.purl, "", product.name or product.label, release),
        cwe=next((found for c in classes if (found := cwe_in(c))), ""),
        severity=_severity(vulnerability),
        reproduction=Reproduction(release=release, steps=prose(own.steps or told.steps)),
        ids=tuple(one_line(i, 100) for i in ids[:MAX_LINES] if i),
        references=tuple(
            one_line(text(r, "url"), 2_000) for r in objects(vulnerability, "references")[:MAX_LINES]
        ),
        provenance=provenance,
    )


def _severity(vulnerability: dict[str, Any]) -> Any:
    for metric in objects(vulnerability, "metrics"):
        content = an_object(metric.get("content"), "content")
        for name in ("cvss_v4", "cvss_v3"):
            found = severity_in(text(an_object(content.get(name), name), "baseSeverity"))
            if found:
                return found
    return ""
