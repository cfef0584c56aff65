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
        assert quick(db, lambda: db.execute("select count(*) from clearway.asset").fetchone()) == (2,)
        assert db.execute("select current_setting('statement_timeout')").fetchone() == before
