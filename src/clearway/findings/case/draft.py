"""What is to be published of a case: drafts, version by version, sealed; and the three documents that they become.

A draft is people's own text. What the case itself knows goes with it: its CVE id, who disputes it, how vendors took
part, its revisions. So the same draft gives other documents once a vendor disputes, and a release keeps the bytes.
"""

from __future__ import annotations

from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from clearway.formats import report_check, report_csaf, report_cve, report_osv
from clearway.formats.report_advisory import Advisory, Dispute, Draft, Involved, Publisher, Revision, tidied
from clearway.ledger import append_read
from clearway.records.errors import ConflictError, InputError, IntegrityError, NotFoundError, TooLargeError
from clearway.records.text import plain

from . import kept, party

if TYPE_CHECKING:
    import psycopg

    from ..vault import Vault
    from .kept import Case
    from .party import Party

    Connection = psycopg.Connection[Any]

MAX_BYTES = 1 << 20
# Stands for the publisher and the CVE id that a case may yet get, where documents are made to try a draft.
_ANYBODY = Publisher(
    name="-", namespace="https://example.org", org_id="00000000-0000-4000-8000-000000000000", short_name="-"
)
_ANY_CVE = "CVE-1999-0000"
_DECODER = msgspec.json.Decoder(Draft)
_STATUS = {
    "not-asked": "not_contacted", "no-answer": "contact_attempted", "investigating": "in_progress",
    "affected": "in_progress", "not-affected": "completed", "fixed": "completed", "disputed": "disputed",
}  # fmt: skip


class Version(Struct, frozen=True, kw_only=True):
    """One version of the draft, without its text. `released` once it was published."""

    number: int
    summary: str
    at: datetime
    released: datetime | None


def decoded(data: bytes) -> Draft:
    """The draft that a JSON document says, tidied.

    Raises:
        InputError: it is no such document, or something in it is wrong; the place is named.
        TooLargeError: over a mebibyte.
    """
    if len(data) > MAX_BYTES:
        raise TooLargeError("the draft is too large", where="draft", mend=f"at most {MAX_BYTES:,} bytes")
    try:
        found = _DECODER.decode(data)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise InputError(f"this is no draft: {plain(str(error), 200)}", where="draft") from None
    return tidied(found)


def put(db: Connection, vault: Vault, case: Case, draft: Draft, summary: str) -> int:
    """Keeps the next version of the draft; its number.

    Raises:
        ForbiddenError: the caller does not coordinate for the clearinghouse that keeps the case.
        InputError: no documents that validate and are read back could be made of it, or no summary is given.
        ConflictError: the case is closed.
    """
    kept.check_open(case)
    case = kept.locked(db, case)
    words = plain(summary.strip(), 300)
    if not words:
        raise InputError("say what this version changes", where="summary")
    draft = tidied(draft)
    _tried(case, draft, words)
    data = msgspec.json.encode(draft)
    versions = listed(db, case)
    number = versions[-1].number + 1 if versions else 1
    digest = sha256(data).digest()
    row = db.execute(
        """insert into clearway.case_draft (case_id, number, org, aud, summary, sealed, sha256)
        values (%s, %s, %s, %s, %s, %b, %s) on conflict do nothing returning number""",
        (
            case.id,
            number,
            case.org,
            case.aud,
            words,
            vault.seal(case.subject, data, label=f"draft/{number}"),
            digest,
        ),
    ).fetchone()
    if row is None:
        raise ConflictError(
            "somebody else has just added a version", where=case.subject, mend="read it again"
        )
    kept.tell(db, case, "case.drafted", {"number": number, "sha256": digest.hex(), "summary": words})
    return number


def listed(db: Connection, case: Case) -> list[Version]:
    """The versions, oldest first."""
    rows = db.execute(
        "select number, summary, at, released from clearway.case_draft where case_id = %s order by number",
        (case.id,),
    )
    return [Version(number=n, summary=s, at=a, released=r) for n, s, a, r in rows]


