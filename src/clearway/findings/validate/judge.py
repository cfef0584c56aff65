"""How far the evidence of one proof and one patch goes: builds, runs, and the ladder that follows.

    subject   a recipe and its files
    E1        k runs on the vulnerable build; the first one symbolised, the repeats not
    E2        k runs on the patched build
    E3        the project's own tests on both builds, and benign input on both
    E4        variants of the proof on the patched build, and the proof under the second compiler (`variants`)
    E5        enough benign input, none of which goes another way

It writes nothing and knows no database: what is done with a ladder is the desk's or the command line's.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import msgspec
from msgspec import Struct

from clearway.sandbox.run import Backend

from . import benign, check, identity, level, needs
from . import recipe as r
from .answer import changed_beside, no_answer
from .bound import TOTAL_S, Bounded, TimeUpError
from .build import TARGET, Builder, BuildFailedError, Built
from .crash import CrashState, site_of
from .files import Files
from .fuzz import Fuzzed
from .level import Ladder, Second, Step
from .oracle import STARTS_S, Seen
from .trial import Shown, longer, trial
from .unbroken import unbroken
from .variants import Progress, Search

_WRITTEN = 256 << 10
APART = 10  # times as long must it take where it fires, for oracles of time


class Subject(Struct, frozen=True, kw_only=True):
    """What is judged.

    `known` are the hashes of files that come from where they are published, or that the desk has taken as its own; None
    for all. A target that is the reporter's alone proves nothing of anybody's product: such a proof is capped at E1. So
    is one whose meaning lies in the recipe (`check.to_read`), unless `document`, the recipe's own hash, is known too.
    """

    recipe: r.Recipe
    files: Files
    known: frozenset[str] | None = None
    document: str = ""
    doubts: tuple[str, ...] = ()  # of who asks, in words: of what the target is, such as another product's
    fix_of_another: bool = False  # the fix is another finding's: whether it silences is asked, and no level
    unknown_why: str = ""  # of who asks, in words: why files that are at hand are not known

    @property
    def capped_by(self) -> tuple[str, ...]:
        """Why nothing above E1 counts, in words that quote nothing; empty where all does."""
        reasons = list(self.doubts)
        if isinstance(self.recipe.proof, r.Script):
            reasons.append("the proof is a program of the reporter's")
        unknown = len(r.published(self.recipe) - self.known) if self.known is not None else 0
        if unknown:
            why = f" ({self.unknown_why})" if self.unknown_why else ""
            reasons.append(f"nobody vouches that {unknown} files of the target are what is published{why}")
        if self.unread:
            reasons += check.to_read(self.recipe)
        return tuple(reasons)

    @property
    def unread(self) -> bool:
        """Whether nobody has said that they have read the recipe."""
        return self.known is not None and self.document not in self.known

    def theirs(self, built: Built) -> int:
        """How many files of the reporter's are part of a build of the target, a script that is the proof among them.

        Nobody says of them that they are what is published, or they lie over what is, by a recipe that nobody has read.
        """
        if self.known is None:
            return 0
        of_target = {digest for files in r.parts(self.recipe.target) for digest in files.values()}
        script = isinstance(self.recipe.proof, r.Script)
        return len(of_target - self.known) + (built.over if self.laid_over(built) else 0) + script

    def laid_over(self, built: Built) -> tuple[str, ...]:
        """Why nothing above E1 counts of a build in which the recipe's own files lie over the sources'."""
        if not built.over or not self.unread:
            return ()
        return (f"nobody has read the recipe, and it lays {built.over} files of its own over the target's",)


class Judged(Struct, frozen=True, kw_only=True):
    """The ladder, and what it was found with. `state` is of the first, symbolised run."""

    ladder: Ladder
    state: CrashState | None = None
    vulnerable: str = ""  # digests of the builds
    patched: str = ""
    compilers: tuple[str, ...] = ()  # with the second, where one was used
    seconds: float = 0.0
    variant_seconds: float = 0.0  # that E4 was given
    fuzzed: Fuzzed | None = None  # by libFuzzer, for E4
    second: Second | None = None  # another compiler or interpreter, for E4
    firing: bytes | None = None  # the variant that failed E4: data
    output: bytes = b""  # of the first run: data
    reported: int = (
        0  # bytes of it, from the first on, that are the sanitizer's report, which `state` is read from
    )
    theirs: int = 0  # files of the reporter's in the vulnerable build, which could forge `state`
    capped_by: tuple[str, ...] = ()  # why what fired may be anything, so that E1 is the most

    @property
    def capped(self) -> bool:
        """Whether what fired may be anything."""
        return bool(self.capped_by)


def judge(
    backend: Backend,
    builder: Builder,
    subject: Subject,
    *,
    upto: int = 4,
    seconds: float = 30.0,
    progress: Progress | None = None,
    total_s: float = TOTAL_S,
) -> Judged:
    """The evidence up to level `upto`; `seconds` are for the variants of E4. A level that fails ends it.

    After `total_s` and twice `seconds` no further run begins: the level that is then open was not tried.

    Raises:
        NotFoundError: a file that the recipe names is not there.
        ConfigError: the box or the compiler is missing on this machine.
    """
    begun = time.monotonic()
    told = progress or (lambda what, done, total: None)
    recipe, files = subject.recipe, subject.files
    doubts = (*subject.doubts, *identity.doubts(recipe, files)) if upto >= 1 else subject.doubts
    subject = msgspec.structs.replace(subject, doubts=doubts)
    capped_by = list(subject.capped_by)  # more may be seen in the builds
    steps: list[Step] = []
    found: dict[str, object] = {}

    def done() -> Judged:
        why = f"capped at E1: {'; '.join(capped_by)}"
        ladder = level.ladder(steps, cap=1 if capped_by else level.HIGHEST, why=why)
        return Judged(
            ladder=ladder,
            seconds=time.monotonic() - begun,
            capped_by=tuple(capped_by),
            **found,  # type: ignore[arg-type]
        )

    bounded = Bounded(backend, total_s + 2 * seconds)
    try:
        return _climb(bounded, builder, subject, upto, seconds, told, steps, found, capped_by, done)
    except TimeUpError:
        why = (
            f"the {total_s + 2 * seconds:,.0f} seconds of a whole validation were used up before it was shown"
        )
        steps.append(Step(level=len(steps) + 1, result="not_tried", why=why))
        return done()


def _climb(
    backend: Backend,
    builder: Builder,
    subject: Subject,
    upto: int,
    seconds: float,
    told: Progress,
    steps: list[Step],
    found: dict[str, object],
    capped_by: list[str],
    done: Callable[[], Judged],
) -> Judged:
    """Level by level; `steps`, `found` and `capped_by` hold what was found when it is broken off."""
    recipe, files = subject.recipe, subject.files
    if upto < 1:
        return done()
    try:
        told("build", 0, 1)
        vulnerable = builder.build(recipe.target, files)
    except BuildFailedError as error:
        steps.append(Step(level=1, result="failed", why=error.what))
        found["output"] = error.said
        return done()
    capped_by += subject.laid_over(vulnerable)
    found |= {
        "theirs": subject.theirs(vulnerable),
        "vulnerable": vulnerable.digest,
        "compilers": (vulnerable.compiler,) if vulnerable.compiler else (),
    }
    first = _try(backend, vulnerable, subject, symbolize=True)
    if first.said.named and subject.unread:
        capped_by.append(check.NAMED)
    found |= {"state": first.seen.state, "output": _written(first)}
    if first.seen.state is not None:
        found["reported"] = min(len(first.report), _WRITTEN)
    runs = [first.seen]
    times = max(recipe.times, level.LEAST_RUNS)
    for n in range(1, times):
        told("fires", n, times)
        if first.seen.shows != "fires":
            break
        # Repeats without symbols have no names to compare: that they end for one error at one place is as good.
        again = _try(backend, vulnerable, subject)
        if first.seen.state is not None and _elsewhere(again, first):
            runs.append(_try(backend, vulnerable, subject, symbolize=True).seen)
            if runs[-1].state is not None and runs[-1].state.key != first.seen.state.key:
                break
        else:
            runs.append(_alike(again.seen, first.seen))
    steps.append(level.fires(runs, capped="; ".join(capped_by), theirs=subject.theirs(vulnerable)))
    if steps[-1].result != "met" or upto < 2 or capped_by:
        return done()
    if recipe.patched is None:
        steps.append(level.silent((), same_build=False, holds_patch=False))
        return done()
    try:
        patched = builder.build(recipe.patched, files, base=recipe.target)
    except BuildFailedError as error:
        steps.append(Step(level=2, result="failed", why=f"the patch: {error.what}"))
        found["output"] = error.said
        return done()
    if over := subject.laid_over(patched):
        capped_by += over
        steps.append(Step(level=2, result="not_tried", why=over[0]))
        return done()
    found["patched"] = patched.digest
    no_fix = () if subject.fix_of_another else identity.no_fix(recipe)
    if no_fix and patched.digest != vulnerable.digest:
        steps.append(Step(level=2, result="failed", why=no_fix[0]))
        return done()
    if lacks := needs.lacking(recipe.patched, files):
        why = f"the fix was not tried: its release needs {lacks} packages that are not among its wheels"
        steps.append(Step(level=2, result="not_tried", why=why))
        return done()
    if why := changed_beside(backend, builder, recipe, files, times, told):
        steps.append(Step(level=2, result="failed", why=why))
        return done()
    quiet: list[Seen] = []
    shown: list[Shown] = []
    for n in range(times):
        told("silent", n, times)
        shown.append(_try(backend, patched, subject, uncaught=True))
        quiet.append(slower(shown[-1].seen, runs, recipe.oracle))
        if quiet[-1].shows != "silent":
            break
    else:
        if why := no_answer(backend, builder, vulnerable, patched, recipe, files, shown):
            quiet[-1] = msgspec.structs.replace(quiet[-1], shows="unclear", why=why)
    steps.append(
        level.silent(
            quiet,
            same_build=patched.digest == vulnerable.digest,
            holds_patch=_holds(recipe, patched),
            looks_away=patched.marks.over(vulnerable.marks),
        )
    )
    if steps[-1].result != "met" or upto < 3:
        return done()
    step, counting = unbroken(backend, builder, vulnerable, patched, recipe, files, told)
    steps.append(step)
    if steps[-1].result != "met" or upto < 4:
        return done()
    found["variant_seconds"] = seconds
    search = Search(backend, builder, (vulnerable, patched), recipe, files, first.seen.state, first, told)
    answer = search.run(seconds)
    steps.append(answer.step)
    found |= {"fuzzed": answer.fuzzed, "second": answer.second, "firing": answer.firing}
    if isinstance(recipe.target, r.CTarget) and answer.second.build:
        found["compilers"] = (vulnerable.compiler, answer.second.tool)
    if steps[-1].result == "met" and upto >= 5:
        steps.append(level.differential(*benign.sizes(counting, files)))
    return done()


def _try(
    backend: Backend, built: Built, subject: Subject, *, symbolize: bool = False, uncaught: bool = False
) -> Shown:
    recipe = subject.recipe
    limits = recipe.limits
    if symbolize and isinstance(recipe.oracle, r.Endless):
        # Once, with twice the time: what a machine at work makes a little slower does end then.
        limits = longer(limits, 2 * limits.cpu_s)
    return trial(
        backend,
        built,
        recipe.proof,
        recipe.oracle,
        subject.files,
        limits,
        symbolize=symbolize,
        uncaught=uncaught,
    )


def _written(shown: Shown) -> bytes:
    """What the first run wrote, at most 256 KiB: the sanitizer's report, then both streams."""
    parts = (shown.report, shown.outcome.stderr, shown.outcome.stdout)
    return b"\n".join(p[:_WRITTEN] for p in parts if p)[:_WRITTEN]


