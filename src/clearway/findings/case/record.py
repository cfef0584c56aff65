"""The record of a case: how it is read, locked, changed and told of. What is done with one is `kept`.

It is for its parties and the coordinators (`aud`); what is to be published is for everybody once its embargo has ended
(`open_aud`), and for the parties until then.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import replace

from clearway import ledger
from clearway.records.errors import ConflictError, ForbiddenError, NotFoundError, StaleError
from clearway.records.text import plain
from clearway.store import events

from . import words

if TYPE_CHECKING:
    from collections.abc import Mapping

    import psycopg

    from ..vault import Vault

    Connection = psycopg.Connection[Any]

_KEEPER = "a coordinator of the clearinghouse that keeps the case does that"


class Case(Struct, frozen=True, kw_only=True):
    """One case. `id` is this database's own; outside it goes by its `handling` id."""

    id: int
    handling: str
    org: int
    aud: int
    open_aud: int
    embargo: int
    title: str
    ecosystem: str
    package: str
    purl: str
    em: str
    pxa: str
    until: datetime | None
    zone: str
    orphan: str
    cve: str
    cve_state: str
    cve_problem: str
    told: int  # the version of the draft whose publication is on the log, 0 for none
    released: datetime | None
    published: datetime | None
    closed: datetime | None
    opened: datetime
    changed: datetime
    version: int

    @property
    def subject(self) -> str:
        """What the log, the events and the vault call it."""
        return f"case/{self.handling}"


class Acted(Struct, frozen=True, kw_only=True):
    """One act of a case's history."""

    party: int | None
    machine: str
    act: str
    was: str
    now: str
    why: str
    at: datetime


_SELECT = """select c.case_id, c.handling, c.org, c.aud::int, c.open_aud::int, c.embargo, c.title, c.ecosystem,
    c.package, c.purl, c.em, c.pxa, c.until, c.zone, c.orphan, c.cve, c.cve_state, c.cve_problem, c.told,
    c.released, c.published, c.closed, c.opened, c.changed, c.version from clearway.desk_case c"""


def one(db: Connection, handling: str) -> Case:
    """The case of that handling id. Raises NotFoundError."""
    row = db.execute(f"{_SELECT} where c.handling = %s", (handling.upper(),)).fetchone()
    if row is None:
        raise NotFoundError("no such case", where=plain(handling, 40))
    return _case(row)


def by_id(db: Connection, number: int) -> Case:
    """The case of that number. Raises NotFoundError."""
    row = db.execute(f"{_SELECT} where c.case_id = %s", (number,)).fetchone()
    if row is None:
        raise NotFoundError("no such case", where="case")
    return _case(row)


def of_package(db: Connection, ecosystem: str, package: str) -> list[Case]:
    """Open cases of a package that the caller may see, the newest first."""
    rows = db.execute(
        f"{_SELECT} where c.ecosystem = %s and c.package = %s and c.closed is null order by c.case_id desc limit 50",
        (ecosystem, package),
    )
    return [_case(row) for row in rows]


def ended(owner: Connection) -> list[Case]:
    """Cases whose embargo has ended and whose documents are not published; the owner's to ask.

    One whose findings are all withdrawn is none of them, but where it was released before.
    """
    rows = owner.execute(
        f"""{_SELECT} join clearway.embargo e on e.embargo = c.embargo
        where e.ended_by is not null and c.published is null and c.closed is null
            and (c.released is not null or exists (select from clearway.finding f
                where f.case_id = c.case_id and f.state <> 'withdrawn'))
        order by c.case_id"""
    )
    return [_case(row) for row in rows]


def findings_of(db: Connection, case: Case) -> list[str]:
    """The handling ids of the case's findings that the caller may see: a reporter's own, the desk's all."""
    rows = db.execute("select handling from clearway.finding where case_id = %s order by finding", (case.id,))
    return [handling for (handling,) in rows]


