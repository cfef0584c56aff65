"""The steps that added cases can be taken back and made again; findings outlive them, each in no case."""

from __future__ import annotations

from findings_case_world import Cases
from steps import Steps, there


def test_taken_back_and_made_again_cases_are_opened_as_before(cases: Cases) -> None:
    steps = Steps(
        cases.world.url,
        "0019",
        "0040",
        "0041",
        "0047",
        "0050",
        "0053",
        "0055",
        "0057",
        "0058",
        "0061",
        "0062",
    )

    def found() -> set[tuple[str, str]]:
        with cases.desk.owner() as db:
            return there(db)

    case = cases.opened()
    cases.vendor(case)
    cases.by_mail(case)
    cases.drafted(case)
    before = found()
    steps.down()
    without = found()
    # Functions of leases, and the one that says what is public, had other arguments before.
    other = ("lease_", "add_finding_known(")
    assert {one for one in without if not one[1].startswith(other)} < before
    assert not {name for kind, name in without if "case" in name and kind != "act"}
    with cases.desk.owner() as db:
        assert db.execute("select count(*) from clearway.finding where case_id is not null").fetchone() == (
            0,
        )
    steps.up()
    assert found() == before
    cases.vendor(cases.opened())
