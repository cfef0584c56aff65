"""Who takes part in a case, and how each stands: an organisation here, or somebody who is reached by mail alone.

"No answer" is a state of its own, with the day since when: silence is never read as anything else. A receiver's own
limits hold (`intake.limit`): a party over them waits its turn, and the matrix says so. A vendor reads the case from
the moment on at which it is told, which is when it is asked, or its letter was sent; the others from when they join.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from clearway.access import audience, embargo
from clearway.access.marking import Marking
from clearway.records.errors import ConflictError, ForbiddenError, InputError, NotFoundError
from clearway.records.text import plain
from clearway.store.scalar import scalar

from ..intake import limit
from . import escalate, kept, words
from .states import ANSWERS, path

if TYPE_CHECKING:
    import psycopg

    from ..vault import Vault
    from .escalate import Step
    from .kept import Case

    Connection = psycopg.Connection[Any]

ROLES = ("vendor", "maintainer", "reporter", "coordinator", "patcher", "operator")
VENDORS = ("vendor", "maintainer", "patcher")
MAX_PARTIES = 300  # of one case
MAX_CONTACTS = 12  # mail addresses of one party


class Party(Struct, frozen=True, kw_only=True):
    """One party: its line of the status matrix. `member` is its organisation here, None for one by mail alone.

    `answer_why` is as it is kept: `reasons` opens it.
    """

    id: int
    role: str
    member: int | None
    organisation: str  # its slug, "" by mail
    name: str
    product: str
    rm: str
    vfd: str
    answer: str
    answer_why: str
    waits: str
    asked: datetime | None
    answered: datetime | None
    step: Step
    reminded: datetime | None
    stopped: datetime | None
    left_at: datetime | None
    version: int

    def reasons(self, vault: Vault, case: Case) -> str:
        """What it gave as reasons of its answer. Raises as `words.opened`."""
        return words.opened(vault, case.subject, "answer", self.answer_why)

    @property
    def by_mail(self) -> bool:
        """Whether it has no account, and is reached by mail alone."""
        return self.member is None

    @property
    def standing(self) -> escalate.Standing:
        """What `escalate` needs to know."""
        return escalate.Standing(
            role=self.role, answer=self.answer, asked=self.asked, taken=self.step, reminded=self.reminded
        )


_SELECT = """select p.party, p.role, p.member, coalesce(o.slug, ''), p.name, p.product, p.rm, p.vfd, p.answer,
    p.answer_why, p.waits, p.asked, p.answered, p.step, p.reminded, p.stopped, p.left_at, p.version
    from clearway.case_party p left join clearway.organisation o on o.org = p.member"""


def listed(db: Connection, case: Case, *, left: bool = False) -> list[Party]:
    """The status matrix: every party that has not left, vendors first. `left`: and those that left with a dispute.

    A dispute travels with the record, whatever became of who said it.
    """
    rows = db.execute(
        f"""{_SELECT} where p.case_id = %s and (p.left_at is null or (%s and p.answer = 'disputed'))
        order by array_position(
            array['vendor', 'maintainer', 'patcher', 'coordinator', 'operator', 'reporter'], p.role), p.party""",
        (case.id, left),
    )
    return [_party(row) for row in rows]


def one(db: Connection, case: Case, number: int) -> Party:
    """The case's party of that number. Raises NotFoundError."""
    row = db.execute(
        f"{_SELECT} where p.party = %s and p.case_id = %s and p.left_at is null", (number, case.id)
    ).fetchone()
    if row is None:
        raise NotFoundError("no such party", where=f"party/{number}")
    return _party(row)


def mine(db: Connection, case: Case, orgs: tuple[int, ...]) -> list[Party]:
    """The parties of the case that are one of these organisations."""
    return [p for p in listed(db, case) if p.member in orgs]


