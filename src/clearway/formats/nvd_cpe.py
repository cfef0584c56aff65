"""NVD's CPE configurations (NVD API 2.0 shape, also Anchore's overrides) to `Advisory`.

A node's vulnerable CPEs become one `Affected` a product; CPEs that are not vulnerable in a configuration joined by
AND are platforms it must run on, and become conditions. A negated node can't be expressed and becomes one too.
"""

from __future__ import annotations

from typing import Any

from clearway.records.advisory import Advisory, Affected, Event, Kev, Range, Score, Ssvc
from clearway.records.errors import InputError

from ._fields import a_date, an_id, an_object, moment, number, objects, one_line, text
from ._ssvc import read_ssvc
from ._version_text import NOTHING

_SYSTEMS = (
    ("cvssMetricV40", "CVSS_V4"), ("cvssMetricV31", "CVSS_V3"), ("cvssMetricV30", "CVSS_V3"),
    ("cvssMetricV2", "CVSS_V2"),
)  # fmt: skip


def advisory(record: dict[str, Any]) -> Advisory:
    """What one item says: `{"cve": {…}}`, with the id inside it or in Anchore's `_annotation`.

    Raises:
        InputError: no CVE id, or a field of the wrong type.
    """
    cve = an_object(record.get("cve"), "cve")
    note = an_object(record.get("_annotation"), "_annotation")
    cve_id = an_id(cve, "id") if "id" in cve else an_id(note, "cve_id")
    source = "anchore-nvd-overrides" if note else "nvd"
    holder = cve if "id" in cve else note
    affected: list[Affected] = []
    for configuration in objects(cve, "configurations"):
        affected.extend(configured(configuration))
    references = cve.get("references")
    return Advisory(
        id=cve_id,
        source=source,
        format="nvd-cpe",
        published=moment(holder, "published"),
        modified=moment(holder, "lastModified" if "lastModified" in holder else "modified"),
        rejected=text(cve, "vulnStatus").lower() == "rejected",
        affected=tuple(affected),
        scores=_scores(an_object(cve.get("metrics"), "metrics")),
        ssvc=_ssvc(cve_id, an_object(cve.get("metrics"), "metrics")),
        kev=_kev(cve_id, cve),
        references=tuple(
            dict.fromkeys(text(r, "url") for r in objects(cve, "references") if r.get("url"))
            if isinstance(references, list)
            else ()
        ),
    )


def configured(configuration: dict[str, Any], source: str = "") -> list[Affected]:
    """The vulnerable products of one configuration: nodes joined by `operator` (OR when missing)."""
    nodes = objects(configuration, "nodes")
    joined = text(configuration, "operator").upper() == "AND"
    conditions: list[str] = []
    vulnerable: dict[tuple[str, str], list[dict[str, Any]]] = {}
    if configuration.get("negate") is True:
        conditions.append("the whole configuration is negated")
    for node in nodes:
        others: list[str] = []
        for match in objects(node, "cpeMatch"):
            if node.get("negate") is True:
                others.append(f"not {text(match, 'criteria')}")
            elif match.get("vulnerable") is False:
                others.append(text(match, "criteria"))
            else:
                vulnerable.setdefault(product_of(text(match, "criteria")), []).append(match)
        if others and (joined or node.get("negate") is True or text(node, "operator").upper() == "AND"):
            conditions.append(f"running on {' or '.join(others[:20])}")
    if joined and len(nodes) > 1 and not conditions and len(vulnerable) > 1:
        conditions.append("only together with the other products of this configuration")
    return [
        _product(name, matches, tuple(conditions), source)
        for name, matches in vulnerable.items()
        if any(name)
    ]


