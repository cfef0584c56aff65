"""A small world of OSV records, with the table that its compilation would give, for tests of the API."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from clearway.advisories.record_source import Ref
from clearway.advisories.table import Flaw, RecordNote
from tablefile import claim, write_table

CLEAN = "example-clean"
MANY = 2_345  # records about one package, so that answers need pages
COMMIT = "6879efc2c1596d11a6a6ad296f80063b558d5e0f"


def osv(record: str, ecosystem: str, name: str, fixed: str, **more: Any) -> bytes:
    """An OSV record as a source would write it: with its own spacing."""
    return json.dumps(
        {
            "schema_version": "1.6.0",
            "id": record,
            "modified": "2026-01-02T03:04:05Z",
            "summary": f"flaw in {name}",
            "affected": [
                {
                    "package": {"ecosystem": ecosystem, "name": name},
                    "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": fixed}]}],
                }
            ],
            **more,
        },
        indent=1,
    ).encode()


# Whether affected at the versions that tests ask for, by record: (ecosystem, name, fixed).
RECORDS = {
    "PYSEC-TEST-1": ("PyPI", "example-web", "2.0.1"),
    "GHSA-test-0002": ("PyPI", "example-web", "1.5"),
    "PYSEC-TEST-3": ("PyPI", "example-zope-thing", "3.0"),
    "GHSA-test-0004": ("npm", "@scope/example", "4.17.21"),
    "TEST-5": ("Maven", "org.example:core", "2.15.0"),
}
MAIN_ALIASES = {"PYSEC-TEST-1": ["CVE-2026-0001"]}


def records() -> dict[Ref, bytes]:
    """Every OSV record by (source, id)."""
    found: dict[Ref, bytes] = {}
    for record, (ecosystem, name, fixed) in RECORDS.items():
        aliases = {"aliases": MAIN_ALIASES[record]} if record in MAIN_ALIASES else {}
        found["test", record] = osv(record, ecosystem, name, fixed, **aliases)
    found["test", "OSV-TEST-8"] = osv("OSV-TEST-8", "OSS-Fuzz", "example", "1")
    for number in range(MANY):
        record = f"MANY-{number:05}"
        found["test", record] = osv(record, "PyPI", "example-many", "9")
    return found


def table(path: Path, *, content: str = "one", only: frozenset[str] | None = None) -> Path:
    """The table of this world at `path`, of the records in `only` where given."""
    from clearway.records.ecosystem import normal_name

    packages: dict[tuple[str, str], list[Any]] = {}
    notes = []
    for record, (ecosystem, name, fixed) in RECORDS.items():
        if only is not None and record not in only:
            continue
        own = claim(record, "test", ecosystem, ("introduced", "0"), ("fixed", fixed))
        packages.setdefault((ecosystem, normal_name(ecosystem, name)), []).append(own)
        notes.append(
            RecordNote(record, "test", "osv", modified="2026-01-02T03:04:05Z", packages=((ecosystem, name),))
        )
    if only is None:
        for number in range(MANY):
            record = f"MANY-{number:05}"
            own = claim(record, "test", "PyPI", ("introduced", "0"), ("fixed", "9"))
            packages.setdefault(("PyPI", "example-many"), []).append(own)
            notes.append(RecordNote(record, "test", "osv", modified="2026-01-02T03:04:05Z"))
        packages["PyPI", "example-unread"] = [
            claim("PYSEC-TEST-6", "test", "PyPI", unread="a range of the source can't be ordered")
        ]
        # A CVE record about a package, and one of a commercial product only.
        packages["PyPI", "example-cve"] = [
            claim("CVE-2026-0007", "cve:test", "PyPI", ("introduced", "1.0"), ("last_affected", "1.9"))
        ]
        packages["commit", COMMIT] = [claim("OSV-TEST-8", "test", "commit", listed=[COMMIT])]
        notes += [
            RecordNote(
                "CVE-2026-0007",
                "cve:test",
                "cve",
                published="2026-02-01T00:00:00Z",
                modified="2026-02-03T00:00:00Z",
                packages=(("PyPI", "example-cve"), ("vendor", "example/product")),
                title="flaw in example-cve",
            ),
            RecordNote("OSV-TEST-8", "test", "osv", modified="2026-02-04T00:00:00Z"),
        ]
    flaws = [
        Flaw("CVE-2026-0001", ("CVE-2026-0001", "PYSEC-TEST-1"), records=(("test", "PYSEC-TEST-1"),)),
        Flaw("CVE-2026-0007", ("CVE-2026-0007", "GHSA-test-0007"), records=(("cve:test", "CVE-2026-0007"),)),
    ]
    return write_table(
        path, packages, notes=notes, flaws=flaws, covers=("PyPI", "npm", "Maven"), content=content
    )
