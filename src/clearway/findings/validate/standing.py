"""What a finding's evidence comes to, over all of its validations. Pure.

A proof that fires now and then reaches a level once if it is tried often enough. So of one recipe the newest word
counts: a repeat that fails at a level lowers it, whatever was met before. Another recipe, or another patch, is another
matter: the highest of them is the finding's.

What was lowered, or taken back, does not come back by trying again: it is held down until a trial is asked for after
that, with a reason. Whoever tries without one may confirm what holds, and raises nothing. Nor does taking a failing
repeat back raise anything: what it lowered is as open as if nothing had been tried, and a trial with a reason tells.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

import msgspec
from msgspec import Struct

_MOST_WHY = 2_000  # characters
_EVER = datetime.min.replace(tzinfo=UTC)


class Tried(Struct, frozen=True, kw_only=True):
    """One validation that is done. `failed` is the lowest level from E1 on that it tried and did not meet; what was not
    tried says nothing. `reason` says whether whoever asked gave one."""

    id: int
    recipe: str  # SHA-256 of what was judged, with its patch; "" where none could be read
    level: int
    why: str
    failed: int | None = None
    asked: datetime = _EVER
    ended: datetime = _EVER
    reason: bool = False
    revoked: datetime | None = None  # when it was taken back


class Standing(Struct, frozen=True, kw_only=True):
    """The level that holds, why it goes no further, and the validation that says so (None: there is none).

    `held` is the level above which nothing counts that is tried again without a reason; None where all does.
    """

    level: int = 0
    why: str = ""
    validation: int | None = None
    held: int | None = None


class _Drop(Struct, kw_only=True):
    """Evidence went down `at` that time, from one level to another. `recipe` None: the finding's did."""

    at: datetime
    was: int
    to: int
    recipe: str | None = None


class _Counted(Struct, frozen=True, kw_only=True):
    """A validation at what it counts for: `held` tells that it showed more."""

    tried: Tried
    level: int
    held: bool
    open: bool = False  # what had lowered it was taken back


def standing(tried: Iterable[Tried]) -> Standing:
    """What holds after all of these; the newer of two recipes at one level."""
    drops: list[_Drop] = []
    counted: list[_Counted] = []
    now = Standing()
    for one, at in _events(tried):
        own = _highest(_of(counted, one.recipe))
        if one.revoked == at:
            counted = [c for c in counted if c.tried.id != one.id]
        else:
            counted.append(_counted(one, drops))
        left = _highest(_of(counted, one.recipe))
        if one.revoked == at and left.level > own.level:
            counted = [_down_to(own.level, c) if c.tried.recipe == one.recipe else c for c in counted]
            drops.append(_Drop(at=at, was=left.level, to=own.level, recipe=one.recipe))
            left = _highest(_of(counted, one.recipe))
        before, now = now, _highest(counted)
        if one.recipe and left.level < own.level:  # another recipe may hold the finding's level all the same
            drops.append(_Drop(at=at, was=own.level, to=left.level, recipe=one.recipe))
        if now.level < before.level:
            drops.append(_Drop(at=at, was=before.level, to=now.level))
    held = min((d.to for d in drops), default=None)
    return msgspec.structs.replace(now, held=held)


def _events(tried: Iterable[Tried]) -> Iterator[tuple[Tried, datetime]]:
    """Each end and each taking back, in their order; what was taken back by the time it ended never counted."""
    found = []
    for one in tried:
        ends = one.ended
        if one.revoked is not None and one.revoked <= ends:
            continue
        found.append((ends, one.id, one))
        if one.revoked is not None:
            found.append((one.revoked, one.id, one))
    for at, _, one in sorted(found, key=lambda f: f[:2]):
        yield one, at


def _counted(one: Tried, drops: list[_Drop]) -> _Counted:
    """What it counts for after these drops; those that it answers are lifted."""
    level = one.level
    for drop in [d for d in drops if d.recipe in (None, one.recipe)]:
        if not (one.reason and one.asked > drop.at):
            level = min(level, drop.to)
    for drop in [d for d in drops if d.recipe in (None, one.recipe) and one.reason and one.asked > d.at]:
        drop.to = max(drop.to, level)
        if drop.to >= drop.was:
            drops.remove(drop)
    return _Counted(tried=one, level=level, held=level < one.level)


def _down_to(level: int, one: _Counted) -> _Counted:
    """The same, at no more than that level."""
    return one if one.level <= level else msgspec.structs.replace(one, level=level, held=True, open=True)


def _of(counted: Iterable[_Counted], recipe: str) -> list[_Counted]:
    return [c for c in counted if c.tried.recipe == recipe]


def _highest(counted: Iterable[_Counted]) -> Standing:
    recipes: dict[str, Standing] = {}
    worst: dict[str, int] = {}  # the lowest level at which a recipe has failed so far
    for one in counted:
        key = one.tried.recipe or str(one.tried.id)
        recipes[key] = _next(recipes.get(key), one, worst.get(key))
        if one.tried.failed is not None:
            worst[key] = min(worst.get(key, one.tried.failed), one.tried.failed)
    return max(recipes.values(), key=lambda s: (s.level, s.validation or 0), default=Standing())


def _next(before: Standing | None, counted: _Counted, worst: int | None) -> Standing:
    one = counted.tried
    if before is not None and one.failed is not None and one.failed <= before.level:
        why = f"lowered from E{before.level}: a repeat of the same recipe fails at E{one.failed}: {one.why}"
        level = min(one.failed - 1, counted.level)
        return Standing(level=level, why=why[:_MOST_WHY], validation=one.id)
    if before is not None and counted.level < before.level:  # it looked less far, or could not
        return before
    if before is not None and counted.held and counted.level == before.level:
        return _held(before.why, counted, before.validation)
    if counted.held:
        return _held(one.why, counted, one.id)
    why = one.why
    if worst is not None and worst <= counted.level:
        why = f"an earlier repeat of the same recipe failed at E{worst}; {why}".removesuffix("; ")
    return Standing(level=counted.level, why=why[:_MOST_WHY], validation=one.id)


def _held(why: str, counted: _Counted, validation: int | None) -> Standing:
    said = f"a repeat without a reason met E{counted.tried.level}, which was lowered or taken back before"
    if counted.open:
        said = f"what lowered it from E{counted.tried.level} was taken back: a trial with a reason is to tell"
    if why.startswith("a repeat without a reason met"):
        why = why.partition("; ")[2]
    return Standing(
        level=counted.level, why=f"{said}; {why}".removesuffix("; ")[:_MOST_WHY], validation=validation
    )
