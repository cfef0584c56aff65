"""Letters about cases and findings, to members who asked for them on *Your account*.

    1. Each minute, for each reader for whom it is time, the numbers of the events that a letter may tell of are fixed
       with its id, in one transaction: two letters never tell of one event, and none is passed over.
    2. A letter is made under its reader's own rights as they are now, and sent. What they may not see is not in it.
    3. Once the server has taken it, it is gone. A crash before that sends it again under the same Message-ID.

A letter lies in other people's systems. Of what is marked TLP:AMBER+STRICT or RED it has the handling id and a link,
and neither what happened nor a title; of TLP:AMBER too, unless the installation's `details` allow more.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from msgspec import Struct

from clearway.access import audience
from clearway.records.errors import ClearwayError, InputError
from clearway.records.text import plain
from clearway.store import events

from .digest import account, next_period, period_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager
    from email.message import EmailMessage

    import psycopg

    from .mail import Settings

    Connection = psycopg.Connection[Any]
    Transaction = AbstractContextManager[Connection]

MOST_EVENTS = 500  # that one letter tells of
MOST_LINES = 25
MAX_TRIES = 12
MOST_WAIT = timedelta(hours=6)
MOST_FAULTS = 3  # letters that fail one after another: it is the server then
KEEP_DAYS = 90
_WORDS = {
    "message.added": "a new message",
    "notify": "a vendor is asked",
    "dispute": "the report is disputed",
    "party.escalated": "a vendor who has not answered is asked again",
    "case.embargo_proposed": "an end of the embargo is proposed",
    "case.embargo_soon": "the embargo ends within three days",
    "case.released": "the embargo has ended",
    "finding.received": "it is received, with its receipt",
    "finding.levelled": "it has reached another level of evidence",
}


class Waiting(Struct, frozen=True, kw_only=True):
    """A letter that is due: to whom, and of which events."""

    letter: UUID
    person: int
    after: int
    upto: int
    tries: int


class Reader(Struct, frozen=True, kw_only=True):
    """To whom a letter goes."""

    name: str
    email: str


class News(Struct, frozen=True, kw_only=True):
    """What is new of one case or finding: `words` and `title` only where both may travel by mail."""

    handling: str
    path: str  # "/cases/CWC-…"
    number: int
    words: tuple[str, ...] = ()
    title: str = ""


def start(owner: Connection, now: datetime, hour: int) -> int:
    """Fixes the letters for whom it is time, as the owner; how many. Days of digests begin at `hour`, as those of
    `digest.period_of`."""
    reached = events.horizon(owner).reached
    readers = owner.execute(
        """select r.person, r.seq, r.period, p.desk_mail, p.time_zone from clearway.desk_news_reader r
        join clearway.person p using (person)
        where p.active and p.kind = 'person' and p.email <> '' and r.seq < %s
        order by r.person for update of r""",
        (reached,),
    ).fetchall()
    made = 0
    for person, seq, last, rhythm, zone in readers:
        period = ""
        if rhythm == "digest":
            period = period_of("daily", zone, now, hour)
            if not last:  # who has just asked gets the first one when the next day begins
                owner.execute(
                    "update clearway.desk_news_reader set period = %s where person = %s", (period, person)
                )
                continue
            if period == last:
                continue
        made += owner.execute(
            """insert into clearway.desk_news_letter (person, after, upto)
            select %(person)s, %(seq)s, %(reached)s where exists (select from clearway.desk_news
                where seq > %(seq)s and seq <= %(reached)s and by_person <> %(person)s)""",
            {"person": person, "seq": seq, "reached": reached},
        ).rowcount
        owner.execute(
            "update clearway.desk_news_reader set seq = %s, period = %s where person = %s",
            (reached, period, person),
        )
    owner.execute(
        "delete from clearway.desk_news_letter where failed <> '' and made < %s",
        (now - timedelta(days=KEEP_DAYS),),
    )
    owner.execute(  # an event itself is no older
        "delete from clearway.desk_news where at < %s", (now - timedelta(days=KEEP_DAYS),)
    )
    return made


def due(owner: Connection, now: datetime) -> list[Waiting]:
    """The letters that are due, those that were never tried first; at most 500, as the owner."""
    rows = owner.execute(
        """select letter, person, after, upto, tries from clearway.desk_news_letter
        where failed = '' and (next_try is null or next_try <= %s) order by tries, made, letter limit 500""",
        (now,),
    )
    return [Waiting(letter=a, person=b, after=c, upto=d, tries=e) for a, b, c, d, e in rows]


def reader(owner: Connection, person: int) -> Reader | None:
    """The person as they are now; None for who has left or wants no letters any more."""
    row = owner.execute(
        """select name, email from clearway.person
        where person = %s and active and kind = 'person' and email <> '' and desk_mail <> 'never'""",
        (person,),
    ).fetchone()
    return None if row is None else Reader(name=row[0], email=row[1])


def others(owner: Connection, letter: Waiting) -> list[int]:
    """The events that a letter may tell of: those that its reader has not caused; as the owner."""
    rows = owner.execute(
        """select seq from clearway.desk_news where seq > %s and seq <= %s and by_person <> %s
        order by seq desc limit 20000""",
        (letter.after, letter.upto, letter.person),
    )
    return [row[0] for row in rows]


def gather(db: Connection, seqs: Sequence[int], *, details: bool = False) -> list[News]:
    """What of these events a reader may see, in a transaction that acts for them, by case and finding.

    An event counts where its case or finding can be opened too; the newest `MOST_EVENTS` are told of.
    """
    rows = db.execute(
        """select e.kind, e.subject, e.aud::int, e.body ->> 'act', coalesce(c.handling, f.handling),
            c.title, c.released is not null, c.open_aud::int
        from clearway.event e
        left join clearway.desk_case c on e.subject = 'case/' || c.handling
        left join clearway.finding f on e.subject = 'finding/' || f.handling
        where e.seq = any(%s) and coalesce(c.handling, f.handling) is not null
        order by e.seq desc limit %s""",
        ([*seqs], MOST_EVENTS),
    ).fetchall()
    travels = _Travels(db, details=details)
    found: dict[str, dict[str, Any]] = {}
    for kind, subject, aud, act, handling, title, released, open_aud in reversed(rows):
        where, _, _ = subject.partition("/")
        public = bool(released) and travels(open_aud)
        one = found.setdefault(
            subject,
            {"handling": handling, "path": f"/{where}s/{handling}", "number": 0, "words": {}, "title": ""},
        )
        one["number"] += 1
        if public:
            one["title"] = plain(title, 200)
        if travels(aud) or (public and kind == "case.released"):
            one["words"][_WORDS.get(act or kind, _WORDS.get(kind, "news"))] = None
    return [News(**{**one, "words": tuple(one["words"])}) for one in found.values()]


class _Travels:
    """Whether what has an audience may be named in a mail, by its marking as it is now."""

    def __init__(self, db: Connection, *, details: bool) -> None:
        self._db, self._known = db, dict[int, bool]()
        self._open = ("TLP:CLEAR", "TLP:GREEN", "TLP:AMBER") if details else ("TLP:CLEAR", "TLP:GREEN")

    def __call__(self, aud: int) -> bool:
        if aud not in self._known:
            self._known[aud] = audience.meaning(self._db, aud).label in self._open
        return self._known[aud]


def subject_of(found: Sequence[News], *, details: bool = False) -> str:
    """The subject: handling ids and numbers alone."""
    what = found[0].handling if len(found) == 1 else f"{len(found):,} cases and findings"
    return f"[TLP:{marking(details=details)}] Clearway: news of {what}"


def marking(*, details: bool) -> str:
    """The marking of a letter: that of the most that may be named in it."""
    return "AMBER" if details else "GREEN"


def text_of(found: Sequence[News], to: Reader, base_url: str, *, details: bool = False) -> str:
    """The body."""
    base = base_url.rstrip("/")
    parts = [f"TLP:{marking(details=details)}", "", f"{plain(to.name, 200)}, there is news:", ""]
    for one in found[:MOST_LINES]:
        head = f"{one.handling}: {one.title}" if one.title else one.handling
        told = "; ".join(one.words) or (
            "something new" if one.number == 1 else f"{one.number:,} things are new"
        )
        parts += [head, f"  {told}", f"    {base}{one.path}", ""]
    if len(found) > MOST_LINES:
        parts += [f"and {len(found) - MOST_LINES:,} others: {base}/cases", ""]
    parts += [
        "What is marked above that is not named in a mail: sign in to see it.",
        f"Change or end these letters: {account(base_url)}",
        "",
    ]
    return "\n".join(parts)


def letter_of(
    settings: Settings, found: Sequence[News], to: Reader, letter: UUID, now: datetime
) -> EmailMessage:
    """The message, ready to be sent. Raises InputError as `mail.message` does."""
    from clearway.findings.case.mail import as_html

    from . import mail

    text = text_of(found, to, settings.base_url, details=settings.details)
    return mail.message(
        settings, to=to.email, name=to.name, subject=subject_of(found, details=settings.details), text=text,
        html=as_html(text), reference=f"news.{letter}", unsubscribe=account(settings.base_url), at=now,
    )  # fmt: skip


def send_waiting(
    settings: Settings,
    owner: Callable[[], Transaction],
    acting: Callable[[int], Transaction],
    now: Callable[[], datetime],
    stopping: Callable[[], bool] = lambda: False,
) -> int:
    """Sends the letters that are due, each by itself; how many went out.

    Raises:
        UpstreamError, ConfigError: the mail server did not take some, or refuses us; those wait.
    """
    from . import mail

    with owner() as db:
        waiting = due(db, now())
    sent = faults = 0
    problem: ClearwayError | None = None
    for one in waiting:
        if faults >= MOST_FAULTS or stopping():
            break
        with owner() as db:
            to, seqs = reader(db, one.person), others(db, one)
        found: list[News] = []
        if to is not None and seqs:
            with acting(one.person) as db:
                found = gather(db, seqs, details=settings.details)
        with owner() as db:  # held while it is sent: what ends the letter is committed with the server's word
            if not _held(db, one):
                continue
            try:
                if to is not None and found:
                    mail.send(settings, letter_of(settings, found, to, one.letter, now()))
                    sent += 1
            except InputError as error:
                _failed(db, one, plain(str(error), 300))
            except ClearwayError as error:
                problem, faults = error, faults + 1
                _again(db, one, now(), plain(str(error), 300))
                continue
            else:
                db.execute("delete from clearway.desk_news_letter where letter = %s", (one.letter,))
            faults = 0
    if problem is not None:
        raise problem
    return sent


def _held(owner: Connection, one: Waiting) -> bool:
    row = owner.execute(
        "select from clearway.desk_news_letter where letter = %s and failed = '' for update skip locked",
        (one.letter,),
    ).fetchone()
    return row is not None


def _failed(owner: Connection, one: Waiting, why: str) -> None:
    owner.execute("update clearway.desk_news_letter set failed = %s where letter = %s", (why, one.letter))


def _again(owner: Connection, one: Waiting, now: datetime, why: str) -> None:
    if one.tries + 1 >= MAX_TRIES:
        _failed(owner, one, why)
        return
    wait = min(timedelta(minutes=1 << one.tries), MOST_WAIT)
    owner.execute(
        "update clearway.desk_news_letter set tries = tries + 1, next_try = %s where letter = %s",
        (now + wait, one.letter),
    )


class Scheduled(Struct, frozen=True, kw_only=True):
    """One person's letters about cases and findings."""

    person: int
    name: str
    rhythm: str
    next: datetime | None  # of digests: from when on the next goes out, UTC
    waiting: int
    failed: int


def schedule(owner: Connection, now: datetime, hour: int) -> list[Scheduled]:
    """Who gets such letters, how many wait and how many failed for good in a quarter; as the owner, by number."""
    rows = owner.execute(
        """select p.person, p.name, p.desk_mail, p.time_zone,
            count(l.letter) filter (where l.failed = '')::int, count(l.letter) filter (where l.failed <> '')::int
        from clearway.person p left join clearway.desk_news_letter l using (person)
        where p.active and p.kind = 'person' and p.desk_mail <> 'never' and p.email <> ''
        group by p.person order by p.person"""
    ).fetchall()
    return [
        Scheduled(
            person=person, name=name, rhythm=rhythm, waiting=waiting, failed=failed,
            next=next_period("daily", zone, now, hour) if rhythm == "digest" else None,
        )
        for person, name, rhythm, zone, waiting, failed in rows
    ]  # fmt: skip
