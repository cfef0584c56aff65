"""Letters about cases and findings, to members who asked for them on *Your account*.

    1. Each minute, for each reader for whom it is time, the numbers of the events that a letter may tell of are fixed
       with its id, in one transaction: two letters never tell of one event, and none is passed over.
    2. A letter is made under its reader's own rights as they are now, and sent. What they may not see is not in it.
    3. Once the server has taken it, it is gone. A crash before that sends it again under the same Message-ID.

However much has happened, a letter has one line for each case and finding: cases first, then what evidence has shown,
then receipts. Those beyond the first lines are named by their handling ids, and beyond `MOST_NAMED` counted. Trials are
no news.

A letter lies in other people's systems. It bears the strictest marking of all that it tells of, handling ids and counts
too. Of what is marked TLP:AMBER+STRICT or RED it has the handling id and a link, and neither what happened, how often,
nor a title; of TLP:AMBER too, unless the installation's `details` allow more; and where any of it is, the letter has no
counts. A title is the published document's: that of a case or a report is its reporter's.
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

    from clearway.access.marking import Tlp

    from .mail import Settings

    Connection = psycopg.Connection[Any]
    Transaction = AbstractContextManager[Connection]

MOST_LINES = 25  # cases and findings with lines of their own
MOST_NAMED = 2_000  # and those that are named at all: some 30 KB of handling ids
KINDS = (  # the events that are news, as the database's trigger keeps them (`desk_news`)
    "message.added", "party.escalated", "case.embargo_proposed", "case.embargo_soon", "case.held",
    "case.listed_before", "case.released", "finding.received", "finding.levelled",
)  # fmt: skip
ACTS = ("notify", "dispute")  # and of "case.moved" these
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
    "case.held": "the embargo no longer ends by itself: every finding is withdrawn",
    "case.listed_before": "its CVE id was listed as exploited before it was noted or the embargo armed: nothing ended",
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
    words: tuple[str, ...] = ()
    title: str = ""


class Told(Struct, frozen=True, kw_only=True):
    """What a letter tells: what it names, at most `MOST_NAMED`, and how many cases and findings more there are.

    `marking` is the strictest of all of them. Not `counted`: it is above what may be said in a mail here, so that the
    letter has no numbers.
    """

    found: tuple[News, ...] = ()
    cases: int = 0
    findings: int = 0
    marking: Tlp = "RED"
    counted: bool = False

    @property
    def all(self) -> int:
        """Of how many cases and findings there is news."""
        return len(self.found) + self.cases + self.findings


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


def own(owner: Connection, letter: Waiting) -> list[int]:
    """The events that a letter does not tell of: those that its reader has caused; as the owner."""
    rows = owner.execute(
        "select seq from clearway.desk_news where seq > %s and seq <= %s and by_person = %s",
        (letter.after, letter.upto, letter.person),
    )
    return [row[0] for row in rows]


# All is told apart by case and finding before anything is cut, so that no number of events keeps one from being told.
_NEWS = """with news as materialized (
    select subject, kind, body ->> 'act' as act, aud::int as aud, count(*) as number, max(seq) as newest
    from clearway.event
    where seq > %(after)s and seq <= %(upto)s and seq <> all(%(own)s::bigint[])
        and (kind = any(%(kinds)s) or kind = 'case.moved' and body ->> 'act' = any(%(acts)s))
    group by 1, 2, 3, 4
), about as (
    select n.*, c.handling, true as is_case, c.released is not null as released, c.open_aud::int as open_aud,
        c.aud::int as own_aud
    from news n join clearway.desk_case c on c.handling = substr(n.subject, 6) where n.subject like 'case/%%'
    union all
    select n.*, f.handling, false, false, 0, f.aud::int
    from news n join clearway.finding f on f.handling = substr(n.subject, 9)
    where n.subject like 'finding/%%' and f.live
), one as (
    select handling, is_case, released, open_aud, max(newest) as newest,
        bool_and(kind = 'finding.received') as receipt,
        jsonb_agg(jsonb_build_array(coalesce(act, kind), kind, aud) order by newest) as what
    from about group by 1, 2, 3, 4
), marked as (  -- that a case was released, and its handling id from then on, are marked as what it is released to
    select case when released and kind = 'case.released' then open_aud else aud end as aud from about
    union select case when released then open_aud else own_aud end from about
)
select handling, is_case, released, open_aud, what,
    count(*) filter (where is_case) over ()::int, count(*) filter (where not is_case) over ()::int,
    array(select aud from marked)
