"""From how runs ended to what they show: the proof fires, it is silent, or nothing can be said. Pure.

Whether a program crashed, hung or wrote where it should not is told by how the box ended (`sandbox.Outcome`), never by
what it printed about itself. Text counts only for the oracles that are about text. A sanitizer's report comes in a file
of a name that is drawn for the run, and the program ends by SIGABRT with it.
"""

from __future__ import annotations

import re
import signal
from collections.abc import Sequence
from typing import Literal

import msgspec
from msgspec import Struct

from clearway.sandbox.run import Outcome

from . import recipe as r
from .crash import CrashState, of_signal, state_of

LEAST_S = 0.02  # of processor time: the start of a program
STARTS_S = 0.5  # to start an interpreter and import takes up to so long
BEYOND = 1.5  # of what linear growth takes: runs of one length differ by less
# A class as Python names it: a program chooses these names, and no other words of it are told.
_CLASS = re.compile(r"(?=.{1,100}\Z)[A-Za-z_]\w*(\.[A-Za-z_]\w*)*", re.ASCII)
Shows = Literal["fires", "silent", "unclear"]
Whose = Literal["package", "beside", "other", ""]
_WHOSE: dict[str, Whose] = {"package": "package", "beside": "beside"}


class Seen(Struct, frozen=True, kw_only=True):
    """What one run shows under an oracle. `why` is ours, for a person; it quotes nothing of the program's."""

    shows: Shows
    why: str
    state: CrashState | None = None
    cpu_s: float = 0.0


class Said(Struct, frozen=True):
    """What our harness reports: the last step's result, the class of an exception of the package's, or neither.

    `missing`: the steps could not be walked, which says nothing of the package. `step` is whose the last call was that
    began: the package's, that of one beside it, another's, or "" for none. `aside`: some call was that of one beside
    it, and none the package's. `named`: it was handed the place that it is to reach, by its plain name.
    """

    result: str | None = None
    raised: str | None = None
    missing: bool = False
    step: Whose = ""
    aside: bool = False
    named: bool = False


def heard(outcome: Outcome, nonce: str) -> Said:
    """The harness's own lines in what a run wrote: those that begin with this run's nonce; the last ones count."""
    step: Whose = ""
    seen: set[Whose] = set()
    named = False
    ended = Said()
    for line in outcome.stdout.decode("utf-8", "replace").splitlines():
        head, _, rest = line.partition(" ")
        if head != nonce or not nonce:
            continue
        kind, _, value = rest.partition(" ")
        if kind == "step":
            step, ended = _WHOSE.get(value, "other"), Said()
            seen.add(step)
        elif kind == "named":
            named = True
        elif kind == "result":
            ended = Said(result=value)
        elif kind == "raised":
            ended = Said(raised=value)
        elif kind == "missing":
            ended = Said(missing=True)
    aside = "beside" in seen and "package" not in seen
    return msgspec.structs.replace(ended, step=step, aside=aside, named=named)


def of_package(seen: Seen, said: Said) -> Seen:
    """What a run shows of the package that is judged: what lies beside it fires for itself."""
    if seen.shows != "fires" or not said.aside:
        return seen
    why = "it fires, and nothing that it calls is the package's: what does lies beside it"
    return Seen(shows="unclear", why=why, state=seen.state, cpu_s=seen.cpu_s)


def look(
    oracle: r.Oracle,
    outcome: Outcome,
    said: Said | None = None,
    secret: str = "",
    report: bytes = b"",
    *,
    lost: bool = False,
) -> Seen:
    """What one run shows. Growth needs several (`growth`). `report` is what a sanitizer wrote, "" when none did; `lost`
    says that there may be one that was not handed back."""
    said = said or Said()
    state = state_of(report)
    if outcome.ended == "refused":
        return Seen(shows="unclear", why="the box could not be made")
    if said.missing:
        return Seen(shows="unclear", why="a step names what is not there, or fails outside of the package")
    if said.step == "other" and outcome.ended != "exited":
        return Seen(
            shows="unclear", why=f"it was stopped ({outcome.ended}) in a call that is not the package's"
        )
    if isinstance(oracle, r.Sanitizer):
        if state is None and lost:
            return Seen(
                shows="unclear", why="what it left can't all be read, so that a report may be missing"
            )
        if state is None:
            return _ended(outcome, "no sanitizer stopped it")
        if (outcome.ended, outcome.code) != ("signal", signal.SIGABRT) and not oracle.child:
            # A server whose child crashed, or a program that caught its own end: never silent.
            why = "a sanitizer stopped a process of it, and it did not end by that (oracle.child takes this as firing)"
            return Seen(shows="unclear", why=why, state=state)
        if oracle.error and oracle.error != state.error:
            return Seen(shows="unclear", why="a sanitizer stopped it for another error", state=state)
        return Seen(shows="fires", why=f"{state.error}", state=state)
    if isinstance(oracle, r.Signal):
        if outcome.ended == "signal":
            name = (
                signal.Signals(outcome.code).name
                if outcome.code in set(signal.Signals)
                else str(outcome.code)
            )
            if name == oracle.name:
                return Seen(shows="fires", why=f"ended by {name}", state=state or of_signal(name))
            return Seen(shows="unclear", why=f"ended by {name}, not by {oracle.name}")
        return _ended(outcome, "no signal ended it")
    if isinstance(oracle, r.Endless):
        if outcome.ended == "cpu":
            return Seen(shows="fires", why="it did not end within its processor time", cpu_s=outcome.cpu_s)
        return _ended(outcome, f"it ended after {outcome.cpu_s:.2f} s of processor time")
    if isinstance(oracle, r.FileOutside):
        there = outcome.looked.get(oracle.path)
        if there is None:
            return Seen(shows="unclear", why="whether a file appeared there can't be told")
        if there:
            return Seen(shows="fires", why="a file appeared outside")
        return _ended(outcome, "no file appeared there")
    if isinstance(oracle, r.Raised):
        if said.raised == oracle.exception:
            return Seen(shows="fires", why="that exception was raised")
        other = said.raised or ""
        if _CLASS.fullmatch(other):
            return _ended(outcome, f"not that exception was raised, but {other}")
        return _ended(outcome, "that exception was not raised")
    wanted = oracle.text if isinstance(oracle, r.Output) else secret
    what = "the text" if isinstance(oracle, r.Output) else "the secret of this run"
    if wanted and wanted in _shown(outcome, said):
        return Seen(shows="fires", why=f"{what} came out")
    return _ended(outcome, f"{what} did not come out")


