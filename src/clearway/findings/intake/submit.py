"""From what was sent to findings: each report lands with its receipt, or is set aside with its place and reason.

    1. The document is read whole (`formats.reported`), before the transaction; what is broken in it is set aside.
    2. A report whose bytes are known is the finding it was, unless that was withdrawn; it changes nothing, and its
       receipt is handed out again.
    3. A new one gets a handling id and a key of its own; its bytes and files are sealed, its gates judged.
    4. What lacks nothing is queued for validation; what lacks something is incomplete, and each lack is named; what is
       over the reporter's share at the receiver waits.
    5. The receipt is signed. The events come last.

All is one transaction of the caller's, each report a savepoint in it: what one report breaks, the others do not feel.
"""

from __future__ import annotations

from contextlib import contextmanager, suppress
from hashlib import sha256
from secrets import token_hex
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from clearway.formats.reported import read_reports
from clearway.formats.reported_parts import publishes, quiet
from clearway.records.errors import ClearwayError, ConflictError, InputError, TooLargeError
from clearway.records.fleet_input import SetAside
from clearway.store.connect import translated
from clearway.store.scalar import scalar

from .. import artefact, kept
from ..artefact import File
from ..desk_key import DeskKey
from ..vault import Vault
from . import gates as gating
from . import limit, receipt
from .gates import Gate
from .sealed import SUPPLEMENT, added, stored

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import psycopg

    from clearway.formats.reported_parts import ReportDocument, Reported

    from ..kept import Finding
    from .sealed import Added

    Connection = psycopg.Connection[Any]

RECIPE = "recipe.json"
_MEDIA = {"mail": "message/rfc822"}
_LABEL = "submission"


class Desk(Struct, frozen=True):
    """What takes reports in: the vault that seals them and the key that signs receipts."""

    vault: Vault
    key: DeskKey


class Taken(Struct, frozen=True, kw_only=True):
    """One report that landed. `new` is false when its bytes were here before; `receipt` is a DSSE envelope."""

    handling: str
    state: str
    new: bool
    live: bool
    place: str
    missing: tuple[Gate, ...]
    receipt: str


class Submission(Struct, frozen=True, kw_only=True):
    """What became of one document."""

    format: str
    taken: tuple[Taken, ...]
    set_aside: tuple[SetAside, ...]


def submit(
    db: Connection,
    desk: Desk,
    org: int,
    data: bytes,
    *,
    document: ReportDocument | None = None,
    live: bool = True,
    name: str = "",
    spend: Callable[[int], None] | None = None,
) -> Submission:
    """Takes the document `data` in for the organisation `org`; with `live` false as a trial that goes no further.

    `document` is what the caller has read of it, `name` the file's, as a label. `spend` is asked for as many reports as
    there are before the first is kept, and raises when that is too many for now. When this raises, nothing may be
    committed: the keys of what it had sealed are destroyed.

    Raises:
        InputError, TooLargeError: the document can't be read as a whole.
        ForbiddenError: the caller may not submit for `org`.
    """
    if document is None:
        document = read_reports(data)
    if spend is not None:
        spend(len(document.reports) + len(document.set_aside))
    aud = kept.audience_of(db, org)
    taken: list[Taken] = []
    aside = list(document.set_aside)
    new: list[Finding] = []
    intake = _Intake(db, desk, org, aud, live, document, data, name)
    try:
        for report in document.reports:
            try:
                with translated(), intake.savepoint():
                    one, finding = intake.take(report)
            except (InputError, TooLargeError, ConflictError) as error:
                told = quiet(error, report.place or error.where)
                aside.append(SetAside(told.where, f"{told.what} ({told.mend})" if told.mend else told.what))
                continue
            taken.append(one)
            if finding is not None:
                new.append(finding)
        for finding in new:
            kept.announce(db, finding, "finding.received" if live else "finding.tried")
    except BaseException:
        intake.forget()
        raise
    return Submission(format=document.format, taken=tuple(taken), set_aside=tuple(aside))


