"""What is over its term goes; what is held stays; the log loses nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from ops_program import clearway

from clearway import ledger
from clearway.access import clock, embargo
from clearway.access.clockwatch import Reading
from clearway.app import retention
from clearway.exposure.fleet import inventory
from clearway.http import webhook_store
from clearway.records.errors import NotFoundError, UsageError
from clearway.store import events
from clearway.store.connect import connect, translated
from intake_world import World

OLD = "clock_timestamp() - interval '800 days'"
PEOPLE = f"""
insert into clearway.organisation (slug, name, kind)
    values ('clinic', 'Clinic', 'operator'), ('mill', 'Mill', 'operator');
insert into clearway.person (kind, name) values ('person', 'A'), ('person', 'B');
insert into clearway.membership (person, org, role)
    select p.person, o.org, 'operator' from clearway.person p join clearway.organisation o
    on (p.name, o.slug) in (('A', 'clinic'), ('B', 'mill'));
insert into clearway.credential (public_id, key_hash, person, kind, created, expires)
    select k || p.name, sha256((k || p.name)::bytea), p.person, k, {OLD}, {OLD}
    from clearway.person p, unnest(array['session', 'token']) k where p.kind = 'person';
insert into clearway.credential (public_id, key_hash, person, kind, expires)
    select 'fresh' || name, sha256(('f' || name)::bytea), person, 'session', clock_timestamp() + interval '1 hour'
    from clearway.person where kind = 'person';
insert into clearway.sign_in_attempt (secret_hash, kind, body, expires) values ('\\x01', 'oidc', '{{}}', {OLD});
insert into clearway.intake_run (started, ended) values ({OLD}, {OLD}), (clock_timestamp(), null);
insert into clearway.set_aside (sha256, origin, place, reason, received) values (sha256('x'), 'o', 'p', 'r', {OLD});
"""
FLEET = f"""
insert into clearway.inventory (asset, org, aud, slot, witness, format, name, received, sha256, raw, components,
    added, removed, current)
