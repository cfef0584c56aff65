"""Reproducers of planted flaws, grouped by what patches silence; beside whole-stack hashes and top-3 frames.

Every proof is run for its crash state, as a validation has done before, and then cross-run with its program's twenty
patches. Precision and recall are of pairs, against the planted truth. Names of functions come from the program's
symbols once for all runs; the boxes run unsymbolised.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Hashable, Mapping
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from typing import Any

from clearway.findings.dedup.silence import Survey, survey
from clearway.findings.validate import recipe as r
from clearway.findings.validate.build import Builder, Built
from clearway.findings.validate.crash import CrashState, state_of
from clearway.findings.validate.files import Given
from clearway.findings.validate.trial import Shown, trial
from clearway.records.errors import ConfigError
from clearway.sandbox import Backend, Limits, Run, backend

from .._measure import goal
from . import programs

EACH = 20  # reproducers of each flaw: 1,000 of fifty
WORKERS = len(os.sched_getaffinity(0))
LIMITS = Limits(cpu_s=2.0, wall_s=10.0)
_OFFSET = re.compile(rb"\s+\((?:/[^\s()+]*/)?target\+(0x[0-9a-f]+)\)")


class Program:
    """One program with all its builds, its reproducers, and what was found of them."""

    def __init__(self, box: Backend, builder: Builder, number: int) -> None:
        self.box, self.number = box, number
        self.proofs = {f"{number}/{n}": one for n, one in enumerate(programs.inputs(EACH, number))}
        self.plain = _build(builder, programs.source(number))
        self.patched = {p.name: _build(builder, programs.source(number, p)) for p in programs.patches()}
        self.states: dict[str, CrashState] = {}
        self.answers: dict[tuple[str, str], bool | None] = {}
        self.survey: Survey | None = None

    def find_states(self) -> None:
        """Runs each proof on the flawed build; one look at the symbols for all of them."""
        reports = {name: self._run(self.plain, data).report for name, (data, _) in self.proofs.items()}
        offsets = sorted({o for report in reports.values() for o in _OFFSET.findall(report)})
        asked = [b"%#x" % (int(o, 16) - 1) for o in offsets]  # a return address: the call is before it
        done = subprocess.run(
            ["addr2line", "-f", "-e", str(self.plain.folder / "target")],
            input=b"\n".join(asked), capture_output=True, check=True,
        )  # fmt: skip
        functions = dict(zip(offsets, done.stdout.splitlines()[::2], strict=True))
        for name, report in reports.items():
            said = _OFFSET.sub(lambda m: b" in " + functions[m[1]] + b" (target)", report)
            state = state_of(said)
            if state is None:
                raise RuntimeError(f"reproducer {name} does not fire")
            self.states[name] = state

    def cross(self, only: Mapping[str, str] | None = None) -> Survey:
        """Cross-runs proofs and patches; answers are remembered."""
        return survey(only or self.keys(), list(self.patched), self.silences)

    def keys(self) -> dict[str, str]:
        """The crash state's key of each proof."""
        return {name: state.key for name, state in self.states.items()}

    def silences(self, patch: str, proof: str) -> bool | None:
        """Whether a proof is silent on a patched build."""
        if (patch, proof) not in self.answers:
            shows = self._run(self.patched[patch], self.proofs[proof][0]).seen.shows
            self.answers[patch, proof] = {"silent": True, "fires": False}.get(shows)
        return self.answers[patch, proof]

    def _run(self, built: Built, data: bytes) -> Shown:
        digest = sha256(data).hexdigest()
        command = r.Command(argv=("target", "in"), files={"in": digest})
        return trial(self.box, built, command, r.Sanitizer(), Given(data), LIMITS)


