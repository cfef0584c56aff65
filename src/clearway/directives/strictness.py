"""Whether one table asks for at least what another asks for, whatever the facts are. Pure.

It is told by structure, never by trying: "yes" is proven, and "no" says only that some date might come later. Where two
tables have the same decision points, policies and clock, and the same outcomes in the same order, and no row is milder
and no outcome longer, then every answer is as strict: unknown values choose between rows by rank. Where rows have moved
to other outcomes, rank and length must go the same way in one of the two tables.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from .directive import Directive, Outcome

_MONTH = (28, 31)  # days of the shortest month, and of the longest
_NEVER = 1 << 30


def at_least_as_strict(new: Directive, old: Directive) -> bool:
    """Whether `new` is proven to make no date later, and to drop no forensic triage, that `old` asks for."""
    return (
        _points(new) == _points(old)
        and new.calendar == old.calendar
        and (new.revoked is None or new.revoked == old.revoked)
        and (old.scope.needs_cve or not new.scope.needs_cve)
        and set(new.clock.starts) >= set(old.clock.starts)
        and new.clock.retier == old.clock.retier
        and new.clock.catalogue_due == old.clock.catalogue_due
        and _policies(new) == _policies(old)
        and _outcomes(new, old)
        and _rows(new, old)
    )


def _points(directive: Directive) -> list[object]:
    return [(p.id, tuple(v.id for v in p.values), p.cve_year_since) for p in directive.points]


def _policies(directive: Directive) -> list[object]:
    return [msgspec.structs.replace(policy, note="") for policy in directive.policies]


def _outcomes(new: Directive, old: Directive) -> bool:
    return [outcome.code for outcome in new.outcomes] == [outcome.code for outcome in old.outcomes] and all(
        _no_longer(a, b) for a, b in zip(new.outcomes, old.outcomes, strict=True)
    )


def _ordered(directive: Directive) -> bool:
    return all(_no_longer(b, a) for a, b in zip(directive.outcomes, directive.outcomes[1:], strict=False))


def _no_longer(new: Outcome, old: Outcome) -> bool:
    if old.forensic_triage and not new.forensic_triage:
        return False
    if new.months is not None and old.months is not None:
        return new.months <= old.months
    return _length(new, longest=True) <= _length(old, longest=False)


def _length(outcome: Outcome, *, longest: bool) -> int:
    if outcome.months is not None:
        return outcome.months * _MONTH[longest]
    return _NEVER if outcome.days is None else outcome.days


def _rows(new: Directive, old: Directive) -> bool:
    points = [point.id for point in old.points]
    ranks = {tuple(row.when[p] for p in points): old.rank(row.code) for row in old.rows}
    moved = [new.rank(row.code) - ranks[tuple(row.when[p] for p in points)] for row in new.rows]
    return not any(moved) or (min(moved) >= 0 and (_ordered(old) or _ordered(new)))
