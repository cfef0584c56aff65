"""Findings and cases are found by who may see them, by any of their facts; their ids lead straight to their pages."""

from __future__ import annotations

import pytest
from test_search_pages import hits, indexed

from clearway.findings import kept
from clearway.findings.case import kept as cases
from clearway.findings.case import party
from findings_world import new_finding
from fleet_world import Fleet
from people import Somebody
from site_client import Site


class Found:
    """A finding of Lab, a trial of the same, and a case whose other party is Vendor."""

    def __init__(self, fleet: Fleet) -> None:
        people = fleet.people
        self.finder = people.somebody(people.org("lab", "lab"), "finder")
        self.maintainer = people.somebody(people.org("vendor", "vendor"), "maintainer")
        self.coordinator = people.somebody(people.house, "coordinator")
        with people.acting(self.finder) as db:
            self.finding = kept.add(
                db, new_finding(self.finder.org, title="Overflow in zlibber", cwe="CWE-787")
            )[0]
            self.trial = kept.add(db, new_finding(self.finder.org, title="A trial of zlibber", live=False))[0]
            for one in (self.finding, self.trial):
                kept.announce(db, one, "finding.received")
        indexed(fleet)
        with people.acting(self.coordinator) as db:
            self.case = cases.add(db, people.house, [self.finding], "Overflow in the zlibber library")
            made = party.add(db, self.case, role="vendor", member=self.maintainer.org)
            party.ask(db, cases.by_id(db, self.case.id), made)  # who is not asked yet reads nothing of it
        indexed(fleet)


@pytest.fixture
def found(fleet: Fleet) -> Found:
    return Found(fleet)


def test_each_finds_what_they_may_see_and_nobody_a_trial(found: Found, fleet: Fleet, here: Site) -> None:
    finding = f"{found.finding.handling} · Overflow in zlibber"
    case = f"{found.case.handling} · Overflow in the zlibber library"
    expected: list[tuple[Somebody, dict[str, list[str]]]] = [
        (found.finder, {"finding": [finding], "case": [case]}),
        (found.coordinator, {"finding": [finding], "case": [case]}),
        (found.maintainer, {"case": [case]}),
        (fleet.operator, {}),
    ]
    for who, said in expected:
        assert hits(here, who.secret, "zlibber") == said, who.roles
        assert hits(here, who.secret, "zlibber", kind="case") == {
            k: v for k, v in said.items() if k == "case"
        }
    assert hits(here, found.finder.secret, "CWE-787 src/parse.c") == {"finding": [finding]}


def test_an_id_leads_to_its_page_and_tells_nobody_whether_it_is_there(
    found: Found, fleet: Fleet, here: Site
) -> None:
    at = f"/findings/{found.finding.handling}"
    for who in (found.finder, fleet.operator):
        assert here.page(who.cookie, f"/search?q={found.finding.handling.lower()}", 303) == at
        assert here.page(who.cookie, "/search?q=CWF-ZZZZ-ZZZZ", 303) == "/findings/CWF-ZZZZ-ZZZZ"
    here.page(fleet.operator.cookie, at, 404)
    assert here.page(found.maintainer.cookie, f"/search?q={found.case.handling}", 303) == (
        f"/cases/{found.case.handling}"
    )
    mine = here.page(fleet.operator.cookie, f"/search?q={found.case.handling}")
    assert "zlibber" not in mine


def test_a_page_says_how_they_are_marked(found: Found, here: Site) -> None:
    page = here.page(found.maintainer.cookie, "/search?q=zlibber")
    assert "TLP:AMBER" in page or "TLP:RED" in page
    assert f"/cases/{found.case.handling}" in page


def test_what_was_here_before_is_found_too(found: Found, fleet: Fleet, here: Site) -> None:
    with fleet.owner() as owner:
        owner.execute("delete from clearway.search_doc")
        owner.execute("delete from clearway.search_follower")
    indexed(fleet)
    assert set(hits(here, found.finder.secret, "zlibber")) == {"finding", "case"}
