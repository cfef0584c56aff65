"""Reading marked content stands on the log: who, what, once a request."""

from __future__ import annotations

import csv
import io
from typing import Any

import msgspec
import pytest
from psycopg.errors import InsufficientPrivilege

from clearway.access import audience
from clearway.access.marking import Marking, own
from clearway.ledger.questions import read_under
from fleet_site import Site


def told(site: Site) -> list[tuple[str, int]]:
    with site.people.owner() as owner:
        rows = owner.execute(
            "select subject, actor from clearway.log_entry where act = 'content.read' order by entry"
        ).fetchall()
    return [(str(subject), int(actor)) for subject, actor in rows]


def content(site: Site, subject: str) -> list[dict[str, Any]]:
    with site.people.owner() as owner:
        rows = owner.execute(
            "select content from clearway.log_entry where act = 'content.read' and subject = %s order by entry",
            (subject,),
        ).fetchall()
    return [msgspec.json.decode(text) for (text,) in rows]


def test_each_way_to_marked_content_is_an_entry(site: Site) -> None:
    asset, number = site.assets["web-1"], site.inventories["web-1"]
    exposure = site.exposures()[0]["id"]
    ways = {
        f"/assets/{asset}": f"asset/{asset}",
        f"/exposure/{exposure}": f"exposure/{exposure}",
        f"/inventories/{number}": f"inventory/{number}",
        "/assets.csv": "list/assets",
        "/exposure.csv?status=open": "list/exposures",
        "/api/v1/assets.csv": "list/assets",
        "/api/v1/exposures.csv": "list/exposures",
    }
    for path, subject in ways.items():
        before = told(site)
        assert site.ask("GET", path, site.operator).status_code == 200, path
        assert told(site)[len(before) :] == [(subject, site.operator.person)], path
    again = {  # by another credential: the same things by the API, and the documents byte for byte
        f"/api/v1/assets/{asset}": f"asset/{asset}",
        f"/api/v1/exposures/{exposure}": f"exposure/{exposure}",
        f"/api/v1/inventories/{number}/document": f"inventory/{number}",
    }
    for path, subject in again.items():
        before = told(site)
        assert site.ask("GET", path, site.auditor).status_code == 200, path
        assert told(site)[len(before) :] == [(subject, site.auditor.person)], path
    before = told(site)
    assert site.ask("GET", f"/assets/{asset}", site.operator).status_code == 200
    assert told(site) == before  # the same again within a minute


def mark(site: Site, name: str, marking: Marking) -> None:
    with site.people.owner() as owner:
        owner.execute(
            "update clearway.asset set aud = %s where asset = %s",
            (audience.of(owner, marking), site.assets[name]),
        )


def test_lists_of_assets_say_how_each_is_marked_and_no_number_of_an_audience(site: Site) -> None:
    mark(site, "web-1", Marking(tlp="AMBER", org=site.water))
    try:
        for path in ("/assets", "/api/v1/assets"):
            answer = site.ask("GET", f"{path}.csv", site.operator)
            rows = list(csv.DictReader(io.StringIO(answer.text)))
            assert {row["name"]: row["tlp"] for row in rows}["web-1"] == "AMBER"
            assert {row["tlp"] for row in rows if row["name"] != "web-1"} == {"RED"}
            items = site.ask("GET", f"{path}.json", site.operator).json()["items"]
            assert {item["tlp"] for item in items} == {"AMBER", "RED"}
            for row in (*rows, *items):
                assert not {"aud", "aud_"} & {*row}
    finally:  # the other tests of this house count one marking
        mark(site, "web-1", own(site.water))


def test_a_page_of_a_list_is_told_once_for_each_question(site: Site) -> None:
    for path, subject in {
        "/api/v1/assets?limit=1": "list/assets",
        "/assets.json?limit=1&environment=production&environment=unknown": "list/assets",
        "/assets?sort=-name": "list/assets",
        "/api/v1/exposures?status=open": "list/exposures",
        "/exposure.json?status=open&sort=name": "list/exposures",
        "/exposure?status=open&verdict=affected": "list/exposures",
        "/api/v1/week": "list/week",
    }.items():
        before = told(site)
        for _ in range(2):
            assert site.ask("GET", path, site.auditor).status_code == 200, path
        after = told(site)[len(before) :]
        assert after[:1] == [(subject, site.auditor.person)], path
        assert len(after) <= 1, path


def test_the_next_page_of_a_list_is_another_reading_and_the_entry_counts_its_rows(site: Site) -> None:
    first = site.ask("GET", "/api/v1/assets?limit=1&kind!=nothing", site.operator)
    before = content(site, "list/assets")
    second = site.ask("GET", first.json()["next"], site.operator)
    assert len(second.json()["items"]) == 1
    (said,) = content(site, "list/assets")[len(before) :]
    assert (said["route"], said["filters"], said["rows"]) == ("/api/v1/assets", ["kind!"], 1)


def test_what_a_filter_was_set_to_is_not_told(site: Site) -> None:
    assert site.ask("GET", "/api/v1/assets?name=web-1", site.operator).status_code == 200
    said = content(site, "list/assets")[-1]
    assert sorted(said) == ["asked", "filters", "route", "rows"]
    assert (said["filters"], said["rows"]) == (["name"], 1)
    with site.people.owner() as owner:
        said = owner.execute(
            "select count(*) from clearway.log_entry where subject = 'list/assets' and content ~ 'web-1'"
        )
        assert said.fetchone() == (0,)


