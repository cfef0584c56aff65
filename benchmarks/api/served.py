"""A home with people and one governed row, and a server process over it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from msgspec import Struct

from benchmarks._measure import ROOT
from clearway.access import audience, credential, organisation, person
from clearway.access.marking import own
from clearway.store.migrate import migrate
from clearway.store.principal import Pool
from clearway.store.server import lease

READERS = 50


class World(Struct, frozen=True):
    """Where it is, who may read, and what there is. `token` is an administrator's, `readers` are other people's."""

    url: str
    pool: Pool
    org: int
    aud: int
    webhook: int
    token: str
    readers: list[str]
    database_pid: int


@contextmanager
def world(home: Path) -> Iterator[World]:
    """A new home with one organisation, its people and one webhook."""
    with lease(home) as url:
        migrate(url)
        pool = Pool(url)
        try:
            with pool.owner() as db:
                organisation.add(db, "house", "House", "clearinghouse")
                org = organisation.add(db, "bench", "Bench", "operator").org
                aud = audience.of(db, own(org))
                admin = person.add(db, org, "administrator", ("administrator",))
                row = db.execute(
                    "insert into clearway.webhook (org, aud, person, url) values (%s, %s, %s, 'https://example.org/') "
                    "returning webhook",
                    (org, aud, admin.person),
                ).fetchone()
                assert row is not None
                readers = [person.add(db, org, f"reader {n}", ("operator",)).person for n in range(READERS)]
                tokens = [_token(db, one) for one in (admin.person, *readers)]
                (pid,) = db.execute("select pg_backend_pid()").fetchone() or (0,)
            yield World(url, pool, org, aud, row[0], tokens[0], tokens[1:], _parent(pid))
        finally:
            pool.close()


def _token(db: Any, who: int) -> str:
    made = credential.make_token(
        db, who, label="bench", scopes=None, life=timedelta(days=1), now=datetime.now(UTC)
    )
    return made.secret


def _parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


@contextmanager
def server(made: World) -> Iterator[tuple[int, int]]:
    """Its port and process id."""
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'src'}"}
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.api.under_test", made.url],
        stdout=subprocess.PIPE, text=True, env=environment,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        yield int(line.strip().rstrip("/").rpartition(":")[2]), process.pid
    finally:
        time.sleep(0.5)  # for what the load left behind
        process.terminate()
        process.wait(timeout=20)
        if process.stdout is not None:
            process.stdout.close()
