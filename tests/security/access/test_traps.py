"""What goes wrong with row-level rules in PostgreSQL unless it is seen to; one test each."""

from __future__ import annotations

import threading
import time
from typing import Any

import psycopg
import pytest

from clearway.access import approval, audience, embargo, person
from clearway.access.marking import CLEAR, GREEN, Marking, own
from clearway.records.errors import ClearwayError, ConflictError, ForbiddenError, NotFoundError
from clearway.store.principal import PUBLIC, login_url, set_principal
from people import People, Somebody


@pytest.fixture
def a(people: People) -> int:
    with people.owner() as db:
        db.execute(
            """create table clearway.probe (id int generated always as identity primary key, org int not null,
                aud clearway.audience_id not null, note text not null default '')"""
        )
        db.execute("select clearway.govern('clearway.probe', 'operate')")
    return people.org("a")


def rows(people: People, a: int, *markings: Marking) -> list[int]:
    with people.owner() as db:
        return [
            db.execute(
                "insert into clearway.probe (org, aud) values (%s, %s) returning id", (a, audience.of(db, m))
            ).fetchone()[0]  # type: ignore[index]
            for m in markings
        ]


def seen(db: psycopg.Connection[Any]) -> list[int]:
    return [r[0] for r in db.execute("select id from clearway.probe order by id")]


def test_releasing_an_embargo_over_green_leaves_green_and_never_clear(people: People, a: int) -> None:
    """An embargo that absorbed GREEN would take it away when it ends."""
    with people.owner() as db:
        kept = embargo.add(db, people.house, "e")
        aud = audience.of(db, Marking(tlp="GREEN", embargo=kept.embargo))
        assert len(audience.meaning(db, aud).clauses) == 2
        db.execute("insert into clearway.probe (org, aud) values (%s, %s)", (a, aud))
        embargo.release(db, kept.embargo, "t")
    with people.acting(None) as db:
        assert seen(db) == []
    with people.acting(people.somebody(a, "operator")) as db:
        assert len(seen(db)) == 1


def test_the_bits_of_a_badge_are_unpacked_once_a_statement_and_not_once_a_row(people: People, a: int) -> None:
    somebody = people.somebody(a, "operator")
    with people.owner() as db:
        # Stored outside of its row, as large badges are.
        db.execute("insert into clearway.probe (org, aud) select %s, 1 from generate_series(1, 3000)", (a,))
        db.execute("alter table clearway.badge alter column bits set storage external")
        db.execute("update clearway.badge set bits = bits || B''")
        db.execute("analyze clearway.probe")
    with people.acting(somebody) as db:
        db.execute("select count(*) from clearway.probe").fetchone()
        plan = db.execute(
            "explain (analyze, buffers, timing off, format json) select count(*) from clearway.probe"
        ).fetchone()
        assert plan is not None
        touched = plan[0][0]["Plan"]["Shared Hit Blocks"] + plan[0][0]["Plan"]["Shared Read Blocks"]
    assert touched < 300, "each row reads the bits anew"


def test_a_prepared_statement_serves_each_person_their_own_rows(people: People, a: int) -> None:
    """A function called IMMUTABLE would leave the first person's bits in the plan."""
    b = people.org("b")
    one, other = people.somebody(a, "operator"), people.somebody(b, "operator")
    (mine, theirs) = rows(people, a, own(a), own(b))
    with psycopg.connect(login_url(people.url), autocommit=True, prepare_threshold=1) as db:
        for _ in range(8):
            for who, wanted in ((one, mine), (other, theirs)):
                with db.transaction():
                    set_principal(db, who.key)
                    found = db.execute("select id from clearway.probe where id > %s", (0,), prepare=True)
                    assert [r[0] for r in found] == [wanted]


