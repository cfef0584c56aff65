"""Entries in the transaction of their act, on a real database."""

from __future__ import annotations

import json
from typing import Any

import psycopg
import pytest
from psycopg import errors

from clearway.ledger import append, append_read, entries
from clearway.ledger.append import MAX_SUBJECTS, erase
from clearway.ledger.entries import Filter
from clearway.ledger.keys import Signer
from clearway.ledger.leaf import content_hash, header_hash
from clearway.ledger.sequencer import integrate_all
from clearway.records.errors import (
    ConflictError,
    ForbiddenError,
    InputError,
    NotFoundError,
    TooLargeError,
    UsageError,
)
from clearway.store.connect import translated
from people import People

Db = psycopg.Connection[Any]


def rows(db: Db, columns: str, entry: int) -> tuple[Any, ...]:
    found = db.execute(
        f"select {columns} from clearway.log_entry where entry = %s".encode(), (entry,)
    ).fetchone()
    assert found is not None
    return found


def test_the_owner_at_work_is_the_system_and_the_time_is_the_database_s(shared: Db) -> None:
    db = shared
    before = db.execute("select clock_timestamp()").fetchone()
    entry = append(db, "asset.added", "asset/17", {"name": "gw-1"}, aud=0)
    found = entries.one(db, entry)
    assert (found.act, found.subject, found.actor, found.credential) == ("asset.added", "asset/17", 0, 0)
    assert (found.state, found.leaf, bytes(found.content or b"")) == (
        "acknowledged",
        None,
        b'{"name":"gw-1"}',
    )
    assert found.at is not None
    assert before is not None
    assert before[0] <= found.at


def test_a_person_acts_under_its_own_name_and_by_its_credential(shared_people: People, shared: Db) -> None:
    people, db = shared_people, shared
    ann = people.somebody(people.org("acme"), "operator")
    with people.acting(ann) as acting:
        entry = append(acting, "asset.added", "asset/1", aud=0)
    found = entries.one(db, entry)
    assert found.actor == ann.person
    assert (found.credential or 0) > 0
    with pytest.raises(ForbiddenError, match="signed in"), people.acting(None) as public:
        append(public, "sign_in.failed", "person/x", aud=0)


@pytest.mark.parametrize(
    "statement",
    [
        "insert into clearway.log_entry (aud, header_hash, content_hash) values (0, '', '')",
        "update clearway.log_entry set actor = 7",
        "delete from clearway.log_entry",
        "truncate clearway.log_entry",
        "delete from clearway.log_leaf",
        "update clearway.log_tile set body = ''",
        "delete from clearway.log_checkpoint",
        "insert into clearway.log_gap values (1, '1')",
    ],
)
def test_the_application_can_not_write_the_log_otherwise(shared_people: People, statement: str) -> None:
    with (
        shared_people.acting(shared_people.admin) as acting,
        pytest.raises(errors.InsufficientPrivilege),
        acting.transaction(),
    ):
        acting.execute(statement.encode())


def test_nor_can_the_owner_change_what_is_written(shared: Db) -> None:
    db = shared
    append(db, "asset.added", "asset/1", aud=0)
    for statement in (
        "update clearway.log_entry set actor = 7",
        "update clearway.log_entry set content = '{}'",
        "update clearway.log_entry set content = null, content_salt = null",  # nobody says why
        "update clearway.log_entry set act = null, header_erased = 1",  # half of a header
        "update clearway.log_entry set header_hash = content_hash",
        "delete from clearway.log_entry",
        "truncate clearway.log_entry",
    ):
        with pytest.raises(errors.DatabaseError, match="append-only"):
            db.execute(statement.encode())


class WrongError(Exception):
    """What goes wrong in an act."""


def test_an_act_that_is_rolled_back_leaves_no_entry(shared: Db) -> None:
    made = []

    def act() -> None:
        with shared.transaction():
            made.append(append(shared, "asset.added", "asset/1", aud=0))
            raise WrongError

    with pytest.raises(WrongError):
        act()
    with pytest.raises(NotFoundError):
        entries.one(shared, made[0])


@pytest.mark.parametrize(
    ("act", "subject", "content", "aud"),
    [("added", "asset/1", "", 0), ("Asset.added", "asset/1", "", 0), ("asset.added", "", "", 0),
     ("asset.added", "a\nb", "", 0), ("asset.added", "x" * 401, "", 0), ("asset.added", "asset/1", "x" * 65_537, 0),
     ("asset.added", "asset/1", "", 60_000), (None, "asset/1", "", 0)],
)  # fmt: skip
def test_an_act_whose_entry_can_not_be_written_does_not_happen(
    shared: Db, act: str, subject: str, content: str, aud: int
) -> None:
    shared.execute("create table if not exists public.act (n int)")
    before = shared.execute("select count(*) from clearway.log_entry").fetchone()

    def happen() -> None:
        with translated(), shared.transaction():
            shared.execute("insert into public.act values (1)")
            shared.execute("select clearway.log_append(%s, %s, %s, %s)", (act, subject, content, aud))

    with pytest.raises(InputError):
        happen()
    assert shared.execute("select count(*) from public.act").fetchone() == (0,)
    assert shared.execute("select count(*) from clearway.log_entry").fetchone() == before


