"""CSAF 2.0 and 2.1 documents to advisories, one for each vulnerability, and to VEX statements.

A document bundles vulnerabilities; they never melt into one. Its raw bytes are one record under the tracking id,
and each vulnerability is an `Advisory` that names its one CVE under `aliases`: with the tracking id itself where the
document holds one vulnerability, else with `TRACKING-ID#CVE` (`#1`, `#2`, … without CVE) and the tracking id
under `related`.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from clearway.records.advisory import Advisory, Affected, Range, Score, Status
from clearway.records.errors import InputError
from clearway.records.vex import VexDocument, VexProduct, VexStatement, VexStatus

from ._csaf_tree import Product, product_tree
from ._fields import an_id, an_object, moment, number, objects, one_line, strings, text

_STATUSES: tuple[tuple[str, Status], ...] = (  # CSAF 2.0 §3.2.3.9; `recommended` is advice, no status
    ("known_affected", "affected"),
    ("first_affected", "affected"),
    ("last_affected", "affected"),
    ("known_not_affected", "not_affected"),
    ("fixed", "fixed"),
    ("first_fixed", "fixed"),
    ("under_investigation", "under_investigation"),
)
_REMEDIATIONS = (  # where a product has several, the most useful first
    "vendor_fix", "optional_patch", "mitigation", "workaround", "fix_planned", "none_available", "no_fix_planned",
)  # fmt: skip
_TLP = {"WHITE": "CLEAR", "CLEAR": "CLEAR", "GREEN": "GREEN", "AMBER": "AMBER", "AMBER+STRICT": "AMBER+STRICT",
        "RED": "RED"}  # fmt: skip
_FLAGS = frozenset((  # CSAF 2.0 §3.2.3.5
    "component_not_present", "inline_mitigations_already_exist", "vulnerable_code_cannot_be_controlled_by_adversary",
    "vulnerable_code_not_in_execute_path", "vulnerable_code_not_present",
))  # fmt: skip
MOST_DISPUTES = 20  # of one vulnerability


def documents(record: dict[str, Any], *, vex: bool) -> tuple[str, str, tuple[Advisory | VexDocument, ...]]:
    """(source, tracking id, statements): the advisories, and for the VEX profile one `VexDocument` more.

    Raises:
        InputError: no tracking id, a product tree deeper than the reader allows, or a field of the wrong type.
    """
    document = an_object(record.get("document"), "document")
    tracking = an_object(document.get("tracking"), "document.tracking")
    tracking_id = one_line(text(tracking, "id"), 200).replace(" ", "_")
    an_id({"id": tracking_id}, "id")
    source = source_of(document)
    products = product_tree(an_object(record.get("product_tree"), "product_tree"))
    groups = _groups(an_object(record.get("product_tree"), "product_tree"))
    vulnerabilities = objects(record, "vulnerabilities")
    shared = {
        "source": source,
        "format": "csaf",
        "published": moment(tracking, "initial_release_date"),
        "modified": moment(tracking, "current_release_date"),
        "tlp": tlp_of(document),
        "references": _urls(document),
    }
    title = one_line(text(document, "title"))
    statements: list[Advisory | VexDocument] = []
    for number_, vulnerability in enumerate(vulnerabilities, 1):
        cve = text(vulnerability, "cve")
        single = len(vulnerabilities) == 1
        others = [text(item, "text") for item in objects(vulnerability, "ids")]
        statements.append(
            Advisory(
                id=tracking_id if single else f"{tracking_id}#{cve or number_}",
                aliases=(cve,) if cve else (),
                related=tuple(dict.fromkeys(([] if single else [tracking_id]) + [o for o in others if o])),
                title=title,
                affected=_affected(vulnerability, products, groups),
                scores=_scores(vulnerability, source),
                disputes=_disputes(vulnerability),
                **shared,  # type: ignore[arg-type]
            )
        )
    if not vulnerabilities:
        statements.append(Advisory(id=tracking_id, title=title, **shared))  # type: ignore[arg-type]
    if vex:
        statements.append(_vex(document, tracking, tracking_id, source, vulnerabilities, products, groups))
    return source, tracking_id, tuple(statements)


def _disputes(vulnerability: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    """Whose involvement is "disputed" (CSAF 2.0 §3.2.3.6): by name where it has one; the reasons are in prose."""
    found = vulnerability.get("involvements")
    disputing = (
        [i for i in found if isinstance(i, dict) and i.get("status") == "disputed"]
        if isinstance(found, list)
        else []
    )
    return tuple(
        (one_line(str(i.get("summary") or i.get("party") or ""), 200), "") for i in disputing[:MOST_DISPUTES]
    )


def source_of(document: dict[str, Any]) -> str:
    """ "csaf:" and the host of the publisher's namespace ("csaf:cisa.gov"), without "www."."""
    publisher = an_object(document.get("publisher"), "document.publisher")
    namespace = text(publisher, "namespace")
    try:
        host = urlsplit(namespace).hostname or ""
    except ValueError:
        host = ""
    name = host.removeprefix("www.") or one_line(text(publisher, "name"), 60).replace(" ", "-").lower()
    return f"csaf:{name or 'unnamed'}"