def _alike(seen: Seen, first: Seen) -> Seen:
    """A repeat with the first run's state, where the same error ended it."""
    if seen.state is None or first.state is None or seen.state.error != first.state.error:
        return seen
    return Seen(shows=seen.shows, why=seen.why, state=first.state, cpu_s=seen.cpu_s)


def _elsewhere(again: Shown, first: Shown) -> bool:
    """Whether a repeat was stopped at another place. A stack that ran over ends wherever its end was met."""
    state = again.seen.state
    if state is None or not again.report or state.error == "stack-overflow":
        return False
    return site_of(again.report, TARGET) != site_of(first.report, TARGET)


def slower(quiet: Seen, runs: Sequence[Seen], oracle: r.Oracle) -> Seen:
    """A silent run that took nearly as long as those that fired says nothing: where the limit stood decided it."""
    if not isinstance(oracle, r.Endless | r.Growth) or quiet.shows != "silent" or quiet.cpu_s <= STARTS_S:
        return quiet
    fired = min(s.cpu_s for s in runs)
    if quiet.cpu_s * APART <= fired:
        return quiet
    why = f"it took {quiet.cpu_s:.2f} s, and {fired:.2f} s where it fires: less than {APART} times as long"
    return Seen(shows="unclear", why=why, cpu_s=quiet.cpu_s)


def _holds(recipe: r.Recipe, patched: Built) -> bool:
    """Whether the patched build is what it says: each patch was applied, or it is another published release."""
    if isinstance(recipe.patched, r.CTarget) and recipe.patched.patches:
        series = len(
            getattr(recipe.patched, "series", None) or ()
        )  # of a source package; null for all there are
        return patched.patches >= len(recipe.patched.patches) + series
    return recipe.patched is not None and recipe.patched != recipe.target