class _Intake:
    """One document under way. The row of what was sent is written with its first new report."""

    def __init__(
        self,
        db: Connection,
        desk: Desk,
        org: int,
        aud: int,
        live: bool,
        document: ReportDocument,
        data: bytes,
        name: str,
    ) -> None:
        self.db, self.desk, self.org, self.aud, self.live = db, desk, org, aud, live
        self.document, self.data, self.name = document, data, name
        self._number = 0
        self._sealed: list[str] = []  # the vault's subjects that were made for this document
        self._limited: dict[tuple[str, str], bool] = {}
        self._alone()

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """One report's share of the transaction, undone as a whole when it fails."""
        before, sealed = self._number, len(self._sealed)
        try:
            with self.db.transaction():
                yield
        except BaseException:
            self._number = before
            self.forget(sealed)
            raise

    def forget(self, after: int = 0) -> None:
        """Destroys the keys of what was sealed since `after` such: their rows are not there, or will not be."""
        while len(self._sealed) > after:
            with suppress(ClearwayError):  # a key that stays opens nothing
                self.desk.vault.destroy(self._sealed.pop())

    def take(self, report: Reported) -> tuple[Taken, Finding | None]:
        """The report as it landed, and its finding when that is new."""
        digest = sha256(report.raw).digest()
        asked = (*gating.judge(report), self._turn(report.ecosystem, report.package))
        state, why = _state(asked)
        finding, fresh = kept.add(
            self.db,
            kept.NewFinding(
                org=self.org,
                digest=digest,
                part=report.place[:200],
                format=report.format,
                title=report.title,
                ecosystem=report.ecosystem,
                package=report.package,
                release=report.release,
                purl=report.purl,
                place=report.where,
                cwe=report.cwe,
                severity=report.severity,
                publishes=publishes(report.provenance),
                live=self.live,
                state=state,
                state_why=why,
            ),
            aud=self.aud,
        )
        if not fresh:
            return _again(self.db, finding, report.place), None
        self._sealed.append(finding.subject)
        artefact.add_all(self.db, self.desk.vault, finding, _files(report, self.name), first=True)
        _keep_gates(self.db, finding, asked)
        signed = receipt.make(self.desk.key, finding, asked)
        self.db.execute(
            "insert into clearway.finding_receipt (finding, org, aud, submission, envelope) "
            "values (%s, %s, %s, %s, %s)",
            (finding.id, finding.org, finding.aud, self._submission(), signed),
        )
        return _taken(finding, report.place, asked, signed, new=True), finding

    def _alone(self) -> None:
        """Asks for the limits of all products once, and counts towards them alone from now on."""
        counted: list[tuple[str, str]] = []
        for product in {(report.ecosystem, report.package) for report in self.document.reports}:
            held = limit.shared(self.db, *product)
            self._limited[product] = bool(held)
            counted += held
        limit.alone(self.db, self.org, counted)

    def _turn(self, ecosystem: str, package: str) -> Gate:
        """Whether it is the turn of a report about a product."""
        if not self._limited[ecosystem, package]:
            return Gate(gate="turn", state="met")
        return limit.turn(self.db, self.org, ecosystem, package)

    def _submission(self) -> int:
        if not self._number:
            whole = len(self.document.reports) == 1 and self.document.reports[0].raw == self.data
            seal = "" if whole else f"submission/{token_hex(16)}"
            if seal:
                self._sealed.append(seal)
            sealed = None if whole else self.desk.vault.seal(seal, self.data, label=_LABEL)
            self._number = scalar(
                self.db,
                """insert into clearway.submission (org, aud, live, format, digest, bytes, seal, sealed, reports,
                    set_aside)
                values (%s, %s, %s, %s, %s, %s, %s, %b, %s, %s) returning submission""",
                (
                    self.org, self.aud, self.live, self.document.format, sha256(self.data).digest(),
                    len(self.data), seal, sealed, len(self.document.reports), len(self.document.set_aside),
                ),
            )  # fmt: skip
        return self._number


def takes_more(finding: Finding) -> None:
    """Passes for a finding that something may be added to. Raises ConflictError."""
    if finding.state not in ("received", "incomplete"):
        raise ConflictError(
            f"the finding is {finding.state}: it takes no more",
            where=finding.subject,
            mend="send a report of its own",
        )


