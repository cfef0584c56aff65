"""Acts through the API and the forms: they happen once, under what was read, and can be taken back."""

from __future__ import annotations

import html
import json
import re
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest

from clearway.exposure.fleet import follow
from fleet_site import TODAY, Site
from fleet_world import document

LATER = (TODAY + timedelta(days=30)).isoformat()


def _line(site: Site, asset: str = "web-1", flaw: str = "CVE-2026-0001") -> dict[str, Any]:
    return next(e for e in site.exposures() if e["asset_name"] == asset and e["flaw"] == flaw)


def _reset(site: Site) -> None:
    ids = [e["id"] for e in site.exposures()]
    site.ask("POST", "/api/v1/exposures/decisions", site.operator, json={"exposures": ids, "status": "open"})


def test_a_status_needs_the_tag_that_was_read_and_a_stale_one_is_refused(site: Site) -> None:
    path = f"/api/v1/exposures/{_line(site)['id']}"
    body = {"status": "accepted", "detail": "the vendor comes on Monday", "until": LATER}
    tag = site.ask("GET", path, site.operator).headers["etag"]
    assert site.ask("PATCH", path, site.operator, json=body).status_code == 428
    done = site.ask("PATCH", path, site.operator, json=body, headers={"if-match": tag})
    assert done.status_code == 200, done.text
    assert (done.json()["exposure"]["status"], done.json()["exposure"]["until"]) == ("accepted", LATER)
    assert done.json()["said"][0]["detail"] == body["detail"]
    assert site.ask("PATCH", path, site.operator, json=body, headers={"if-match": tag}).status_code == 412
    again = site.ask("GET", path, site.operator, headers={"if-none-match": done.headers["etag"]})
    assert again.status_code == 304
    _reset(site)


def test_what_does_not_go_together_is_refused_with_its_place(site: Site) -> None:
    path = f"/api/v1/exposures/{_line(site)['id']}"
    for body in (
        {"status": "accepted", "detail": "x"},
        {"status": "accepted", "until": LATER},
        {"status": "accepted", "detail": "x", "until": (TODAY - timedelta(days=1)).isoformat()},
        {"status": "not_affected"},
        {"status": "fixed", "justification": "component_not_present"},
        {"status": "gone"},
        {"status": "fixed", "more": 1},
    ):
        answer = site.ask("PATCH", path, site.operator, json=body, headers={"if-match": "*"})
        assert answer.status_code in (400, 422), (body, answer.text)
        assert answer.headers["content-type"].startswith("application/problem+json")


def test_what_is_said_until_today_counts_to_the_end_of_today(site: Site) -> None:
    path = f"/api/v1/exposures/{_line(site)['id']}"
    body = {"status": "accepted", "detail": "restarted tonight", "until": TODAY.isoformat()}
    done = site.ask("PATCH", path, site.operator, json=body, headers={"if-match": "*"})
    assert done.status_code == 200, done.text
    with site.people.owner() as owner:
        follow.tick(owner, TODAY)
    assert _line(site)["status"] == "accepted"
    with site.people.owner() as owner:
        follow.tick(owner, TODAY + timedelta(days=1))
    assert _line(site)["status"] == "open"
    past = (TODAY - timedelta(days=1)).isoformat()
    for answer in (
        site.ask("PATCH", path, site.operator, json={**body, "until": past}, headers={"if-match": "*"}),
        site.ask("POST", "/api/v1/rules", site.operator, json=_rule(until=past)),
        site.ask("POST", "/api/v1/rules", site.operator, json=_rule(say={**body, "until": past})),
    ):
        assert answer.status_code in (400, 422), answer.text
        assert answer.json()["where"] == "body.until"
        assert f"{TODAY}, which is today in UTC, or later" in answer.json()["mend"]
    # The forms take and refuse the same days.
    line = str(_line(site)["id"])
    form = {"ids": line, "act": "accepted", "expected": "1", "detail": "restarted tonight"}
    refused = site.ask("POST", "/exposure/decide", site.operator, page=True, data={**form, "until": past})
    assert refused.status_code == 422
    assert "today in UTC" in refused.text
    data = {**form, "until": TODAY.isoformat()}
    assert site.ask("POST", "/exposure/decide", site.operator, page=True, data=data).status_code == 303
    _reset(site)


