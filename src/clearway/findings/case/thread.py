"""What is said in a case: in threads of all parties, and of one party with the coordinators. Sealed by the vault.

A thread of one party is for its organisation and the coordinators alone, and only as long as it is a party: its
audience is the meet of both. Reading is an entry of the log.
"""

from __future__ import annotations

from datetime import datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import replace

from clearway import ledger
from clearway.records.errors import (
    ForbiddenError,
    InputError,
    IntegrityError,
    NotFoundError,
    TooLargeError,
    TooManyRequestsError,
)
from clearway.records.text import plain
from clearway.store import events
from clearway.store.scalar import scalar

from . import kept, words

if TYPE_CHECKING:
    import psycopg

    from ..vault import Vault
    from .kept import Case

    Connection = psycopg.Connection[Any]

MAX_CHARS = 20_000  # of one message
MAX_MESSAGES = 100  # of one party in a day
MAX_BYTES = 400_000  # of these together
MOST_SHOWN = 500  # messages that are read at once


class Thread(Struct, frozen=True, kw_only=True):
    """One thread. `party` None: of all parties."""

    id: int
    party: int | None
    product: str
    topic: str
    made: datetime
    messages: int


class Message(Struct, frozen=True, kw_only=True):
    """One message as it was said; the text is data wherever it is shown."""

    id: int
    party: int | None  # None: a coordinator
    text: str
    at: datetime


_SELECT = """select t.thread, t.party, t.product, t.topic, t.made,
    (select count(*)::int from clearway.case_message m where m.thread = t.thread) from clearway.case_thread t"""


def add(
    db: Connection, vault: Vault, case: Case, topic: str, *, to: int | None = None, product: str = ""
) -> Thread:
    """A new thread, of all parties or of one (`to`) with the coordinators.

    Raises:
        InputError: it has no topic.
        ForbiddenError: the caller is no coordinator.
    """
    kept.check_open(case)
    if not topic.strip():
        raise InputError("say what it is about", where="topic")
    aud = case.aud
    if to is not None:
        # Who has no account is spoken to by mail, and here by the coordinators in its name.
        aud = scalar(db, "select clearway.thread_audience(%s, %s)", (case.id, to))
    sealed = words.seal(vault, case.subject, "topic", plain(topic.strip(), 200))
    row = db.execute(
        """insert into clearway.case_thread (case_id, org, aud, party, product, topic)
        values (%s, %s, %s, %s, %s, %s) returning thread""",
        (case.id, case.org, aud, to, plain(product, 2000), sealed),
    ).fetchone()
    assert row is not None
    made = one(db, case, row[0])
    ledger.append(db, "thread.opened", f"{case.subject}/thread/{made.id}", {"party": to}, aud=aud)
    return made


def listed(db: Connection, case: Case) -> list[Thread]:
    """The threads of the case that the caller may see, in order."""
    return [
        _thread(row) for row in db.execute(f"{_SELECT} where t.case_id = %s order by t.thread", (case.id,))
    ]


def one(db: Connection, case: Case, number: int) -> Thread:
    """The case's thread of that number. Raises NotFoundError."""
    row = db.execute(f"{_SELECT} where t.thread = %s and t.case_id = %s", (number, case.id)).fetchone()
    if row is None:
        raise NotFoundError("no such thread", where=f"thread/{number}")
    return _thread(row)


