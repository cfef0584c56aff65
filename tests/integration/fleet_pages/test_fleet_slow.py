"""When counting takes longer than somebody would wait, the list comes without its numbers, and says so."""

from __future__ import annotations

import pytest

import fleet_site
from clearway.exposure.fleet import api_lists, page_asked
from clearway.exposure.fleet.page_quick import quick
from clearway.http.cursor import Sealer
from clearway.records.errors import UpstreamError
from clearway.records.principal import Principal
from fleet_site import Site


def test_what_takes_too_long_is_given_up_and_the_transaction_goes_on(site: Site) -> None:
    with site.people.acting(site.operator) as db:
        before = db.execute("select current_setting('statement_timeout')").fetchone()
        assert quick(db, lambda: db.execute("select pg_sleep(20)").fetchone(), 30) is None
        assert quick(db, lambda: db.execute("select count(*) from clearway.asset").fetchone(), 10_000) == (2,)
        assert db.execute("select current_setting('statement_timeout')").fetchone() == before


def test_the_filters_are_counted_after_the_page_where_that_takes_long(site: Site) -> None:
    answer = site.ask("GET", "/exposure/facets?status=open&kev=yes", site.operator, page=True)
    assert answer.status_code == 200
    assert "2 exposures" in answer.text
    assert 'href="/exposure?' in answer.text  # its links lead to the list
    assert (
        site.ask("GET", "/exposure/facets?status=open", site.other, page=True).text.count("1 exposure") == 1
    )
    assert site.ask("GET", "/exposure/facets", None, page=True).status_code == 401


def test_filters_that_take_too_long_together_are_an_error_that_says_what_to_do(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api_lists, "PATIENCE_MS", 200)
    me = Principal(person=site.operator.person, name="x")
    asked = page_asked.asked((), me, fleet_site.TODAY)
    with site.people.owner() as lock, site.people.acting(site.operator) as db:
        lock.execute("lock table clearway.clock in access exclusive mode")  # as good as ten million rows
        with pytest.raises(UpstreamError, match="too long") as found:
            api_lists.page(db, me, asked, Sealer({1: b"k" * 64}))
        assert "leave one of them out" in found.value.mend
        assert db.execute("select 1").fetchone() == (1,)


@pytest.mark.parametrize("asked", ["", "?org=water", "?words=plain&org=water", "?columns=due,flaw"])
def test_where_nothing_is_asked_of_the_list_it_is_what_is_open(site: Site, asked: str) -> None:
    answer = site.ask("GET", f"/exposure{asked}", site.operator, page=True)
    assert answer.status_code == 303
    to = answer.headers["location"]
    assert to.endswith("status=open&sort=due")
    assert all(part in to for part in asked[1:].split("&"))
    assert site.ask("GET", to, site.operator, page=True).status_code == 200