def tlp_of(document: dict[str, Any]) -> str:
    """The TLP 2.0 label; CLEAR when the document gives none (it was published).

    Raises:
        InputError: an unknown label: a marking that can't be read must not be taken for CLEAR.
    """
    distribution = an_object(document.get("distribution"), "document.distribution")
    label = text(an_object(distribution.get("tlp"), "document.distribution.tlp"), "label").upper()
    if not label:
        return "CLEAR"
    if label not in _TLP:
        raise InputError(
            f"the TLP label is {one_line(label, 30)!r}", mend="use CLEAR, GREEN, AMBER, AMBER+STRICT or RED"
        )
    return _TLP[label]


def _groups(tree: dict[str, Any]) -> dict[str, tuple[str, ...]]:
    return {
        text(group, "group_id"): strings(group, "product_ids") for group in objects(tree, "product_groups")
    }


def _urls(holder: dict[str, Any]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text(r, "url") for r in objects(holder, "references") if r.get("url")))


def _named(holder: dict[str, Any], groups: dict[str, tuple[str, ...]]) -> list[str]:
    """Product ids that a remediation, flag or threat is about, groups resolved."""
    found = list(strings(holder, "product_ids"))
    for group in strings(holder, "group_ids"):
        found.extend(groups.get(group, ()))
    return found


def _affected(
    vulnerability: dict[str, Any], products: dict[str, Product], groups: dict[str, tuple[str, ...]]
) -> tuple[Affected, ...]:
    """Products of one status, vendor, name and remediation are one entry with all their versions."""
    remedies = _remedies(vulnerability, groups)
    gathered: dict[tuple[str, ...], list[Product]] = {}
    stated: dict[tuple[str, ...], tuple[Status, str]] = {}
    for product_id, status in _status_of(vulnerability):
        product = products.get(product_id)
        if product is None:
            continue
        remedy = remedies.get(product_id, "")
        versioned = "versions" if product.versions or product.ranges or product.unread else ""
        key = (status, product.vendor, product.name, remedy, versioned, *product.conditions)
        gathered.setdefault(key, []).append(product)
        stated[key] = (status, remedy)
    found = []
    for key, members in gathered.items():
        status, remedy = stated[key]
        first = members[0]
        found.append(
            Affected(
                vendor=first.vendor,
                product=first.name,
                purl=next((p.purl for p in members if p.purl), ""),
                status=status,
                ranges=tuple(
                    dict.fromkeys(
                        Range(type="VENDOR", events=events, scheme=p.scheme)
                        for p in members
                        for events in p.ranges
                    )
                ),
                versions=tuple(dict.fromkeys(v for p in members for v in p.versions)),
                cpes=tuple(dict.fromkeys(p.cpe for p in members if p.cpe)),
                conditions=first.conditions,
                remediation=remedy,
                unread=tuple(dict.fromkeys(p.unread for p in members if p.unread)),
            )
        )
    return tuple(found)