def test_a_rule_ends_after_the_day_that_was_given_for_it(site: Site) -> None:
    made = site.ask("POST", "/api/v1/rules", site.operator, json=_rule(until=TODAY.isoformat()))
    assert made.status_code == 201, made.text
    say = {"status": "accepted", "detail": "x", "until": LATER}
    assert _until(site, made.json()["rule"]) == TODAY.isoformat()
    other = site.ask("POST", "/api/v1/rules", site.operator, json=_rule(until=TODAY.isoformat(), say=say))
    assert (other.status_code, other.json()["where"]) == (400, "until")
    accepts = site.ask("POST", "/api/v1/rules", site.operator, json=_rule(say=say)).json()["rule"]
    assert _until(site, accepts) == LATER
    with site.people.owner() as owner:
        follow.tick(owner, TODAY)
    assert _until(site, made.json()["rule"]) == TODAY.isoformat(), "it counts to the end of its day"
    with site.people.owner() as owner:
        follow.tick(owner, TODAY + timedelta(days=1))
    assert _until(site, made.json()["rule"]) is None, "and has ended after it"
    site.ask("DELETE", f"/api/v1/rules/{accepts}", site.operator, headers={"if-match": "*"})


def _rule(**more: Any) -> dict[str, Any]:
    said = {"status": "not_affected", "justification": "component_not_present"}
    return {"name": "r", "about": {"name": "nowhere-used"}, "say": said, "expected": 0, **more}


def _until(site: Site, number: int) -> str | None:
    """The last day of a rule that stands; None when it does not."""
    found = site.ask("GET", "/api/v1/rules", site.operator).json()["items"]
    return next((r["until"] for r in found if r["id"] == number), None)


def test_a_bulk_act_is_held_to_the_count_and_a_key_makes_it_happen_once(site: Site) -> None:
    query = "status=open&kev=yes"
    count = site.ask("POST", "/api/v1/exposures/count", site.operator, json={"query": query}).json()
    assert count["total"] == 2
    body = {"query": query, "status": "not_affected", "justification": "component_not_present", "expected": 1}
    assert site.ask("POST", "/api/v1/exposures/decisions", site.operator, json=body).status_code == 409
    body["expected"] = 2
    headers = {"idempotency-key": str(uuid4())}
    first = site.ask("POST", "/api/v1/exposures/decisions", site.operator, json=body, headers=headers)
    assert first.json()["passed_over"] == []
    again = site.ask("POST", "/api/v1/exposures/decisions", site.operator, json=body, headers=headers)
    assert first.status_code == 200, first.text
    assert first.json()["changed"] == 2
    assert again.headers["idempotency-replayed"] == "?1"
    assert again.content == first.content
    body["expected"] = 0
    other = site.ask("POST", "/api/v1/exposures/decisions", site.operator, json=body, headers=headers)
    assert other.status_code == 422
    _reset(site)


def test_a_cursor_walks_the_whole_list_and_is_good_for_its_reader_and_filter_alone(site: Site) -> None:
    seen: list[int] = []
    path = "/api/v1/exposures?limit=1&sort=severity"
    first = ""
    while path:
        answer = site.ask("GET", path, site.operator)
        assert answer.status_code == 200, answer.text
        seen += [e["id"] for e in answer.json()["items"]]
        path = answer.json()["next"] or ""
        first = first or path
        assert ("link" in answer.headers) == bool(path)
    assert sorted(seen) == sorted(e["id"] for e in site.exposures())
    assert len(seen) == len(set(seen)) == 3
    assert site.ask("GET", first, site.other).status_code == 404
    assert site.ask("GET", first + "&status=open", site.operator).status_code == 404
    assert site.ask("GET", first.replace("cursor=", "cursor=A"), site.operator).status_code == 404


