"""An advisory as a CSAF 2.1 document, profile "Security Advisory". https://docs.oasis-open.org/csaf/csaf/v2.1/

One vulnerability a document. A product's versions are a `product_version_range` in the VERS form, each fixed version a
`product_version`; identifiers of products follow from what they say, so that the same advisory gives the same bytes.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from .report_csaf_cwe import NAMES, VERSION
from .report_cve import metric
from .report_parts import TOOL, encode, moment
from .report_parts import VERSION as TOOL_VERSION

if TYPE_CHECKING:
    from .report_advisory import Advisory, Product

SCHEMA = "https://docs.oasis-open.org/csaf/csaf/v2.1/schema/csaf.json"
_TLP_URL = "https://www.first.org/tlp/"
LICENCE = "CC0-1.0"


def document(advisory: Advisory) -> bytes:
    """The document, TLP:CLEAR and final."""
    draft, publisher = advisory.draft, advisory.publisher
    branches, affected, fixed = _tree(draft.products)
    head: dict[str, Any] = {
        "category": "csaf_security_advisory",
        "csaf_version": "2.1",
        "distribution": {"tlp": {"label": "CLEAR", "url": _TLP_URL}},
        "lang": "en",
        "license_expression": LICENCE,
        "notes": [{"category": "summary", "title": "Summary", "text": draft.title}],
        "publisher": _publisher(advisory),
        "references": [
            {
                "category": "self",
                "summary": "This document",
                "url": self_url(publisher.namespace, advisory.id),
            },
            *(
                {"category": "external", "summary": r.kind.capitalize(), "url": r.url}
                for r in draft.references
            ),
        ],
        "title": draft.title,
        "tracking": _tracking(advisory),
    }
    if draft.credits:
        head["acknowledgments"] = [{"names": [c.name], "summary": c.role.capitalize()} for c in draft.credits]
    return encode(
        {
            "$schema": SCHEMA,
            "document": head,
            "product_tree": {"branches": branches},
            "vulnerabilities": [_vulnerability(advisory, affected, fixed)],
        }
    )


def filename(case: str) -> str:
    """The file's name for a tracking id (CSAF 2.1 §5.1)."""
    kept = "".join(c if c.isascii() and (c.isalnum() or c in "+-") else "_" for c in case.lower())
    return f"{kept}.json"


def self_url(namespace: str, case: str) -> str:
    """Where the publisher serves the document."""
    return f"{namespace.rstrip('/')}/csaf/{filename(case)}"


def _publisher(advisory: Advisory) -> dict[str, Any]:
    publisher = advisory.publisher
    made = {"category": "coordinator", "name": publisher.name, "namespace": publisher.namespace}
    return {**made, **({"contact_details": publisher.contact} if publisher.contact else {})}


def _tracking(advisory: Advisory) -> dict[str, Any]:
    made: dict[str, Any] = {
        "current_release_date": moment(advisory.modified),
        "generator": {"engine": {"name": TOOL, "version": TOOL_VERSION}, "date": moment(advisory.modified)},
        "id": advisory.id,
        "initial_release_date": moment(advisory.revisions[0].at),
        "revision_history": [
            {"date": moment(r.at), "number": str(r.number), "summary": r.summary} for r in advisory.revisions
        ],
        "status": "final",
        "version": str(advisory.revisions[-1].number),
    }
    return {**made, **({"aliases": [advisory.cve]} if advisory.cve else {})}


def _vulnerability(advisory: Advisory, affected: list[list[str]], fixed: list[str]) -> dict[str, Any]:
    draft = advisory.draft
    status = {"known_affected": _flat(affected), **({"fixed": fixed} if fixed else {})}
    made: dict[str, Any] = {
        "title": draft.title,
        "ids": [{"system_name": f"{advisory.publisher.name} case", "text": advisory.id}],
        "notes": [{"category": "description", "title": "Description", "text": draft.description}],
        "disclosure_date": moment(advisory.published),
        "product_status": status,
        "remediations": _remedies(advisory, affected),
    }
    if advisory.cve:
        made["cve"] = advisory.cve
    if draft.cwe in NAMES:
        made["cwes"] = [{"id": draft.cwe, "name": NAMES[draft.cwe], "version": VERSION}]
    if draft.vector:
        ((name, body),) = metric(draft.vector).items()
        content = {"cvss_v4" if name == "cvssV4_0" else "cvss_v3": body}
        made["metrics"] = [{"content": content, "products": _flat(affected)}]
    made["notes"] += [
        {"category": "other", "title": f"Disputed by {d.party}", "text": d.why} for d in advisory.disputes
    ]
    if involved := _involvements(advisory):
        made["involvements"] = involved
    return made


