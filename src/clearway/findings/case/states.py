"""The machines of a case: report (one a party), embargo, case, and whether it is open; after CERT/CC's Vultron. Pure.

    report   start ─notify─> received ─validate─> valid ─accept─> accepted ─close─> closed
                               │ └invalidate/dispute─> invalid        <─defer/accept─> deferred
    embargo  none ─propose─> proposed ─accept─> active ─revise─> revised ─accept/keep─> active ─terminate─> exited
    case     of each vendor  vfd ─vendor-aware─> Vfd ─fix-ready─> VFd ─fix-deployed─> VFD
             of the flaw     pxa: each letter once to P (public), X (exploit public), A (attacks)
    desk     open <─reopen─ ─close─> closed

Acts are named; each says from where it may be done, where it leads, and by whom. The database holds the same table
(`case_transition`) and is the one that refuses; a test keeps the two equal.

Where this departs from Vultron: `dispute` is `invalidate` with reasons that travel with the record; a public exploit
makes the flaw public in one act; and the marking holds what is in a case from its first minute, so the embargo's
machine is about when that ends, not about whether it is kept. A coordinator may open a closed case again, and a closed
report, with reasons: it stands where it stood, a report at "received"; what was made public or released stays so.
"""

from __future__ import annotations

from typing import Literal, get_args

from msgspec import Struct

from clearway.records.errors import ConflictError, ForbiddenError, InputError

Machine = Literal["report", "embargo", "vendor", "public", "case"]
MACHINES: tuple[Machine, ...] = get_args(Machine)
Who = Literal["desk", "vendor", "reporter"]
Answer = Literal["not-asked", "no-answer", "investigating", "affected", "not-affected", "fixed", "disputed"]
ANSWERS: tuple[Answer, ...] = get_args(Answer)

_DESK: tuple[Who, ...] = ("desk",)
_VENDOR: tuple[Who, ...] = ("desk", "vendor")
_ALL: tuple[Who, ...] = ("desk", "vendor", "reporter")


class Transition(Struct, frozen=True):
    """One act from one state. `by` are those who may do it."""

    machine: Machine
    state: str
    act: str
    to: str
    by: tuple[Who, ...]


def _rows(machine: Machine, act: str, states: str, to: str, by: tuple[Who, ...]) -> list[Transition]:
    return [Transition(machine, state, act, to, by) for state in states.split()]


def _public() -> list[Transition]:
    """Each letter once; a public exploit takes the flaw public with it, as Vultron has it (pX does not last)."""
    found = []
    for bits in range(8):
        p, x, a = (bits & 4 > 0), (bits & 2 > 0), (bits & 1 > 0)
        if x and not p:
            continue
        state = flags(p, x, a)
        if not p:
            found += _rows("public", "made-public", state, flags(True, x, a), _DESK)
        if not x:
            found += _rows("public", "exploit-published", state, flags(True, True, a), _DESK)
        if not a:
            found += _rows("public", "attacks-observed", state, flags(p, x, True), _DESK)
    return found


def flags(public: bool, exploit: bool, attacks: bool) -> str:
    """ "pxa" with what holds in capitals."""
    return ("P" if public else "p") + ("X" if exploit else "x") + ("A" if attacks else "a")


TRANSITIONS: tuple[Transition, ...] = (
    *_rows("report", "notify", "start", "received", _DESK),
    *_rows("report", "validate", "received invalid", "valid", _VENDOR),
    *_rows("report", "invalidate", "received valid", "invalid", _VENDOR),
    *_rows("report", "dispute", "received valid deferred accepted", "invalid", _VENDOR),
    *_rows("report", "accept", "valid deferred", "accepted", _VENDOR),
    *_rows("report", "defer", "valid accepted", "deferred", _VENDOR),
    *_rows("report", "close", "invalid deferred accepted", "closed", _VENDOR),
    *_rows("report", "reopen", "closed", "received", _DESK),
    *_rows("embargo", "propose", "none", "proposed", _ALL),
    *_rows("embargo", "refuse", "proposed", "none", _DESK),
    *_rows("embargo", "accept", "proposed", "active", _DESK),
    *_rows("embargo", "revise", "active", "revised", _ALL),
    *_rows("embargo", "keep", "revised", "active", _DESK),
    *_rows("embargo", "accept", "revised", "active", _DESK),
    *_rows("embargo", "terminate", "none proposed active revised", "exited", _DESK),
    *_rows("vendor", "vendor-aware", "vfd", "Vfd", _VENDOR),
    *_rows("vendor", "fix-ready", "Vfd", "VFd", _VENDOR),
    *_rows("vendor", "fix-deployed", "VFd", "VFD", _VENDOR),
    *_public(),
    *_rows("case", "close", "open", "closed", _DESK),
    *_rows("case", "reopen", "closed", "open", _DESK),
)
INITIAL: dict[Machine, str] = {
    "report": "start", "embargo": "none", "vendor": "vfd", "public": "pxa", "case": "open",
}  # fmt: skip
_TABLE = {(t.machine, t.state, t.act): t for t in TRANSITIONS}
# Acts with which time is bought; none is once the flaw, an exploit or attacks are known (Vultron, embargo viability).
_BUYS_TIME = frozenset(("propose", "accept", "revise", "keep"))


def allowed(machine: Machine, state: str, who: Who) -> tuple[str, ...]:
    """The acts that `who` may do from `state`, in the order of the table."""
    return tuple(t.act for t in TRANSITIONS if (t.machine, t.state) == (machine, state) and who in t.by)


def step(machine: Machine, state: str, act: str, who: Who, *, public: str = "pxa") -> str:
    """The state after `act`. `public` is the flaw's own state, for the embargo's acts.

    Raises:
        InputError: there is no such act.
        ConflictError: it is none of this state, or buys time that there is not.
        ForbiddenError: somebody else does it.
    """
    if act not in {t.act for t in TRANSITIONS if t.machine == machine}:
        raise InputError("there is no such act", where="act", mend=f"one of {', '.join(acts(machine))}")
    found = _TABLE.get((machine, state, act))
    if found is None:
        can = ", ".join(t.act for t in TRANSITIONS if (t.machine, t.state) == (machine, state)) or "nothing"
        raise ConflictError(f"{act} is not done from {state}", where=machine, mend=f"from there: {can}")
    if who not in found.by:
        raise ForbiddenError(f"{act} is for {' or '.join(found.by)}", where=machine)
    if machine == "embargo" and act in _BUYS_TIME and (reason := unviable(public)):
        raise ConflictError(f"{reason}: an embargo can only end", where="embargo", mend="release the case")
    return found.to


def acts(machine: Machine) -> tuple[str, ...]:
    """Every act of a machine, once."""
    return tuple(dict.fromkeys(t.act for t in TRANSITIONS if t.machine == machine))


def states(machine: Machine) -> tuple[str, ...]:
    """Every state of a machine, the initial one first."""
    found = [INITIAL[machine]]
    for t in TRANSITIONS:
        if t.machine == machine:
            found += [t.state, t.to]
    return tuple(dict.fromkeys(found))


def unviable(public: str) -> str:
    """Why an embargo can't be kept any longer, "" while it can."""
    if "P" in public:
        return "the flaw is public"
    if "A" in public:
        return "attacks are observed"
    return ""


def path(state: str, wanted: str) -> tuple[str, ...]:
    """The acts of the report's machine that lead a party from `state` to having done `wanted`.

    A maintainer who accepts a report that they have just received validates it first: two acts, each on record.
    """
    if wanted in ("accept", "defer") and state in ("received", "invalid"):
        return ("validate", wanted)
    return (wanted,)
