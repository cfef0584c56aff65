"""The fleet's routes as four people: its operator, another organisation's, an auditor, and nobody."""

from __future__ import annotations

from typing import Any

from fleet_site import Site, shape

OURS = (
    "/api/v1/exposures/{exposure}",
    "/api/v1/assets/{asset}",
    "/api/v1/assets/{asset}/inventories",
    "/api/v1/assets/{asset}/components",
    "/api/v1/inventories/{inventory}",
    "/api/v1/inventories/{inventory}/difference",
    "/api/v1/inventories/{inventory}/document",
)
PAGES = (
    "/exposure/{exposure}",
    "/assets/{asset}",
    "/inventories/{inventory}",
    "/inventories/{inventory}/document",
)
LISTS = (
    "/api/v1/exposures",
    "/api/v1/assets",
    "/api/v1/week",
    "/api/v1/rules",
    "/api/v1/flaws/CVE-2026-0001",
)
ACTS: tuple[tuple[str, str, Any], ...] = (
    ("PATCH", "/api/v1/exposures/{exposure}", {"status": "fixed"}),
    ("PUT", "/api/v1/assets/{asset}", {"name": "mine", "details": {}}),
    ("POST", "/api/v1/assets/{asset}/exposure", {"exposure": "internal"}),
    (
        "POST",
        "/api/v1/assets/{asset}/inventories",
        {"bomFormat": "CycloneDX", "specVersion": "1.6", "components": []},
    ),
)
MORE_ACTS: tuple[tuple[str, str, Any], ...] = (
    ("POST", "/api/v1/assets", {"name": "x"}),
    ("POST", "/api/v1/exposures/decisions", {"exposures": [1], "status": "fixed"}),
    (
        "POST",
        "/api/v1/rules",
        {"name": "r", "about": {"name": "django"}, "say": {"status": "mitigated"}, "expected": 0},
    ),
    ("POST", "/api/v1/rules/dry-run", {"about": {"name": "django"}}),
    ("POST", "/api/v1/inventories", {"x": 1}),
)


def _ours(site: Site) -> dict[str, int]:
    return {
        "exposure": site.exposures()[0]["id"],
        "asset": site.assets["web-1"],
        "inventory": site.inventories["web-1"],
    }


def test_what_is_ours_is_read_by_our_members_and_is_404_to_others_with_one_shape(site: Site) -> None:
    ours = _ours(site)
    for path in (p.format(**ours) for p in OURS):
        assert site.ask("GET", path, site.operator).status_code == 200, path
        assert site.ask("GET", path, site.auditor).status_code == 200, path
        theirs, none = site.ask("GET", path, site.other), site.ask("GET", _nowhere(path), site.other)
        assert (theirs.status_code, none.status_code) == (404, 404), path
        assert shape(theirs.json()) == shape(none.json()), path
        assert theirs.json()["detail"] == none.json()["detail"], path
        assert site.ask("GET", path, None).status_code == 401, path


def test_pages_tell_the_same_to_the_same_people(site: Site) -> None:
    ours = _ours(site)
    for path in (p.format(**ours) for p in PAGES):
        assert site.ask("GET", path, site.operator, page=True).status_code == 200, path
        assert site.ask("GET", path, site.auditor, page=True).status_code == 200, path
        theirs = site.ask("GET", path, site.other, page=True)
        assert theirs.status_code == 404, path
        assert "web-1" not in theirs.text, path
        assert site.ask("GET", path, None, page=True).status_code == 401, path
    for path in (
        "/this-week",
        "/exposure",
        "/assets",
        "/flaws/CVE-2026-0001",
        "/exposure.csv",
        "/assets.json",
    ):
        assert site.ask("GET", path, None, page=True).status_code == 401, path
        text = site.ask("GET", path, site.other, page=True, follow=True).text
        assert "web-1" not in text, path
        assert "db-1" not in text, path


def test_lists_counts_and_facets_hold_only_what_one_may_see(site: Site) -> None:
    for path in LISTS:
        assert site.ask("GET", path, None).status_code == 401, path
        mine, theirs = site.ask("GET", path, site.operator), site.ask("GET", path, site.other)
        assert (mine.status_code, theirs.status_code) == (200, 200), path
        assert "web-1" not in theirs.text, path
        assert "ward-1" not in mine.text, path
    assert site.ask("POST", "/api/v1/exposures/count", site.other, json={}).json()["total"] == 1
    assert site.ask("POST", "/api/v1/exposures/count", site.operator, json={}).json()["total"] == 3
    assert site.ask("GET", "/api/v1/flaws/CVE-2026-0001", site.other).json()["assets"] == 1
    assert site.ask("GET", "/api/v1/exposures?organisation=water", site.other).json()["items"] == []