def test_when_the_log_s_table_fails_the_act_fails_with_it(db: Db) -> None:
    db.execute("create table if not exists public.act (n int)")
    db.execute("alter table clearway.log_entry add constraint full_disk check (false) not valid")

    def happen() -> None:
        with db.transaction():
            db.execute("insert into public.act values (1)")
            append(db, "asset.added", "asset/1", aud=0)

    with pytest.raises(psycopg.Error):
        happen()
    assert db.execute("select count(*) from public.act").fetchone() == (0,)


def test_what_can_not_be_json_never_reaches_the_database(shared: Db) -> None:
    db = shared
    before = db.execute("select count(*) from clearway.log_entry").fetchone()
    with pytest.raises(UsageError):
        append(db, "asset.added", "asset/1", {"x": object()}, aud=0)
    with pytest.raises(UsageError):
        append(db, "asset.added", "asset\0", aud=0)
    assert db.execute("select count(*) from clearway.log_entry").fetchone() == before


def test_reading_marked_content_is_one_entry_for_each_subject(shared: Db) -> None:
    db = shared
    made = append_read(db, ["report/1", "report/2", "report/1"], 0)
    assert [(e.act, e.subject) for e in reversed(entries.listed(db, Filter(), limit=2))] == [
        ("content.read", "report/1"),
        ("content.read", "report/2"),
    ]
    assert made == sorted(made)
    assert append_read(db, [], 0) == []
    with pytest.raises(TooLargeError):
        append_read(db, (f"report/{n}" for n in range(MAX_SUBJECTS + 1)), 0)


@pytest.mark.parametrize(
    "subject", ["asset/1", 'a "quoted" \\ one', "Ünïcødé 💥 \u2028", "</script>", "\u007f"[:0] + "é" * 400]
)
def test_the_database_s_header_is_the_canonical_json_of_its_columns(shared: Db, subject: str) -> None:
    """The same text as RFC 8785 would write, so that the commitment can be checked anywhere."""
    db = shared
    from clearway.ledger.canonical import canonical

    entry = append(db, "asset.added", subject, {"é": "💥", "n": 1.5}, aud=0)
    act, actor, at, credential, text, salt, hashed, content, content_salt, content_hashed = rows(
        db,
        "act, actor, at, credential, clearway.log_header(act, actor, at, credential, subject), header_salt, "
        "header_hash, content, content_salt, content_hash",
        entry,
    )
    said = {
        "act": act, "actor": actor, "at": at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"), "credential": credential,
        "subject": subject,
    }  # fmt: skip
    assert text == canonical(said)
    assert json.loads(text) == said
    assert hashed == header_hash(salt, text)
    assert content_hashed == content_hash(content_salt, content)
    assert len(salt) == len(content_salt) == 32
    assert salt != content_salt


def test_two_equal_entries_have_different_hashes(shared: Db) -> None:
    db = shared
    first, second = (append(db, "asset.added", "asset/1", {"n": 1}, aud=0) for _ in range(2))
    assert rows(db, "content_hash", first) != rows(db, "content_hash", second)
    salted = [db.execute("select clearway.log_append('a.b', 's', '', 0)").fetchone() for _ in range(2)]
    made = [rows(db, "header_salt, content_salt", row[0]) for row in salted if row]
    assert len({salt for pair in made for salt in pair}) == 4, "salts that the database makes differ too"


def test_each_reader_lists_what_it_may_see(shared_people: People) -> None:
    people = shared_people
    from clearway.access import audience
    from clearway.access.marking import own

    acme, other = people.org("seen"), people.org("other")
    ann, bob = people.somebody(acme, "operator"), people.somebody(other, "auditor")
    with people.owner() as owner:
        private = append(owner, "asset.added", "asset/private", aud=audience.of(owner, own(acme)))
        public = append(owner, "directive.issued", "directive/1", aud=0)
    for who, sees in ((ann, {private, public}), (bob, {public}), (None, {public})):
        with people.acting(who) as acting:
            found = {e.entry for e in entries.listed(acting, Filter(), limit=500)} & {private, public}
            assert found == sees
            if private not in sees:
                with pytest.raises(NotFoundError):
                    entries.one(acting, private)
                assert "asset/private" not in {
                    e.subject for e in entries.listed(acting, Filter(subject="asset/private"))
                }