def test_filters_have_three_states_and_unknown_ones_are_named(site: Site) -> None:
    def names(query: str) -> list[str]:
        return sorted({e["asset_name"] for e in site.exposures(query=query)})

    assert names("?exposure=public") == ["web-1"]
    assert names("?exposure!=public") == ["db-1"]
    assert names("?within=overdue&exposure=internal") == names(
        "?due_to=" + (TODAY - timedelta(days=1)).isoformat() + "&exposure=internal"
    )
    assert names("?name=djan*&kev=yes") == ["db-1", "web-1"]
    assert names("?flaw=CVE-2026-0002") == ["web-1"]
    answer = site.ask("GET", "/api/v1/exposures?colour=red", site.operator)
    assert answer.status_code == 400
    assert answer.json()["where"] == "query.colour"
    for bad in (
        "severity=worst",
        "limit=0",
        "limit=201",
        "within=soon",
        "due_from=x",
        "asset=-1",
        "sort=age",
        "gone=1",
    ):
        assert site.ask("GET", f"/api/v1/exposures?{bad}", site.operator).status_code == 400, bad


def test_csv_opens_in_a_spreadsheet_without_running_anything(site: Site) -> None:
    made = site.ask("POST", "/api/v1/assets", site.operator, json={"name": "=HYPERLINK(1)"})
    assert made.status_code == 201
    for path in ("/api/v1/assets.csv", "/assets.csv"):
        answer = site.ask("GET", path, site.operator, page=not path.startswith("/api"))
        assert answer.headers["content-type"].startswith("text/csv")
        assert ",'=HYPERLINK(1)," in answer.text


def test_an_asset_is_made_once_changed_under_its_tag_and_its_exposure_moves_dates(site: Site) -> None:
    key = {"idempotency-key": str(uuid4())}
    body = {
        "name": "app-1",
        "exposure": "internal",
        "details": {"owner": "Apps", "environment": "production"},
    }
    made = [site.ask("POST", "/api/v1/assets", site.operator, json=body, headers=key) for _ in range(2)]
    assert [m.status_code for m in made] == [201, 201]
    assert made[0].content == made[1].content
    assert site.ask("POST", "/api/v1/assets", site.operator, json=body).status_code == 409
    where = made[0].headers["location"]
    tag = made[0].headers["etag"]
    change = {"name": "app-1", "details": {"owner": "Platform", "edge": True, "end_of_support": LATER}}
    assert site.ask("PUT", where, site.operator, json=change).status_code == 428
    after = site.ask("PUT", where, site.operator, json=change, headers={"if-match": tag})
    assert after.status_code == 200, after.text
    assert after.json()["details"] == {
        "owner": "Platform",
        "edge": True,
        "end_of_support": LATER,
        "environment": "unknown",  # what is left out is no longer kept
    }
    assert site.ask("PUT", where, site.operator, json=change, headers={"if-match": tag}).status_code == 412
    up = site.ask(
        "POST",
        f"{where}/inventories?filename=sbom.json",
        site.operator,
        content=document("pkg:pypi/flask@2.1"),
    )
    assert (up.status_code, up.json()["appeared"]) == (201, 1), up.text
    before = next(e for e in site.exposures() if e["asset_name"] == "app-1")
    said = site.ask(
        "POST", f"{where}/exposure", site.operator, json={"exposure": "public", "said_by": "nmap"}
    )
    assert said.json()["exposure"] == "public"
    after_said = next(e for e in site.exposures() if e["asset_name"] == "app-1")
    assert (before["exposure"], after_said["exposure"]) == ("internal", "public")
    assert site.ask("GET", where, site.operator).json()["said"][-1]["said_by"] == "nmap"


