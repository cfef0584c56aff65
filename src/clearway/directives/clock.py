"""From dated facts to a timeline of tiers and due dates: pure, and replayable as of any day.

A due date is the clock's start plus the tier's calendar days, an ISO date in UTC. The
start is the earliest of the events that the directive names and that have happened:
the addition to KEV, and the detection on the asset. When the tier changes, either

- `original_start`: the clock goes on from its start (the literal "earlier of"), or
- `restart_at_tier_change`: the new tier's days count from the day of the change. A missed
  date of the tier before is not forgotten: it stays in the timeline and in the reasons.

A directive that is revoked asks nothing from that day on: a last tier without a date ends the timeline, and says until
when which date was due. What was due before stays in the tiers before it, and is what holds on the days before.
"""

from __future__ import annotations

from datetime import date, timedelta

from msgspec import Struct

from clearway.records.errors import InputError

from .decision import OUT_OF_SCOPE, Decision, decide, when_revoked
from .directive import Directive
from .facts import Facts, on

RESTART = "restart_at_tier_change"


class Tier(Struct, frozen=True, kw_only=True):
    """One stretch of the timeline: from `since` on, this decision holds.

    `start` is the day the days are counted from; `kev_added` and `detected` are both
    kept, whichever of them it is. `due` is None when the tier has no due date or
    nothing has started the clock.
    """

    since: date
    start: date | None
    due: date | None
    decision: Decision
    kev_added: date | None = None
    detected: date | None = None
    reasons: tuple[str, ...] = ()


class Timeline(Struct, frozen=True, kw_only=True):
    """All tiers up to `as_of`, oldest first; never empty. The last is what holds on `as_of`."""

    directive: str
    policy: str
    retier: str
    as_of: date
    tiers: tuple[Tier, ...]

    @property
    def current(self) -> Tier:
        """What holds on `as_of`."""
        return self.tiers[-1]


def timeline(
    directive: Directive, facts: Facts, policy: str = "", *, retier: str = "", as_of: date
) -> Timeline:
    """The tiers that `facts` give under `directive`, as known on `as_of`.

    Facts dated after `as_of` are not known and change nothing. `policy` and `retier`
    are names of the directive's options; "" is its default.

    Raises:
        UsageError: the directive has no such policy or option.
        InputError: a due date would lie beyond the calendar.
    """
    rule = directive.policy(policy).id
    option = directive.retier(retier)
    ended = directive.ended(as_of)
    last = as_of if ended is None else max(ended, date.min + timedelta(1)) - timedelta(1)
    detected = facts.detected if facts.detected is not None and facts.detected <= last else None
    tiers: list[Tier] = []
    for day in _days(directive, facts, detected, last):
        tier = _tier(directive, facts, rule, option, day, tiers[-1] if tiers else None)
        if not tiers or _differs(tiers[-1], tier):
            tiers.append(tier)
    if ended is not None:
        tiers.append(_ended(directive, facts, ended, as_of, tiers[-1]))
    return Timeline(directive=directive.id, policy=rule, retier=option, as_of=as_of, tiers=tuple(tiers))


def _days(directive: Directive, facts: Facts, detected: date | None, as_of: date) -> list[date]:
    """The days on which something may change: from the first start of the clock on."""
    starts = set()
    if "kev_added" in directive.clock.starts:
        listed = (fact.dated for fact in facts.changes if fact.point == "kev" and fact.value == "yes")
        starts = {day for day in listed if day is not None and day <= as_of}
    if detected is not None and "detected" in directive.clock.starts:
        starts.add(detected)
    if not starts:  # nothing runs: what holds on the day itself is all there is to say
        return [as_of]
    first = min(starts)
    changes = {fact.dated for fact in facts.changes if fact.dated is not None and first < fact.dated <= as_of}
    return sorted(changes | starts)


def _differs(before: Tier, after: Tier) -> bool:
    a, b = before.decision, after.decision
    if (before.start, before.due) != (after.start, after.due):
        return True
    return (a.code, a.row, a.rows, a.basis) != (b.code, b.row, b.rows, b.basis)


