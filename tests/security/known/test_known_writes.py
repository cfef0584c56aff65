"""SQL with somebody's key writes nothing above their marking, in nobody else's name, and no more than its share."""

from __future__ import annotations

import pytest

from clearway import ledger
from clearway.access import audience, organisation, person, recipients
from clearway.access.marking import GREEN, Marking, own
from clearway.records.errors import ClearwayError, ConflictError, ForbiddenError, NotFoundError
from clearway.store import events, search
from clearway.store.principal import PUBLIC
from clearway.store.scalar import scalar
from people import People, Somebody

# Functions that write with their owner's rights and test no badge: each with what it tests instead. Whoever adds one
# tests the badge of what it writes, or says here why there is none.
OTHERWISE = {
    # accounts and organisations: by right in an organisation
    "add_credential": "one's own, or a service's by its administrator",
    "add_organisation": "by the installation's administrators",
    "add_person": "by the organisation's administrators, or the first of one that has none",
    "grant_role": "by the organisation's administrators, or to the first of one that has none",
    "revoke_role": "by administrators",
    "set_active": "by the installation's administrators",
    "set_client": "by the provider's administrators",
    "invite": "by administrators",
    "revoke_credential": "one's own, or by administrators",
    "sign_out": "one's own",
    "touch": "one's own",
    "ask_approval": "by right in the organisation; nothing is changed by asking",
    "decide_approval": "by right in the organisation; what is approved is tested where it is done",
    "add_list": "by coordinators and administrators",
    "set_recipient": "by coordinators and administrators",
    # embargoes are no rows with a marking: their keepers' coordinators run them
    "add_embargo": "by coordinators",
    "add_case_embargo": "by coordinators of a clearinghouse",
    "case_audiences": "by coordinators; of an embargo that they keep",
    "arm_embargo": "by coordinators",
    "name_flaw": "by coordinators",
    "release_embargo": "by coordinators",
    "thaw_embargo": "by coordinators",
    # audiences: what is made is of nothing yet, and bounded for each organisation
    "find_group": "makes no audience",
    "intern_clause": "bounded",
    "intern_audience": "bounded",
    "meet": "bounded; never wider than its parents",
    "my_own_audience": "one's own",
    # jobs: one's own
    "cancel_job": "one's own",
    "claim_step": "by the run's secret",
    "defer_job": "one's own",
    # the log's and the clock's, without a marking
    "event_horizon": "writes nothing",
    "fleet_clock": "rules of which dates came; of nobody",
    "next_edge_act": "by the desk; a number, of no row",
    "hold_flaws": "by the desk; a lock, of no row",
    "may_issue": "a lock, of no row; whether another issues that name",
    "lease_asked": "a count of an organisation's own questions",
    "undo_edge_act": "by the desk; a number and which it undoes, of no row",
    "lease_whose": "a bounded answer about traffic, to an organisation's own",
}
# Those that test it for their callers.
TESTING = ("fleet_asset", "locked_finding", "my_webhook", "locked_lease", "locked_control", "locked_case")


def test_each_function_that_writes_with_its_owners_rights_tests_the_badge(people: People) -> None:
    with people.owner() as db:
        found: dict[str, str] = {}
        for name, source in db.execute(
            """select p.proname, p.prosrc from pg_proc p where p.pronamespace = 'clearway'::regnamespace
            and p.prosecdef and p.provolatile = 'v' and has_function_privilege('clearway_app', p.oid, 'execute')"""
        ):
            found[name] = found.get(name, "") + source
        helpers = dict(
            db.execute(
                "select p.proname, string_agg(p.prosrc, '') from pg_proc p where p.proname = any(%s) group by 1",
                (list(TESTING),),
            ).fetchall()
        )
    assert {name for name, source in helpers.items() if "my_bits()" in source} == set(TESTING)
    untested = {
        n
        for n, source in found.items()
        if not any(t in source for t in ("my_bits()", *(f"{h}(" for h in TESTING)))
    }
    untested.discard("log_append")  # by the person's badge whatever the token's scopes: below
    assert untested - set(OTHERWISE) == set(), "test the badge of the row, or say in OTHERWISE why not"
    assert set(OTHERWISE) - set(found) == set(), "these are no more"