def test_an_audience_beyond_the_bits_is_refused_where_it_is_written(people: People, a: int) -> None:
    """One such row would be an error for every reader of its table."""
    for number in (65_536, -1):
        with pytest.raises(ClearwayError, match="audience_id_check"), people.owner() as db:
            db.execute("insert into clearway.probe (org, aud) values (%s, %s)", (a, number))
    with pytest.raises(ClearwayError, match="badge_bits_check"), people.owner() as db:
        db.execute("insert into clearway.badge (grps, bits) values ('{999}', B'1')")


def test_a_person_may_be_on_thousands_of_lists(people: People, a: int) -> None:
    """A set of so many groups is longer than what an ordinary unique index takes."""
    who = people.somebody(a, "operator")
    with people.owner() as db:
        db.execute(
            """with made as (insert into clearway.recipient_list (org, name)
                select %s, 'l' from generate_series(1, 3000) returning list),
            g as (insert into clearway.grp (kind, ref) select 'list', list from made)
            insert into clearway.list_member (list, person) select list, %s from made""",
            (a, who.person),
        )
        db.execute("select clearway.rebadge(%s)", (who.person,))
        row = db.execute("select max(list) from clearway.recipient_list").fetchone()
        assert row is not None
        aud = audience.of(db, Marking(tlp="RED", recipients=row[0]))
        db.execute("insert into clearway.probe (org, aud) values (%s, %s)", (a, aud))
    with people.acting(who) as db:
        assert len(seen(db)) == 1


def test_two_that_intern_at_once_both_end_and_agree(people: People, a: int) -> None:
    orgs = [people.org(f"n{n}") for n in range(6)]
    found: list[list[int]] = [[], []]
    failed: list[BaseException] = []

    def work(n: int) -> None:
        try:
            for org in orgs if n == 0 else reversed(orgs):
                for _ in range(20):
                    try:
                        with people.owner() as db:
                            found[n].append(audience.of(db, Marking(tlp="AMBER", org=org)))
                        break
                    except ConflictError:
                        continue
        except BaseException as error:  # noqa: BLE001  reported below
            failed.append(error)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(2)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(60)
    assert failed == []
    assert found[0] == found[1][::-1]
    assert len(set(found[0])) == len(orgs)


def test_one_error_for_what_is_not_there_and_what_may_not_be_seen(people: People, a: int) -> None:
    (hidden,) = rows(people, a, own(a))
    stranger = people.somebody(people.org("b"), "operator", "coordinator")
    said = []
    for row in (hidden, 999_999):
        with pytest.raises(NotFoundError) as caught, people.acting(stranger) as db:
            db.execute("select clearway.remark('clearway.probe', %s, 1)", (row,))
        said.append(str(caught.value))
    assert said[0] == said[1]


def test_a_row_may_be_raised_out_of_ones_own_sight(people: People, a: int) -> None:
    (row,) = rows(people, a, own(a))
    somebody = people.somebody(a, "operator", "coordinator")
    with people.acting(somebody) as db:
        made = db.execute("select clearway.add_list(%s, 'three people')", (a,)).fetchone()
        assert made is not None
        narrow = audience.meet(
            db, (audience.of(db, own(a)), audience.of(db, Marking(tlp="RED", recipients=made[0])))
        )
        approval.remark(db, "clearway.probe", row, a, narrow)
        assert seen(db) == []


def test_a_wider_audience_needs_a_second_person_and_serves_once(people: People, a: int) -> None:
    (row, other) = rows(people, a, own(a), own(a))
    asker, second = people.somebody(a, "operator"), people.somebody(a, "coordinator")
    with people.acting(asker) as db:
        mine = audience.of(db, own(a))
        asked = approval.ask_remark(db, "clearway.probe", row, a, mine, 1, "known to all")
    for wanted in (0, 1):
        with pytest.raises(ForbiddenError, match="second person"), people.acting(asker) as db:
            approval.remark(db, "clearway.probe", row, a, wanted, approved=asked.approval)
    with people.acting(second) as db:
        approval.decide(db, asked.approval, "approved")
    for target, wanted in ((row, 0), (other, 1)):  # another audience, another row
        with pytest.raises(ForbiddenError, match="second person"), people.acting(asker) as db:
            approval.remark(db, "clearway.probe", target, a, wanted, approved=asked.approval)
    with people.acting(asker) as db:
        approval.remark(db, "clearway.probe", row, a, 1, approved=asked.approval)
        approval.remark(db, "clearway.probe", row, a, mine)  # narrowing takes one person
    with pytest.raises(ForbiddenError, match="second person"), people.acting(asker) as db:
        approval.remark(db, "clearway.probe", row, a, 1, approved=asked.approval)