def stands(db: Connection, case: Case) -> bool:
    """Whether a finding of the case that the caller may see is not withdrawn."""
    row = db.execute(
        "select exists (select from clearway.finding where case_id = %s and state <> 'withdrawn')", (case.id,)
    ).fetchone()
    return row == (True,)


def level_of(db: Connection, case: Case) -> int:
    """The highest level of evidence among the case's findings that the caller sees."""
    row = db.execute(
        "select coalesce(max(level), 0)::int from clearway.finding where case_id = %s", (case.id,)
    ).fetchone()
    return int(row[0]) if row else 0


def history(db: Connection, vault: Vault, case: Case) -> list[Acted]:
    """What was done, the newest first, with the reasons that were given."""
    rows = db.execute(
        """select party, machine, act, was, now, why, at from clearway.case_act where case_id = %s
        order by step desc limit 500""",
        (case.id,),
    )
    found = [Acted(**dict(zip(Acted.__struct_fields__, row, strict=True))) for row in rows]
    return [replace(a, why=words.opened(vault, case.subject, "act", a.why)) for a in found]


def changed(db: Connection, case: Case, what: str, parameters: tuple[object, ...] = ()) -> None:
    """Sets columns of the case, as a coordinator or the owner; `what` is a constant.

    Raises:
        ForbiddenError: the caller is neither.
    """
    row = db.execute(
        f"""update clearway.desk_case set {what}, changed = clock_timestamp(), version = version + 1
        where case_id = %s returning 1""",  # noqa: S608
        (*parameters, case.id),
    ).fetchone()
    if row is None:
        raise ForbiddenError(_KEEPER, where=case.subject)


def keeps(db: Connection, case: Case) -> bool:
    """Whether the caller coordinates for the clearinghouse that keeps the case: those alone act for the desk in it."""
    return db.execute("select clearway.keeps_case(%s)", (case.org,)).fetchone() == (True,)


def check_keeper(db: Connection, case: Case) -> None:
    """Raises ForbiddenError for who does not coordinate for the clearinghouse that keeps the case.

    Coordinators of another one read every case, so that one flaw is seen as one; they act in it as a party or not at
    all. The database holds to the same.
    """
    if not keeps(db, case):
        raise ForbiddenError(_KEEPER, where=case.subject)


def locked(db: Connection, case: Case) -> Case:
    """The case as it stands now, locked for the rest of the transaction: who does the same at once comes after.

    Raises:
        ForbiddenError: as `check_keeper`.
    """
    check_keeper(db, case)
    db.execute("select from clearway.desk_case where case_id = %s for update", (case.id,))
    return by_id(db, case.id)


def check_version(case: Case, version: int) -> None:
    """Raises StaleError when somebody changed it since the caller read that version."""
    if case.version != version:
        raise StaleError("it was changed meanwhile", where=case.subject, mend="read it again")


def tell(db: Connection, case: Case, act: str, said: Mapping[str, object], *, aud: int | None = None) -> int:
    """Puts an act on the log and announces it, for the case's parties and the coordinators; the log's entry.

    `aud`: for these alone instead.
    """
    readers = case.aud if aud is None else aud
    entry = ledger.append(db, act, case.subject, dict(said), aud=readers)
    # A party acts for itself, and the case is the house's: its event is in nobody's name.
    desk = db.execute("select clearway.is_desk()").fetchone() == (True,)
    did = {name: said[name] for name in ("machine", "act") if name in said}
    events.emit(
        db, act, case.subject, org=case.org if desk else None, aud=readers,
        body={"handling": case.handling, **did},
    )  # fmt: skip
    return entry


def check_open(case: Case) -> None:
    """Raises ConflictError for a case that is closed."""
    if case.closed is not None:
        raise ConflictError("the case is closed", where=case.subject)


def _case(row: tuple[Any, ...]) -> Case:
    return Case(**dict(zip(Case.__struct_fields__, row, strict=True)))
