"""Changing the marking of something that is there: narrower at once, anything else by two people.

A person names it as "asset/17". Narrowing takes the right to change it. Whatever lets anybody see it who does not see
it now is *asked for*, and a coordinator or administrator of its organisation, another person, approves exactly that
change of exactly that row; approving carries it out. What is derived from the row follows in the same transaction, and
so do search, and the events about it that were told before.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from msgspec import UNSET, Struct, UnsetType

from clearway.records.errors import ConflictError, ForbiddenError, InputError, NotFoundError
from clearway.records.principal import Right
from clearway.store import events

from . import approval, audience, recipients
from .approval import Approval
from .audience import Meaning
from .marking import Marking, Tlp

if TYPE_CHECKING:
    import psycopg

    from clearway.records.principal import Principal


class Kind(NamedTuple):
    """A kind of thing with a marking: its table and key, what it is called, and the right to change it."""

    table: str
    key: str
    noun: str
    name: str  # SQL: how its page calls it
    right: Right
    page: str  # where its own page is, "" for none; {} is its number


# Closed: what is derived (inventories, exposures, events of a triage) follows what it is derived from, and what was
# said between two organisations (addresses, acknowledgements) stays between them.
KINDS: Mapping[str, Kind] = {
    "asset": Kind("asset", "asset", "asset", "t.name", "operate", "/assets/{}"),
    "report": Kind(
        "directive_report",
        "report",
        "report",
        "t.directive || ', ' || replace(t.kind, '_', ' ') || ', as of ' || t.as_of",
        "operate",
        "/directives/reports/{}",
    ),
    "triage": Kind(
        "triage",
        "triage",
        "triage",
        "t.flaw || ' on ' || t.asset_name",
        "operate",
        "/directives/triages/{}",
    ),
    "directive": Kind(
        "directive_version",
        "version_id",
        "directive version",
        "t.directive || ' ' || t.version",
        "direct",
        "",
    ),
    "rule": Kind("fleet_rule", "rule", "rule", "t.name", "operate", ""),
    "webhook": Kind(
        "webhook",
        "webhook",
        "webhook",
        "case when t.label = '' then 'to ' || t.url else t.label end",
        "administer",
        "",
    ),
    "marked": Kind("marked", "marked", "marked record", "t.source || ' ' || t.record", "coordinate", ""),
}
MOST_NUMBER = 2**63 - 1


class Marked(Struct, frozen=True, kw_only=True):
    """Something with its marking. `waiting` are the changes that were asked for and not yet decided.

    `may_change` says whether the reader may narrow it, and ask for anything else; `tag` changes with the marking.
    """

    kind: str
    number: int
    noun: str
    name: str
    org: int
    aud: int
    meaning: Meaning
    may_change: bool
    page: str = ""
    waiting: tuple[Approval, ...] = ()

    @property
    def embargo(self) -> int:
        """The embargo that it is under, 0 for none."""
        return next((c.kept for c in self.meaning.clauses if not c.released and isinstance(c.kept, int)), 0)

    @property
    def subject(self) -> str:
        """As the log and its events call it: "asset/17"."""
        return f"{self.kind}/{self.number}"


class Change(Struct, frozen=True, kw_only=True):
    """What came of asking for another marking: `done`, or the approval that it waits for."""

    marked: Marked
    done: bool
    approval: Approval | None = None


def one(db: psycopg.Connection[Any], me: Principal, kind: str, number: int) -> Marked:
    """Something that the caller may see, and how it is marked.

    Raises:
        NotFoundError: no such kind, or none of that number for the caller.
    """
    if kind not in KINDS or not 0 < number <= MOST_NUMBER:
        raise _nothing(kind, number)
    of = KINDS[kind]
    org = "coalesce(t.org, clearway.house())" if kind == "marked" else "t.org"
    row = db.execute(
        f"select {of.name}, {org}, t.aud from clearway.{of.table} t where t.{of.key} = %s",  # noqa: S608  constants
        (number,),
    ).fetchone()
    if row is None:
        raise _nothing(kind, number)
    name, keeper, aud = str(row[0]), int(row[1] or 0), int(row[2])
    return Marked(
        kind=kind,
        number=number,
        noun=of.noun,
        name=name,
        org=keeper,
        aud=aud,
        meaning=audience.meaning(db, aud),
        may_change=keeper > 0 and (me.may(of.right, keeper) or me.may("coordinate", keeper)),
        page=of.page.format(number) if of.page else "",
        waiting=approval.waiting(db, approval.MARKING, f"{kind}/{number}", keeper),
    )


def change(db: psycopg.Connection[Any], me: Principal, found: Marked, marking: Marking, why: str) -> Change:
    """Gives it another marking where that is narrower, and asks for a second person's word where it is not.

    Raises:
        ForbiddenError: the right to change it is missing, or a program asks for what takes two people.
        ConflictError: it is marked so; the caller, or somebody to whom it was said, would no longer see it; or the same
            change waits already.
        InputError: no reason is given.
        NotFoundError: the organisation, list or embargo is not there for the caller.
    """
    if not found.may_change:
        raise ForbiddenError("the right to change its marking is missing", where=found.subject)
    if not why.strip():
        raise InputError("say why", where="why")
    if marking.recipients:
        recipients.one(db, marking.recipients)
    wanted = audience.of(db, marking)
    if wanted == found.aud or (
        audience.within(db, wanted, found.aud) and audience.within(db, found.aud, wanted)
    ):
        raise ConflictError("it is marked so already", where=found.subject, mend="choose another marking")
    if not _sees(db, wanted):
        raise ConflictError(
            "you would no longer see it yourself, and could not take it back",
            where=found.subject,
            mend="choose a marking that you are of, or have yourself put on the list first",
        )
    if audience.within(db, wanted, found.aud):
        _remark(db, found.kind, found.number, wanted, None)
        after = one(db, me, found.kind, found.number)
        _tell(db, after, {"why": why[:500]})
        return Change(marked=after, done=True)
    if any(a.proposal.get("aud") == wanted and a.proposal.get("was") == found.aud for a in found.waiting):
        raise ConflictError("just that was asked for, and waits for a second person", where=found.subject)
    proposal = {"was": found.aud, "aud": wanted, "from": found.meaning.label, "to": marking.label}
    asked = approval.ask(db, found.org, approval.MARKING, found.subject, proposal, why)
    return Change(marked=one(db, me, found.kind, found.number), done=False, approval=asked)


def chosen(found: Marked, tlp: Tlp, org: int, recipients: int, embargo: int | UnsetType) -> Marking:
    """The marking that is meant, with what was left out taken from how it is marked.

    Raises:
        InputError: it is none.
    """
    named = tlp in ("AMBER", "AMBER+STRICT") or (tlp == "RED" and not recipients)
    return Marking(
        tlp=tlp,
        org=(org or found.org) if named else 0,
        recipients=recipients,
        embargo=found.embargo if embargo is UNSET else embargo,
    )


def carry_out(db: psycopg.Connection[Any], approved: Approval) -> None:
    """Does what was approved just now, by who approved it; called in the transaction of the approval.

    Raises:
        NotFoundError: it is not there, or the caller may not see it: nobody agrees to what they can't see.
        ConflictError: its marking is not what it was when that was asked for, or the caller would not see it then.
        ForbiddenError: who asked has not the right any more, or it is under an embargo that others keep.
    """
    kind, number = _named(approved.subject)
    of = KINDS[kind]
    row = db.execute(
        f"select t.aud from clearway.{of.table} t where t.{of.key} = %s",  # noqa: S608  constants
        (number,),
    ).fetchone()
    if row is None:
        raise _nothing(kind, number)
    wanted, was = approved.proposal.get("aud"), approved.proposal.get("was")
    if not isinstance(wanted, int) or row[0] != was:
        raise ConflictError(
            "its marking has changed since that was asked for",
            where=approved.subject,
            mend="refuse it; who wants it asks again",
        )
    if not _sees(db, wanted):
        raise ConflictError("you would not see it yourself then", where=approved.subject, mend="refuse it")
    _remark(db, kind, number, wanted, approved.approval)
    label = audience.meaning(db, wanted).label
    body = {"from": approved.proposal.get("from"), "to": label, "approval": approved.approval}
    events.emit(db, "marking.changed", approved.subject, org=approved.org, aud=wanted, body=body)


def _remark(db: psycopg.Connection[Any], kind: str, number: int, wanted: int, approved: int | None) -> None:
    db.execute(
        "select clearway.remark(%s::regclass, %s, %s, %s)",
        (f"clearway.{KINDS[kind].table}", number, wanted, approved),
    )


def _tell(db: psycopg.Connection[Any], after: Marked, body: Mapping[str, object]) -> None:
    told = {"to": after.meaning.label, **body}
    events.emit(db, "marking.changed", after.subject, org=after.org, aud=after.aud, body=told)


def _sees(db: psycopg.Connection[Any], aud: int) -> bool:
    row = db.execute("select get_bit(clearway.my_bits(), %s) = 1", (aud,)).fetchone()
    return row is not None and row[0] is True


def _named(subject: str) -> tuple[str, int]:
    kind, _, number = subject.partition("/")
    if kind not in KINDS or not (number.isascii() and number.isdigit() and len(number) < 19):
        raise NotFoundError("nothing of that name is here", where=subject)
    return kind, int(number)


def _nothing(kind: str, number: int) -> NotFoundError:
    return NotFoundError("nothing of that name is here", where=f"{kind[:40]}/{number}")
