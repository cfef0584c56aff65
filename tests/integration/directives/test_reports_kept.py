"""Reports from the kept fleet: the same on any later day, kept, shared by an act, and seen by an authority."""

from __future__ import annotations

from datetime import date
from typing import Any

import msgspec
import pytest
from test_issue_kept import DOCUMENT, FIRST, NEXT, address, publish

from clearway.directives import load
from clearway.directives.attestation import Attested
from clearway.directives.issue import sign
from clearway.directives.kept import addresses, issues, reports, who
from clearway.directives.reports.provider import default_provider
from clearway.directives.reports.remediation import RemediationReport, as_json
from clearway.records.errors import ConflictError, ForbiddenError, InputError, NotFoundError, UsageError
from clearway.store.connect import connect, translated
from directive_desk import Desk

D = date(2026, 12, 20)
FLEET = """
insert into clearway.fleet_state (at, base, generation, kev_loaded, ssvc_loaded)
    values ('2026-12-01', 'x', 1, true, true);
insert into clearway.package_version (digest, ecosystem, name, version, purl, component, plain) values
    (sha256('a'), 'PyPI', 'alpha', '1', 'pkg:pypi/alpha@1', '', true),
    (sha256('b'), 'PyPI', 'beta', '2', '', '', true);
insert into clearway.flaw (id, kev, automatable, impact, ssvc_dated) values
    ('CVE-2026-1', null, 'yes', 'total', '2026-11-01'),
    ('CVE-2026-2', '2026-12-10', 'no', 'partial', '2026-11-01');
insert into clearway.clock (directive, policy, retier, tier, rank, basis, forensic)
    values ('bod-26-04', 'cisa_60d', 'original_start', '3D', 3, 'published', false);
"""
OF_ONE = """
with o as (select org, clearway.intern_audience(array[clearway.intern_clause(
        array[clearway.find_group('staff', org)])]) as aud from clearway.organisation where slug = %(slug)s),
a as (insert into clearway.asset
        (org, aud, name, exposure, environment, addresses, names, created, edge, end_of_support)
    select org, aud, %(slug)s || '-gw', 'public', 'production', '{8.8.8.8,10.0.0.1}', '{gw.example.org}',
        '2026-12-01', true, '2026-06-30' from o returning asset, org, aud),
u as (insert into clearway.version_use (pv, aud) select pv, aud from clearway.package_version, o),
s as (insert into clearway.asset_exposure (asset, org, aud, exposure, since, said_by, recorded)
    select asset, org, aud, 'public', '2026-12-01'::date, 'test', '2026-12-01'::timestamptz from a)
insert into clearway.exposure (first_seen, asset, pv, flaw, org, aud, detected, clock, verdict)
    select '2026-12-05', a.asset, f.flaw, f.flaw, a.org, a.aud, '2026-12-05', 1, 1 from a, clearway.flaw f
"""


@pytest.fixture
def fleet(issuing: Desk) -> Desk:
    """Two organisations with one asset each, and two flaws on it, seen on the fifth of December."""
    with translated(), connect(issuing.url) as owner:
        owner.execute(FLEET)  # several statements: without parameters
        for slug in ("water", "hospital"):
            owner.execute(OF_ONE, {"slug": slug})
    return issuing


def made(
    desk: Desk, slug: str = "water", kind: str = "seven_day", as_of: date = D, **more: object
) -> reports.Report:
    desk.known_on_their_days()
    with desk.acting(f"operator@{slug}") as (db, _):
        return reports.make(
            db,
            default_provider(),
            who.organisation(db, slug),
            kind,
            "bod-26-04",
            as_of,
            **more,  # type: ignore[arg-type]
        )


def remediation(desk: Desk, slug: str = "water", as_of: date = D) -> RemediationReport:
    report = made(desk, slug, as_of=as_of)
    assert isinstance(report, RemediationReport)
    return report


