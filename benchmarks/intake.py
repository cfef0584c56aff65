"""Taking in every shared feed with one command: speed, memory, the unchanged re-run, and the compiled table.

The yardstick is reading alone: strict JSON over the same records, by the standard library, in one
process. Records are documents and KEV entries; EPSS rows are counted apart, since 221,000 of
them would flatter the figure.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from clearway.advisories.keep import Keeper
from clearway.formats.archive import Blob, walk
from clearway.formats.strict_json import loads
from clearway.records.clock import SystemClock
from clearway.records.errors import ClearwayError
from clearway.store import server

from . import _measure as measure

FOLDERS = (
    "osv",
    "kev",
    "vulnrichment",
    "csaf",
    "epss",
    "vex",
    "cpe-overrides",
    "other-intake/eef-cna-cve-records.tar.zst",
)
_ONE = {
    "id": "PYSEC-2026-900001",
    "modified": "2026-11-25T00:00:00Z",
    "aliases": ["CVE-2026-900001"],
    "affected": [
        {
            "package": {"ecosystem": "PyPI", "name": "django"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "99.0"}]}],
        }
    ],
}


def run() -> dict[str, Any]:
    """The rows and goals; skipped where the shared data is absent."""
    data = measure.shared_data()
    texts = (
        ("records a second, everything new, EPSS rows not counted", 2_000, "records/s", True),
        ("peak memory of any process", 1_024, "MiB", False),
        ("records a second, everything unchanged, EPSS rows not counted", 10_000, "records/s", True),
        ("the compiled table rebuilt", 3.0, "s", False),
        ("the compiled table after one new advisory", 0.1, "s", False),
    )
    if data is None:
        return {"rows": [], "goals": [measure.goal(t, n, None, u, least=m) for t, n, u, m in texts]}
    with tempfile.TemporaryDirectory(prefix="clearway-bench-") as folder:
        home = Path(folder) / "home"
        paths = [data / f for f in FOLDERS]
        rows = []
        figures: list[float] = []
        for word in ("new", "unchanged"):
            out = Path(folder) / f"{word}.json"
            found = measure.process([*measure.program(), "--home", home, "ingest", "--json", *paths], out=out)
            counts = json.loads(out.read_text())
            scores = sum(counts["by_source"].get("first-epss", {}).values())
            records = counts["read"] - scores
            rows.append({"run": word, "records": records, "epss_rows": scores, "wall_s": found.wall_s,
                         "cpu_s": found.cpu_s, "records_per_s": records / found.wall_s,
                         "peak_mib": found.peak_mib, "set_aside": counts["set_aside"]})  # fmt: skip
            figures += [records / found.wall_s, found.peak_mib]
        read_s, read = _reading_alone(data)
        rows.append({"yardstick": "strict JSON alone, one process", "records": read, "wall_s": read_s,
                     "intake_ratio": rows[0]["wall_s"] / read_s})  # fmt: skip
        whole, one = _tables(home, Path(folder))
        rows.append({"table": "whole", "s": whole})
        rows.append({"table": "one new advisory", "s": one})
        rows += _growth(data, Path(folder))
        values = (figures[0], max(figures[1], figures[3]), figures[2], whole, one)
        goals = [measure.goal(t, n, v, u, least=m) for (t, n, u, m), v in zip(texts, values, strict=True)]
    return {"rows": rows, "goals": goals}


def _reading_alone(data: Path) -> tuple[float, int]:
    begun = time.perf_counter()
    read = 0
    for piece in walk([data / f for f in FOLDERS]):
        if isinstance(piece, Blob) and piece.data[:1] == b"{":
            try:
                loads(piece.data, piece.place)
            except ClearwayError:
                continue
            read += 1
    return time.perf_counter() - begun, read


def _tables(home: Path, folder: Path) -> tuple[float, float]:
    """Seconds to compile everything, and to follow one new advisory; medians of five, without the intake itself."""
    whole, one = [], []
    with server.lease(home) as url, Keeper(url, home, SystemClock()) as keeper:
        for number in range(5):
            begun = time.perf_counter()
            keeper.take_in([], rebuild=True)
            whole.append(time.perf_counter() - begun)
            advisory = folder / f"one-{number}.json"
            advisory.write_text(json.dumps({**_ONE, "id": f"PYSEC-2026-90000{number}"}))
            begun = time.perf_counter()
            keeper.take_in([str(advisory)])
            one.append(time.perf_counter() - begun)
    return statistics.median(whole), statistics.median(one)


def _growth(data: Path, folder: Path) -> list[dict[str, Any]]:
    """New records of one feed in steps of ten."""
    lines = [
        p.data for p in walk([data / "vulnrichment" / "vulnrichment-2024.jsonl.zst"]) if isinstance(p, Blob)
    ]
    rows = []
    before = 0.0
    for count in (200, 2_000, 20_000):
        feed = folder / f"{count}.jsonl"
        feed.write_bytes(b"\n".join(lines[:count]))
        home = folder / f"home-{count}"
        subprocess.run([*measure.program(), "--home", home, "--quiet", "ingest", data / "kev"],
                       check=True, stdout=subprocess.DEVNULL)  # fmt: skip
        found = measure.process([*measure.program(), "--home", home, "--quiet", "ingest", feed])
        rows.append(
            {"records": count, "wall_s": found.wall_s, "times": found.wall_s / before if before else None}
        )
        before = found.wall_s
    return rows
