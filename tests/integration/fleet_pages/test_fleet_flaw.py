"""One flaw: how many have it, how many could not be judged, and what an advisory about several is of."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from fleet_site import Site
from intake_world import osv, package
from site_client import words

CVE = "CVE-2026-0001"


@pytest.fixture
def unjudged(site: Site) -> Iterator[int]:
    """An asset of which nothing tells whether it has the flaw; another has it."""
    asset = site.assets["db-1"]
    with site.people.owner() as owner:
        owner.execute("update clearway.exposure set verdict = 2 where asset = %s", (asset,))
    yield asset
    with site.people.owner() as owner:
        owner.execute("update clearway.exposure set verdict = 1 where asset = %s", (asset,))


@pytest.mark.usefixtures("unjudged")
def test_who_could_not_be_judged_is_not_counted_among_those_that_have_it(site: Site) -> None:
    shown = words(site.ask("GET", f"/flaws/{CVE}", site.operator, page=True).text)
    assert "1 of your assets has it ; 1 more could not be judged" in shown.replace("it; ", "it ; ")
    told = site.ask("GET", f"/api/v1/flaws/{CVE}", site.operator).json()
    assert (told["assets"], told["assets_unjudged"]) == (1, 1)
    assert len(told["exposures"]) == 2


@pytest.mark.usefixtures("unjudged")
def test_where_none_is_known_to_have_it_the_page_says_so(site: Site) -> None:
    with site.people.owner() as owner:
        owner.execute("update clearway.exposure set verdict = 2 where asset = %s", (site.assets["web-1"],))
    try:
        shown = words(site.ask("GET", f"/flaws/{CVE}", site.operator, page=True).text)
        assert "2 of your assets could not be judged , and none is known to have it" in shown.replace(
            "judged, ", "judged , "
        )
    finally:
        with site.people.owner() as owner:
            owner.execute(
                "update clearway.exposure set verdict = 1 where asset = %s", (site.assets["web-1"],)
            )


def _answered(site: Site, path: str) -> Any:
    """What the API says once the server has looked at the new table, which it does each second."""
    for _ in range(200):
        answer = site.ask("GET", path, site.operator)
        if answer.status_code != 404:
            break
        time.sleep(0.1)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.parametrize("name", ["ALSA-2026:7", "alsa-2026:7"])
def test_an_advisory_about_several_flaws_has_the_assets_of_each(site: Site, name: str) -> None:
    site.ingest(osv("ALSA-2026:7", package("AlmaLinux:9", "django", "1-1"), upstream=[CVE, "CVE-2026-0002"]))
    told = _answered(site, f"/api/v1/flaws/{name}")
    assert told["id"] == "ALSA-2026:7"
    assert told["bundle"] == [CVE, "CVE-2026-0002"]
    assert {e["flaw"] for e in told["exposures"]} == {CVE, "CVE-2026-0002"}
    assert told["assets"] == 2
    assert told["said"]["sources"]