def _status_of(vulnerability: dict[str, Any]) -> list[tuple[str, Status]]:
    stated = an_object(vulnerability.get("product_status"), "product_status")
    return [(product_id, status) for key, status in _STATUSES for product_id in strings(stated, key)]


def _remedies(vulnerability: dict[str, Any], groups: dict[str, tuple[str, ...]]) -> dict[str, str]:
    found: dict[str, str] = {}
    rank = {category: at for at, category in enumerate(_REMEDIATIONS)}
    for item in objects(vulnerability, "remediations"):
        category = text(item, "category")
        for product_id in _named(item, groups):
            current = found.get(product_id)
            if current is None or rank.get(category, 99) < rank.get(current, 99):
                found[product_id] = category
    return found


def _scores(vulnerability: dict[str, Any], source: str) -> tuple[Score, ...]:
    """`scores` of CSAF 2.0 and `metrics[].content` of 2.1, each different one once."""
    found: dict[tuple[str, str], Score] = {}
    held = objects(vulnerability, "scores")
    held = held + [
        an_object(m.get("content"), "metrics[].content") for m in objects(vulnerability, "metrics")
    ]
    for item in held:
        for key, system in (("cvss_v2", "CVSS_V2"), ("cvss_v3", "CVSS_V3"), ("cvss_v4", "CVSS_V4")):
            if key in item:
                data = an_object(item[key], key)
                vector = text(data, "vectorString")
                rating = text(data, "baseSeverity")
                score = Score(
                    system=system,
                    vector=vector,
                    score=number(data, "baseScore"),
                    rating=rating,
                    source=source,
                )
                found.setdefault((system, vector), score)
    return tuple(found.values())


def _vex(
    document: dict[str, Any],
    tracking: dict[str, Any],
    tracking_id: str,
    source: str,
    vulnerabilities: list[dict[str, Any]],
    products: dict[str, Product],
    groups: dict[str, tuple[str, ...]],
) -> VexDocument:
    statements: list[VexStatement] = []
    for vulnerability in vulnerabilities:
        flaws = [text(vulnerability, "cve"), *(text(item, "text") for item in objects(vulnerability, "ids"))]
        flags = {p: text(f, "label") for f in objects(vulnerability, "flags") for p in _named(f, groups)}
        impacts = {
            p: one_line(text(t, "details"), 1000)
            for t in objects(vulnerability, "threats")
            if text(t, "category") == "impact"
            for p in _named(t, groups)
        }
        actions = {
            p: one_line(text(r, "details"), 1000)
            for r in objects(vulnerability, "remediations")
            for p in _named(r, groups)
        }
        together: dict[tuple[VexStatus, str, str, str], list[VexProduct]] = {}
        for product_id, status in _status_of(vulnerability):
            if (product := products.get(product_id)) is not None:
                flag = flags.get(product_id, "")
                key = (
                    status,
                    flag if flag in _FLAGS else "",
                    impacts.get(product_id, "") if status == "not_affected" else "",
                    actions.get(product_id, "") if status == "affected" else "",
                )
                together.setdefault(key, []).append(
                    VexProduct(identifiers=product.identifiers(), version_range=product.version_range)
                )
        statements.extend(
            VexStatement(
                flaws=tuple(dict.fromkeys(flaw for flaw in flaws if flaw)),
                products=tuple(named),
                status=status,
                justification=flag,
                impact=impact,
                action=action,
                timestamp=moment(tracking, "current_release_date"),
            )
            for (status, flag, impact, action), named in together.items()
        )
    publisher = an_object(document.get("publisher"), "document.publisher")
    return VexDocument(
        id=tracking_id,
        source=source,
        format="csaf-vex",
        author=one_line(text(publisher, "name")),
        version=text(tracking, "version"),
        timestamp=moment(tracking, "initial_release_date"),
        updated=moment(tracking, "current_release_date"),
        statements=tuple(statements),
        tlp=tlp_of(document),
    )
