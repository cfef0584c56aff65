"""Directives issued, addressed, acknowledged and revoked in PostgreSQL, each under its rights and in the log."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from clearway import directives
from clearway.access import audience
from clearway.directives.issue import sign, verify
from clearway.directives.kept import addresses, issues
from clearway.records.errors import ConflictError, ForbiddenError, IntegrityError, NotFoundError, UsageError
from clearway.store.connect import connect, translated
from directive_desk import Desk

DOCUMENT = (Path(directives.__file__).parent / "data" / "bod-26-04.json").read_bytes()
NEXT = DOCUMENT.replace(b'"version": "1.0.0"', b'"version": "1.1.0"').replace(
    b'"code": "14D", "name": "14 days", "days": 14', b'"code": "14D", "name": "10 days", "days": 10'
)
FIRST, SECOND = date(2026, 12, 1), date(2027, 3, 1)


def publish(desk: Desk, document: bytes = DOCUMENT, issued: date = FIRST) -> issues.Version:
    signature = sign(document, desk.private).signature
    version: issues.Version = desk.do(
        "official@authority", issues.publish, "authority", document, signature, issued=issued
    )
    return version


def test_a_signed_version_is_published_for_everybody_and_its_bytes_verify(issuing: Desk) -> None:
    made = publish(issuing)
    assert (made.by, made.directive, made.version, made.key) == (
        "authority",
        "bod-26-04",
        "1.0.0",
        issuing.key.id,
    )
    signed = issuing.ask("operator@hospital", issues.document, made.id)
    assert signed.document == DOCUMENT
    assert issuing.log("directive.issued") == 1
    assert issuing.log("directive.key_added") == 1


def test_what_another_key_signed_is_not_published(issuing: Desk) -> None:
    signature = sign(DOCUMENT, Ed25519PrivateKey.generate()).signature
    with pytest.raises(IntegrityError, match="signed by none"):
        issuing.do("official@authority", issues.publish, "authority", DOCUMENT, signature, issued=FIRST)
    assert issuing.log("directive.issued") == 0


def test_a_retired_key_signs_nothing_new_and_what_it_signed_stands(issuing: Desk) -> None:
    made = publish(issuing)
    issuing.do("administrator@authority", issues.retire_key, "authority", issuing.key.id)
    with pytest.raises(IntegrityError):
        publish(issuing, NEXT, SECOND)
    assert issuing.ask("operator@water", issues.document, made.id).key == issuing.key.id


@pytest.mark.parametrize("who", ["operator@authority", "administrator@authority", "auditor@authority"])
def test_issuing_takes_the_right_to_direct(issuing: Desk, who: str) -> None:
    signature = sign(DOCUMENT, issuing.private).signature
    with pytest.raises(ForbiddenError, match="direct"):
        issuing.do(who, issues.publish, "authority", DOCUMENT, signature, issued=FIRST)


def test_only_an_authority_issues(issuing: Desk) -> None:
    signature = sign(DOCUMENT, issuing.private).signature
    with pytest.raises(ForbiddenError, match="only an authority"):
        issuing.do("official@water", issues.publish, "water", DOCUMENT, signature, issued=FIRST)
    with pytest.raises(NotFoundError):
        issuing.do("official@water", issues.publish, "authority", DOCUMENT, signature, issued=FIRST)


def test_the_database_itself_refuses_an_issue_without_a_registered_key(issuing: Desk) -> None:
    signed = sign(DOCUMENT, Ed25519PrivateKey.generate())
    insert = """insert into clearway.directive_version
        (org, aud, directive, version, document, sha256, signature, key_id, public, issued)
        select org, 0, 'bod-26-04', '9', %s, %s, %s, %s, %s, '2026-12-01' from clearway.organisation where slug = %s"""
    for who, slug in (("official@authority", "authority"), ("official@water", "water")):
        row = (DOCUMENT, signed.sha256, signed.signature, signed.key, bytes(32), slug)
        with pytest.raises(ForbiddenError), issuing.acting(who) as (db, _):
            db.execute(insert, row)


def test_what_was_issued_is_neither_changed_nor_deleted(issuing: Desk) -> None:
    publish(issuing)
    for statement in (
        "update clearway.directive_version set document = 'x'",
        "delete from clearway.directive_version",
        "update clearway.directive_version set aud = 1",
    ):
        with (
            pytest.raises(Exception, match="permission denied"),
            issuing.acting("official@authority") as (db, _),
        ):
            db.execute(statement)  # type: ignore[call-overload]


def test_a_superseding_version_keeps_the_old_one_for_replay(issuing: Desk) -> None:
    publish(issuing)
    publish(issuing, NEXT, SECOND)
    for day, number, days in ((FIRST, "1.0.0", 14), (date(2027, 2, 28), "1.0.0", 14), (SECOND, "1.1.0", 10)):
        found = issuing.ask("operator@water", issues.standing_version, "bod-26-04", "authority", day)
        assert found.version == number
        signed = issuing.ask("operator@water", issues.document, found.id)
        assert signed.directive.outcome_of("14D").days == days
    with pytest.raises(NotFoundError):
        issuing.ask("operator@water", issues.standing_version, "bod-26-04", "authority", date(2026, 11, 30))


def test_a_version_is_issued_once_and_never_before_the_last(issuing: Desk) -> None:
    publish(issuing, NEXT, SECOND)
    with pytest.raises(ConflictError, match="there already"):
        publish(issuing, NEXT, SECOND)
    with pytest.raises(ConflictError, match="issued later"):
        publish(issuing, DOCUMENT, FIRST)


def test_a_lower_number_never_comes_after_a_higher_one(issuing: Desk) -> None:
    publish(issuing, NEXT.replace(b'"1.1.0"', b'"1.10.0"'), FIRST)
    with pytest.raises(ConflictError, match=r"1\.9\.0 comes before 1\.10\.0"):
        publish(issuing, NEXT.replace(b'"1.1.0"', b'"1.9.0"'), SECOND)
    assert publish(issuing, NEXT.replace(b'"1.1.0"', b'"2"'), SECOND).version == "2"


def test_a_revoked_version_stays_for_history(issuing: Desk) -> None:
    publish(issuing)
    with pytest.raises(UsageError, match="reason"):
        issuing.do(
            "official@authority", issues.revoke, "authority", "bod-26-04", "1.0.0", on=SECOND, reason=" "
        )
    issuing.do(
        "official@authority", issues.revoke, "authority", "bod-26-04", "1.0.0", on=SECOND, reason="replaced"
    )
    (kept,) = issuing.ask("operator@water", issues.versions, "bod-26-04")
    assert (kept.revoked, kept.revoked_reason) == (SECOND, "replaced")
    assert (
        issuing.ask("operator@water", issues.standing_version, "bod-26-04", "authority", FIRST).id == kept.id
    )
    with pytest.raises(NotFoundError, match="revoked"):
        issuing.ask("operator@water", issues.standing_version, "bod-26-04", "authority", SECOND)
    assert issuing.log("directive.revoked") == 1


def address(desk: Desk, standings: dict[str, str], since: date = FIRST) -> int:
    made: int = desk.do(
        "official@authority", addresses.address, "authority", "bod-26-04", standings, since=since
    )
    return made


def test_an_organisation_sees_what_is_addressed_to_it_and_not_who_else_is(issuing: Desk) -> None:
    publish(issuing)
    assert address(issuing, {"water": "binding", "hospital": "advisory"}) == 2
    with issuing.acting("operator@water") as (db, me):
        (mine,) = addresses.addressed_to(db, me.memberships[0].org, SECOND)
        assert (mine.standing, mine.acknowledged) == ("binding", None)
        row = db.execute("select count(*) from clearway.directive_address").fetchone()
    assert row == (1,)
    with issuing.acting("official@other-authority") as (db, _):
        assert db.execute("select count(*) from clearway.directive_address").fetchone() == (0,)


def test_a_changed_standing_begins_on_its_day_and_the_old_one_stays(issuing: Desk) -> None:
    publish(issuing)
    address(issuing, {"water": "advisory"})
    assert address(issuing, {"water": "advisory"}, SECOND) == 0
    with pytest.raises(ConflictError, match="later day"):
        address(issuing, {"water": "binding"}, FIRST)
    assert address(issuing, {"water": "binding"}, SECOND) == 1
    with issuing.acting("operator@water") as (db, me):
        org = me.memberships[0].org
        standings = [
            addresses.addressed_to(db, org, day)[0].standing for day in (FIRST, date(2027, 2, 28), SECOND)
        ]
    assert standings == ["advisory", "advisory", "binding"]


def test_taking_note_is_an_act_that_the_authority_sees_and_nobody_else(issuing: Desk) -> None:
    made = publish(issuing)
    address(issuing, {"water": "binding", "hospital": "binding"})
    with pytest.raises(ForbiddenError, match="operate"):
        issuing.do("auditor@water", addresses.acknowledge, "water", made.id)
    with issuing.acting("operator@water") as (db, me):
        waiting = addresses.unnoted(db, me.memberships[0].org, SECOND)
        assert waiting.number == 1
        assert audience.strictest(db, waiting.auds) == "RED"  # to whom it is addressed is for those two
    noted = issuing.do("operator@water", addresses.acknowledge, "water", made.id, "read")
    assert issuing.do("operator@water", addresses.acknowledge, "water", made.id, "again") == noted
    with issuing.acting("operator@water") as (db, me):
        assert addresses.unnoted(db, me.memberships[0].org, SECOND) == addresses.Unnoted(number=0, auds=())
    assert (noted.by, noted.note) == ("operator of water", "read")
    assert issuing.log("directive.acknowledged") == 1
    for who, seen in (("official@authority", 1), ("operator@hospital", 0), ("official@other-authority", 0)):
        with issuing.acting(who) as (db, _):
            row = db.execute("select count(*) from clearway.directive_acknowledgement").fetchone()
        assert row == (seen,), who


def test_what_is_not_addressed_to_one_is_not_acknowledged(issuing: Desk) -> None:
    made = publish(issuing)
    with pytest.raises(NotFoundError, match="not addressed"):
        issuing.do("operator@water", addresses.acknowledge, "water", made.id)


def test_a_version_signed_elsewhere_is_taken_over_for_ones_own_members(desk: Desk) -> None:
    signed = verify(DOCUMENT, sign(DOCUMENT, desk.private).signature, [desk.key])
    made = desk.do("administrator@water", issues.take_over, "water", signed, desk.key, issued=FIRST)
    assert made.imported
    assert desk.ask("operator@water", issues.document, made.id).document == DOCUMENT
    with pytest.raises(NotFoundError):
        desk.ask("operator@hospital", issues.document, made.id)
    with pytest.raises(ForbiddenError):
        desk.do("operator@hospital", issues.take_over, "hospital", signed, desk.key, issued=FIRST)


def test_bytes_that_were_changed_under_the_database_are_found_out(issuing: Desk) -> None:
    made = publish(issuing)
    with translated(), connect(issuing.url) as owner:
        owner.execute(
            "update clearway.directive_version set document = %s, sha256 = sha256(%s::bytea)", (NEXT, NEXT)
        )
    with pytest.raises(IntegrityError, match="signed by none"):
        issuing.ask("operator@water", issues.document, made.id)
