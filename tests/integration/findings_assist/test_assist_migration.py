"""The step that added proposals can be taken back and made again; findings outlive it."""

from __future__ import annotations

from assist_world import Assist
from findings_world import Desk
from steps import Steps, there


def test_taken_back_and_made_again_the_model_is_asked_as_before(desk: Desk, assist: Assist) -> None:
    steps = Steps(desk.people.url, "0034")

    def found() -> set[tuple[str, str]]:
        with desk.owner() as db:
            return there(db)

    finding = assist.reported()
    assist.drafted("summary", finding)
    before = found()
    steps.down()
    without = found()
    assert without < before
    assert not {name for _, name in without if "assist" in name}
    steps.up()
    assert found() == before
    assert assist.drafted("summary", finding).state == "proposed"
