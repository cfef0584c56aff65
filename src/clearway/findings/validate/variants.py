"""E4: variants of the proof on the patched build, and the proof under a second compiler or interpreter.

    mutation   small changes of the proof's bytes, each in the ordinary build: at least twenty, for a quarter of the
               time where libFuzzer takes the rest, for all of it otherwise
    libFuzzer  where clang is there and the target gives an entry (`fuzz`)
    Atheris    where it is installed and the target is a Python package (`guided`)
    second     the proof k times on a build of the other compiler, or under another version of the interpreter

An input on which the patched build fires is *related*, and fails the level, unless the vulnerable build fires on it as
well, for another error in other functions: then it is a flaw of its own, that this patch has nothing to do with.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from msgspec import Struct

from clearway.records.errors import ConfigError
from clearway.sandbox.run import Backend

from . import level, mutate, tools
from . import recipe as r
from .build import Builder, BuildFailedError, Built
from .crash import CrashState
from .files import Files
from .fuzz import Fuzzed, Fuzzer
from .guided import Guided
from .level import Second, Step
from .oracle import Seen
from .tools import COMPILERS, Compiler
from .trial import Shown, trial

MOST_VARIANTS = 100_000
MOST_ELSEWHERE = 20  # flaws of their own: beyond these every one counts
_SHARE = 0.25  # of the time for mutation, where libFuzzer has the rest
Progress = Callable[[str, int, int], None]  # what, how many of how many
Variations = Iterator[tuple[r.Proof, tuple[str, bytes] | None]]


class Variants(Struct, frozen=True, kw_only=True):
    """E4's answer with what it was found with. `firing` is the first input that failed it: data, for the desk alone."""

    step: Step
    fuzzed: Fuzzed
    second: Second
    firing: bytes | None = None