def test_the_rows_of_the_fleet_come_with_tags_tiers_and_dates(fleet: Desk) -> None:
    report = remediation(fleet)
    (asset,) = report.assets
    assert (asset.name, asset.exposure, asset.environment) == ("water-gw", "public", "production")
    assert asset.addresses == ("8.8.8.8", "10.0.0.1")
    first, second = report.items
    assert (first.flaw, first.component, first.tier, first.due) == (
        "CVE-2026-1",
        "pkg:pypi/alpha@1",
        "3D",
        date(2026, 12, 8),
    )
    assert (first.state, first.days_left) == ("overdue", -12)
    assert (second.flaw, second.component, second.tier, second.due) == (
        "CVE-2026-2",
        "PyPI:beta@2",
        "14D",
        date(2026, 12, 19),
    )
    assert report.counts["3D"]["overdue"] == 1


def test_a_report_of_a_day_computed_later_equals_the_one_that_was_kept_that_day(fleet: Desk) -> None:
    day = date(2026, 12, 9)
    then = remediation(fleet, as_of=day)
    kept = fleet.do("operator@water", reports.submit, "water", then, today=D)
    # afterwards: fixed, taken off the internet, listed in KEV, and seen with another flaw
    with translated(), connect(fleet.url) as owner:
        owner.execute("""
            update clearway.exposure set gone = '2026-12-15', version = version + 1 where flaw = 1;
            update clearway.exposure set status = 1, version = version + 1 where flaw = 2;
            update clearway.exposure_history set until = '2026-12-14';
            insert into clearway.asset_exposure (asset, org, aud, exposure, since, said_by, recorded)
                select asset, org, aud, 'internal', '2026-12-11', 'test', '2026-12-11' from clearway.asset;
            update clearway.flaw set kev = '2026-12-12' where id = 'CVE-2026-1';
            insert into clearway.flaw_history (flaw, until, kev, automatable, impact, ssvc_dated)
                values (1, '2026-12-12', null, 'yes', 'total', '2026-11-01');
        """)
    again = remediation(fleet, as_of=day)
    assert as_json(again) == fleet.ask("operator@water", reports.body, kept.id)
    later = remediation(fleet, as_of=D)
    assert [(i.flaw, i.state, i.status) for i in later.items] == [
        ("CVE-2026-1", "not_affected", "not_affected"),
        ("CVE-2026-2", "overdue", "mitigated"),
    ]
    assert later.assets[0].exposure == "internal"


def test_a_component_that_is_gone_with_a_new_inventory_is_remediated(fleet: Desk) -> None:
    with translated(), connect(fleet.url) as owner:
        owner.execute("""
            update clearway.exposure set gone = '2026-12-16', version = version + 1;
            update clearway.exposure_history set until = '2026-12-16';
            insert into clearway.inventory (asset, org, aud, slot, witness, format, name, received, sha256, raw,
                    components, added, removed)
                select asset, org, aud, 0, 'w', 'f', 'n', '2026-12-16', sha256('i'), '', 1, '{}', '{1,2}'
                from clearway.asset;
        """)
    states = [(i.flaw, i.state, i.remediated_at) for i in remediation(fleet).items]
    gone = date(2026, 12, 16)
    assert states == [("CVE-2026-1", "remediated_late", gone), ("CVE-2026-2", "remediated", gone)]
    assert remediation(fleet, as_of=date(2026, 12, 30)).items == ()  # more than seven days ago


def test_what_is_marked_for_fewer_than_all_members_is_in_no_report(fleet: Desk) -> None:
    with translated(), connect(fleet.url) as owner:
        owner.execute("""
            with l as (insert into clearway.recipient_list (name) values ('few') returning list)
            update clearway.exposure set aud = clearway.intern_audience(array[clearway.intern_clause(
                array[clearway.find_group('list', (select list from l))])]) where flaw = 1
        """)
    report = remediation(fleet)
    assert [item.flaw for item in report.items] == ["CVE-2026-2"]
    assert any("fewer readers" in note for note in report.notes)


def share(desk: Desk, slug: str, as_of: date = D, to: str = "authority") -> reports.Kept:
    kept: reports.Kept = desk.do(
        f"operator@{slug}", reports.submit, slug, remediation(desk, slug, as_of), share_with=to, today=as_of
    )
    return kept


def test_a_report_of_no_directive_says_which_there_are(fleet: Desk) -> None:
    with pytest.raises(NotFoundError) as stopped:
        fleet.do("operator@water", _of, "nosuch")
    assert stopped.value.mend == "one of: bod-22-01, bod-26-02, bod-26-04"
    with pytest.raises(NotFoundError, match="edge devices"):
        fleet.do("operator@water", _of, "bod-26-02")


