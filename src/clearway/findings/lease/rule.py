"""Which activities get in each other's way, and the answer that follows from it. Pure.

The database decides by the same rules (`lease_rule`, `lease_ask` in `0015_leases`), under locks; this is what they say,
and the tests hold the two equal.

                    on a copy of a program     on somebody's hosts
    source-review   shared with others         in nobody's way
    fuzzing         shared with others         alone
    authenticated   -                          alone
    port            -                          alone
    passive         in nobody's way            in nobody's way

What an owner says reaches as far:

                          own            refuse      cap             beside whoever the owner authorised
    load on hosts         no-proof       opt-out     no-proof, rate  (fuzzing, authenticated, port, source review there)
    a copy of a program   goes           opt-out     -               (source review, fuzzing)
    passive, with the     goes           opt-out     goes            (its packets come to hosts; else as the next)
      addresses it comes from
    passive               goes           goes        goes            (nothing comes to anybody)
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Literal, get_args

from msgspec import Struct

from clearway.records.errors import InputError

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
# Requests a second. Below the least, a single-precision number may hold nothing of it.
LEAST_RATE, MAX_RATE = 0.001, 1_000_000.0


class Held(Struct, frozen=True, kw_only=True):
    """One lease as far as a decision needs it."""

    activity: Activity
    targets: tuple[Target, ...]
    starts: datetime
    until: datetime
    ends: datetime
    rate: float | None = None


class Control(Struct, frozen=True, kw_only=True):
    """One proof of control that stands, and what its owner says of being scanned."""

    org: str
    target: Target
    stance: Stance = "own"
    max_rate: float | None = None
    authorised: frozenset[str] = frozenset()


class Decision(Struct, frozen=True):
    """An answer; `why` for a refusal, or a wait for part of a capped rate; `until` for a wait: when what is in the way
    is over at the latest.
    """

    answer: Answer
    why: Literal["", "opt-out", "no-proof", "rate", "rate-taken"] = ""
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


def checked_rate(rate: float, where: str) -> float:
    """`rate` when it is one in requests a second. Raises InputError."""
    if not LEAST_RATE <= rate <= MAX_RATE:
        raise InputError(f"a rate is {LEAST_RATE:g} to {MAX_RATE:,.0f} requests a second", where=where)
    return rate


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
    reaches: bool = False,
    now: datetime,
) -> Decision:
    """The answer to `org`, which would do `activity` to `targets` from `starts` to `until`.

    A lease reserves its whole window while it is renewed; one that was not renewed by `ends` is no more. What an owner
    caps is the sum of the rates of all that reaches the owner's hosts at any moment. `reaches`: it names addresses that
    it comes from, so that it comes to hosts even where it is passive.
    """
    wanted = tuple(targets)
    known = tuple(controls)
    there = [x for x in held if x.ends > now and x.starts < until and x.until > starts]
    for target in wanted:
        why = _refusal(activity, target, known, org, rate, reaches=reaches)
        if why:
            return Decision("refused", why)
    shared = False
    for target in wanted:
        last: datetime | None = None
        for lease in there:
            for other in (t for t in lease.targets if meets(t, target)):
                met = outcome(activity, lease.activity, live=other.live)
                shared = shared or met == "share"
                if met == "exclude":
                    last = lease.until if last is None else max(last, lease.until)
        if last is not None:
            return Decision("wait", "", last)
    if activity != "passive":
        live = [t for t in wanted if t.live]
        caps = [c for c in known if c.max_rate is not None and any(meets(c.target, t) for t in live)]
        over = [found for c in caps if (found := _over(c, there, starts, until, rate or MAX_RATE))]
        if over:
            return Decision("wait", "rate-taken", max(over))
    return Decision("share" if shared else "go")


def _over(
    cap: Control, there: Iterable[Held], starts: datetime, until: datetime, rate: float
) -> datetime | None:
    """Until when the leases below a cap are reserved, when `rate` more would be over it at some moment; else None."""
    met = [
        x
        for x in there
        if x.activity != "passive" and any(t.live and meets(cap.target, t) for t in x.targets)
    ]
    moments = [starts, *(x.starts for x in met if starts < x.starts < until)]
    peak = max(sum(_rate(x.rate) for x in met if x.starts <= at < x.until) for at in moments)
    return max((x.until for x in met), default=None) if peak + _rate(rate) > _rate(cap.max_rate) else None


def _rate(rate: float | None) -> Decimal:
    """In decimals: sums of tenths are tenths. Who named none counts for all there may be."""
    return Decimal(f"{MAX_RATE if rate is None else rate:.6g}")


def _refusal(
    activity: Activity,
    target: Target,
    controls: Iterable[Control],
    org: str,
    rate: float | None,
    *,
    reaches: bool,
) -> Literal["", "opt-out", "no-proof", "rate"]:
    met = [c for c in controls if meets(c.target, target)]
    refused = any(c.stance == "refuse" and c.org != org and org not in c.authorised for c in met)
    # Who only looks on needs no leave; whose packets come to hosts that nobody may scan does not only look on.
    if refused and (activity != "passive" or (reaches and target.live)):
        return "opt-out"
    if activity == "passive" or not target.live:  # to look at a copy of a program takes nobody's leave
        return ""
    if not any(covers(c.target, target) and (c.org == org or org in c.authorised) for c in met):
        return "no-proof"
    cap = min((c.max_rate for c in met if c.max_rate is not None), default=None)
    return "rate" if cap is not None and (rate is None or rate > cap) else ""
