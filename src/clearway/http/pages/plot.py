"""Plots made on the server: SVG markup with classes for the stylesheet, and the same data as a table.

Nothing here runs in the browser. Each plot is drawn twice, for a wide page and for a phone, and the stylesheet shows
one. Colour never tells alone: lines differ by their dashes and carry their name at the end.
"""

from __future__ import annotations

import math
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from markupsafe import Markup, escape
from msgspec import Struct

from clearway.records.errors import InputError

from .filters import short_day

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_WIDE, _NARROW = 720, 340
_CHARACTER = 7.0  # mean width of a character at 12 px, generous
MOST_POINTS = 2_000
MOST_EVENTS = 40


class Drawn(Struct, frozen=True):
    """A plot to be given to `ui.figure`: the markup, and the table beside it."""

    title: str
    svg: Markup
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    keys: tuple[str, ...] = ()


class Happened(Struct, frozen=True):
    """One dated event of a timeline. kind: overdue, soon, good, now, "" (the colours of the stylesheet)."""

    on: date | datetime
    what: str
    kind: str = ""


def lines(
    title: str, days: Sequence[date], series: Mapping[str, Sequence[float]], *, steps: bool = False
) -> Drawn:
    """Up to four series of numbers over days, from zero up.

    `steps` holds each value until the next day, for counts that change at once.

    Raises:
        InputError: no or too many points, more than four series, a series of another length than `days`, or a
            number that is negative or not finite.
    """
    _sane(days, series)
    top = _nice(max((value for values in series.values() for value in values), default=0))
    svg = Markup("").join(_lines(title, days, series, top, width, steps) for width in (_WIDE, _NARROW))
    now = datetime(days[-1].year, days[-1].month, days[-1].day, tzinfo=UTC)
    rows = tuple(
        (short_day(on, now), *(f"{values[i]:,g}" for values in series.values())) for i, on in enumerate(days)
    )
    return Drawn(title, svg, ("Day", *series), rows, tuple(series) if len(series) > 1 else ())


def timeline(title: str, events: Sequence[Happened], now: datetime) -> Drawn:
    """Dated events in their order on one line, at their place in time; on a phone from top to bottom.

    Raises:
        InputError: no event, or more than 40.
    """
    if not 0 < len(events) <= MOST_EVENTS:
        raise InputError(f"a timeline shows 1 to {MOST_EVENTS} events", where=title)
    ordered = sorted((Happened(e.on, _cut(e.what, 40), e.kind) for e in events), key=lambda e: _day(e.on))
    rows = tuple((short_day(_day(e.on), now), e.what) for e in sorted(events, key=lambda e: _day(e.on)))
    return Drawn(title, _across(title, ordered, now) + _down(title, ordered, now), ("Day", "What"), rows)


def _sane(days: Sequence[date], series: Mapping[str, Sequence[float]]) -> None:
    if not 0 < len(days) <= MOST_POINTS:
        raise InputError(f"a plot shows 1 to {MOST_POINTS} days", where="days")
    if not 0 < len(series) <= 4:
        raise InputError("a plot shows 1 to 4 series", where="series")
    for name, values in series.items():
        if len(values) != len(days):
            raise InputError("a series has one value a day", where=name)
        if not all(math.isfinite(value) and value >= 0 for value in values):
            raise InputError("a value is a number from 0 up", where=name)


def _nice(top: float) -> float:
    """The least of 1, 2, 5 times a power of ten that is not below `top`; at least 1."""
    if top <= 1:
        return 1
    power = 10 ** math.floor(math.log10(top))
    return next(float(m * power) for m in (1, 2, 5, 10) if m * power >= top)


def _open(title: str, width: int, height: int) -> Markup:
    kind = "wide" if width == _WIDE else "narrow"
    return Markup('<svg class="plot-{}" role="img" aria-label="{}" viewBox="0 0 {} {}">').format(
        kind, title, width, height
    )


def _text(x: float, y: float, words: str, anchor: str = "start", kind: str = "") -> Markup:
    return Markup('<text x="{:.1f}" y="{:.1f}" text-anchor="{}" class="{}">{}</text>').format(
        x, y, anchor, kind, words
    )


