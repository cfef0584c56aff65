"""A directive with outcomes of its own: its codes are filters as CISA's are, on the page, in the API and as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

import pytest

from fleet_site import Site
from site_client import words


@pytest.fixture
def dated(site: Site) -> Iterator[int]:
    """The number of an exposure that a rule "30D" dates; the others stay as they are."""
    number = int(site.exposures()[0]["id"])
    with site.people.owner() as owner:
        made = owner.execute(
            """insert into clearway.clock (directive, policy, retier, tier, rank, "row", basis, forensic)
            values ('nca-1', 'plain', 'original_start', '30D', 2, 1, 'published', false)
            on conflict do nothing returning clock"""
        ).fetchone()
        assert made is not None
        was = owner.execute(
            """update clearway.exposure e set clock = %s from clearway.exposure o
            where e.exposure = %s and o.exposure = e.exposure returning o.clock""",
            (made[0], number),
        ).fetchone()
        assert was is not None
    yield number
    with site.people.owner() as owner:
        owner.execute("update clearway.exposure set clock = %s where exposure = %s", (was[0], number))
        owner.execute("delete from clearway.exposure_history where clock = %s", made)
        owner.execute("delete from clearway.clock where clock = %s", made)


def test_every_exposure_is_under_one_of_the_values_of_how_soon(site: Site, dated: int) -> None:
    shown = words(site.ask("GET", "/exposure?sort=due", site.operator, page=True).text)
    facet = shown[shown.index("How soon") : shown.index("Attackers use it now")]
    assert "30 days" in facet
    assert facet.index("3 days") < facet.index("30 days")
    numbers = [int(w) for w in facet.replace(" 3 days", "").replace("30 days", "").split() if w.isdigit()]
    assert sum(numbers) == len(site.exposures())


def test_its_code_narrows_the_page_the_api_and_the_csv(site: Site, dated: int) -> None:
    assert [e["id"] for e in site.exposures(query="?tier=30D&status=open")] == [dated]
    assert dated not in [e["id"] for e in site.exposures(query="?tier!=30D")]
    shown = site.ask("GET", "/exposure?tier=30D&status=open&sort=due", site.operator, page=True)
    assert shown.status_code == 200
    assert "1 exposure" in words(shown.text)
    written = site.ask("GET", "/exposure.csv?tier=30D", site.operator, page=True).text
    assert [row["id"] for row in csv.DictReader(io.StringIO(written))] == [str(dated)]
    asking = {"query": "tier=30D"}
    answer = site.ask("POST", "/api/v1/exposures/count", site.operator, json=asking)
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("code", ["6M", "not_listed"])
def test_what_a_shipped_directive_calls_its_outcomes_is_known_where_it_dates_nothing(
    site: Site, code: str
) -> None:
    assert site.exposures(query=f"?tier={code}") == []


def test_a_code_that_no_directive_has_is_refused_with_those_that_there_are(site: Site, dated: int) -> None:
    answer = site.ask("GET", "/api/v1/exposures?tier=31D", site.operator)
    assert answer.status_code == 400
    assert "30D" in answer.text
    assert "out_of_scope" in answer.text
