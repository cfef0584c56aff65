"""What a box costs over the bare program, beside plain bubblewrap in the same minutes.

Each round starts the same small program bare, in plain bubblewrap (all namespaces unshared, /usr read-only, nothing
else: no filter, no limits, no control group, nothing handed back) and in a box of ours, so that all three meet the same
machine. The overhead is the median of the differences within a round.
"""

from __future__ import annotations

import shutil
import statistics
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from clearway.records.errors import ClearwayError
from clearway.sandbox import Backend, Limits, Run, Segment, backend, range_of

ROUNDS = 60
_OVERHEAD = ("a box over the bare program, median", 12.0, "ms")
_RATIO = ("a box against plain bubblewrap, which bounds nothing", 2.5, "times")
_TRUE = "/bin/true"
_PLAIN = [
    *("bwrap", "--unshare-all", "--die-with-parent", "--new-session", "--ro-bind", "/usr", "/usr"),
    *("--symlink", "usr/bin", "/bin", "--symlink", "usr/lib", "/lib", "--symlink", "usr/lib64", "/lib64"),
    *("--proc", "/proc", "--dev", "/dev", "--tmpfs", "/work", "--chdir", "/work", _TRUE),
]


def run() -> dict[str, Any]:
    """The rows and the two goals; without bubblewrap the goals are not judged."""
    try:
        made = backend("bubblewrap")
        made.run(Run(argv=(_TRUE,)))
    except ClearwayError as error:
        goals = [_goal(*_OVERHEAD, None), _goal(*_RATIO, None)]
        return {"rows": [{"row": "skipped", "why": str(error)}], "goals": goals}
    first = overhead(made)
    rows = [first, *_inputs(made), *_threads(made), *_ranges()]
    return {
        "rows": rows,
        "goals": [
            _goal(*_OVERHEAD, first["added_ms"]),
            _goal(*_RATIO, round(first["box_ms"] / first["plain_ms"], 2)),
        ],
    }


def overhead(made: Backend, rounds: int = ROUNDS) -> dict[str, Any]:
    """One row: medians of the bare program, of plain bubblewrap and of a box, and what a box adds, in milliseconds."""
    bare, plain, box = [], [], []
    for _ in range(rounds):
        bare.append(_timed(lambda: subprocess.run([_TRUE], check=True)))
        plain.append(_timed(lambda: subprocess.run(_PLAIN, check=True, env={"PATH": "/usr/bin:/bin"})))
        box.append(_timed(lambda: made.run(Run(argv=(_TRUE,)))))
    return {
        "row": "one run",
        "bare_ms": _median(bare),
        "plain_ms": _median(plain),
        "box_ms": _median(box),
        "added_ms": _median([b - a for a, b in zip(bare, box, strict=True)]),
        "best_added_ms": round(min(box) - min(bare), 2),
    }


def _inputs(made: Backend) -> list[dict[str, Any]]:
    """A file of 10 KB to 10 MB, put in and handed back."""
    rows = []
    for size in (10_000, 100_000, 1_000_000, 10_000_000):
        asked = Run(argv=(_TRUE,), inputs={"proof": b"x" * size}, keep=("proof",))
        took = _median([_timed(partial(made.run, asked)) for _ in range(10)])
        rows.append({"row": f"a file of {size:,} bytes, in and back", "ms": took})
    return rows


def _threads(made: Backend) -> list[dict[str, Any]]:
    rows = []
    for threads in (1, 2, 4):
        with ThreadPoolExecutor(threads) as pool:
            begun = time.perf_counter()
            list(pool.map(lambda _: made.run(Run(argv=(_TRUE,))), range(60)))
            took = time.perf_counter() - begun
        rows.append({"row": f"{threads} at a time", "per_s": round(60 / took, 1)})
    return rows


def _ranges() -> list[dict[str, Any]]:
    if shutil.which("ip", path="/usr/sbin:/usr/bin:/sbin:/bin") is None:
        return []
    rows = []
    for count in (2, 3, 5):
        hosts = tuple(f"h{n}" for n in range(count))
        lan = Segment("lan", {name: f"10.0.0.{n + 1}/24" for n, name in enumerate(hosts)})
        up, down, inside = [], [], []
        for _ in range(5):
            begun = time.perf_counter()
            made = range_of(hosts, [lan], limits=Limits(memory_mib=64))
            up.append((time.perf_counter() - begun) * 1000)
            inside += [_timed(lambda it=made: it.hosts["h0"].exec(Run(argv=(_TRUE,)))) for _ in range(3)]  # type: ignore[misc]
            down.append(_timed(made.close))
        rows.append(
            {
                "row": f"a range of {count} hosts",
                "up_ms": _median(up),
                "exec_ms": _median(inside),
                "down_ms": _median(down),
            }
        )
    return rows


def _timed(what: Callable[[], object]) -> float:
    begun = time.perf_counter()
    what()
    return (time.perf_counter() - begun) * 1000


def _median(values: list[float]) -> float:
    return round(statistics.median(values), 2)


def _goal(name: str, limit: float, unit: str, value: float | None) -> dict[str, Any]:
    return {
        "goal": name,
        "limit": limit,
        "value": value,
        "unit": unit,
        "ok": None if value is None else value <= limit,
    }


if __name__ == "__main__":
    import json

    print(json.dumps(run(), indent=2))