def _lines(
    title: str,
    days: Sequence[date],
    series: Mapping[str, Sequence[float]],
    top: float,
    width: int,
    steps: bool,
) -> Markup:
    height, left, above, below = 200, 44, 12, 28
    named = len(series) > 1 and width == _WIDE  # at the ends of the lines; a phone has them below
    right = 24 + _CHARACTER * max(len(_cut(name, 24)) for name in series) if named else 16
    span = max((days[-1] - days[0]).days, 1)
    now = datetime(days[-1].year, days[-1].month, days[-1].day, tzinfo=UTC)

    def across(on: date) -> float:
        return left + (width - left - right) * (on - days[0]).days / span

    def up(value: float) -> float:
        return above + (height - above - below) * (1 - value / top)

    parts = [_open(title, width, height)]
    for share in (0, 0.5, 1):
        y = up(top * share)
        parts.append(
            Markup('<line x1="{}" x2="{:.1f}" y1="{:.1f}" y2="{:.1f}" class="grid"/>').format(
                left, width - right, y, y
            )
        )
        if top * share == int(top * share) or top < 1:
            parts.append(_text(left - 8, y + 4, f"{top * share:,g}", "end"))
    parts.append(_text(left, height - 8, short_day(days[0], now)))
    if len(days) > 1:
        parts.append(_text(width - right, height - 8, short_day(days[-1], now), "end"))
    ends: list[float] = []
    for number, (name, values) in enumerate(series.items(), 1):
        path = _path([(across(on), up(value)) for on, value in zip(days, values, strict=True)], steps)
        parts.append(Markup('<path d="{}" class="line s{}"/>').format(path, number))
        parts.append(
            Markup('<circle cx="{:.1f}" cy="{:.1f}" r="3" class="dot s{}"/>').format(
                across(days[-1]), up(values[-1]), number
            )
        )
        if named:
            y = _free(up(values[-1]) + 4, ends)
            parts.append(_text(across(days[-1]) + 8, y, _cut(name, 24), kind=f"end s{number}"))
    return Markup("").join([*parts, Markup("</svg>")])


def _path(points: Sequence[tuple[float, float]], steps: bool) -> str:
    words = [f"M{points[0][0]:.1f} {points[0][1]:.1f}"]
    for x, y in points[1:]:
        words.append(f"H{x:.1f}V{y:.1f}" if steps else f"L{x:.1f} {y:.1f}")
    return "".join(words)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _free(y: float, taken: list[float]) -> float:
    """A height near `y` that is 14 px from all in `taken`, to which it is added."""
    for distance in range(0, 200, 2):
        for at in (y + distance, y - distance):
            if all(abs(at - other) >= 14 for other in taken):
                taken.append(at)
                return at
    return y


def _day(on: date | datetime) -> date:
    return on.astimezone(UTC).date() if isinstance(on, datetime) else on


class _Placed(Struct, frozen=True):
    """A label: its event, the stem at `x`, and from where to where it reaches on its line of labels."""

    event: Happened
    x: float
    level: int  # even ones above, odd ones below; the nearest first
    left: float
    right: float

    def strikes(self, other: _Placed) -> bool:
        """Whether this one's stem goes through the other's label."""
        nearer = other.level % 2 == self.level % 2 and other.level < self.level
        return nearer and other.left - 4 <= self.x <= other.right + 4


def _placed(events: Sequence[Happened], now: datetime, side: float) -> list[_Placed]:
    """Each label on the first line where it is clear of its neighbours, and no stem goes through a label if that can
    be had; labels of one day can't have it."""
    first, last = _day(events[0].on), _day(events[-1].on)
    span = max((last - first).days, 1)
    placed: list[_Placed] = []
    for event in events:
        x = side + (_WIDE - 2 * side) * (_day(event.on) - first).days / span
        wide = _CHARACTER * max(len(event.what), len(short_day(_day(event.on), now)))
        left = min(max(x - wide / 2, 4), max(_WIDE - wide - 4, 4))
        lines = max((p.level for p in placed), default=-1) + 1
        tried = [_Placed(event, x, level, left, left + wide) for level in range(lines + 2)]
        free = [
            t for t in tried if all(p.level != t.level or p.right + 10 <= t.left for p in placed)
        ]  # the two lines that are new are free for all
        clear = (t for t in free if not any(t.strikes(p) or p.strikes(t) for p in placed))
        placed.append(next(clear, free[0]))
    return placed


