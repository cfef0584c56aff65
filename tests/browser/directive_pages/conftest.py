"""A served workspace with an authority that has addressed BOD 26-04, and two organisations with overdue items."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from importlib.resources import files

import pytest
from hostile import CORPUS

from clearway.directives.issue import sign
from clearway.directives.kept import addresses, issues, names
from clearway.store.connect import connect, translated
from cockpit_world import FLEET, OF_ONE, TODAY, Cockpit
from database import server  # noqa: F401
from directive_desk import Desk, furnish
from fleet_site import application
from intake_world import drop_database, new_database
from live_server import within

_HOSTILE = """with a as (select asset, org, aud from clearway.asset where name = 'water-gw'),
n as (insert into clearway.asset (org, aud, name, owner, exposure, edge, end_of_support, created)
    select org, aud, left(p, 280), '', 'public', true, current_date - 5, now() - interval '9 days'
    from a, unnest(%s::text[]) p
    returning asset, org, aud),
s as (insert into clearway.asset_exposure (asset, org, aud, exposure, since, said_by, recorded)
    select asset, org, aud, 'public', current_date - 9, 'test', now() - interval '9 days' from n)
insert into clearway.exposure (first_seen, asset, pv, flaw, org, aud, detected, clock, verdict)
    select now() - interval '9 days', n.asset, 2, 2, n.org, n.aud, current_date - 9, 1, 1 from n"""


def to_come(cockpit: Cockpit) -> None:
    """A directive of the authority's own of which the first version begins in nine days, binding for both."""
    with translated(), connect(cockpit.desk.url) as owner:
        names.tie(owner, "nca-1", "authority")
    begins = TODAY + timedelta(days=9)
    own = {"id": "nca-1", "short": "NCA 1", "published": str(TODAY)}
    phases = [{"phase": "", "from": str(begins), "what": "all of it"}]
    ships = json.loads((files("clearway.directives") / "data" / "bod-26-04.json").read_bytes())
    document = json.dumps({**ships, **own, "effective": phases}).encode()
    signature = sign(document, cockpit.desk.private).signature
    official, to = "official@authority", {"water": "binding", "hospital": "binding"}
    cockpit.desk.do(official, issues.publish, "authority", document, signature, issued=TODAY)
    cockpit.desk.do(official, addresses.address, "authority", "nca-1", to, since=begins)


@pytest.fixture(scope="module")
def live(server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Cockpit, str]]:  # noqa: F811
    """The cockpit and the URL of the server over it."""
    folder = tmp_path_factory.mktemp("directives")
    (folder / "home").mkdir()
    url = new_database(server, "made")
    desk = Desk(url, furnish(url))
    with translated(), connect(url) as owner:
        owner.execute(FLEET)
        for slug in ("water", "hospital"):
            owner.execute(OF_ONE, {"slug": slug})
        owner.execute(
            "update clearway.asset set edge = true, end_of_support = current_date - 5 where name = 'hospital-gw'"
        )
        owner.execute(_HOSTILE, ([p for name, p in CORPUS.items() if "nul" not in name],))
    desk.do("administrator@authority", issues.add_key, "authority", desk.key, "first")
    cockpit = Cockpit(desk, None)  # type: ignore[arg-type]  # asked in a browser
    cockpit.issue()
    to_come(cockpit)
    with within(application(url, str(folder / "home"))) as address:
        yield cockpit, address
    desk.pool.close()
    drop_database(server, url)
