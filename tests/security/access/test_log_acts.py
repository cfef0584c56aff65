"""SQL that slips in through the application can't put into the log what is not the application's to say."""

from __future__ import annotations

import re
from base64 import b64encode
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from clearway import ledger
from clearway.access import audience, credential, embargo
from clearway.access.marking import own
from clearway.records.errors import ForbiddenError, InputError, NotFoundError
from clearway.store.events import emit
from clearway.store.principal import key_of
from people import People, Somebody

SOURCE = Path(__file__).parents[3] / "src" / "clearway"
# Rooms whose acts are commands and jobs of the owner.
OWNERS = {"backup", "restore", "retention", "feed", "record", "ledger", "clock", "marking", "desk"}


@pytest.mark.parametrize(
    "act",
    ["ledger.erased", "ledger.epoch_opened", "ledger.key_added", "ledger.exported",
     "ledger.proof_given", "backup.taken", "restore.sessions_ended",
     "retention.deleted", "retention.hold_lifted", "feed.taken", "clock.accepted", "marking.changed",
     "embargo.frozen", "session.begun", "record.unmarked", "nobodys.act"],
)  # fmt: skip
def test_the_application_does_not_log_what_the_owner_alone_does(people: People, act: str) -> None:
    with pytest.raises(ForbiddenError, match="no such act"), people.acting(people.admin) as db:
        ledger.append(db, act, "x/1", aud=0)
    with people.owner() as owner:
        assert ledger.append(owner, act, "x/1", aud=0) > 0


BY_RIGHT = {
    "administer": (
        "role.granted", "person.added", "person.barred", "person.allowed", "person.invited", "person.recovered",
        "service.added",
        "organisation.added", "organisation.changed", "directive.key_added", "directive.imported", "feed.pull_asked",
    ),
    "coordinate": ("approval.approved", "approval.refused", "list.member_added", "client.added"),
    "direct": ("directive.issued", "directive.revoked", "directive.addressed", "directive.withdrawn"),
    "audit": ("ledger.verification_asked",),
}  # fmt: skip


@pytest.fixture
def able(people: People) -> dict[str, Somebody]:
    a, b = people.org("rights-a"), people.org("rights-b", "authority")
    return {
        "administer": people.somebody(a, "administrator"),
        "coordinate": people.somebody(a, "coordinator"),
        "direct": people.somebody(b, "official"),
        "audit": people.somebody(a, "auditor"),
        "nothing": people.somebody(a, "operator", "finder"),
    }


def test_an_act_that_takes_a_right_is_logged_by_nobody_without_it(
    people: People, able: dict[str, Somebody]
) -> None:
    for right, acts in BY_RIGHT.items():
        for act in acts:
            with people.acting(able[right]) as db:
                assert ledger.append(db, act, "x/1", aud=0) > 0
            for other in ("nothing", "audit" if right != "audit" else "direct"):
                with pytest.raises(ForbiddenError, match="not the right"), people.acting(able[other]) as db:
                    ledger.append(db, act, "x/1", aud=0)


def test_an_embargos_act_is_of_one_that_its_author_coordinates(
    people: People, able: dict[str, Somebody]
) -> None:
    with people.acting(able["coordinate"]) as db:
        kept = embargo.add(db, able["coordinate"].org, "theirs")
        subject = f"embargo/{kept.uid}"
        assert ledger.append(db, "embargo.released", subject, aud=0) > 0
    for who in (able["nothing"], able["direct"], people.somebody(people.org("rights-c"), "coordinator")):
        with pytest.raises(ForbiddenError, match="not the right"), people.acting(who) as db:
            ledger.append(db, "embargo.released", subject, aud=0)
    with pytest.raises(ForbiddenError, match="not the right"), people.acting(able["coordinate"]) as db:
        ledger.append(db, "embargo.released", "embargo/somebody-elses", aud=0)


def test_a_token_that_only_reads_logs_none_of_them(people: People, able: dict[str, Somebody]) -> None:
    boss = able["administer"]
    with people.acting(boss) as db:
        made = credential.make_token(db, boss.person, label="reads", scopes=("read",), now=datetime.now(UTC))
    with pytest.raises(ForbiddenError), people.pool.acting(key_of(made.secret)) as db:
        ledger.append(db, "role.granted", "person/1", aud=0)


def test_the_unchecked_function_is_not_for_the_application(people: People) -> None:
    with pytest.raises(Exception, match=r"permission|right"), people.acting(people.admin) as db:
        db.execute("select clearway.log_put('clock.accepted', 'clock', '', 0)")


def test_every_act_that_a_room_names_has_its_noun_in_the_list(people: People) -> None:
    """A new act of a request would else fail when it is first done."""
    named = re.compile(r"""f?"([a-z_-]{3,})\.[a-z_]*(?:ed|ade|en|un)\"""")
    found = {
        (noun, path.relative_to(SOURCE).parts[0])
        for path in SOURCE.rglob("*.py")
        if "ledger" in (text := path.read_text("utf-8")) or "tell" in text or "record(" in text
        for noun in named.findall(text)
    }
    found = {(noun, room) for noun, room in found if room not in ("formats", "versions", "records")}
    assert {noun for noun, _ in found} >= {"asset", "client", "directive", "approval", "session", "list"}
    with people.owner() as owner:
        listed = {act.split(".")[0] for (act,) in owner.execute("select act from clearway.log_act where app")}
    lacking = {(n, room) for n, room in found if n not in listed | OWNERS}
    assert lacking == set(), "insert them into clearway.log_act by the room's migration"


