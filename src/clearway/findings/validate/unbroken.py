"""E3: what a patch breaks: the project's own tests on both builds, and how harmless input goes on both."""

from __future__ import annotations

import re
from functools import partial
from hashlib import sha256

import msgspec
from msgspec import Struct

from clearway.sandbox.run import Backend, Bind, Limits, Run

from . import level
from . import recipe as r
from .build import TARGET, Builder, Built
from .files import Files
from .level import Step
from .tools import asan_library, first_interpreter
from .trial import trial
from .variants import Progress

_TESTS = "/tests"  # where the box sees the tests of a Python package
_ADDRESS = re.compile(
    rb" at 0x[0-9a-fA-F]+"
)  # of an object whose class says nothing else of it: another one each run
_COMPARED = 4_096  # bytes of what a run gives in which the first difference is told
_TEST_LIMITS = Limits(cpu_s=60.0, wall_s=90.0)


class Way(Struct, frozen=True, kw_only=True):
    """How a benign run goes on a build. `digest` is of its end and of what it gives, "" where nothing benign ends so;
    `counts` unless the last that it calls is not the package's; `well` when it ended with a value, or by 0. `given` is
    the beginning of what it gives."""

    digest: str
    counts: bool
    well: bool
    given: bytes = b""


def difference(before: Way, after: Way) -> str:
    """How a run that ends well on one build goes on the other, in words that quote nothing of it; "" for the same."""
    if before.digest == after.digest:
        return ""
    if not after.digest:
        return "comes to no good end on the patched build"
    if before.well != after.well:
        return "ends well on one build alone"
    same = next((n for n, (a, b) in enumerate(zip(before.given, after.given, strict=False)) if a != b), None)
    at = min(len(before.given), len(after.given)) if same is None else same
    what = "gives another value" if before.well else "ends otherwise"
    return f"{what} on the patched build: its text differs from byte {at + 1:,} on"


def unbroken(
    backend: Backend,
    builder: Builder,
    vulnerable: Built,
    patched: Built,
    recipe: r.Recipe,
    files: Files,
    told: Progress,
) -> tuple[Step, r.Recipe]:
    """E3, and the recipe with those benign inputs alone that count."""
    before: dict[str, bool] = {}
    after: dict[str, bool] = {}
    tests: tuple[r.Tests | r.PythonTests, ...] = recipe.target.tests
    for n, test in enumerate(tests):
        told("tests", n, len(tests))
        before[test.name] = _passes(backend, vulnerable, test)
        after[test.name] = _passes(backend, patched, test)
    ways = []
    counting = []
    first = ""
    for n, proof in enumerate(recipe.benign):
        told("benign input", n, len(recipe.benign))
        way = builder.known(
            vulnerable, proof, recipe, partial(way_of, backend, vulnerable, proof, recipe, files)
        )
        if way.counts:
            counting.append(proof)
            after_it = way_of(backend, patched, proof, recipe, files)
            ways.append((way.digest, after_it.digest))
            if not first and (differs := difference(way, after_it)):
                first = f"benign input {n + 1} {differs}"
    step = level.unbroken(before, after, ways, foreign=len(recipe.benign) - len(counting), first=first)
    return step, msgspec.structs.replace(recipe, benign=tuple(counting))


def _passes(backend: Backend, built: Built, test: r.Tests | r.PythonTests) -> bool:
    """Whether one of the project's own test programs ends well on a build."""
    if test.name not in built.tests:
        return False
    environment = {"PATH": "/usr/bin:/bin", "HOME": "/work", "LC_ALL": "C.UTF-8"}
    if isinstance(test, r.PythonTests):
        run = _python_test(built, test, environment)
    else:
        run = Run(
            argv=(f"{TARGET}/test-{test.name}", *test.argv),
            env=environment | {"ASAN_OPTIONS": "detect_leaks=0:symbolize=0"},
            binds=(Bind(built.folder, TARGET),),
            cwd=f"{TARGET}/src",
            limits=_TEST_LIMITS,
            sanitized=True,
        )
    done = backend.run(run)
    return done.ended == "exited" and done.code == 0


def _python_test(built: Built, test: r.PythonTests, environment: dict[str, str]) -> Run:
    """The target's own modules come first: the tests' archive usually has the vulnerable ones in it."""
    python = first_interpreter()
    path = f"{TARGET}:{_TESTS}/src:{_TESTS}/needs"
    more = {"PYTHONPATH": path, "PYTHONHASHSEED": "0", "ASAN_OPTIONS": "detect_leaks=0:symbolize=0"}
    if built.sanitized:
        more["LD_PRELOAD"] = asan_library()
    return Run(
        argv=(python.path, "-P", "-s", "-S", "-B", "-m", *test.argv),
        env=environment | more,
        binds=(Bind(built.folder, TARGET), Bind(built.folder.parent / "tests", _TESTS), *python.binds),
        cwd=f"{_TESTS}/src",
        limits=_TEST_LIMITS,
        sanitized=built.sanitized,
    )


def way_of(backend: Backend, built: Built, proof: r.Proof, recipe: r.Recipe, files: Files) -> Way:
    """How a run goes: nothing benign is stopped, has a process that a sanitizer stopped, has steps that can't be
    walked, or fires by the recipe's own oracle.

    It counts where it runs the package: a program of the reporter's does not, nor a module of what lies beside it, nor
    steps whose last call is another's. What never came to a call of anything is ill, and counts as that.
    """
    # One run shows no growth; and a text, or an exception, may be right for another input: it is for a reader to say.
    lone = isinstance(recipe.oracle, r.Growth | r.Output | r.Raised)
    shown = trial(backend, built, proof, r.Signal() if lone else recipe.oracle, files, recipe.limits)
    said, outcome = shown.said, shown.outcome
    counts = not isinstance(proof, r.Script) and said.step != "beside"
    if outcome.ended != "exited" or said.missing or shown.report:
        return Way(digest="", counts=counts, well=False)
    # A steps proof's line carries the nonce of its run; the value alone is compared, without where it lies in memory.
    value = said.result or said.raised
    text = _ADDRESS.sub(b"", value.encode()) if value is not None else outcome.stdout
    steps = isinstance(proof, r.Steps)
    # What the oracle calls a flaw is no harmless input, though it may end and print as any other.
    fires = shown.seen.shows == "fires"
    return Way(
        digest="" if fires else sha256(f"{outcome.ended} {outcome.code}\n".encode() + text).hexdigest(),
        counts=said.step == "package" if steps else counts,
        well=not fires and outcome.code == 0 and (not steps or said.result is not None),
        given=text[:_COMPARED],
    )
