"""Compile the bundled facts in `data/facts/` from snapshots of public sources.

    python scripts/compile_facts.py --from ../shared/data --out data/facts

Facts only: ids, relations, packages, version ranges, dates, flags and vectors. No title, description, note or any
other sentence is copied. The output is documents that the normal intake reads; the same input gives the same bytes.

1. OSV databases that are taken whole, because part of a database would make its silence a lie, and one sample.
2. The newest KEV catalogue, each entry without its prose.
3. CVE records with CISA's own container alone: SSVC and KEV for the CVEs of 1 and 2, product ranges for those in KEV.

`data/SOURCES.md` says where each comes from and under which licence; its table of counts is rewritten here.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import zstandard

from clearway.records.advisory import Event
from clearway.records.errors import VersionUnreadableError
from clearway.versions import has_keys, intervals, key, scheme_of

ROOT = Path(__file__).resolve().parent.parent
# file in --from -> (what it is called in each row, its licence where a record does not state its own)
OSV = {
    "pypi": ("pypa/advisory-database", "CC-BY-4.0"),
    "crates.io": ("rustsec/advisory-db", "CC0-1.0"),
    "hex-erlang": ("erlef-cna/website", "CC-BY-4.0"),
    "haskell": ("haskell/security-advisories", "CC0-1.0"),
    "cran": ("RConsortium/r-advisory-database", "Apache-2.0"),
    "python-psf": ("psf/advisory-database", "CC-BY-4.0"),
    "ghsa-sample": ("github/advisory-database", "CC-BY-4.0"),
}
KEV = ("cisa.gov/known-exploited-vulnerabilities", "CC0-1.0")
VULNRICHMENT = ("cisagov/vulnrichment", "CC0-1.0")
VULNRICHMENT_FILES = ("vulnrichment-kev", "vulnrichment-2024", "vulnrichment-1999-2023")
CISA_ADP = "CISA-ADP"

JSON = dict[str, Any]


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--from", dest="source", type=Path, required=True, help="the folder of snapshots")
    parser.add_argument("--out", type=Path, default=ROOT / "data" / "facts")
    parser.add_argument("--sources", type=Path, default=ROOT / "data" / "SOURCES.md", help="counts go here")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    counts: dict[str, tuple[int, int]] = {}
    wanted: set[str] = set()
    for name, (source, licence) in OSV.items():
        rows = [osv_facts(record, source, licence) for record in lines(args.source / f"osv/{name}.jsonl.zst")]
        for row in rows:
            wanted.update(
                i for i in (row["id"], *row.get("aliases", ()), *row.get("upstream", ())) if is_cve(i)
            )
        counts[f"{name}.jsonl"] = write_lines(
            args.out / f"{name}.jsonl", sorted(rows, key=lambda row: str(row["id"]))
        )
    catalogue = newest_kev(args.source / "kev/kev.tar.zst")
    listed = {entry["cveID"] for entry in catalogue["vulnerabilities"]}
    counts["kev.json"] = write_kev(args.out / "kev.json", catalogue)
    chosen: dict[str, JSON] = {}
    for name in VULNRICHMENT_FILES:
        for record in lines(args.source / f"vulnrichment/{name}.jsonl.zst"):
            cve = record["cveMetadata"]["cveId"]
            if cve in wanted or cve in listed or name == "vulnrichment-kev":
                facts = cisa_facts(record, products=cve in listed or name == "vulnrichment-kev")
                if facts is not None:
                    chosen.setdefault(cve, facts)
    counts["vulnrichment.jsonl"] = write_lines(
        args.out / "vulnrichment.jsonl", [chosen[cve] for cve in sorted(chosen)]
    )
    for file, (rows_, size) in counts.items():
        print(f"{file:<20} {rows_:>6} rows {size / 1000:>8.0f} kB")
    total = sum(size for _, size in counts.values())
    print(f"{'in all':<20} {sum(n for n, _ in counts.values()):>6} rows {total / 1000:>8.0f} kB")
    note_counts(args.sources, {file: n for file, (n, _) in counts.items()})
    return 0


def lines(path: Path) -> Iterator[JSON]:
    """The records of a .jsonl.zst file."""
    with path.open("rb") as file, zstandard.ZstdDecompressor().stream_reader(file) as stream:
        for line in io.TextIOWrapper(stream, encoding="utf-8"):
            if line.strip():
                yield json.loads(line)


def is_cve(name: str) -> bool:
    return name.startswith("CVE-")


def osv_facts(record: JSON, source: str, licence: str) -> JSON:
    """An OSV record without its sentences."""
    specific = record.get("database_specific") or {}
    row: JSON = {"id": record["id"]}
    for name in ("modified", "published", "withdrawn"):
        if record.get(name):
            row[name] = record[name]
    for name in ("aliases", "related", "upstream"):
        if record.get(name):
            row[name] = record[name]
    row["affected"] = [affected_facts(item) for item in record.get("affected", ())]
    if record.get("severity"):
        row["severity"] = record["severity"]
    row["database_specific"] = {"source": source, "licence": specific.get("license") or licence}
    return row


def affected_facts(item: JSON) -> JSON:
    """One affected package: identity, ranges, severity vectors, and the versions that no range covers."""
    package = item.get("package")
    row: JSON = {}
    if package:
        row["package"] = {name: package[name] for name in ("ecosystem", "name", "purl") if package.get(name)}
    ranges = [
        {name: given[name] for name in ("type", "repo", "events") if given.get(name)}
        for given in item.get("ranges", ())
    ]
    if ranges:
        row["ranges"] = ranges
    versions = uncovered(item)
    if versions:
        row["versions"] = versions
    if item.get("severity"):
        row["severity"] = item["severity"]
    affects = (item.get("ecosystem_specific") or {}).get("affects") or {}
    narrowed = {name: affects[name] for name in ("arch", "os", "functions") if affects.get(name)}
    if narrowed:
        row["ecosystem_specific"] = {"affects": narrowed}
    informational = (item.get("database_specific") or {}).get("informational")
    if informational:  # RustSec: "unmaintained", "unsound" or "notice", and then no vulnerability
        row["database_specific"] = {"informational": informational}
    return row


def uncovered(item: JSON) -> list[str]:
    """The enumerated versions outside all ranges of the item; all of them where an order can't tell."""
    versions: list[str] = item.get("versions") or []
    scheme = scheme_of((item.get("package") or {}).get("ecosystem", ""))
    if not versions or not has_keys(scheme):
        return versions
    spans = []
    for given in item.get("ranges", ()):
        if given["type"] == "GIT":
            continue
        events = [Event(kind, version) for event in given["events"] for kind, version in event.items()]
        try:
            spans += [(span.lo, span.hi) for span in intervals(scheme, events)]
        except VersionUnreadableError:
            return versions
    return [version for version in versions if not covered(scheme, version, spans)]


