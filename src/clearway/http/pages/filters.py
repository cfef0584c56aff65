"""How values look on every page: dates with time left, numbers with their denominator, marked and foreign text.

Each returns markup with everything from outside escaped. Times are shown in UTC; the exact instant, in UTC and
in the reader's zone, is in the tip (`data-tip`), which the stylesheet shows on hover and focus; the script adds
the browser's own zone from `datetime`.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from markupsafe import Markup, escape

from . import glossary
from .frame import current
from .tlp import Tlp

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
# Kept though not printable: line breaks and tabs, and the joiners that Persian and Indic scripts are spelled with.
_KEPT = frozenset("\n\t\u200c\u200d")
_BREAK_AFTER = "/@:?"
_LONG = 48  # characters in the mono face that may stand on one line of a table


def short_day(day: date, now: datetime) -> str:
    """ "Thu 26 Nov", with the year where it is another one than `now`'s."""
    text = f"{_DAYS[day.weekday()]} {day.day} {_MONTHS[day.month - 1]}"
    return text if day.year == now.year else f"{text} {day.year}"


def time_left(day: date, now: datetime) -> str:
    """How far `day` is from today in UTC: "3 days left", "today", "2 days over"."""
    days = (day - now.astimezone(UTC).date()).days
    if days == 0:
        return "today"
    amount = f"{abs(days):,} day" + ("" if abs(days) == 1 else "s")
    return f"{amount} left" if days > 0 else f"{amount} over"


def age(span: timedelta) -> str:
    """A span in its largest unit: "40 s", "5 min", "2 h", "3 days"; a negative one counts as none."""
    seconds = max(0, int(span.total_seconds()))
    for size, unit in ((86_400, "day"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            amount = seconds // size
            return f"{amount:,} {unit}s" if unit == "day" and amount != 1 else f"{amount:,} {unit}"
    return f"{seconds} s"


def day(value: date | datetime | None, *, left: bool = False) -> Markup:
    """A calendar day in UTC; `left` adds how far it is. Nothing for None."""
    if value is None:
        return Markup("")
    frame = current.get()
    on = value.astimezone(UTC).date() if isinstance(value, datetime) else value
    tip = f"{_DAYS[on.weekday()]} {on.day} {_MONTHS[on.month - 1]} {on.year}, the calendar day in UTC"
    shown = Markup('<time datetime="{}" data-tip="{}">{}</time>').format(
        on.isoformat(), tip, short_day(on, frame.now)
    )
    if not left:
        return shown
    words = time_left(on, frame.now)
    over = " over" if words.endswith("over") else ""
    return shown + Markup(' <span class="left{}">· {}</span>').format(over, words)


def moment(value: datetime | None) -> Markup:
    """A point in time to the minute: "Mon 23 Nov, 21:40 UTC". Nothing for None."""
    if value is None:
        return Markup("")
    now = current.get().now
    at = value.astimezone(UTC)
    return _time(at, f"{short_day(at.date(), now)}, {at:%H:%M} UTC")


def ago(value: datetime | None) -> Markup:
    """How long ago, or how soon: "2 h ago", "in 3 days". Nothing for None."""
    if value is None:
        return Markup("")
    span = current.get().now - value
    words = f"{age(span)} ago" if span >= timedelta(0) else f"in {age(-span)}"
    return _time(value.astimezone(UTC), words)


def _time(at: datetime, words: str) -> Markup:
    zone = current.get().zone
    tip = f"{at:%Y-%m-%d %H:%M:%S} UTC"
    if zone.key != "UTC":
        tip += f", {at.astimezone(zone):%Y-%m-%d %H:%M:%S} {zone.key}"
    iso = at.isoformat(timespec="seconds").replace("+00:00", "Z")
    return Markup('<time datetime="{}" data-tip="{}">{}</time>').format(iso, tip, words)


def number(value: float | None, digits: int = 0) -> str:
    """With thousands apart: "2,886,904". Nothing for None."""
    return (
        ""
        if value is None
        else f"{value:,.{digits}f}"
        if digits or isinstance(value, float)
        else f"{value:,}"
    )


def of(part: int, whole: int, noun: str = "") -> str:
    """A number with its denominator: "2 of 31 machines"."""
    return f"{part:,} of {whole:,} {noun}".rstrip()


def plural(amount: int, one: str, many: str = "") -> str:
    """ "1 machine", "3 machines"; `many` where an s is not enough."""
    return f"{amount:,} {one if amount == 1 else many or one + 's'}"


def tlp(label: Tlp | str | None) -> Markup:
    """The badge of a TLP label."""
    badge = Tlp.of(label)
    return badge.__html__() if badge else Markup("")


def mono(text: object) -> Markup:
    """A version, purl or hash: in the mono face, and breakable where a reader would break it."""
    safe = str(escape(printable(str(text))))
    for character in _BREAK_AFTER:  # none of which an entity contains
        safe = safe.replace(character, character + "<wbr>")
    kind = "mono long" if len(safe) > _LONG else "mono"
    return Markup(f'<code class="{kind}">' + safe + "</code>")  # noqa: S704 - escaped above


def words(code: str) -> Markup:
    """A code in plain words and in the standard's own; the page shows one, and the reader's switch the other."""
    entry = glossary.entries().get(glossary.folded(code))
    plain, exact = (entry.plain or entry.term, entry.exact or entry.term) if entry else (code, code)
    if plain == exact:
        return escape(plain)
    return Markup('<span class="w-plain">{}</span><span class="w-exact">{}</span>').format(plain, exact)


def link(url: object) -> str:
    """`url` where it is a page of this host, http, https or mailto; else "#", which leads nowhere."""
    text = str(url).strip()
    try:
        parts = urlsplit(text)
    except ValueError:
        return "#"
    if parts.scheme in ("http", "https") and parts.netloc:
        return text
    if parts.scheme == "mailto":
        return text
    local = not parts.scheme and not parts.netloc and not text.startswith(("//", "/\\", "\\"))
    return text if local and text.isprintable() else "#"


def printable(text: str) -> str:
    """`text` with characters that would turn or hide what stands around them shown as U+FFFD."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in _KEPT else "\ufffd" for c in text)


def finalize(value: object) -> object:
    """What every `{{ … }}` passes: None is nothing, and foreign text can't reorder or hide its neighbours."""
    kind = type(value)
    if kind is Markup:
        return value
    if kind is str:
        return printable(value)  # type: ignore[arg-type]
    if value is None:
        return ""
    return printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value


FILTERS: Mapping[str, Callable[..., object]] = {
    "day": day,
    "moment": moment,
    "ago": ago,
    "number": number,
    "of": of,
    "plural": plural,
    "tlp": tlp,
    "mono": mono,
    "words": words,
    "link": link,
}