def add(
    db: Connection,
    case: Case,
    *,
    role: str,
    member: int | None = None,
    name: str = "",
    email: str = "",
    product: str = "",
    source: str = "",
) -> Party:
    """A new party: an organisation (`member`), or a name with a mail address. A vendor sees the case once it is asked.

    Others see it from now on; who is reached by mail gets a letter.

    Raises:
        InputError: neither or both, no such role, or no mail address.
        ConflictError: it is a party in that role already, or there are too many.
        ForbiddenError: the caller is no coordinator.
    """
    kept.check_open(case)
    kept.check_keeper(db, case)
    if role not in ROLES:
        raise InputError("there is no such role", where="role", mend=f"one of {', '.join(ROLES)}")
    if (member is None) == (not email):
        raise InputError("a party is an organisation here, or a name with a mail address", where="email")
    if role == "operator" and member is None:
        raise InputError("an operator is told of its assets here", where="role", mend="name its organisation")
    if (
        scalar(db, "select count(*)::int from clearway.case_party where case_id = %s", (case.id,))
        >= MAX_PARTIES
    ):
        raise ConflictError("too many parties", where=case.subject, mend=f"at most {MAX_PARTIES}")
    if member is not None:
        row = db.execute("select name from clearway.organisation where org = %s", (member,)).fetchone()
        if row is None:
            raise NotFoundError("no such organisation", where="member")
        name = row[0]
    named = plain(name.strip() or email.partition("@")[0], 200)
    made = db.execute(
        """insert into clearway.case_party (case_id, org, aud, role, member, name, product)
        values (%s, %s, %s, %s, %s, %s, %s) on conflict do nothing returning party""",
        (case.id, case.org, case.aud, role, member, named, plain(product or case.purl, 2000)),
    ).fetchone()
    if made is None:
        raise ConflictError("it is a party already", where="member")
    if member is not None:
        _door(db, case, member)
    else:
        add_contact(db, case, made[0], email, source)
    kept.tell(db, case, "party.added", {"party": made[0], "role": role, "name": named})
    if member is None and role not in VENDORS:
        _letter(db, case, "joined", made[0])
    return one(db, case, made[0])


def add_contact(db: Connection, case: Case, party: int, email: str, source: str = "") -> None:
    """Another mail address of a party; for the coordinators alone.

    Raises:
        InputError: it is no address.
    """
    from .mail import checked_address

    aud = audience.of(db, Marking(tlp="AMBER+STRICT", org=case.org))
    db.execute(
        """insert into clearway.case_contact (party, org, aud, email, source) values (%s, %s, %s, %s, %s)
        on conflict do nothing""",
        (party, case.org, aud, checked_address(email), plain(source, 200)),
    )


def reach(db: Connection, case: Case, party: Party, email: str, source: str = "") -> Party:
    """The party with another mail address: letters go to the newest from now on.

    Raises:
        InputError: it is no address, or the party has an account.
        ConflictError: it has the address already, or a dozen others; or the case is closed.
        ForbiddenError: the caller is no coordinator.
    """
    kept.check_open(case)
    if not party.by_mail:
        raise InputError("it is no party by mail", where=f"party/{party.id}")
    had = contacts(db, party.id)
    if len(had) >= MAX_CONTACTS or any(address == email.strip() for address, _ in had):
        raise ConflictError(
            "it has that address, or too many", where="email", mend=f"another, at most {MAX_CONTACTS}"
        )
    add_contact(db, case, party.id, email, source)
    aud = audience.of(db, Marking(tlp="AMBER+STRICT", org=case.org))
    kept.tell(db, case, "party.contact_added", {"party": party.id}, aud=aud)
    return one(db, case, party.id)


def contacts(db: Connection, party: int) -> list[tuple[str, str]]:
    """(address, where it is from) of a party, the newest first; empty for who may not know."""
    rows = db.execute(
        "select email, source from clearway.case_contact where party = %s order by contact desc", (party,)
    )
    return [(email, source) for email, source in rows]


def leave(db: Connection, case: Case, party: Party, why: str) -> None:
    """Takes a party out: from its next request on it sees nothing of the case. Raises ForbiddenError as `add`."""
    kept.check_keeper(db, case)
    db.execute(
        "update clearway.case_party set left_at = clock_timestamp(), version = version + 1 where party = %s",
        (party.id,),
    )
    if party.member is not None:
        _door(db, case, party.member)
    kept.tell(db, case, "party.left", {"party": party.id, "why": plain(why, 500)})