def say(
    db: Connection, vault: Vault, case: Case, thread: Thread, text: str, *, speaker: int | None = None
) -> int:
    """Adds a message; its number. `speaker` is the party that speaks, None the coordinators.

    Raises:
        InputError: it is empty.
        TooLargeError: it is longer than 20,000 characters.
        TooManyRequestsError: the party has said a hundred messages, or 400 kB, in a day.
        ForbiddenError: the caller may not speak there, or not in that name.
    """
    kept.check_open(case)
    words = text.replace("\r\n", "\n").replace("\0", "\ufffd").strip()
    if not words:
        raise InputError("the message is empty", where="text")
    if len(words) > MAX_CHARS:
        raise TooLargeError("the message is too long", where="text", mend=f"at most {MAX_CHARS:,} characters")
    try:
        data = words.encode()
    except UnicodeEncodeError:
        raise InputError("the message is no text", where="text") from None
    if speaker is None and not _is_desk(db):
        raise ForbiddenError("say for which party you speak", where="party")
    if speaker is not None:
        _bounded(db, speaker, len(data))
    digest = sha256(data).digest()
    sealed = vault.seal(case.subject, data, label=_label(thread.id, digest.hex()))
    aud = _audience(db, thread)
    row = db.execute(
        """insert into clearway.case_message (thread, org, aud, party, sealed, sha256, bytes)
        values (%s, %s, %s, %s, %b, %s, %s) returning message""",
        (thread.id, case.org, aud, speaker, sealed, digest, len(data)),
    ).fetchone()
    assert row is not None
    subject = f"{case.subject}/thread/{thread.id}"
    ledger.append(db, "message.added", subject, {"party": speaker, "sha256": digest.hex()}, aud=aud)
    from .mail import queue_all

    org = case.org if _is_desk(db) else None  # a party acts for itself, and the case is the house's
    events.emit(
        db, "message.added", case.subject, org=org, aud=aud,
        body={"handling": case.handling, "thread": thread.id},
    )  # fmt: skip
    queue_all(db, case, "said", only=thread.party, but=speaker)
    return int(row[0])


def _bounded(db: Connection, speaker: int, size: int) -> None:
    """Everybody who takes part reads what one party says: it says so much in a day."""
    row = db.execute(
        """select count(*)::int, coalesce(sum(bytes), 0)::int from clearway.case_message
        where party = %s and at > clock_timestamp() - interval '1 day'""",
        (speaker,),
    ).fetchone()
    assert row is not None
    if row[0] >= MAX_MESSAGES or row[1] + size > MAX_BYTES:
        raise TooManyRequestsError(
            "that is much for one day", where="text", mend="go on tomorrow", retry_after_s=3600
        )


def read(
    db: Connection,
    vault: Vault,
    case: Case,
    thread: Thread,
    *,
    logged: bool = True,
    before: int = 0,
    most: int = MOST_SHOWN,
) -> list[Message]:
    """The messages of a thread, oldest first: the newest `most`, or of those before the message `before`.

    That they were read is on the log.

    Raises:
        IntegrityError: what is kept is not what was said.
        NotFoundError: the case's key is not in this home.
    """
    rows = db.execute(
        """select message, party, sealed, encode(sha256, 'hex'), at from (
            select * from clearway.case_message where thread = %s and (%s = 0 or message < %s)
            order by message desc limit %s) m
        order by message""",
        (thread.id, before, before, max(1, min(most, MOST_SHOWN))),
    ).fetchall()
    found = []
    for number, speaker, sealed, digest, at in rows:
        data = vault.open(case.subject, sealed, label=_label(thread.id, digest))
        if sha256(data).hexdigest() != digest:
            raise IntegrityError("the message's hash does not hold", where=f"message/{number}")
        found.append(Message(id=number, party=speaker, text=data.decode("utf-8", "replace"), at=at))
    if logged and found:
        ledger.append_read(db, [f"{case.subject}/thread/{thread.id}"], _audience(db, thread))
    return found


def _is_desk(db: Connection) -> bool:
    row = db.execute("select clearway.is_desk()").fetchone()
    return bool(row and row[0])


def _audience(db: Connection, thread: Thread) -> int:
    return scalar(db, "select aud::int from clearway.case_thread where thread = %s", (thread.id,))


def _label(thread: int, digest: str) -> str:
    return f"message/{thread}/{digest}"


def titled(vault: Vault, case: Case, thread: Thread) -> Thread:
    """The thread with its topic, which is sealed as it is kept. Raises as `words.opened`."""
    return replace(thread, topic=words.opened(vault, case.subject, "topic", thread.topic))


def _thread(row: tuple[Any, ...]) -> Thread:
    return Thread(**dict(zip(Thread.__struct_fields__, row, strict=True)))