select a.asset, a.org, a.aud, 0, 'w', 'list', n, {OLD}, sha256('d'), 'document', 0, '{{}}', '{{}}', n = 'new'
from clearway.asset a, unnest(array['old', 'new']) n
"""


@contextmanager
def owner(world: World) -> Iterator[psycopg.Connection[Any]]:
    with translated(), connect(world.url, autocommit=True) as db, db.transaction():
        yield db


@pytest.fixture
def aged(world: World) -> World:
    """Two organisations with a person each, and old rows of every kind."""
    with owner(world) as db:
        db.execute(PEOPLE.encode())
    return world


def due(world: World) -> dict[str, tuple[int, int]]:
    with owner(world) as db:
        return {t.kind: (t.due, t.held) for t in retention.terms(db) if not t.fixed and (t.due or t.held)}


def test_the_dry_run_counts_what_the_run_then_deletes_and_nothing_else_goes(aged: World) -> None:
    told = due(aged)
    assert told == {
        "sessions": (2, 0),
        "tokens": (2, 0),
        "sign-ins": (1, 0),
        "intake-runs": (1, 0),
        "set-aside": (1, 0),
    }
    entries = aged.sql("select count(*) from clearway.log_entry")[0][0]
    done = retention.carry_out(lambda: owner(aged))
    assert done == {kind: count for kind, (count, _) in told.items()}
    assert due(aged) == {}
    assert [
        n for (n,) in aged.sql("select public_id from clearway.credential where kind <> 'public' order by 1")
    ] == [
        "freshA",
        "freshB",
    ]
    assert aged.sql("select count(*) from clearway.log_entry")[0][0] == entries + 1, (
        "the run is told, nothing is lost"
    )
    assert retention.carry_out(lambda: owner(aged)) == {}
    assert aged.sql("select count(*) from clearway.log_entry")[0][0] == entries + 1, (
        "a run without effect is no act"
    )


def test_a_hold_on_an_organisation_keeps_what_is_its_members_and_lifting_it_lets_go(aged: World) -> None:
    with owner(aged) as db:
        hold = retention.place_hold(db, "clinic", "", "case 12/2026")
    assert due(aged)["sessions"] == (1, 1)
    retention.carry_out(lambda: owner(aged))
    left = aged.sql("select public_id from clearway.credential where kind in ('session', 'token') order by 1")
    assert [n for (n,) in left] == ["freshA", "freshB", "sessionA", "tokenA"]
    with owner(aged) as db:
        retention.lift_hold(db, hold, "the case is closed")
        assert retention.holds(db) == ()
        assert retention.holds(db, lifted=True)[0].lifted is not None
    assert retention.carry_out(lambda: owner(aged)) == {"sessions": 1, "tokens": 1}
    acts = aged.sql(
        "select act, subject from clearway.log_entry where act like 'retention.hold%%' order by entry"
    )
    assert acts == [("retention.hold_placed", f"hold/{hold}"), ("retention.hold_lifted", f"hold/{hold}")]


def test_whatever_deletes_events_passes_over_those_that_are_held(aged: World) -> None:
    with owner(aged) as db:
        orgs = dict(db.execute("select slug, org from clearway.organisation").fetchall())
        for org in orgs.values():
            for subject in ("exposure/1", "exposure/2"):
                events.emit(db, "asset.added", subject, org=org, aud=0, body={})
        db.execute(f"update clearway.event set at = {OLD}".encode())
        retention.place_hold(db, "clinic", "", "a case")
        retention.place_hold(db, "mill", "exposure/2", "another")
    with owner(aged) as db:
        assert events.prune(db, 30) == 1
    left = aged.sql(
        "select o.slug, e.subject from clearway.event e join clearway.organisation o using (org) order by 1, 2"
    )
    assert left == [("clinic", "exposure/1"), ("clinic", "exposure/2"), ("mill", "exposure/2")]


@pytest.mark.parametrize(
    ("held", "left"),
    [(("clinic", ""), ["clinic", "clinic"]), (("mill", "exposure/1"), ["mill"])],
    ids=["of an organisation", "of a subject"],
)
def test_deliveries_of_webhooks_stay_where_a_hold_is_on_them(
    aged: World, held: tuple[str, str], left: list[str]
) -> None:
    with owner(aged) as db:
        events_of(db)
        retention.place_hold(db, *held, "a case")
    with owner(aged) as db:
        assert webhook_store.prune(db, 30) == 4 - len(left)
        found = db.execute(
            "select o.slug from clearway.webhook_delivery join clearway.organisation o using (org) order by 1"
        ).fetchall()
    assert [slug for (slug,) in found] == left


def events_of(db: psycopg.Connection[Any]) -> None:
    """Two old events of each organisation, and their deliveries to its webhook."""
    orgs = dict(db.execute("select slug, org from clearway.organisation").fetchall())
    for org in orgs.values():
        made = db.execute(
            """insert into clearway.webhook (org, aud, url, person) values (%s, 0,
                'https://hooks.example/', 1) returning webhook""",
            (org,),
        ).fetchone()
        assert made is not None
        for subject in ("exposure/1", "exposure/2"):
            seq = events.emit(db, "asset.added", subject, org=org, aud=0, body={})
            db.execute(
                f"""insert into clearway.webhook_delivery (webhook, org, aud, event, state, done)
                values (%s, %s, 0, %s, 'delivered', {OLD})""".encode(),
                (made[0], org, seq),
            )


def test_a_clock_that_is_months_ahead_and_that_nobody_vouches_for_deletes_nothing(aged: World) -> None:
    now = datetime.now(UTC)
    with owner(aged) as db:
        # Read 900 days ago, the clock says today after a restart: nothing old is surely old.
        db.execute("update clearway.clock_mark set high = now() - interval '900 days', boot = 'a', up_s = 9")
        events_of(db)
        db.execute(f"update clearway.event set at = {OLD}".encode())
        embargo.carry_out(db, Reading(wall=now, boot="b", up_s=60))
    with owner(aged) as db:
        embargo.carry_out(db, Reading(wall=now + timedelta(seconds=5), boot="b", up_s=65))
    assert due(aged) == {}
    assert retention.carry_out(lambda: owner(aged)) == {}
    with owner(aged) as db:
        assert events.prune(db, 30) == webhook_store.prune(db, 30) == 0
    with owner(aged) as db:  # a person has looked
        made = clock.accept(db, "the machine was in a store", Reading(wall=now, boot="b", up_s=60))
        assert clock.standing(db, Reading(wall=now, boot="b", up_s=60)).unsure_s == 0
        assert made.ended == 0
    assert due(aged)["sessions"] == (2, 0)


def test_a_clock_put_forward_while_the_machine_runs_deletes_nothing_early(aged: World) -> None:
    with owner(aged) as db:
        db.execute(
            """update clearway.clock_mark set high = clock_timestamp() - interval '900 days', boot = 'a', up_s = 9,
                anchor = clock_timestamp() - interval '900 days', anchor_up_s = 9"""
        )
        embargo.carry_out(db, Reading(wall=datetime.now(UTC), boot="a", up_s=14))
        assert "forward" in clock.standing(db, Reading(wall=datetime.now(UTC), boot="a", up_s=14)).doubt
    assert due(aged) == {}


def test_of_old_inventories_the_document_goes_and_what_it_changed_stays(aged: World) -> None:
    with owner(aged) as db:
        db.execute(
            "insert into clearway.asset (org, aud, name) select org, 0, slug from clearway.organisation"
        )
        db.execute(FLEET.encode())
        asset = db.execute("select asset from clearway.asset where name = 'mill'").fetchone()
        assert asset is not None
        retention.place_hold(db, "mill", f"asset/{asset[0]}", "a case")
    assert due(aged)["inventories"] == (1, 1)
    retention.carry_out(lambda: owner(aged))
    rows = aged.sql(
        "select a.name, i.name, i.raw from clearway.inventory i join clearway.asset a using (asset) order by 1, 2"
    )
    assert rows == [
        ("clinic", "new", b"document"),
        ("clinic", "old", b""),
        ("mill", "new", b"document"),
        ("mill", "old", b"document"),
    ]
    with owner(aged) as db:
        gone = db.execute("select inventory from clearway.inventory where raw = ''").fetchone()
        assert gone is not None
        with pytest.raises(NotFoundError, match="not kept any more"):
            inventory.raw(db, gone[0])


def test_a_term_can_be_changed_or_be_for_ever_and_that_is_on_the_log(aged: World) -> None:
    with owner(aged) as db:
        retention.set_term(db, "tokens", None)
        retention.set_term(db, "sessions", 900)
        for kind, days in (("tokens", 0), ("log", 5), ("events", 5)):
            with pytest.raises(UsageError):
                retention.set_term(db, kind, days)
    assert due(aged).keys() == {"sign-ins", "intake-runs", "set-aside"}
    assert aged.sql(
        "select subject, content from clearway.log_entry where act = 'retention.term_set' order by entry"
    ) == [
        ("retention/tokens", '{"days":null}'),
        ("retention/sessions", '{"days":900}'),
    ]


def test_a_hold_on_what_is_not_there_is_refused_since_it_would_hold_nothing(aged: World) -> None:
    with owner(aged) as db:
        made = db.execute(
            "insert into clearway.asset (org, aud, name) select org, 0, 'a' from clearway.organisation "
            "where slug = 'mill' returning asset"
        ).fetchone()
        person = db.execute("select person from clearway.person where name = 'A'").fetchone()
        assert made is not None
        assert person is not None
        mill = db.execute("select org from clearway.organisation where slug = 'mill'").fetchone()
        assert mill is not None
        events.emit(db, "asset.added", "finding/told", org=mill[0], aud=0, body={})
        ledger.append(db, "asset.added", "case/logged", aud=0)
        for org, subject in (
            ("clinic", f"asset/{made[0]}"),  # another's
            ("mill", "asset/99"),
            ("mill", "asset/seventeen"),
            ("mill", "inventory/1"),
            ("mill", f"person/{person[0]}"),
            ("mill", "finding/nonsense"),
            ("mill", "flaw/CVE-1"),
            ("clinic", "finding/told"),  # another's event
        ):
            with pytest.raises(NotFoundError, match="has no such"):
                retention.place_hold(db, org, subject, "a case")
        for subject in ("nonsense", "Asset/1", "asset/", "asset/1 or 2", "asset/1\x1b[2J", "x" * 400):
            with pytest.raises(UsageError, match="no subject"):
                retention.place_hold(db, "mill", subject, "a case")
        retention.place_hold(db, "mill", f"asset/{made[0]}", "a case")
        retention.place_hold(db, "clinic", f"person/{person[0]}", "a case")
        retention.place_hold(db, "mill", "finding/told", "a case")
        retention.place_hold(db, "mill", "case/logged", "a case")
        assert len(retention.holds(db)) == 4


@pytest.mark.slow
def test_the_command_counts_holds_and_deletes(aged: World) -> None:
    with owner(aged) as db:
        ledger.append(db, "asset.added", "asset/1", aud=0)
    counted = clearway(aged.home, aged.url, "retention", "--dry-run")
    assert "2 over it, 0 held" in counted.stdout
    held = clearway(aged.home, aged.url, "retention", "hold", "mill", "--reason", "a case")
    assert held.returncode == 0, held.stderr
    assert "everything: a case" in clearway(aged.home, aged.url, "retention", "holds").stdout
    done = clearway(aged.home, aged.url, "retention")
    assert "1 deleted, 1 held" in done.stdout
    assert clearway(aged.home, aged.url, "retention", "lift", "99", "--reason", "x").returncode == 6
    assert clearway(aged.home, aged.url, "retention", "set", "log", "5").returncode == 2


def test_the_application_can_reach_neither_terms_nor_holds(world: World) -> None:
    rights = world.sql(
        "select bool_or(has_any_column_privilege('clearway_app', t, 'select,insert,update')) "
        "from unnest(array['clearway.hold', 'clearway.retention']) t"
    )
    assert rights == [(False,)]