def test_the_same_document_again_changes_nothing_and_a_newer_one_tells_the_difference(site: Site) -> None:
    site.ask("POST", "/api/v1/assets", site.operator, json={"name": "build-1"})
    number = next(
        a["id"]
        for a in site.ask("GET", "/api/v1/assets", site.operator).json()["items"]
        if a["name"] == "build-1"
    )
    path = f"/api/v1/assets/{number}/inventories?filename=sbom.json"
    one = document("pkg:pypi/django@4.1", "pkg:pypi/attrs@23.1")
    first = site.ask("POST", path, site.operator, content=one).json()
    again = site.ask("POST", path, site.operator, content=one)
    assert (again.status_code, again.json()["unchanged"], again.json()["inventory"]) == (
        200,
        True,
        first["inventory"],
    )
    newer = site.ask(
        "POST", path, site.operator, content=document("pkg:pypi/django@5.0", "pkg:pypi/idna@3.4")
    ).json()
    assert (newer["appeared"], newer["ended"]) == (0, 1)
    told = site.ask("GET", f"/api/v1/inventories/{newer['inventory']}/difference", site.operator).json()
    assert [(c["name"], c["before"], c["after"]) for c in told["changed"]] == [("django", ["4.1"], ["5.0"])]
    assert ([h["name"] for h in told["added"]], [h["name"] for h in told["removed"]]) == (["idna"], ["attrs"])
    kept = site.ask("GET", f"/api/v1/inventories/{first['inventory']}/document", site.operator)
    assert kept.content == one
    back = site.ask("POST", path, site.operator, content=one)
    assert (back.status_code, back.json()["unchanged"], back.json()["appeared"]) == (200, True, 0)
    assert "a newer one has replaced it" in back.json()["passed_over"][0]
    back = site.ask("POST", f"{path}&again=true", site.operator, content=one)
    assert (back.status_code, back.json()["passed_over"], back.json()["appeared"]) == (201, [], 1)
    assert kept.headers["content-disposition"].startswith("attachment")


def test_an_upload_names_the_hosts_that_its_list_has_no_more(site: Site) -> None:
    path = "/api/v1/inventories?filename=gone.csv"
    head, row = "asset,cve,first_detected\n", "{},CVE-2026-7001,2026-11-02\n"
    whole = head + row.format("gone-1") + row.format("gone-2")
    assert site.ask("POST", path, site.operator, content=whole.encode()).json()["absent"] == []
    landed = site.ask("POST", path, site.operator, content=(head + row.format("gone-1")).encode())
    assert landed.json()["absent"] == [{"file": "gone.csv", "count": 1, "assets": ["gone-2"]}]


def test_a_document_that_nobody_can_read_is_refused_and_leaves_nothing(site: Site) -> None:
    before = site.ask("GET", "/api/v1/assets?limit=200", site.operator).json()
    for bad in (
        b"",
        b"\x00\x01",
        b"{",
        b"[" * 10_000,
        b'{"bomFormat": "CycloneDX", "specVersion": "1.6", "components": 7}',
    ):
        answer = site.ask("POST", "/api/v1/inventories?name=bad", site.operator, content=bad)
        assert answer.status_code in (400, 413, 422), (bad[:20], answer.text)
        assert answer.headers["content-type"].startswith("application/problem+json")
    assert site.ask("GET", "/api/v1/assets?limit=200", site.operator).json() == before


def test_a_document_of_many_assets_makes_them_and_finds_them_again(site: Site) -> None:
    rows = b"asset,cve,first_detected\nscan-1,CVE-2026-0001,2026-11-01\nscan-2,CVE-2026-0002,2026-11-02\n"
    made = site.ask("POST", "/api/v1/inventories?filename=scan.csv", site.operator, content=rows)
    assert made.status_code == 201, made.text
    assert [(m["name"], m["made"]) for m in made.json()["items"]] == [("scan-1", True), ("scan-2", True)]
    more = site.ask(
        "POST",
        "/api/v1/inventories?filename=scan.csv",
        site.operator,
        content=rows + b"scan-2,CVE-2026-0001,2026-11-03\n",
    )
    assert [(m["name"], m["made"]) for m in more.json()["items"]] == [("scan-1", False), ("scan-2", False)]
    (line,) = site.exposures(query="?asset_name=scan-1")
    assert line["detected"] == "2026-11-01"


