"""An advisory as an OSV record (schema 1.7). https://ossf.github.io/osv-schema/

The id has the schema's prefix for databases that it does not list ("x_CWC-7Q4K-9M2X"). Products that are in none of its
ecosystems are left out: OSV can't name them, and CSAF and CVE do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .report_parts import encode, moment, severity

if TYPE_CHECKING:
    from .report_advisory import Advisory, Product

SCHEMA_VERSION = "1.7.0"
# OSV schema, `affected[].package.ecosystem`, without suffixes.
ECOSYSTEMS = frozenset(
    ("AlmaLinux", "Alpine", "Android", "Azure Linux", "BellSoft Hardened Containers", "Bioconductor", "Bitnami",
     "Chainguard", "CleanStart", "ConanCenter", "CRAN", "crates.io", "Debian", "Echo", "FreeBSD", "GHC",
     "GitHub Actions", "Go", "Hackage", "Hex", "Julia", "Kubernetes", "Linux", "Mageia", "Maven", "MinimOS", "npm",
     "NuGet", "opam", "openEuler", "openSUSE", "OSS-Fuzz", "Packagist", "Photon OS", "Pub", "PyPI", "Red Hat",
     "Rocky Linux", "RubyGems", "SUSE", "SwiftURL", "TuxCare", "Ubuntu", "VSCode", "Wolfi")
)  # fmt: skip
_SEMVER = frozenset(("npm", "Go", "crates.io", "Hex", "SwiftURL", "GitHub Actions"))


def document(advisory: Advisory) -> bytes:
    """The record; the same advisory gives the same bytes."""
    draft = advisory.draft
    details = [draft.description]
    details += [
        f"{head}\n\n{text}"
        for head, text in (("Solution", draft.solution), ("Workaround", draft.workaround))
        if text
    ]
    record: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "id": osv_id(advisory.id),
        "modified": moment(advisory.modified),
        "published": moment(advisory.published),
        "aliases": [advisory.cve] if advisory.cve else [advisory.id],
        "summary": draft.title,
        "details": "\n\n".join(details),
        "affected": [_affected(p) for p in draft.products if in_osv(p)],
        "references": [{"type": r.kind.upper(), "url": r.url} for r in draft.references],
        "credits": [{"name": c.name, "type": c.role.upper().replace(" ", "_")} for c in draft.credits],
    }
    if draft.vector:
        kind = "CVSS_V4" if draft.vector.startswith("CVSS:4") else "CVSS_V3"
        record["severity"] = [{"type": kind, "score": draft.vector}]
    specific: dict[str, Any] = {"publisher": advisory.publisher.name}
    if advisory.cve:
        specific["case"] = advisory.id
    if draft.cwe:
        specific["cwe_ids"] = [draft.cwe]
    if draft.vector:
        specific["severity"] = severity(_score(draft.vector)).upper()
    if advisory.disputes:
        specific["disputed_by"] = [
            {"party": d.party, "why": d.why, "at": moment(d.at)} for d in advisory.disputes
        ]
    record["database_specific"] = specific
    return encode({k: v for k, v in record.items() if v or k in ("affected",)})


def osv_id(case: str) -> str:
    """The record's id for a case's handling id."""
    return f"x_{case}"


def in_osv(product: Product) -> bool:
    """Whether OSV has a word for the product's ecosystem."""
    return bool(product.name) and product.ecosystem.partition(":")[0] in ECOSYSTEMS


def _affected(product: Product) -> dict[str, Any]:
    package = {"ecosystem": product.ecosystem, "name": product.name}
    if product.purl:
        package["purl"] = product.purl
    made: dict[str, Any] = {"package": package}
    if product.introduced:
        events = [{"introduced": product.introduced}]
        events += [{"fixed": product.fixed}] if product.fixed else []
        events += [{"last_affected": product.last_affected}] if product.last_affected else []
        kind = "SEMVER" if product.ecosystem in _SEMVER else "ECOSYSTEM"
        made["ranges"] = [{"type": kind, "events": events}]
    if product.versions:
        made["versions"] = list(product.versions)
    return made


def _score(vector: str) -> float | None:
    from .cvss_vector import score_of

    return score_of(vector)