def _of(db: Any, me: Any, directive: str) -> object:
    org = who.acting_in(db, me, "water", "read")
    return reports.make(db, default_provider(), org, "seven_day", directive, D)


def test_a_report_is_shared_only_with_an_authority_that_has_addressed_one(fleet: Desk) -> None:
    publish(fleet)
    with pytest.raises(ForbiddenError, match="authority has not addressed bod-26-04 to water"):
        share(fleet, "water")
    with pytest.raises(ForbiddenError, match="authority"):
        share(fleet, "water", to="hospital")
    address(fleet, {"water": "binding"})
    kept = share(fleet, "water")
    assert kept.shared_with == "authority"
    assert share(fleet, "water") == kept
    assert fleet.log("directive.reported") == 1
    for who_asks, seen in (("official@authority", 1), ("operator@water", 1), ("operator@hospital", 0)):
        with fleet.acting(who_asks) as (db, _):
            row = db.execute(
                "select count(*) from clearway.event where kind = 'directive.reported'"
            ).fetchone()
        assert row == (seen,), who_asks


def test_each_reader_sees_the_reports_of_its_marking_and_a_reading_is_logged(fleet: Desk) -> None:
    publish(fleet)
    address(fleet, {"water": "binding", "hospital": "binding"})
    shared = share(fleet, "water")
    own = share(fleet, "hospital", to="")
    for reader, seen in (
        ("official@authority", {shared.id}),
        ("operator@water", {shared.id}),
        ("operator@hospital", {own.id}),
        ("official@other-authority", set()),
        ("administrator@house", set()),
    ):
        assert {r.id for r in fleet.ask(reader, reports.listed)} == seen, reader
    fleet.ask("official@authority", reports.body, shared.id)
    assert fleet.log("content.read") == 1
    for hidden in (own.id, 999):
        with pytest.raises(NotFoundError, match="no such report"):
            fleet.ask("official@authority", reports.body, hidden)


def test_the_authority_sees_compliance_and_never_above_a_marking(fleet: Desk) -> None:
    version = publish(fleet)
    address(fleet, {"water": "binding", "hospital": "binding"})
    fleet.do("operator@water", addresses.acknowledge, "water", version.id)
    share(fleet, "water")
    share(fleet, "hospital", to="")
    # seen on the day after everything was recorded, whenever the test runs
    day = max(date.today(), D)
    view = fleet.do("official@authority", reports.seen_by_authority, "authority", "bod-26-04", day)
    hospital, water = view.organisations
    assert (view.addressed, view.acknowledged, view.not_shared) == (2, 1, 1)
    assert {r.punctuality for r in hospital.reports if r.kind == "seven_day"} == {"not_shared"}
    assert hospital.counts == {}
    assert (water.counts_as_of, water.counts["3D"]["overdue"]) == (D, 1)
    with pytest.raises(ForbiddenError):
        fleet.do("operator@authority", reports.seen_by_authority, "authority", "bod-26-04", day)
    with pytest.raises(NotFoundError):
        fleet.do("official@water", reports.seen_by_authority, "authority", "bod-26-04", day)


def test_compliance_is_seen_after_the_version_was_revoked(fleet: Desk) -> None:
    publish(fleet)
    address(fleet, {"water": "binding"})
    share(fleet, "water")
    fleet.do(
        "official@authority",
        issues.revoke,
        "authority",
        "bod-26-04",
        "1.0.0",
        on=date(2026, 12, 29),
        reason="over",
    )
    day = max(date.today(), date(2027, 1, 5))
    view = fleet.do("official@authority", reports.seen_by_authority, "authority", "bod-26-04", day)
    assert (view.version, view.revoked) == ("1.0.0", date(2026, 12, 29))
    (line,) = (r for r in view.organisations[0].reports if r.kind == "seven_day")
    assert (line.last, line.days_late) == (D, 1)


