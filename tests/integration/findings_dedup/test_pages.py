"""The API and the page of duplicates, as each reader sees them."""

from __future__ import annotations

import pytest

from clearway.findings import kept
from clearway.findings.dedup import edge
from findings_dedup_world import Two
from findings_world import Desk
from site_client import Site, words


@pytest.fixture
def pages(one_site: Site, desk: Desk) -> Site:
    return one_site


def api(finding: kept.Finding, part: str) -> str:
    return f"/api/v1/findings/{finding.handling}/{part}"


def test_the_desk_merges_sees_both_and_undoes(desk: Desk, two: Two, pages: Site) -> None:
    secret = desk.coordinator.secret
    body = {"findings": [two.theirs.handling], "why": "same loop"}
    act = pages.api(secret, "POST", api(two.ours, "merge"), 201, body).json()["act"]
    found = pages.api(secret, "GET", api(two.theirs, "duplicates")).json()
    assert [m["handling"] for m in found["group"]] == [two.ours.handling, two.theirs.handling]
    assert [c["organisation"] for c in found["credits"]] == ["lab", "rival"]
    pages.api(secret, "POST", api(two.ours, f"duplicates/{act}/undo"), 201, {"why": "no"})
    found = pages.api(secret, "GET", api(two.theirs, "duplicates")).json()
    assert len(found["group"]) == 1
    assert found["edges"][0]["revoked_why"] == "no"


def test_a_reporter_sees_their_own_alone_and_strangers_nothing(desk: Desk, two: Two, pages: Site) -> None:
    body = {"findings": [two.theirs.handling], "why": "same loop"}
    pages.api(desk.coordinator.secret, "POST", api(two.ours, "merge"), 201, body)
    raw = pages.api(desk.finder.secret, "GET", api(two.ours, "duplicates"))
    assert two.theirs.handling not in raw.text
    assert "rival" not in raw.text
    assert [m["handling"] for m in raw.json()["group"]] == [two.ours.handling]
    shown = pages.page(desk.finder.cookie, f"/findings/{two.ours.handling}/duplicates")
    assert "rival" not in shown
    assert two.theirs.handling not in shown
    for who in (desk.rival, desk.maintainer, desk.operator):
        pages.api(who.secret, "GET", api(two.ours, "duplicates"), 404)
    pages.api(desk.finder.secret, "POST", api(two.ours, "merge"), 403, body)


def test_the_page_shows_both_side_by_side_with_reasons_and_undo(desk: Desk, two: Two, pages: Site) -> None:
    here = f"/findings/{two.ours.handling}/duplicates"
    pages.post(desk.coordinator.cookie, here, what="merge", with_=two.theirs.handling, why="same loop <b>")
    shown = pages.page(desk.coordinator.cookie, here)
    said = words(shown)
    assert "2 findings are one flaw" in said
    assert "same loop &lt;b&gt;" in shown
    assert "Undo" in said
    number = pages.api(desk.coordinator.secret, "GET", api(two.ours, "duplicates")).json()["edges"][0]["act"]
    pages.post(desk.coordinator.cookie, here, what="undo", number=str(number))
    assert "It is alone" in words(pages.page(desk.coordinator.cookie, here))


def test_what_is_public_is_said_and_revoked_over_the_api(desk: Desk, two: Two, pages: Site) -> None:
    body = {"flaw": "CVE-2024-1001", "fixed": ["1.2.4"], "why": "same function"}
    refused = pages.api(desk.coordinator.secret, "POST", api(two.ours, "known"), 400, body).json()
    assert "no loaded record of CVE-2024-1001 names this product" in refused["detail"]
    body["sure"] = True
    found = pages.api(desk.coordinator.secret, "POST", api(two.ours, "known"), 201, body).json()
    (known,) = found["known"]
    assert (known["flaw"], known["verdict"]) == ("CVE-2024-1001", "is")
    gone = pages.api(
        desk.coordinator.secret, "POST", api(two.ours, f"known/{known['id']}/revocation"), 200, {"why": "no"}
    ).json()
    assert gone["known"][0]["revoked"] is not None


def test_on_the_page_what_no_record_names_is_asked_about_again(desk: Desk, two: Two, pages: Site) -> None:
    here = f"/findings/{two.ours.handling}/duplicates"
    asked = pages.post(
        desk.coordinator.cookie, here, 422, what="known", flaw="cve-2024-1001", why="same function"
    )
    assert "no loaded record of CVE-2024-1001 names this product" in asked.text
    assert 'name="sure"' in asked.text
    wrong = pages.post(desk.coordinator.cookie, here, 422, what="known", flaw="CVE-x", why="y", sure="yes")
    assert "this is no id of a public flaw" in wrong.text
    pages.post(
        desk.coordinator.cookie, here, what="known", flaw="cve-2024-1001", why="same function", sure="yes"
    )
    assert "CVE-2024-1001" in words(pages.page(desk.coordinator.cookie, here))


def test_a_cross_run_wants_a_fix_of_both(desk: Desk, two: Two, pages: Site) -> None:
    body = {"other": two.theirs.handling}
    pages.api(desk.coordinator.secret, "POST", api(two.ours, "cross-runs"), 409, body)
    with desk.owner() as db:
        db.execute("update clearway.finding set level = 3")
    assert (
        pages.api(desk.coordinator.secret, "POST", api(two.ours, "cross-runs"), 202, body).json()["job"] > 0
    )


def test_a_number_that_is_none_of_ours_is_not_found(desk: Desk, two: Two, pages: Site) -> None:
    body = {"why": "x"}
    for number in (0, 999, 10**20):
        for part in (f"duplicates/{number}/undo", f"edges/{number}/revocation", f"known/{number}/revocation"):
            pages.api(desk.coordinator.secret, "POST", api(two.ours, part), 404, body)


def test_pairs_that_wait_are_listed_until_somebody_settles_them(desk: Desk, two: Two, pages: Site) -> None:
    with desk.owner() as db:
        for basis, score in (("place", 0.6), ("context", 0.8)):
            edge.add(db, two.ours.id, two.theirs.id, "likely", basis, score=score, reason=f"same {basis}")
    cookie = desk.coordinator.cookie
    shown = pages.page(cookie, "/findings/duplicates")
    assert shown.count('tr role="row" data-row') == 1, "a pair is there once, by what says most"
    assert "same context" in shown
    told = pages.http.get("/findings/duplicates.json", headers={"cookie": f"clearway={cookie}"}).json()
    assert [(p["one"], p["other"], p["score"]) for p in told["items"]] == [
        (two.ours.handling, two.theirs.handling, pytest.approx(0.8))
    ]
    assert "No pair matches" in pages.page(cookie, "/findings/duplicates?verdict=regression")
    beside = words(pages.page(cookie, f"/findings/{two.ours.handling}/duplicates?with={two.theirs.handling}"))
    assert "They are two flaws" in beside
    pages.post(
        cookie,
        f"/findings/{two.ours.handling}/duplicates",
        what="apart",
        with_=two.theirs.handling,
        why="two loops",
    )
    assert "No pair waits" in pages.page(cookie, "/findings/duplicates")
    pages.page(desk.finder.cookie, "/findings/duplicates", 403)


def test_a_finding_of_others_is_not_compared_for_who_may_not_see_it(
    desk: Desk, two: Two, pages: Site
) -> None:
    path = f"/findings/{two.ours.handling}/duplicates?with={two.theirs.handling}"
    shown = pages.page(desk.finder.cookie, path)
    assert two.theirs.title not in shown
    assert "Side by side" not in shown