def test_a_marking_that_is_changed_by_bare_sql_is_on_the_log_all_the_same(people: People) -> None:
    a = people.org("a")
    somebody = people.somebody(a, "operator", "coordinator")
    with people.acting(somebody) as db:
        row = db.execute(
            "insert into clearway.asset (org, aud, name) values (%s, %s, 'gw') returning asset",
            (a, audience.of(db, own(a))),
        ).fetchone()
        assert row is not None
        made = db.execute("select clearway.add_list(%s, 'x')", (a,)).fetchone()
        assert made is not None
        narrow = db.execute(
            """select clearway.intern_audience(array[clearway.intern_clause(array[clearway.find_group('staff', %s)]),
                clearway.intern_clause(array[clearway.find_group('list', %s)])])""",
            (a, made[0]),
        ).fetchone()
        assert narrow is not None
        db.execute("select clearway.remark('clearway.asset', %s, %s)", (row[0], narrow[0]))
    with people.owner() as owner:
        found = owner.execute(
            "select actor, subject from clearway.log_entry where act = 'marking.changed'"
        ).fetchall()
    assert found == [(somebody.person, f"asset/{row[0]}")]


# A witness's line


@pytest.fixture
def witness(people: People) -> tuple[str, bytes]:
    """A witness that the log accepts, and a checkpoint to be signed: neither needs to be real for what is checked."""
    key = bytes.fromhex("0a1b2c3d")
    with people.owner() as owner:
        owner.execute(
            "insert into clearway.log_checkpoint (size, root, epoch, note) values (1, sha256('x'), 1, 'n')"
        )
        owner.execute(
            "insert into clearway.log_witness (vkey, name, entry) values ('w.example+0a1b2c3d+BAAA', 'w.example', 1)"
        )
    return "w.example", key


def line(name: str, key: bytes, at: datetime, size: int = 64) -> str:
    body = key + int(at.timestamp()).to_bytes(8, "big") + b"s" * size
    return f"— {name} {b64encode(body).decode()}"


def cosign(people: People, *parameters: Any) -> None:
    with people.owner() as db:
        db.execute("select clearway.log_cosign(1, %s, %s, %s, %s)", parameters)


AT = datetime(2026, 11, 26, tzinfo=UTC)


def test_a_line_of_the_witnesss_own_key_and_time_is_kept(people: People, witness: tuple[str, bytes]) -> None:
    name, key = witness
    cosign(people, name, key, line(name, key, AT), AT)
    with people.acting(None) as db:
        assert db.execute("select name, at from clearway.log_cosignature").fetchall() == [(name, AT)]


def test_a_line_is_not_the_applications_to_put_under_a_checkpoint(
    people: People, witness: tuple[str, bytes]
) -> None:
    """The database can't check a signature: with the public key alone anybody could take the witness's place."""
    name, key = witness
    for who in (None, people.admin):
        with pytest.raises(Exception, match=r"permission|right"), people.acting(who) as db:
            db.execute("select clearway.log_cosign(1, %s, %s, %s, %s)", (name, key, line(name, key, AT), AT))
    with people.acting(None) as db:
        assert db.execute("select from clearway.log_cosignature").fetchall() == []


def test_a_later_line_of_the_witness_takes_the_place_of_the_one_before(
    people: People, witness: tuple[str, bytes]
) -> None:
    name, key = witness
    cosign(people, name, key, line(name, key, AT), AT)
    later = AT.replace(hour=1)
    cosign(people, name, key, line(name, key, later), later)
    with people.acting(None) as db:
        assert db.execute("select at from clearway.log_cosignature").fetchall() == [(later,)]


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"key": b"\0\0\0\0"}, NotFoundError),
        ({"name": "w.exam"}, NotFoundError),
        ({"text": line("w.example", b"\0\0\0\1", AT)}, InputError),
        ({"text": line("w.example", bytes.fromhex("0a1b2c3d"), datetime(2030, 1, 1, tzinfo=UTC))}, InputError),
        ({"text": line("other.example", bytes.fromhex("0a1b2c3d"), AT)}, InputError),
        ({"text": "— w.example not base64!"}, InputError),
        ({"text": line("w.example", bytes.fromhex("0a1b2c3d"), AT) + "\n— w.example AAAA"}, InputError),
        ({"text": ""}, InputError),
        ({"text": line("w.example", bytes.fromhex("0a1b2c3d"), AT, 9000)}, InputError),
    ],
    ids=["another key", "another name", "a line of another key", "another time", "another's line", "no base64",
         "two lines", "empty", "too long"],
)  # fmt: skip
def test_what_is_no_line_of_that_witness_is_refused_by_the_database(
    people: People, witness: tuple[str, bytes], change: dict[str, Any], error: type[Exception]
) -> None:
    name, key = witness
    given = {"name": name, "key": key, "text": line(name, key, AT)} | change
    with pytest.raises(error):
        cosign(people, given["name"], given["key"], given["text"], AT)


def test_an_event_is_still_for_an_audience_of_its_author_alone(people: People) -> None:
    a = people.org("a")
    with people.owner() as owner:
        theirs = audience.of(owner, own(a))
    with pytest.raises(ForbiddenError), people.acting(people.admin) as db:
        emit(db, "asset.added", "asset/1", org=a, aud=theirs)
