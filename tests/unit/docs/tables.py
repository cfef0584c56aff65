"""The tables in `docs/` that are made from the code's own lists.

`python tests/unit/docs/tables.py` writes them anew between their markers; a test holds them to it.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, get_args

from clearway.advisories.record_source import MemoryRecords
from clearway.app.cli import EXIT_CODES
from clearway.app.server import build
from clearway.app.workspace import Workspace
from clearway.exposure import reading
from clearway.formats import (
    asset_list,
    observed,
    packages,
    product_list,
    scanner_csv,
    strict_json,
    windows_software,
)
from clearway.formats.archive import Limits
from clearway.formats.detect import RECORD_KINDS
from clearway.formats.purl_identity import _NAMED, _PATHED
from clearway.records.errors import ClearwayError
from clearway.records.finding import Basis
from clearway.versions import MAX_LENGTH, _ecosystems

ROOT = Path(__file__).resolve().parents[3]
REGISTER = ROOT / "src" / "clearway" / "advisories" / "data" / "sources.json"
BLOCK = re.compile(r"(<!-- table:(?P<name>[a-z-]+) -->\n).*?(<!-- /table -->)", re.DOTALL)


def _grid(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows]) + "\n"


def _code(words: tuple[str, ...] | list[str]) -> str:
    return ", ".join(f"`{w}`" for w in words)


def sources() -> str:
    """The register of sources: what the silence of each covers."""
    rows = []
    for name, entry in sorted(json.loads(REGISTER.read_text("utf-8"))["sources"].items()):
        least = entry.get("least", 1)
        covers = ", ".join(entry.get("covers", ())) or "nothing by itself"
        rows.append((f"`{name}`", entry["title"], covers, f"{least:,}" if least > 1 else "any"))
    return _grid(("source", "is", "covers", "from this many records on"), rows)


def purls() -> str:
    """Which purl types name a package of which ecosystem, where one type is one ecosystem."""
    rows: dict[str, list[str]] = {}
    for kind, ecosystem in {**_NAMED, **_PATHED}.items():
        rows.setdefault(ecosystem, []).append(kind)
    return _grid(("ecosystem", "purl type"), [(e, _code(rows[e])) for e in sorted(rows, key=str.casefold)])


def orders() -> str:
    """The version order of each ecosystem."""
    rows = [(f"`{scheme}`", names) for scheme, names in _ecosystems._BY_SCHEME.items()]
    return _grid(("order", "ecosystems"), rows)


_RECORDS = {
    "osv": "OSV 1.x",
    "cve": "CVE JSON 5.x: the CNA's container and each ADP's, apart",
    "csaf": "CSAF 2.0 and 2.1: one advisory for each vulnerability",
    "csaf-vex": "CSAF of the VEX profile: advisories and VEX statements",
    "kev-json": "CISA's KEV catalogue, JSON",
    "kev-csv": "CISA's KEV catalogue, CSV",
    "epss-csv": "FIRST's EPSS scores, CSV",
    "openvex": "OpenVEX 0.0.x to 0.2.0",
    "cyclonedx-vex": "CycloneDX whose vulnerabilities carry an analysis",
    "nvd-cpe": "NVD's API 2.0 shape: CPE configurations",
}
_INVENTORIES = {
    "purls": "purls, one a line",
    "purls-json": "a JSON list of purls",
    "requirements.txt": "pip requirements; only `==` pins a version",
    "uv.lock": "uv",
    "poetry.lock": "Poetry",
    "Cargo.lock": "Cargo",
    "package-lock.json": "npm, `lockfileVersion` 1 to 3",
    "go.sum": "Go",
    "go.mod": "Go",
    "dpkg-status": "Debian's and Ubuntu's `/var/lib/dpkg/status`",
}


def records() -> str:
    """The formats that `ingest` reads."""
    return _grid(("kind", "is"), [(f"`{kind}`", _RECORDS[kind]) for kind in RECORD_KINDS])


def lists() -> str:
    """The package lists and lock files that `match` reads."""
    return _grid(("kind", "is"), [(f"`{kind}`", _INVENTORIES[kind]) for kind in packages.MODULES])


def columns() -> str:
    """The columns of a product list and the headings by which they are known."""
    rows: dict[str, list[str]] = {}
    for heading, column in product_list._HEADERS.items():
        rows.setdefault(column, []).append(heading)
    return _grid(("column", "headings"), [(c, ", ".join(h)) for c, h in rows.items()])


_FLEET = {
    "trivy-json": "Trivy, `--format json`: image, file system, repository, cluster",
    "grype-json": "Grype, `-o json`",
    "osv-scanner-json": "OSV-Scanner, `--format json`",
    "dependabot-json": "Dependabot's alerts, as GitHub's REST API lists them",
    "osquery": "osquery: rows of a table, tables by name, or the result log of scheduled queries",
    "windows-json": "the registry's Uninstall keys or Get-Package, `ConvertTo-Json`",
    "windows-csv": "the same, `Export-Csv`; `wmic product get /format:csv`",
    "winget-export": "`winget export --include-versions`",
    "winget-list": "what `winget list` prints",
    "nmap-xml": "nmap, `-sV -oX`",
    "nessus-xml": "Nessus, `.nessus`",
    "greenbone-xml": "Greenbone (OpenVAS), XML report",
    "scanner-csv": "CSV of asset, cve, first_detected: Nessus, Tenable, Qualys, Greenbone, or by hand",
    "asset-list": "CSV of assets: owner, environment, exposure, end of support",
}


def fleet() -> str:
    """What agents and scanners write of a fleet."""
    rows = [
        (f"`{kind}`", _FLEET[kind], "yes" if kind in observed.WITH_COMPONENTS else "")
        for kind in observed.READERS
    ]
    return _grid(("kind", "is", "`clearway match` reads it"), rows)


def _headings(named: dict[str, tuple[str, ...]]) -> str:
    return _grid(("column", "headings"), [(column, ", ".join(titles)) for column, titles in named.items()])


def detections() -> str:
    """The columns of a scanner's CSV."""
    return _headings(scanner_csv.HEADINGS)


