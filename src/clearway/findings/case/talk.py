"""The embargo of a case as it is negotiated: proposals with their zone, what each party says, and what was agreed.

What is in the case is held back by its marking from the first minute on. Agreed here is when that ends; an agreed day
ends nothing by itself until a coordinator arms it (`release.arm`), which needs a draft that can be published.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import replace

from clearway.access import embargo
from clearway.records import zones
from clearway.records.errors import ConflictError, InputError, NotFoundError
from clearway.records.text import plain
from clearway.store.scalar import scalar

from . import kept, words

if TYPE_CHECKING:
    import psycopg

    from ..vault import Vault
    from .kept import Case

    Connection = psycopg.Connection[Any]

MOST_DAYS = 366  # an embargo of over a year is none that anybody keeps


class Consent(Struct, frozen=True, kw_only=True):
    """What one party says to a proposal."""

    party: int
    said: str
    why: str


class Proposal(Struct, frozen=True, kw_only=True):
    """When the embargo is to end, in the zone in which that was said. `party` None: the coordinators propose."""

    id: int
    party: int | None
    until: datetime
    zone: str
    why: str
    state: str
    at: datetime
    consents: tuple[Consent, ...] = ()


_SELECT = """select proposal, party, until, zone, why, state, at from clearway.case_proposal"""


def propose(
    db: Connection,
    case: Case,
    until: datetime,
    zone: str,
    *,
    now: datetime,
    why: str = "",
    party: int | None = None,
    vault: Vault | None = None,
) -> Proposal:
    """A proposal for the end of the embargo; where one is agreed, to revise it. Reasons are sealed by `vault`, and stay
    so in what is handed back here: `shown` opens them.

    Raises:
        InputError: no such zone, an hour that is not there or twice there in it, one that has passed or is over a
            year away.
        ConflictError: another proposal is open, or the flaw is public.
    """
    at = checked(until, zone, now)
    if opened(db, case) is not None:
        raise ConflictError(
            "another proposal is open", where=case.subject, mend="say that you disagree, and why"
        )
    if case.em not in ("proposed", "revised"):  # these wait for a proposal already
        kept.move(db, case, "embargo", "revise" if case.em == "active" else "propose", why, vault=vault)
    kept.check_open(case)
    sealed = words.sealed(vault, case.subject, "proposal", plain(why.strip(), 2000))
    number = scalar(
        db,
        """insert into clearway.case_proposal (case_id, org, aud, party, until, zone, why)
        values (%s, %s, %s, %s, %s, %s, %s) returning proposal""",
        (case.id, case.org, case.aud, party, at, zone, sealed),
    )
    kept.tell(db, case, "case.embargo_proposed", {"until": at.isoformat(), "zone": zone, "party": party})
    _letters(db, case, "proposed")
    return one(db, number)


def consent(
    db: Connection, case: Case, proposal: Proposal, party: int, said: str, why: str = "", *, vault: Vault | None = None
) -> Proposal:  # fmt: skip
    """Records what a party says to a proposal; its reasons are sealed by `vault`.

    Raises:
        InputError: neither "agrees" nor "disagrees".
        ConflictError: it is decided.
        ForbiddenError: it is another's to say.
    """
    if said not in ("agrees", "disagrees"):
        raise InputError("say agrees or disagrees", where="said")
    sealed = words.sealed(vault, case.subject, "consent", plain(why.strip(), 2000))
    db.execute("select clearway.consent_case(%s, %s, %s, %s)", (proposal.id, party, said, sealed))
    kept.tell(db, case, "case.embargo_answered", {"party": party, "said": said})
    return one(db, proposal.id)


def accept(db: Connection, case: Case, *, now: datetime) -> Case:
    """Makes the open proposal what is agreed; an embargo that is armed, and not frozen, is armed for that time instead.

    Raises:
        NotFoundError: none is open.
        ConflictError: its hour has passed: nothing could be armed for it.
        ForbiddenError: the caller is no coordinator.
    """
    found = opened(db, case)
    if found is None:
        raise NotFoundError("no proposal is open", where=case.subject)
    if found.until <= now:
        raise ConflictError(
            "the hour that was proposed has passed",
            where=case.subject,
            mend="refuse the proposal, and propose a later one",
        )
    kept.move(db, case, "embargo", "accept")
    db.execute("update clearway.case_proposal set state = 'accepted' where proposal = %s", (found.id,))
    kept.changed(db, case, "until = %s, zone = %s", (found.until, found.zone))
    held = embargo.one(db, case.embargo)
    # One that is frozen, since every finding is withdrawn or the database was restored, is armed by an act of its own.
    if held.until is not None and not held.frozen and held.ended_by is None and kept.stands(db, case):
        embargo.arm(db, case.embargo, found.until, now=now, on_exploitation=held.on_exploitation)
    kept.tell(db, case, "case.embargo_agreed", {"until": found.until.isoformat(), "zone": found.zone})
    return kept.by_id(db, case.id)


def refuse(db: Connection, case: Case, why: str = "", *, vault: Vault | None = None) -> Case:
    """Drops the open proposal: what was agreed before stays. Reasons are sealed by `vault`.

    Raises:
        NotFoundError: none is open.
    """
    found = opened(db, case)
    if found is None and case.em not in ("proposed", "revised"):
        raise NotFoundError("no proposal is open", where=case.subject)
    if found is not None:
        db.execute("update clearway.case_proposal set state = 'refused' where proposal = %s", (found.id,))
        if case.em not in ("proposed", "revised"):  # one without a move behind it goes, and moves nothing
            return kept.by_id(db, case.id)
    return kept.move(db, case, "embargo", "refuse" if case.em == "proposed" else "keep", why, vault=vault)


def opened(db: Connection, case: Case) -> Proposal | None:
    """The proposal that is open, with what parties have said to it."""
    row = db.execute(f"{_SELECT} where case_id = %s and state = 'open'", (case.id,)).fetchone()
    return _proposal(db, row) if row else None


def shown(db: Connection, vault: Vault, case: Case) -> Proposal | None:
    """As `opened`, with the reasons that were given. Raises as `words.opened`."""
    found = opened(db, case)
    if found is None:
        return None
    consents = tuple(
        replace(c, why=words.opened(vault, case.subject, "consent", c.why)) for c in found.consents
    )
    return replace(found, why=words.opened(vault, case.subject, "proposal", found.why), consents=consents)


def one(db: Connection, number: int) -> Proposal:
    """The proposal of that number. Raises NotFoundError."""
    row = db.execute(f"{_SELECT} where proposal = %s", (number,)).fetchone()
    if row is None:
        raise NotFoundError("no such proposal", where="proposal")
    return _proposal(db, row)


def moment(text: str) -> datetime:
    """A day and hour in ISO 8601, with or without an offset. Raises InputError."""
    try:
        return datetime.fromisoformat(text.strip())
    except ValueError:
        raise InputError("this is no day and hour", where="until", mend="such as 2026-12-24T09:00") from None


def checked(until: datetime, zone: str, now: datetime) -> datetime:
    """`until` in UTC: a time with an offset as it is, one without in `zone`.

    Raises:
        InputError: no such zone, an hour that is not there or twice there in it, or no time in the coming year.
    """
    place = zones.one(zone, "zone")
    try:
        at = until.astimezone(UTC) if until.tzinfo else zones.moment(until, place, "until")
    except OverflowError:
        raise InputError("that hour is beyond the calendar", where="until") from None
    if at <= now:
        raise InputError("that hour has passed", where="until")
    if at > now + timedelta(days=MOST_DAYS):
        raise InputError("that is over a year away", where="until")
    return at


def _letters(db: Connection, case: Case, kind: str) -> None:
    from .mail import queue_all

    queue_all(db, case, kind)


def _proposal(db: Connection, row: tuple[Any, ...]) -> Proposal:
    names = [n for n in Proposal.__struct_fields__ if n != "consents"]
    said = db.execute(
        "select party, said, why from clearway.case_consent where proposal = %s order by party", (row[0],)
    )
    consents = tuple(Consent(party=p, said=s, why=w) for p, s, w in said)
    return Proposal(**dict(zip(names, row, strict=True)), consents=consents)