@pytest.mark.parametrize("name", ["PYSEC-2026-2", "cve-2026-0002", " CVE-2026-0002 "])
def test_a_rule_is_about_a_flaw_by_any_of_its_names(site: Site, name: str) -> None:
    about = {"flaw": name}
    dry = site.ask("POST", "/api/v1/rules/dry-run", site.operator, json={"about": about}).json()
    many = len(site.exposures(query="?flaw=CVE-2026-0002&status=open"))
    assert dry["total"] == many > 0
    say = {"status": "not_affected", "justification": "component_not_present"}
    body = {"name": "by its name", "about": about, "say": say, "expected": many}
    made = site.ask("POST", "/api/v1/rules", site.operator, json=body)
    assert (made.status_code, made.json()["changed"]) == (201, many), made.text
    kept = site.ask("GET", made.headers["location"], site.operator)
    assert kept.json()["about"] == {"flaw": "CVE-2026-0002"}
    site.ask("DELETE", made.headers["location"], site.operator, headers={"if-match": kept.headers["etag"]})
    _reset(site)


def test_a_rule_about_no_known_flaw_or_that_says_what_none_can_know_is_refused(site: Site) -> None:
    say = {"status": "not_affected", "justification": "component_not_present"}
    for flaw, code in (("nonsense", 400), ("CVE-2031-99999", 201)):  # that one may come
        body = {"name": "x", "about": {"flaw": flaw}, "say": say, "expected": 0}
        made = site.ask("POST", "/api/v1/rules", site.operator, json=body)
        assert made.status_code == code, made.text
    site.ask("DELETE", made.headers["location"], site.operator, headers={"if-match": "*"})
    assert (
        "no flaw is known by that name"
        in site.ask(
            "GET",
            "/exposure/rules?title=x&flaw=nonsense&justification=component_not_present",
            site.operator,
            page=True,
        ).text
    )
    for word in ("fixed", "open"):
        body = {"name": "x", "about": {"name": "flask"}, "say": {"status": word}, "expected": 1}
        refused = site.ask("POST", "/api/v1/rules", site.operator, json=body)
        assert (refused.status_code, f"can't say {word}" in refused.text) == (400, True), refused.text


def test_a_rule_is_counted_before_added_and_ended_under_its_tag(site: Site) -> None:
    about = {"name": "flask", "asset_name": "web-1"}
    dry = site.ask("POST", "/api/v1/rules/dry-run", site.operator, json={"about": about}).json()
    assert dry["total"] == 1
    body = {
        "name": "no flask",
        "about": about,
        "say": {"status": "not_affected", "justification": "component_not_present"},
    }
    assert site.ask("POST", "/api/v1/rules", site.operator, json={**body, "expected": 5}).status_code == 409
    made = site.ask("POST", "/api/v1/rules", site.operator, json={**body, "expected": 1})
    assert (made.status_code, made.json()["changed"]) == (201, 1), made.text
    where = made.headers["location"]
    assert site.ask("GET", where, site.other).status_code == 404
    assert site.ask("DELETE", where, site.operator).status_code == 428
    tag = site.ask("GET", where, site.operator).headers["etag"]
    assert site.ask("DELETE", where, site.operator, headers={"if-match": tag}).status_code == 204
    assert site.ask("GET", "/api/v1/rules", site.operator).json()["items"] == []
    assert _line(site, flaw="CVE-2026-0002")["status"] == "not_affected"  # what it decided stands
    _reset(site)


def _notice(answer: httpx.Response) -> dict[str, str]:
    """The fields of the Undo button on a page."""
    toast = answer.text[answer.text.index('id="toasts"') :]
    toast = toast[: toast.index('id="announce"')]
    found = {n: html.unescape(v) for n, v in re.findall(r'name="(\w+)" value="([^"]*)"', toast)}
    return {"action": re.findall(r'action="([^"]+)"', toast)[0], **found}


