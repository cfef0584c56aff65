"""One flaw has one case: what would make a second is refused and named, and the queue says where the first is."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from clearway.findings import kept as findings
from clearway.findings.case import kept, party, triage
from clearway.findings.case.withdrawn import sweep
from clearway.findings.dedup import edge
from clearway.findings.kept import Finding
from clearway.records.errors import ConflictError, NotFoundError
from findings_case_world import NOW, Cases
from site_client import Site, site, words


@pytest.fixture(scope="module")
def served(cases: Cases) -> Iterator[Site]:
    with site(cases.desk.home, cases.world.url) as made:
        yield made


def again(cases: Cases, finding: Finding) -> Finding:
    with cases.acting() as db:
        return findings.one(db, finding.handling)


def pair(cases: Cases) -> tuple[Finding, Finding]:
    return cases.desk.finding(state="queued"), cases.desk.finding(cases.desk.rival, state="queued")


def test_what_became_the_same_flaw_later_is_put_into_its_case_and_opens_no_other(cases: Cases) -> None:
    first, later = pair(cases)
    with cases.acting() as db:
        case = kept.add(db, cases.house, [first])
        edge.merge(db, [again(cases, first), later], "one loop")
    with cases.acting() as db:
        waiting = {w.handling: (w.case, w.same_flaw) for w in triage.queue(db, NOW)}
        assert waiting[later.handling] == (case.handling, True)
        with pytest.raises(ConflictError, match=f"the same flaw is in {case.handling}"):
            kept.add(db, cases.house, [later])
        assert kept.take(db, case, later) == [later]
        assert kept.findings_of(db, case) == [first.handling, later.handling]


def test_a_finding_comes_with_its_twins_or_they_are_named(cases: Cases) -> None:
    case = cases.opened()
    first, twin = pair(cases)
    with cases.acting() as db:
        edge.merge(db, [first, twin], "one loop")
        with pytest.raises(ConflictError, match=twin.handling):
            kept.take(db, case, first)
        assert kept.take(db, case, first, along=True) == [first, twin]


def test_findings_of_two_open_cases_are_merged_when_one_is_closed(cases: Cases) -> None:
    first, other = pair(cases)
    with cases.acting() as db:
        cases_of = [kept.add(db, cases.house, [f]) for f in (first, other)]
        both = [again(cases, f) for f in (first, other)]
        with pytest.raises(ConflictError, match="2 open cases"):
            edge.merge(db, both, "one loop")
        kept.close(db, cases_of[1], "the same as the first")
        edge.merge(db, both, "one loop")


def test_of_more_than_are_told_the_queue_tells_those_with_the_most_points_and_how_many_wait(
    cases: Cases, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(triage, "MOST", 4)
    monkeypatch.setattr(triage, "_RANKED", 8)
    with cases.acting() as db:
        before = triage.waiting(db)
    for n in range(12):
        cases.desk.finding(
            state="queued", package=f"fill{n}", purl=f"pkg:pypi/fill{n}@1", severity="low", cwe=""
        )
    new = cases.desk.finding(
        state="queued", package="new", purl="pkg:pypi/new@1", severity="critical", cwe="CWE-787"
    )
    with cases.acting() as db:
        told = triage.queue(db, NOW + timedelta(hours=1))
        assert new.handling in {w.handling for w in told}
        assert len(told) == 4
        assert triage.waiting(db) == before + 13


def test_a_reporter_whose_findings_are_all_withdrawn_takes_no_part_any_more(cases: Cases) -> None:
    desk = cases.desk
    kept_one, gone = pair(cases)
    with cases.acting() as db:
        case = kept.add(db, cases.house, [kept_one, gone])
    with desk.owner() as db:
        assert sweep(db) == 0
    with cases.acting(desk.rival) as db:
        findings.move(db, findings.one(db, gone.handling), "withdrawn", "wrong")
    with desk.owner() as db:
        assert sweep(db) == 1
    with cases.acting() as db:
        assert {p.organisation for p in party.listed(db, case)} == {"lab"}
    with pytest.raises(NotFoundError), cases.acting(desk.rival) as db:
        kept.one(db, case.handling)
    assert cases.again(case, desk.finder).id == case.id


def test_page_and_api_name_what_is_the_same_flaw_before_they_take_it(cases: Cases, served: Site) -> None:
    coordinator = cases.desk.coordinator
    first, twin = pair(cases)
    with cases.acting() as db:
        edge.merge(db, [first, twin], "one loop")
    refused = served.post(coordinator.cookie, "/cases/triage", 422, id=first.handling)
    assert f"{twin.handling} of rival" in words(refused.text)
    body = {"findings": [first.handling]}
    problem = served.api(coordinator.secret, "POST", "/api/v1/cases", 409, body).json()
    assert twin.handling in problem["detail"]
    room = served.post(coordinator.cookie, "/cases/triage", id=first.handling, along="yes").headers[
        "location"
    ]
    assert twin.handling in words(served.page(coordinator.cookie, room))
    other, its_twin = pair(cases)
    with cases.acting() as db:
        edge.merge(db, [other, its_twin], "one loop")
    body = {"findings": [other.handling], "along": True}
    made = served.api(coordinator.secret, "POST", "/api/v1/cases", 201, body).json()
    assert set(made["findings"]) == {other.handling, its_twin.handling}


def test_the_undo_of_an_act_is_at_the_address_of_its_findings_alone(cases: Cases, served: Site) -> None:
    first, twin = pair(cases)
    stranger = cases.desk.finding()
    with cases.acting() as db:
        act = edge.merge(db, [first, twin], "one loop")
    for finding, status in ((stranger, 404), (twin, 201)):
        path = f"/api/v1/findings/{finding.handling}/duplicates/{act}/undo"
        served.api(cases.desk.coordinator.secret, "POST", path, status, {"why": "another loop"})
