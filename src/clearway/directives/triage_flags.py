"""What may weaken a forensic triage, from all that was recorded: by its events, its steps, the fleet, its others. Pure.

1. A patch, wherever it is told of, before volatile evidence or before its collection.
2. Collection that was left out or came to nothing, and a conclusion without volatile evidence.
3. What is late, and times that were told only afterwards.
4. Evidence that is no evidence: empty, repeated, changed in custody.
5. Conclusions that were opened again, and a confirmed compromise that was not reported.
"""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Final

from msgspec import structs

from clearway.records.text import plain

from .triage_events import aware
from .triage_patch import Taken, after_taken_back, before_evidence, minute

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .triage_book import Evidence, Step, ToldPatch, Workbook

EMPTY: Final = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"  # SHA-256 of no bytes
LONG_AFTER: Final = timedelta(days=1)
_MINUTE = timedelta(minutes=1)  # times are told to the minute


def flagged(
    book: Workbook, now: datetime, *, elsewhere: Sequence[Taken] = (), notes: Sequence[str] = ()
) -> Workbook:
    """The same workbook with what its reader must know as of `now`.

    `elsewhere` is the volatile evidence that other workbooks of the same item have; `notes` are what else is known of
    it. Raises InputError for a time without an offset.
    """
    aware(now, "now")
    steps = tuple(
        structs.replace(
            s,
            late=(s.ended or now) > s.target and s.state != "skipped",
            passed=book.opened is not None and s.target < book.opened,
        )
        for s in book.steps
    )
    book = structs.replace(book, steps=steps)
    fleet = before_evidence(book.seen, [*volatile(book), *elsewhere])
    own = _own_patch(book, elsewhere)
    said = [flag for flag in (fleet, own) if flag]
    if elsewhere and not said and (before_evidence(book.seen, volatile(book)) or _own_patch(book, ())):
        said = [
            f"the volatile evidence from before the patch is another workbook's, {minute(min(t.at for t in elsewhere))}"
        ]
    for flags in (_collection(book), _times(book, elsewhere), _items(book.evidence), _conclusions(book)):
        said += flags
    return structs.replace(book, flags=(*said, *notes), patched_first=bool(fleet or own))


def is_empty(evidence: Evidence) -> bool:
    """Whether it is of no bytes, by its size or by its hash."""
    return evidence.size_bytes == 0 or evidence.sha256 == EMPTY


def volatile(book: Workbook) -> list[Taken]:
    """The volatile evidence of a workbook; what is empty is none."""
    return [Taken(e.taken, e.recorded) for e in book.evidence if e.volatile and not is_empty(e)]


def _own_patch(book: Workbook, elsewhere: Sequence[Taken]) -> str:
    """The earliest patch told here that volatile evidence did not precede; "" for none. Begins with "patched"."""
    first = min(
        (p for p in book.patches if not p.after_evidence and not _preceded(p, elsewhere)),
        key=lambda p: p.at,
        default=None,
    )
    if first is None:
        return ""
    event = first.at == book.patched and first.what == book.patch
    how = "" if event else f" ({first.what})"
    taken = [t.at for t in (*volatile(book), *elsewhere)]
    if not taken:
        return f"patched{how}, and no volatile evidence was taken"
    told = f"patched {minute(first.at)}{how}"
    if min(taken) > first.at:
        return f"{told}, before the first volatile evidence {minute(min(taken))}"
    return (
        f"{told}, and the volatile evidence from before it ({minute(min(taken))}) "
        "was recorded only after the patch"
    )


def _preceded(patch: ToldPatch, taken: Sequence[Taken]) -> bool:
    told = patch.recorded or patch.at
    return any(t.at <= patch.at and (t.recorded or t.at) <= told for t in taken)


