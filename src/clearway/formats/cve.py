"""CVE records (CVE JSON 5.x) to `Advisory`. https://github.com/CVEProject/cve-schema

The CNA's and each ADP's words stay apart: `Affected.source`, `Score.source` and `Ssvc.source` name the provider
("cve:redhat", "cve:cisa-adp"). Whoever writes a record can call a container CISA's: one that has not CISA's id in the
CVE Program is of the source that its own id names, and the record says so (`Advisory.notes`).
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from clearway.records.advisory import Advisory, Affected, Kev, Score, Ssvc
from clearway.records.errors import InputError

from . import _packages
from ._cve_versions import Said, default_status, read_versions
from ._fields import a_date, a_list, an_id, an_object, moment, number, objects, one_line, strings, text
from ._ssvc import read_ssvc
from ._version_text import NOTHING
from .nvd_cpe import configured

CVE_ID = re.compile(r"CVE-\d{4}-\d{4,19}", re.ASCII)
_ADVISORY_ID = re.compile(r"[A-Za-z][\w.:-]{3,80}", re.ASCII)
# CISA's ids in the CVE Program (`providerMetadata.orgId`) under each of its names: what it adds to records of others
# (Vulnrichment), and its two numbering authorities.
CISA = {
    "cve:cisa-adp": "134c704f-9b21-4f2e-91b3-4a467353bcc0",
    "cve:cisa-cg": "9119a7d8-5eab-497f-8521-727c672e3725",
    "cve:icscert": "7d14cffa-0d7d-4270-9dc0-52cabd5a23a6",
}
_CVSS = {"cvssV2_0": "CVSS_V2", "cvssV3_0": "CVSS_V3", "cvssV3_1": "CVSS_V3", "cvssV4_0": "CVSS_V4"}


def advisory(record: dict[str, Any]) -> Advisory:
    """What the record says, of every provider.

    `modified` is the latest of the record's and its providers' dates: an ADP may speak last.

    Raises:
        InputError: no CVE id or state, or a field of the wrong type.
    """
    meta = an_object(record.get("cveMetadata"), "cveMetadata")
    cve = an_id(meta, "cveId")
    if not CVE_ID.fullmatch(cve):
        raise InputError(f"`cveMetadata.cveId` is {cve!r}", mend="use CVE-YYYY-NNNN")
    state = text(meta, "state")
    if state not in ("PUBLISHED", "REJECTED"):
        raise InputError(f"`cveMetadata.state` is {one_line(state, 30)!r}", mend="use PUBLISHED or REJECTED")
    containers = an_object(record.get("containers"), "containers")
    cna = an_object(containers.get("cna"), "containers.cna")
    voices = [(source_of(cna, meta), cna)]
    voices += [(source_of(adp, {}), adp) for adp in objects(containers, "adp")]
    affected: list[Affected] = []
    scores: list[Score] = []
    ssvc: list[Ssvc] = []
    kev: list[Kev] = []
    references: list[str] = []
    notes: list[str] = []
    modified = moment(meta, "dateUpdated")
    for source, container in voices:
        if (name := _name(container, meta if container is cna else {})) != source:
            notes.append(
                f"a container calls itself {name} and has not CISA's id: it is shown as {source}, and no SSVC decision "
                "and no KEV listing is taken from it"
            )
        for product in objects(container, "affected"):
            affected.extend(_affected(product, source))
        for configuration in objects(container, "cpeApplicability"):
            affected.extend(configured(configuration, source))
        updated = _updated(container)
        for metric in objects(container, "metrics"):
            _metric(metric, cve, source, updated, scores, ssvc, kev)
        references.extend(text(item, "url") for item in objects(container, "references") if item.get("url"))
        modified = max(filter(None, (modified, updated)), default=None)
    related = [text(cna, "x_replacedBy"), *strings(cna, "replacedBy"), *_discovery(cna)]
    return Advisory(
        id=cve,
        source=voices[0][0],
        format="cve",
        related=tuple(dict.fromkeys(item for item in related if item and item != cve)),
        title=one_line(text(cna, "title")),
        published=moment(meta, "datePublished"),
        modified=modified,
        withdrawn=(moment(meta, "dateRejected") or modified) if state == "REJECTED" else None,
        rejected=state == "REJECTED",
        # CVE record format, `tags`; the reasons are in prose.
        disputes=tuple((source, "") for source, container in voices if _disputed(container)),
        affected=tuple(affected),
        scores=tuple(scores),
        ssvc=tuple(ssvc),
        kev=tuple(kev),
        references=tuple(dict.fromkeys(references)),
        notes=tuple(dict.fromkeys(notes)),
    )


def _disputed(container: dict[str, Any]) -> bool:
    tags = container.get("tags")
    return isinstance(tags, list) and "disputed" in tags


def source_of(container: dict[str, Any], meta: dict[str, Any]) -> str:
    """ "cve:" and the provider's short name in lower case; its id where the name is CISA's and the id is not."""
    name = _name(container, meta)
    org = text(an_object(container.get("providerMetadata"), "providerMetadata"), "orgId").lower()
    return name if CISA.get(name, org) == org else _source(org)


def _name(container: dict[str, Any], meta: dict[str, Any]) -> str:
    provider = an_object(container.get("providerMetadata"), "providerMetadata")
    return _source(text(provider, "shortName") or text(meta, "assignerShortName") or text(provider, "orgId"))


def _source(name: str) -> str:
    return f"cve:{one_line(name, 60).replace(' ', '-').lower() or 'unnamed'}"


def _updated(container: dict[str, Any]) -> datetime | None:
    return moment(an_object(container.get("providerMetadata"), "providerMetadata"), "dateUpdated")


def _discovery(cna: dict[str, Any]) -> list[str]:
    """Advisory ids under `source.advisory`: where the CNA learnt of it, hence related and no alias."""
    source = cna.get("source")
    if not isinstance(source, dict):
        return []
    named = source.get("advisory")
    values = named if isinstance(named, list) else [named]
    return [
        v for v in values if isinstance(v, str) and _ADVISORY_ID.fullmatch(v) and any(c.isdigit() for c in v)
    ]


def _affected(product: dict[str, Any], source: str) -> list[Affected]:
    """One `Affected` a status. Products that are named nowhere ("n/a") and carry nothing else are left out."""
    vendor, name = _named(product, "vendor"), _named(product, "product")
    purl = text(product, "packageURL")
    package = text(product, "packageName")
    ecosystem, package_name = _packages.from_purl(purl)
    if not ecosystem:
        ecosystem, package_name = _packages.from_collection(text(product, "collectionURL"), package)
    cpes = strings(product, "cpes")
    repo = text(product, "repo")
    if not (vendor or name or purl or package or cpes or repo):
        return []
    conditions = [f"module={m}" for m in _short(a_list(product, "modules"))]
    conditions += [f"routine={text(r, 'name')}" for r in objects(product, "programRoutines")[:20]]
    default = default_status(product)
    said = read_versions(product, default) or {"affected": Said([], [], [])}
    return [
        Affected(
            ecosystem=ecosystem,
            name=package_name,
            vendor="" if ecosystem else vendor,
            product="" if ecosystem else name or package,
            purl=purl,
            status=status,
            ranges=tuple(what.ranges),
            versions=tuple(what.versions),
            cpes=cpes,
            platforms=_short(a_list(product, "platforms")),
            conditions=tuple(conditions),
            source=source,
            default=default,
            unread=tuple(dict.fromkeys(what.unread)),
        )
        for status, what in said.items()
    ]


def _short(values: list[Any]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one_line(v, 100) for v in values[:50] if isinstance(v, str) and v.strip()))


def _named(product: dict[str, Any], key: str) -> str:
    value = one_line(text(product, key), 200)
    return "" if value.lower() in NOTHING else value


def _metric(
    metric: dict[str, Any],
    cve: str,
    source: str,
    updated: datetime | None,
    scores: list[Score],
    ssvc: list[Ssvc],
    kev: list[Kev],
) -> None:
    dated = updated.date().isoformat() if updated else ""
    for key, system in _CVSS.items():
        if key in metric:
            data = an_object(metric[key], key)
            scores.append(
                Score(
                    system=system,
                    vector=text(data, "vectorString"),
                    score=number(data, "baseScore"),
                    rating=text(data, "baseSeverity"),
                    source=source,
                    dated=dated,
                )
            )
    other = an_object(metric.get("other"), "metrics[].other")
    kind = text(other, "type")
    content = other.get("content")
    if kind.lower().startswith("ssvc"):
        if (decision := read_ssvc(cve, content, source)) is not None:
            ssvc.append(decision)
    elif kind == "kev":
        added = text(an_object(content, "kev content"), "dateAdded")
        if added:
            kev.append(Kev(cve=cve, date_added=a_date(added, "dateAdded"), source=source))
    elif isinstance(content, dict):
        rating = content.get("value") or content.get("text") or content.get("other")
        if isinstance(rating, str) and len(rating) <= 40:
            scores.append(
                Score(system=one_line(kind, 80), rating=one_line(rating), source=source, dated=dated)
            )