from one order by is_case desc, receipt, newest desc limit %(most)s"""


def gather(db: Connection, letter: Waiting, own: Sequence[int] = (), *, details: bool = False) -> Told:
    """What a reader may see of the events that are a letter's, but for those numbered `own`, by case and finding.

    In a transaction that acts for them. An event counts where its case or finding can be opened too.
    """
    from clearway.findings.case import release

    rows = db.execute(
        _NEWS,
        {
            "after": letter.after, "upto": letter.upto, "own": [*own], "kinds": [*KINDS], "acts": [*ACTS],
            "most": MOST_NAMED,
        },
    ).fetchall()  # fmt: skip
    if not rows:
        return Told()
    travels = _Travels(db, details=details)
    marking = audience.strictest(db, rows[0][7], least="AMBER" if details else "GREEN")
    found = []
    for place, (handling, is_case, released, open_aud, what, *_) in enumerate(rows):
        public = is_case and released and travels(open_aud)
        words = [
            _WORDS.get(act, _WORDS.get(kind, "news"))
            for act, kind, aud in what
            if travels(aud) or (public and kind == "case.released")
        ]
        title = plain(release.title(db, handling), 200) if public and place < MOST_LINES else ""
        found.append(
            News(
                handling=handling, path=f"/{'cases' if is_case else 'findings'}/{handling}",
                words=tuple(dict.fromkeys(words)), title=title,
            )
        )  # fmt: skip
    named = sum(row[1] for row in rows)
    return Told(
        found=tuple(found), cases=rows[0][5] - named, findings=rows[0][6] - (len(rows) - named),
        marking=marking, counted=f"TLP:{marking}" in travels.open,
    )  # fmt: skip


class _Travels:
    """Whether what has an audience may be named in a mail, by its marking as it is now."""

    def __init__(self, db: Connection, *, details: bool) -> None:
        self._db, self._known = db, dict[int, bool]()
        self.open = ("TLP:CLEAR", "TLP:GREEN", "TLP:AMBER") if details else ("TLP:CLEAR", "TLP:GREEN")

    def __call__(self, aud: int) -> bool:
        if aud not in self._known:
            self._known[aud] = audience.meaning(self._db, aud).label in self.open
        return self._known[aud]


def subject_of(told: Told) -> str:
    """The subject: a handling id, or how many there are where that may be said."""
    what = f"{told.all:,} cases and findings" if told.counted else "cases and findings"
    return f"[TLP:{told.marking}] Clearway: news of {told.found[0].handling if told.all == 1 else what}"


def text_of(told: Told, to: Reader, base_url: str) -> str:
    """The body."""
    base = base_url.rstrip("/")
    parts = [f"TLP:{told.marking}", "", f"{plain(to.name, 200)}, there is news:", ""]
    for one in told.found[:MOST_LINES]:
        head = f"{one.handling}: {one.title}" if one.title else one.handling
        parts += [head, f"  {'; '.join(one.words) or 'something new'}", f"    {base}{one.path}", ""]
    named = [one.handling for one in told.found[MOST_LINES:]]
    if named:
        parts += [f"and of {len(named):,} others:" if told.counted else "and of others:", *_lines(named), ""]
    for number, noun in ((told.cases, "case"), (told.findings, "finding")):
        if number:
            many = f"{noun} that is" if number == 1 else f"{noun}s that are"
            more = f"{number:,} {many}" if told.counted else f"more {noun}s that are"
            parts += [f"and of {more} not named here: {base}/{noun}s", ""]
    parts += [
        "What is marked above that is not named in a mail: sign in to see it."
        if told.counted
        else "Of what is marked so, a mail has handling ids alone: sign in to see it, and don't pass them on.",
        f"Change or end these letters: {account(base_url)}",
        "",
    ]
    return "\n".join(parts)


def _lines(handlings: Sequence[str]) -> list[str]:
    """Handling ids, six a line: a line of a mail has at most 998 characters (RFC 5322 §2.1.1)."""
    return [f"  {', '.join(handlings[n : n + 6])}" for n in range(0, len(handlings), 6)]


def letter_of(settings: Settings, told: Told, to: Reader, letter: UUID, now: datetime) -> EmailMessage:
    """The message, ready to be sent. Raises InputError as `mail.message` does."""
    from clearway.findings.case.mail import as_html

    from . import mail

    text = text_of(told, to, settings.base_url)
    return mail.message(
        settings, to=to.email, name=to.name, subject=subject_of(told), text=text,
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
            to, mine = reader(db, one.person), own(db, one)
        told = Told()
        if to is not None:
            with acting(one.person) as db:
                told = gather(db, one, mine, details=settings.details)
        with owner() as db:  # held while it is sent: what ends the letter is committed with the server's word
            if not _held(db, one):
                continue
            try:
                if to is not None and told.found:
                    mail.send(settings, letter_of(settings, told, to, one.letter, now()))
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