def _remedies(advisory: Advisory, affected: list[list[str]]) -> list[dict[str, Any]]:
    draft = advisory.draft
    found: list[dict[str, Any]] = []
    for product, ids in zip(draft.products, affected, strict=True):
        if product.fixed:
            words = draft.solution or f"Update {product.label} to {product.fixed} or later."
            found.append({"category": "vendor_fix", "details": words, "product_ids": ids})
        elif draft.solution:
            found.append({"category": "mitigation", "details": draft.solution, "product_ids": ids})
        elif not draft.workaround:  # which contradicts that there is none (test 6.1.35)
            found.append({"category": "none_available", "details": "No fix is known.", "product_ids": ids})
    if draft.workaround:
        found.append({"category": "workaround", "details": draft.workaround, "product_ids": _flat(affected)})
    return found


def _flat(ids: list[list[str]]) -> list[str]:
    return [one for group in ids for one in group]


def _involvements(advisory: Advisory) -> list[dict[str, Any]]:
    """One for the publisher, and each vendor's; party and date are together unique (CSAF 2.1, test 6.1.24).

    Vendors that stand alike since the same second share one; of those that stand otherwise, the later ones are dated a
    second on, for nobody is left out.
    """
    found: list[dict[str, Any]] = [
        {"party": "coordinator", "status": "completed", "date": moment(advisory.published),
         "summary": f"{advisory.publisher.name} coordinated the disclosure."}
    ]  # fmt: skip
    dated: dict[str, dict[str, Any]] = {}
    for involved in advisory.involved:
        at = involved.at or advisory.published
        while (other := dated.get(moment(at))) is not None and other["status"] != involved.status:
            at += timedelta(seconds=1)
        if other is not None:
            other["summary"] += f"; {involved.party}"
            continue
        dated[moment(at)] = {
            "party": "vendor", "status": involved.status, "date": moment(at), "summary": involved.party,
        }  # fmt: skip
    return [*found, *dated.values()]


def _tree(products: tuple[Product, ...]) -> tuple[list[dict[str, Any]], list[list[str]], list[str]]:
    """(branches, ids of what is affected for each product, ids of what is fixed): vendor, product, versions."""
    vendors: dict[str, dict[str, list[dict[str, Any]]]] = {}
    affected: list[list[str]] = []
    fixed: list[str] = []
    for number, product in enumerate(products, 1):
        names = vendors.setdefault(product.vendor or product.ecosystem.partition(":")[0] or "unknown", {})
        leaves = names.setdefault(product.name, [])
        ids: list[str] = []
        if product.introduced:
            ids.append(f"P{number}")
            leaves.append(_leaf(product, ids[-1], "product_version_range", version_range(product)))
        for count, version in enumerate(product.versions, 1):
            ids.append(f"P{number}V{count}")
            leaves.append(_leaf(product, ids[-1], "product_version", version))
        affected.append(ids)
        if product.fixed:
            fixed.append(f"P{number}F")
            leaves.append(_leaf(product, f"P{number}F", "product_version", product.fixed))
    branches = [
        {
            "category": "vendor",
            "name": vendor,
            "branches": [
                {"category": "product_name", "name": name, "branches": leaves}
                for name, leaves in names.items()
            ],
        }
        for vendor, names in vendors.items()
    ]
    return branches, affected, fixed


def _leaf(product: Product, product_id: str, category: str, version: str) -> dict[str, Any]:
    full: dict[str, Any] = {"name": f"{product.label} {version}", "product_id": product_id}
    if product.purl:
        full["product_identification_helper"] = {"purls": [_purl(product, version, category)]}
    return {"category": category, "name": version, "product": full}


def _purl(product: Product, version: str, category: str) -> str:
    from msgspec.structs import replace

    from .purl import parse, to_text

    return (
        to_text(replace(parse(product.purl), version=version))
        if category == "product_version"
        else product.purl
    )


def version_range(product: Product) -> str:
    """The affected range as a `vers:` text; "0" as its beginning means from the first of all, and is left out."""
    from .purl_text import parse, quote

    kind = parse(product.purl).type if product.purl else "generic"
    ends = []
    if product.introduced != "0":
        ends.append(f">={quote(product.introduced)}")
    if product.fixed:
        ends.append(f"<{quote(product.fixed)}")
    elif product.last_affected:
        ends.append(f"<={quote(product.last_affected)}")
    return f"vers:{kind}/{'|'.join(ends) or '*'}"