def assets() -> str:
    """The columns of a list of assets that a scanner's CSV does not have, or has in fewer spellings."""
    own = {c: t for c, t in asset_list.HEADINGS.items() if t != scanner_csv.HEADINGS.get(c)}
    return _headings(own)


def windows() -> str:
    """The columns of an export of installed software of Windows."""
    return _headings(windows_software.HEADINGS)


_BASES = {
    "range": "the version lies in a range that the source states",
    "listed": "the source lists the version",
    "vendor_range": "a commercial product, by the reviewed vendor map, in the vendor's own range",
    "commit": "a git commit or tag that the source lists",
    "vex": "a VEX statement decided",
    "possible_cpe": "the CPE agrees; possible only, so the verdict is `unknown`",
    "possible_name": "vendor and product agree by text and nobody reviewed it; possible only, so `unknown`",
    "generic_order": "in a range, by the fallback order: the ecosystem's own is not known",
    "unstated": "the source names other versions of the product and does not speak of this one",
    "none": "no match was made",
}


def bases() -> str:
    """The words of a finding's basis."""
    return _grid(("basis", "means"), [(f"`{word}`", _BASES[word]) for word in get_args(Basis)])


_CODES = {
    "internal": "a defect of Clearway",
    "usage": "the command or request is wrong",
    "config": "a setting or the machine is wrong, or nothing is loaded yet",
    "precondition-required": "a change that does not say which version it changes",
    "idempotency-mismatch": "an idempotency key came again with another request",
    "unauthenticated": "who asks is not known",
    "forbidden": "who asks is known, and may not",
    "not-found": "nothing of that name is here",
    "cursor-invalid": "a place in a list that is not this reader's, or no longer",
    "conflict": "somebody else holds it, or it changed",
    "precondition-failed": "it changed since this caller read it",
    "too-many-requests": "the caller has had its share for now",
    "upstream": "a database, feed or file system failed",
    "busy": "it works, and took longer than somebody would wait",
    "disk-full": "the database's disk is full",
    "outside": "a server that is not part of this installation does not answer as it should",
    "outdated": "the database's tables are those of a newer release: upgrade, and start again",
    "integrity": "stored data does not verify",
    "input-invalid": "a document or record can't be used",
    "input-too-large": "over a bound that protects this process",
    "version-unreadable": "no order is defined for this version text",
}


def family(base: type[ClearwayError] = ClearwayError) -> list[type[ClearwayError]]:
    """The error family, parents first; a child that only has its parent's code is no row of its own."""
    below = [e for child in base.__subclasses__() for e in family(child)]
    return [base, *below] if "code" in vars(base) else below


def errors() -> str:
    """The error family with its exit codes."""
    rows = [(f"`{e.code}`", str(EXIT_CODES[e.code]), _CODES[e.code]) for e in family()]
    return _grid(("code", "exit code", "means"), rows)


