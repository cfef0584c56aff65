"""The forensic triage of one item whose row asks for it: a workbook that is a fold of events. Pure.

BOD 26-04 asks, for the tier 3DF, whether the asset is already compromised, before evidence is lost by patching it.
Events are appended and never changed; `fold` says what they make, and refuses an event that does not fit.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta

from msgspec import structs

from clearway.records.errors import ConflictError, InputError

from .duties import TriageStep
from .triage_book import Custody, Earlier, Evidence, Step, Subject, ToldPatch, Workbook
from .triage_events import (
    Concluded,
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
from .triage_flags import LONG_AFTER, flagged, volatile
from .triage_patch import SeenPatch, Taken, TakenBack

__all__ = [
    "Concluded", "Event", "EvidenceMoved", "EvidenceTaken", "IncidentReported", "Patched", "Reopened", "StepDone",
    "StepSkipped", "StepStarted", "Subject", "Workbook", "apply", "flagged", "fold", "kev_instant", "new",
]  # fmt: skip

MOST_EVENTS = 10_000


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
                collects=step.collects,
                patches=step.patches,
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
    elsewhere: Sequence[Taken] = (),
    notes: Sequence[str] = (),
) -> Workbook:
    """The workbook after `events`, with its flags as of `now`.

    `recorded` is when each event was told, in their order; `seen` are the patches that were recorded elsewhere, by the
    fleet or in other workbooks of the item, also those that did not stay; `elsewhere` and `notes` as in `flagged`.

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
        elsewhere=elsewhere,
        notes=notes,
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
            after = _with_step(book, event, recorded)
        case EvidenceTaken():
            after = _with_evidence(book, event, recorded)
        case EvidenceMoved():
            after = _with_custody(book, event)
        case Patched():
            if book.patched is not None:
                raise ConflictError(f"patched already, {book.patched.isoformat()}", where="triage")
            after = structs.replace(
                book,
                patched=event.at,
                patch=event.what,
                patches=(*book.patches, _patch(book, event.at, event.what, recorded)),
            )
        case Concluded():
            after = _with_conclusion(book, event, recorded)
        case IncidentReported():
            after = structs.replace(book, incident=event.reference)
        case Reopened():
            if book.conclusion is None:
                raise ConflictError("not concluded", where="triage")
            steps = tuple(
                structs.replace(s, state="open", started=None, ended=None, by="", note="", recorded=None)
                if s.id == "decide"
                else s
                for s in book.steps
            )
            assert book.concluded is not None
            before = Earlier(
                conclusion=book.conclusion,
                concluded=book.concluded,
                by=book.concluded_by,
                summary=book.summary,
                reopened=event.at,
                reason=event.reason,
            )
            after = structs.replace(
                book,
                conclusion=None,
                concluded=None,
                concluded_by="",
                summary="",
                steps=steps,
                earlier=(*book.earlier, before),
            )
    last = event.at if book.last is None else max(book.last, event.at)
    return structs.replace(
        after,
        last=last,
        told_back=book.told_back + (event.at < last),
        told_late=book.told_late + (recorded is not None and recorded - event.at > LONG_AFTER),
    )


def _patch(book: Workbook, at: datetime, what: str, recorded: datetime | None) -> ToldPatch:
    """A patch told now, held against what was recorded by now: what is told afterwards does not undo it."""
    return ToldPatch(
        at=at,
        what=what,
        recorded=recorded,
        after_evidence=any(taken.at <= at for taken in volatile(book)),
        # That collection was left out is said of itself.
        after_collection=all(
            s.state in ("done", "skipped") and s.ended is not None and s.ended <= at
            for s in book.steps
            if s.collects
        ),
    )


def _with_step(
    book: Workbook, event: StepStarted | StepDone | StepSkipped, recorded: datetime | None
) -> Workbook:
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
            new = structs.replace(
                step, state="done", ended=event.at, by=event.by, note=event.note, recorded=recorded
            )
        case StepSkipped():
            new = structs.replace(
                step, state="skipped", ended=event.at, by=event.by, note=event.reason, recorded=recorded
            )
    patches = book.patches
    if step.patches and not isinstance(event, StepSkipped):
        word = "begun" if isinstance(event, StepStarted) else "done"
        patches = (*patches, _patch(book, event.at, f"step {step.id} {word}", recorded))
    return structs.replace(
        book, patches=patches, steps=tuple(new if s.id == step.id else s for s in book.steps)
    )


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


def _with_conclusion(book: Workbook, event: Concluded, recorded: datetime | None) -> Workbook:
    left = [s.id for s in book.steps if s.state not in ("done", "skipped") and s.id != "decide"]
    if left:
        raise ConflictError(
            f"steps not done: {', '.join(left)}", where="triage", mend="do them, or skip them with a reason"
        )
    steps = tuple(
        structs.replace(s, state="done", ended=event.at, by=event.by, recorded=recorded)
        if s.id == "decide"
        else s
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