def test_an_act_by_the_api_is_taken_back_by_its_numbers_and_by_nobody_else(site: Site) -> None:
    ids = [e["id"] for e in site.exposures()][:2]
    body = {"exposures": [*ids, 99_999], "status": "mitigated", "detail": "behind a proxy"}
    done = site.ask("POST", "/api/v1/exposures/decisions", site.operator, json=body).json()
    assert (done["changed"], done["passed_over"]) == (len(ids), [99_999])
    back = {"first": done["first"], "last": done["last"]}
    others = site.ask("POST", "/api/v1/exposures/decisions/undo", site.other, json=back)
    assert others.json()["changed"] == 0
    undone = site.ask("POST", "/api/v1/exposures/decisions/undo", site.operator, json=back)
    assert undone.status_code == 200, undone.text
    assert sorted(undone.json()["exposures"]) == sorted(ids)
    for one in ids:
        assert (
            site.ask("GET", f"/api/v1/exposures/{one}", site.operator).json()["exposure"]["status"] == "open"
        )
    again = site.ask("POST", "/api/v1/exposures/decisions/undo", site.operator, json={"first": 0, "last": 0})
    assert again.json() == {
        "changed": 0, "exposures": [], "first": 0, "last": 0, "without_evidence": 0, "passed_over": []
    }  # fmt: skip


def test_the_week_as_a_file_is_what_the_api_tells(site: Site) -> None:
    by_api = site.ask("GET", "/api/v1/week", site.operator)
    beside = site.ask("GET", "/this-week.json", site.operator, page=True)
    assert beside.json() == by_api.json()
    rest = site.ask("GET", "/api/v1/week/rest", site.operator).json()
    assert rest["organisation"] == "water"
    assert rest["exact"] is True
    assert site.ask("GET", "/api/v1/week/rest?organisation=hospital", site.operator).status_code == 404


def test_an_act_by_form_says_what_it_did_and_undo_gives_back_what_was_before(site: Site) -> None:
    _reset(site)
    django, flask = _line(site)["id"], _line(site, flaw="CVE-2026-0002")["id"]
    site.ask("POST", "/api/v1/exposures/decisions", site.operator,
             json={"exposures": [flask], "status": "mitigated", "detail": "port closed"})  # fmt: skip
    before = site.ask("GET", f"/exposure/decide?act=fixed&ids={django},{flask}", site.operator, page=True)
    assert "2 exposures" in before.text
    with httpx.Client(
        base_url=site.url, cookies=site.cookies(site.operator), follow_redirects=True
    ) as client:
        token = re.findall(r'name="csrf-token" content="(\w+)"', before.text)[0]
        form = {
            "_csrf": token,
            "act": "fixed",
            "ids": f"{django},{flask}",
            "expected": "2",
            "back": "/assets",
            "lost": "yes",
        }
        after = client.post("/exposure/decide", data=form, headers={"accept": "text/html"})
        assert "2 exposures count as fixed." in after.text
        assert after.url.path == "/assets"
        assert _line(site)["status"] == "fixed"
        fields = _notice(after)
        undone = client.post(fields.pop("action"), data=fields, headers={"accept": "text/html"})
        assert "2 exposures are as before." in undone.text
    assert (_line(site)["status"], _line(site, flaw="CVE-2026-0002")["status"]) == ("open", "mitigated")
    _reset(site)


def test_the_form_of_an_asset_refuses_to_overwrite_what_somebody_else_changed(site: Site) -> None:
    number = site.assets["db-1"]
    kept = site.ask("GET", f"/api/v1/assets/{number}", site.operator)
    version = kept.headers["etag"].strip('"').partition(".")[0]
    form = {"version": version, "name": "db-1", "owner": "First", "environment": "production"}
    assert site.ask("POST", f"/assets/{number}", site.operator, page=True, data=form).status_code == 303
    stale = site.ask("POST", f"/assets/{number}", site.operator, page=True, data={**form, "owner": "Second"})
    assert stale.status_code == 422
    assert "read it again" in stale.text
    assert 'value="Second"' in stale.text  # what was typed is not lost
    assert site.ask("GET", f"/api/v1/assets/{number}", site.operator).json()["details"]["owner"] == "First"