def bounds() -> str:
    """What protects the process from its input."""
    limits = Limits()
    rows = [
        ("one inventory", f"{reading.MAX_BYTES >> 20} MiB"),
        ("one record, member of an archive or line, in intake", f"{limits.member_bytes >> 20} MiB"),
        ("unpacked to packed, from 128 MiB on", f"{limits.ratio} to 1"),
        ("members of one archive", f"{limits.members:,}"),
        ("archives in archives", f"{limits.nesting}"),
        ("levels of JSON, in intake", f"{strict_json.MAX_DEPTH}"),
        ("a version text", f"{MAX_LENGTH:,} characters"),
        ("a TOML lock file", f"{packages.MAX_TOML_BYTES >> 20} MiB"),
        ("a cell of a product list", f"{product_list.MAX_FIELD_CHARS:,} characters"),
    ]
    return _grid(("of", "at most"), rows)


_PARAMETER = re.compile(r"\{([^}:]+)(?::[^}]+)?\}")
_SPEAKING = {
    "/api/v1/openapi.json": "the OpenAPI 3.1 document",
    "/static/{name}": "style, script and icons; kept by the browser under names that change with them",
}


@cache
def handled() -> list[tuple[str, tuple[str, ...], Any]]:
    """(method, paths, handler) of every route of the whole workspace, as its application has them."""
    nowhere = Path("no-home")
    workspace = Workspace(
        nowhere, "postgresql://nobody@127.0.0.1:1/none"
    )  # nothing is asked of a database here
    try:
        app = build(nowhere / "no-table", MemoryRecords({}), workspace=workspace).framework
    finally:
        workspace.close()
    found: dict[tuple[str, int], tuple[str, list[str], Any]] = {}
    for route in app.routes:
        for handler in getattr(route, "route_handlers", ()):
            for method in handler.http_methods - {"OPTIONS", "HEAD"}:
                kept = found.setdefault((method, id(handler.fn)), (method, [], handler))
                kept[1].append(_PARAMETER.sub(r"{\1}", route.path))
    return [
        (method, tuple(sorted(paths, key=lambda p: (p.endswith((".json", ".csv")), p))), handler)
        for method, paths, handler in found.values()
    ]


def _routes(pages: bool) -> str:
    rows = []
    for method, paths, handler in handled():
        if pages == paths[0].startswith(("/api/", "/v1/", "/health/")):
            continue
        if paths[0].startswith("/api/v1") and "openapi" in str(handler.name or ""):
            paths = ("/api/v1/openapi.json", "/api/v1")
        also = f", also {_code(list(paths[1:]))}" if len(paths) > 1 else ""
        public = handler.opt.get("public") is True or paths[0] == "/api/v1/openapi.json"
        who = "public" if public else str(handler.opt.get("right", "nobody"))
        told = _SPEAKING.get(paths[0]) or getattr(handler, "summary", None) or handler.fn.__doc__ or ""
        line = told.strip().partition("\n")[0].rstrip(".").replace("|", "/")
        rows.append((f"`{method} {paths[0]}`{also}", who, line))
    rows.sort(key=lambda row: (row[0].partition(" ")[2].partition("`")[0], row[0]))
    return _grid(("method and path", "who", "answers"), rows)


def routes() -> str:
    """Every route for programs."""
    return _routes(pages=False)


def pages() -> str:
    """Every route of the pages."""
    return _routes(pages=True)


TABLES: dict[str, Callable[[], str]] = {
    "sources": sources,
    "purls": purls,
    "orders": orders,
    "records": records,
    "lists": lists,
    "columns": columns,
    "fleet": fleet,
    "detections": detections,
    "assets": assets,
    "windows": windows,
    "bases": bases,
    "errors": errors,
    "bounds": bounds,
    "routes": routes,
    "pages": pages,
}


def documents() -> list[Path]:
    """Every page of the documentation."""
    return sorted(ROOT.glob("*.md")) + sorted((ROOT / "docs").rglob("*.md"))


def renewed(text: str) -> str:
    """`text` with its marked tables made anew."""
    return BLOCK.sub(lambda m: m[1] + TABLES[m["name"]]() + m[3], text)


if __name__ == "__main__":
    for page in documents():
        before = page.read_text("utf-8")
        after = renewed(before)
        if after != before:
            page.write_text(after, "utf-8")
            sys.stdout.write(f"{page.relative_to(ROOT)} written\n")
