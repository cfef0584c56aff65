"""The API under load: authorised reads of one governed row, live events, how soon the server is up, what it holds.

Reads go through everything that a request meets: the guard, rate limits, the transaction of `clearway_app` with its
principal, the row-level policy, JSON and an entity tag. The yardstick is the same read of the same row in the same
server without any of that: public, as the owner, no policy. Both are asked over 24 and over 240
connections: fewer do not keep a worker busy.

What is measured: one server process (one worker, eight threads for requests) with its database and the client, all on
this machine, the client asking anew on each connection as soon as it is answered: the latencies are those of a server
that is never idle. `per_s` and the percentiles are what the client saw. Beside them stands the processor time a request
of each of the three (`server_cpu_us`, `database_cpu_us`, `client_cpu_us`): on two cores the rate can't be more than two
million over their sum. Other work on the machine changes the rate, and the processor times too: waking a thread costs
more on a core that sleeps than on a busy one.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks._measure import goal

from . import load, processes
from .live import follow
from .served import World, server, world

SECONDS = 6
CONNECTIONS = (24, 240)
CLIENTS = 500
EVENTS = 200
READS = 2_500.0
P99_MS = 20.0
READY_S = 2.0
RESIDENT_MIB = 400.0


def run() -> dict[str, Any]:
    """The rows, and the goals of the API."""
    with tempfile.TemporaryDirectory(prefix="clearway-bench-") as folder:
        with world(Path(folder) / "home") as made, server(made) as (port, pid):
            rows = _reads(made, port, pid)
            live = asyncio.run(follow(made, port, CLIENTS, EVENTS))
            held = processes.resident_mib(pid) + processes.resident_mib(made.database_pid)
        up = _up(Path(folder) / "up")
    first = next(row for row in rows if row["row"] == f"authorised, {CONNECTIONS[0]} connections")
    rows += [live, {"row": "server and database after it", "resident_mib": round(held, 1)}, up]
    return {
        "rows": rows,
        "goals": [
            goal("authorised reads, one worker", READS, first["per_s"], "a second", least=True),
            goal("their p99", P99_MS, first["p99_ms"], "ms"),
            goal(f"events lost by {CLIENTS} live clients", 0, live["lost"], "events"),
            goal("`clearway up` ready, data there", READY_S, up["ready_s"], "s"),
            goal("resident, server and database", RESIDENT_MIB, max(held, up["resident_mib"]), "MiB"),
        ],
    }


def _reads(made: World, port: int, pid: int) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    path = f"/api/v1/webhooks/{made.webhook}"
    load.ask(port, path, made.token, CONNECTIONS[0], 1)  # warm
    for connections in CONNECTIONS:
        bare = _asked(made, port, pid, f"/bare/{made.webhook}", "", connections)
        ours = _asked(made, port, pid, path, made.token, connections)
        rows.append({"row": f"without any of it, {connections} connections", **bare})
        rows.append(
            {
                "row": f"authorised, {connections} connections",
                **ours,
                "of_yardstick": round(ours["per_s"] / bare["per_s"], 3),
            }
        )
    rows[-1]["growth_over_10x"] = round(rows[-1]["per_s"] / rows[1]["per_s"], 3)
    return rows


def _asked(made: World, port: int, pid: int, path: str, token: str, connections: int) -> dict[str, Any]:
    """What `load` measured, and the processor time a request of the server and of the database."""
    time.sleep(1)  # what the run before left in work must not count against this one
    server, database = processes.cpu_s(pid), processes.children_cpu_s(made.database_pid)
    found = load.ask(port, path, token, connections, SECONDS)
    server, database = processes.cpu_s(pid) - server, processes.children_cpu_s(made.database_pid) - database
    each = 1e6 / (found["per_s"] * SECONDS)
    return {**found, "server_cpu_us": round(server * each), "database_cpu_us": round(database * each)}


def _up(home: Path) -> dict[str, Any]:
    """The real server on a home with the bundled facts: seconds to its ready line, best of three, and what it holds."""
    processes.once(["--home", str(home), "--quiet", "demo"])
    best, held = float("inf"), 0.0
    for _ in range(3):
        begun = time.perf_counter()
        with processes.serving(["--home", str(home), "up", "--port", "0"]) as pid:
            best = min(best, time.perf_counter() - begun)
            held = max(held, processes.resident_mib(pid))
    return {"row": "clearway up", "ready_s": round(best, 3), "resident_mib": round(held, 1)}
