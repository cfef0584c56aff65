"""Who decides an appeal is told before it is decided, by a step that can be taken back and made again."""

from __future__ import annotations

import pytest

from clearway.findings.intake import record
from clearway.records.errors import ForbiddenError
from findings_world import Desk
from steps import Steps, there


def test_who_decides_an_appeal_is_told_before_and_refused_as_before_with_the_step_and_without(
    desk: Desk,
) -> None:
    steps = Steps(desk.people.url, "0066")
    finding = desk.finding()
    with desk.acting(desk.coordinator) as db:
        record.give(db, finding, "invalid", "it is meant so")
    with desk.acting(desk.finder) as db:
        number = record.appeal(db, finding, "it is not")

    def refused() -> None:
        with pytest.raises(ForbiddenError, match="somebody else"), desk.acting(desk.coordinator) as db:
            record.decide(db, number, "refused", "I was right")

    with desk.owner() as db:
        before = there(db)
    refused()
    steps.down()
    with desk.owner() as db:
        assert {name for _, name in before - there(db)} == {"decides_appeal(bigint)"}
    refused()
    steps.up()
    with desk.owner() as db:
        assert there(db) == before
    refused()
    other = desk.people.somebody(desk.people.house, "coordinator")
    with desk.acting(other) as db:
        record.decide(db, number, "refused", "it is meant so")