def steep(oracle: r.Growth, first_s: float, n: int) -> float:
    """Seconds of processor time that the size number `n` does not take where growth is linear and the first took
    `first_s`, start of the program included: a run that was stopped after so much shows growth."""
    return max(first_s, LEAST_S) * BEYOND * oracle.sizes[n] / oracle.sizes[0]


def growth(oracle: r.Growth, outcomes: Sequence[Outcome], said: Said | None = None) -> Seen:
    """What runs on growing sizes show: processor time that grows far faster than the size.

    The last size against the first: more than `ratio` times what linear growth would take. One that was stopped took
    longer than it says, so that it has to be beyond linear alone (`steep`): a limit below that is met by what is
    linear as well. Times under 20 ms are the start of the program and count as 20 ms; half a second more, or less, may
    be an import.
    """
    if any(o.ended == "refused" for o in outcomes):
        return Seen(shows="unclear", why="the box could not be made")
    if said is not None and (said.missing or said.step == "other"):
        return Seen(shows="unclear", why="its last call is not the package's, or names what is not there")
    if all(o.cpu_s <= 0 for o in outcomes):
        return Seen(shows="unclear", why="the sandbox does not count processor time here")
    times = [max(o.cpu_s, LEAST_S) for o in outcomes]
    if outcomes[0].ended == "cpu":
        return Seen(
            shows="unclear", why="the smallest size did not end either: choose smaller sizes", cpu_s=times[0]
        )
    if outcomes[-1].ended == "cpu":
        wanted = steep(oracle, times[0], len(outcomes) - 1)
        if times[-1] >= wanted:
            return Seen(
                shows="fires", why="a larger size did not end within its processor time", cpu_s=times[-1]
            )
        why = f"it was stopped after {times[-1]:.2f} s, where linear growth may take {wanted:.2f} s: raise limits.cpu_s"
        return Seen(shows="unclear", why=why, cpu_s=times[-1])
    if outcomes[-1].ended != "exited" or len(outcomes) < len(oracle.sizes):
        return Seen(shows="unclear", why=f"it was stopped ({outcomes[-1].ended})", cpu_s=times[-1])
    linear = oracle.sizes[-1] / oracle.sizes[0]
    found = times[-1] / times[0]
    if found >= linear * oracle.ratio and times[-1] - times[0] <= STARTS_S:
        # A module that is imported for the larger size, or a machine at work, makes as much of a difference.
        why = f"{times[-1] - times[0]:.2f} s more are no growth: {STARTS_S:g} s may be an import. Choose larger sizes"
        return Seen(shows="unclear", why=why, cpu_s=times[-1])
    if found >= linear * oracle.ratio:
        return Seen(
            shows="fires", why=f"{linear:g} times the size took {found:.0f} times as long", cpu_s=times[-1]
        )
    return Seen(
        shows="silent", why=f"{linear:g} times the size took {found:.1f} times as long", cpu_s=times[-1]
    )


def _shown(outcome: Outcome, said: Said) -> str:
    # A result is the harness's line; what the package prints counts as well, as a program's output does.
    return (said.result or "") + "\n" + outcome.stdout.decode("utf-8", "replace")


def _ended(outcome: Outcome, why: str) -> Seen:
    """Silent where the program came to an end of its own; else nothing can be said."""
    if outcome.ended == "exited":
        return Seen(shows="silent", why=why, cpu_s=outcome.cpu_s)
    return Seen(shows="unclear", why=f"{why}: it was stopped ({outcome.ended})", cpu_s=outcome.cpu_s)
