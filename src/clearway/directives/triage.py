"""The forensic triage of one item whose row asks for it: a workbook that is a fold of events. Pure.

BOD 26-04 asks, for the tier 3DF, whether the asset is already compromised, before evidence is lost by patching it.
Events are appended and never changed; `fold` says what they make, and refuses an event that does not fit.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal

from msgspec import Struct, structs

from clearway.records.errors import ConflictError, InputError

from .duties import TriageStep
from .triage_events import (
    Concluded,
    Conclusion,
    Event,
    EvidenceMoved,
    EvidenceTaken,
    IncidentReported,
    Patched,
    Reopened,
    StepDone,
    StepSkipped,
    StepStarted,
    aware,
    check,
)
from .triage_patch import SeenPatch, Taken, TakenBack, after_taken_back, before_evidence, minute

StepState = Literal["open", "started", "done", "skipped"]
MOST_EVENTS = 10_000


class Subject(Struct, frozen=True, kw_only=True):
    """What is triaged. `kev_added` is the instant that the hours count from."""

    organisation: str
    asset: str
    asset_name: str
    flaw: str
    component: str
    directive: str
    kev_added: datetime


class Step(Struct, frozen=True, kw_only=True):
    """One step with its targets. `late`: done, or still open, after `target`.

    `passed`: the target lay before the workbook was opened, so nobody could keep it here.
    """

    id: str
    name: str
    earliest: datetime
    target: datetime
    state: StepState = "open"
    started: datetime | None = None
    ended: datetime | None = None
    by: str = ""
    note: str = ""
    late: bool = False
    passed: bool = False


class Custody(Struct, frozen=True, kw_only=True):
    """Who had the evidence from when, where; and whether its hash was still the one first taken."""

    holder: str
    since: datetime
    place: str
    sha256: str
    intact: bool


class Evidence(Struct, frozen=True, kw_only=True):
    """`taken` is when, as told; `recorded` when that was told here, None where it is not known."""

    id: str
    what: str
    volatile: bool
    sha256: str
    size_bytes: int
    taken: datetime
    custody: tuple[Custody, ...]
    recorded: datetime | None = None


class Workbook(Struct, frozen=True, kw_only=True):
    """The state after all events. `conclusion` None: not decided. `flags` are for the reader of the report."""

    subject: Subject
    steps: tuple[Step, ...]
    evidence: tuple[Evidence, ...] = ()
    patched: datetime | None = None
    patch: str = ""
    conclusion: Conclusion | None = None
    concluded: datetime | None = None
    concluded_by: str = ""
    summary: str = ""
    incident: str = ""
    last: datetime | None = None
    flags: tuple[str, ...] = ()
    patched_first: bool = (
        False  # when a patch was recorded, here or by the fleet, no volatile evidence from before was
    )
    seen: tuple[SeenPatch, ...] = ()  # patches that the fleet has seen, the earliest first
    taken_back: tuple[TakenBack, ...] = ()  # and those that did not stay
    opened: datetime | None = None
    told_back: int = 0  # events recorded after others that happened later


def kev_instant(day: date) -> datetime:
    """The instant the hours count from where only the day of the addition is known: its first moment in UTC."""
    return datetime.combine(day, time(), UTC)


def new(subject: Subject, steps: Sequence[TriageStep]) -> Workbook:
    """A workbook without events. Raises InputError for a time without an offset, or too late for the calendar."""
    start = aware(subject.kev_added, "kev_added")
    try:
        made = tuple(
            Step(
                id=step.id,
                name=step.name,
                earliest=start + timedelta(hours=step.from_hours),
                target=start + timedelta(hours=step.to_hours),
            )
            for step in steps
        )
    except OverflowError as error:
        raise InputError("the targets lie beyond the calendar", where="kev_added") from error
    if not made:
        raise InputError("no steps", where=subject.directive, mend="name a directive with a forensic triage")
    return Workbook(subject=subject, steps=made)


def fold(
    subject: Subject,
    steps: Sequence[TriageStep],
    events: Iterable[Event],
    *,
    now: datetime,
    recorded: Sequence[datetime] = (),
    seen: Iterable[SeenPatch] = (),
    opened: datetime | None = None,
) -> Workbook:
    """The workbook after `events`, with its flags as of `now`.

    `recorded` is when each event was told, in their order; `seen` are the patches that the fleet knows of, also
    those that did not stay.

    Raises ConflictError for an event that does not fit what came before it, InputError for a bad value.
    """
    book = new(subject, steps)
    for n, event in enumerate(events):
        if n >= MOST_EVENTS:
            raise InputError(
                f"more than {MOST_EVENTS:,} events", where="triage", mend="open another workbook"
            )
        book = apply(book, event, recorded[n] if n < len(recorded) else None)
    patches = tuple(sorted(seen, key=lambda s: (s.at, s.where)))
    return flagged(
        structs.replace(
            book,
            seen=tuple(p for p in patches if not isinstance(p, TakenBack)),
            taken_back=tuple(p for p in patches if isinstance(p, TakenBack)),
            opened=opened,
        ),
        now,
    )


def apply(book: Workbook, event: Event, recorded: datetime | None = None) -> Workbook:
    """The workbook after one more event; events may be told late, so `at` need not grow, but this is counted.

    Raises:
        ConflictError: it does not fit: a step done twice, a conclusion before the steps, custody from another hand.
        InputError: a hash, a text or a time that is none.
    """
    check(event)
    if book.conclusion is not None and not isinstance(event, (Reopened, IncidentReported, EvidenceMoved)):
        raise ConflictError(
            f"concluded: {book.conclusion}", where="triage", mend="reopen it with a reason first"
        )
    match event:
        case StepStarted() | StepDone() | StepSkipped():
            after = _with_step(book, event)
        case EvidenceTaken():
            after = _with_evidence(book, event, recorded)
        case EvidenceMoved():
            after = _with_custody(book, event)
        case Patched():
            if book.patched is not None:
                raise ConflictError(f"patched already, {book.patched.isoformat()}", where="triage")
            # By the order of recording: what is told afterwards, under an earlier time, does not undo it.
            before = any(e.volatile and e.taken <= event.at for e in book.evidence)
            after = structs.replace(book, patched=event.at, patch=event.what, patched_first=not before)
        case Concluded():
            after = _with_conclusion(book, event)
        case IncidentReported():
            after = structs.replace(book, incident=event.reference)
        case Reopened():
            if book.conclusion is None:
                raise ConflictError("not concluded", where="triage")
            steps = tuple(
                structs.replace(s, state="open", started=None, ended=None, by="", note="")
                if s.id == "decide"
                else s
                for s in book.steps
            )
            after = structs.replace(
                book, conclusion=None, concluded=None, concluded_by="", summary="", steps=steps
            )
    last = event.at if book.last is None else max(book.last, event.at)
    return structs.replace(after, last=last, told_back=book.told_back + (event.at < last))


def flagged(book: Workbook, now: datetime) -> Workbook:
    """The same workbook with what its reader must know: what was late by `now`, and what may have spoiled evidence."""
    aware(now, "now")
    steps = tuple(
        structs.replace(
            s,
            late=(s.ended or now) > s.target and s.state != "skipped",
            passed=book.opened is not None and s.target < book.opened,
        )
        for s in book.steps
    )
    said = [
        f"{s.name.partition(':')[0]}: after its target of {minute(s.target)}"
        for s in steps
        if s.late and not s.passed
    ]
    if book.opened is not None and any(s.late and s.passed for s in steps):
        said.append(
            f"opened {minute(book.opened)}, after targets had passed: the hours count from the KEV entry"
        )
    if book.patched is not None:
        volatile = [e.taken for e in book.evidence if e.volatile]
        if not volatile:
            said.insert(0, "patched, and no volatile evidence was taken")
        elif min(volatile) > book.patched:
            said.insert(
                0,
                f"patched {minute(book.patched)}, before the first volatile evidence {minute(min(volatile))}",
            )
        elif book.patched_first:
            said.insert(
                0,
                f"patched {minute(book.patched)}, and the volatile evidence from before it "
                f"({minute(min(volatile))}) was recorded only after the patch",
            )
    volatile_told = [Taken(e.taken, e.recorded) for e in book.evidence if e.volatile]
    fleet = before_evidence(book.seen, volatile_told)
    if fleet:
        said.insert(0, fleet)
    if undone := after_taken_back(book.taken_back, volatile_told):
        said.append(undone)
    if book.told_back:
        said.append(f"{book.told_back} recorded after what happened later: their times are as told")
    for evidence in book.evidence:
        if any(not custody.intact for custody in evidence.custody):
            said.append(f"evidence {evidence.id}: its hash changed in custody")
    if book.conclusion is not None and not book.evidence:
        said.append("concluded without any evidence")
    if book.conclusion == "confirmed" and not book.incident:
        said.append("confirmed, and no incident report is recorded")
    first = book.patched_first or bool(fleet)
    return structs.replace(book, steps=steps, flags=tuple(said), patched_first=first)


def _with_step(book: Workbook, event: StepStarted | StepDone | StepSkipped) -> Workbook:
    step = next((s for s in book.steps if s.id == event.step), None)
    if step is None:
        known = ", ".join(s.id for s in book.steps)
        raise InputError(f"no step {event.step!r}", where="step", mend=f"one of: {known}")
    if step.state in ("done", "skipped") or (step.state == "started" and isinstance(event, StepStarted)):
        raise ConflictError(f"step {step.id} is {step.state} already", where="triage")
    match event:
        case StepStarted():
            new = structs.replace(step, state="started", started=event.at, by=event.by)
        case StepDone():
            new = structs.replace(step, state="done", ended=event.at, by=event.by, note=event.note)
        case StepSkipped():
            new = structs.replace(step, state="skipped", ended=event.at, by=event.by, note=event.reason)
    return structs.replace(book, steps=tuple(new if s.id == step.id else s for s in book.steps))


def _with_evidence(book: Workbook, event: EvidenceTaken, recorded: datetime | None) -> Workbook:
    if any(e.id == event.evidence for e in book.evidence):
        raise ConflictError(
            f"evidence {event.evidence!r} is there already", where="triage", mend="use another id"
        )
    first = Custody(holder=event.by, since=event.at, place=event.place, sha256=event.sha256, intact=True)
    taken = Evidence(
        id=event.evidence,
        what=event.what,
        volatile=event.volatile,
        sha256=event.sha256,
        size_bytes=event.size_bytes,
        taken=event.at,
        custody=(first,),
        recorded=recorded,
    )
    return structs.replace(book, evidence=(*book.evidence, taken))


def _with_custody(book: Workbook, event: EvidenceMoved) -> Workbook:
    found = next((e for e in book.evidence if e.id == event.evidence), None)
    if found is None:
        raise InputError(
            f"no evidence {event.evidence!r}", where="evidence", mend="record that it was taken first"
        )
    last = found.custody[-1]
    if last.holder != event.by:
        raise ConflictError(f"{event.evidence} is in the hands of {last.holder}", where="triage")
    if event.at < last.since:
        raise ConflictError(f"{event.evidence} was handed on before {last.holder} had it", where="triage")
    custody = Custody(
        holder=event.to,
        since=event.at,
        place=event.place,
        sha256=event.sha256,
        intact=event.sha256 == found.sha256,
    )
    moved = structs.replace(found, custody=(*found.custody, custody))
    return structs.replace(book, evidence=tuple(moved if e.id == found.id else e for e in book.evidence))


def _with_conclusion(book: Workbook, event: Concluded) -> Workbook:
    left = [s.id for s in book.steps if s.state not in ("done", "skipped") and s.id != "decide"]
    if left:
        raise ConflictError(
            f"steps not done: {', '.join(left)}", where="triage", mend="do them, or skip them with a reason"
        )
    steps = tuple(
        structs.replace(s, state="done", ended=event.at, by=event.by) if s.id == "decide" else s
        for s in book.steps
    )
    return structs.replace(
        book,
        steps=steps,
        conclusion=event.conclusion,
        concluded=event.at,
        concluded_by=event.by,
        summary=event.summary,
    )
