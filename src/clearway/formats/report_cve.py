"""An advisory as a CVE record (CVE Record Format 5.1), and its CNA container alone, which CVE Services takes.

https://github.com/CVEProject/cve-schema; https://github.com/CVEProject/cve-services
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clearway.records.errors import InputError

from .report_advisory import CVE
from .report_parts import encode, moment, severity

if TYPE_CHECKING:
    from .report_advisory import Advisory, Product

DATA_VERSION = "5.1"
_SEMVER = frozenset(("npm", "Go", "crates.io", "Hex"))
_REFERENCES = {"advisory": "vendor-advisory", "fix": "patch", "report": "issue-tracking", "evidence": "exploit",
               "article": "technical-description", "package": "product"}  # fmt: skip


def document(advisory: Advisory) -> bytes:
    """The whole record. The same advisory gives the same bytes.

    Raises:
        InputError: it has no CVE id, or its publisher no id of a CNA.
    """
    if not CVE.fullmatch(advisory.cve):
        raise InputError("it has no CVE id", where="cve", mend="request one first")
    if not advisory.publisher.org_id:
        raise InputError("the publisher is no CNA", where="org_id", mend="set [cna] org_id in cases.toml")
    meta: dict[str, Any] = {
        "cveId": advisory.cve,
        "assignerOrgId": advisory.publisher.org_id,
        "state": "PUBLISHED",
        "datePublished": moment(advisory.published),
        "dateUpdated": moment(advisory.modified),
    }
    if advisory.publisher.short_name:
        meta["assignerShortName"] = advisory.publisher.short_name
    return encode(
        {
            "dataType": "CVE_RECORD",
            "dataVersion": DATA_VERSION,
            "cveMetadata": meta,
            "containers": {"cna": container(advisory)},
        }
    )


def container(advisory: Advisory) -> dict[str, Any]:
    """The CNA container: what a CNA says of the flaw."""
    draft = advisory.draft
    made: dict[str, Any] = {
        "providerMetadata": {"orgId": advisory.publisher.org_id, "dateUpdated": moment(advisory.modified)},
        "title": draft.title,
        "datePublic": moment(advisory.published),
        "descriptions": [{"lang": "en", "value": _cut(draft.description, 4096)}],
        "affected": [_affected(p) for p in draft.products],
        "references": _references(advisory),
        "source": {"advisory": advisory.id, "discovery": "EXTERNAL"},
    }
    if advisory.publisher.short_name:
        made["providerMetadata"]["shortName"] = advisory.publisher.short_name
    if draft.cwe:
        made["problemTypes"] = [
            {"descriptions": [{"lang": "en", "description": draft.cwe, "cweId": draft.cwe, "type": "CWE"}]}
        ]
    if draft.vector:
        made["metrics"] = [{"format": "CVSS", **metric(draft.vector)}]
    for name, text in (("solutions", draft.solution), ("workarounds", draft.workaround)):
        if text:
            made[name] = [{"lang": "en", "value": _cut(text, 4096)}]
    if draft.credits:
        made["credits"] = [{"lang": "en", "value": c.name, "type": c.role} for c in draft.credits]
    if advisory.disputes:  # CVE rules, 4.2.13: a record that is disputed says so
        made["tags"] = ["disputed"]
        notes = "\n".join(f"{d.party} disputes this: {d.why}" for d in advisory.disputes)
        made["descriptions"].append({"lang": "en", "value": _cut(f"Disputed. {notes}", 4096)})
    return made


def metric(vector: str) -> dict[str, Any]:
    """A metric of CVSS by its version's name in CVE records, with its score and rating."""
    from .cvss_vector import score_of

    score = score_of(vector)
    four = vector.startswith("CVSS:4")
    return {
        "cvssV4_0" if four else "cvssV3_1": {
            "version": "4.0" if four else "3.1",
            "vectorString": vector,
            "baseScore": score,
            "baseSeverity": severity(score).upper(),
        }
    }


def _affected(product: Product) -> dict[str, Any]:
    """A package is named by its purl; the address of the index it is in is left out."""
    made: dict[str, Any] = {"defaultStatus": "unaffected" if product.introduced else "unknown"}
    made |= {"vendor": product.vendor or "n/a", "product": product.name}
    if product.purl:
        made["packageURL"] = product.purl
    kind = "semver" if product.ecosystem in _SEMVER else "python" if product.ecosystem == "PyPI" else "custom"
    versions: list[dict[str, Any]] = []
    if product.introduced:
        entry: dict[str, Any] = {"version": product.introduced, "status": "affected", "versionType": kind}
        if product.fixed:
            entry["lessThan"] = product.fixed
        elif product.last_affected:
            entry["lessThanOrEqual"] = product.last_affected
        else:
            entry["lessThan"] = "*"
        versions.append(entry)
    versions += [{"version": v, "status": "affected"} for v in product.versions]
    made["versions"] = versions
    return made


def _references(advisory: Advisory) -> list[dict[str, Any]]:
    """At least one is needed (CVE rules 4.5.3): the publisher's own page stands where the draft has none."""
    found: list[dict[str, Any]] = []
    seen: set[str] = set()
    for reference in advisory.draft.references:
        if reference.url in seen:
            continue
        seen.add(reference.url)
        tag = _REFERENCES.get(reference.kind)
        found.append({"url": reference.url, **({"tags": [tag]} if tag else {})})
    if not found:
        found.append({"url": advisory.publisher.namespace, "tags": ["third-party-advisory"]})
    return found


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"