def test_who_only_reads_may_not_act_and_others_find_nothing_to_act_on(site: Site) -> None:
    ours = _ours(site)
    for method, path, body in ACTS:
        where = path.format(**ours)
        headers = {"if-match": "*"}
        assert site.ask(method, where, site.auditor, json=body, headers=headers).status_code == 403, path
        assert site.ask(method, where, None, json=body, headers=headers).status_code == 401, path
        theirs = site.ask(method, where, site.other, json=body, headers=headers)
        none = site.ask(method, _nowhere(where), site.other, json=body, headers=headers)
        assert (theirs.status_code, none.status_code) == (404, 404), (path, theirs.text)
        assert shape(theirs.json()) == shape(none.json()), path
    for method, path, body in MORE_ACTS:
        assert site.ask(method, path, site.auditor, json=body).status_code == 403, path
        assert site.ask(method, path, None, json=body).status_code == 401, path
    assert [e["status"] for e in site.exposures()] == ["open"] * 3


def test_forms_are_refused_to_who_only_reads_and_without_the_sessions_token(site: Site) -> None:
    ours = _ours(site)
    form = {"act": "fixed", "ids": str(ours["exposure"]), "expected": "1"}
    forms: tuple[tuple[str, dict[str, str]], ...] = (
        ("/exposure/decide", form),
        ("/exposure/undo", {"first": "1", "last": "9"}),
        (f"/assets/{ours['asset']}", {"name": "x", "version": "1"}),
        (f"/assets/{ours['asset']}/exposure", {"exposure": "internal"}),
    )
    for path, data in forms:
        assert site.ask("POST", path, site.auditor, page=True, data=data).status_code == 403, path
        wrong = site.ask("POST", path, site.operator, page=True, data=data, csrf="0" * 64)
        assert wrong.status_code == 403, path
    for path, data in forms[2:]:
        assert site.ask("POST", path, site.other, page=True, data=data).status_code == 404, path
    acted = site.ask("POST", "/exposure/decide", site.other, page=True, data=form)
    assert acted.status_code == 422  # none of it is there: the count is another one
    assert "Nothing is chosen" in acted.text


def test_a_rule_is_ended_by_its_own_organisation_alone(site: Site) -> None:
    body = {"name": "r", "about": {"name": "nowhere-used"}, "say": {"status": "mitigated"}, "expected": 0}
    rule = site.ask("POST", "/api/v1/rules", site.operator, json=body).json()["rule"]
    for who, status in ((None, 401), (site.auditor, 403), (site.other, 404)):
        form = site.ask("POST", f"/exposure/rules/{rule}/end", who, page=True, data={"version": "1"})
        route = site.ask("DELETE", f"/api/v1/rules/{rule}", who, headers={"if-match": "*"})
        assert (form.status_code, route.status_code) == (status, status)
    assert site.ask("GET", "/api/v1/rules", site.other).json()["items"] == []
    assert "nowhere-used" not in site.ask("GET", "/exposure/rules", site.other, page=True).text
    assert (
        site.ask(
            "POST", f"/exposure/rules/{rule}/end", site.operator, page=True, data={"version": "1"}
        ).status_code
        == 303
    )


def test_a_bulk_act_of_others_passes_over_what_is_not_there_without_saying_so(site: Site) -> None:
    ours = _ours(site)["exposure"]
    theirs = site.exposures(site.other)[0]["id"]
    answer = site.ask(
        "POST",
        "/api/v1/exposures/decisions",
        site.other,
        json={"exposures": [ours, theirs, 10**9], "status": "fixed"},
    )
    told = answer.json()
    assert (told["changed"], told["exposures"]) == (1, [theirs])
    assert [e["status"] for e in site.exposures()] == ["open"] * 3


def _nowhere(path: str) -> str:
    """The same path with a number that nothing has."""
    return "/".join("999999" if part.isdigit() else part for part in path.split("/"))
