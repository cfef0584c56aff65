"""The benchmarks behind the README's figures. Each prints a ratio to a named yardstick from the same run.

A benchmark is a module with `run() -> dict` of `name`, `rows` and `goals`; a goal is
`{goal, limit, value, unit, ok}` with `ok` None where its data or peer is absent.
"""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

NAMES = (
    "match", "intake", "query", "keys", "markings", "ledger", "jobs", "api", "fleet", "reports", "validate", "dedup",
    "leases", "desk",
)  # fmt: skip


def machine() -> dict[str, Any]:
    """What it ran on."""
    model = ""
    try:
        with Path("/proc/cpuinfo").open() as file:
            model = next(
                (line.partition(":")[2].strip() for line in file if line.startswith("model name")), ""
            )
    except OSError:
        pass
    return {"cores": len(os.sched_getaffinity(0)), "cpu": model, "python": platform.python_version()}


def run(names: Sequence[str], *, as_json: bool) -> int:
    """Runs the benchmarks, prints each, and returns 1 when a goal is missed (a skipped one is not missed)."""
    missed = 0
    for name in names:
        result = {"name": name, "machine": machine(), **import_module(f"benchmarks.{name}").run()}
        missed += sum(goal["ok"] is False for goal in result["goals"])
        print(json.dumps(result) if as_json else _readable(result), flush=True)
    return 1 if missed else 0


def _readable(result: dict[str, Any]) -> str:
    lines = [f"{result['name']} on {result['machine']['cores']} cores, {result['machine']['cpu']}"]
    for row in result["rows"]:
        lines.append("  " + ", ".join(f"{k} {_number(v)}" for k, v in row.items()))
    for goal in result["goals"]:
        word = {True: "met   ", False: "MISSED", None: "skipped"}[goal["ok"]]
        lines.append(
            f"  {word} {goal['goal']}: {_number(goal['value'])} {goal['unit']} (limit {goal['limit']})"
        )
    return "\n".join(lines)


def _number(value: object) -> str:
    return f"{value:,.4g}" if isinstance(value, float) else f"{value}"


if __name__ == "__main__":
    sys.exit(run(NAMES, as_json=False))
