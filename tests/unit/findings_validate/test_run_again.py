"""What a run again says of a signed statement: pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from clearway.findings.validate import statement
from clearway.findings.validate.judge import Judged
from clearway.findings.validate.level import Result, Step, ladder
from clearway.findings.validate.statement import Digested, Statement
from clearway.findings.validate.statement import Validation as Predicate
from clearway.sandbox.run import Enforcement

HELD = Enforcement(
    backend="x", kernel="6", cgroup="v2", memory="", processes="", cpu="", seccomp="", user_namespace=True,
    own_user=True,
)  # fmt: skip


def ran(*results: Result) -> Judged:
    """A run whose levels from E1 on ended so."""
    steps = [Step(level=n, result=result, why=f"why {n}") for n, result in enumerate(results, 1)]
    return Judged(ladder=ladder(steps))


def said(level: int, result: Result = "met") -> Statement:
    by = "Upstream" if level == 6 else ""
    return Statement(
        subject=(Digested(name="recipe.json", digest={"sha256": "0"}),),
        predicate=Predicate(
            level=level, result=result, why="", times=1, of=1, target="python:a@1", oracle="output", proof="steps",
            inputs={}, builds={}, environment="", enforcement={}, at=datetime(2026, 1, 1, tzinfo=UTC), seconds=1.0,
            accepted_by=by,
        ),
    )  # fmt: skip


NEVER: Sequence[Result] = ("failed",)
TO_E3: Sequence[Result] = ("met", "met", "met")
TO_E4: Sequence[Result] = (*TO_E3, "met")


@pytest.mark.parametrize("level", [1, 3, 4, 5, 6])
def test_what_never_comes_about_holds_at_no_level(level: int) -> None:
    against, _ = statement.differences(said(level), ran(*NEVER), HELD)
    assert len(against) == 1
    assert "why 1" in against[0]


@pytest.mark.parametrize(
    ("level", "shown", "holds"),
    [
        (5, (*TO_E4, "met"), True),
        (5, (*TO_E4, "not_tried"), False),
        (5, TO_E4, False),
        (5, (*TO_E3, "not_tried"), False),
        (5, (*TO_E3, "failed"), False),
        (5, ("met", "failed", "met", "met", "met"), False),
        (6, TO_E4, True),
        (6, (*TO_E4, "not_tried"), True),
        (6, (*TO_E3, "not_tried"), True),
        (6, TO_E3, True),
        (6, (*TO_E3, "failed"), False),
        (6, ("met", "met"), False),
        (6, ("met", "not_tried"), False),
    ],
    ids=str,
)
def test_what_rests_on_lower_levels_holds_with_them_alone(
    level: int, shown: Sequence[Result], *, holds: bool
) -> None:
    against, notes = statement.differences(said(level), ran(*shown), HELD)
    assert (not against) is holds, against
    if level == 6:
        assert any("Upstream accepted it is what the signer says" in note for note in notes)
    if shown[3:4] != ("met",) and level == 6 and holds:
        assert any("was not tried here" in note for note in notes)


def test_a_level_that_failed_is_to_fail_again() -> None:
    assert statement.differences(said(4, "failed"), ran(*TO_E3, "failed"), HELD)[0] == []
    assert statement.differences(said(4, "failed"), ran(*TO_E4), HELD)[0]
