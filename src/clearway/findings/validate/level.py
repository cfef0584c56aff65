"""The ladder of evidence, E0 to E6. Pure: from observations to levels, each with its reason.

    E0  received, and its recipe is valid
    E1  fires k of k times on the vulnerable build, in one crash state
    E2  silent k of k times on the patched build, which is another build and holds the patch
    E3  no test that passed before fails after, and benign input goes the same way
    E4  variants: re-fuzzing from the proof finds nothing related on the patched build, and the proof
        fires under a second compiler or sanitizer as well
    E5  the developers' own tests of the fix, or no difference on a benign corpus
    E6  a named human, or upstream, has accepted it

A level needs all below it. E0 and E1 are the finding's alone, the rest a pair's of finding and patch. The same idea:
PVBench (arXiv 2603.06858) finds over 40 % of patches that stop the proof and pass the old tests wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from msgspec import Struct

from .oracle import Seen

Result = Literal["met", "failed", "not_tried"]
HIGHEST = 6
ENOUGH_BENIGN = 20
ENOUGH_SIZES = 3
ENOUGH_VARIANTS = 20
LEAST_RUNS = 3  # of a proof on a build, however few a recipe asks for: what fires by chance fires once easily
THEIRS = "by a program that has files of the reporter's in it"
_NO_VARIANT = "no variant was tried: the proof has no file to vary, or its oracle can't tell"


class Step(Struct, frozen=True, kw_only=True):
    """One level's answer. `times` of `of` runs said so."""

    level: int
    result: Result
    why: str
    times: int = 0
    of: int = 0


class Second(Struct, frozen=True, kw_only=True):
    """The proof on the vulnerable target as another compiler built it, or under another interpreter, `of` times.

    `lacking` says why there is none; it fails nothing then, and is on record.
    """

    tool: str = ""  # its own words on its version
    build: str = ""  # digest of what was run
    seen: tuple[Seen, ...] = ()
    of: int = 0
    lacking: str = ""

    @property
    def times(self) -> int:
        """How often it fired."""
        return sum(s.shows == "fires" for s in self.seen)

    @property
    def result(self) -> Result:
        """Met when it fired each time, as often as it was to."""
        if not self.seen:
            return "not_tried"
        return "met" if self.times == len(self.seen) >= self.of else "failed"

    @property
    def words(self) -> str:
        """For the reason of a level."""
        if self.result == "not_tried":
            return f"no second build: {self.lacking}" if self.lacking else ""
        if self.result == "met":
            return f"it fires {self.times} of {self.of} times under {self.tool}"
        other = next((s.why for s in self.seen if s.shows != "fires"), "")
        return f"{self.tool} does not see it: {other}"


class Ladder(Struct, frozen=True, kw_only=True):
    """All levels that were looked at, lowest first, and the highest that holds."""

    steps: tuple[Step, ...]

    @property
    def level(self) -> int:
        """The highest level that is met with all below it; -1 when not even E0 is."""
        reached = -1
        for step in self.steps:
            if step.result != "met" or step.level != reached + 1:
                break
            reached = step.level
        return reached

    @property
    def why(self) -> str:
        """Why it goes no further."""
        for step in self.steps:
            if step.level == self.level + 1:
                return step.why
        return self.steps[-1].why if self.steps else ""


def fires(seen: Sequence[Seen], *, capped: str = "", theirs: int = 0) -> Step:
    """E1 from runs on the vulnerable build; `capped` says why nothing higher counts.

    `theirs` files of the reporter's are part of the program: whatever it shows, a sanitizer's report with its error and
    stack too, could be forged by them. The words say so before they say what.
    """
    fired = [s for s in seen if s.shows == "fires"]
    if not seen:
        return Step(level=1, result="not_tried", why="the proof was not run")
    if len(fired) < len(seen):
        if not fired:
            return Step(level=1, result="failed", why=f"it does not fire: {seen[0].why}", of=len(seen))
        return Step(
            level=1, result="failed", times=len(fired), of=len(seen),
            why=f"it fires {len(fired)} of {len(seen)} times: what fires now and then proves nothing",
        )  # fmt: skip
    states = {s.state.key for s in fired if s.state is not None}
    if len(states) > 1:
        return Step(
            level=1,
            result="failed",
            times=len(fired),
            of=len(seen),
            why="each run ends in another crash state",
        )
    why = f"{THEIRS} ({theirs:,}), which could forge it: " if theirs else ""
    why += fired[0].why + (f" (capped at E1: {capped})" if capped else "")
    return Step(level=1, result="met", times=len(fired), of=len(seen), why=why)


def silent(seen: Sequence[Seen], *, same_build: bool, holds_patch: bool, looks_away: bool = False) -> Step:
    """E2 from runs of the same proof on the patched build; `looks_away` when it tells the sanitizers to."""
    if not seen:
        return Step(level=2, result="not_tried", why="there is no patched build")
    if same_build:
        return Step(level=2, result="failed", of=len(seen), why="the patched build is the vulnerable one")
    if not holds_patch:
        return Step(level=2, result="failed", of=len(seen), why="the patched build does not hold the patch")
    if looks_away:
        why = "the patched source tells the sanitizers to look away, or is another program under them"
        return Step(level=2, result="failed", of=len(seen), why=why)
    quiet = [s for s in seen if s.shows == "silent"]
    if len(quiet) == len(seen):
        return Step(level=2, result="met", times=len(quiet), of=len(seen), why=quiet[0].why)
    other = next(s for s in seen if s.shows != "silent")
    word = "it fires on the patched build as well" if other.shows == "fires" else "nothing can be said"
    return Step(level=2, result="failed", times=len(quiet), of=len(seen), why=f"{word}: {other.why}")


