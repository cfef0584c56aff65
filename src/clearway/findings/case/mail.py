"""A case by mail alone: letters without content, one-time links, no account, and one click to stop.

A letter lies in other people's systems. It names the case by its handling id and nothing that is under embargo; what it
is about is behind a link. A link is sealed under a key of the home, so that nobody with a copy of the database can make
one; it opens once, and a page that it opened carries the next. Looking at it changes nothing: programs that follow
links in mails use none of them up.
"""

from __future__ import annotations

import base64
import binascii
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from msgspec import Struct

from clearway.records.errors import (
    ClearwayError,
    ConflictError,
    InputError,
    IntegrityError,
    NotFoundError,
    TooManyRequestsError,
)
from clearway.records.text import plain
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
MOST_LINKS = 20  # a party may be sent in a day
MAX_TRIES = 12
LINKS = "case-links"  # the vault's
_ADDRESS = re.compile(
    r"[^@\s\x00-\x20\x7f<>\"(),:;\[\]\\]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?", re.ASCII
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
    """Whose link it is. `fresh` is whether it can still be used."""

    link: UUID
    case_id: int
    party: int
    fresh: bool


def checked_address(text: str) -> str:
    """A mail address. Raises InputError for what no letter should be sent to."""
    found = text.strip()
    if not _ADDRESS.fullmatch(found) or ".." in found:
        raise InputError("this is no mail address", where="email", mend="such as security@example.org")
    return found


def queue_all(
    db: Connection, case: Case, kind: str, *, only: int | None = None, but: int | None = None
) -> int:
    """Queues a letter to each party that is reached by mail alone (or to `only` one); how many."""
    row = db.execute("select clearway.queue_letters(%s, %s, %s, %s)", (case.id, kind, only, but)).fetchone()
    made = int(row[0]) if row else 0
    if made:
        defer(db, TASK, {}, lock=TASK, once=TASK)
    return made


def make_link(owner: Connection, vault: Vault, party: int, now: datetime) -> str:
    """A new one-time link of a party, as the token in its address. The owner's transaction.

    Raises:
        NotFoundError: no such party.
    """
    link = uuid4()
    expires = now + timedelta(days=LINK_DAYS)
    row = owner.execute(
        """insert into clearway.case_link (link, party, org, aud, expires)
        select %s, p.party, p.org, k.aud, %s from clearway.case_party p
        join clearway.case_contact k on k.party = p.party where p.party = %s limit 1 returning link""",
        (link, expires, party),
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
        """select p.case_id, l.used is null and l.expires > %s from clearway.case_link l
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
    return Opened(link=link, case_id=row[0], party=party, fresh=row[1])


def ask_again(owner: Connection, vault: Vault, token: str, now: datetime) -> None:
    """Sends a new link to the address that the old one was sent to; nobody else can have it so.

    Raises:
        NotFoundError: it is no link of ours.
        TooManyRequestsError: twenty were sent in a day.
    """
    from . import kept

    found = look(owner, vault, token, now)
    row = owner.execute(
        "select count(*)::int from clearway.case_link where party = %s and made > %s",
        (found.party, now - timedelta(days=1)),
    ).fetchone()
    if row and row[0] >= MOST_LINKS:
        raise TooManyRequestsError("too many links in a day", where="link", retry_after_s=3600)
    queue_all(owner, kept.by_id(owner, found.case_id), "link", only=found.party)


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
    """Sends the letters that wait, one transaction each; (sent, failed for good).

    A crash between the server's word and ours sends a letter again, under the same Message-ID.

    Raises:
        UpstreamError: the mail server does not answer; the rest waits.
    """
    sent = failed = 0
    while True:
        with owner() as db:
            found = _next(db)
            if found is None:
                return sent, failed
            number, party, kind, tries = found
            at = now()
            made = _compose(db, vault, number, party, kind, base_url, at)
            try:
                if made is not None:
                    post(made)
            except InputError as error:  # refused for good
                _done(db, number, None, plain(str(error), 500))
                failed += 1
                continue
            except ClearwayError as error:
                with_why = plain(str(error), 500) if tries + 1 >= MAX_TRIES else ""
                _tried(db, number, with_why)
                problem = error
            else:
                _done(db, number, at, "" if made is not None else "it wants none")
                sent += made is not None
                continue
        raise problem


def _next(db: Connection) -> tuple[int, int, str, int] | None:
    row = db.execute(
        """select letter, party, kind, tries from clearway.case_letter where sent is null and failed = ''
        order by letter limit 1 for update skip locked"""
    ).fetchone()
    return None if row is None else (row[0], row[1], row[2], row[3])


def _done(db: Connection, number: int, at: datetime | None, why: str) -> None:
    db.execute(
        "update clearway.case_letter set sent = %s, failed = %s, tries = tries + 1 where letter = %s",
        (at, why, number),
    )


def _tried(db: Connection, number: int, why: str) -> None:
    db.execute(
        "update clearway.case_letter set tries = tries + 1, failed = %s where letter = %s", (why, number)
    )


_WORDS = {
    "asked": ("A report about your software", "A flaw in software that you maintain was reported to us. Nobody "
              "else is told of it before its embargo ends; please keep it to yourself too."),
    "reminded": ("Still waiting for your answer", "We have not heard from you about a report on your software."),
    "said": ("A new message", "There is a new message in this case."),
    "proposed": ("A date is proposed", "A date is proposed on which the embargo of this case ends. Do you agree?"),
    "released": ("The advisory is public", "The embargo of this case has ended, and its advisory is public."),
    "link": ("Your new link", "Here is the new link that you asked for."),
}  # fmt: skip


def _compose(
    db: Connection, vault: Vault, number: int, party: int, kind: str, base_url: str, now: datetime
) -> Letter | None:
    """The letter, None for a party that has left or wants none."""
    row = db.execute(
        """select c.handling, p.name, k.email, o.name from clearway.case_party p
        join clearway.desk_case c using (case_id) join clearway.organisation o on o.org = c.org
        join lateral (select email from clearway.case_contact where party = p.party
            order by contact desc limit 1) k on true
        where p.party = %s and p.left_at is null and p.stopped is null""",
        (party,),
    ).fetchone()
    if row is None:
        return None
    handling, name, email, house = row
    base = base_url.rstrip("/")
    title, words = _WORDS[kind]
    stop_at = f"{base}/case-mail/stop/{stop_token(vault, party)}"
    link = f"{base}/case-mail/{make_link(db, vault, party, now)}"
    text = f"""{words}

Read it and answer, without an account:
{link}
The link works once, within {LINK_DAYS} days. When you have used it, its page sends you another.

Case {handling}, {house}.
No more letters about this case, with one click:
{stop_at}
"""
    return Letter(
        reference=f"case-letter-{number}",
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