def _product(
    name: tuple[str, str], matches: list[dict[str, Any]], conditions: tuple[str, ...], source: str
) -> Affected:
    ranges: list[Range] = []
    versions: list[str] = []
    cpes: list[str] = []
    targets: list[str] = []
    for match in matches:
        cpe = text(match, "criteria")
        cpes.append(cpe)
        events = _events(match)
        parts = split_cpe(cpe)
        version, update = parts[5], parts[6]
        if target := parts[10]:
            targets.append(target)
        if events:
            ranges.append(Range(type="CPE", events=events))
        elif version == "*":
            ranges.append(Range(type="CPE", events=(Event("introduced", "0"),)))  # CPE 2.3: ANY
        elif version:
            versions.append(f"{version} {update}" if update else version)
    return Affected(
        vendor=name[0],
        product=name[1],
        ranges=tuple(ranges),
        versions=tuple(dict.fromkeys(versions)),
        cpes=tuple(dict.fromkeys(cpes)),
        platforms=tuple(dict.fromkeys(targets)),
        conditions=conditions,
        source=source,
    )


def _events(match: dict[str, Any]) -> tuple[Event, ...]:
    """The ends that a match states. A start excluded can't be said with events: the range is left open there."""
    start, after = text(match, "versionStartIncluding"), text(match, "versionStartExcluding")
    before, last = text(match, "versionEndExcluding"), text(match, "versionEndIncluding")
    if not (start or after or before or last):
        return ()
    # NVD: no start means from the first version on. `>` reads as `>=`: it errs by one version, named as affected.
    events = [Event("introduced", start or after or "0")]
    if before:
        events.append(Event("fixed", before))
    elif last:
        events.append(Event("last_affected", last))
    return tuple(events)


def split_cpe(cpe: str) -> list[str]:
    """The 13 parts of a CPE 2.3 string, unescaped; "-" reads as "", "*" stays in the version only.

    Raises:
        InputError: not a CPE 2.3 formatted string (NISTIR 7695 §6.2).
    """
    parts: list[str] = []
    current: list[str] = []
    escaped = False
    for c in cpe:
        if escaped:
            current.append(c)
            escaped = False
        elif c == "\\":
            escaped = True
        elif c == ":":
            parts.append("".join(current))
            current = []
        else:
            current.append(c)
    parts.append("".join(current))
    if len(parts) != 13 or parts[:2] != ["cpe", "2.3"]:
        raise InputError(
            f"{one_line(cpe, 60)!r} is no CPE 2.3 name", mend="use cpe:2.3:part:vendor:product:…"
        )
    return [p if p not in ("-", "*") or (i == 5 and p == "*") else "" for i, p in enumerate(parts)]


def product_of(cpe: str) -> tuple[str, str]:
    parts = split_cpe(cpe)
    vendor, product = parts[3], parts[4]
    return ("", "") if vendor in NOTHING and product in NOTHING else (vendor, product)


def _scores(metrics: dict[str, Any]) -> tuple[Score, ...]:
    found = []
    for key, system in _SYSTEMS:
        for metric in objects(metrics, key):
            data = an_object(metric.get("cvssData"), "cvssData")
            rating = data.get("baseSeverity") or metric.get("baseSeverity")
            found.append(
                Score(
                    system=system,
                    vector=text(data, "vectorString"),
                    score=number(data, "baseScore"),
                    rating=rating if isinstance(rating, str) else "",
                    source=text(metric, "source"),
                )
            )
    return tuple(found)


def _ssvc(cve_id: str, metrics: dict[str, Any]) -> tuple[Ssvc, ...]:
    found = [
        read_ssvc(cve_id, metric, text(metric, "source"))
        for key in metrics
        if key.lower().startswith("ssvc")
        for metric in objects(metrics, key)
    ]
    return tuple(item for item in found if item is not None)


def _kev(cve_id: str, cve: dict[str, Any]) -> tuple[Kev, ...]:
    added = text(cve, "cisaExploitAdd")
    if not added:
        return ()
    due = text(cve, "cisaActionDue")
    return (
        Kev(
            cve=cve_id,
            date_added=a_date(added, "cisaExploitAdd"),
            due_date=a_date(due, "cisaActionDue") if due else None,
            name=one_line(text(cve, "cisaVulnerabilityName")),
            required_action=one_line(text(cve, "cisaRequiredAction"), 2000),
            source="nvd",
        ),
    )
