"""What a finding's evidence comes to, over all of its validations. Pure.

A proof that fires now and then reaches a level once if it is tried often enough. So of one recipe the newest word
counts: a repeat that fails at a level lowers it, whatever was met before, and one that meets it after a failure is told
with that failure. Another recipe, or another patch, is another matter: the highest of them is the finding's.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

_MOST_WHY = 2_000  # characters


class Tried(Struct, frozen=True, kw_only=True):
    """One validation that is done and not taken back. `failed` is the lowest level from E1 on that it tried and did
    not meet; what was not tried says nothing."""

    id: int
    recipe: str  # SHA-256 of what was judged, with its patch; "" where none could be read
    level: int
    why: str
    failed: int | None = None


class Standing(Struct, frozen=True, kw_only=True):
    """The level that holds, why it goes no further, and the validation that says so (None: there is none)."""

    level: int = 0
    why: str = ""
    validation: int | None = None


def standing(tried: Iterable[Tried]) -> Standing:
    """What holds after all of these; the newer of two recipes at one level."""
    recipes: dict[str, Standing] = {}
    worst: dict[str, int] = {}  # the lowest level at which a recipe has failed so far
    for one in sorted(tried, key=lambda t: t.id):
        key = one.recipe or str(one.id)
        recipes[key] = _next(recipes.get(key), one, worst.get(key))
        if one.failed is not None:
            worst[key] = min(worst.get(key, one.failed), one.failed)
    return max(recipes.values(), key=lambda s: (s.level, s.validation or 0), default=Standing())


def _next(before: Standing | None, one: Tried, worst: int | None) -> Standing:
    if before is not None and one.failed is not None and one.failed <= before.level:
        why = f"lowered from E{before.level}: a repeat of the same recipe fails at E{one.failed}: {one.why}"
        return Standing(level=one.failed - 1, why=why[:_MOST_WHY], validation=one.id)
    if before is not None and one.level < before.level:  # it looked less far, or could not
        return before
    why = one.why
    if worst is not None and worst <= one.level:
        why = f"an earlier repeat of the same recipe failed at E{worst}; {why}".removesuffix("; ")
    return Standing(level=one.level, why=why[:_MOST_WHY], validation=one.id)
