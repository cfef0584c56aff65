"""A finding as it is kept: one report of one reporter, its state, and how far the evidence goes.

    received ─> incomplete ─> queued ─> validating ─> judged ─> closed
        └──────────────────────^            from any but closed: withdrawn, by its reporter

It is the reporter's organisation's and the coordinators' alone. What is here in clear is what lists, search and
matching need; the report itself and all that came with it are sealed (`artefact`). States change through one function
of the database, which knows who may do what (`0014_findings`).
"""

from __future__ import annotations

import secrets
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Literal, get_args

from msgspec import Struct

from clearway import ledger
from clearway.access import audience
from clearway.access.marking import Marking
from clearway.records.errors import ConflictError, ForbiddenError, NotFoundError, StaleError
from clearway.records.text import plain
from clearway.store import events
from clearway.store.scalar import scalar

if TYPE_CHECKING:
    from collections.abc import Iterable

    import psycopg

    from clearway.store.jobs import Job

    Connection = psycopg.Connection[Any]

State = Literal["received", "incomplete", "queued", "validating", "judged", "closed", "withdrawn"]
STATES: tuple[State, ...] = get_args(State)
Severity = Literal["", "none", "low", "medium", "high", "critical"]
_BASE32 = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's: no I, L, O, U


class NewFinding(Struct, frozen=True, kw_only=True):
    """What a report says, as far as it is kept in clear. Texts within the bounds of `0014_findings`."""

    org: int
    digest: bytes  # SHA-256 of the report's bytes as they were received
    part: str = ""  # where it stood in what was sent, "" for the only one
    format: str
    title: str
    ecosystem: str = ""
    package: str = ""
    release: str = ""
    purl: str = ""
    place: str = ""
    cwe: str = ""
    severity: Severity = ""
    publishes: date | None = None  # the day on which its reporter means to publish
    live: bool = True
    state: Literal["received", "incomplete", "queued"] = "received"
    state_why: str = ""


class Finding(Struct, frozen=True, kw_only=True):
    """One finding. `id` is this database's own; outside it goes by its `handling` id."""

    id: int
    handling: str
    org: int
    organisation: str  # its slug
    aud: int
    person: int
    live: bool
    digest: str  # hexadecimal
    part: str
    format: str
    title: str
    ecosystem: str
    package: str
    release: str
    purl: str
    place: str
    cwe: str
    severity: Severity
    publishes: date | None
    state: State
    state_why: str
    level: int
    level_why: str
    case_id: int | None
    received: datetime
    changed: datetime
    version: int

    @property
    def subject(self) -> str:
        """What the log, the events and the vault call it."""
        return subject(self.handling)


_COLUMNS = """f.finding, f.handling, f.org, o.slug, f.aud::int, f.person, f.live, encode(f.digest, 'hex'), f.part,
    f.format, f.title, f.ecosystem, f.package, f.release, f.purl, f.place, f.cwe, f.severity, f.publishes, f.state,
    f.state_why, f.level, f.level_why, f.case_id, f.received, f.changed, f.version"""
_SELECT = f"select {_COLUMNS} from clearway.finding f join clearway.organisation o on o.org = f.org"  # noqa: S608


def subject(handling: str) -> str:
    """What the log, the events and the vault call the finding of that handling id."""
    return f"finding/{handling}"


def new_handling() -> str:
    """A random handling id, "CWF-7Q4K-9M2X": 40 bits. It is no secret and opens nothing."""
    drawn = [secrets.choice(_BASE32) for _ in range(8)]
    return f"CWF-{''.join(drawn[:4])}-{''.join(drawn[4:])}"


def audience_of(db: Connection, org: int) -> int:
    """Who sees the findings of `org`: its members and the coordinators (TLP:AMBER+STRICT)."""
    return audience.of(db, Marking(tlp="AMBER+STRICT", org=org))


def add(db: Connection, new: NewFinding, handling: str = "", *, aud: int = 0) -> tuple[Finding, bool]:
    """The finding of a report, and whether it is new: the same bytes from the same organisation are one finding, unless
    it was withdrawn.

    `handling` is for a caller who has sealed something for it already (`new_handling`), `aud` for one who has asked for
    `audience_of` already. The act is on the log; the event is the caller's, last in its transaction (`announce`).

    Raises:
        ForbiddenError: the caller may not submit for `new.org`.
        ConflictError: `handling` is taken; draw another.
    """
    aud = aud or audience_of(db, new.org)
    chosen = handling or new_handling()
    row = db.execute(
        """insert into clearway.finding (handling, org, aud, live, digest, part, format, title, ecosystem, package,
            release, purl, place, cwe, severity, publishes, state, state_why)
        values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
        on conflict do nothing
        returning finding, handling, org, (select o.slug from clearway.organisation o where o.org = finding.org),
            aud::int, person, live, encode(digest, 'hex'), part, format, title, ecosystem, package, release, purl,
            place, cwe, severity, publishes, state, state_why, level, level_why, case_id, received, changed, version""",
        (
            chosen, new.org, aud, new.live, new.digest, new.part, new.format, new.title, new.ecosystem,
            new.package, new.release, new.purl, new.place, new.cwe, new.severity, new.publishes,
            new.state, new.state_why,
        ),
    ).fetchone()  # fmt: skip
    if row is None:
        before = same(db, new.org, new.digest, live=new.live)
        if before is None:
            raise ConflictError("the handling id is taken", where=chosen, mend="send it again")
        return before, False
    made = _finding(row)
    ledger.append(
        db,
        "finding.received" if made.live else "finding.tried",
        made.subject,
        {"digest": made.digest, "part": made.part, "format": made.format, "state": made.state},
        aud=aud,
    )
    return made, True


