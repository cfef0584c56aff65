"""The embargo's clock and the case's course, as the room shows them. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from msgspec import Struct

from clearway.http.pages import plot
from clearway.http.pages.filters import printable

if TYPE_CHECKING:
    from .view import CaseView

MOST_STEPS = 10  # of the course, the newest; all of them are in what was done
_ACTS = {
    "propose": "a day is proposed",
    "accept": "a day is agreed",
    "revise": "another day is proposed",
    "refuse": "the day is refused",
    "keep": "the day stays",
    "terminate": "the embargo ends",
    "made-public": "the flaw is public",
    "exploit-published": "an exploit is public",
    "attacks-observed": "attacks are seen",
}


class Clock(Struct, frozen=True, kw_only=True):
    """How long an embargo holds. `local` is its end in the zone in which it was agreed, `left` how far that is."""

    until: datetime | None
    local: str
    left: str
    over: bool  # the hour has passed
    ended: bool  # the embargo has ended, by an act
    armed: bool


def of(one: CaseView, now: datetime) -> Clock:
    """The clock of a case at `now`. Without an agreed day `left` and `local` are empty."""
    ended = (one.released or one.ended) is not None
    if one.until is None:
        return Clock(until=None, local="", left="", over=False, ended=ended, armed=False)
    try:
        local = one.until.astimezone(ZoneInfo(one.zone))
        zone = one.zone
    except (ZoneInfoNotFoundError, ValueError, OSError):
        local, zone = one.until.astimezone(UTC), "UTC"
    return Clock(
        until=one.until,
        local=f"{local:%a} {local.day} {local:%b %Y, %H:%M} {zone}",
        left=left(one.until - now),
        over=one.until <= now,
        ended=ended,
        armed=one.ends is not None and not one.frozen,
    )


def left(span: timedelta) -> str:
    """A span in days and hours, its last hour in minutes: "11 d 4 h", "4 h", "12 min"; of a negative one its size."""
    minutes = int(abs(span).total_seconds()) // 60
    days, hours = minutes // 1440, minutes // 60 % 24
    if days:
        return f"{days:,} d {hours} h" if hours else f"{days:,} d"
    return f"{hours} h" if hours else f"{minutes} min"


def drawn(one: CaseView, now: datetime) -> plot.Drawn | None:
    """The course of a case as a timeline, with its table: what happened, when the embargo ends, and today.

    None where all of it is of one day: there is no course yet.
    """
    steps: list[plot.Happened] = []
    for party in one.parties:
        name = printable(party.name)
        if party.asked is not None and party.role != "reporter":
            steps.append(plot.Happened(party.asked, f"{name} is asked"))
        if party.answered is not None and party.answer not in ("not-asked", "no-answer"):
            steps.append(plot.Happened(party.answered, f"{name}: {party.answer.replace('-', ' ')}", "good"))
    for act in one.history:
        if act.machine in ("embargo", "public") and act.act in _ACTS:
            steps.append(plot.Happened(act.at, _ACTS[act.act], "overdue" if act.machine == "public" else ""))
    steps.sort(key=lambda step: _moment(step.on))
    ends = [plot.Happened(one.opened, "opened"), plot.Happened(now, "today", "now")]
    if one.until is not None and one.released is None:
        ends.append(plot.Happened(one.until, "embargo ends" if one.ends else "agreed to end", "soon"))
    elif one.proposal is not None and one.released is None:
        ends.append(plot.Happened(one.proposal.until, "proposed to end", "soon"))
    if one.published is not None:
        ends.append(plot.Happened(one.published, "published", "good"))
    events = [*ends, *steps[-MOST_STEPS:]]
    if len({_moment(event.on).astimezone(UTC).date() for event in events}) == 1:
        return None
    return plot.timeline("The course of this case", events, now)


def _moment(on: object) -> datetime:
    assert isinstance(on, datetime)
    return on
