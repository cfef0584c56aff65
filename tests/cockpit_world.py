"""An authority and two organisations whose fleets have work to do, and the whole application over them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from clearway.access import credential
from clearway.directives.kept import addresses, issues
from clearway.store.connect import connect, translated
from directive_desk import Desk
from site_client import Site

TODAY = datetime.now(UTC).date()
FLEET = """
insert into clearway.fleet_state (at, base, generation, kev_loaded, ssvc_loaded)
    values (now() - interval '60 days', 'x', 1, true, true);
insert into clearway.package_version (digest, ecosystem, name, version, purl, component, plain) values
    (sha256('a'), 'PyPI', 'alpha', '1', 'pkg:pypi/alpha@1', '', true),
    (sha256('b'), 'PyPI', 'beta', '2', 'pkg:pypi/beta@2', '', true);
insert into clearway.flaw (id, kev, automatable, impact, ssvc_dated) values
    ('CVE-2026-1', null, 'yes', 'total', '2026-06-01'),
    ('CVE-2026-2', current_date - 1, 'yes', 'total', '2026-06-01');
insert into clearway.clock (directive, policy, retier, tier, rank, basis, forensic)
    values ('bod-26-04', 'cisa_60d', 'original_start', '3D', 3, 'published', false);
"""
OF_ONE = """
with o as (select org, clearway.intern_audience(array[clearway.intern_clause(
        array[clearway.find_group('staff', org)])]) as aud from clearway.organisation where slug = %(slug)s),
a as (insert into clearway.asset (org, aud, name, exposure, environment, addresses, created)
    select org, aud, %(slug)s || '-gw', 'public', 'production', '{8.8.8.8}', now() - interval '50 days'
    from o returning asset, org, aud),
u as (insert into clearway.version_use (pv, aud) select pv, aud from clearway.package_version, o),
s as (insert into clearway.asset_exposure (asset, org, aud, exposure, since, said_by, recorded)
    select asset, org, aud, 'public', current_date - 50, 'test', now() - interval '50 days' from a)
insert into clearway.exposure (first_seen, asset, pv, flaw, org, aud, detected, clock, verdict)
    select now() - interval '40 days', a.asset, f.flaw, f.flaw, a.org, a.aud, current_date - 40, 1, 1
    from a, clearway.flaw f
"""


class Cockpit:
    """A desk with fleets and a served application; `cookies` by "role@organisation"."""

    def __init__(self, desk: Desk, here: Site) -> None:
        self.desk = desk
        self.here = here
        self.cookies: dict[str, str] = {}

    def cookie(self, who: str) -> str:
        if who not in self.cookies:
            with self.desk.acting(who) as (_, me):
                person = me.person
            with translated(), connect(self.desk.url) as owner:
                self.cookies[who] = credential.make_session(
                    owner, person, by="code", now=datetime.now(UTC)
                ).secret
        return self.cookies[who]

    def page(self, who: str, path: str, status: int = 200) -> str:
        return self.here.page(self.cookie(who) if who else "", path, status)

    def post(self, who: str, path: str, status: int = 303, **fields: str) -> Any:
        return self.here.post(self.cookie(who), path, status, **fields)

    def issue(self) -> int:
        """Issues BOD 26-04 as it ships for the authority, and addresses it to both organisations, 20 days ago."""
        from importlib.resources import files

        from clearway.directives.issue import sign

        document = (files("clearway.directives") / "data" / "bod-26-04.json").read_bytes()
        signature = sign(document, self.desk.private).signature
        since = TODAY - timedelta(days=20)
        made = self.desk.do(
            "official@authority", issues.publish, "authority", document, signature, issued=since
        )
        self.desk.do(
            "official@authority", addresses.address, "authority", "bod-26-04",
            {"water": "binding", "hospital": "advisory"}, since=since,
        )  # fmt: skip
        return int(made.id)
