"""Validation: whole validations a minute, what the box costs, planted negatives, published pairs, and cJSON to E4.

A whole validation is three firing runs (the first one symbolised), three silent ones on the patched build, twenty
regression inputs (how the vulnerable build takes them is known from the first time; where both builds are made anew
it takes them as well), and the signed statements of its levels. The yardstick of the box is the same program started
directly; that of the whole is the same runs, each symbolised.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks._measure import ROOT, goal
from clearway.findings.desk_key import DeskKey
from clearway.findings.validate import recipe as recipes
from clearway.findings.validate import statement
from clearway.findings.validate.build import Builder
from clearway.findings.validate.files import Folders, Given
from clearway.findings.validate.judge import Judged, Subject, judge
from clearway.findings.validate.trial import trial
from clearway.records.errors import ClearwayError, ConfigError, NotFoundError
from clearway.sandbox import Backend, Run, backend

from . import targets

WHOLE, BUILT = 30, 8  # validations measured
BOXES = 60
WORKERS = len(os.sched_getaffinity(0))
GOALS = {
    "whole": ("whole validations on a prebuilt target", 100.0, "a minute"),
    "built": ("whole validations with both builds", 60.0, "a minute"),
    "box": ("a run in the box above the same run without, median", 12.0, "ms"),
    "controls": ("negative controls that were verified", 0.0, ""),
    "pairs": ("published pairs at E2 or higher, of 36", 36.0, ""),
    "cjson": ("level of CVE-2023-53154 in cJSON", 4.0, "E"),
}


def run() -> dict[str, Any]:
    """The rows and the goals; goals are skipped where no box can be made, or the corpus was not fetched."""
    try:
        box = backend()
        box.run(Run(argv=("/bin/true",)))
    except ConfigError as error:
        return {"rows": [{"row": f"no box: {error}"}], "goals": [_goal(name, None) for name in GOALS]}
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="clearway-bench-") as place:
        folder = Path(place)
        folder.chmod(0o755)
        whole = _whole(box, folder, rows)
        built = _with_builds(box, folder, rows)
        over = _box(box, folder, rows)
        verified = _controls(box, folder, rows)
        pairs, cjson = _pairs(box, folder, rows)
    return {
        "rows": rows,
        "goals": [
            _goal("whole", whole), _goal("built", built), _goal("box", over), _goal("controls", float(verified)),
            _goal("pairs", pairs), _goal("cjson", cjson),
        ],
    }  # fmt: skip


def _goal(name: str, value: float | None) -> dict[str, Any]:
    text, limit, unit = GOALS[name]
    return goal(text, limit, value, unit, least=name in ("whole", "built", "pairs", "cjson"))


def _subject(n: int = 0) -> tuple[Subject, bytes]:
    """The tiny target with twenty benign inputs; another `n` is another program."""
    made, blobs = targets.whole(n)
    raw = json.dumps(made).encode()
    return Subject(recipe=recipes.read(raw), files=Given(*blobs)), raw


def _one(box: Backend, builder: Builder, key: DeskKey, n: int = 0) -> Judged:
    subject, raw = _subject(n)
    found = judge(box, builder, subject, upto=3)
    for one in statement.statements(subject.recipe, raw, found, box.enforcement(), datetime.now(UTC)):
        statement.signed(key, one)
    if found.ladder.level != 3:
        raise RuntimeError(f"the target reached E{found.ladder.level}: {found.ladder.why}")
    return found


def _many(work: Callable[[int], object], times: int) -> float:
    """Seconds for so many on as many threads as there are cores: each waits for its box."""
    begun = time.perf_counter()
    with ThreadPoolExecutor(WORKERS) as pool:
        list(pool.map(work, range(times)))
    return time.perf_counter() - begun


def _whole(box: Backend, folder: Path, rows: list[dict[str, Any]]) -> float:
    builder, key = Builder(box, folder / "built"), DeskKey.of_home(folder / "home")
    _one(box, builder, key)
    took = {n: _many(lambda _: _one(box, builder, key), n) for n in (WHOLE // 10, WHOLE)}
    ours = WHOLE / took[WHOLE] * 60
    subject, _ = _subject()
    recipe, files = subject.recipe, subject.files
    one, two = builder.build(recipe.target, files), builder.build(recipe.patched or recipe.target, files)

    def plainly(_: int) -> None:
        for built in (one, two):
            for _run in range(3):
                trial(box, built, recipe.proof, recipe.oracle, files, recipe.limits, symbolize=True)
        for proof in recipe.benign:
            trial(box, two, proof, recipe.oracle, files, recipe.limits, symbolize=True)

    theirs = WHOLE // 4 / _many(plainly, WHOLE // 4) * 60
    rows.append(
        {
            "row": "whole validations, prebuilt", "workers": WORKERS, "a_minute": round(ours, 1),
            "all_symbolised_a_minute": round(theirs, 1), "ratio": round(ours / theirs, 2),
            "growth_10x": round(took[WHOLE] / took[WHOLE // 10] / 10, 2),
        }
    )  # fmt: skip
    return ours


def _with_builds(box: Backend, folder: Path, rows: list[dict[str, Any]]) -> float:
    """Each has two builds that nobody made before, whose bytes are no other's; that is looked at, not believed."""
    builder, key = Builder(box, folder / "fresh"), DeskKey.of_home(folder / "home")
    found: list[Judged] = []
    rate = BUILT / _many(lambda n: found.append(_one(box, builder, key, n + 1)), BUILT) * 60
    digests = {digest for one in found for digest in (one.vulnerable, one.patched)}
    if len(digests) != 2 * BUILT:
        raise RuntimeError(f"{2 * BUILT} builds gave {len(digests)} programs: some were not built")
    row = {"row": "whole validations with two builds each", "a_minute": round(rate, 1)}
    rows.append({**row, "builds": len(digests), "goal_a_minute": GOALS["built"][1]})
    return rate