def test_pages_go_back_in_time_and_filters_narrow_them(db: Db) -> None:
    for n in range(30):
        append(db, "asset.added" if n % 3 else "asset.removed", f"asset/{n % 4}", {"n": n}, aud=0)
    seen: list[int] = []
    before = None
    while page := entries.listed(db, Filter(), before=before, limit=7):
        seen += [e.entry for e in page]
        before = page[-1].entry
    assert seen == sorted(seen, reverse=True)
    assert len(seen) == 30
    assert {e.subject for e in entries.listed(db, Filter(subject="asset/2"))} == {"asset/2"}
    assert len(entries.listed(db, Filter(act="asset.removed"))) == 10
    assert len(entries.listed(db, Filter(act="asset.removed", subject="asset/0"))) == 3
    assert len(entries.listed(db, Filter(actor=0))) == 30
    assert entries.listed(db, Filter(actor=5)) == []
    middle = entries.one(db, seen[10]).at
    assert len(entries.listed(db, Filter(since=middle))) == 11
    assert len(entries.listed(db, Filter(until=middle))) == 19
    assert entries.acts(db) == ["asset.added", "asset.removed"]
    with pytest.raises(UsageError):
        entries.listed(db, Filter(), limit=501)
    with pytest.raises(NotFoundError):
        entries.one(db, 1 << 70)


@pytest.mark.parametrize("parts", [["header"], ["content"], ["header", "content"]])
def test_what_is_erased_is_gone_its_hash_stays_and_an_entry_says_so(
    db: Db, signer: Signer, parts: list[Any]
) -> None:
    from clearway.ledger.stored import Stored
    from clearway.ledger.verify import verify

    kept = append(db, "asset.added", "asset/1", {"owner": "somebody"}, aud=1)
    append(db, "asset.added", "asset/2", aud=0)
    integrate_all(db, signer)
    with db.transaction():
        told = erase(db, kept, parts, "the person asked for it")
    integrate_all(db, signer)
    found = entries.one(db, kept)
    assert (found.act is None, found.content is None) == ("header" in parts, "content" in parts)
    assert "somebody" not in str(db.execute("select * from clearway.log_entry").fetchall()) or parts == [
        "header"
    ]
    said = entries.one(db, told)
    assert (said.act, said.subject, said.aud) == ("ledger.erased", f"entry/{kept}", 1)
    assert json.loads(bytes(said.content or b""))["reason"] == "the person asked for it"
    report = verify(Stored(db, whole=True))
    assert report.ok, report.reasons
    assert report.closed == len(parts)
    with pytest.raises(NotFoundError):
        erase(db, kept, parts, "again")


@pytest.mark.parametrize("parts", [["header"], ["content"], ["header", "content"]])
def test_the_entry_that_says_of_an_erasure_or_a_restart_is_not_erased_itself(
    db: Db, signer: Signer, parts: list[Any]
) -> None:
    from clearway.ledger.epochs import open_epoch
    from clearway.ledger.stored import Stored
    from clearway.ledger.verify import verify

    kept = append(db, "asset.added", "asset/1", {"owner": "somebody"}, aud=1)
    integrate_all(db, signer)
    with db.transaction():
        told = erase(db, kept, ["content"], "asked for")
    open_epoch(db, signer, "restored to try it")
    (opened,) = entries.listed(db, Filter(act="ledger.epoch_opened"))
    for entry in (told, opened.entry):
        with pytest.raises(ConflictError, match="would not verify"):
            erase(db, entry, parts, "that one too")
        # Nor by the owner's own statement.
        for part, change in (
            ("header", "actor = null, credential = null, act = null, subject = null, at = null, header_salt = null, "
                       "header_erased = 1"),
            ("content", "content = null, content_salt = null, content_erased = 1"),
        ):  # fmt: skip
            if part in parts:
                with pytest.raises(errors.DatabaseError, match="says of an erasure or a restart stays"):
                    db.execute(f"update clearway.log_entry set {change} where entry = %s".encode(), (entry,))
    assert verify(Stored(db, whole=True)).ok


def test_nothing_is_erased_without_a_reason_or_a_part(shared: Db) -> None:
    db = shared
    entry = append(db, "asset.added", "asset/1", aud=0)
    parts: Any
    for parts, reason in (([], "x"), (["header"], " "), (["salt"], "x")):
        with pytest.raises(UsageError):
            erase(db, entry, parts, reason)
    with pytest.raises(NotFoundError):
        erase(db, 1 << 40, ["header"], "x")


def test_who_acts_is_who_the_database_says_acts_elsewhere(shared_people: People, shared: Db) -> None:
    """log_append looks the credential up once, and must not come to another answer than actor()."""
    people = shared_people
    ann = people.somebody(people.org("same"), "operator")
    for key in (ann.key, ann.token_key):
        with people.pool.acting(key) as acting:
            said = acting.execute("select clearway.actor(), coalesce(clearway.my_credential(), 0)").fetchone()
            entry = append(acting, "asset.added", "asset/1", aud=0)
        found = entries.one(shared, entry)
        assert (found.actor, found.credential) == said
    shared.execute("update clearway.credential set revoked = now() where person = %s", (ann.person,))
    for key in (ann.key, "0" * 64):
        with pytest.raises(ForbiddenError, match="signed in"), people.pool.acting(key) as acting:
            append(acting, "asset.added", "asset/1", aud=0)
