"""Acts undone in any order: what stands follows from those that are not undone."""

from __future__ import annotations

import random

import pytest

from clearway.findings import kept
from clearway.findings.dedup import edge
from clearway.records.errors import ConflictError, NotFoundError
from findings_world import Desk


@pytest.fixture
def some(desk: Desk) -> list[kept.Finding]:
    return [desk.finding(desk.rival if n % 2 else None) for n in range(6)]


def groups(db: object, some: list[kept.Finding]) -> list[tuple[int, ...]]:
    return sorted({edge.group_of(db, f.id) for f in some})  # type: ignore[arg-type]


def test_a_merge_is_undone_after_a_split_was(desk: Desk, some: list[kept.Finding]) -> None:
    with desk.acting(desk.coordinator) as db:
        apart = groups(db, some)
        merged = edge.merge(db, [some[2], some[1], some[3]], "one")
        split = edge.split(db, some[3], "another")
        edge.undo(db, split, "no other")
        assert (some[1].id, some[2].id, some[3].id) in groups(db, some)
        edge.undo(db, merged, "not one")
        assert groups(db, some) == apart


def test_an_undo_is_undone_and_that_again(desk: Desk, some: list[kept.Finding]) -> None:
    a, b, *_ = some
    with desk.acting(desk.coordinator) as db:
        act = edge.merge(db, [a, b], "one")
        for n in range(5):
            act = edge.undo(db, act, f"once more {n}")
            assert edge.group_of(db, a.id) == ((a.id, b.id) if n % 2 else (a.id,))
        with pytest.raises(ConflictError, match="already"):
            edge.undo(db, act - 1, "that was undone")


def test_an_act_is_undone_in_the_name_of_a_finding_of_its_alone(desk: Desk, some: list[kept.Finding]) -> None:
    with desk.acting(desk.coordinator) as db:
        act = edge.merge(db, some[:2], "one")
        with pytest.raises(NotFoundError):
            edge.undo(db, act, "no", some[4])
        assert edge.group_of(db, some[0].id) == (some[0].id, some[1].id)
        edge.undo(db, act, "no", some[1])


def test_two_acts_that_say_the_same_are_undone_one_by_one(desk: Desk, some: list[kept.Finding]) -> None:
    a, b, c, *_ = some
    with desk.acting(desk.coordinator) as db:
        first = edge.merge(db, [a, b], "one")
        second = edge.merge(db, [b, c], "all one")
        edge.undo(db, first, "that alone")
        assert edge.group_of(db, a.id) == (a.id, b.id, c.id), "the second says so of all three"
        edge.undo(db, second, "that too")
        assert edge.group_of(db, a.id) == (a.id,)


@pytest.mark.parametrize("seed", range(12))
def test_the_last_act_undone_leaves_the_groups_of_before_and_all_undone_none(
    desk: Desk, some: list[kept.Finding], seed: int
) -> None:
    drawn = random.Random(seed)
    with desk.acting(desk.coordinator) as db:
        stack: list[tuple[int, list[tuple[int, ...]]]] = []
        for _ in range(14):
            before = groups(db, some)
            what = drawn.choice("mmmsu")
            if what == "u" and stack:
                act, was = stack.pop()
                undid = edge.undo(db, act, "undone")
                assert groups(db, some) == was
                edge.undo(db, undid, "done after all")
                assert groups(db, some) == before
                edge.undo(db, act, "and not, after all")
                assert groups(db, some) == was
                continue
            try:
                with db.transaction():
                    if what == "m":
                        act = edge.merge(db, drawn.sample(some, drawn.randint(2, 3)), "one")
                    else:
                        act = edge.split(db, drawn.choice(some), "apart")
            except ConflictError:
                continue
            stack.append((act, before))
        drawn.shuffle(stack)
        for act, _ in stack:
            edge.undo(db, act, "all of it")
        assert groups(db, some) == [(f.id,) for f in some]