def supplement(
    db: Connection, desk: Desk, finding: Finding, data: bytes, ready: Added | None = None
) -> tuple[Finding, tuple[Gate, ...]]:
    """Adds to a finding that lacks something what `data` says (`OwnMore`); the finding as it is then, and its gates.

    `ready` is what the caller has read of it before the transaction; read anew when the finding has changed since.

    Raises:
        InputError: the supplement can't be read.
        ConflictError: the finding lacks nothing, or is past that.
        ForbiddenError: the caller may not submit for its organisation.
    """
    takes_more(finding)
    # Two who add at once do so one after the other. Rules hide a row to be written that is judged by now.
    row = db.execute(
        "select version from clearway.finding where finding = %s for update", (finding.id,)
    ).fetchone()
    if row is None:
        raise ConflictError("the finding takes no more", where=finding.subject, mend="look at it again")
    if ready is None or ready.version != row[0]:
        ready = added(stored(db, desk, finding), data)
    before, report = ready.before, ready.after
    count = sum(file.media == SUPPLEMENT for file in artefact.listed(db, finding.id, "attachment"))
    name = f"supplement-{count + 1}.json"
    more = [File(kind="attachment", data=data, name=name, media=SUPPLEMENT)]
    more += [
        File(kind=f.kind, data=f.data, name=f.name, media=f.media) for f in report.files[len(before.files) :]
    ]
    if report.reproduction.recipe and report.reproduction.recipe != before.reproduction.recipe:
        more.append(_recipe(report.reproduction.recipe))
    artefact.add_all(db, desk.vault, finding, more)
    db.execute(
        """update clearway.finding set ecosystem = %s, package = %s, release = %s, purl = %s, place = %s, cwe = %s,
            changed = clock_timestamp(), version = version + 1 where finding = %s""",
        (report.ecosystem, report.package, report.release, report.purl, report.where, report.cwe, finding.id),
    )
    turn = limit.turn(db, finding.org, report.ecosystem, report.package, of=finding.id)
    asked = (*gating.judge(report), turn)
    _keep_gates(db, finding, asked)
    state, why = _state(asked)
    if state == "received":  # it waits; nothing moves yet
        state, why = "incomplete", why or "waits its turn with the receiver"
    moved = kept.move(db, kept.by_id(db, finding.id), state, why)
    return moved, asked


def gates_of(db: Connection, finding: int) -> tuple[Gate, ...]:
    """The gates of a finding, in the order in which they are asked; `known` where the desk says that it is public."""
    rows = db.execute("select gate, state, what from clearway.finding_gate where finding = %s", (finding,))
    found = {row[0]: gating.Gate(gate=row[0], state=row[1], what=row[2]) for row in rows}
    said = db.execute(
        """select flaw, verdict, fixed from clearway.finding_known
        where finding = %s and verdict in ('is', 'returns') and revoked is null order by known desc limit 1""",
        (finding,),
    ).fetchone()
    if said is not None:
        found["known"] = gating.known(*said)
    return tuple(found[name] for name in gating.TITLES if name in found)


def receipt_of(db: Connection, finding: int) -> str:
    """The receipt that was given out for a finding; "" for one that came another way."""
    row = db.execute(
        "select envelope from clearway.finding_receipt where finding = %s", (finding,)
    ).fetchone()
    return row[0] if row else ""


def _files(report: Reported, name: str) -> list[File]:
    media = _MEDIA.get(report.format, "application/json")
    made = [File(kind="document", data=report.raw, name=name, media=media)]
    made += [File(kind=f.kind, data=f.data, name=f.name, media=f.media) for f in report.files]
    if report.reproduction.recipe:
        made.append(_recipe(report.reproduction.recipe))
    return made


def _recipe(data: bytes) -> File:
    return File(kind="attachment", data=data, name=RECIPE, media="application/json")


def _keep_gates(db: Connection, finding: Finding, asked: Sequence[Gate]) -> None:
    db.execute(
        """insert into clearway.finding_gate (finding, gate, org, aud, state, what)
        select %s, g.gate, %s, %s, g.state, g.what from unnest(%s::text[], %s::text[], %s::text[]) g(gate, state, what)
        on conflict (finding, gate) do update set state = excluded.state, what = excluded.what""",
        (
            finding.id, finding.org, finding.aud,
            [g.gate for g in asked], [g.state for g in asked], [g.what for g in asked],
        ),
    )  # fmt: skip


def _state(asked: Sequence[Gate]) -> tuple[Any, str]:
    """Where a report with these gates begins, and why."""
    lacking = gating.summary(asked)
    if lacking:
        return "incomplete", lacking
    if any(gate.state == "waits" for gate in asked):
        return "received", "waits its turn with the receiver"
    return "queued", ""


def _again(db: Connection, finding: Finding, place: str) -> Taken:
    return _taken(finding, place, gates_of(db, finding.id), receipt_of(db, finding.id), new=False)


def _taken(finding: Finding, place: str, asked: Sequence[Gate], signed: str, *, new: bool) -> Taken:
    return Taken(
        handling=finding.handling,
        state=finding.state,
        new=new,
        live=finding.live,
        place=place,
        missing=gating.missing(asked),
        receipt=signed,
    )
