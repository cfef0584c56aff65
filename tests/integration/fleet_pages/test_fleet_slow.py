"""When counting takes longer than somebody would wait, the list comes without its numbers, and says so."""

from __future__ import annotations

import time

from clearway.exposure.fleet.page_quick import quick
from fleet_site import Site


def test_what_takes_too_long_is_given_up_and_the_transaction_goes_on(site: Site) -> None:
    with site.people.acting(site.operator) as db:
        before = db.execute("select current_setting('statement_timeout')").fetchone()
        started = time.monotonic()
        assert quick(db, lambda: db.execute("select pg_sleep(20)").fetchone(), 30) is None
        assert time.monotonic() - started < 10
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
