"""The workbook of a forensic triage: its nouns, as the events have left them. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from msgspec import Struct

from .triage_events import Conclusion
from .triage_patch import SeenPatch, TakenBack

StepState = Literal["open", "started", "done", "skipped"]


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

    `passed`: the target lay before the workbook was opened, so nobody could keep it here. `recorded` is when its end
    was told here, None where it has none or that is not known. `collects`: its work is to take evidence; `patches`: its
    work ends what is in memory.
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
    recorded: datetime | None = None
    collects: bool = False
    patches: bool = False


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


class ToldPatch(Struct, frozen=True, kw_only=True):
    """A patch that the workbook itself tells of: by a `patched` event, or by a step that patches, begun or done.

    `after_evidence`: volatile evidence from before it was recorded when it was told. `after_collection`: so was the end
    of every step that collects. Neither changes by what is recorded later.
    """

    at: datetime
    what: str
    recorded: datetime | None = None
    after_evidence: bool
    after_collection: bool


class Earlier(Struct, frozen=True, kw_only=True):
    """A conclusion that was opened again: what it was, when and by whom, and why it stands no more."""

    conclusion: Conclusion
    concluded: datetime
    by: str
    summary: str
    reopened: datetime
    reason: str


class Workbook(Struct, frozen=True, kw_only=True):
    """The state after all events. `conclusion` None: not decided. `flags` are for the reader of the report."""

    subject: Subject
    steps: tuple[Step, ...]
    evidence: tuple[Evidence, ...] = ()
    patched: datetime | None = None
    patch: str = ""
    patches: tuple[ToldPatch, ...] = ()  # by whatever event, in the order of recording
    conclusion: Conclusion | None = None
    concluded: datetime | None = None
    concluded_by: str = ""
    summary: str = ""
    earlier: tuple[Earlier, ...] = ()
    incident: str = ""
    last: datetime | None = None
    flags: tuple[str, ...] = ()
    patched_first: bool = False  # a patch was recorded, here or elsewhere, and no volatile evidence before it
    seen: tuple[
        SeenPatch, ...
    ] = ()  # patches recorded elsewhere, by the fleet or another workbook, earliest first
    taken_back: tuple[TakenBack, ...] = ()  # and those that did not stay
    opened: datetime | None = None
    told_back: int = 0  # events recorded after others that happened later
    told_late: int = 0  # events recorded more than a day after they happened
