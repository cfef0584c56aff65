"""What of the loaded data is older than a publisher of its kind leaves it, source by source. Pure.

One source's fresh record says nothing of another: each is judged by its own newest date. The numbering authorities of
the CVE list are judged together (many publish once a year), and so are CSAF publishers.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import date
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from clearway.records.ecosystem import base

from .feeds.feed import HABITS
from .sources import slow_days

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .table_meta import Meta, SourceNote

_DAY = 86_400
_CSAF_DAYS = 45  # most publishers speak once a month
_KEV = "cisa-kev"
_ADP = "cve:cisa-adp"  # adds to the records of all others, every day
# Components that are judged by what the CVE list and their vendors say.
PRODUCTS = frozenset({"vendor", "vendor-unreviewed", "cpe", "reported"})


class Aged(Struct, frozen=True, kw_only=True):
    """Data that is older than its limit: its newest date, how many days ago that is, and the limit in days.

    `rests` are the ecosystems whose answers rest on it, none where no answer does; `members` the loaded sources that it
    is. The catalogue (kev) and the scores (epss) are rested on by every due date.
    """

    what: Literal["kev", "epss", "advisories"]
    source: str
    title: str
    dated: date
    days: int
    limit: int
    rests: frozenset[str] = frozenset()
    members: tuple[str, ...] = ()

    def feeds(self, held: Iterable[str] | None = None) -> tuple[str, ...]:
        """The known feeds that bring it, as `clearway feeds add` takes them: of the ecosystems `held`, or of all."""
        if self.what != "advisories":
            return (self.what,)
        if self.source == "csaf":
            return ("cisa-csaf",)
        if self.source in ("cve", _ADP):
            return ("cve",)
        mine = self.rests if held is None else self.rests.intersection(held)
        return tuple(sorted({f"osv:{base(e)}" for e in mine}))


def aged(meta: Meta | None, day: date) -> tuple[Aged, ...]:
    """What is older on `day` than its limit, the oldest first; nothing where none is loaded."""
    if meta is None:
        return ()
    covered = {e for note in meta.sources for e in note.covers}
    found = [
        _aged(
            "kev", "kev", "CISA's list of what attackers use", meta.kev.replace(".", "-"), _limit("kev"), day,
            members=(_KEV,),
        ),
        _aged("epss", "epss", "The EPSS scores", meta.epss, _limit("epss"), day),
    ]  # fmt: skip
    for (source, title, limit), notes in _groups(meta.sources).items():
        rests = frozenset(e for n in notes for e in (*n.covers, *(p for p in n.partial if p not in covered)))
        products = PRODUCTS if source in ("cve", "csaf", _ADP) else frozenset()
        found.append(
            _aged(
                "advisories", source, title, max(n.newest for n in notes), limit, day,
                rests=rests | products, members=tuple(n.source for n in notes),
            )
        )  # fmt: skip
    return tuple(sorted((a for a in found if a is not None), key=lambda a: (a.dated, a.what, a.source)))


def oldest(meta: Meta, day: date) -> date | None:
    """The date of the oldest data that answers rest on: of the catalogue, the scores, the newest advisory, and each
    source that is over its limit on `day` (`aged`). When it was loaded says nothing of that.

    None where none of it has a date.
    """
    found = [a.dated for a in aged(meta, day) if a.rests or a.what != "advisories"]
    newest = max((s.newest for s in meta.sources if s.covers), default="")
    for text in (meta.kev.replace(".", "-"), meta.epss, newest):
        with suppress(ValueError):  # not loaded, or dated by nobody
            found.append(date.fromisoformat(text[:10]))
    return min(found, default=None)


def _groups(notes: Iterable[SourceNote]) -> dict[tuple[str, str, int], list[SourceNote]]:
    """(source, title, limit) -> what is judged together."""
    found: dict[tuple[str, str, int], list[SourceNote]] = {}
    for note in notes:
        kind = note.source.partition(":")[0]
        if note.source == _KEV:  # judged as the catalogue
            continue
        if note.source == _ADP:
            key = (note.source, "CISA's additions to the CVE list", _limit("cve"))
        elif kind == "cve":
            key = ("cve", "The CVE list", _limit("cve"))
        elif kind == "csaf":
            key = ("csaf", "The vendors' CSAF advisories", _CSAF_DAYS)
        else:
            key = (note.source, note.title or note.source, slow_days(note.source) or _limit("osv"))
        found.setdefault(key, []).append(note)
    return found


def _limit(layout: Literal["osv", "kev", "epss", "cve"]) -> int:
    return HABITS[layout].oldest_s // _DAY


def _aged(
    what: Literal["kev", "epss", "advisories"], source: str, title: str, text: str, limit: int, day: date,
    *, rests: frozenset[str] = frozenset(), members: tuple[str, ...] = (),
) -> Aged | None:  # fmt: skip
    try:
        dated = date.fromisoformat(text[:10])
    except ValueError:  # not loaded, or dated by nobody
        return None
    days = (day - dated).days
    if days <= limit:
        return None
    return Aged(
        what=what,
        source=source,
        title=title,
        dated=dated,
        days=days,
        limit=limit,
        rests=rests,
        members=members,
    )
