"""A case as it is kept: one flaw, whom it concerns, how far its three machines are.

It is for its parties and the coordinators (`aud`); what is to be published is for everybody once its embargo has ended
(`open_aud`), and for the parties until then. Machines move through one function of the database, which knows who may do
what (`0019_cases`), and each act is an entry of the log.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from clearway import ledger
from clearway.access import embargo
from clearway.records.errors import ConflictError, ForbiddenError, InputError, NotFoundError
from clearway.records.text import plain
from clearway.store.scalar import scalar

from .. import kept as findings
from ..dedup import flaw
from . import words
from .record import Acted as Acted
from .record import Case as Case
from .record import by_id as by_id
from .record import changed as changed
from .record import check_keeper as check_keeper
from .record import check_open as check_open
from .record import check_version as check_version
from .record import ended as ended
from .record import findings_of as findings_of
from .record import history as history
from .record import keeps as keeps
from .record import level_of as level_of
from .record import locked as locked
from .record import of_package as of_package
from .record import one as one
from .record import stands as stands
from .record import tell as tell

if TYPE_CHECKING:
    from collections.abc import Sequence

    import psycopg

    from clearway.records.principal import Principal

    from ..kept import Finding
    from ..vault import Vault

    Connection = psycopg.Connection[Any]

MAX_FINDINGS = 1_000  # of one case


def desk_of(me: Principal) -> int:
    """The clearinghouse for which the caller coordinates.

    Raises:
        ForbiddenError: there is none.
    """
    found = [m.org for m in me.memberships if m.kind == "clearinghouse" and "coordinate" in m.rights]
    if not found:
        raise ForbiddenError("a coordinator of a clearinghouse does that")
    return found[0]


def add(db: Connection, org: int, chosen: Sequence[Finding], title: str = "", *, along: bool = False) -> Case:
    """A new case of these findings, with an embargo of its own that holds from now on. `org` keeps it.

    Title and package are the first finding's unless `title` says otherwise; nothing of the reports' text is shared.
    One flaw has one case: what else is the same flaw (`dedup.edge`) is named, and taken `along` when the caller says
    so, since each reporter becomes a party.

    Raises:
        InputError: no finding is named, or no title.
        ForbiddenError: the caller does not coordinate there.
        ConflictError: a finding is in another case, is withdrawn, or is a trial; others are the same flaw.
    """
    if not chosen or len(chosen) > MAX_FINDINGS:
        raise InputError(f"a case is opened from 1 to {MAX_FINDINGS:,} findings", where="findings")
    flaw.hold(db)
    taken = _one_flaw(db, chosen, along=along)
    first = chosen[0]
    named = plain(title.strip() or first.title, 300)
    handling = findings.new_handling().replace("CWF", "CWC")
    held = scalar(db, "select clearway.add_case_embargo(%s, %s)", (org, handling))
    made_for = db.execute("select clearway.case_audiences(%s)", (held,)).fetchone()
    assert made_for is not None
    aud, open_aud = made_for[0]
    row = db.execute(
        """insert into clearway.desk_case (handling, org, aud, open_aud, embargo, title, ecosystem, package, purl)
        values (%s, %s, %s, %s, %s, %s, %s, %s, %s) on conflict do nothing returning case_id""",
        (handling, org, aud, open_aud, held, named,
         first.ecosystem, first.package, _bare(first.purl)),
    ).fetchone()  # fmt: skip
    if row is None:
        raise ConflictError("the handling id is taken", where=handling, mend="do it again")
    made = by_id(db, row[0])
    tell(
        db,
        made,
        "case.opened",
        {"embargo": embargo.one(db, held).uid},
    )
    with flaw.changing(db):
        for finding in taken:
            _put(db, made, finding)
    return by_id(db, made.id)


def take(db: Connection, case: Case, *chosen: Finding, along: bool = False) -> list[Finding]:
    """Puts findings into the case, `along` with what else is the same flaw; those that it took. The reporters become
    parties where they are none yet.

    Raises:
        ForbiddenError, ConflictError: as `add`.
    """
    flaw.hold(db)
    case = by_id(db, case.id)  # as it stands now that nobody changes it
    check_open(case)
    taken = _one_flaw(db, chosen, along=along, into=case)
    with flaw.changing(db):
        for finding in taken:
            _put(db, case, finding)
    return taken


def _put(db: Connection, case: Case, finding: Finding) -> None:
    from . import party

    db.execute("select clearway.case_finding(%s, %s)", (finding.id, case.id))
    # For its reporter and the coordinators: how many others have reported, and under which ids, is not the parties'.
    tell(db, case, "case.finding_added", {"finding": finding.handling}, aud=finding.aud)
    known = {p.member for p in party.listed(db, case) if p.role == "reporter"}
    if finding.org not in known:
        party.add(db, case, role="reporter", member=finding.org)


def take_out(db: Connection, case: Case, finding: Finding, why: str) -> None:
    """Takes a finding out of the case: it waits in triage again. A reporter with no other finding in it is no party.

    Raises:
        ForbiddenError: the caller does not coordinate for the clearinghouse that keeps the case.
        NotFoundError: it is not in the case.
        ConflictError: the case is closed, or released: what is public stays as it is; or the end of its embargo is
            armed, and it is the last.
    """
    from . import party

    flaw.hold(db)
    case, finding = by_id(db, case.id), findings.by_id(db, finding.id)
    check_open(case)
    if finding.case_id != case.id:
        raise NotFoundError("the finding is not in this case", where=finding.handling)
    check_keeper(db, case)
    db.execute("select clearway.case_finding(%s, null)", (finding.id,))
    # For its reporter and the coordinators: which findings there are is not the parties'.
    words = {"finding": finding.handling, "why": plain(why.strip(), 500)}
    ledger.append(db, "case.finding_removed", case.subject, words, aud=finding.aud)
    left = db.execute(
        "select from clearway.finding where case_id = %s and org = %s limit 1", (case.id, finding.org)
    ).fetchone()
    if left is None:
        for one in party.listed(db, case):
            if one.role == "reporter" and one.member == finding.org:
                party.leave(db, case, one, "its finding was taken out of the case")


def _one_flaw(
    db: Connection, chosen: Sequence[Finding], *, along: bool, into: Case | None = None
) -> list[Finding]:
    """The chosen findings, and with `along` those that are the same flaw and in no case.

    Raises:
        ConflictError: some are the same flaw and not chosen, or in another open case.
    """
    groups = flaw.groups_of(db, [f.id for f in chosen])
    named = {f.id for f in chosen}
    whole = sorted({n for f in chosen for n in groups[f.id]})
    _nowhere_else(db, named, whole, into)
    found = [findings.by_id(db, n) for n in whole if n not in named]
    free = [f for f in found if f.case_id is None and f.live and f.state not in ("closed", "withdrawn")]
    if free and not along:
        several = "1 more finding is" if len(free) == 1 else f"{len(free):,} more findings are"
        names = ", ".join(f"{f.handling} of {f.organisation}" for f in free[:20])
        raise ConflictError(
            f"{several} the same flaw: {names}{', …' if len(free) > 20 else ''}",
            where="findings",
            mend="take them along, which makes their reporters parties, or split them off first",
        )
    return [*chosen, *free]


def _nowhere_else(db: Connection, named: set[int], found: Sequence[int], into: Case | None) -> None:
    """Raises ConflictError where one of `found` is in an open case that is not `into`; `named` are those of the act."""
    here = into.id if into else None
    elsewhere = {n: handling for n, (case, handling) in flaw.open_cases(db, found).items() if case != here}
    cases = flaw.named(elsewhere.values())
    if named & elsewhere.keys():
        raise ConflictError(
            f"the finding is in another case: {cases}", where="findings", mend="take it out of that first"
        )
    if elsewhere:
        raise ConflictError(
            f"the same flaw is in {cases}", where="findings", mend="put it there, or split it off first"
        )


def move(
    db: Connection,
    case: Case,
    machine: str,
    act: str,
    why: str = "",
    *,
    party: int | None = None,
    vault: Vault | None = None,
) -> Case:
    """The case after an act of one of its machines; on the log, with its event. Its reasons are sealed by `vault`, and
    are in neither.

    Raises:
        ConflictError: the act is none of this state.
        ForbiddenError: it is not the caller's.
        NotFoundError: no such party, or the case may not be seen.
    """
    was = _state(db, case, machine, party)
    said = words.sealed(vault, case.subject, "act", plain(why.strip(), 4000))
    row = db.execute(
        "select clearway.move_case(%s, %s, %s, %s, %s)", (case.id, party, machine, act, said)
    ).fetchone()
    now = row[0] if row else ""
    moved = by_id(db, case.id)
    told: dict[str, object] = {"machine": machine, "act": act, "from": was, "to": now}
    if party is not None:
        told["party"] = party
    tell(db, moved, "case.moved", told)
    return moved


def close(db: Connection, case: Case, why: str) -> Case:
    """Closes the case: nothing moves in it any more. What is under its embargo stays so until somebody ends that: one
    that was armed is disarmed, since nothing could be published at its hour. Findings of a case that is not public
    wait in triage again.

    Raises:
        ForbiddenError: the caller is no coordinator.
        ConflictError: it is closed, or released and not yet published.
    """
    flaw.hold(db)
    case = by_id(db, case.id)
    check_open(case)
    if case.released is not None and case.published is None:
        raise ConflictError("it is being published", where=case.subject, mend="close it when that is done")
    check_keeper(db, case)
    held = embargo.one(db, case.embargo)
    if held.ended_by is None and (held.until is not None or held.on_exploitation):
        embargo.arm(db, case.embargo, None, now=datetime.now(UTC))
    closed = _stood(db, case, "close", why)
    tell(db, closed, "case.closed", {"why": plain(why.strip(), 500)})
    if case.released is None:
        for (number,) in db.execute(
            "select finding from clearway.finding where case_id = %s order by finding", (case.id,)
        ).fetchall():
            db.execute("select clearway.case_finding(%s, null)", (number,))
    return closed


def reopen(db: Connection, case: Case, why: str) -> Case:
    """The case, open again where it stood: its embargo, if that has not ended, its parties and drafts, and those of its
    findings that no other case has taken meanwhile. An embargo that was armed is to be armed again. A CVE id that
    another case has by now stays there, and the case says so.

    Raises:
        InputError: no reason is given.
        ForbiddenError: the caller is no coordinator.
        ConflictError: it is not closed, or its flaw is in another open case meanwhile.
    """
    from . import cve_id

    if not why.strip():
        raise InputError("say why it is opened again", where="why")
    flaw.hold(db)
    # Those that it kept, being released, and those that it gave back and nobody has taken.
    own = db.execute(
        """select finding, case_id is null and state <> 'withdrawn' from clearway.finding
        where case_id = %(of)s or was_case = %(of)s order by finding""",
        {"of": case.id},
    ).fetchall()
    with flaw.changing(db):
        if case.closed is not None:
            cve_id.give_up(db, locked(db, case))
        again = _stood(db, case, "reopen", why)
        tell(db, again, "case.reopened", {"why": plain(why.strip(), 500)})
        for number, free in own:
            if free:
                db.execute("select clearway.case_finding(%s, %s)", (number, case.id))
    return again


def _stood(db: Connection, case: Case, wanted: str, why: str) -> Case:
    """The case closed, or open again; its history says why."""
    db.execute("select clearway.move_case(%s, null, 'case', %s, %s)", (case.id, wanted, why.strip()))
    return by_id(db, case.id)


def _state(db: Connection, case: Case, machine: str, party: int | None) -> str:
    if machine in ("embargo", "public"):
        return case.em if machine == "embargo" else case.pxa
    row = db.execute(
        "select rm, vfd from clearway.case_party where party = %s and case_id = %s", (party, case.id)
    ).fetchone()
    if row is None:
        raise NotFoundError("no such party", where=f"party/{party}")
    return str(row[0] if machine == "report" else row[1])


def _bare(purl: str) -> str:
    """The purl of a package without a version; "" when it can't be read."""
    from msgspec.structs import replace

    from clearway.formats.purl import parse, to_text

    try:
        return to_text(replace(parse(purl), version="", subpath="")) if purl else ""
    except InputError:
        return ""
