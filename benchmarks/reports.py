"""Reports that come in: each sealed under a key of its own, judged by its gates, logged, answered by a signed receipt.

One call with many reports, at three sizes, and one report a call as a program sends them. The yardstick is what no
intake can do without: the same findings as bare rows with their entry in the log, in the same kind of transaction.
PostgreSQL and the vault sync as they do in use.
"""

from __future__ import annotations

import base64
import json
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any

from benchmarks._measure import goal
from clearway.access import credential, organisation, person
from clearway.findings import kept
from clearway.findings.desk_key import DeskKey
from clearway.findings.intake import receipt, submit
from clearway.findings.vault import Vault
from clearway.store.migrate import migrate
from clearway.store.principal import Pool
from clearway.store.server import lease

SIZES = (10, 100, 1_000)
SINGLE = 100
A_MINUTE = 1_000  # submissions with receipts
GROWTH = 12.0  # ten times as many in twelve times the time, at most


def run() -> dict[str, Any]:
    """The rows, and the goals of reports."""
    with tempfile.TemporaryDirectory() as folder, lease(Path(folder) / "home") as url:
        migrate(url)
        home = Path(folder) / "home"
        desk = submit.Desk(Vault.of_home(home), DeskKey.of_home(home))
        with Pool(url) as pool:
            org, key = _reporter(pool)
            _in_one_call(pool, key, desk, org, 1, "warm-up")
            rows: list[dict[str, Any]] = []
            took: dict[int, float] = {}
            for size in SIZES:
                took[size] = _timed(partial(_in_one_call, pool, key, desk, org, size, f"of {size}"))
                bare = _timed(partial(_bare, pool, key, org, size))
                rows.append(
                    {
                        "row": "in one call", "reports": size, "s": took[size],
                        "a minute": size / took[size] * 60, "to bare rows": took[size] / bare,
                    }
                )  # fmt: skip
            single = sum(
                _timed(partial(_in_one_call, pool, key, desk, org, 1, f"single {n}")) for n in range(SINGLE)
            )
            rows.append(
                {"row": "one a call", "reports": SINGLE, "s": single, "a minute": SINGLE / single * 60}
            )
    slowest = min(float(row["a minute"]) for row in rows)
    worst = max(took[b] / took[a] for a, b in pairwise(SIZES))
    return {
        "rows": rows,
        "goals": [
            goal("submissions with receipts, the slowest way", A_MINUTE, slowest, "a minute", least=True),
            goal("time for ten times as many, the worst step", GROWTH, worst, "times"),
        ],
    }


def _reporter(pool: Pool) -> tuple[int, str]:
    now = datetime.now(UTC)
    with pool.owner() as owner:
        organisation.add(owner, "house", "House", "clearinghouse")
        org = organisation.add(owner, "lab", "Lab", "lab").org
        who = person.add(owner, org, "Finder", ("finder",), kind="service")
        made = credential.make_token(
            owner, who.person, label="bench", scopes=None, life=timedelta(days=1), now=now
        )
    return org, made.key


def _in_one_call(pool: Pool, key: str, desk: submit.Desk, org: int, count: int, what: str) -> None:
    reports = [_report(f"{what}: {n}") for n in range(count)]
    body = json.dumps(reports if count > 1 else reports[0]).encode()
    with pool.acting(key) as db:
        made = submit.submit(db, desk, org, body)
    assert len(made.taken) == count, made.set_aside
    assert all(taken.new and taken.state == "queued" for taken in made.taken)
    receipt.verified(made.taken[-1].receipt.encode(), [desk.key.public])


def _bare(pool: Pool, key: str, org: int, count: int) -> None:
    with pool.acting(key) as db:
        aud = kept.audience_of(db, org)
        for n in range(count):
            digest = sha256(f"bare {count} {n}".encode()).digest()
            kept.add(db, kept.NewFinding(org=org, digest=digest, format="bench", title="bare"), aud=aud)


def _timed(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def _report(title: str) -> dict[str, Any]:
    why = "looked at, and it is not so: see the trace"
    shapes = ("test-code", "trusted-input", "harness-only", "not-in-release", "documented", "debug-build")
    return {
        "schema": "urn:clearway:schema:finding:1",
        "title": title,
        "description": "A string without its end is read beyond the buffer. " * 20,
        "affected": {"purl": "pkg:pypi/example@1.7.15"},
        "place": {"file": "src/parse.c", "line": 117, "function": "parse_string"},
        "cwe": "CWE-125",
        "severity": "high",
        "trace": [
            {"role": "source", "file": "src/parse.c", "line": 12, "function": "parse"},
            {"role": "sink", "file": "src/parse.c", "line": 117, "function": "parse_string"},
        ],
        "reproduction": {"release": "1.7.15", "steps": "feed poc.json to parse() of a fresh installation"},
        "ruled_out": [{"shape": shape, "why": why} for shape in shapes],
        "provenance": {"finders": [{"name": "bench"}]},
        "files": [{"name": "poc.json", "kind": "input", "data": base64.b64encode(b"A" * 2_000).decode()}],
    }