def _across(title: str, events: Sequence[Happened], now: datetime) -> Markup:
    """Labels stand above and below the line; a stem leaves out the labels that it has to go by."""
    line_height = 32
    placed = _placed(events, now, 24.0)
    lines = max(p.level for p in placed) + 1
    above, below = (lines + 1) // 2, lines // 2
    middle = above * line_height + 16
    height = middle + 16 + below * line_height + (4 if below else 0)
    parts = [_open(title, _WIDE, height)]
    parts.append(Markup('<line x1="0" x2="{}" y1="{}" y2="{}" class="axis"/>').format(_WIDE, middle, middle))
    labels: list[Markup] = []
    for one in placed:
        upwards = one.level % 2 == 0
        away, base = (-1, -24) if upwards else (1, 24)
        y = middle + base + away * (one.level // 2) * line_height
        words = [middle + base + away * (o.level // 2) * line_height for o in placed if one.strikes(o)]
        stem, at = "", middle
        for passed in sorted(set(words), key=lambda w: abs(w - middle)):
            near, far = (passed + 4, passed - 25) if upwards else (passed - 12, passed + 17)
            stem, at = f"{stem}M{one.x:.1f} {at}V{near}", far
        stem += f"M{one.x:.1f} {at}V{y + 4 if upwards else y - 12}"
        parts.append(
            Markup('<path d="{}" class="stem"/>').format(stem)
            + Markup('<circle cx="{:.1f}" cy="{}" r="5" class="event {}"/>').format(
                one.x, middle, one.event.kind
            )
        )
        centre = (one.left + one.right) / 2
        labels.append(
            _text(centre, y - 13 if upwards else y, one.event.what, "middle", "what")
            + _text(centre, y if upwards else y + 13, short_day(_day(one.event.on), now), "middle")
        )
    return Markup("").join([*parts, *labels, Markup("</svg>")])


def _down(title: str, events: Sequence[Happened], now: datetime) -> Markup:
    row = 28
    height = row * len(events) + 4
    # A day of another year is named with it, and needs the room.
    at = 16 + round(_CHARACTER * max(len(short_day(_day(event.on), now)) for event in events))
    at = max(at, 100)
    parts = [_open(title, _NARROW, height)]
    parts.append(Markup('<line x1="{}" x2="{}" y1="14" y2="{}" class="axis"/>').format(at, at, height - 18))
    for place, event in enumerate(events):
        y = 16 + row * place
        parts.append(
            _text(at - 12, y + 4, short_day(_day(event.on), now), "end")
            + Markup('<circle cx="{}" cy="{}" r="5" class="event {}"/>').format(at, y, event.kind)
            + _text(at + 12, y + 4, _cut(event.what, int((_NARROW - at - 16) / _CHARACTER)), kind="what")
        )
    return Markup("").join([*parts, Markup("</svg>")])


def spark(values: Sequence[float], label: str) -> Markup:
    """A line without axes for a cell of a table, 96 px wide; `label` says in words what it shows."""
    if not values or len(values) > MOST_POINTS or not all(math.isfinite(v) and v >= 0 for v in values):
        return Markup('<span class="quiet">{}</span>').format(label)
    top = max(max(values), 1e-9)
    step = 96 / max(len(values) - 1, 1)
    path = _path([(i * step, 22 - 20 * v / top) for i, v in enumerate(values)], False)
    return Markup(
        '<svg class="spark" role="img" aria-label="{}" viewBox="0 0 96 24"><path d="{}" class="line s1"/></svg>'
    ).format(escape(label), path)