def test_a_file_is_told_each_time(site: Site) -> None:
    before = told(site)
    for _ in range(2):
        assert site.ask("GET", "/api/v1/assets.csv", site.operator).status_code == 200
    assert told(site)[len(before) :] == [("list/assets", site.operator.person)] * 2


def test_what_one_may_not_see_is_no_reading(site: Site) -> None:
    before = told(site)
    for path in (
        f"/api/v1/assets/{site.assets['web-1']}",
        f"/inventories/{site.inventories['web-1']}/document",
    ):
        assert site.ask("GET", path, site.other).status_code == 404
    assert told(site) == before


def test_the_same_filters_have_one_digest_in_any_order_and_place_and_another_readers_is_another(
    site: Site,
) -> None:
    asked = set()
    for path in (
        "/api/v1/assets?environment=production&name=web-1",
        "/assets.json?name=web-1&limit=7&environment=production&sort=-name",
        "/assets?environment=production&name=web-1",
    ):
        assert site.ask("GET", path, site.operator).status_code == 200
        asked.add(content(site, "list/assets")[-1]["asked"])
    assert len(asked) == 1
    assert (
        site.ask("GET", "/api/v1/assets?environment=production&name=web-1", site.auditor).status_code == 200
    )
    assert content(site, "list/assets")[-1]["asked"] not in asked
    assert (
        site.ask("GET", "/api/v1/assets?environment=production&name=web-2", site.operator).status_code == 200
    )
    assert content(site, "list/assets")[-1]["asked"] not in asked


def test_the_owner_finds_who_asked_for_something_and_nobody_else_can_compute_it(site: Site) -> None:
    assert site.ask("GET", "/api/v1/assets?name=web-1&kind!=nothing", site.auditor).status_code == 200
    who = site.auditor.person
    with site.people.owner() as owner:
        found = read_under(owner, who, "assets", "kind!=nothing&name=web-1")
        assert found.asked == content(site, "list/assets")[-1]["asked"]
        assert len(found.entries) == 1
        assert read_under(owner, who, "assets", "name=web-1").entries == ()
        assert read_under(owner, site.operator.person, "assets", "kind!=nothing&name=web-1").entries == ()
    for forbidden in ("select clearway.question_of(1, 'x')", "select ipad from clearway.question_key"):
        with site.people.acting(site.auditor) as db, pytest.raises(InsufficientPrivilege):
            db.execute(forbidden)


def test_figures_say_from_whose_rows_they_were_counted_and_not_how_many(site: Site) -> None:
    for path, subject in {
        "/exposure/facets?status=open": "list/exposures",
        "/this-week/rest": "list/week-rest",
        "/api/v1/week/rest": "list/week-rest",
    }.items():
        before = content(site, subject)
        assert site.ask("GET", path, site.operator).status_code == 200, path
        for said in content(site, subject)[len(before) :]:
            assert said["route"] == path.partition("?")[0]
            assert "rows" not in said
    assert content(site, "list/week-rest")


def test_what_an_act_would_reach_and_the_rules_are_readings(site: Site) -> None:
    one = site.exposures()[0]["id"]
    for path, subject in {
        f"/exposure/decide?act=fixed&id={one}": "list/exposures",
        "/markings/asset/" + str(site.assets["web-1"]): f"asset/{site.assets['web-1']}",
    }.items():
        before = told(site)
        assert site.ask("GET", path, site.operator).status_code == 200, path
        after = told(site)[len(before) :]
        assert after == [(subject, site.operator.person)] or (subject in dict(before) and after == []), path


def test_that_nothing_is_due_is_told_of_marked_machines_too(bare: Site) -> None:
    assert "TLP:" not in bare.ask("GET", "/this-week", bare.operator, page=True).text.partition("<footer")[0]
    bare.machine(bare.operator, "calm-1", "pkg:pypi/attrs@24.1")
    for path, subject in {"/this-week": "list/week", "/directives": "list/cockpit"}.items():
        before = told(bare)
        answer = bare.ask("GET", path, bare.operator, page=True)
        assert "TLP:RED" in answer.text, path
        assert (subject, bare.operator.person) in told(bare)[len(before) :], path


def test_the_query_of_an_address_finds_its_entry_with_what_the_list_adds(site: Site) -> None:
    who = site.operator.person
    for path in ("/this-week", "/directives", "/directives/bod-26-04"):
        assert site.ask("GET", path, site.operator, page=True).status_code == 200, path
    with site.people.owner() as owner:
        for name, question, completed in (
            ("week", "", "organisation=water"),
            ("week", "org=water", "organisation=water"),
            ("cockpit", "", "directive=directives&organisation=water"),
            ("cockpit", "directive=bod-26-04", "directive=bod-26-04&organisation=water"),
        ):
            found = read_under(owner, who, name, question)
            assert found.entries, (name, question)
            assert found.question == completed
        wrong = read_under(owner, who, "week", "org=hospital")
        assert (wrong.entries, wrong.filters) == ((), (("organisation",),))
