"""The outcomes that date exposures: CISA's own, and those of whatever directive governs somebody here."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    import psycopg

STANDARD = ("3DF", "3D", "14D", "60D", "FSU", "out_of_scope")  # BOD 26-04, and what no rule dates
_DAYS = re.compile(r"(\d{1,4})D(F?)", re.ASCII)
_MOST = 500
_WORDS = {
    "3DF": "3 days, look for traces",
    "FSU": "With the next upgrade",
    "out_of_scope": "No rule",
}
_LAST = 10_000  # after all that are a number of days


def known(db: psycopg.Connection[Any]) -> tuple[str, ...]:
    """The codes that a list can be narrowed to: those of the clocks that the reader may know of, and of the directives
    that ship, whose pages link to lists even where nothing is dated by them."""
    from clearway.directives import load, names

    rows = db.execute("select distinct tier from clearway.clock limit %s", (_MOST,)).fetchall()
    shipped = (outcome.code for name in names() for outcome in load(name).outcomes)
    return ordered({*STANDARD, *shipped, *(code for (code,) in rows)})


def ordered(codes: Iterable[str]) -> tuple[str, ...]:
    """The codes, soonest first; those that say no number of days before the next upgrade, what no rule dates last."""
    return tuple(sorted(codes, key=_place))


def _place(code: str) -> tuple[int, bool, str]:
    days = _DAYS.fullmatch(code)
    if days is not None:
        return int(days[1]), not days[2], code
    return _LAST + (STANDARD.index(code) if code in STANDARD else 0), False, code


def words(code: str) -> str:
    """A code as a filter shows it: "30 days" for 30D; what is no number of days stays as its directive has it."""
    if code in _WORDS:
        return _WORDS[code]
    days = _DAYS.fullmatch(code)
    if days is None or days[2]:
        return code
    return "1 day" if int(days[1]) == 1 else f"{int(days[1])} days"
