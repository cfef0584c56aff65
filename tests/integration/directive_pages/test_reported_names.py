"""What only a scanner's word knows has the name on the cockpit and in workbooks that it has on other pages."""

from __future__ import annotations

import re

import pytest

from clearway.store.connect import connect, translated
from cockpit_world import Cockpit
from site_client import words

# The detections of a scanner beside what is there: one of a package, one that names none.
REPORTED = """
with v as (insert into clearway.package_version (digest, ecosystem, name, version, purl, component, plain)
    values (sha256('c'), 'reported', 'openssl', '1.0.2', '', '', true),
        (sha256('d'), 'reported', 'CVE-2026-2', '', '', '', true) returning pv),
a as (select asset, org, aud from clearway.asset where name = 'water-gw'),
u as (insert into clearway.version_use (pv, aud) select pv, aud from v, a)
insert into clearway.exposure (first_seen, asset, pv, flaw, org, aud, detected, clock, verdict)
    select now() - interval '40 days', a.asset, v.pv, f.flaw, a.org, a.aud, current_date - 40, 2, 1
    from a, v, clearway.flaw f where f.id = 'CVE-2026-2'
"""
CLOCK = """insert into clearway.clock (directive, policy, retier, tier, rank, basis, forensic)
    values ('bod-26-04', 'cisa_60d', 'original_start', '3DF', 4, 'published', true)"""


@pytest.fixture
def reported(cockpit: Cockpit) -> Cockpit:
    with translated(), connect(cockpit.desk.url) as owner:
        owner.execute(CLOCK)
        owner.execute(REPORTED)
    return cockpit


def test_the_cockpit_names_what_a_scanner_reported_and_shows_no_handle(reported: Cockpit) -> None:
    page = reported.page("operator@water", "/directives/bod-26-04")
    due, _, traces = words(page).partition("Look for traces first")
    for part in (due, traces):
        assert re.search(r"CVE-2026-2 in openssl 1\.0\.2 on", part)
        assert "CVE-2026-2 reported by a scanner without a package on" in part
        assert "reported:" not in part


def test_a_workbook_about_it_is_named_alike_on_each_page_and_in_its_report(reported: Cockpit) -> None:
    page = reported.page("operator@water", "/directives/bod-26-04")
    forms = re.findall(
        r'<form method="post" action="/directives/triages\?org=water".*?</form>', page, re.DOTALL
    )
    for form in forms:
        fields = dict(
            re.findall(r'name="(directive|asset|asset_name|flaw|component|kev_added)" value="([^"]+)"', form)
        )
        if not fields["component"].startswith("reported:"):
            continue
        bare = "openssl" not in fields["component"]
        path = reported.post("operator@water", "/directives/triages?org=water", **fields).headers["location"]
        book = words(reported.page("operator@water", path))
        assert ("CVE-2026-2 reported by a scanner without a package on" in book) is bare
        assert ("CVE-2026-2 in openssl 1.0.2 on" in book) is not bare
        text = reported.page("operator@water", f"/api/v1{path}/report?form=text")
        assert text.startswith(
            "Forensic triage: CVE-2026-2 "
            + ("reported by a scanner without a package" if bare else "in openssl 1.0.2")
        )
        assert "reported:" not in book + text
    listed = words(reported.page("operator@water", "/directives/triages"))
    assert "openssl 1.0.2" in listed
    assert "no package named" in listed
    assert "reported:" not in listed
    # The cockpit finds each again by the name that it is kept under, and the list for programs has that.
    assert words(reported.page("operator@water", "/directives/bod-26-04")).count("Open the workbook") == 2
    assert "reported:openssl@1.0.2" in reported.page("operator@water", "/directives/triages.csv")
