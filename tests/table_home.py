"""A home with a compiled table and no database, for commands that answer from the table alone."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

from clearway.advisories.compile import compile_whole
from clearway.advisories.table import TABLE_FILE
from clearway.advisories.vendors import bundled
from clearway.formats import osv
from clearway.records.advisory import Kev
from world import MemorySnapshot, record

HOSTILE = "evil\x1b[31m\x9b2J\u202egpj\r\nname"


def make(home: Path) -> Path:
    """Writes the table: two sources on one flaw, one in KEV, one bundle, one hostile text; covers PyPI."""
    records: list[dict[str, Any]] = [
        record("PYSEC-2026-1", "PyPI", "alpha", {"introduced": "0"}, {"fixed": "1.5"}, aliases=["CVE-2026-1001"]),
        record(
            "GHSA-2222-3333-4444",
            "PyPI",
            "alpha",
            {"introduced": "1.0"},
            {"fixed": "1.6"},
            aliases=["CVE-2026-1001"],
            severity=[{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}],
        ),
        record(
            "PYSEC-2026-2", "PyPI", "beta", {"introduced": "0"}, {"last_affected": "2.0"}, aliases=["CVE-2026-1002"]
        ),
        record("PYSEC-2026-3", "PyPI", "gamma", versions=["1.0", "1.1"]),
        record("PYSEC-2026-4", "PyPI", "odd", {"introduced": "0"}, summary=HOSTILE),
        record("ALSA-2026:1", "AlmaLinux:8", "delta", {"introduced": "0"}, {"fixed": "1.0-1.el8"},
               related=["CVE-2026-1002", "CVE-2026-1003"]),
    ]  # fmt: skip
    listed = Kev(
        cve="CVE-2026-1001",
        date_added=date(2026, 6, 15),
        due_date=date(2026, 7, 6),
        catalogue="2026.07.01",
        source="cisa-kev",
    )
    read = [*(osv.advisory(r) for r in records), listed]
    path = home / TABLE_FILE
    path.parent.mkdir(parents=True)
    compile_whole(MemorySnapshot(read, bundled()), path, built="2026-11-25T00:00:00Z")  # type: ignore[arg-type]
    return home


def sbom(*purls: str, name: str = "", **more: Any) -> bytes:
    """A CycloneDX document of these packages."""
    components = [{"type": "library", "name": name or p, "version": "1", "purl": p} for p in purls]
    return json.dumps(
        {"bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1, "components": components, **more}
    ).encode()
