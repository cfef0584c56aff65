"""What is to be published of a case: drafts, version by version, sealed; and the three documents that they become.

A draft is people's own text. What the case itself knows goes with it: its CVE id, who disputes it, how vendors took
part, its revisions. So the same draft gives other documents once a vendor disputes, and a release keeps the bytes.
"""

from __future__ import annotations

from datetime import datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from clearway.formats import report_csaf, report_cve, report_osv
from clearway.formats.report_advisory import Advisory, Dispute, Draft, Involved, Revision, tidied
from clearway.records.errors import ForbiddenError, InputError, IntegrityError, NotFoundError, TooLargeError
from clearway.records.text import plain

from . import kept, party

if TYPE_CHECKING:
    import psycopg

    from clearway.formats.report_advisory import Publisher

    from ..vault import Vault
    from .kept import Case
    from .party import Party

    Connection = psycopg.Connection[Any]

MAX_BYTES = 1 << 20
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
        ForbiddenError: the caller is no coordinator.
        InputError: it can't become a document, or no summary is given.
    """
    kept.check_open(case)
    words = plain(summary.strip(), 300)
    if not words:
        raise InputError("say what this version changes", where="summary")
    data = msgspec.json.encode(tidied(draft))
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
        raise ForbiddenError(
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


def read(db: Connection, vault: Vault, case: Case, number: int = 0) -> Draft:
    """A version of the draft, the newest by default.

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
    parties = party.listed(db, case)
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
