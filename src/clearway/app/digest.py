"""The digest: what waits for a reader, read under the reader's own rights and put into a mail.

A mail lies in other people's systems. It bears the strictest marking of all that it counts or names (TLP 2.0: what is
derived is for those who may see every part of it). Up to TLP:GREEN it has counts and links, and no name of an asset,
component or flaw. Above that it says that something waits, and where; unless the installation's settings allow details.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from msgspec import Struct

from clearway.access import audience
from clearway.advisories import feeds
from clearway.directives.kept import addresses, triages
from clearway.exposure.fleet import page_age, week
from clearway.ledger.reading import Note
from clearway.records.principal import Principal
from clearway.records.text import plain

if TYPE_CHECKING:
    from collections.abc import Iterable

    import psycopg

    from clearway.access.marking import Tlp
    from clearway.advisories.table_meta import Meta

    from .mail import Settings

_COLOURS = {  # of TLP 2.0
    "CLEAR": "#ffffff", "GREEN": "#33ff00", "AMBER": "#ffc000", "AMBER+STRICT": "#ffc000", "RED": "#ff2b2b",
}  # fmt: skip
_MOST_ORGANISATIONS = 20
_STEPS = 3


class Recipient(Struct, frozen=True, kw_only=True):
    """Who wants a digest, how often, and where they live."""

    person: int
    name: str
    email: str
    rhythm: str  # daily, weekly
    time_zone: str


class Waiting(Struct, frozen=True, kw_only=True):
    """What waits in one organisation. `steps` in words: only where details are allowed."""

    slug: str
    name: str
    due: int
    overdue: int
    exact: bool
    notes: int  # directives to take note of
    triages: int
    empty: bool = False  # no asset is kept, or none that the reader may see: nothing can be said
    steps: tuple[str, ...] = ()


class Digest(Struct, frozen=True, kw_only=True):
    """All of it for one reader on one day.

    `marking` is the strictest of what is counted and named, also where the count is 0. Not `told`: it is above what may
    stand in a mail here, so that nothing of it is. `old` is what of the loaded data is older than its limit: not
    `told`, only what is not made of anybody's assets.
    """

    name: str
    rhythm: str
    day: date
    marking: Tlp
    organisations: tuple[Waiting, ...]
    stale: int  # feeds
    told: bool = True
    old: tuple[page_age.Old, ...] = ()

    @property
    def anything(self) -> bool:
        """Whether there is something to say."""
        return bool(self.stale or self.old) or any(o.due or o.notes or o.triages for o in self.organisations)

    @property
    def subject(self) -> str:
        if not self.told:
            # A weekly one comes whatever waits: its words are the same with and without.
            what = "your week" if self.rhythm == "weekly" else "something waits for you"
            return f"[TLP:{self.marking}] Clearway: {what}"
        due, over = sum(o.due for o in self.organisations), sum(o.overdue for o in self.organisations)
        words = (
            f"{due:,} due within a week, {over:,} of them overdue" if due else "nothing is due within a week"
        )
        age = f"; the data is {self.old[0].days:,} days old" if self.old and not due else ""
        return f"[TLP:{self.marking}] Clearway: {words}{age}"


def zone_of(name: str) -> ZoneInfo:
    """A time zone by its name; UTC for none that is known."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo("UTC")


def period_of(rhythm: str, time_zone: str, now: datetime, hour: int) -> str:
    """The period whose digest is due at `now`: "2026-11-26" or "2026-W48"; "" for no rhythm.

    Days begin at `hour` in the reader's own zone; weeks on Monday.
    """
    local = now.astimezone(zone_of(time_zone)) - timedelta(hours=hour)
    if rhythm == "daily":
        return local.date().isoformat()
    if rhythm == "weekly":
        year, number, _ = local.isocalendar()
        return f"{year}-W{number:02}"
    return ""


