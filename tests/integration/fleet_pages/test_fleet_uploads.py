"""Documents sent by programs: once for a key, told what was set aside; and lists that say what they can't do."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest

from fleet_site import TODAY, Site
from fleet_world import document


def _send(site: Site, path: str, body: bytes, key: str = "", **query: str) -> httpx.Response:
    headers = {"idempotency-key": key} if key else {}
    return site.ask("POST", path, site.operator, params=query, content=body, headers=headers)


def _names(site: Site, asset: int) -> list[str]:
    answer = site.ask("GET", f"/api/v1/assets/{asset}/components", site.operator)
    return [c["name"] for c in answer.json()["items"]]


def test_an_upload_is_done_once_for_its_key(site: Site) -> None:
    key, old, new = str(uuid4()), b"pkg:pypi/django@3.2.1\n", b"pkg:pypi/jinja2@2.10\n"
    query = {"name": "upx", "filename": "p.txt"}
    first = _send(site, "/api/v1/inventories", old, key, **query)
    assert first.status_code == 201, first.text
    asset = first.json()["items"][0]["asset"]
    assert _send(site, "/api/v1/inventories", new, key, **query).status_code == 422
    assert _send(site, f"/api/v1/assets/{asset}/inventories", old, key, filename="p.txt").status_code == 422
    assert _names(site, asset) == ["django"]
    newer = str(uuid4())
    done = _send(site, f"/api/v1/assets/{asset}/inventories", new, newer, filename="p.txt")
    assert (done.status_code, _names(site, asset)) == (201, ["jinja2"])
    assert done.headers["location"] == f"/api/v1/inventories/{done.json()['inventory']}"
    late = _send(site, "/api/v1/inventories", old, key, **query)  # sent again by somebody who never heard
    assert (late.status_code, late.headers["idempotency-replayed"], late.content) == (
        201,
        "?1",
        first.content,
    )
    assert _names(site, asset) == ["jinja2"]


def test_of_many_at_once_with_one_key_one_is_done(site: Site) -> None:
    key, query = str(uuid4()), {"name": "race", "filename": "p.txt"}
    with ThreadPoolExecutor(12) as many:
        answers = list(
            many.map(
                lambda _: _send(site, "/api/v1/inventories", b"pkg:pypi/django@3.2.1\n", key, **query),
                range(12),
            )
        )
    assert {a.status_code for a in answers} == {201}
    assert len({a.content for a in answers}) == 1
    assert sum("idempotency-replayed" not in a.headers for a in answers) == 1


def test_first_uploads_of_one_name_at_once_make_one_asset(site: Site) -> None:
    query = {"name": "race-new", "filename": "p.txt"}
    with ThreadPoolExecutor(8) as many:
        answers = list(
            many.map(
                lambda _: _send(site, "/api/v1/inventories", b"pkg:pypi/django@3.2.1\n", **query), range(8)
            )
        )
    assert {a.status_code for a in answers} == {201}
    assert len({a.json()["items"][0]["asset"] for a in answers}) == 1


def test_an_answer_names_what_was_set_aside(site: Site) -> None:
    rows = b"asset,cve,first_detected\nsc,CVE-2026-0001,2026-11-01\nsc,CVE-2026-0002,02/03/2026\n"
    answer: dict[str, Any] = _send(site, "/api/v1/inventories", rows, filename="s.csv").json()
    assert [a["place"] for a in answer["set_aside"]] == ["line 3"]
    asset = answer["items"][0]["asset"]
    answer = _send(site, f"/api/v1/assets/{asset}/inventories", rows, filename="s.csv", witness="mine").json()
    assert [a["place"] for a in answer["set_aside"]] == ["line 3"]


def test_a_row_from_before_there_were_cves_is_told_by_api_and_page_and_the_rest_lands(site: Site) -> None:
    rows = b"asset,cve,first_detected\nsd,CVE-2026-0001,2026-11-01\nsd,CVE-2026-0002,1998-01-02\n"
    answer = _send(site, "/api/v1/inventories", rows, filename="old.csv")
    assert answer.status_code == 201, answer.text
    (aside,) = answer.json()["set_aside"]
    assert (aside["place"], "before there were CVEs" in aside["reason"]) == ("line 3", True)
    (item,) = answer.json()["items"]
    assert item["components"] == 1
    said = site.ask(
        "POST", "/assets/add", site.operator, page=True, follow=True, files={"file": ("old-2.csv", rows)}
    )
    assert "1 row was set aside" in said.text
    only = b"asset,cve,first_detected\nsd,CVE-2026-0002,1998-01-02\n"
    none = _send(site, f"/api/v1/assets/{item['asset']}/inventories", only, filename="none.csv")
    assert none.status_code == 400, none.text
    assert "speaks of no asset: line 2" in none.text


def test_an_order_that_a_list_has_not_is_refused(site: Site) -> None:
    def listed(**query: str) -> httpx.Response:
        return site.ask("GET", "/api/v1/exposures", site.operator, params=query)

    for sort in ("-due", "-name", "due-", "when"):
        assert listed(sort=sort).status_code == 400, sort
    for sort in ("severity", "epss", "kev"):
        assert listed(sort=f"-{sort}").json() == listed(sort=sort).json()


def test_a_list_is_narrowed_by_any_name_of_a_flaw(site: Site) -> None:
    for name in ("CVE-2026-0001", "cve-2026-0001"):
        answer = site.ask("GET", "/api/v1/exposures", site.operator, params={"flaw": name, "limit": "200"})
        assert {e["flaw"] for e in answer.json()["items"]} == {"CVE-2026-0001"}
    counted = site.ask(
        "POST", "/api/v1/exposures/count", site.operator, json={"query": "flaw=cve-2026-0001"}
    ).json()
    assert counted["total"] == len(answer.json()["items"])


def test_a_document_for_an_organisation_says_all_that_the_command_says(site: Site) -> None:
    early = TODAY - timedelta(days=9)
    about = {
        "name": "up-about", "filename": "p.txt", "environment": "production", "owner": "Ops",
        "witness": "mine", "detected": early.isoformat(),
    }  # fmt: skip
    made = _send(site, "/api/v1/inventories", b"pkg:pypi/django@4.1\n", **about)
    assert made.status_code == 201, made.text
    (item,) = made.json()["items"]
    kept = site.ask("GET", f"/api/v1/assets/{item['asset']}", site.operator).json()["details"]
    assert (kept["environment"], kept["owner"]) == ("production", "Ops")
    line = site.ask("GET", f"/api/v1/inventories/{item['inventory']}", site.operator).json()
    assert line["witness"] == "mine"
    (exposure,) = [e for e in site.exposures() if e["asset_name"] == "up-about"]
    assert exposure["detected"] == early.isoformat()
    for wrong in ({"environment": "moon"}, {"detected": "soon"}):
        assert _send(site, "/api/v1/inventories", b"pkg:pypi/django@4.1\n", **wrong).status_code == 400


def test_what_is_said_of_a_document_of_several_is_said_of_each(site: Site) -> None:
    rows = b"host,vendor,product,version\nup-1,Acme,Teapot,1\nup-2,Acme,Teapot,1\n"
    made = _send(site, "/api/v1/inventories", rows, filename="p.csv", owner="Ops", environment="development")
    found = [
        site.ask("GET", f"/api/v1/assets/{i['asset']}", site.operator).json()["details"]
        for i in made.json()["items"]
    ]
    assert [(d["owner"], d["environment"]) for d in found] == [("Ops", "development")] * 2


def test_the_form_of_a_new_inventory_has_the_day_of_detection(site: Site) -> None:
    early = TODAY - timedelta(days=5)
    site.ask(
        "POST", "/assets/add", site.operator, page=True,
        files={"file": ("p.txt", b"pkg:pypi/django@4.1\n")},
        data={"name": "up-form", "exposure": "internal", "detected": early.isoformat(), "witness": "nessus"},
    )  # fmt: skip
    (exposure,) = [e for e in site.exposures() if e["asset_name"] == "up-form"]
    assert exposure["detected"] == early.isoformat()
    assert 'name="detected"' in site.ask("GET", "/assets/add", site.operator, page=True).text


@pytest.mark.parametrize("path", ["/api/v1/inventories", "/api/v1/assets/{asset}/inventories"])
def test_a_word_that_is_not_read_is_not_passed_over(bare: Site, path: str) -> None:
    """A document with `?detect=` would have today as the day on which all in it was found."""
    bare.assets.get("word-1") or bare.machine(bare.operator, "word-1")
    where = path.format(asset=bare.assets["word-1"])
    for query, named, mend in (
        ("filename=sbom.json&detect=2026-01-01", "query.detect", "detected"),
        ("filename=sbom.json&filename=other.json", "query.filename", "once"),
        ("org=water", "query.org", "detected"),
    ):
        answer = bare.ask("POST", f"{where}?{query}", bare.operator, content=document("pkg:pypi/flask@2.1"))
        told = answer.json()
        assert (answer.status_code, told["where"]) == (400, named), told
        assert mend in told["mend"]
    listed = bare.ask("GET", f"/api/v1/assets/{bare.assets['word-1']}/inventories", bare.operator).json()
    assert listed["items"] == []


def test_an_act_without_parameters_says_that_it_has_none(bare: Site) -> None:
    asset = bare.assets.get("word-2") or bare.machine(bare.operator, "word-2")
    for method, path in (("POST", "/assets"), ("PUT", f"/assets/{asset}"), ("POST", "/exposures/decisions")):
        answer = bare.ask(method, f"/api/v1{path}?dry_run=true", bare.operator, json={"name": "word-3"})
        assert (answer.status_code, answer.json()["where"]) == (400, "query.dry_run"), answer.text
        assert "has none" in answer.json()["mend"]


@pytest.mark.parametrize(
    ("path", "where"),
    [
        ("/directives/draft/bod-26-04/manual?asof=2026-11-20", "asof"),
        ("/directives/draft/bod-26-04/manual?as_of=2026-11-20&as_of=2026-11-21", "as_of"),
        ("/directives/cockpit/bod-26-04?x=1", "x"),
        ("/week?x=1", "x"),
        ("/week?organisation=water&organisation=water", "organisation"),
        ("/rules?name=nothere", "name"),
        ("/search?q=a&q=b", "q"),
        ("/events?kinds=asset", "kinds"),
        ("/leases/controls?x=1", "x"),
        ("/exposures?x=1", "x"),
        ("/assets?x=1", "x"),
        ("/ledger/status?x=1", "x"),
    ],
)
def test_no_route_passes_over_what_it_does_not_read(bare: Site, path: str, where: str) -> None:
    answer = bare.ask("GET", f"/api/v1{path}", bare.operator)
    assert (answer.status_code, answer.json()["where"]) == (400, f"query.{where}"), answer.text


@pytest.mark.parametrize("path", ["/week?org=water", "/events?kind=a.b&kind=c.d", "/search?q=flask"])
def test_what_a_route_reads_it_takes(bare: Site, path: str) -> None:
    assert bare.ask("GET", f"/api/v1{path}", bare.operator).status_code == 200