def test_every_act_is_on_the_log_and_tells_an_event(site: Site) -> None:
    events = site.ask("GET", "/api/v1/events", site.operator).json()
    kinds = {e["kind"] for e in events["items"]}
    assert {
        "asset.added",
        "inventory.taken",
        "exposure.decided",
        "asset.exposed",
        "asset.changed",
        "rule.added",
    } <= kinds
    theirs = site.ask("GET", "/api/v1/events", site.other).json()
    assert "web-1" not in json.dumps(theirs)


def _shown(site: Site, ids: str, act: str = "accepted") -> dict[str, str]:
    """The form of a confirmation page as it is shown now, filled in."""
    page = site.ask("GET", f"/exposure/decide?act={act}&ids={ids}", site.operator, page=True).text
    fields = {
        k: re.findall(f'name="{k}" value="([^"]*)"', page)[0] for k in ("act", "ids", "expected", "state")
    }
    return {**fields, "detail": "the operator's", "until": LATER, "back": "/exposure"}


def test_what_was_decided_while_a_page_stood_open_is_shown_and_asked_again(site: Site) -> None:
    _reset(site)
    django, flask = _line(site)["id"], _line(site, flaw="CVE-2026-0002")["id"]
    form = _shown(site, f"{django},{flask}")
    other = {"exposures": [flask], "status": "not_affected", "justification": "component_not_present"}
    assert site.ask("POST", "/api/v1/exposures/decisions", site.operator, json=other).status_code == 200
    stale = site.ask("POST", "/exposure/decide", site.operator, page=True, data=form)
    assert stale.status_code == 422
    assert (_line(site)["status"], _line(site, flaw="CVE-2026-0002")["status"]) == ("open", "not_affected")
    told = stale.text.partition('id="since"')[2].partition("</section>")[0]
    assert "CVE-2026-0002" in told
    assert "CVE-2026-0001" not in told
    assert "not affected, by " in told
    assert "the operator&#39;s" in stale.text  # what was typed is kept
    form["state"] = re.findall(r'name="state" value="([^"]*)"', stale.text)[0]
    assert site.ask("POST", "/exposure/decide", site.operator, page=True, data=form).status_code == 303
    assert _line(site, flaw="CVE-2026-0002")["status"] == "accepted"
    again = site.ask("POST", "/exposure/decide", site.operator, page=True, data=form)
    assert again.status_code == 422, "the same page sent twice decides once"
    _reset(site)


def test_a_page_is_not_stale_for_what_has_nothing_to_do_with_it(site: Site) -> None:
    _reset(site)
    form = _shown(site, str(_line(site)["id"]))
    other = {
        "exposures": [_line(site, flaw="CVE-2026-0002")["id"]],
        "status": "mitigated",
        "detail": "port closed",
    }
    assert site.ask("POST", "/api/v1/exposures/decisions", site.operator, json=other).status_code == 200
    assert site.ask("POST", "/exposure/decide", site.operator, page=True, data=form).status_code == 303
    _reset(site)


def test_a_program_can_hold_what_it_names_to_what_it_read(site: Site) -> None:
    _reset(site)
    lines = [_line(site), _line(site, flaw="CVE-2026-0002")]
    body = {
        "exposures": [x["id"] for x in lines],
        "revisions": [x["revision"] for x in lines],
        "status": "mitigated",
        "detail": "port closed",
    }
    path = "/api/v1/exposures/decisions"
    short = site.ask("POST", path, site.operator, json=body | {"revisions": [1]})
    assert (short.status_code, short.json()["where"]) == (400, "body.revisions")
    assert site.ask("POST", path, site.operator, json=body).json()["changed"] == 2
    late = site.ask("POST", path, site.operator, json=body | {"detail": "another"})
    assert (late.status_code, late.json()["where"]) == (409, "body.revisions")
    _reset(site)