def test_the_next_number_of_an_act_is_the_desks(people: People, a: int) -> None:
    for who in (people.somebody(a, "operator", "coordinator"), None):
        with pytest.raises(ForbiddenError, match="desk"), people.acting(who) as db:
            db.execute("select clearway.next_edge_act()")
    with people.acting(people.somebody(people.house, "coordinator")) as db:
        first, then = (scalar(db, "select clearway.next_edge_act()") for _ in range(2))
    assert then > first


@pytest.fixture
def hidden(people: People, a: int) -> tuple[Somebody, Somebody, int]:
    """Who keeps an asset for a list of theirs, another operator there, and the asset."""
    keeper, other = people.somebody(a, "operator", "coordinator"), people.somebody(a, "operator")
    with people.acting(keeper) as db:
        made = recipients.add(db, a, "few")
        recipients.set_member(db, made.list, person=keeper.person, org=None, member=True)
        aud = audience.of(db, Marking(tlp="RED", recipients=made.list))
        asset = scalar(
            db, "insert into clearway.asset (org, aud, name) values (%s, %s, 'gw') returning asset", (a, aud)
        )
        search.put(db, "asset", str(asset), org=a, aud=aud, title="narwhal", path="/assets/1")
    return keeper, other, asset


def exposed(people: People, asset: int) -> int:
    """An exposure of the asset, as intake would have made it."""
    with people.owner() as db:
        return scalar(
            db,
            """with v as (insert into clearway.package_version (digest, ecosystem, name, version, purl,
                    component, plain)
                    values (sha256(%s::text::bytea), 'PyPI', 'x', %s::text, 'pkg:pypi/x', '', true) returning pv),
                f as (insert into clearway.flaw (id, aud) values ('X-' || %s::text, 0) returning flaw)
            insert into clearway.exposure (first_seen, asset, pv, flaw, via, org, aud, detected, verdict, how,
                clock)
            select now(), a.asset, v.pv, f.flaw, 0, a.org, a.aud, current_date, 1, 0,
                clearway.fleet_clock('d', 'p', '', 't', 1, null, 'b', false) from clearway.asset a, v, f
            where a.asset = %s returning exposure""",
            (asset, asset, asset, asset),
        )


def test_what_one_does_not_see_gets_no_other_date(
    people: People, hidden: tuple[Somebody, Somebody, int]
) -> None:
    keeper, other, asset = hidden
    exposure = exposed(people, asset)
    date = """select clearway.fleet_date(array[%s]::bigint[], array['2030-01-01'::date],
        array[clearway.fleet_clock('d', 'p', '', 't', 1, null, 'b', false)])"""
    with people.acting(other) as db:
        assert scalar(db, date, (exposure,)) == 0
    with people.acting(keeper) as db:
        assert scalar(db, date, (exposure,)) == 1


def test_what_one_does_not_see_gets_no_other_day_of_detection(
    people: People, hidden: tuple[Somebody, Somebody, int]
) -> None:
    keeper, other, asset = hidden
    exposure = exposed(people, asset)
    redate = "select clearway.fleet_redate(%s, current_date - 1) <> current_date - 1"
    with pytest.raises(NotFoundError, match="no such exposure"), people.acting(other) as db:
        scalar(db, redate, (exposure,))
    with people.acting(keeper) as db:
        assert scalar(db, redate, (exposure,))


def test_a_document_of_the_search_is_written_by_who_sees_the_thing_and_never_for_more(
    people: People, a: int, hidden: tuple[Somebody, Somebody, int]
) -> None:
    keeper, other, asset = hidden
    ref = str(asset)
    with people.owner() as owner:
        members = audience.of(owner, own(a))
        before = owner.execute("select aud, title from clearway.search_doc where ref = %s", (ref,)).fetchone()
    for aud in (0, members):
        with pytest.raises(ForbiddenError, match="not yours"), people.acting(other) as db:
            search.put(db, "asset", ref, org=a, aud=aud, title="mine", path="/x")
    with people.acting(other) as db:
        search.drop(db, "asset", ref, org=a)
    with pytest.raises(ForbiddenError, match="not yours"), people.acting(keeper) as db:
        search.put(db, "asset", ref, org=a, aud=0, title="for all", path="/x")
    with people.owner() as owner:
        found = owner.execute("select aud, title from clearway.search_doc where ref = %s", (ref,)).fetchone()
    assert found == before
    with people.acting(keeper) as db:
        search.drop(db, "asset", ref, org=a)
    # Also where there is no document yet.
    with pytest.raises(ForbiddenError, match="not yours"), people.acting(other) as db:
        search.put(db, "asset", ref, org=a, aud=0, title="mine", path="/x")


