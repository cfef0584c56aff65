"""What a database that went back to an earlier state must not take up again: what may have ended since.

A backup knows nothing of what came after it: a code that was used is unused in it, a request that was withdrawn open,
an embargo that was put off armed for its first hour, a webhook that was removed at work. Nothing here can find out
which. So what opens something by itself is voided, embargoes wait for a coordinator, and webhooks for an administrator.
Roles, ways to sign in, parties, recipients, markings and service tokens are as they were then: people look at those.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct, structs

from clearway import ledger
from clearway.ledger import tree_store as tree
from clearway.ledger.append import CLEAR
from clearway.ledger.keys import FOLDER, last_signed
from clearway.store import events

from . import approval, embargo

if TYPE_CHECKING:
    from pathlib import Path

    import psycopg


class Voided(Struct, frozen=True, kw_only=True):
    """How many of each ended, and how many embargoes were frozen and webhooks stopped."""

    sessions: int
    codes: int  # one-time codes of people, and links that were sent to parties of cases
    sign_ins: int  # under way
    approvals: int  # asked for and not decided, or approved and not carried out
    embargoes: int
    webhooks: int  # stopped until they are made active again


class Back(Struct, frozen=True, kw_only=True):
    """What is in force again as it was, ended since or not: for people to look at."""

    tokens: int  # of services and people, not expired
    people: int  # who may sign in
    identities: int  # passkeys and accounts of providers that they sign in with
    parties: int  # of embargoes that have not ended


def void(owner: psycopg.Connection[Any], why: str) -> Voided:
    """Ends all of it, stops webhooks, freezes the armed embargoes, in one transaction with its entries; `why` is told
    of requests and embargoes. Who follows events from before is told to read anew.

    Done again, it finds nothing more to end and logs nothing.
    """
    with owner.transaction():
        events.put_back(owner)
        done = Voided(
            sessions=_count(
                owner,
                "update clearway.credential set revoked = clock_timestamp() "
                "where kind in ('session', 'acting') and revoked is null and expires > clock_timestamp()",
            ),
            codes=_count(owner, "update clearway.invitation set used = clock_timestamp() where used is null")
            + _count(owner, "update clearway.case_link set used = clock_timestamp() where used is null"),
            sign_ins=_count(owner, "delete from clearway.sign_in_attempt"),
            approvals=approval.withdraw_all(owner, why),
            embargoes=embargo.freeze_armed(owner, why),
            webhooks=stop_webhooks(owner),
        )
        if any(structs.astuple(done)):
            told = structs.asdict(done) | structs.asdict(standing(owner))
            ledger.append(owner, "restore.voided", "restore", told, aud=CLEAR)
    return done


def stop_webhooks(owner: psycopg.Connection[Any]) -> int:
    """Stops each webhook: it may have been removed, sent elsewhere, or ended with its person. How many."""
    return _count(
        owner,
        """update clearway.webhook set active = false, version = version + 1,
            stopped = 'restored: look whether it was removed or sent elsewhere since, then make it active again'
        where active""",
    )


def standing(owner: psycopg.Connection[Any]) -> Back:
    """What stands as the backup had it."""
    row = owner.execute(
        """select
            (select count(*)::int from clearway.credential
                where kind = 'token' and revoked is null and expires > clock_timestamp()),
            (select count(*)::int from clearway.person where kind = 'person' and active),
            (select count(*)::int from clearway.identity i join clearway.person p using (person) where p.active),
            (select count(*)::int from clearway.list_member m join clearway.embargo e using (list)
                where e.ended_by is null)"""
    ).fetchone()
    assert row is not None
    return Back(tokens=row[0], people=row[1], identities=row[2], parties=row[3])


def gone_back(owner: psycopg.Connection[Any], home: Path) -> str:
    """Why the database is known to have gone back, by what was signed in `home`; "" where nothing says so.

    A server that is restored by its own tools is served again before anybody has opened an epoch (`clearway ledger
    epoch`).
    """
    signed = last_signed(home / FOLDER)  # before the database is asked: what is signed was committed there
    if signed is None:
        return ""
    now = tree.head(owner)
    if now.origin != signed.origin:
        return ""
    there, here = (1 if epoch is None else epoch.number for epoch in (now.epoch, signed.epoch))
    if there < here:
        return words(f"(its log is of epoch {there}, and epoch {here} was signed here)")
    if there > here or now.size >= signed.size:  # an epoch that was opened after it says what was given up
        return ""
    return words(f"(its log has {now.size:,} entries, and {signed.size:,} were signed here)")


def words(which: str) -> str:
    """Why an embargo is frozen: restored, of which state."""
    return f"{embargo.RESTORED} {which}: look whether it was postponed, disarmed or ended since"


def _count(owner: psycopg.Connection[Any], statement: str) -> int:
    return owner.execute(statement.encode()).rowcount
