"""A case by mail alone: letters without content, one-time links, no account, and one click to stop.

A letter lies in other people's systems. It names the case by its handling id and nothing that is under embargo; what it
is about is behind a link. A link is sealed under a key of the home, so that nobody with a copy of the database can make
one; it opens once, and a page that it opened carries the next. Looking at it changes nothing: programs that follow
links in mails use none of them up.

A letter that asks a vendor tells it when the mail server has taken it, and not before. One that can't be sent waits by
itself, longer each time, and holds up no other; one that is given up is on the log, and the room shows it.
"""

from __future__ import annotations

import base64
import binascii
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from msgspec import Struct

from clearway import ledger
from clearway.records.errors import (
    ClearwayError,
    ConflictError,
    InputError,
    IntegrityError,
    NotFoundError,
    TooManyRequestsError,
)
from clearway.records.text import plain
from clearway.store import events
from clearway.store.jobs import defer

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    import psycopg

    from ..vault import Vault
    from .kept import Case

    Connection = psycopg.Connection[Any]
    Owner = Callable[[], AbstractContextManager[Connection]]

TASK = "app.case_letters"  # sent by `app`, which knows the mail server
LINK_DAYS = 30
MOST_LINKS = 20  # a party may ask for in a day
MAX_TRIES = 12  # with the waits between them, over a day
MOST_WAIT = timedelta(
    hours=6
)  # between two tries of a letter; the first is a minute, each next twice as long
MOST_FAULTS = (
    3  # letters that fail one after another: it is the server then, and the rest waits for the next run
)
LINKS = "case-links"  # the vault's
# RFC 5321 §4.1.2, a Dot-string at a domain: what every mail server takes. Letters beyond ASCII need SMTPUTF8 on the
# whole way (RFC 6531), so such an address would never be told.
_ADDRESS = re.compile(
    r"(?=[^@]{1,64}@)[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
    r"@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?",
    re.ASCII,
)


class Letter(Struct, frozen=True, kw_only=True):
    """One letter, ready to be sent. `stop` is the address of the one click."""

    reference: str
    to: str
    name: str
    subject: str
    text: str
    stop: str


class Opened(Struct, frozen=True, kw_only=True):
    """Whose link it is. `fresh` is whether it can still be used, `contact` to which of its addresses it was sent."""

    link: UUID
    case_id: int
    party: int
    fresh: bool
    contact: int | None = None


def checked_address(text: str) -> str:
    """A mail address. Raises InputError for what no letter should be sent to."""
    found = text.strip()
    if len(found) > 320 or not _ADDRESS.fullmatch(found) or ".." in found:
        raise InputError("this is no mail address", where="email", mend="such as security@example.org")
    return found


def queue_all(
    db: Connection, case: Case, kind: str, *, only: int | None = None, but: int | None = None
) -> int:
    """Queues a letter to each party that is reached by mail alone (or to `only` one); how many."""
    row = db.execute("select clearway.queue_letters(%s, %s, %s, %s)", (case.id, kind, only, but)).fetchone()
    return int(row[0]) if row else 0


def make_link(owner: Connection, vault: Vault, party: int, now: datetime, contact: int | None = None) -> str:
    """A new one-time link of a party, as the token in its address. The owner's transaction.

    `contact` is the address that it is for, by default the newest.

    Raises:
        NotFoundError: no such party.
    """
    link = uuid4()
    expires = now + timedelta(days=LINK_DAYS)
    row = owner.execute(
        """insert into clearway.case_link (link, party, org, aud, expires, contact)
        select %s, p.party, p.org, k.aud, %s, k.contact from clearway.case_party p
        join clearway.case_contact k on k.party = p.party where p.party = %s
        order by k.contact is not distinct from %s desc, k.contact desc limit 1 returning link""",
        (link, expires, party, contact),
    ).fetchone()
    if row is None:
        raise NotFoundError("no such party", where=f"party/{party}")
    return _sealed(vault, b"open" + link.bytes + party.to_bytes(8, "big"))


def look(owner: Connection, vault: Vault, token: str, now: datetime, *, use: bool = False) -> Opened:
    """Whose link a token is; with `use`, it is used up.

    Raises:
        NotFoundError: it is no link of ours, or its party has left.
        ConflictError: with `use`, it was used before or has expired.
    """
    body = _opened(vault, token)
    if len(body) != 28 or body[:4] != b"open":
        raise _unknown()
    link, party = UUID(bytes=body[4:20]), int.from_bytes(body[20:], "big")
    row = owner.execute(
        """select p.case_id, l.used is null and l.expires > %s, l.contact from clearway.case_link l
        join clearway.case_party p using (party)
        where l.link = %s and l.party = %s and p.left_at is null for update of l""",
        (now, link, party),
    ).fetchone()
    if row is None:
        raise _unknown()
    if use:
        if not row[1]:
            raise ConflictError(
                "this link was used, or has expired", where="link", mend="ask for a new one on its page"
            )
        owner.execute("update clearway.case_link set used = %s where link = %s", (now, link))
    return Opened(link=link, case_id=row[0], party=party, fresh=row[1], contact=row[2])


