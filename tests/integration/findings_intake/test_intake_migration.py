"""The step that added the intake can be taken back and made again; findings and their files outlive it."""

from __future__ import annotations

from clearway.findings import artefact, kept
from clearway.findings.intake import record, submit
from findings_world import Desk
from report_documents import dump, own
from steps import Steps, step_of, there


def test_taken_back_and_made_again_reports_land_as_before(desk: Desk) -> None:
    intake, marks = Steps(desk.people.url, "0016"), Steps(desk.people.url, "0042")
    second = Steps(
        desk.people.url, step_of("second"), step_of("one_hand")
    )  # its columns are of tables that go

    def found() -> set[tuple[str, str]]:
        with desk.owner() as db:
            return there(db)

    with desk.acting(desk.finder) as db:
        (first,) = submit.submit(db, desk.tools, desk.lab, dump(own())).taken
    now = found()
    second.down()
    marks.down()
    before = found()
    intake.down()
    without = found()
    assert without < before
    assert {name for kind, name in before - without if kind == "table"} == {
        "submission", "finding_receipt", "finding_gate", "intake_limit", "finding_mark", "mark_appeal",
        "overlap_answer",
    }  # fmt: skip
    intake.up()
    assert found() == before
    marks.up()
    second.up()
    assert found() == now
    with desk.acting(desk.finder) as db:
        (again,) = submit.submit(db, desk.tools, desk.lab, dump(own())).taken
        assert (again.handling, again.new, again.receipt) == (first.handling, False, "")
        (other,) = submit.submit(db, desk.tools, desk.lab, dump(own(title="another"))).taken
        assert other.receipt
        document = artefact.listed(db, kept.one(db, first.handling).id, "document")[0]
        assert artefact.read(db, desk.vault, document) == dump(own())


def test_the_newest_mark_is_left_when_marks_of_their_own_are_taken_back(desk: Desk) -> None:
    marks = Steps(desk.people.url, "0042")
    found = desk.finding()
    for mark in ("invalid", "known"):
        with desk.acting(desk.coordinator) as db:
            record.give(db, found, mark, "looked at")
    with desk.acting(desk.finder) as db:
        record.appeal(db, found, "it is new")
    for _ in range(2):  # what is sent again once it was withdrawn has the same hash
        with desk.acting(desk.finder) as db:
            (taken,) = submit.submit(db, desk.tools, desk.lab, dump(own())).taken
            kept.move(db, kept.one(db, taken.handling), "withdrawn", "")
    marks.down()
    with desk.owner() as db:
        rows = db.execute("select mark, why from clearway.finding_mark").fetchall()
        assert rows == [("known", "looked at")]
    marks.up()
    with desk.acting(desk.finder) as db:
        said = record.mark_of(db, found.id)
        assert said is not None
        assert (said.mark, len(said.appeals), said.earlier) == ("known", 1, ())