def covered(scheme: str, version: str, spans: list[tuple[bytes, bytes]]) -> bool:
    """Whether the version lies in one of the spans, read as strictly as the matcher reads an inventory."""
    try:
        at = key(scheme, version)
    except VersionUnreadableError:
        return False
    return any(low <= at < high for low, high in spans)


def newest_kev(path: Path) -> JSON:
    """The JSON catalogue with the greatest `catalogVersion` in a .tar.zst file."""
    found: list[JSON] = []
    with (
        path.open("rb") as file,
        zstandard.ZstdDecompressor().stream_reader(file) as stream,
        tarfile.open(fileobj=stream, mode="r|") as tar,
    ):
        for member in tar:
            data = tar.extractfile(member)
            if data is not None and member.name.endswith(".json"):
                document = json.load(data)
                if "catalogVersion" in document:
                    found.append(document)
    return max(found, key=lambda document: str(document["catalogVersion"]))


KEV_PROSE = ("vulnerabilityName", "shortDescription", "requiredAction", "notes")


def write_kev(path: Path, catalogue: JSON) -> tuple[int, int]:
    """The catalogue without prose, one entry a line; returns rows and bytes.

    `dateReleased` is left out, so that CISA's own copy of this very version counts as the newer one.
    """
    source, licence = KEV
    kept = ("cveID", "vendorProject", "product", "dateAdded", "dueDate", "knownRansomwareCampaignUse", "cwes")
    rows = [
        {name: entry[name] for name in kept if entry.get(name)}
        | dict.fromkeys(KEV_PROSE, "")
        | {"source": source, "licence": licence}
        for entry in sorted(catalogue["vulnerabilities"], key=lambda e: (e["dateAdded"], e["cveID"]))
    ]
    head = {
        "catalogVersion": catalogue["catalogVersion"],
        "count": len(rows),
        "source": source,
        "licence": licence,
    }
    text = compact(head)[:-1] + ',"vulnerabilities":[\n' + ",\n".join(map(compact, rows)) + "\n]}\n"
    return len(rows), path.write_bytes(text.encode())


