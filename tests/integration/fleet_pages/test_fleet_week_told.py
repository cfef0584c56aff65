"""What This week tells before and beside its steps: old data, dates from before the fleet, and what no source names."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearway.advisories.age import aged
from clearway.advisories.feeds.feed import HABITS
from clearway.advisories.table_meta import Meta, SourceNote
from clearway.exposure.fleet import prepare, take
from clearway.formats.inventory import read_inventory
from fleet_site import TODAY, Site
from intake_world import kev, osv, package
from site_client import words

OLD_KEV = "2022-01-05"


@pytest.fixture(scope="module")
def told(site: Site) -> Site:
    """The site with a flaw that has been in KEV since 2022, one that only a pre-release fixes, and their machines."""
    catalogue = kev("2026.11.21", "CVE-2026-0001", added="2026-11-20")
    catalogue["vulnerabilities"] += kev("2026.11.21", "CVE-2022-0009", added=OLD_KEV)["vulnerabilities"]
    catalogue["count"] = 2
    site.ingest(
        osv("PYSEC-2022-9", package("PyPI", "veteran", "2.0"), aliases=["CVE-2022-0009"]),
        osv("PYSEC-2026-8", package("PyPI", "early", "1.10.11rc1"), aliases=["CVE-2026-0008"]),
        catalogue,
    )
    site.follow()
    site.machine(site.operator, "old-1", "pkg:pypi/veteran@1.0")
    site.machine(site.operator, "early-1", "pkg:pypi/early@1.10.10")
    return site


def _page(site: Site, path: str = "/this-week") -> str:
    return words(site.ask("GET", path, site.operator, page=True).text)


def _week(site: Site) -> dict[str, Any]:
    found: dict[str, Any] = site.ask("GET", "/api/v1/week", site.operator).json()
    return found


def test_a_date_from_before_the_machine_was_listed_is_no_count_of_days_over(told: Site) -> None:
    (step,) = [s for s in _week(told)["steps"] if s["name"] == "veteran"]
    assert (step["overdue"], step["before_listed"]) == (True, True)
    assert step["due"] < "2023"
    shown = _page(told)
    head = shown[shown.index("Update veteran on old-1") :][:200]
    assert "before you first listed it here" in head
    assert "days over" not in head
    assert "due before you first listed" in shown[shown.index("overdue") :][:120]
    assert "before it was listed here" in _page(told, "/exposure?asset_name=old-1")


def test_every_page_says_of_a_date_from_before_it_was_listed_that_it_was(told: Site) -> None:
    number, inventory = told.assets["old-1"], told.inventories["old-1"]
    for path in (
        "/flaws/CVE-2022-0009",
        f"/assets/{number}",
        "/assets?name=old-1",
        f"/inventories/{inventory}",
    ):
        shown = _page(told, path)
        assert "before it was listed here" in shown, path
        assert "days over" not in shown, path
    (item,) = told.ask("GET", "/api/v1/assets?name=old-1", told.operator).json()["items"]
    assert item["before_listed"] is True
    assert "listed here: nobody could have kept" in _page(told, "/directives")
    query = f"?organisation=water&as_of={TODAY}&form="
    report = told.ask("GET", f"/api/v1/directives/draft/bod-26-04/overdue{query}text", told.operator)
    assert report.status_code == 200, report.text
    line = report.text[report.text.index("CVE-2022-0009") :][:400]
    assert "before it was listed here" in line
    assert "days overdue" not in line


def test_what_a_scanner_had_found_by_then_was_known_and_is_late(told: Site) -> None:
    with told.people.owner() as owner:
        changed = """update clearway.exposure e set detected = %s from clearway.asset a
            where a.asset = e.asset and a.name = 'old-1'"""
        owner.execute(changed, ("2021-06-01",))
    try:
        (step,) = [s for s in _week(told)["steps"] if s["name"] == "veteran"]
        assert (step["overdue"], step["before_listed"]) == (True, False)
        for path in ("/exposure?asset_name=old-1", f"/assets/{told.assets['old-1']}", "/assets?name=old-1"):
            shown = _page(told, path)
            assert "days over" in shown, path
            assert "before it was listed here" not in shown, path
    finally:
        with told.people.owner() as owner:
            owner.execute(changed, (TODAY,))


def test_a_date_that_passed_while_the_machine_was_listed_counts_its_days(told: Site) -> None:
    with told.people.owner() as owner:
        owner.execute(
            """update clearway.exposure e set first_seen = '2021-06-01' from clearway.asset a
            where a.asset = e.asset and a.name = 'old-1'"""
        )
    (step,) = [s for s in _week(told)["steps"] if s["name"] == "veteran"]
    assert (step["overdue"], step["before_listed"]) == (True, False)
    shown = _page(told)
    assert "days over" in shown[shown.index("Update veteran on old-1") :][:200]
    with told.people.owner() as owner:
        owner.execute(
            """update clearway.exposure e set first_seen = now() from clearway.asset a
            where a.asset = e.asset and a.name = 'old-1'"""
        )


def test_a_fix_that_is_a_pre_release_is_said_to_be_one_everywhere(told: Site) -> None:
    (line,) = told.exposures(query="?asset_name=early-1")
    assert (line["fixed"], line["fixed_prerelease"]) == (["1.10.11rc1"], True)
    assert "It is a pre-release: no source names a release" in _page(told, f"/exposure/{line['id']}")
    assert "(a pre-release)" in _page(told, "/exposure?asset_name=early-1")
    assert "(a pre-release; no source names a release)" in _page(told, "/flaws/CVE-2026-0008")
    (other,) = told.exposures(query="?asset_name=old-1")
    assert (other["fixed"], other["fixed_prerelease"]) == (["2.0"], False)


def test_a_release_goes_before_a_pre_release_that_a_source_names(told: Site) -> None:
    told.ingest(osv("GHSA-early-early-earl", package("PyPI", "early", "1.11"), aliases=["CVE-2026-0008"]))
    told.follow()
    (line,) = told.exposures(query="?asset_name=early-1")
    assert (line["fixed"], line["fixed_prerelease"]) == (["1.11"], False)


def test_data_that_is_older_than_its_limit_comes_first_on_the_page(told: Site) -> None:
    old = _week(told)["old"]
    assert [o["source"] for o in old] == ["pypa"]  # the records' own date; KEV is of this week
    assert old[0]["dated"] == "2026-01-01"
    assert old[0]["days"] > old[0]["limit"] == 21
    shown = _page(told)
    assert shown.index(f"{old[0]['title']} is {old[0]['days']} days old here") < shown.index("Update ")


def test_a_fresh_record_of_another_source_does_not_make_old_data_new(told: Site) -> None:
    before = _week(told)["old"]
    fresh = osv("RUSTSEC-2026-7", package("crates.io", "crate", "1.0"))
    fresh["modified"] = f"{TODAY}T00:00:00Z"
    stale = osv("RUSTSEC-2026-8", package("npm", "left", "1.0"))
    told.ingest(fresh, stale | {"id": "MAL-2026-8"})  # of an ecosystem that nobody holds anything of
    assert [o["source"] for o in _week(told)["old"]] == ["pypa"]
    assert _week(told)["old"] == before
    assert before[0]["feeds"] == ["osv:PyPI"]
    shown = _page(told)
    assert "clearway feeds add osv:PyPI , then clearway feeds pull" in shown.replace(" ,", ",").replace(
        ",", " ,"
    )
    assert f"data up to {before[0]['days']} days old" in shown.lower()


def test_vendor_products_that_no_source_names_are_told_by_name(told: Site) -> None:
    data = b"vendor,product,version\nAcme,Teapot Controller,1.0\n"
    told.machine(told.operator, "print-9")
    with told.people.owner() as owner:
        prepared = prepare.one(owner, told.world.table(), read_inventory(data, "products.csv"), TODAY)
    with told.people.acting(told.operator) as db:
        take.take(db, told.assets["print-9"], prepared, data, day=TODAY, witness="list")
    rest = told.ask("GET", "/api/v1/week/rest", told.operator).json()
    assert [n for n in rest["products"] if "Teapot" in n]
    assert {u["ecosystem"]: u["assets"] for u in rest["uncovered"]}["vendor"] == 1
    shown = _page(told, "/this-week/rest")
    assert "Teapot Controller" in shown
    assert "things that no loaded source covers, or only in part" in shown


LIMITS = {"kev": 45, "epss": 4, "advisories": 21}


def _meta(kev_day: date, epss_day: date, newest: date) -> Meta:
    source = SourceNote(source="PyPI", records=1, newest=newest.isoformat(), received="", covers=("PyPI",))
    return Meta(
        format=2, base="", generation=1, home="", built="", content="", sources=(source,),
        kev=f"{kev_day:%Y.%m.%d}", epss=epss_day.isoformat(),
    )  # fmt: skip


days = st.integers(-3, 400)


@given(days, days, days)
def test_what_is_older_than_its_limit_is_told_and_nothing_else(
    kev_age: int, epss_age: int, newest: int
) -> None:
    ages = {"kev": kev_age, "epss": epss_age, "advisories": newest}
    found = aged(_meta(*(TODAY - timedelta(days=n) for n in ages.values())), TODAY)
    assert {o.what: o.days for o in found} == {what: n for what, n in ages.items() if n > LIMITS[what]}
    assert [o.days for o in found] == sorted((o.days for o in found), reverse=True)


def test_the_limits_are_those_of_feeds_and_what_is_not_loaded_is_not_old() -> None:
    kinds = {"kev": "kev", "epss": "epss", "advisories": "osv"}
    assert {w: HABITS[k].oldest_s // 86_400 for w, k in kinds.items()} == LIMITS  # type: ignore[index]
    bare = Meta(format=2, base="", generation=1, home="", built="", content="", sources=())
    assert aged(bare, TODAY) == aged(None, TODAY) == ()


@pytest.mark.parametrize("name", ["org", "organisation"])
def test_another_organisation_is_refused_and_not_answered_with_ones_own(site: Site, name: str) -> None:
    for path in (
        "/api/v1/week?",
        "/api/v1/week/rest?",
        "/this-week.json?",
        "/api/v1/directives/draft/bod-26-04/overdue?",
        "/api/v1/directives/cockpit/bod-26-04?",
    ):
        if name == "organisation" and path.startswith("/this-week"):
            continue
        assert site.ask("GET", f"{path}{name}=water", site.operator).status_code == 200, path
        for wrong in ("hospital", "nonesuch"):
            assert site.ask("GET", f"{path}{name}={wrong}", site.operator).status_code == 404, path


def test_who_may_not_act_is_not_told_to_press_what_is_not_there(told: Site) -> None:
    shown = words(told.ask("GET", "/this-week", told.auditor, page=True).text)
    assert "have an operator of your organisation say so" in shown
    assert "Can't patch now" not in shown
    assert "Can't patch now" in _page(told)
    line = told.exposures(query="?asset_name=old-1")[0]["id"]
    page = told.ask("GET", f"/exposure/{line}", told.auditor, page=True).text
    assert 'exposure">say so' not in page


def test_names_and_words_stand_apart_in_the_cockpit(told: Site) -> None:
    text = words(told.ask("GET", "/directives/bod-26-04", told.auditor, page=True).text)
    assert "no workbook yet" in text
    page = told.ask("GET", "/directives/bod-26-04", told.auditor, page=True).text
    assert "</a><span" not in page
