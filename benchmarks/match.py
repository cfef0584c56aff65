"""`clearway match` as a whole process beside Trivy on the same advisories; and matching beside a plain loop.

Trivy's database is built from the same OSV records that Clearway loads (`trivy_peer.py`); Clearway
loads KEV and SSVC besides, since its answer carries due dates. Both run in turn on the same
machine. The second yardstick is the obvious loop over `univers` on the real components, with the
same pairs; what differs is counted by reason.
"""

from __future__ import annotations

import gc
import itertools
import json
import os
import subprocess
import sys
import tarfile
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeVar

import zstandard

from clearway.advisories.table import Table
from clearway.exposure.judge import judge, spoken_of
from clearway.formats.archive import Blob, walk
from clearway.formats.inventory import read_inventory
from clearway.formats.strict_json import loads
from clearway.records.errors import ClearwayError
from clearway.records.inventory import Component

from . import _measure as measure
from . import _univers_loop as univers_loop

_TYPICAL = "metallb-controller"  # the median of the 964 container SBOMs by purls
_SIZES = (1_000, 10_000, 100_000)
_TRIVY = [
    "sbom", "--quiet", "--skip-db-update", "--skip-java-db-update", "--offline-scan", "--skip-version-check",
    "--disable-telemetry", "--skip-vex-repo-update", "--scanners", "vuln", "--format", "json", "--cache-dir",
]  # fmt: skip
_GOALS = {
    "typical": ("time of one typical SBOM to Trivy's", 0.7),
    "10000": ("time at 10,000 components to Trivy's", 0.3),
    "100000": ("time at 100,000 components to Trivy's", 0.08),
    "hundred": ("time of 100 SBOMs in one call to Trivy, one process each", 0.1),
}


def run() -> dict[str, Any]:
    """The rows and goals; each goal is skipped where its data or peer is absent."""
    data = measure.shared_data()
    if data is None:
        return {"rows": [], "goals": _skipped()}
    with ExitStack() as stack:
        work = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="clearway-bench-")))
        home = _home(data, work)
        sboms = _unpacked(data, work)
        rows: list[dict[str, Any]] = []
        goals: list[dict[str, Any]] = []
        _beside_trivy(data, work, home, sboms, rows, goals)
        _archives(data, home, rows, goals)
        _beside_univers(data, home, rows, goals)
        return {"rows": rows, "goals": goals}


def _skipped() -> list[dict[str, Any]]:
    return [measure.goal(text, limit, None, "ratio") for text, limit in _GOALS.values()]


def _home(data: Path, work: Path) -> Path:
    named = os.environ.get("CLEARWAY_BENCH_MATCH_HOME")
    home = Path(named) if named else work / "home"
    if not (home / "table").is_dir():
        paths = [data / "osv", data / "kev", data / "vulnrichment"]
        subprocess.run([*measure.program(), "--home", home, "--quiet", "ingest", *paths],
                       check=True, stdout=subprocess.DEVNULL)  # fmt: skip
    return home


def _unpacked(data: Path, work: Path) -> Path:
    folder = work / "sboms"
    folder.mkdir()
    for name in ("spdx-1000-containers-trivy", "spdx-same-image-four-tools"):
        with (data / "sbom" / f"{name}.tar.zst").open("rb") as file:
            reader = zstandard.ZstdDecompressor().stream_reader(file)
            with tarfile.open(fileobj=reader, mode="r|") as archive:
                archive.extractall(folder / name, filter="data")
    return folder


