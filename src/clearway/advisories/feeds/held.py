"""What a publisher lists, held against the records that are kept: what is listed and not here is fetched.

The time of the last pull alone does not say it: a publisher lists a record late, under the time at which it was
written, or a pull missed one. So a listed record is looked for here, by its id and its time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import judge
from .layout import Batch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from .layout import Ask

MOST_LATE = 1_000  # that one pull fetches one by one beside what changed since the last; the next pulls go on
FETCHED = "fetched"  # the stamp of what is listed without a time


def behind(ask: Ask, kind: str, listed: Mapping[str, str], source_of: Callable[[str], str]) -> set[str]:
    """The ids of `listed` (id -> time of its last change) whose record is not here, or is older than that.

    One that was fetched at that very time and did not become a record as new (intake has no use for it, or it bears
    another time itself) counts as here. An id that is listed without a time is here when any record of it is.
    """
    by_source: dict[str, list[str]] = {}
    for name in listed:
        by_source.setdefault(source_of(name), []).append(name)
    held = ask.held(kind, by_source)
    return {
        name
        for name, at in listed.items()
        if not (_reaches(held.get(name), at) or _reaches(_stamp(ask, name), at))
    }


def remember(
    ask: Ask, kind: str, fetched: Iterable[str], listed: Mapping[str, str], source_of: Callable[[str], str]
) -> Batch:
    """What to remember of records that were fetched for being behind, and still are: the time they are listed with."""
    asked = {name: listed[name] for name in fetched}
    return Batch(paths=[], items={n: listed[n] or FETCHED for n in behind(ask, kind, asked, source_of)})


def newest(names: Iterable[str], listed: Mapping[str, str]) -> list[str]:
    """The names, the latest by their listed times first."""
    ordered = sorted(names)
    ordered.sort(key=lambda name: judge.ordered(listed[name]), reverse=True)
    return ordered


def _stamp(ask: Ask, name: str) -> str | None:
    item = ask.items.get(name)
    return item.stamp if item is not None and item.stamp else None


def _reaches(have: str | None, wanted: str) -> bool:
    return have is not None and (not wanted or judge.ordered(have) >= judge.ordered(wanted))
