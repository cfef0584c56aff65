"""Which pairs of findings are to be cross-run, and with whose fixes. As the owner.

A run knows the fixes that it had. A new one that has reached E3, of either finding or of one that is said to be the
same flaw, may tell the two apart, and one that was revoked may have been the reason: then the pair is run anew.
Findings whose fixes were once tried on a pair are tried on it again, so that what is known of a pair only grows, and
groups that change by what is found never make it go back and forth.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from clearway.records.errors import TooLargeError

from . import flaw
from .keys import CROSS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    import psycopg

    Connection = psycopg.Connection[Any]
    Couple = tuple[int, int]  # the lesser number first

LEAST_LEVEL = 3  # a fix counts that silences its own proof and breaks no test
MOST_FIXES = 24  # of one pair, those of the two first, then the oldest: a popular flaw is not run for ever
_MOST_PAIRS = 500  # that are looked at after one change


class Tried(Struct, frozen=True, kw_only=True):
    """What a pair is to be run with: the evidence by which fixes reached E3, and whose they are."""

    fixes: tuple[str, ...]
    findings: tuple[int, ...]  # besides the two


def due(owner: Connection, findings: Iterable[int]) -> list[Couple]:
    """Pairs to run: of these findings and all that are one flaw with them, each with whatever a key or a run has said
    it may be, where both have a fix at E3 or a run has joined them, no person has spoken, and a fix has come or gone
    since they were run. None where more hangs together than can be looked at."""
    with suppress(TooLargeError):
        return _due(owner, sorted(set(findings)))
    return []


def _due(owner: Connection, seeds: list[int]) -> list[Couple]:
    groups = flaw.joined_to(owner, seeds)
    mine = sorted({number for seed in seeds for number in groups[seed]})
    rows = owner.execute(
        """select distinct least(e.one, e.other), greatest(e.one, e.other) from clearway.finding_edge e
        join clearway.finding a on a.finding = e.one join clearway.finding b on b.finding = e.other
        where e.revoked is null and (e.one = any(%(mine)s) or e.other = any(%(mine)s))
            and (e.basis = 'cross-run' or (e.verdict = 'likely' and e.basis <> 'person'))
            and (least(a.level, b.level) >= %(least)s
                or (e.basis = 'cross-run' and e.verdict in ('same', 'likely')))
            and a.state <> 'withdrawn' and b.state <> 'withdrawn'
            and not exists (select from clearway.finding_edge p where p.revoked is null and p.basis = 'person'
                and (p.one, p.other) = (least(e.one, e.other), greatest(e.one, e.other)))
        order by 1, 2 limit %(most)s""",
        {"mine": mine, "least": LEAST_LEVEL, "most": _MOST_PAIRS},
    ).fetchall()
    pairs: list[Couple] = [(one, other) for one, other in rows]
    if not pairs:
        return []
    groups = flaw.joined_to(owner, sorted({number for pair in pairs for number in pair}))
    return [pair for pair in pairs if ran(owner, pair) != set(tried(owner, pair, groups).fixes)]


def tried(owner: Connection, pair: Couple, groups: Mapping[int, Collection[int]] | None = None) -> Tried:
    """What a pair is to be run with now.

    Of two findings of one organisation, which sees what is said of them, that organisation's fixes alone: a fix of
    somebody else's would tell it that others hold the flaw.
    """
    groups = flaw.joined_to(owner, pair) if groups is None else groups
    before = {int(fix.split(":")[0]) for fix in ran(owner, pair) or ()}
    of = sorted({*pair, *groups[pair[0]], *groups[pair[1]], *before})
    rows = owner.execute(
        """with two as (select min(org) as least, max(org) as most, bool_and(live) as live
                from clearway.finding where finding = any(%(pair)s)),
            shown as (select v.finding, v.validation, v.finding = any(%(pair)s) as own,
                    coalesce(v.recipe, v.validation::text) as recipe, coalesce(v.patch::text, '') as patch
                from clearway.validation v join clearway.finding f on f.finding = v.finding cross join two
                where v.finding = any(%(of)s) and v.state = 'done' and v.revoked is null and v.level >= %(least)s
                    and f.state <> 'withdrawn' and f.live = two.live
                    and (two.least <> two.most or f.org = two.least)),
            once as (select distinct on (recipe, patch) * from shown order by recipe, patch, own desc, validation)
        select finding || ':' || recipe || ':' || patch, finding from once
        order by own desc, validation limit %(most)s""",
        {"pair": list(pair), "of": of, "least": LEAST_LEVEL, "most": MOST_FIXES},
    ).fetchall()
    others = sorted({finding for _, finding in rows} - {*pair})
    return Tried(fixes=tuple(fix for fix, _ in rows), findings=tuple(others))


def note(owner: Connection, pair: Couple, fixes: Sequence[str]) -> None:
    """Keeps with which fixes a pair was run, by the present rule."""
    owner.execute(
        """insert into clearway.finding_crossed (one, other, rule, fixes) values (%s, %s, %s, %s)
        on conflict (one, other) do update set rule = excluded.rule, fixes = excluded.fixes,
            at = clock_timestamp()""",
        (*pair, CROSS, list(fixes)),
    )


def ran(owner: Connection, pair: Couple) -> set[str] | None:
    """With which fixes a pair was run by the present rule; None when it never was."""
    row = owner.execute(
        "select fixes from clearway.finding_crossed where one = %s and other = %s and rule = %s",
        (*pair, CROSS),
    ).fetchone()
    return None if row is None else set(row[0])
