"""The log: acts a second that are logged and durable, how soon they are in the tree, proofs, and verification.

An *act* is one transaction, committed with `synchronous_commit` on: it takes the application's role and a principal,
inserts one row, and writes its entry. The writers are pgbench, two threads and as many connections as a server
process has, which is 16; rows say how it is with 4 and 40. The sequencer runs beside them and signs. The yardstick is
the same without the log, in the same run. A row says where several acts share a commit. Verification is held against
hashing the same bytes with hashlib alone.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from clearway.store.migrate import migrate
from clearway.store.server import lease

from .. import _measure as measure
from . import tree, writers

STEPS = (10_000, 100_000, 1_000_000)


def run() -> dict[str, Any]:
    """The rows and the four goals of the log."""
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="clearway-bench-") as folder:
        home = Path(folder) / "home"
        with lease(home) as url:
            migrate(url)
            acts, soon = writers.run(url, home, rows)
        with lease(Path(folder) / "large") as url:
            migrate(url)
            proof, verified = tree.run(url, Path(folder), STEPS, rows)
    return {
        "rows": rows,
        "goals": [
            measure.goal(
                "acts a second, logged and durable, one a commit", 5_000, acts, "acts/s", least=True
            ),
            measure.goal("from commit to a leaf under a signed root, p99 under that load", 200, soon, "ms"),
            measure.goal(f"inclusion proof from {STEPS[-1]:,} entries, p99", 5, proof, "ms"),
            measure.goal(
                "offline verification, hashes and signatures", 200_000, verified, "entries/s", least=True
            ),
        ],
    }
