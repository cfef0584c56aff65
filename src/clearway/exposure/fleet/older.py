"""What of a call's documents is older than what is kept or came with it: it brings back nothing that is over.

Of one asset and witness the newest document counts. Whoever reads a folder again meets all that ever lay there, in
whatever order: a document that a newer one has replaced, or that says itself that it is older, is passed over. What it
says of first days counts all the same.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import zstandard

from .whose import DAY

if TYPE_CHECKING:
    from collections.abc import Sequence

    import psycopg

    from .mention import Group, Mention

_UNION = b'[{"document":'  # how several parts are kept (`united.parts_of`)
_LOOKED_AT = 20  # earlier inventories of several documents
_DIGITS = re.compile(r"\D+")


def of_group(
    db: psycopg.Connection[Any], items: Sequence[Mention], group: Group
) -> tuple[dict[int, str], dict[int, str], bool]:
    """Which mentions of a group are passed over for what came with them, which for what is kept, and why; and whether
    what the others do not show is gone."""
    passed = issues(items, group)
    found, whole = replaced(db, items, group, [n for n in group.items if n not in passed])
    return passed, found, whole


def issues(items: Sequence[Mention], group: Group) -> dict[int, str]:
    """Which mentions of a group are of an earlier issue of a file than another of it, and why. Pure.

    Issues are files whose places differ by days alone. The newest is told by the documents' own time, else by those.
    """
    by: dict[str, list[int]] = {}
    for n in group.items:
        by.setdefault(issue_of(items[n].document.place), []).append(n)
    passed: dict[int, str] = {}
    for several in by.values():
        if len({items[n].document.place for n in several}) < 2:
            continue
        dated = all(items[n].seen.seen is not None for n in several)
        newest = max(
            several, key=lambda n: (items[n].seen.seen if dated else 0, days_of(items[n].document.place))
        )
        place = items[newest].document.place
        passed |= {
            n: f"{_shown(items[n])} is older than {_shown(items[newest])}, which came with it"
            for n in several
            if items[n].document.place != place
        }
    return passed


def replaced(
    db: psycopg.Connection[Any], items: Sequence[Mention], group: Group, left: Sequence[int]
) -> tuple[dict[int, str], bool]:
    """Which of the mentions `left` of a group a newer document has replaced, and why; and whether the rest is whole.

    It is not where what is kept was made of several documents: one that is passed over may have been one of them. Own
    times count for all that is left together, as several are kept as one of the newest one's time.
    """
    own = {n: group.each[group.items.index(n)] for n in left}
    witness, several = items[left[0]].witness, len(left) > 1
    rows = db.execute(
        """select sha256, current, created, received from clearway.inventory
        where asset = %s and witness = %s and (current or sha256 = any(%s))""",
        (group.asset, witness, [digest for one in own.values() for digest in one.digests]),
    ).fetchall()
    kept = next((row for row in rows if row[1]), None)
    if kept is None or bytes(kept[0]) in group.digests:
        return {}, True
    digest, _, created, received = kept
    was = _time(created)
    former = {bytes(row[0]) for row in rows if not row[1]} - {bytes(digest)}
    passed = {n: _replaced(items[n], was) for n in left if not former.isdisjoint(own[n].digests)}
    if several:
        earlier = _of_several(db, group.asset, witness, current=False)
        passed |= {n: _replaced(items[n], was) for n in left if n not in passed and own[n].in_any(earlier)}
    now = _of_several(db, group.asset, witness, current=True) if passed else []
    passed = {n: why for n, why in passed.items() if not own[n].in_any(now)}
    rest = [n for n in left if n not in passed]
    if _are_older([items[n] for n in rest], was, received):
        passed |= {n: _of(items[n], was) for n in rest}
    return passed, len(passed) == len(left) or not (passed and now)


def _are_older(items: Sequence[Mention], was: datetime | None, received: datetime) -> bool:
    """Whether documents are older than what is kept: together they are of the newest one's time, as several are kept.

    A clock that was ahead when what is kept was taken in (`received`) holds nothing up.
    """
    times = [item.seen.seen for item in items if item.seen.seen is not None and not item.partial]
    if was is None or not times or len(times) < len(items):
        return False
    return max(times) < was <= received + timedelta(days=1)


def _of(item: Mention, was: datetime | None) -> str:
    return f"{_shown(item)} is of {item.seen.seen:%Y-%m-%d %H:%M}, what is kept is of {was:%Y-%m-%d %H:%M}"


def _replaced(item: Mention, was: datetime | None) -> str:
    if item.seen.seen is not None and was is not None and was < item.seen.seen:
        return f"{_shown(item)} was taken in before, and one of {was:%Y-%m-%d %H:%M} was put in its place"
    return _REPLACED.format(_shown(item))


_REPLACED = "{} was taken in before, and a newer one has replaced it"


def _of_several(db: psycopg.Connection[Any], asset: int, witness: str, *, current: bool) -> list[bytes]:
    """What is kept, or was, of an asset that was made of several documents, the newest first."""
    rows = db.execute(
        """select raw from clearway.inventory where asset = %s and witness = %s and current = %s
        order by inventory desc limit %s""",
        (asset, witness, current, _LOOKED_AT),
    ).fetchall()
    raws = [zstandard.ZstdDecompressor().decompress(bytes(raw)) for (raw,) in rows]
    return [raw for raw in raws if raw.startswith(_UNION)]


def _time(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def issue_of(place: str) -> str:
    """What the places of all issues of one file have in common."""
    return DAY.sub("", place.lower())


def days_of(place: str) -> tuple[str, ...]:
    """The days in a place: of two issues of one file the newer has the greater ones."""
    return tuple(_DIGITS.sub("", day) for day in DAY.findall(place.lower()))


def _shown(item: Mention) -> str:
    return item.document.place.rpartition("/")[2] or "this document"