def _beside_trivy(
    data: Path, work: Path, home: Path, sboms: Path, rows: list[dict[str, Any]], goals: list[dict[str, Any]]
) -> None:
    ours: list[str | Path] = [*measure.program(), "--home", home, "match", "--json"]
    peer = measure.trivy()
    containers = sorted((sboms / "spdx-1000-containers-trivy").rglob("*.json"))
    inputs: dict[str, list[Path]] = {"typical": [p for p in containers if _TYPICAL in p.name][:1]}
    cache = work / "trivy"
    if peer is None:
        goals += _skipped()
        inputs["hundred"] = containers[::9][:100]
        for name, files in inputs.items():
            found = measure.several([*ours, *files], 5)
            rows.append({"input": name, "clearway_s": found.wall_s, "clearway_mib": found.peak_mib})
        return
    binary, script = peer
    subprocess.run([sys.executable, script, "build", "--tolerant", "--osv", data / "osv", "--cache", cache],
                   check=True, stdout=subprocess.DEVNULL)  # fmt: skip
    theirs: list[str | Path] = [binary, *_TRIVY, cache]
    for size in _SIZES:
        made = work / f"{size}.cdx.json"
        subprocess.run(
            [sys.executable, script, "synth", "--from", data / "sbom" / "spdx-1000-containers-trivy.tar.zst",
             data / "sbom" / "sboms-various.tar.zst", "-n", str(size), "--out", made],
            check=True, stdout=subprocess.DEVNULL)  # fmt: skip
        inputs[str(size)] = [made]
    memory: list[float] = []
    grown: dict[str, float] = {}
    for name, files in inputs.items():
        mine, other = measure.paired([*ours, *files], [*theirs, *files], 3 if name == "100000" else 11)
        ratio = mine.wall_s / other.wall_s
        grown[name] = mine.wall_s
        memory.append(mine.peak_mib / other.peak_mib)
        rows.append(
            {"input": name, "clearway_s": mine.wall_s, "trivy_s": other.wall_s, "ratio": ratio,
             "clearway_cpu_s": mine.cpu_s, "trivy_cpu_s": other.cpu_s,
             "clearway_mib": mine.peak_mib, "trivy_mib": other.peak_mib}
        )  # fmt: skip
        if name in _GOALS:
            text, limit = _GOALS[name]
            goals.append(measure.goal(text, limit, ratio, "ratio"))
    for small, large in (("1000", "10000"), ("10000", "100000")):
        rows.append({"growth": f"{small} to {large}", "times": grown[large] / grown[small]})
    hundred = containers[::9][:100]
    mine = measure.several([*ours, *hundred], 3)
    each = [measure.process([*theirs, f]) for f in hundred]
    other_s = sum(r.wall_s for r in each)
    rows.append({"input": "100 SBOMs", "clearway_s": mine.wall_s, "trivy_s": other_s, "ratio": mine.wall_s / other_s,
                 "clearway_mib": mine.peak_mib, "trivy_mib": max(r.peak_mib for r in each)})  # fmt: skip
    goals.append(measure.goal(*_GOALS["hundred"], mine.wall_s / other_s, "ratio"))
    memory.append(mine.peak_mib / max(r.peak_mib for r in each))
    goals.append(
        measure.goal("peak memory to Trivy's, the largest ratio of all sizes", 0.8, max(memory), "ratio")
    )
    _same_pairs(data, home, script, binary, cache, inputs["10000"][0], rows, goals)


def _same_pairs(
    data: Path,
    home: Path,
    script: Path,
    binary: Path,
    cache: Path,
    sbom: Path,
    rows: list[dict[str, Any]],
    goals: list[dict[str, Any]],
) -> None:
    """(component, record) pairs of both on one SBOM; every difference has to have its reason."""
    answer = subprocess.run([sys.executable, script, "match", "--cache", cache, "--trivy", binary, sbom],
                            check=True, capture_output=True)  # fmt: skip
    theirs = {
        (f["name"].lower(), _bare(f["version"]), i) for f in json.loads(answer.stdout) for i in f["ids"]
    }
    made = subprocess.run(
        [*measure.program(), "--home", home, "match", "--json", sbom], capture_output=True, check=False
    )
    report = json.loads(made.stdout)
    spoken = {
        s["source"] for f in report["findings"] for s in f["statements"] if s["record"].startswith("CVE-")
    }
    ours = {
        (f["component"]["name"].lower(), _bare(f["component"]["version"]), s["record"])
        for f in report["findings"]
        for s in f["statements"]
        if s["verdict"] == "affected" and s["source"] not in spoken
    }
    rows.append({"pairs": "10,000 components", "both": len(ours & theirs), "clearway_only": len(ours - theirs),
                 "trivy_only": len(theirs - ours)})  # fmt: skip
    disordered = _disordered(data)
    unexplained = 0
    for word, difference in (("clearway only", ours - theirs), ("trivy only", theirs - ours)):
        for name, version, record in sorted(difference):
            why = (
                "Trivy pairs events in the order given, not by version"
                if record in disordered
                else "unexplained"
            )
            unexplained += why == "unexplained"
            rows.append({"difference": word, "name": name, "version": version, "record": record, "why": why})
    goals.append(
        measure.goal("pairs that differ from Trivy's without a named reason", 0, unexplained, "pairs")
    )


