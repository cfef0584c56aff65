"""What the pages of directives have in common."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from litestar.enums import RequestEncodingType
from litestar.params import Body
from msgspec import Struct
from msgspec.structs import replace

from clearway.http.pages import Tlp
from clearway.records.errors import InputError, NotFoundError
from clearway.records.text import plain

from .duties import duties
from .files import load, names
from .governing import governing
from .kept import addresses, issues, reports, standings
from .kept.governing import bearing
from .kept.who import organisation
from .reports.period import later

if TYPE_CHECKING:
    import psycopg

    from clearway.records.principal import Membership

    from .directive import Directive
    from .duties import Duties
    from .kept.who import Org
    from .standing import Standing

PAGE: dict[str, Any] = {"sync_to_thread": True, "include_in_schema": False}
FORM: Any = Body(media_type=RequestEncodingType.URL_ENCODED)
KINDS = {
    "seven_day": "Seven-day report",
    "two_week": "Two-week report",
    "overdue": "Overdue list",
    "addresses": "Public addresses",
    "lifecycle": "End-of-support edge devices",
}
STANDINGS = {
    "binding": "binding for {}",
    "adopted": "made a rule of its own by {}",
    "advisory": "advice for {}",
}


class About(Struct, frozen=True, kw_only=True):
    """What is known of a directive: its table and duties, where there are some, and how it is named."""

    id: str
    short: str
    title: str
    issuer: str
    url: str
    table: Directive | None
    duties: Duties | None
    by: str = ""  # who issued or took over the version here; "" for what ships
    reported: bool = (
        True  # whether reports are drawn up under `table`; not while its version waits to be taken note of
    )
    ended: date | None = None  # from which day on nothing is due under it any more, where that has come
    notice: str = ""  # what is to be said of it on that day; "" while it is in force
    comes: issues.Version | None = None  # where no version stands, the one that is issued and takes over next
    ahead: Directive | None = (
        None  # the table of what comes; `table` is None where nothing has stood before it
    )

    @property
    def version(self) -> str:
        """The version that is looked at: the one of `table`, else the one that comes; "" where there is no table."""
        found = self.table or self.ahead
        return "" if found is None else found.version

    @property
    def begins(self) -> date | None:
        """From which day on something is due under it, where no version stands and one is to come."""
        return None if self.comes is None else self.comes.begins

    @property
    def counts(self) -> bool:
        """Whether its dates are due to the organisation: its version stands, and reports are drawn up under it."""
        return self.table is not None and self.ended is None and self.reported

    @property
    def last_day(self) -> date | None:
        """The last day on which something was due under a directive that is revoked; None while it stands."""
        return None if self.ended is None else later(self.ended, -1)


def about(db: psycopg.Connection[Any], org: Org | None, directive: str, day: date) -> About:
    """A directive that ships, or of which the reader may see an issued version. Raises NotFoundError."""
    try:
        rules = duties(directive)
    except NotFoundError:
        rules = None
    table: Directive | None = None
    by, reported, notice = "", True, ""
    seen: Seen | None = None
    if org is not None and (directive in names() or issues.versions(db, directive)):
        try:
            table = reports.in_force(db, org, directive, day)
            by = _by(db, org, directive, day)
        except NotFoundError:
            table = None
    if table is None and directive in names():
        table = load(directive)
    if table is None and rules is None:
        seen = _seen(db, directive, day)
        if seen.idle:
            return _idle(seen)
        if not seen.begun:
            return _to_come(seen)
        table, by, notice = seen.table, seen.version.by_name, seen.notice
        reported = _was_reported(db, org, directive, table, day)
    if table is not None:
        return About(
            id=directive, short=table.short, title=table.title, issuer=table.issuer, url=table.url, table=table,
            duties=rules, by=by, reported=reported, ended=table.ended(day), notice=notice or table.notice(day),
            comes=seen.comes if seen else None, ahead=seen.ahead if seen else None,
        )  # fmt: skip
    assert rules is not None
    return About(
        id=directive, short=rules.short, title=rules.title, issuer=rules.issuer, url=rules.url, table=None,
        duties=rules,
    )  # fmt: skip


class Seen(Struct, frozen=True, kw_only=True):
    """What the reader may see of a directive that does not govern their organisation: one version, and its table.

    `comes`, of which `ahead` is the table, takes over next, from one that is revoked or as the first; `begun`: the day
    of `version` has come. `idle`: it is revoked before it begins, and nothing else comes.
    """

    version: issues.Version
    table: Directive
    notice: str = ""
    comes: issues.Version | None = None
    ahead: Directive | None = None
    begun: bool = True
    idle: bool = False


def _seen(db: psycopg.Connection[Any], directive: str, day: date) -> Seen:
    """The newest version that the reader may see and that stands, else the last that did, else what comes next.

    Of each organisation's versions the one that `issues.last_version` chooses, as the authority's own view does. One
    that its authority has revoked says so itself. Raises NotFoundError.
    """
    every = issues.versions(db, directive)
    if not every:
        raise NotFoundError("no such directive", where=plain(directive, 80))
    own: dict[tuple[str, bool], list[issues.Version]] = {}
    for v in every:
        own.setdefault((v.by, v.imported), []).append(v)
    last = [x for found in own.values() if (x := issues.last_version_of(found, directive, day)) is not None]
    coming = [x for found in own.values() if (x := issues.coming_of(found, directive, day)) is not None]
    comes = min(coming, key=lambda v: (v.begins, v.id), default=None)
    chosen = max(
        last, key=lambda v: (issues.as_issue(v).stands(day), v.issued, v.id), default=comes or every[-1]
    )
    table = issues.document(db, chosen.id).directive
    if chosen.revoked is not None and (table.revoked is None or chosen.revoked < table.revoked):
        table = replace(table, revoked=chosen.revoked, revoked_by="")
    if not last:
        notice = "" if comes is None else _begins(table.short, comes)
        idle = comes is None and issues.as_issue(chosen).idle
        return Seen(
            version=chosen, table=table, notice=notice, comes=comes, ahead=table, begun=False, idle=idle
        )
    if comes is None or table.ended(day) is None:
        return Seen(version=chosen, table=table)
    notice = f"{table.notice(day)}; {_begins('version', comes)}"
    ahead = issues.document(db, comes.id).directive
    return Seen(version=chosen, table=table, notice=notice, comes=comes, ahead=ahead)


def _begins(name: str, version: issues.Version) -> str:
    return f"{name} {version.version} is in effect from {version.begins} on"


def _to_come(seen: Seen) -> About:
    """A directive of which the first version is still to come: nothing is due under it, and no table counts yet."""
    table = seen.table
    return About(
        id=table.id, short=table.short, title=table.title, issuer=table.issuer, url=table.url, table=None,
        duties=None, by=seen.version.by_name, reported=False, notice=seen.notice, comes=seen.comes, ahead=seen.ahead,
    )  # fmt: skip


def _idle(seen: Seen) -> About:
    """A directive of which no version has begun and none will: nothing is counted under it."""
    table, v = seen.table, seen.version
    return About(
        id=table.id, short=table.short, title=table.title, issuer=table.issuer, url=table.url, table=None,
        duties=None, reported=False,
        notice=f"{table.short} {v.version} is revoked from {v.revoked} on, and was to begin on {v.begins}",
    )  # fmt: skip


def _was_reported(
    db: psycopg.Connection[Any], org: Org | None, directive: str, table: Directive, day: date
) -> bool:
    """Whether a report of the day before it was revoked can be drawn up by the organisation."""
    ended = table.ended(day)
    if org is None or ended is None:
        return False
    try:
        reports.in_force(db, org, directive, later(ended, -1))
    except NotFoundError:
        return False
    return True


def _by(db: psycopg.Connection[Any], org: Org, directive: str, day: date) -> str:
    found = governing(bearing(db, [org.org], day, reports.end_of(day))[org.org], directive)
    return "" if found is None else issues.version(db, found.version_id).by_name


def known(db: psycopg.Connection[Any]) -> list[str]:
    """The ids of all directives that the reader may see: those that ship, and those with an issued version."""
    return sorted({*names(), *_DUTIES, *(v.directive for v in issues.versions(db))})


_DUTIES = ("bod-26-02",)  # which has duties and no table


def standing_of(org: Org | None, directive: str, todos: tuple[addresses.ToDo, ...]) -> Standing:
    """What a directive is to the organisation: as it was addressed, else as the organisation has said."""
    return standings.held(org.standing if org is not None else {}, todos, directive).standing


def org_of(db: psycopg.Connection[Any], home: Membership | None) -> Org | None:
    """The organisation of a membership, as this room knows it."""
    return None if home is None else organisation(db, home.slug)


def private(home: Membership) -> Tlp:
    """The marking of what is made of an organisation's own fleet."""
    return Tlp("RED", f"for members of {home.name}")


def day_in(text: str, where: str) -> date:
    """A day from a form. Raises InputError."""
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        raise InputError("a day is wanted", where=where, mend="such as 2026-12-07") from None