def same(db: Connection, org: int, digest: bytes, *, live: bool = True) -> Finding | None:
    """The finding that these bytes are already, None when they are new or were withdrawn."""
    row = db.execute(
        f"{_SELECT} where f.org = %s and f.live = %s and f.digest = %s and f.state <> 'withdrawn'",
        (org, live, digest),
    ).fetchone()
    return _finding(row) if row else None


def one(db: Connection, handling: str, *, lock: bool = False) -> Finding:
    """The finding of that handling id, its row locked when asked. Raises NotFoundError.

    A lock needs the right to write the row: as the owner, or its reporter while it is not judged.
    """
    row = db.execute(
        f"{_SELECT} where f.handling = %s{' for update of f' if lock else ''}", (handling.strip().upper(),)
    ).fetchone()
    if row is None:
        raise NotFoundError("no such finding", where=plain(handling, 40))
    return _finding(row)


def audiences(db: Connection, handlings: Iterable[str]) -> list[int]:
    """The audience of each of these findings that the caller sees, for the log of what is read."""
    rows = db.execute("select aud from clearway.finding where handling = any(%s)", (list(handlings),))
    return [aud for (aud,) in rows]


def by_id(db: Connection, finding: int) -> Finding:
    """The finding of that number. Raises NotFoundError."""
    row = db.execute(f"{_SELECT} where f.finding = %s", (finding,)).fetchone()
    if row is None:
        raise NotFoundError("no such finding", where=f"finding/{finding}")
    return _finding(row)


def move(db: Connection, finding: Finding, to: State, why: str = "") -> Finding:
    """The finding in its new state, with the act on the log and its event.

    `why` is for a person, and may not quote the report: it is on the log.

    Raises:
        ConflictError: from its state it does not come there.
        ForbiddenError: it is not the caller's to do: a reporter completes and withdraws, the desk does the rest.
        NotFoundError: the caller may not see it.
    """
    scalar(db, "select clearway.move_finding(%s, %s, %s)", (finding.id, to, why))
    moved = by_id(db, finding.id)
    ledger.append(
        db, "finding.moved", moved.subject, {"from": finding.state, "to": to, "why": why}, aud=moved.aud
    )
    announce(db, moved, "finding.moved")
    return moved


def set_level(db: Connection, finding: Finding, level: int, why: str) -> Finding:
    """The finding with the highest level that its evidence reaches, 0 to 6; on the log, with its event.

    Raises:
        ForbiddenError: the caller is neither the owner nor a coordinator of a clearinghouse.
        NotFoundError: the caller may not see it.
    """
    scalar(db, "select clearway.level_finding(%s, %s, %s)", (finding.id, level, why))
    judged = by_id(db, finding.id)
    ledger.append(db, "finding.levelled", judged.subject, {"level": level, "why": why}, aud=judged.aud)
    announce(db, judged, "finding.levelled")
    return judged


def announce(db: Connection, finding: Finding, kind: str) -> None:
    """Emits an event of `finding`, which says how it stands and nothing of what it is about."""
    events.emit(
        db,
        kind,
        finding.subject,
        org=finding.org,
        aud=finding.aud,
        body={
            "handling": finding.handling,
            "state": finding.state,
            "level": finding.level,
            "live": finding.live,
        },
    )


def check_version(finding: Finding, version: int) -> None:
    """Raises StaleError when somebody changed it since the caller read that version."""
    if finding.version != version:
        raise StaleError("it was changed meanwhile", where=finding.subject, mend="read it again")


def check_works(db: Connection, finding: Finding) -> None:
    """Raises ForbiddenError for who is no desk, and for the desk of another house than keeps the finding's case.

    Every desk reads every finding, so that one flaw is seen as one; who works on one that is in a case is the
    clearinghouse that keeps the case. The database's own functions hold to the same.
    """
    db.execute("select clearway.check_works(%s, 'the desk does that')", (finding.id,))


def working(db: Connection, handlings: Iterable[str]) -> frozenset[str]:
    """Those of these findings, by their handling ids, that the caller works on, as `check_works` says."""
    rows = db.execute(
        "select handling from clearway.finding where handling = any(%s) and clearway.works_finding(finding)",
        (list(dict.fromkeys(handlings)),),
    )
    return frozenset(handling for (handling,) in rows)


def starter_works(job: Job, finding: Finding) -> bool:
    """Whether whoever started a job still works on the finding; so is the program itself.

    What the database noted with the act counts, and no argument of the job.
    """
    if job.by_person is None:
        return True
    try:
        with job.acting() as db:
            return db.execute("select clearway.works_finding(%s)", (finding.id,)).fetchone() == (True,)
    except (ForbiddenError, NotFoundError):  # nobody any more to act for
        return False


def _finding(row: tuple[Any, ...]) -> Finding:
    return Finding(**dict(zip(Finding.__struct_fields__, row, strict=True)))
