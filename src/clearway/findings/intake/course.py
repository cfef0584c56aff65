"""Where a report stands on its way, in a reporter's words: what is done, what is being done, what is next. Pure.

Its own steps are the finding's states and levels; those of its case are the case's, as far as its reporter, who is a
party of it, may see them.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from msgspec import Struct

if TYPE_CHECKING:
    import psycopg

    from ..kept import Finding
    from .view import FindingView

    Connection = psycopg.Connection[Any]

Stage = Literal["done", "now", "open", "ended"]


class CaseOf(Struct, frozen=True, kw_only=True):
    """The case that a finding is in, as far as its page tells: the times at which it was released and published."""

    handling: str
    opened: datetime
    until: datetime | None
    released: datetime | None
    published: datetime | None
    closed: datetime | None
    cve: str


class Step(Struct, frozen=True, kw_only=True):
    """One step. `words` say what it came to, or what is waited for; `at` is when, where that is known."""

    name: str
    stage: Stage
    words: str
    at: datetime | None = None


def case_of(db: Connection, finding: Finding) -> CaseOf | None:
    """The finding's case, None where it is in none that the caller may see."""
    if finding.case_id is None:
        return None
    row = db.execute(
        """select handling, opened, until, released, published, closed, cve from clearway.desk_case
        where case_id = %s""",
        (finding.case_id,),
    ).fetchone()
    return None if row is None else CaseOf(**dict(zip(CaseOf.__struct_fields__, row, strict=True)))


def steps(one: FindingView, case: CaseOf | None, *, signed: bool = False) -> tuple[Step, ...]:
    """Received, complete, validated, in a case, published: each with where it is. `signed`: its receipt is here."""
    words = "its receipt is signed" if signed else ""
    found = [Step(name="Received", stage="done", words=words, at=one.received)]
    if one.state == "withdrawn":
        return (*found, Step(name="Withdrawn", stage="ended", words=one.state_why or "by its reporter"))
    found.append(_complete(one))
    found.append(_validated(one))
    if not one.live:
        return (
            *found,
            Step(name="Deleted", stage="open", words="a trial goes no further, and is deleted after a week"),
        )
    return (*found, *_in_case(one, case))


def _complete(one: FindingView) -> Step:
    if one.missing:
        amount = len(one.missing)
        words = f"{amount} {'thing is' if amount == 1 else 'things are'} missing: see below"
        return Step(name="Complete", stage="now", words=words)
    if any(gate.state == "waits" for gate in one.gates):
        return Step(name="Complete", stage="now", words="waits its turn: the receiver takes so many a week")
    if one.state in ("received", "incomplete"):
        return Step(name="Complete", stage="now", words="is being looked at")
    return Step(name="Complete", stage="done", words="nothing is missing")


def _validated(one: FindingView) -> Step:
    if one.state == "validating":
        return Step(name="Validated", stage="now", words="a worker runs it in a sandbox")
    if one.level:
        return Step(name="Validated", stage="done", words=f"reached E{one.level}")
    if one.state in ("judged", "closed"):
        return Step(name="Validated", stage="done", words="did not fire here")
    if one.state == "queued":
        return Step(name="Validated", stage="now", words="waits for a coordinator to start it")
    return Step(name="Validated", stage="open", words="once it is complete")


def _in_case(one: FindingView, case: CaseOf | None) -> tuple[Step, ...]:
    if one.state == "closed" and case is None:
        return (Step(name="Closed", stage="ended", words=one.state_why or "by the coordinators"),)
    if case is None:
        return (
            Step(name="In a case", stage="open", words="the coordinators open one, and ask who maintains it"),
            Step(name="Published", stage="open", words="with a fix, when the embargo ends"),
        )
    opened = Step(name="In a case", stage="done", words=case.handling, at=case.opened)
    if case.published is not None:
        return (
            opened,
            Step(name="Published", stage="done", words=case.cve or "its advisory is out", at=case.published),
        )
    if case.released is not None:
        return (opened, Step(name="Published", stage="now", words="the embargo has ended", at=case.released))
    if case.closed is not None:
        return (opened, Step(name="Closed", stage="ended", words="the case is closed", at=case.closed))
    words = "on the day agreed" if case.until is not None else "no day is agreed yet"
    return (opened, Step(name="Published", stage="now", words=words, at=case.until))