def ask(db: Connection, case: Case, party: Party, *, level: int = 0) -> Party:
    """Tells a vendor of the flaw: from now on it is "no answer" until it answers. Over its limit it waits its turn.

    Who is reached by mail is told when its letter was sent, and not before (`told`). `level` is the highest level of
    evidence among the case's findings.

    Raises:
        ConflictError: it was asked before.
        InputError: it is no vendor.
    """
    kept.check_keeper(db, case)
    if party.role not in VENDORS:
        raise InputError(
            f"a {party.role} is not asked", where=f"party/{party.id}", mend=f"ask one of {', '.join(VENDORS)}"
        )
    if party.rm != "start":
        raise ConflictError("it was asked before", where=f"party/{party.id}")
    if wait := _waits(db, case, party, level):
        db.execute(
            "update clearway.case_party set waits = %s, version = version + 1 where party = %s",
            (plain(wait, 300), party.id),
        )
        kept.tell(db, case, "party.waits", {"party": party.id, "why": wait})
        return one(db, case, party.id)
    if party.by_mail:
        _letter(db, case, "asked", party.id)
        return one(db, case, party.id)
    return told(db, case, party)


def told(db: Connection, case: Case, party: Party) -> Party:
    """The vendor as it stands once it knows of the flaw: it may read the case, and its silence counts from now on.

    Raises:
        ConflictError: it was told before.
    """
    db.execute(
        "update clearway.case_party set waits = '', version = version + 1 where party = %s", (party.id,)
    )
    kept.move(db, case, "report", "notify", party=party.id)
    if party.vfd == "vfd":
        kept.move(db, case, "vendor", "vendor-aware", party=party.id)
    db.execute("select clearway.answer_case(%s, 'no-answer', '')", (party.id,))
    if party.member is not None:
        _door(db, case, party.member)
    return one(db, case, party.id)


def _door(db: Connection, case: Case, member: int) -> None:
    """Lets an organisation read the case, or no longer, by how its parties stand; on the log where that changes."""
    opens = db.execute("select clearway.case_door(%s, %s)", (case.id, member)).fetchone()
    if opens is not None and opens[0] is not None:
        embargo.note_party(db, case.embargo, org=member, party=opens[0])


def _letter(db: Connection, case: Case, kind: str, party: int) -> None:
    from .mail import queue_all

    queue_all(db, case, kind, only=party)


def answer(
    db: Connection, case: Case, party: Party, said: str, why: str = "", *, vault: Vault | None = None
) -> Party:
    """What a party says of its product, its reasons sealed by `vault`. Those of a dispute travel with the record.

    Raises:
        InputError: there is no such answer, a dispute without reasons, or it is no vendor.
        ForbiddenError: it is another's to say.
    """
    if said not in ANSWERS:
        raise InputError("there is no such answer", where="answer", mend=f"one of {', '.join(ANSWERS)}")
    _check_vendor(party)
    why = plain(why.strip(), 4000)
    if said == "disputed" and not why:
        raise InputError("a dispute gives its reasons", where="why")
    kept.check_open(case)
    if said == "disputed" and party.rm in ("received", "valid", "deferred", "accepted"):
        kept.move(db, case, "report", "dispute", why, party=party.id, vault=vault)
    sealed = words.sealed(vault, case.subject, "answer", why)
    db.execute("select clearway.answer_case(%s, %s, %s)", (party.id, said, sealed))
    kept.tell(db, case, "party.answered", {"party": party.id, "answer": said})
    _orphan_ends(db, case, party)
    return one(db, case, party.id)


def act(
    db: Connection, case: Case, party: Party, wanted: str, why: str = "", *, vault: Vault | None = None
) -> Party:
    """An act of the report's or the vendor's machine for a party; accepting validates first, a fix accepts first.
    Its reasons are sealed by `vault`.

    Raises:
        InputError: there is no such act, a dispute without reasons, or it is no vendor.
        ConflictError, ForbiddenError: as `kept.move`.
    """
    from .states import acts

    _check_vendor(party)
    if wanted == "dispute":
        return answer(db, case, party, "disputed", why, vault=vault)
    if wanted == "reopen" and not why.strip():
        raise InputError("say why it is opened again", where="why")
    machine = "report" if wanted in acts("report") else "vendor" if wanted in acts("vendor") else ""
    if not machine or wanted == "notify":
        raise InputError("there is no such act", where="act", mend=f"one of {', '.join(acts('report')[1:])}")
    if wanted in ("fix-ready", "fix-deployed") and party.rm in ("received", "invalid", "valid", "deferred"):
        # A fix is the word of somebody who has taken the report for true: both are on record.
        for each in path(party.rm, "accept"):
            kept.move(db, case, "report", each, why, party=party.id, vault=vault)
    for each in path(party.rm, wanted) if machine == "report" else (wanted,):
        kept.move(db, case, machine, each, why, party=party.id, vault=vault)
    if wanted == "accept" and party.answer not in ("affected", "fixed"):
        db.execute("select clearway.answer_case(%s, 'affected', '')", (party.id,))
    if wanted == "fix-ready":
        db.execute("select clearway.answer_case(%s, 'fixed', '')", (party.id,))
    _orphan_ends(db, case, party)
    return one(db, case, party.id)