def due(owner: psycopg.Connection[Any], now: datetime, hour: int) -> list[tuple[Recipient, str]]:
    """Whose digest is due, with its period, as the owner. Who was added in a period gets the next one's."""
    rows = owner.execute(
        """select p.person, p.name, p.email, p.digest, p.time_zone, coalesce(s.period, ''), p.created
        from clearway.person p left join clearway.digest_sent s on s.person = p.person
        where p.active and p.kind = 'person' and p.digest <> 'never' and p.email <> '' order by p.person"""
    ).fetchall()
    found = []
    for person, name, email, rhythm, time_zone, last, created in rows:
        period = period_of(rhythm, time_zone, now, hour)
        # Who is new gets the first one when the next period begins, and not at once.
        if period and period != (last or period_of(rhythm, time_zone, created, hour)):
            found.append(
                (Recipient(person=person, name=name, email=email, rhythm=rhythm, time_zone=time_zone), period)
            )
    return found


class Scheduled(Struct, frozen=True, kw_only=True):
    """One person's digests: the period of the last, "" for none yet, and from when on the next goes out."""

    person: int
    name: str
    rhythm: str
    time_zone: str
    last: str
    next: datetime  # UTC


def schedule(owner: psycopg.Connection[Any], now: datetime, hour: int) -> list[Scheduled]:
    """Who gets digests, as the owner, by number. One that is due already goes out with the worker's next round."""
    waiting = {to.person for to, _ in due(owner, now, hour)}
    rows = owner.execute(
        """select p.person, p.name, p.digest, p.time_zone, coalesce(s.period, '')
        from clearway.person p left join clearway.digest_sent s on s.person = p.person
        where p.active and p.kind = 'person' and p.digest <> 'never' and p.email <> '' order by p.person"""
    ).fetchall()
    return [
        Scheduled(person=person, name=name, rhythm=rhythm, time_zone=time_zone, last=last,
                  next=now if person in waiting else next_period(rhythm, time_zone, now, hour))
        for person, name, rhythm, time_zone, last in rows
    ]  # fmt: skip


def next_period(rhythm: str, time_zone: str, now: datetime, hour: int) -> datetime:
    """When the period after that of `now` begins, in UTC; `rhythm` is daily or weekly."""
    local = now.astimezone(zone_of(time_zone)) - timedelta(hours=hour)
    days = 1 if rhythm == "daily" else 7 - local.weekday()
    day = local.date() + timedelta(days=days)
    return datetime(day.year, day.month, day.day, hour, tzinfo=zone_of(time_zone)).astimezone(UTC)


def claim(owner: psycopg.Connection[Any], person: int, period: str) -> bool:
    """Notes that the digest of a period is on its way; False when it was noted before."""
    return (
        owner.execute(
            """insert into clearway.digest_sent as s (person, period) values (%s, %s)
            on conflict (person) do update set period = excluded.period, at = clock_timestamp()
            where s.period <> excluded.period""",
            (person, period),
        ).rowcount
        == 1
    )


def recipient(owner: psycopg.Connection[Any], person: int) -> Recipient | None:
    """The person as they are now; None for who has left or wants no digest any more."""
    row = owner.execute(
        """select person, name, email, digest, time_zone from clearway.person
        where person = %s and active and kind = 'person' and digest <> 'never' and email <> ''""",
        (person,),
    ).fetchone()
    return None if row is None else Recipient(**dict(zip(Recipient.__struct_fields__, row, strict=True)))