def _tier(
    directive: Directive, facts: Facts, policy: str, option: str, day: date, before: Tier | None
) -> Tier:
    """What holds from `day` on, after the tier `before`."""
    held = on(facts, day)
    decision = decide(directive, held, policy, cve=facts.cve)
    if decision.code == OUT_OF_SCOPE:
        return Tier(since=day, start=None, due=None, decision=decision, reasons=decision.reasons)
    listed = held.get("kev")
    kev_added = listed.dated if listed is not None and listed.value == "yes" else None
    detected = facts.detected if facts.detected is not None and facts.detected <= day else None
    events = {"kev_added": kev_added, "detected": detected}
    running = {name: at for name in directive.clock.starts if (at := events[name]) is not None}
    start = min(running.values()) if running else None
    restarted = False
    if option == RESTART and before is not None and start is not None and before.start is not None:
        restarted = before.decision.code != decision.code
        start = day if restarted else before.start
    due, reasons = _due(directive, facts, decision, start)
    if restarted and before is not None and before.due is not None and due is not None and before.due < due:
        reasons.append(f"the tier before, {before.decision.code}, was due {before.due}")
    if due is not None and due < directive.published:
        reasons.append(f"that is before {directive.short} itself ({directive.published})")
    return Tier(
        since=day,
        start=start,
        due=due,
        decision=decision,
        kev_added=kev_added,
        detected=detected,
        reasons=(*decision.reasons, *_say_start(facts, running, start, restarted), *reasons),
    )


def _ended(directive: Directive, facts: Facts, since: date, as_of: date, before: Tier) -> Tier:
    """What holds from the day on which the directive was revoked, after the tier `before`."""
    decision = when_revoked(directive)
    until = [f"until then {before.decision.code} was due {before.due}"] if before.due is not None else []
    listed = on(facts, as_of).get("kev")
    return Tier(
        since=since,
        start=None,
        due=None,
        decision=decision,
        kev_added=listed.dated if listed is not None and listed.value == "yes" else None,
        detected=facts.detected if facts.detected is not None and facts.detected <= as_of else None,
        reasons=(*until, *decision.reasons),
    )


def _say_start(facts: Facts, running: dict[str, date], start: date | None, restarted: bool) -> list[str]:
    said = []
    if "kev_added" in running:
        said.append(f"added to KEV {running['kev_added']}")
    if "detected" in running:
        how = {"given": "", "kept": " (first seen by a scan)", "assumed": " (not given: taken as today)"}
        said.append(f"detected {running['detected']}{how[facts.detected_how]}")
    if start is None:
        said.append("nothing has started the clock")
    elif restarted:
        said.append(f"the tier changed: the clock restarts on {start}")
    elif len(running) > 1:
        said.append(f"the clock starts at the earlier: {start}")
    return said


def _due(
    directive: Directive, facts: Facts, decision: Decision, start: date | None
) -> tuple[date | None, list[str]]:
    if start is None or (decision.days is None and decision.months is None):
        return None, []
    if directive.clock.catalogue_due and facts.catalogue_due is not None:
        return facts.catalogue_due, [f"due {facts.catalogue_due}: the catalogue's own date"]
    if decision.months is not None:
        due = add_months(start, decision.months)
        return due, [f"due {due} UTC: {start} and {decision.months} months"]
    due = add_days(start, decision.days or 0)
    return due, [f"due {due} UTC: {start} and {decision.days} calendar days"]


def add_days(start: date, days: int) -> date:
    """`start` and so many calendar days. Raises InputError beyond the year 9999."""
    try:
        return start + timedelta(days=days)
    except OverflowError as error:
        what = f"{start} and {days} days is beyond the calendar"
        raise InputError(what, mend="give an earlier date") from error


def add_months(start: date, months: int) -> date:
    """The same day so many months on, or that month's last day. Raises InputError beyond the year 9999."""
    from calendar import monthrange  # for a revoked directive only: kept off the hot path

    year, month = divmod(start.year * 12 + start.month - 1 + months, 12)
    if year > date.max.year:
        raise InputError(f"{start} and {months} months is beyond the calendar", mend="give an earlier date")
    return date(year, month + 1, min(start.day, monthrange(year, month + 1)[1]))