# The log and the events


def test_an_entry_is_for_an_audience_of_its_author(people: People, a: int, b: int) -> None:
    who = people.somebody(a, "operator")
    with people.owner() as owner:
        theirs, ours = audience.of(owner, own(b)), audience.of(owner, own(a))
    with pytest.raises(ForbiddenError, match="audience"), people.acting(who) as db:
        ledger.append(db, "asset.added", "asset/1", aud=theirs)
    with pytest.raises(ForbiddenError, match="signed in"), people.pool.acting(PUBLIC) as db:
        ledger.append(db, "asset.added", "asset/1", aud=0)
    for beyond in (-1, 65_536, 65_000):
        with pytest.raises(ClearwayError), people.acting(who) as db:
            ledger.append(db, "asset.added", "asset/1", aud=beyond)
    with people.acting(who) as db:
        assert ledger.append(db, "asset.added", "asset/1", aud=ours) > 0


def test_an_event_is_in_the_name_of_ones_own_organisation(people: People, a: int, b: int) -> None:
    who = people.somebody(a, "operator", "coordinator", "administrator")
    for org in (b, people.house, 999_999):
        with pytest.raises(ForbiddenError, match="own organisation"), people.acting(who) as db:
            events.emit(db, "asset.added", "asset/1", org=org, aud=1)
    with people.acting(who) as db:
        assert events.emit(db, "asset.added", "asset/1", org=a, aud=1) > 0


def test_the_installations_administrators_act_on_organisations_that_they_are_not_of(
    people: People, a: int
) -> None:
    with people.acting(people.admin) as db:
        person.add(db, a, "new here", ["administrator"])  # its first one


# Audiences


@pytest.mark.slow
def test_one_organisation_makes_so_many_audiences_and_the_others_go_on(lone_people: People) -> None:
    people = lone_people
    a, b = people.org("a"), people.org("b")
    who, other = people.somebody(a, "operator"), people.somebody(b, "coordinator")
    with people.owner() as owner:
        lists = scalar(
            owner,
            """with made as (insert into clearway.recipient_list (org, name)
                    select %s, n::text from generate_series(1, 12) n returning list)
                select count(clearway.group_of('list', list)) from made""",
            (a,),
        )
        assert lists == 12
    subsets = """with g as materialized (
        select clearway.find_group('list', list) as grp, row_number() over (order by list) - 1 as at
        from clearway.recipient_list)
    select clearway.intern_clause(s.grps) from (
        select array_agg(g.grp) as grps from generate_series(1, 4095) n join g on n >> g.at::int & 1 = 1
        group by n order by n limit %s) s"""
    with pytest.raises(ConflictError, match="two thousand"), people.acting(who) as db:
        db.execute(subsets, (2_001,)).fetchall()
    with people.acting(other) as db:
        made = recipients.add(db, b, "x")
        assert audience.of(db, Marking(tlp="RED", recipients=made.list)) > 1
    with people.acting(who) as db:
        db.execute(subsets, (2_000,)).fetchall()
        # What each organisation has of itself counts for none.
        assert audience.of(db, Marking(tlp="AMBER+STRICT", org=b)) > 1


def test_no_public_or_homeless_key_makes_audiences(people: People, a: int, b: int) -> None:
    with people.owner() as owner:
        auds = [audience.of(owner, own(a)), audience.of(owner, own(b))]
        mine = scalar(owner, "select count(*) from clearway.audience")
    with pytest.raises(ForbiddenError, match="sign in"), people.pool.acting(PUBLIC) as db:
        db.execute("select clearway.meet(%s)", (auds,))
    with people.owner() as owner:
        assert scalar(owner, "select count(*) from clearway.audience") == mine
    with people.acting(people.somebody(a, "operator")) as db:
        assert audience.meet(db, auds) > 1
        assert audience.of(db, GREEN) == 1


def test_what_an_organisation_has_of_itself_is_on_nobodys_account(people: People, a: int) -> None:
    with people.acting(people.admin) as db:
        made = organisation.add(db, f"costless{a}", "Costless", "operator")
        aud = audience.of(db, own(made.org))
    with people.owner() as owner:
        assert owner.execute("select by_org from clearway.audience where aud = %s", (aud,)).fetchone() == (
            None,
        )