def gather(
    db: psycopg.Connection[Any],
    to: Recipient,
    now: datetime,
    *,
    details: bool = False,
    meta: Meta | None = None,
) -> Digest:
    """What waits for a reader, in a transaction that acts for them: what they may not see is not counted.

    `meta` is of the table that answers rest on, for its age. Where the mail tells of what is marked, that is an entry
    of the log.
    """
    row = db.execute("select clearway.whoami()::text").fetchone()
    me = msgspec.json.decode(row[0], type=Principal) if row and row[0] else None
    day = now.astimezone(UTC).date()
    found = []
    counted: set[int] = set()
    exact = True
    for member in (me.memberships if me else ())[:_MOST_ORGANISATIONS]:
        plan = week.plan(db, day, org=member.org, most=_STEPS, marked=True)
        notes = addresses.unnoted(db, member.org, day)
        opened = triages.open_of(db, member.slug, now=now)
        kept = _audiences(db, member.org)
        # "Nothing is due" is made of every asset that was looked at: it is as marked as they are.
        counted.update(plan.auds, notes.auds, opened.auds, kept)
        exact = exact and plan.exact
        found.append(
            Waiting(
                slug=member.slug, name=member.name, due=plan.due, overdue=plan.overdue, exact=plan.exact,
                notes=notes.number, triages=opened.number, empty=not kept,
                steps=tuple(_words(step) for step in plan.steps) if details else (),
            )
        )  # fmt: skip
    # What was counted no further than a bound is marked in ways that nobody has looked at.
    least: Tlp = "RED" if not exact or any(o.steps for o in found) else "GREEN"
    marking = audience.strictest(db, counted, least=least)
    told = details or marking == "GREEN"
    if told:  # a mail is read where nobody sees it: that it was made is what the log can tell
        Note(db, f"mail/{to.person}", route="mail/digest").counted("digest", "", counted)
    old = page_age.old(db, None, meta, day)
    return Digest(
        name=to.name, rhythm=to.rhythm, day=day, organisations=tuple(found),
        marking=marking, told=told,
        stale=sum(bool(feed.stale) for feed in feeds.status(db)),
        old=old if told else tuple(o for o in old if o.what != "advisories"),
    )  # fmt: skip


def _audiences(db: psycopg.Connection[Any], org: int) -> list[int]:
    """Those of the assets of an organisation that the reader may see; none where there is no such asset."""
    rows = db.execute("select distinct aud::int from clearway.asset where org = %s", (org,)).fetchall()
    return [row[0] for row in rows]


def _words(step: week.Step) -> str:
    assets = ", ".join(name for _, name in step.assets[:3]) + (" …" if len(step.assets) > 3 else "")
    what = f"Update {step.called} to {step.to}" if step.to else f"Find the vendor's fix for {step.name}"
    until = f", due {step.due.isoformat()}" if step.due else ""
    unsaid = "" if step.to else " (no loaded source names a version)"
    return plain(f"{what} on {assets}{until}", 300 - len(unsaid)) + unsaid


def lines_of(digest: Digest, base_url: str) -> Iterable[tuple[str, list[tuple[str, str]]]]:
    """The digest as headings, each with its lines: what it says, and the address that shows it."""
    base = base_url.rstrip("/")
    if not digest.told:
        words = (
            "Sign in to see what waits"
            if digest.rhythm == "weekly"
            else "Something waits for you: sign in to see it"
        )
        yield "", [(words, f"{base}/")]
        yield from _data(digest, base)
        return
    for org in digest.organisations:
        here = f"?org={quote(org.slug)}"
        said: list[tuple[str, str]] = []
        if org.due:
            more = "" if org.exact else " or more"
            over = f", {org.overdue:,} of them overdue" if org.overdue else ""
            said.append((f"{org.due:,}{more} due within 7 days{over}", f"{base}/this-week{here}"))
        elif org.empty:
            said.append(("No asset is kept yet, so that nothing can be said", f"{base}/assets{here}"))
        else:
            said.append(("Nothing that we know of is due within 7 days", f"{base}/exposure{here}"))
        said += [(step, "") for step in org.steps]
        if org.notes:
            said.append((f"{_count(org.notes, 'directive waits', 'directives wait')} for you to take note",
                         f"{base}/directives{here}"))  # fmt: skip
        if org.triages:
            said.append((f"{_count(org.triages, 'forensic triage is', 'forensic triages are')} open",
                         f"{base}/directives/triages"))  # fmt: skip
        yield plain(org.name, 200), said
    yield from _data(digest, base)


