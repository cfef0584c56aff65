"""A finding's report read again from what is sealed, with what was added to it.

Opening it takes a transaction, reading it takes time: `stored` does the one, `report_of` and `added` the other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct

from clearway.formats.reported import read_reports
from clearway.formats.reported_own import with_more
from clearway.formats.reported_parts import Reported, quiet
from clearway.records.errors import ConflictError, InputError, TooLargeError

from .. import artefact
from ..kept import Finding

if TYPE_CHECKING:
    import psycopg

    from .submit import Desk

    Connection = psycopg.Connection[Any]

SUPPLEMENT = "application/vnd.clearway.finding-supplement+json"


class Stored(Struct, frozen=True):
    """A finding with the bytes of its report, and of what was added to it, as they were opened."""

    finding: Finding
    raw: bytes
    more: tuple[bytes, ...]

    @property
    def size(self) -> int:
        """How many bytes are to be read."""
        return len(self.raw) + sum(map(len, self.more))


class Added(Struct, frozen=True):
    """A report before and after a supplement, for the version of its finding that it was read of."""

    version: int
    before: Reported
    after: Reported


def stored(db: Connection, desk: Desk, finding: Finding) -> Stored:
    """A finding's document and what was added to it, opened. Not an entry of the log.

    Raises:
        NotFoundError: its document, or the key of it, is not here.
        IntegrityError: what is kept is not what was sealed.
    """
    (document,) = artefact.listed(db, finding.id, "document")[:1] or (None,)
    if document is None:
        raise ConflictError("the document of this finding is gone", where=finding.subject)
    raw = artefact.read(db, desk.vault, document, logged=False)
    more = [a for a in artefact.listed(db, finding.id, "attachment") if a.media == SUPPLEMENT]
    return Stored(finding, raw, tuple(artefact.read(db, desk.vault, a, logged=False) for a in more))


def report_of(sealed: Stored) -> Reported:
    """The report of a finding with what was added to it. Pure, and takes as long as its bytes are many."""
    report = read_reports(sealed.raw, purl=sealed.finding.purl).reports[0]
    for more in sealed.more:
        report = with_more(report, more)
    return report


def reread(db: Connection, desk: Desk, finding: Finding) -> Reported:
    """`report_of` what is `stored`, for a job: in its transaction."""
    return report_of(stored(db, desk, finding))


def added(before: Stored, data: bytes) -> Added:
    """The report with the supplement `data` (`OwnMore`).

    Raises:
        InputError, TooLargeError: the supplement can't be read; it is not quoted.
    """
    report = report_of(before)
    try:
        return Added(before.finding.version, report, with_more(report, data))
    except (InputError, TooLargeError) as error:
        raise quiet(error, error.where or "supplement") from None
