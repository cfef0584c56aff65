"""Which activities get in each other's way, and the answer that follows from it. Pure.

The database decides by the same rules (`lease_rule`, `lease_ask` in `0015_leases`), under locks; this is what they say,
and the tests hold the two equal.

                    on a copy of a program     on somebody's hosts
    source-review   shared with others         in nobody's way
    fuzzing         shared with others         alone
    authenticated   -                          alone
    port            -                          alone
    passive         in nobody's way            in nobody's way
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Literal, get_args

from msgspec import Struct

from .scope import Target, covers, meets

Activity = Literal["source-review", "fuzzing", "authenticated", "port", "passive"]
ACTIVITIES: tuple[Activity, ...] = get_args(Activity)
Outcome = Literal["clear", "share", "exclude"]
Stance = Literal["own", "refuse", "cap"]
Answer = Literal["go", "share", "wait", "refused", "known"]
_LOAD = frozenset(
    ("fuzzing", "authenticated", "port")
)  # reaches the hosts, and changes what others measure there
_NEED_HOSTS = frozenset(("authenticated", "port"))


class Held(Struct, frozen=True, kw_only=True):
    """One lease as far as a decision needs it."""

    activity: Activity
    targets: tuple[Target, ...]
    starts: datetime
    until: datetime
    ends: datetime


class Control(Struct, frozen=True, kw_only=True):
    """One proof of control that stands, and what its owner says of being scanned."""

    org: str
    target: Target
    stance: Stance = "own"
    max_rate: float | None = None
    authorised: frozenset[str] = frozenset()


class Decision(Struct, frozen=True):
    """An answer; `why` for a refusal, `until` for a wait: when what is in the way is over at the latest."""

    answer: Answer
    why: Literal["", "opt-out", "no-proof", "rate"] = ""
    until: datetime | None = None


def outcome(one: Activity, other: Activity, *, live: bool) -> Outcome:
    """What two activities on the same thing are to each other; the order of the two does not matter."""
    if "passive" in (one, other):
        return "clear"
    if not live:
        return "share"
    return "exclude" if one in _LOAD and other in _LOAD else "clear"


def exclusive(activity: Activity, targets: Iterable[Target]) -> bool:
    """Whether a lease for that is nobody else's at the same time."""
    return any(outcome(activity, activity, live=t.live) == "exclude" for t in targets)


def fits(activity: Activity, target: Target) -> bool:
    """Whether the activity can be done there: ports and sign-ins are of hosts."""
    return target.live or activity not in _NEED_HOSTS


def decide(
    activity: Activity,
    targets: Iterable[Target],
    starts: datetime,
    until: datetime,
    held: Iterable[Held],
    controls: Iterable[Control] = (),
    *,
    org: str = "",
    rate: float | None = None,
    now: datetime,
) -> Decision:
    """The answer to `org`, which would do `activity` to `targets` from `starts` to `until`.

    A lease reserves its whole window while it is renewed; one that was not renewed by `ends` is no more.
    """
    wanted = tuple(targets)
    known = tuple(controls)
    if activity != "passive":
        for target in wanted:
            why = _refusal(target, known, org, rate)
            if why:
                return Decision("refused", why)
    shared = False
    for target in wanted:
        last: datetime | None = None
        for lease in held:
            if lease.ends <= now or lease.starts >= until or lease.until <= starts:
                continue
            for other in (t for t in lease.targets if meets(t, target)):
                met = outcome(activity, lease.activity, live=other.live)
                shared = shared or met == "share"
                if met == "exclude":
                    last = lease.until if last is None else max(last, lease.until)
        if last is not None:
            return Decision("wait", "", last)
    return Decision("share" if shared else "go")


def _refusal(
    target: Target, controls: Iterable[Control], org: str, rate: float | None
) -> Literal["", "opt-out", "no-proof", "rate"]:
    met = [c for c in controls if meets(c.target, target)]
    if any(c.stance == "refuse" and c.org != org and org not in c.authorised for c in met):
        return "opt-out"
    if not target.live:  # to look at a copy of a program takes nobody's leave
        return ""
    if not any(covers(c.target, target) and (c.org == org or org in c.authorised) for c in met):
        return "no-proof"
    cap = min((c.max_rate for c in met if c.max_rate is not None), default=None)
    return "rate" if cap is not None and (rate is None or rate > cap) else ""