def _data(digest: Digest, base: str) -> Iterable[tuple[str, list[tuple[str, str]]]]:
    """How old the data is, where it is too old."""
    said = []
    if digest.old:
        first, more = digest.old[0], len(digest.old) - 1
        others = f" and of {_count(more, 'other source', 'other sources')}" if more else ""
        said.append(
            f"The data is {first.days:,} days old ({first.title}: newest of {first.dated}){others}: what was published "
            "since is missing here"
        )
    if digest.stale:
        said.append(f"{_count(digest.stale, 'feed is', 'feeds are')} stale: answers rest on old data")
    if said:
        yield "Data", [(plain(words, 300), f"{base}/data") for words in said]


def text_of(digest: Digest, base_url: str) -> str:
    """The plain body."""
    parts = [f"TLP:{digest.marking}", "", f"{plain(digest.name, 200)}, what waits on {digest.day}:", ""]
    for heading, said in lines_of(digest, base_url):
        parts += [heading] if heading else []
        for words, address in said:
            parts.append(f"  {words}")
            if address:
                parts.append(f"    {address}")
        parts.append("")
    parts += [_foot(digest), f"Change or end it: {account(base_url)}", ""]
    return "\n".join(parts)


def html_of(digest: Digest, base_url: str) -> str:
    """The same as HTML: no picture, no script, nothing that is fetched when it is read."""
    from markupsafe import Markup

    rows = Markup("")
    for heading, said in lines_of(digest, base_url):
        if heading:
            rows += Markup('<h2 style="font-size:16px;margin:16px 0 4px">{}</h2>').format(heading)
        rows += Markup('<ul style="margin:0">')
        for words, address in said:
            item = (
                Markup('<a href="{}">{}</a>').format(address, words)
                if address
                else Markup("{}").format(words)
            )
            rows += Markup("<li>{}</li>").format(item)
        rows += Markup("</ul>")
    return str(
        Markup(
            '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{subject}</title></head>'
            '<body style="font-family:sans-serif;font-size:15px;line-height:1.4;max-width:640px">'
            '<p><strong style="background:#000;color:{colour};padding:2px 6px">TLP:{marking}</strong></p>'
            "<p>{name}, what waits on {day}:</p>{rows}"
            '<p style="color:#5b6570">{foot} <a href="{account}">Change or end it</a>.</p></body></html>\n'
        ).format(
            subject=digest.subject,
            marking=digest.marking,
            name=plain(digest.name, 200),
            day=digest.day,
            rows=rows,
            foot=_foot(digest),
            account=account(base_url),
            colour=_COLOURS[digest.marking],
        )
    )


def account(base_url: str) -> str:
    """Where the reader changes how often digests come."""
    return f"{base_url.rstrip('/')}/settings/account"


def _foot(digest: Digest) -> str:
    if not digest.told:
        shown = f"What waits is marked TLP:{digest.marking}, and a mail says no more of that."
    elif digest.marking == "GREEN":
        shown = "Nothing that is marked above TLP:GREEN is counted or named in it."
    else:
        shown = "It tells what is marked for you: don't pass it on."
    return f"You get this {digest.rhythm}. {shown}"


def _count(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"


def sent(settings: Settings, digest: Digest, to: Recipient, period: str, now: datetime) -> None:
    """Makes the mail and hands it to the server. Raises as `mail.send` and `mail.message`."""
    from . import mail

    mail.send(
        settings,
        mail.message(
            settings, to=to.email, name=to.name, subject=digest.subject, text=text_of(digest, settings.base_url),
            html=html_of(digest, settings.base_url), reference=f"digest.{to.person}.{period}",
            unsubscribe=account(settings.base_url), at=now,
        ),
    )  # fmt: skip