def take_step(db: Connection, case: Case, party: Party, step: Step, now: datetime | None = None) -> Party:
    """Records that a step of the escalation was taken; reminding by mail sends the letter.

    Raises:
        ConflictError: it is not due.
    """
    kept.check_keeper(db, case)
    at = now or datetime.now(UTC)
    if not step or escalate.due(party.standing, at) != step:
        raise ConflictError("that step is not due", where=f"party/{party.id}")
    db.execute(
        "update clearway.case_party set step = %s, version = version + 1 where party = %s", (step, party.id)
    )
    if party.by_mail and step in ("remind", "another-contact"):
        _letter(db, case, "reminded", party.id)
    kept.tell(db, case, "party.escalated", {"party": party.id, "step": step})
    return one(db, case, party.id)


def declare_orphan(db: Connection, case: Case, patcher: int, why: str) -> Party:
    """Says that nobody maintains the product, and who may patch it: an organisation here.

    Raises:
        ConflictError: a vendor has answered, or is not yet unreachable.
        InputError: no reason is given.
    """
    if not why.strip():
        raise InputError("say why nobody maintains it", where="why")
    if not escalate.orphaned(p.standing for p in listed(db, case)):
        raise ConflictError(
            "a vendor may still answer", where=case.subject, mend="escalate until each is unreachable"
        )
    kept.changed(db, case, "orphan = %s", (plain(why.strip(), 2000),))
    kept.tell(db, case, "case.orphaned", {"why": plain(why.strip(), 500), "patcher": patcher})
    return ask(db, case, add(db, case, role="patcher", member=patcher))


def _orphan_ends(db: Connection, was: Case, party: Party) -> None:
    """Tells that a vendor's answer has made the product no orphan; who may patch it stays until the desk says else."""
    now = kept.by_id(db, was.id)
    if was.orphan and not now.orphan:
        kept.tell(db, now, "case.orphan_ended", {"party": party.id})


class Queued(Struct, frozen=True, kw_only=True):
    """A report that waits for an organisation to act: the case, the day its embargo was agreed to end, the party."""

    case: str
    title: str
    until: datetime | None
    party: Party


def queue_of(db: Connection, orgs: tuple[int, ...]) -> list[Queued]:
    """What waits for these organisations to act, the oldest first: a maintainer's queue; at most 500."""
    rows = db.execute(
        f"""{_SELECT.replace("select ", "select c.handling, c.title, c.until, ", 1)}
            join clearway.desk_case c on c.case_id = p.case_id
        where p.member = any(%s) and p.left_at is null and p.role = any(%s) and c.closed is null
            and p.rm in ('received', 'valid', 'accepted') order by p.asked, p.party limit 500""",
        (list(orgs), list(VENDORS)),
    )
    return [Queued(case=row[0], title=row[1], until=row[2], party=_party(row[3:])) for row in rows]


def _waits(db: Connection, case: Case, party: Party, level: int) -> str:
    if party.member is None:
        return ""
    kept.locked(
        db, case
    )  # before what its receiver's limits are counted under: all who ask take them in this order
    return limit.waits(db, party.member, party.organisation, case.ecosystem, case.package, level=level)


def _check_vendor(party: Party) -> None:
    """Raises InputError for who has no product of its own in the case: the two machines are the vendors'."""
    if party.role not in VENDORS:
        raise InputError(
            f"a party in the role of {party.role} does not answer for a product",
            where=f"party/{party.id}",
            mend=f"it is for {', '.join(VENDORS)}",
        )


def must_speak(party: Party | None) -> Party:
    """Raises ForbiddenError for somebody who is no party."""
    if party is None:
        raise ForbiddenError("you are no party to this case")
    return party


def _party(row: tuple[Any, ...]) -> Party:
    return Party(**dict(zip(Party.__struct_fields__, row, strict=True)))
