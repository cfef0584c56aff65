"""The step that added keys and edges can be taken back and made again; findings outlive it, each alone."""

from __future__ import annotations

from clearway.findings.dedup import edge
from findings_world import Desk
from steps import Steps, there


def test_taken_back_and_made_again_findings_are_merged_as_before(desk: Desk) -> None:
    steps = Steps(desk.people.url, "0018", "0055")

    def found() -> set[tuple[str, str]]:
        with desk.owner() as db:
            return there(db)

    before = found()
    steps.down()
    without = found()
    assert without < before
    assert {name for kind, name in before - without if kind == "table"} == {
        "finding_edge", "finding_key", "finding_keyed", "finding_known", "hint_words",
    }  # fmt: skip
    steps.up()
    assert found() == before
    one, other = desk.finding(), desk.finding()
    with desk.acting(desk.coordinator) as db:
        edge.merge(db, [one, other], "same loop")
        assert edge.group_of(db, one.id) == (one.id, other.id)