def test_the_audience_and_the_owner_of_a_row_are_not_columns_to_update(people: People, a: int) -> None:
    (row,) = rows(people, a, own(a))
    somebody = people.somebody(a, "operator")
    for column in ("aud", "org", "id"):
        with pytest.raises(ClearwayError, match=r"right is missing|refused"), people.acting(somebody) as db:
            db.execute(f"update clearway.probe set {column} = 1 where id = {row}")
    with people.acting(somebody) as db:
        assert db.execute("update clearway.probe set note = 'x' where id = %s", (row,)).rowcount == 1


def test_nobody_writes_into_an_organisation_or_an_audience_that_is_not_theirs(people: People, a: int) -> None:
    b = people.org("b")
    somebody = people.somebody(a, "operator")
    with people.owner() as db:
        theirs = audience.of(db, own(b))
    for org, aud in ((b, 1), (a, theirs)):
        with pytest.raises(ForbiddenError), people.acting(somebody) as db:
            db.execute("insert into clearway.probe (org, aud) values (%s, %s)", (org, aud))
    reader = people.somebody(a, "auditor")
    with pytest.raises(ForbiddenError), people.acting(reader) as db:
        db.execute("insert into clearway.probe (org, aud) values (%s, 1)", (a,))


def test_sql_that_slips_in_can_not_become_somebody_else(people: People, a: int) -> None:
    b = people.org("b")
    somebody, other = people.somebody(a, "operator"), people.somebody(b, "operator")
    rows(people, a, own(b))
    guesses = [str(other.person), "0", "", "0" * 64, PUBLIC]
    with people.owner() as db:
        hashes = db.execute("select encode(key_hash, 'hex') from clearway.credential").fetchall()
    for guess in [*guesses, *(h for (h,) in hashes)]:  # not even the table of credentials says who to be
        try:
            with people.acting(somebody) as db:
                db.execute("select set_config('clearway.principal', %s, true)", (guess,))
                assert seen(db) == []
                assert db.execute("select clearway.me()").fetchone() in ((None,), (-1,))
        except ClearwayError as error:
            assert "principal_key" in str(error) or "hexadecimal" in str(error)  # noqa: PT017  or no rows
    for escape in (
        "reset role",
        "set role none",
        "set session authorization default",
        "set role clearway_login",
    ):
        with pytest.raises(ClearwayError), people.acting(somebody) as db:
            db.execute(f"{escape}; select * from clearway.probe")
    for escape in ("set role clearway", "set role postgres", "set session authorization clearway"):
        with pytest.raises(ClearwayError), people.acting(somebody) as db:
            db.execute(escape)
    for table in (
        "badge",
        "clause",
        "audience",
        "grp",
        "invitation",
        "sign_in_attempt",
        "clock_mark",
        "governed",
    ):
        with pytest.raises(ClearwayError), people.acting(somebody) as db:
            db.execute(f"select * from clearway.{table}")
    for column in ("key_hash", "public_key", "badge"):
        table = {"key_hash": "credential", "public_key": "identity", "badge": "person"}[column]
        with pytest.raises(ClearwayError), people.acting(somebody) as db:
            db.execute(f"select {column} from clearway.{table}")


