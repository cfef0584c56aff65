"""The step that added validations can be taken back and made again; findings and their statements outlive it."""

from __future__ import annotations

from clearway.findings.validate import validation
from findings_world import Desk
from steps import Steps, step_of, there


def test_taken_back_and_made_again_validations_are_asked_for_as_before(desk: Desk) -> None:
    steps = Steps(desk.people.url, "0017", "0046", "0054", step_of("own_numbers"))

    def found() -> set[tuple[str, str]]:
        with desk.owner() as db:
            return there(db)

    before = found()
    steps.down()
    without = found()
    assert without < before
    assert {name for kind, name in before - without if kind == "table"} == {"validation", "validation_step"}
    assert ("act", "validation.*") in without
    steps.up()
    assert found() == before
    finding = desk.finding(state="queued")
    with desk.acting(desk.coordinator) as db:
        number = validation.ask(db, finding)
        assert validation.one(db, finding.id, number).state == "waiting"
