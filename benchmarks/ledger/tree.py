"""Proofs and verification in logs of growing size. Entries are loaded with COPY; the sequencer places them."""

from __future__ import annotations

import hashlib
import os
import random
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from clearway.ledger import tree_store as tree
from clearway.ledger.bundle import Bundle
from clearway.ledger.leaf import STRIDE, content_hash, header_hash
from clearway.ledger.merkle import leaf_hash, verify_inclusion
from clearway.ledger.sequencer import integrate_all, signer_of
from clearway.ledger.stored import Stored, export_to, snapshot
from clearway.ledger.verify import verify
from clearway.store.connect import connect

PROOFS = 1_000
_COPY = (
    "copy clearway.log_entry (aud, actor, credential, act, subject, at, header_salt, content, content_salt, "
    "header_hash, content_hash) from stdin (format binary)"
)
_TYPES = ["int4", "int4", "int4", "text", "text", "timestamptz", "bytea", "text", "bytea", "bytea", "bytea"]


def run(url: str, folder: Path, steps: Sequence[int], rows: list[dict[str, Any]]) -> tuple[float, float]:
    """Adds its rows; the p99 of a proof in ms and entries verified a second, both at the largest size."""
    p99 = rate = 0.0
    with connect(url, autocommit=True) as db:
        signer = signer_of(db, folder / "log-home")
        for size in steps:
            have = integrate_all(db, signer).size
            _load(db, size - have)
            begun = time.perf_counter()
            added = integrate_all(db, signer).added
            sequenced = added / (time.perf_counter() - begun)
            p50, p99 = _proofs(db, size)
            rows.append({
                "row": f"tree of {size:,}", "sequenced_per_s": round(sequenced), "proof_p50_ms": round(p50, 3),
                "proof_p99_ms": round(p99, 3), "proofs": PROOFS, "checked": "each proof verified against the root",
            })  # fmt: skip
            rate = _verify(db, folder, size, rows)
    return p99, rate


def _load(db: Any, count: int) -> None:
    """`count` entries as the database would write them, header and content committed to."""
    header = '{"act":"asset.added","actor":0,"at":"2026-11-25T12:00:00.000000Z","credential":0,"subject":"asset/%d"}'
    content = '{"environment":"production","name":"gateway"}'
    at = db.execute("select timestamptz '2026-11-25 12:00Z'").fetchone()[0]
    with db.transaction(), db.cursor() as cursor, cursor.copy(_COPY) as copy:
        copy.set_types(_TYPES)
        for n in range(count):
            salts = os.urandom(64)
            one, other = salts[:32], salts[32:]
            copy.write_row((0, 0, 0, "asset.added", f"asset/{n}", at, one, content, other,
                            header_hash(one, header % n), content_hash(other, content)))  # fmt: skip
    db.execute("analyze clearway.log_entry")


def _proofs(db: Any, size: int) -> tuple[float, float]:
    """p50 and p99 in ms of making one inclusion proof from the database's tiles."""
    root = tree.root(db, size)
    chance = random.Random(14409)  # noqa: S311 - to choose, not to hide
    times = []
    for _ in range(PROOFS):
        leaf = chance.randrange(size)
        begun = time.perf_counter()
        proof = tree.inclusion(db, leaf, size)
        times.append((time.perf_counter() - begun) * 1000)
        verify_inclusion(leaf_hash(tree.leaf_bytes(db, leaf)), leaf, size, proof, root)
    times.sort()
    return times[PROOFS // 2], times[int(PROOFS * 0.99)]


def _verify(db: Any, folder: Path, size: int, rows: list[dict[str, Any]]) -> float:
    rate = 0.0
    for opened in (False, True):
        path = folder / f"log-{size}-{opened}.zip"  # an export is written over nothing
        begun = time.perf_counter()
        export_to(db, path, opened=opened)
        exported = time.perf_counter() - begun
        begun = time.perf_counter()
        with Bundle(path) as bundle:
            report = verify(bundle)
        took = time.perf_counter() - begun
        assert report.ok
        assert report.size == size
        assert report.opened == (2 * size if opened else 0)
        bare = _bare(size, hashes=4 if opened else 2)
        rows.append({
            "row": f"verify {size:,} from a file, " + ("headers and contents opened" if opened else "hashes only"),
            "entries_per_s": round(size / took), "s": round(took, 3), "of_hashlib_alone": round(bare / took, 3),
            "export_s": round(exported, 2), "file_mib": round(path.stat().st_size / 2**20, 1),
            "checked": f"{size:,} leaves, {report.checkpoints} signed roots, {report.opened:,} parts of entries",
        })  # fmt: skip
        rate = rate or size / took
    begun = time.perf_counter()
    with snapshot(db):
        report = verify(Stored(db, whole=True))
    took = time.perf_counter() - begun
    assert report.ok
    rows.append({
        "row": f"verify {size:,} in the database", "entries_per_s": round(size / took), "s": round(took, 3),
        "checked": f"{size:,} leaves, {report.checkpoints} signed roots, {report.opened:,} parts of entries",
    })  # fmt: skip
    return rate


def _bare(size: int, *, hashes: int) -> float:
    """Seconds that hashlib alone takes for as many hashes of a leaf's length."""
    data = bytes(STRIDE)
    sha256 = hashlib.sha256
    begun = time.perf_counter()
    for _ in range(size * hashes):
        sha256(data).digest()
    return time.perf_counter() - begun
