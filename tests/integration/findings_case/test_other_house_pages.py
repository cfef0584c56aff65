"""Pages offer what their reader may do: nothing of a case that another clearinghouse keeps, no desk to an authority."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from clearway.findings.case import kept
from clearway.findings.dedup import edge, public
from clearway.findings.intake import record
from clearway.findings.kept import Finding
from findings_case_world import Cases
from findings_dedup_world import fired
from people import Somebody
from site_client import Site, site, words

_POSTS = re.compile(
    r'<form[^>]*\bmethod="post"[^>]*\baction="([^"?]+)|<form[^>]*\baction="([^"?]+)"[^>]*method="post"'
)
_NAV = re.compile(r"<nav\b.*?</nav>", re.DOTALL)


@pytest.fixture(scope="module")
def served(cases: Cases) -> Iterator[Site]:
    with site(cases.desk.home, cases.world.url) as made:
        yield made


@pytest.fixture(scope="module")
def elsewhere(cases: Cases) -> Somebody:
    people = cases.desk.people
    return people.somebody(people.org("second-house", "clearinghouse"), "coordinator")


def acts(page: str) -> set[str]:
    """Where the forms in the page's main part lead to, without the first parts of each path."""
    main = page.partition("<main")[2]
    found = {a or b for a, b in _POSTS.findall(main)}
    return {re.sub(r"/(CW[FCL]-\w+-\w+|\d+)", "", path) for path in found}


def in_a_case(cases: Cases) -> tuple[Finding, Finding, kept.Case]:
    desk = cases.desk
    first, twin = fired(desk, desk.finding(state="queued")), desk.finding(desk.rival, state="queued")
    with cases.acting() as db:
        edge.merge(db, [first, twin], "one loop")
        case = kept.add(db, cases.house, [first, twin])
        public.say(db, first, "CVE-2026-0101", [], "the same lines")
        record.give(db, first, "invalid", "not a flaw")
    with cases.acting(desk.finder) as db:
        record.appeal(db, first, "it is one")
    return first, twin, case


def test_of_a_finding_in_another_houses_case_nothing_is_offered(
    cases: Cases, served: Site, elsewhere: Somebody
) -> None:
    first, _, _ = in_a_case(cases)
    for below, offered in (
        ("", {"/findings/mark"}),
        ("/evidence", {"/findings/evidence", "/findings/evidence/revocation"}),
        ("/duplicates", {"/findings/duplicates"}),
    ):
        path = f"/findings/{first.handling}{below}"
        assert acts(served.page(cases.desk.coordinator.cookie, path)) >= offered
        assert acts(served.page(elsewhere.cookie, path)) == set()


def test_an_appeal_is_offered_to_another_coordinator_than_gave_the_mark(cases: Cases, served: Site) -> None:
    first, _, case = in_a_case(cases)
    other = cases.desk.people.somebody(case.org, "coordinator")
    path = f"/findings/{first.handling}"
    assert "/findings/appeals" not in acts(served.page(cases.desk.coordinator.cookie, path))
    assert "/findings/appeals" in acts(served.page(other.cookie, path))
    for who, decides in ((cases.desk.coordinator, False), (other, True), (cases.desk.finder, False)):
        (appeal,) = served.api(who.secret, "GET", f"/api/v1{path}").json()["mark"]["appeals"]
        assert appeal["decides"] is decides
    served.post(other.cookie, f"{path}/appeals/{appeal['id']}", outcome="granted", reason="it is one")
    (appeal,) = served.api(other.secret, "GET", f"/api/v1{path}").json()["mark"]["appeals"]
    assert (appeal["outcome"], appeal["decides"]) == ("granted", False)


def test_what_is_in_no_case_is_offered_to_every_desk(cases: Cases, served: Site, elsewhere: Somebody) -> None:
    free = fired(cases.desk, cases.desk.finding(state="queued"))
    assert acts(served.page(elsewhere.cookie, f"/findings/{free.handling}")) == {"/findings/mark"}
    assert "/findings/duplicates" in acts(
        served.page(elsewhere.cookie, f"/findings/{free.handling}/duplicates")
    )
    assert "/findings/evidence" in acts(served.page(elsewhere.cookie, f"/findings/{free.handling}/evidence"))


def test_a_free_finding_is_not_offered_to_be_merged_with_another_houses(
    cases: Cases, served: Site, elsewhere: Somebody
) -> None:
    first, _, _ = in_a_case(cases)
    free = cases.desk.finding(state="queued")
    path = f"/findings/{free.handling}/duplicates?with={first.handling}"
    assert "They are one flaw" in served.page(cases.desk.coordinator.cookie, path)
    shown = served.page(elsewhere.cookie, path)
    assert "is to be compared" in words(shown)
    assert "They are one flaw" not in shown


def test_another_houses_room_and_what_a_model_drafted_there_are_read_alone(
    cases: Cases, served: Site, elsewhere: Somebody
) -> None:
    first, _, case = in_a_case(cases)
    for path in (
        f"/cases/{case.handling}",
        f"/cases/{case.handling}/assist",
        f"/findings/{first.handling}/assist",
    ):
        assert acts(served.page(elsewhere.cookie, path)) == set(), path
    assert len(acts(served.page(cases.desk.coordinator.cookie, f"/cases/{case.handling}"))) > 5


def test_the_queue_says_that_the_flaw_is_another_houses(
    cases: Cases, served: Site, elsewhere: Somebody
) -> None:
    first, _, case = in_a_case(cases)
    late = cases.desk.finding(state="queued")
    with cases.acting() as db:
        edge.merge(db, [late, first], "one loop")
    told = f"{case.handling} the same flaw, which another clearinghouse keeps"
    assert told in words(served.page(elsewhere.cookie, "/cases/triage"))
    mine = words(served.page(cases.desk.coordinator.cookie, "/cases/triage"))
    assert f"{case.handling} the same flaw" in mine
    assert told not in mine
    for who, flag in ((elsewhere, True), (cases.desk.coordinator, False)):
        waiting = served.api(who.secret, "GET", "/api/v1/cases/triage").json()["waiting"]
        assert [w["elsewhere"] for w in waiting if w["handling"] == late.handling] == [flag]


def test_a_lease_is_its_holders_to_renew_and_the_desks_to_give_back(cases: Cases, served: Site) -> None:
    desk = cases.desk
    asked = {"activity": "source-review", "scope": ["pkg:pypi/renewed"]}
    answer = served.api(desk.finder.secret, "POST", "/api/v1/leases", 201, asked).json()
    path = f"/leases/{answer['lease']['reference']}"
    assert acts(served.page(desk.finder.cookie, path)) == {"/leases/renewal", "/leases/release"}
    assert acts(served.page(desk.coordinator.cookie, path)) == {"/leases/release"}
    assert acts(served.page(desk.colleague.cookie, path)) == set()


def test_an_authoritys_coordinator_has_no_desk_on_every_page(cases: Cases, served: Site) -> None:
    people = cases.desk.people
    authority = people.somebody(people.org("an-authority", "authority"), "coordinator")
    for path in ("/this-week", "/findings", "/directives"):
        theirs = words(" ".join(_NAV.findall(served.page(authority.cookie, path))))
        assert "Triage" not in theirs
        assert "Duplicates" not in theirs
        mine = words(" ".join(_NAV.findall(served.page(cases.desk.coordinator.cookie, path))))
        assert "Triage" in mine
        assert "Duplicates" in mine
    assert "Leases" not in words(" ".join(_NAV.findall(served.page(authority.cookie, "/this-week"))))