def test_transactions_read_what_is_committed_at_each_statement(people: People, a: int) -> None:
    """Repeatable read would keep a badge that has been taken away."""
    rows(people, a, own(a))
    somebody = people.somebody(a, "operator")
    with people.acting(somebody) as db:
        assert db.execute("show transaction_isolation").fetchone() == ("read committed",)
        assert len(seen(db)) == 1
        with people.owner() as owner:
            person.revoke(owner, somebody.person, a, "operator")
        assert seen(db) == []


def test_without_a_principal_there_is_an_error_and_never_rows(people: People, a: int) -> None:
    rows(people, a, CLEAR, GREEN)
    with people.owner() as owner:
        owner.execute("analyze clearway.probe")
    with psycopg.connect(login_url(people.url), autocommit=True) as db:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            db.execute("select * from clearway.probe")
        with db.transaction():
            db.execute("set local role clearway_app")
            with pytest.raises(psycopg.errors.UndefinedObject), db.transaction():
                db.execute("select * from clearway.probe")
        with db.transaction():
            set_principal(db, PUBLIC)
            assert len(db.execute("select * from clearway.probe").fetchall()) == 1
        # A connection that has been used says nothing of who used it, and is an error again.
        with db.transaction():
            db.execute("set local role clearway_app")
            with pytest.raises(psycopg.errors.CheckViolation), db.transaction():
                db.execute("select * from clearway.probe")
        with db.transaction():
            set_principal(db, PUBLIC)
            statistics = db.execute("select count(*) from pg_stats where schemaname = 'clearway'").fetchone()
            assert statistics == (0,)  # most common values are rows by another name


@pytest.mark.parametrize("state", ["unknown", "expired", "revoked", "barred"])
def test_a_key_that_is_not_good_any_more_opens_nothing_not_even_what_is_clear(
    people: People, a: int, state: str
) -> None:
    rows(people, a, CLEAR, GREEN, own(a))
    somebody = people.somebody(a, "operator")
    key = somebody.key
    with people.owner() as db:
        if state == "unknown":
            key = "ab" * 32
        elif state == "expired":
            db.execute("update clearway.credential set expires = now() where person = %s", (somebody.person,))
        elif state == "revoked":
            db.execute("update clearway.credential set revoked = now() where person = %s", (somebody.person,))
        else:
            db.execute("update clearway.person set active = false where person = %s", (somebody.person,))
    with people.pool.acting(key) as db:
        assert seen(db) == []
        assert db.execute("select count(*) from clearway.probe").fetchone() == (0,)


def test_a_token_without_the_scope_to_read_reads_what_the_public_reads(people: People, a: int) -> None:
    from datetime import UTC, datetime

    from clearway.access import credential

    (clear, _, _) = rows(people, a, CLEAR, GREEN, own(a))
    somebody = people.somebody(a, "operator")
    with people.acting(somebody) as db:
        made = credential.make_token(
            db, somebody.person, label="w", scopes=["operate"], now=datetime.now(UTC)
        )
    with people.pool.acting(made.key) as db:
        assert seen(db) == [clear]


def test_every_governed_table_has_forced_rules_a_bounded_audience_and_the_one_policy(people: People) -> None:
    with people.owner() as db:
        tables = db.execute(
            """select c.oid::regclass::text, c.relrowsecurity, c.relforcerowsecurity,
                (select t.typname from pg_attribute a join pg_type t on t.oid = a.atttypid
                    where a.attrelid = c.oid and a.attname = 'aud'),
                (select pg_get_expr(p.polqual, p.polrelid) from pg_policy p
                    where p.polrelid = c.oid and p.polname = 'see')
            from pg_class c join pg_namespace n on n.oid = c.relnamespace
            where n.nspname = 'clearway' and c.relkind in ('r', 'p') and exists (
                select from pg_attribute a where a.attrelid = c.oid and a.attname = 'aud' and not a.attisdropped)
                and c.relname <> 'audience'"""
        ).fetchall()
        governed = {r[0] for r in db.execute("select name::regclass::text from clearway.governed")}
    assert tables
    for name, enabled, forced, kind, policy in tables:
        assert (enabled, forced) == (True, True), name
        assert kind == "audience_id", name
        assert "my_bits" in (policy or ""), name
        assert name in governed, name