def unbroken(
    before: dict[str, bool],
    after: dict[str, bool],
    benign: Sequence[tuple[str, str]] = (),
    *,
    foreign: int = 0,
    first: str = "",
) -> Step:
    """E3 from the project's tests on both builds, by name, and benign runs as (before, after) digests, "" for one that
    comes to no end of its own. `foreign` more count for nothing: the last that they call is not the package's. `first`
    says which of them goes another way, and how."""
    others = f"{foreign} benign inputs call last what is not the package's, and count for nothing"
    if not before and not benign:
        why = others if foreign else "no test and no benign input is known"
        return Step(level=3, result="not_tried", why=why)
    passed = {name for name, ok in before.items() if ok}
    broken = sorted(name for name in passed if not after.get(name, False))
    if broken:
        return Step(
            level=3, result="failed", times=len(passed) - len(broken), of=len(passed),
            why=f"{len(broken)} of {len(passed)} tests that passed before fail after",
        )  # fmt: skip
    ill = sum(not a for a, _ in benign)
    if ill:
        why = f"{ill} of {len(benign)} benign inputs come to no good end on the vulnerable build"
        return Step(level=3, result="failed", times=len(benign) - ill, of=len(benign), why=why)
    differ = sum(a != b for a, b in benign)
    if differ:
        return Step(
            level=3, result="failed", times=len(benign) - differ, of=len(benign),
            why=f"{differ} of {len(benign)} benign inputs go another way" + (f"; {first}" if first else ""),
        )  # fmt: skip
    if not passed and not benign:
        return Step(
            level=3, result="failed", why="no test passes on the vulnerable build: none can be broken"
        )
    said = " and ".join(
        ([f"{len(passed)} tests pass as before"] if passed else [])
        + ([f"{len(benign)} benign inputs go the same way"] if benign else [])
    ) + (f"; {others}" if foreign else "")
    return Step(
        level=3, result="met", times=len(passed) + len(benign), of=len(passed) + len(benign), why=said
    )


def variants(
    *,
    tried: int,
    related: int,
    seconds: float,
    second: Second,
    fuzzed: str = "",
    elsewhere: int = 0,
    lost: int = 0,
) -> Step:
    """E4 from re-fuzzing the patched build: `tried` mutations in so many `seconds`, `related` inputs that still fire,
    what libFuzzer did or why not (`fuzzed`, in words), `elsewhere` flaws of their own, and the `second` build. Each of
    the inputs on which it stopped and that were `lost` may fire."""
    if not tried:
        return Step(
            level=4,
            result="not_tried",
            why=_NO_VARIANT,
        )
    if tried < ENOUGH_VARIANTS and not related:
        why = f"{tried} variants in {seconds:.0f} s: {ENOUGH_VARIANTS} are wanted"
        return Step(level=4, result="not_tried", of=tried, why=why)
    if related:
        why = f"{related} variants of the proof still fire: the patch blocks the bytes, not the flaw"
        return Step(
            level=4,
            result="failed",
            times=max(tried - related, 0),
            of=tried,
            why="; ".join(s for s in (why, fuzzed) if s),
        )
    if lost:
        why = f"nothing can be said: {lost} or more inputs on which the fuzzer stopped could not be looked at whole"
        return Step(level=4, result="failed", of=tried, why="; ".join(s for s in (why, fuzzed) if s))
    if second.result == "failed":
        return Step(level=4, result="failed", of=tried, why=second.words)
    said = [f"{tried:,} variants in {seconds:.0f} s, none fires", fuzzed, second.words]
    if elsewhere:
        said.append(
            f"{elsewhere} crashes elsewhere, which the vulnerable build has as well: findings of their own"
        )
    return Step(level=4, result="met", times=tried, of=tried, why="; ".join(s for s in said if s))


def differential(sizes: Sequence[int], proof: int) -> Step:
    """E5 from the sizes of the distinct benign inputs that went the same way on both builds (E3 has compared them), and
    that of the proof, in bytes.

    A patch that refuses whatever is larger than they are goes the same way on all of them: their sizes are to differ,
    and to come up to half of the proof's. The proof's own size is not asked for: where it is the flaw, nothing of it is
    benign.
    """
    count = len(sizes)
    if count < ENOUGH_BENIGN:
        return Step(
            level=5, result="not_tried", of=count, why=f"{count} benign inputs: {ENOUGH_BENIGN} are wanted"
        )
    least, most = min(sizes), max(sizes)
    said = f"{count} benign inputs of {least:,} to {most:,} bytes (the proof has {proof:,})"
    if len(set(sizes)) < min(ENOUGH_SIZES, proof) or 2 * most < proof:
        why = f"{said}: {ENOUGH_SIZES} sizes are wanted, up to half of the proof's"
        return Step(level=5, result="not_tried", of=count, why=why)
    return Step(level=5, result="met", times=count, of=count, why=f"{said}, none goes another way")


def ladder(steps: Sequence[Step], *, cap: int = HIGHEST, why: str = "") -> Ladder:
    """The ladder of these steps, E0 first; above `cap` nothing counts, whatever was seen, and `why` says so."""
    kept = [Step(level=0, result="met", why="the recipe is valid"), *sorted(steps, key=lambda s: s.level)]
    return Ladder(
        steps=tuple(
            s
            if s.level <= cap
            else Step(
                level=s.level,
                result="not_tried",
                why=why or "needs a proof under our harness, on files that the desk knows",
            )
            for s in kept
        )
    )