def _box(box: Backend, folder: Path, rows: list[dict[str, Any]]) -> float:
    inside, outside = [], []
    for _ in range(BOXES):
        begun = time.perf_counter()
        subprocess.run(["/bin/true"], check=True)
        between = time.perf_counter()
        box.run(Run(argv=("/bin/true",)))
        outside.append(between - begun)
        inside.append(time.perf_counter() - between)
    apart = statistics.median(inside), statistics.median(outside)
    over = (apart[0] - apart[1]) * 1000
    rows.append(
        {
            "row": "one run of /bin/true", "in_a_box_ms": round(apart[0] * 1000, 2),
            "directly_ms": round(apart[1] * 1000, 2), "above_ms": round(over, 2),
            "p95_in_a_box_ms": round(sorted(inside)[int(len(inside) * 0.95)] * 1000, 2),
        }
    )  # fmt: skip
    return over


def _controls(box: Backend, folder: Path, rows: list[dict[str, Any]]) -> int:
    builder = Builder(box, folder / "built")
    verified = 0
    for control in targets.controls():
        raw = json.dumps(control.recipe).encode()
        subject = Subject(recipe=recipes.read(raw), files=Given(*control.blobs))
        reached = judge(box, builder, subject, upto=4, seconds=4.0).ladder.level
        verified += reached > control.most
        rows.append({"row": f"control: {control.name}", "level": reached, "at_most": control.most})
    return verified


def _pairs(box: Backend, folder: Path, rows: list[dict[str, Any]]) -> tuple[float | None, float | None]:
    cache = Path(
        os.environ.get("CLEARWAY_CORPUS_CACHE")
        or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "clearway" / "corpus"
    )
    if not cache.is_dir():
        rows.append({"row": f"pairs: {cache} is not there: python scripts/fetch_corpus.py fetches it"})
        return None, None
    builder = Builder(box, folder / "built")
    reached: dict[str, float] = {}

    def one(place: Path) -> None:
        recipe = recipes.read((place / "recipe.json").read_bytes())
        cjson = place.name == "CVE-2023-53154"
        try:
            subject = Subject(recipe=recipe, files=Folders(place, cache))
            found = judge(box, builder, subject, upto=4 if cjson else 2, seconds=10.0)
        except NotFoundError:
            return  # not fetched
        except ClearwayError as error:
            rows.append({"row": f"pair {place.name}: {error}"})
            return
        reached[place.name] = found.ladder.level
        rows.append(
            {
                "row": f"pair {place.name} {recipe.target.name}", "level": found.ladder.level,
                "seconds": round(found.seconds, 1), "why": found.ladder.why,
            }
        )  # fmt: skip

    _places = sorted(p.parent for p in (ROOT / "corpus").glob("*/recipe.json"))
    with ThreadPoolExecutor(WORKERS) as pool:
        list(pool.map(one, _places))
    if not reached:
        return None, None
    return float(sum(level >= 2 for level in reached.values())), reached.get("CVE-2023-53154")