def shown(db: Connection, vault: Vault, case: Case, number: int = 0) -> Draft:
    """A version of the draft for somebody to read: an entry of the log. Raises as `read`."""
    found = read(db, vault, case, number)
    append_read(db, [f"{case.subject}/draft"], case.aud)
    return found


def previewed(
    db: Connection, vault: Vault, case: Case, publisher: Publisher, at: datetime, kind: str
) -> bytes:
    """A document as it would be released at `at`, for somebody to read: an entry of the log.

    Raises:
        NotFoundError: there is no draft, or none of that kind would be made of it.
    """
    made = documents(advisory(db, vault, case, publisher, at))
    if kind not in made:
        raise NotFoundError("the case has no such document", where="kind", mend=f"one of {', '.join(made)}")
    append_read(db, [f"{case.subject}/draft"], case.aud)
    return made[kind]


def read(db: Connection, vault: Vault, case: Case, number: int = 0) -> Draft:
    """A version of the draft, the newest by default. For `shown` where it is read by somebody: this is on no log.

    Raises:
        NotFoundError: there is none.
        IntegrityError: it is not what was kept.
    """
    row = db.execute(
        """select number, sealed, sha256 from clearway.case_draft where case_id = %s and (%s = 0 or number = %s)
        order by number desc limit 1""",
        (case.id, number, number),
    ).fetchone()
    if row is None:
        raise NotFoundError("the case has no such draft", where=case.subject)
    data = vault.open(case.subject, row[1], label=f"draft/{row[0]}")
    if sha256(data).digest() != bytes(row[2]):
        raise IntegrityError("the draft's hash does not hold", where=case.subject)
    return _DECODER.decode(data)


def advisory(
    db: Connection, vault: Vault, case: Case, publisher: Publisher, at: datetime, number: int = 0
) -> Advisory:
    """The draft with what the case knows, as it would be released at `at`, or as it was.

    Raises:
        NotFoundError: there is no draft.
    """
    versions = listed(db, case)
    if not versions:
        raise NotFoundError("the case has no draft", where=case.subject, mend="write one first")
    wanted = next((v for v in versions if v.number == number), versions[-1])
    released = [v for v in versions if v.released is not None and v.number <= wanted.number]
    revisions = [
        Revision(number=n, at=v.released or at, summary=v.summary) for n, v in enumerate(released, 1)
    ]
    if wanted.released is None:
        when = max(at, revisions[-1].at) if revisions else at
        revisions.append(Revision(number=len(revisions) + 1, at=when, summary=wanted.summary))
    parties = party.listed(db, case, left=True)
    return Advisory(
        id=case.handling,
        draft=read(db, vault, case, wanted.number),
        publisher=publisher,
        published=case.released or at,
        revisions=tuple(revisions),
        cve=case.cve if case.cve_state in ("reserved", "published") else "",
        disputes=tuple(
            Dispute(party=p.name, why=p.answer_why, at=p.answered or at)
            for p in parties
            if p.answer == "disputed"
        ),
        involved=tuple(_involved(p) for p in parties if p.role in party.VENDORS),
    )


def _tried(case: Case, draft: Draft, summary: str) -> None:
    """Makes the documents as a release would, and reads them back: what could not be published is not kept."""
    at = datetime.now(UTC)
    known = Advisory(
        id=case.handling,
        draft=draft,
        publisher=_ANYBODY,
        published=case.released or at,
        revisions=(Revision(number=1, at=at, summary=summary),),
        cve=case.cve or _ANY_CVE,
    )
    report_check.check(documents(known))


def documents(made: Advisory) -> dict[str, bytes]:
    """The documents by their kind: "csaf", "osv" where a product is in one of its ecosystems, "cve" with a CVE id."""
    found = {"csaf": report_csaf.document(made)}
    if any(report_osv.in_osv(p) for p in made.draft.products):
        found["osv"] = report_osv.document(made)
    if made.cve and made.publisher.org_id:
        found["cve"] = report_cve.document(made)
    return found


def _involved(one: Party) -> Involved:
    return Involved(party=one.name, status=_STATUS[one.answer], at=one.answered or one.asked)  # type: ignore[arg-type]
