"""The step that added keys and edges can be taken back and made again; findings outlive it, each alone."""

from __future__ import annotations

from clearway.findings.dedup import edge, public
from clearway.findings.dedup.returned import Bounds
from findings_world import Desk
from steps import Steps, step_of, there


def test_taken_back_and_made_again_findings_are_merged_as_before(desk: Desk) -> None:
    steps = Steps(desk.people.url, "0018", "0055", "0062", step_of("crossed"))

    def found() -> set[tuple[str, str]]:
        with desk.owner() as db:
            return there(db)

    before = found()
    steps.down()
    without = found()
    assert without < before
    assert {name for kind, name in before - without if kind == "table"} == {
        "finding_crossed", "finding_edge", "finding_key", "finding_keyed", "finding_known", "flaw_touched",
        "hint_words",
    }  # fmt: skip
    steps.up()
    assert found() == before
    one, other = desk.finding(), desk.finding()
    with desk.acting(desk.coordinator) as db:
        edge.merge(db, [one, other], "same loop")
        assert edge.group_of(db, one.id) == (one.id, other.id)


def test_what_was_cut_of_a_record_is_said_to_be_more_than_is_kept(desk: Desk) -> None:
    steps = Steps(desk.people.url, "0059")
    ranges = tuple(Bounds(introduced=f"1.{n}", fixed=f"1.{n}.1") for n in range(20))
    listed = (Bounds(versions=tuple(f"1.{n}" for n in range(500))),)
    whole = (Bounds(introduced="1", fixed="1.1"),)
    found = [desk.finding() for _ in range(3)]
    with desk.acting(desk.coordinator) as db:
        for one, said in zip(found, (ranges, listed, whole), strict=True):
            public.say(db, one, "CVE-2026-0001", [], "published", affected=said)
    steps.down()
    steps.up()
    more = (Bounds(more=True),)
    with desk.acting(desk.coordinator) as db:
        kept = [public.statements(db, one.id)[0].affected for one in found]
    assert kept == [(*ranges, *more), (*listed, *more), whole]
    steps.down()
    with desk.acting(desk.coordinator) as db:
        assert [public.statements(db, one.id)[0].affected for one in found] == [ranges, listed, whole]
    steps.up()