def ask_again(owner: Connection, vault: Vault, token: str, now: datetime) -> None:
    """Sends a new link to the address that the old one was sent to; nobody else can have it so.

    It is sent to who wants no more letters too: this one was asked for.

    Raises:
        NotFoundError: it is no link of ours.
        TooManyRequestsError: twenty were asked for in a day.
    """
    found = look(owner, vault, token, now)
    owner.execute("select from clearway.case_party where party = %s for update", (found.party,))
    row = owner.execute(
        """select count(*) filter (where made > %s)::int, count(*) filter (where sent is null and failed = '')::int
        from clearway.case_letter where party = %s and kind = 'link'""",
        (now - timedelta(days=1), found.party),
    ).fetchone()
    assert row is not None
    if row[0] >= MOST_LINKS:
        raise TooManyRequestsError("too many links in a day", where="link", retry_after_s=3600)
    if not row[1]:
        owner.execute(
            """insert into clearway.case_letter (party, org, aud, kind, contact)
            select party, org, aud, 'link', %s from clearway.case_link where link = %s""",
            (found.contact, found.link),
        )
        defer(owner, TASK, {}, lock=TASK, once=TASK)


def stop_token(vault: Vault, party: int) -> str:
    """The token with which a party stops all letters of its case; it does nothing else, and works each time."""
    return _sealed(vault, b"stop" + party.to_bytes(8, "big"))


def stop(owner: Connection, vault: Vault, token: str, now: datetime) -> int:
    """Ends the letters of the party whose token it is, for good (RFC 8058); its number.

    Raises:
        NotFoundError: it is no token of ours.
    """
    from . import kept

    body = _opened(vault, token)
    if len(body) != 12 or body[:4] != b"stop":
        raise _unknown()
    party = int.from_bytes(body[4:], "big")
    row = owner.execute(
        """update clearway.case_party set stopped = coalesce(stopped, %s), version = version + 1
        where party = %s returning case_id, stopped = %s""",
        (now, party, now),
    ).fetchone()
    if row is None:
        raise _unknown()
    if row[1]:
        kept.tell(owner, kept.by_id(owner, row[0]), "party.stopped", {"party": party})
    return party


def send_waiting(
    owner: Owner, vault: Vault, base_url: str, post: Callable[[Letter], None], now: Callable[[], datetime]
) -> tuple[int, int]:
    """Sends the letters that are due, one transaction each; (sent, failed for good).

    One that the server puts off waits by itself while the others go out. A crash between the server's word and ours
    sends a letter again, under the same Message-ID.

    Raises:
        UpstreamError: the mail server did not take some, or does not answer; those wait.
        ConfigError: it refuses us.
    """
    sent = failed = faults = 0
    problem: ClearwayError | None = None
    while faults < MOST_FAULTS:
        with owner() as db:
            at = now()
            found = _next(db, at)
            if found is None:
                break
            made = _compose(db, vault, found, base_url, at)
            try:
                if made is not None:
                    post(made)
            except InputError as error:  # refused for good
                _given_up(db, found, plain(str(error), 500))
                failed += 1
                faults = 0  # the server answers
            except ClearwayError as error:
                problem = error
                faults += 1
                if found.tries + 1 >= MAX_TRIES:
                    _given_up(db, found, plain(str(error), 500))
                    failed += 1
                else:
                    wait = min(timedelta(minutes=1 << min(found.tries, 20)), MOST_WAIT)
                    db.execute(
                        "update clearway.case_letter set tries = tries + 1, next_try = %s where letter = %s",
                        (at + wait, found.number),
                    )
            else:
                _done(db, found, at, "" if made is not None else "it wants none")
                sent += made is not None
                faults = 0
    if problem is not None:
        raise problem
    return sent, failed


class _Waiting(Struct, frozen=True, kw_only=True):
    number: int
    party: int
    kind: str
    tries: int
    contact: int | None


def _next(db: Connection, now: datetime) -> _Waiting | None:
    """The letter that is due: those that were never tried before those that were."""
    row = db.execute(
        """select letter, party, kind, tries, contact from clearway.case_letter
        where sent is null and failed = '' and (next_try is null or next_try <= %s)
        order by tries, letter limit 1 for update skip locked""",
        (now,),
    ).fetchone()
    return (
        None
        if row is None
        else _Waiting(number=row[0], party=row[1], kind=row[2], tries=row[3], contact=row[4])
    )


def _done(db: Connection, letter: _Waiting, at: datetime, why: str) -> None:
    """It is sent, or nobody wants it any more. A vendor that it asks is told by it."""
    from . import kept, party

    db.execute(
        "update clearway.case_letter set sent = %s, failed = %s, tries = tries + 1 where letter = %s",
        (at, why, letter.number),
    )
    if letter.kind != "asked" or why:
        return
    try:
        with db.transaction():
            case = _case_of(db, letter.party)
            asked = party.one(db, case, letter.party)
            if asked.rm == "start":
                party.told(db, kept.by_id(db, case.id), asked)
    except (ConflictError, NotFoundError):
        pass  # it was closed, or it left, while the letter went out; the letter is out all the same