def test_addresses_are_attested_and_compared_with_the_quarter_before(fleet: Desk) -> None:
    autumn, winter = date(2026, 12, 20), date(2027, 3, 31)
    draft = made(fleet, kind="addresses", as_of=autumn)
    with pytest.raises(UsageError, match="nobody attests"):
        fleet.do("operator@water", reports.submit, "water", draft, today=D)
    said = Attested(by="operator of water", role="operator", on=autumn)
    first = made(fleet, kind="addresses", as_of=autumn, attested=said)
    fleet.do("operator@water", reports.submit, "water", first, today=D)
    with translated(), connect(fleet.url) as owner:
        owner.execute("update clearway.asset set addresses = '{8.8.4.4}'")
    second = made(fleet, kind="addresses", as_of=winter)
    found = msgspec.to_builtins(second)
    assert (found["quarter"], found["previous_quarter"]) == ("2027-Q1", "2026-Q4")
    assert (found["added"], found["removed"]) == (("8.8.4.4",), ("8.8.8.8",))


def test_edge_devices_are_reported_by_bucket(fleet: Desk) -> None:
    with fleet.acting("operator@water") as (db, _):
        org = who.organisation(db, "water")
        report = reports.make(db, default_provider(), org, "lifecycle", "bod-26-02", D)
    found = msgspec.to_builtins(report)
    assert found["counts"] == {"ended": 1, "within_12_months": 0, "unknown": 0, "later": 0}


def test_a_report_of_another_organisation_is_not_ones_own_to_submit(fleet: Desk) -> None:
    report = remediation(fleet, "water")
    with pytest.raises(InputError, match="a report of water"):
        fleet.do("operator@hospital", reports.submit, "hospital", report)
    with pytest.raises(NotFoundError):
        fleet.do("operator@hospital", reports.submit, "water", report)
    with pytest.raises(ForbiddenError):
        fleet.do("auditor@water", reports.submit, "water", report)


def test_the_shipped_table_and_the_one_that_was_issued_are_the_same_bytes(fleet: Desk) -> None:
    version = publish(fleet, issued=FIRST)
    signed = fleet.ask("operator@water", issues.document, version.id)
    assert signed.directive == load("bod-26-04")
    assert sign(DOCUMENT, fleet.private).signature == signed.signature  # Ed25519 is deterministic


def test_a_report_is_under_the_version_that_was_addressed_on_its_day(fleet: Desk) -> None:
    publish(fleet)
    address(fleet, {"water": "binding"})
    publish(fleet, NEXT, date(2026, 12, 18))
    before, after = remediation(fleet, as_of=date(2026, 12, 17)), remediation(fleet, as_of=date(2026, 12, 18))
    assert [(r.directive.version, r.items[1].due) for r in (before, after)] == [
        ("1.0.0", date(2026, 12, 19)),
        ("1.1.0", date(2026, 12, 15)),
    ]
    assert remediation(fleet, "hospital", date(2026, 12, 18)).directive.version == load("bod-26-04").version


def test_two_authorities_that_disagree_are_a_conflict_and_not_a_choice(fleet: Desk) -> None:
    publish(fleet)
    address(fleet, {"water": "binding"})
    fleet.do("administrator@other-authority", issues.add_key, "other-authority", fleet.key)
    signature = sign(NEXT, fleet.private).signature
    fleet.do("official@other-authority", issues.publish, "other-authority", NEXT, signature, issued=FIRST)
    fleet.do(
        "official@other-authority",
        addresses.address,
        "other-authority",
        "bod-26-04",
        {"water": "advisory"},
        since=FIRST,
    )
    with pytest.raises(ConflictError, match="2 versions of bod-26-04"):
        remediation(fleet)


def test_an_import_is_reported_under_by_ones_own_members_alone_and_is_no_issue(fleet: Desk) -> None:
    signed = sign(NEXT, fleet.private)
    fleet.do("administrator@water", issues.take_over, "water", signed, fleet.key, issued=FIRST)
    assert remediation(fleet).directive.version == "1.1.0"
    assert remediation(fleet, "hospital").directive.version == "1.0.0"
    fleet.do("administrator@authority", issues.take_over, "authority", signed, fleet.key, issued=FIRST)
    with pytest.raises(NotFoundError, match="issue it first"):
        address(fleet, {"water": "binding"})
    publish(fleet, NEXT)  # what was imported stands in nobody's way
    address(fleet, {"water": "binding"})
    version = fleet.ask("official@authority", issues.standing_version, "bod-26-04", "authority", D)
    assert not version.imported
