"""How old the data is that a week rests on, where it is older than a feed of its kind may be."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from clearway.advisories.feeds.feed import HABITS

if TYPE_CHECKING:
    from clearway.advisories.table_meta import Meta

_DAY = 86_400


class Old(Struct, frozen=True, kw_only=True):
    """One kind of data: its newest date, how many days ago that is, and the limit of `docs/howto/feeds.md`, in days."""

    what: Literal["kev", "epss", "advisories"]
    dated: date
    days: int
    limit: int


def old(meta: Meta | None, day: date) -> tuple[Old, ...]:
    """What of the loaded data is older on `day` than its limit, the oldest first; nothing where none is loaded."""
    if meta is None:
        return ()
    newest = max((s.newest for s in meta.sources if s.covers), default="")
    found = [
        _old("kev", meta.kev.replace(".", "-"), HABITS["kev"].oldest_s, day),
        _old("epss", meta.epss, HABITS["epss"].oldest_s, day),
        _old("advisories", newest, HABITS["osv"].oldest_s, day),
    ]
    return tuple(sorted((o for o in found if o is not None), key=lambda o: (o.dated, o.what)))


def _old(what: Literal["kev", "epss", "advisories"], text: str, limit_s: int, day: date) -> Old | None:
    try:
        dated = date.fromisoformat(text[:10])
    except ValueError:  # not loaded, or dated by nobody
        return None
    days, limit = (day - dated).days, limit_s // _DAY
    return Old(what=what, dated=dated, days=days, limit=limit) if days > limit else None