def _given_up(db: Connection, letter: _Waiting, why: str) -> None:
    """It is not tried again. For the coordinators alone, as letters are."""
    row = db.execute(
        "update clearway.case_letter set failed = %s, tries = tries + 1 where letter = %s returning org, aud::int",
        (why, letter.number),
    ).fetchone()
    assert row is not None
    case = _case_of(db, letter.party)
    said = {"party": letter.party, "letter": letter.kind, "why": why}
    ledger.append(db, "party.letter_failed", case.subject, said, aud=row[1])
    events.emit(
        db, "party.letter_failed", case.subject, org=row[0], aud=row[1], body={"handling": case.handling}
    )


def _case_of(db: Connection, party: int) -> Case:
    from . import kept

    row = db.execute("select case_id from clearway.case_party where party = %s", (party,)).fetchone()
    assert row is not None
    return kept.by_id(db, row[0])


def letters_of(db: Connection, case: Case) -> dict[int, str]:
    """How the newest letter to each party stands, by the party's number: "waits", or "failed: " and why.

    Parties whose newest letter was sent are not in it; empty for who may not know.
    """
    rows = db.execute(
        """select distinct on (l.party) l.party, l.sent is not null, l.failed from clearway.case_letter l
        join clearway.case_party p using (party) where p.case_id = %s order by l.party, l.letter desc""",
        (case.id,),
    )
    return {party: f"failed: {why}" if why else "waits" for party, sent, why in rows if not sent}


_WORDS = {
    "joined": ("You take part in a case", "You take part in the case of a flaw that is not public. Nobody else is told "
               "of it before its embargo ends; please keep it to yourself too."),
    "asked": ("A report about your software", "A flaw in software that you maintain was reported to us. Nobody "
              "else is told of it before its embargo ends; please keep it to yourself too."),
    "reminded": ("Still waiting for your answer", "We have not heard from you about a report on your software."),
    "said": ("A new message", "There is a new message in this case."),
    "proposed": ("A date is proposed", "A date is proposed on which the embargo of this case ends. Do you agree?"),
    "released": ("The advisory is public", "The embargo of this case has ended, and its advisory is public."),
    "link": ("Your new link", "Here is the new link that you asked for."),
}  # fmt: skip


def _compose(db: Connection, vault: Vault, letter: _Waiting, base_url: str, now: datetime) -> Letter | None:
    """The letter, None for a party that has left or wants none, and for a vendor who is asked nothing any more."""
    row = db.execute(
        """select c.handling, p.name, k.email, o.name, k.contact from clearway.case_party p
        join clearway.desk_case c using (case_id) join clearway.organisation o on o.org = c.org
        join lateral (select email, contact from clearway.case_contact where party = p.party
            order by contact is not distinct from %s desc, contact desc limit 1) k on true
        where p.party = %s and p.left_at is null and (p.stopped is null or %s) and (c.closed is null or not %s)""",
        (letter.contact, letter.party, letter.kind == "link", letter.kind == "asked"),
    ).fetchone()
    if row is None:
        return None
    handling, name, email, house, contact = row
    base = base_url.rstrip("/")
    title, words = _WORDS[letter.kind]
    stop_at = f"{base}/case-mail/stop/{stop_token(vault, letter.party)}"
    link = f"{base}/case-mail/{make_link(db, vault, letter.party, now, contact)}"
    text = f"""{words}

Read it and answer, without an account:
{link}
The link works once, within {LINK_DAYS} days. When you have used it, its page sends you another.

Case {handling}, {house}.
No more letters about this case, with one click:
{stop_at}
"""
    return Letter(
        reference=f"case-letter-{letter.number}",
        to=email,
        name=name,
        subject=f"{title} [{handling}]",
        text=text,
        stop=stop_at,
    )


def as_html(text: str) -> str:
    """A letter's text for readers of HTML: escaped, its own addresses as links."""
    from html import escape

    lines = []
    for line in text.splitlines():
        shown = escape(line)
        lines.append(f'<a href="{shown}">{shown}</a>' if line.startswith(("https://", "http://")) else shown)
    return "<p>" + "<br>\n".join(lines) + "</p>"


def _sealed(vault: Vault, body: bytes) -> str:
    return base64.urlsafe_b64encode(vault.seal(LINKS, body, label="link 1")).decode().rstrip("=")


def _opened(vault: Vault, token: str) -> bytes:
    if not 20 <= len(token) <= 200 or not token.isascii():
        raise _unknown()
    try:
        sealed = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        return vault.open(LINKS, sealed, label="link 1")
    except (binascii.Error, ValueError, IntegrityError, NotFoundError):
        raise _unknown() from None


def _unknown() -> NotFoundError:
    return NotFoundError("this link is not one of ours", where="link")


def utc_now() -> datetime:
    """The machine's time."""
    return datetime.now(UTC)