class Search:
    """Looks for related variants of one proof on one patched build."""

    def __init__(
        self,
        backend: Backend,
        builder: Builder,
        builds: tuple[Built, Built],  # the vulnerable one and the patched one
        recipe: r.Recipe,
        files: Files,
        state: CrashState | None,  # of the proof on the vulnerable build
        first: Shown,
        told: Progress,
    ) -> None:
        self._backend, self._builder, self._told = backend, builder, told
        self._vulnerable, self._patched = builds
        self._recipe, self._files, self._state, self._first = recipe, files, state, first
        self._times = max(recipe.times, level.LEAST_RUNS)
        self._tried = self._related = self._elsewhere = 0
        self._firing: bytes | None = None

    def run(self, seconds: float) -> Variants:
        """The level's answer, after about so many seconds; slow variants get more, and not without end."""
        variants = mutate.proofs(self._recipe, self._files, MOST_VARIANTS)
        fuzzer = self._fuzzer(seconds)
        spent = self._mutate(variants, seconds if fuzzer.lacking else seconds * _SHARE, seconds)
        if not fuzzer.lacking and self._tried and not self._related:
            begun = time.monotonic()
            if isinstance(fuzzer, Guided) or fuzzer.prepare():
                begun = time.monotonic()
                self._fuzz(fuzzer, seconds - spent)
            if fuzzer.lacking and not self._related:
                spent += self._mutate(variants, seconds - spent - (time.monotonic() - begun), seconds)
        second = self._second() if self._tried and not self._related else Second()
        step = level.variants(
            tried=self._tried, related=self._related, seconds=spent, second=second,
            fuzzed=fuzzer.fuzzed.words if self._tried else "", elsewhere=self._elsewhere, lost=fuzzer.fuzzed.lost,
        )  # fmt: skip
        return Variants(step=step, fuzzed=fuzzer.fuzzed, second=second, firing=self._firing)

    def _mutate(self, variants: Variations, seconds: float, whole: float) -> float:
        """Tries variants for so many seconds of the whole; the seconds it took."""
        begun = time.monotonic()
        ends = begun + seconds
        for proof, replaced in variants:
            self._look(proof, replaced)
            self._tried += 1
            if self._tried % 20 == 0:
                self._told("variants", int(time.monotonic() - begun), int(whole))
            now = time.monotonic()
            # A few variants say nothing: slow ones get more time, and not without end.
            if self._related or (now >= ends and self._tried >= level.ENOUGH_VARIANTS):
                break
            if now >= ends + 4 * whole + 30:
                break
        return time.monotonic() - begun

    def _fuzzer(self, seconds: float) -> Fuzzer | Guided:
        if isinstance(self._recipe.target, r.PythonTarget):
            return Guided(self._backend, self._patched, self._recipe, self._files, seconds)
        return Fuzzer(self._backend, self._builder, self._recipe, self._files, seconds)

    def _fuzz(self, fuzzer: Fuzzer | Guided, seconds: float) -> None:
        name = fuzzer.fuzzed.tool

        def told(done: int, total: int) -> None:
            self._told(name, done, total)

        for proof, replaced in self._found(fuzzer, seconds, told):
            self._look(proof, replaced)
            if self._related:
                return

    def _found(self, fuzzer: Fuzzer | Guided, seconds: float, told: Callable[[int, int], None]) -> Variations:
        if isinstance(fuzzer, Guided):
            yield from fuzzer.variants(seconds, told)
            return
        seed = mutate.seed_of(self._recipe, self._files)
        for data in fuzzer.inputs(seconds, told):
            yield self._recipe.proof, (seed[0] if seed is not None else mutate.STDIN, data)

    def _look(self, proof: r.Proof, replaced: tuple[str, bytes] | None) -> None:
        """Tries one variant; counts it where the patched build fires on it."""
        if self._on(self._patched, proof, replaced).seen.shows != "fires":
            return
        if self._state is not None and self._elsewhere < MOST_ELSEWHERE:
            here = self._on(self._patched, proof, replaced, symbolize=True).seen.state
            before = self._on(self._vulnerable, proof, replaced, symbolize=True).seen.state
            if here is not None and before is not None and before.key == here.key and self._apart(here):
                self._elsewhere += 1
                return
        self._related += 1
        if self._firing is None:
            self._firing = replaced[1] if replaced is not None else b""

    def _apart(self, state: CrashState) -> bool:
        """Whether a crash is another one than the proof's: no frame of the three is shared."""
        own = self._state.frames if self._state is not None else ()
        return bool(state.frames and own) and not set(state.frames) & set(own)

    def _on(
        self, built: Built, proof: r.Proof, replaced: tuple[str, bytes] | None, *, symbolize: bool = False
    ) -> Shown:
        recipe = self._recipe
        return trial(
            self._backend, built, proof, recipe.oracle, self._files, recipe.limits, symbolize=symbolize,
            replaced=replaced,
        )  # fmt: skip

    def _second(self) -> Second:
        if isinstance(self._recipe.target, r.CTarget):
            return self._second_compiler(self._recipe.target)
        return self._second_interpreter()

    def _second_compiler(self, target: r.CTarget) -> Second:
        name: Compiler = COMPILERS[1]
        if not tools.has(name):
            return Second(lacking=f"{name} is not installed")
        try:
            built = self._builder.build(target, self._files, name)
        except (BuildFailedError, ConfigError) as error:
            seen = Seen(shows="unclear", why=f"{name} does not build it: {error.what}")
            return Second(tool=name, seen=(seen,), of=self._times)
        seen_all: list[Seen] = []
        for n in range(self._times):
            self._told("second build", n, self._times)
            seen_all.append(self._on(built, self._recipe.proof, None).seen)
            if seen_all[-1].shows != "fires":
                break
        return Second(tool=built.compiler, build=built.digest, seen=tuple(seen_all), of=self._times)

    def _second_interpreter(self) -> Second:
        recipe, other = self._recipe, tools.second_interpreter()
        if other is None:
            return Second(lacking="there is no second interpreter on this machine")
        tool = f"Python {other.version}"
        seen_all: list[Seen] = []
        for n in range(self._times):
            self._told("second build", n, self._times)
            shown = trial(
                self._backend, self._vulnerable, recipe.proof, recipe.oracle, self._files, recipe.limits,
                interpreter=other,
            )  # fmt: skip
            # What can't be imported there, or fails in a way of its own, says nothing of the flaw.
            if shown.seen.shows != "fires" and self._fails(shown):
                return Second(lacking=f"the package does not run under {tool}")
            seen_all.append(shown.seen)
            if shown.seen.shows != "fires":
                break
        return Second(tool=tool, build=self._vulnerable.digest, seen=tuple(seen_all), of=self._times)

    def _fails(self, shown: Shown) -> bool:
        if shown.said.missing or shown.said.raised != self._first.said.raised:
            return True
        return shown.outcome.ended == "exited" and shown.outcome.code not in (0, self._first.outcome.code)
