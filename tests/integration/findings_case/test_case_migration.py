"""The steps that added cases can be taken back and made again; findings outlive them, each in no case."""

from __future__ import annotations

from clearway.access import embargo
from clearway.findings.case import cve_id, kept
from findings_case_world import Cases
from steps import Steps, since, step_of, there


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
        *since("0061"),
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
    # Functions of leases, of fleets, the ones that say what is public and who are two, had other arguments before.
    other = ("lease_", "add_finding_known(", "fleet_", "are_two(", "makers(")
    assert {one for one in without if not one[1].startswith(other)} < before
    assert not {name for kind, name in without if "case" in name and kind != "act"}
    with cases.desk.owner() as db:
        assert db.execute("select count(*) from clearway.finding where case_id is not null").fetchone() == (
            0,
        )
    steps.up()
    assert found() == before
    cases.vendor(cases.opened())


def test_of_two_cases_with_one_cve_id_the_one_that_had_it_first_keeps_it(cases: Cases) -> None:
    steps = Steps(cases.world.url, *since(step_of("cve_of_one_case")))
    later, first, closed, open_one = (cases.opened() for _ in range(4))
    with cases.acting() as db:
        cve_id.assign(db, first, "CVE-2026-91001")
    with cases.acting() as db:
        cve_id.assign(db, closed, "CVE-2026-91002")
    with cases.acting() as db:
        kept.close(db, kept.by_id(db, closed.id), "a mistake")
    steps.down()
    with cases.acting() as db:
        for case, cve in ((later, "CVE-2026-91001"), (open_one, "CVE-2026-91002")):
            db.execute(
                "update clearway.desk_case set cve = %s, cve_state = 'reserved' where case_id = %s",
                (cve, case.id),
            )
            db.execute("select clearway.name_flaw(%s, %s, true)", (case.embargo, cve))
    steps.up()
    kept_it, lost_it = cases.again(first), cases.again(later)
    assert (kept_it.cve, kept_it.cve_state, kept_it.cve_problem) == ("CVE-2026-91001", "reserved", "")
    assert (lost_it.cve, lost_it.cve_state) == ("", "")
    assert lost_it.cve_problem == (
        f"CVE-2026-91001 is of {first.handling} too, which had it first: ask for another, or note one"
    )
    with cases.desk.owner() as db:
        assert embargo.one(db, first.embargo).flaws == ("CVE-2026-91001",)
        assert embargo.one(db, later.embargo).flaws == ()
    assert cases.again(closed).cve == "CVE-2026-91002", "it is closed, and not public"