def run() -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Rows and goals; goals are skipped where no box can be made."""
    try:
        box = backend()
        box.run(Run(argv=("/bin/true",)))
    except ConfigError as error:
        return [{"row": f"no box: {error}"}], _goals(None, None, None)
    with tempfile.TemporaryDirectory(prefix="clearway-bench-") as place:
        Path(place).chmod(0o755)
        return _measured(box, Builder(box, Path(place) / "built"))


def _measured(box: Backend, builder: Builder) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    with ThreadPoolExecutor(WORKERS) as pool:
        begun = time.perf_counter()
        found = list(pool.map(lambda n: Program(box, builder, n), range(programs.PROGRAMS)))
        built = time.perf_counter()
        list(pool.map(Program.find_states, found))
        stated = time.perf_counter()
        surveys = list(pool.map(Program.cross, found))
        crossed = time.perf_counter()
    # A tenth of the reproducers, from what the whole has shown already: the runs that it would take.
    tenth = [dict(list(p.keys().items())[:: EACH // 2]) for p in found]
    few = [p.cross(only) for p, only in zip(found, tenth, strict=True)]
    truth = {name: (p.number, flaw) for p in found for name, (_, flaw) in p.proofs.items()}
    runs = sum(s.runs for s in surveys)
    whole = len(truth) * len(programs.patches())
    took = crossed - stated
    methods: dict[str, dict[str, Hashable]] = {
        "what patches silence": {
            name: (n, g)
            for n, s in enumerate(surveys)
            for g, group in enumerate(s.groups())
            for name in group
        },
        "whole stack hash": {name: (p.number, s.stack_key) for p in found for name, s in p.states.items()},
        "top-3 frames": {name: (p.number, s.key) for p in found for name, s in p.states.items()},
    }
    rows: list[dict[str, Any]] = []
    scores = {}
    for method, groups in methods.items():
        precision, recall = of_pairs(groups, truth)
        scores[method] = precision, recall
        rows.append(
            {"row": f"groups by {method}", "reproducers": len(truth), "flaws": len(set(truth.values())),
             "groups": len(set(groups.values())), "precision": round(precision, 4), "recall": round(recall, 4)}
        )  # fmt: skip
    rows += [
        {"row": "builds", "programs": len(found), "builds": len(found) * (1 + len(programs.patches())),
         "s": round(built - begun, 1)},
        {"row": "crash states", "runs": len(truth), "s": round(stated - built, 1)},
        {"row": f"cross-run of {len(truth):,} x {len(programs.patches())}", "runs": runs, "of": whole,
         "share": round(runs / whole, 3), "s": round(took, 1), "ms_a_run": round(took / runs * 1000, 1),
         "all_would_take_s": round(took / runs * whole, 0)},
        {"row": f"cross-run of {sum(map(len, tenth)):,} x {len(programs.patches())}", "runs": sum(s.runs for s in few),
         "of": sum(map(len, tenth)) * len(programs.patches())},
    ]  # fmt: skip
    return rows, _goals(*scores["what patches silence"], took)


def of_pairs(groups: Mapping[str, Hashable], truth: Mapping[str, Hashable]) -> tuple[float, float]:
    """Precision and recall of the pairs that a grouping puts together."""

    def pairs(counts: Counter[Any]) -> int:
        return sum(n * (n - 1) // 2 for n in counts.values())

    together = pairs(Counter((groups[name], truth[name]) for name in truth))
    said, true = pairs(Counter(groups[n] for n in truth)), pairs(Counter(truth.values()))
    return together / said if said else 1.0, together / true


def _goals(precision: float | None, recall: float | None, took: float | None) -> list[dict[str, Any]]:
    return [
        goal("precision of pairs", 0.99, precision, "", least=True),
        goal("recall of pairs", 0.95, recall, "", least=True),
        goal("cross-run of 1,000 reproducers x 20 patches", 300, took, "s"),
    ]


def _build(builder: Builder, source: bytes) -> Built:
    digest = sha256(source).hexdigest()
    target = r.CTarget(name="planted", version=digest[:12], files={"main.c": digest})
    return builder.build(target, Given(source))