META_KEPT = ("cveId", "state", "datePublished", "dateReserved", "dateUpdated")


def cisa_facts(record: JSON, *, products: bool) -> JSON | None:
    """A CVE record with CISA's container alone; None where CISA says nothing that is a fact here.

    The CNA's content falls under other terms: of its container only the frame is here, in the
    name of CISA's ADP, who is the one that speaks in this record.
    """
    source, licence = VULNRICHMENT
    containers = []
    for adp in record["containers"].get("adp", ()):
        if adp["providerMetadata"].get("shortName") != CISA_ADP:
            continue
        metrics = [facts for metric in adp.get("metrics", ()) if (facts := metric_facts(metric))]
        affected = [product_facts(product) for product in adp.get("affected", ())] if products else []
        provider = {name: adp["providerMetadata"][name] for name in ("orgId", "shortName", "dateUpdated")}
        container: JSON = {"providerMetadata": provider, "title": "CISA ADP Vulnrichment", "metrics": metrics}
        if affected:
            container["affected"] = affected
        if metrics or affected:
            containers.append(container)
    if not containers:
        return None
    speaker = {name: containers[0]["providerMetadata"][name] for name in ("orgId", "shortName")}
    return {
        "dataType": record["dataType"],
        "dataVersion": record["dataVersion"],
        "cveMetadata": {
            name: record["cveMetadata"][name] for name in META_KEPT if name in record["cveMetadata"]
        },
        "containers": {"cna": {"providerMetadata": speaker}, "adp": containers},
        "source": source,
        "licence": licence,
    }


SSVC_KEPT = ("id", "role", "options", "version", "timestamp")
CVSS_KEPT = ("version", "vectorString", "baseScore", "baseSeverity")


def metric_facts(metric: JSON) -> JSON | None:
    """SSVC, KEV and CVSS values; None for anything else."""
    other: JSON = metric.get("other") or {}
    content: JSON = other.get("content") or {}
    if other.get("type") == "ssvc":
        return {"other": {"type": "ssvc", "content": {k: content[k] for k in SSVC_KEPT if k in content}}}
    if other.get("type") == "kev":
        return {"other": {"type": "kev", "content": {"dateAdded": content["dateAdded"]}}}
    for name in ("cvssV4_0", "cvssV3_1", "cvssV3_0", "cvssV2_0"):
        if name in metric:
            return {name: {k: metric[name][k] for k in CVSS_KEPT if k in metric[name]}}
    return None


def product_facts(product: JSON) -> JSON:
    names = (
        "vendor",
        "product",
        "packageName",
        "collectionURL",
        "packageURL",
        "cpes",
        "platforms",
        "modules",
    )
    row = {name: product[name] for name in (*names, "defaultStatus") if product.get(name)}
    versions = ("version", "status", "versionType", "lessThan", "lessThanOrEqual", "changes")
    row["versions"] = [{k: entry[k] for k in versions if k in entry} for entry in product.get("versions", ())]
    return row


def compact(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def write_lines(path: Path, rows: list[JSON]) -> tuple[int, int]:
    """One document a line; returns rows and bytes."""
    return len(rows), path.write_bytes("".join(compact(row) + "\n" for row in rows).encode())


def note_counts(path: Path, counts: dict[str, int]) -> None:
    """Put the row counts into the table of SOURCES.md: the second cell of the line that begins with the file."""
    if not path.exists():
        return
    text = []
    for line in path.read_text(encoding="utf-8").splitlines():
        cells = line.split("|")
        name = cells[1].strip().strip("`") if len(cells) > 2 else ""
        if name in counts:
            cells[2] = f" {counts[name]:,} "
            line = "|".join(cells)
        text.append(line)
    path.write_text("\n".join(text) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