def test_no_table_lets_the_application_in_without_rules(people: People) -> None:
    """Whatever clearway_app may read or write has row-level rules, but for what is public by its nature."""
    with people.owner() as db:
        found = db.execute(
            """select c.oid::regclass::text from pg_class c join pg_namespace n on n.oid = c.relnamespace
            where n.nspname = 'clearway' and c.relkind in ('r', 'p') and not c.relforcerowsecurity
                and (has_any_column_privilege('clearway_app', c.oid, 'select')
                    or has_table_privilege('clearway_app', c.oid, 'insert')
                    or has_any_column_privilege('clearway_app', c.oid, 'update')
                    or has_table_privilege('clearway_app', c.oid, 'delete'))"""
        ).fetchall()
        views = db.execute(
            """select c.oid::regclass::text from pg_class c join pg_namespace n on n.oid = c.relnamespace
            where n.nspname = 'clearway' and c.relkind = 'v'
                and has_any_column_privilege('clearway_app', c.oid, 'select')
                and coalesce(array_to_string(c.reloptions, ','), '') not like '%security_invoker=true%'"""
        ).fetchall()
        open_functions = db.execute(
            """select p.oid::regprocedure::text from pg_proc p join pg_namespace n on n.oid = p.pronamespace
            where n.nspname = 'clearway' and has_function_privilege('public', p.oid, 'execute')"""
        ).fetchall()
        unpinned = db.execute(
            """select p.oid::regprocedure::text from pg_proc p join pg_namespace n on n.oid = p.pronamespace
            where n.nspname = 'clearway' and p.prosecdef and p.prosqlbody is null
                and coalesce(array_to_string(p.proconfig, ','), '') not like '%search_path=%'"""
        ).fetchall()
    assert found == []
    assert views == []
    assert open_functions == []
    assert unpinned == []


def test_moving_the_clock_opens_no_embargo(people: People, a: int) -> None:
    """Only the act does: the hour that was armed is not part of the rule."""
    from datetime import UTC, datetime, timedelta

    with people.owner() as db:
        kept = embargo.add(db, people.house, "e")
        aud = audience.of(db, Marking(tlp="CLEAR", embargo=kept.embargo))
        db.execute("insert into clearway.probe (org, aud) values (%s, %s)", (a, aud))
        now = datetime.now(UTC)
        embargo.arm(db, kept.embargo, now + timedelta(seconds=1), now=now)
        db.execute("update clearway.embargo set until = now() - interval '1 day'")
        db.execute("update clearway.clock_mark set high = now() + interval '10 days'")
    with people.acting(None) as db:
        assert seen(db) == []


def _grant_and_revoke(
    people: People, who: Somebody, org: int, ended: threading.Event, truth: list[bool], lock: Any
) -> None:
    n = 0
    while not ended.is_set():
        with lock, people.owner() as db:
            if n % 2:
                person.grant(db, who.person, org, "operator")
            else:
                person.revoke(db, who.person, org, "operator")
            truth[0] = bool(n % 2)
        n += 1
        time.sleep(0.002)  # the lock is not fair: let the reader have it


def test_a_reader_never_sees_a_row_after_the_revocation_was_committed(people: People, a: int) -> None:
    rows(people, a, own(a))
    who = people.somebody(a, "operator")
    lock = threading.Lock()
    ended = threading.Event()
    truth = [True]
    writer = threading.Thread(target=_grant_and_revoke, args=(people, who, a, ended, truth, lock))
    writer.start()
    seen_both: set[bool] = set()
    wrong = 0
    try:
        for _ in range(60):
            with people.acting(who) as db, lock:  # held: nothing is committed between the look and the truth
                there = len(seen(db)) == 1
                wrong += there != truth[0]
                seen_both.add(there)
    finally:
        ended.set()
        writer.join(60)
    assert wrong == 0
    assert seen_both == {True, False}