def _collection(book: Workbook) -> Iterator[str]:
    """Steps that collect: left out, done without a result, or not done when it was patched."""
    for step in book.steps:
        if not step.collects:
            continue
        if step.state == "skipped":
            yield f"{_short(step)}: left out: {plain(step.note, 200).strip()}"
            continue
        if step.state == "done" and not volatile(book):
            kept = any(not is_empty(e) for e in book.evidence)
            yield f"{_short(step)}: done, and no {'volatile ' if kept else ''}evidence is recorded"
        early = [p.at for p in book.patches if not p.after_collection]
        early += [s.at for s in book.seen if not _ended_by(step, s.at)]
        if early:
            yield f"{_short(step)}: not done when it was patched, {minute(min(early))}"


def _ended_by(step: Step, at: datetime) -> bool:
    return (
        step.state == "done" and step.ended is not None and max(step.ended, step.recorded or step.ended) <= at
    )


def _times(book: Workbook, elsewhere: Sequence[Taken]) -> Iterator[str]:
    """What was late, or is in time by a word that came later, or by an hour that KEV does not give."""
    if book.subject.kev_added.astimezone(UTC).time() != time():
        yield f"the hours count from {minute(book.subject.kev_added)}, as told: KEV gives the day alone"
    for step in book.steps:
        if step.late and not step.passed:
            yield f"{_short(step)}: after its target of {minute(step.target)}"
    if book.opened is not None and any(s.late and s.passed for s in book.steps):
        yield f"opened {minute(book.opened)}, after targets had passed: the hours count from the KEV entry"
    told = [s.id for s in book.steps if s.recorded and not s.late and not s.passed and s.recorded > s.target]
    if told:
        yield f"in time as told, and recorded only after the target: {', '.join(told)}"
    if undone := after_taken_back(book.taken_back, [*volatile(book), *elsewhere]):
        yield undone
    taken = [*volatile(book), *elsewhere]
    for patch in sorted(book.patches, key=lambda p: p.at):
        before = [t for t in taken if t.at <= patch.at]
        if patch.after_evidence and not any((t.recorded or t.at) < patch.at + _MINUTE for t in before):
            late = min(t.recorded or t.at for t in before)
            yield (
                f"the volatile evidence from before the patch of {minute(patch.at)} was recorded {minute(late)}: "
                "that it came first is as told"
            )
            break
    if book.told_back:
        yield f"{book.told_back} recorded after what happened later: their times are as told"
    if book.told_late:
        yield f"{book.told_late} recorded more than a day after they happened: their times are as told"


def _items(evidence: Sequence[Evidence]) -> Iterator[str]:
    """Evidence that is empty, that repeats another's bytes, or that changed in custody."""
    first: dict[str, str] = {}
    for item in evidence:
        if is_empty(item):
            yield f"evidence {item.id}: of no bytes, and counts as none"
        elif item.sha256 in first:
            yield f"evidence {item.id}: the same bytes as {first[item.sha256]}"
        first.setdefault(item.sha256, item.id)
        if any(not custody.intact for custody in item.custody):
            yield f"evidence {item.id}: its hash changed in custody"


def _conclusions(book: Workbook) -> Iterator[str]:
    if book.conclusion is not None:
        if not any(not is_empty(e) for e in book.evidence):
            yield "concluded without any evidence"
        elif not volatile(book):
            yield "concluded without volatile evidence"
        left = [s.id for s in book.steps if s.state == "skipped" and not s.collects]
        if left:
            yield f"concluded with steps left out: {', '.join(left)}"
    for before in book.earlier:
        yield (
            f"concluded {before.conclusion} {minute(before.concluded)}, and opened again "
            f"{minute(before.reopened)}: {plain(before.reason, 200).strip()}"
        )
    if not book.incident:
        if book.conclusion == "confirmed":
            yield "confirmed, and no incident report is recorded"
        elif any(before.conclusion == "confirmed" for before in book.earlier):
            yield "confirmed before it was opened again, and no incident report is recorded"


def _short(step: Step) -> str:
    """ "Patch or stabilise, after collection" and the like, without what follows a colon."""
    return step.name.partition(":")[0]