def test_undo_says_what_it_left_and_why(site: Site) -> None:
    _reset(site)
    ids = [_line(site)["id"], _line(site, flaw="CVE-2026-0002")["id"]]
    path = "/api/v1/exposures/decisions"
    body = {"exposures": ids, "status": "mitigated", "detail": "port closed"}
    first = site.ask("POST", path, site.operator, json=body).json()
    site.ask("POST", path, site.operator, json=body | {"exposures": ids[1:]})
    fields = {"first": first["first"], "last": first["last"], "back": "/exposure"}
    with httpx.Client(
        base_url=site.url, cookies=site.cookies(site.operator), follow_redirects=True
    ) as client:
        page = client.get("/exposure", headers={"accept": "text/html"}).text
        fields["_csrf"] = re.findall(r'name="csrf-token" content="(\w+)"', page)[0]
        undone = client.post("/exposure/undo", data=fields, headers={"accept": "text/html"}).text
        assert "1 exposure is as before. 1 stays as it is: decided anew since, or gone." in undone
    _reset(site)


def test_this_week_says_how_many_it_leaves_out_as_mitigated_or_accepted(site: Site) -> None:
    _reset(site)
    assert 'id="held-off"' not in site.ask("GET", "/this-week", site.operator, page=True).text
    line = next(e for e in site.exposures() if e["due"] and e["due"] <= TODAY.isoformat())
    body = {"exposures": [line["id"]], "status": "mitigated", "detail": "port closed"}
    site.ask("POST", "/api/v1/exposures/decisions", site.operator, json=body)
    page = site.ask("GET", "/this-week", site.operator, page=True).text
    told = page.partition('id="held-off"')[2].partition("</p>")[0]
    assert "1 exposure</a> due by then is mitigated or accepted, and no part of this plan" in told
    query = html.unescape(re.findall(r'href="/exposure([^"]*)"', told)[0])
    assert [e["id"] for e in site.exposures(query=query)] == [line["id"]]
    _reset(site)


def test_one_thing_refuses_what_it_does_not_know_as_lists_do(site: Site) -> None:
    one = f"/api/v1/exposures/{site.exposures()[0]['id']}"
    for query, named in (
        ("on=2026-01-01", "on"),
        ("foo=bar", "foo"),
        ("as_of=2026-11-20&exposure=1", "exposure"),
    ):
        refused = site.ask("GET", f"{one}?{query}", site.operator)
        assert (refused.status_code, refused.json()["where"]) == (400, f"query.{named}"), query
        assert "as_of" in refused.json()["mend"]
    assert site.ask("GET", f"{one}?as_of={TODAY}", site.operator).status_code == 200
    assert site.ask("GET", f"{one}?foo=bar", None).status_code == 401


def test_a_day_to_come_is_no_day_as_of_which_something_is_known(site: Site) -> None:
    number = _line(site)["id"]
    day = TODAY + timedelta(days=1)
    told = site.ask("GET", f"/api/v1/exposures/{number}?as_of={day}", site.operator)
    assert (told.status_code, told.json()["where"]) == (400, "query.as_of")
    assert "a day to come" in told.text
    assert site.ask("GET", f"/api/v1/exposures/{number}?as_of={TODAY}", site.operator).status_code == 200
    page = site.ask("GET", f"/exposure/{number}?on={day}", site.operator, page=True)
    assert page.status_code == 422
    assert "a day to come" in page.text


def test_the_name_of_an_asset_is_one_line_that_reads_one_way(site: Site) -> None:
    for name in ("a\nb", "web\u202e1", "a\x07", "a\u2028b"):
        refused = site.ask("POST", "/api/v1/assets", site.operator, json={"name": name})
        assert (refused.status_code, refused.json()["where"]) == (400, "name"), ascii(name)
    made = site.ask("POST", "/api/v1/assets", site.operator, json={"name": "Büro 7 · עברית"})
    assert made.status_code == 201, made.text