def _disordered(data: Path) -> set[str]:
    """The ids of OSV records with a range whose events do not alternate as they are written."""
    found = set()
    for piece in walk([data / "osv"]):
        if not isinstance(piece, Blob):
            continue
        record = loads(piece.data, piece.place)
        for affected in record.get("affected", ()):
            for given in affected.get("ranges", ()):
                words = [next(iter(e)) for e in given["events"]]
                if any((a == "introduced") == (b == "introduced") for a, b in itertools.pairwise(words)):
                    found.add(record["id"])
    return found


def _bare(version: str) -> str:
    return version.removeprefix("v")


def _archives(data: Path, home: Path, rows: list[dict[str, Any]], goals: list[dict[str, Any]]) -> None:
    archives = [
        data / "sbom" / f"{n}.tar.zst" for n in ("spdx-1000-containers-trivy", "spdx-same-image-four-tools")
    ]
    found = measure.several([*measure.program(), "--home", home, "match", "--json", *archives], 3)
    rows.append({"input": "979 container SBOMs in two archives", "clearway_s": found.wall_s,
                 "clearway_cpu_s": found.cpu_s, "clearway_mib": found.peak_mib})  # fmt: skip
    goals.append(
        measure.goal("979 container SBOMs, from archive to findings, in one call", 5.0, found.wall_s, "s")
    )


def _components(data: Path) -> Iterator[Component]:
    for piece in walk([data / "sbom"]):
        if isinstance(piece, Blob):
            try:
                yield from read_inventory(piece.data, piece.place).components
            except ClearwayError:
                continue


_Pair = tuple[str, str, str, str]  # ecosystem, name, version, record
_T = TypeVar("_T")


def _least_of_three(work: Callable[[], _T]) -> tuple[float, _T]:
    """The shortest of three runs, in seconds, and what the last one gave."""
    times = []
    for _ in range(3):
        begun = time.perf_counter()
        found = work()
        times.append(time.perf_counter() - begun)
    return min(times), found


def _pairs(home: Path, triples: list[tuple[str, str, str]]) -> set[_Pair]:
    """The affected pairs, from a table that is opened here; each distinct triple is judged once."""
    table = Table.of_home(home)
    table.expect(len(triples))
    found: set[_Pair] = set()
    spoken: dict[tuple[str, str], bool] = {}  # a package's versions ask this once, as in the command
    for at in dict.fromkeys(triples):
        package = at[:2]
        known = spoken.get(package)
        if known is None:
            known = spoken[package] = spoken_of(table, *package)
        if known:
            found.update((*at, s.record) for s in judge(table, *at).statements if s.verdict == "affected")
    return found


def _beside_univers(data: Path, home: Path, rows: list[dict[str, Any]], goals: list[dict[str, Any]]) -> None:
    """The affected pairs of both, from components and records that are read; ours opens its table besides.

    Ours gives each pair its reason; neither gathers pairs into flaws.
    """
    components = [
        c for c in _components(data) if c.ecosystem in univers_loop.CLASSES and c.version and not c.problem
    ]
    loop = univers_loop.Loop(data / "osv")
    triples = [(c.ecosystem, c.name, c.version) for c in components]
    gc.collect()
    gc.disable()  # for both; the command never collects either
    loop_s, (theirs, refused) = _least_of_three(lambda: loop.pairs(components))
    ours_s, ours = _least_of_three(lambda: _pairs(home, triples))
    gc.enable()
    ours = {p for p in ours if p[3] in loop.records}
    differing = ours ^ theirs
    reasons = Counter(loop.reason(p, p in ours, refused) for p in differing)
    rows.append({"yardstick": "loop over univers", "components": len(components), "loop_s": loop_s,
                 "clearway_s": ours_s, "pairs": len(ours & theirs),
                 **{f"differ: {k}": v for k, v in reasons.items()}})  # fmt: skip
    goals.append(
        measure.goal(
            "matching to the loop over univers, real components", 20, loop_s / ours_s, "times", least=True
        )
    )
    goals.append(
        measure.goal(
            "pairs that differ from the loop without a named reason",
            0,
            float(reasons["unexplained"]),
            "pairs",
        )
    )
