"""Edge devices past their support, or near its end, wherever an operator looks (BOD 26-02)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from clearway.directives.duties import duties
from clearway.directives.lifecycle import bucket_of
from clearway.directives.outlook import support_words
from fleet_site import TODAY, Site
from site_client import words

PAST, NEAR, FAR = TODAY - timedelta(days=57), TODAY + timedelta(days=97), TODAY + timedelta(days=1000)
RULE = duties("bod-26-02")
LISTED = RULE.deadline_day(next(d for d in RULE.lifecycle if d.id == "decommission-listed"))


@pytest.fixture(scope="module")
def edge(site: Site) -> Site:
    """The site with four devices of water and one of the hospital's."""
    for name, ends in (("fw-past", PAST), ("vpn-near", NEAR), ("switch-far", FAR), ("router-unsaid", None)):
        site.machine(site.operator, name, edge=True, end_of_support=ends)
    site.machine(
        site.operator, "fw-gone", edge=True, end_of_support=PAST, decommissioned=TODAY - timedelta(days=1)
    )
    site.machine(site.operator, "laptop-past", end_of_support=PAST)
    site.machine(site.other, "fw-of-theirs", edge=True, end_of_support=PAST)
    return site


def look(site: Site, path: str, status: int = 200) -> str:
    answer = site.ask("GET", path, site.operator, page=True)
    assert answer.status_code == status, words(answer.text)[:900]
    return answer.text


def names(site: Site, **asked: str | list[str]) -> set[str]:
    answer = site.ask("GET", "/api/v1/assets", site.operator, params=asked)
    assert answer.status_code == 200, answer.text
    return {item["name"] for item in answer.json()["items"]}


def test_this_week_names_what_is_past_its_support_and_by_when_it_goes(edge: Site) -> None:
    page = look(edge, "/this-week")
    text = words(page)
    assert "1 of 4 edge devices is past its support" in text
    assert support_words(PAST, TODAY) in text
    assert support_words(NEAR, TODAY) in text
    assert f'<time datetime="{max(LISTED, PAST)}"' in page
    assert "which is advice for you" in text.partition("edge devices")[2]
    for absent in ("fw-gone", "switch-far", "laptop-past", "fw-of-theirs"):
        assert absent not in text.partition("edge devices")[2].partition("See them")[0]
    told = edge.ask("GET", "/api/v1/week?organisation=water", edge.operator).json()["support"]
    assert (told["ended"], told["near"], told["unknown"], told["total"]) == (1, 1, 1, 4)
    assert [d["name"] for d in told["devices"]] == ["fw-past", "vpn-near", "router-unsaid"]
    link = page.partition('id="support"')[2].partition('href="/assets?')[2].partition('"')[0]
    shown = words(look(edge, "/assets?" + link.replace("&amp;", "&")))
    assert "fw-past" in shown
    assert "switch-far" not in shown


def test_the_directives_list_and_its_page_count_the_devices(edge: Site) -> None:
    text = words(look(edge, "/directives"))
    assert "1 of 4 edge devices past support , 1 near its end, 1 not known" in text
    page = look(edge, "/directives/bod-26-02")
    text = words(page)
    assert "1 of 4 edge devices is past its support" in text
    assert text.index("fw-past") < text.index("vpn-near") < text.index("router-unsaid")
    assert "switch-far" not in text
    assert "fw-of-theirs" not in page
    assert support_words(PAST, TODAY) in text


def test_the_list_of_assets_has_a_filter_and_a_chip_by_support(edge: Site) -> None:
    past = look(edge, "/assets?support=ended&decommissioned=no")
    assert support_words(PAST, TODAY) in words(past)
    assert names(edge, support="ended") == {"fw-past", "fw-gone", "laptop-past"}
    assert names(edge, support="ended", edge="yes", decommissioned="no") == {"fw-past"}
    assert names(edge, support="within_12_months") == {"vpn-near"}
    assert names(edge, support="later") == {"switch-far"}
    assert "router-unsaid" in names(edge, support=["unknown"])
    assert edge.ask("GET", "/api/v1/assets?support=soon", edge.operator).status_code == 400


def test_an_assets_page_says_ended_of_a_past_day_and_what_is_due(edge: Site) -> None:
    page = look(edge, f"/assets/{edge.assets['fw-past']}")
    text = words(page)
    assert support_words(PAST, TODAY) in text
    assert "Past its support" in text
    assert f'<time datetime="{max(LISTED, PAST)}"' in page
    near = words(look(edge, f"/assets/{edge.assets['vpn-near']}"))
    assert support_words(NEAR, TODAY) in near
    assert "support ended" not in near
    assert (
        "BOD 26-02"
        not in words(look(edge, f"/assets/{edge.assets['laptop-past']}")).partition("What is kept")[0]
    )


def test_the_list_filters_by_the_same_days_as_the_report(site: Site) -> None:
    ends = {f"b{n}": TODAY + timedelta(days=n) for n in (-1, 0, 1, 364, 365, 366, 367)}
    for name, end in ends.items():
        site.machine(site.other, name, end_of_support=end)
    for bucket in ("ended", "within_12_months", "later"):
        answer = site.ask("GET", "/api/v1/assets", site.other, params={"support": bucket, "name": "b"})
        found = {item["name"] for item in answer.json()["items"]}
        assert found == {name for name, end in ends.items() if bucket_of(end, TODAY) == bucket}
