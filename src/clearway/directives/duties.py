"""What a directive asks for beside its table: reports with their rhythm, triage steps, and lifecycle deadlines.

Data files in `data/duties/`, one a directive, because their issuers revise them.
"""

from __future__ import annotations

from datetime import date
from importlib.resources import files
from typing import Literal

import msgspec
from msgspec import Struct, field

from clearway.records.errors import InputError, NotFoundError

from .clock import add_months
from .reports.period import Kind

Bucket = Literal["ended", "within_12_months", "unknown", "later"]


class ReportDuty(Struct, frozen=True, kw_only=True, rename={"since": "from"}):
    """One report that is due again and again: every `days`, or once a quarter. It starts on `since`."""

    kind: Kind
    since: date
    days: int = 0
    quarterly: bool = False
    also_met_by: tuple[Kind, ...] = ()
    what: str = ""


class TriageStep(Struct, frozen=True, kw_only=True):
    """One step of a forensic triage; its target lies between two hours after the addition to KEV.

    `collects`: its work is to take evidence. `patches`: its work ends what is in memory, and so comes after that.
    """

    id: str
    name: str
    from_hours: int
    to_hours: int
    after: tuple[str, ...] = ()
    collects: bool = False
    patches: bool = False


class Deadline(Struct, frozen=True, kw_only=True):
    """One deadline of a lifecycle directive, so many months after its publication, for devices in `buckets`.

    `listed` None: whether or not a device is on the issuer's list. `by_end_of_support`: due when the support
    ends, where that is later.
    """

    id: str
    months: int
    act: Literal["inventory", "decommission", "process"]
    what: str
    buckets: tuple[Bucket, ...]
    listed: bool | None = None
    by_end_of_support: bool = False


class Duties(Struct, frozen=True, kw_only=True):
    """All of it for one directive. The head is there where the directive has no decision table of its own."""

    directive: str
    title: str = ""
    short: str = ""
    issuer: str = ""
    version: str = ""
    url: str = ""
    published: date | None = None
    reports: tuple[ReportDuty, ...] = ()
    triage: tuple[TriageStep, ...] = ()
    lifecycle: tuple[Deadline, ...] = ()
    notes: tuple[str, ...] = field(default=())

    def deadline_day(self, deadline: Deadline) -> date:
        """The day of a lifecycle deadline. Raises InputError for a directive without a day of publication."""
        if self.published is None:
            raise InputError("no day of publication to count from", where=self.directive)
        return add_months(self.published, deadline.months)


def names() -> tuple[str, ...]:
    """The ids of all directives with known duties, sorted."""
    folder = files(__package__) / "data" / "duties"
    return tuple(sorted(entry.name[:-5] for entry in folder.iterdir() if entry.name.endswith(".json")))


def duties(directive: str) -> Duties:
    """The duties of that directive. Raises NotFoundError where none are known, InputError for a bad data file."""
    folder = files(__package__) / "data" / "duties"
    if directive not in names():
        raise NotFoundError(f"no duties known of {directive!r}", mend=f"one of: {', '.join(names())}")
    return read_duties((folder / f"{directive}.json").read_bytes(), directive)


def read_duties(data: bytes, place: str) -> Duties:
    """Duties from the bytes of their data file. Raises InputError naming `place`."""
    try:
        return msgspec.json.decode(data, type=Duties)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"not a file of duties: {error}", where=place) from error
