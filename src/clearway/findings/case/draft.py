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
from clearway.formats.report_advisory import (
    Advisory,
    Dispute,
    Draft,
    Involved,
    Publisher,
    Revision,
    check,
    doubts,
    tidied,
)
from clearway.ledger import append_read
from clearway.records.errors import (
    ConflictError,
    InputError,
    IntegrityError,
    NotFoundError,
    PreconditionMissingError,
    StaleError,
    TooLargeError,
)
from clearway.records.text import plain

from . import kept, party

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

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


def put(
    db: Connection,
    vault: Vault,
    case: Case,
    draft: Draft,
    summary: str,
    *,
    base: Collection[int] | None = None,
    sure: bool = False,
) -> int:
    """Keeps the next version of the draft; its number.

    `base` are the versions of which one has to be the newest, () for none; None: whichever is. `sure`: somebody has
    looked at what can't be known here (`doubts`) and says that it is so; what the version before it had too is not
    asked again.

    Raises:
        ForbiddenError: the caller does not coordinate for the clearinghouse that keeps the case.
        StaleError: another version is the newest; what it changed is told.
        PreconditionMissingError: there is a version, and `base` names none.
        InputError: no documents that validate and are read back could be made of it, no summary is given, or something
            is not known here and nobody is sure of it.
        ConflictError: the case is closed.
    """
    kept.check_open(case)
    case = kept.locked(db, case)
    kept.check_open(case)
    versions = listed(db, case)
    before = read(db, vault, case) if versions else None
    if base is not None:
        _goes_on_from(db, vault, case, versions, base)
    words = plain(summary.strip(), 300)
    if not words:
        raise InputError("say what this version changes", where="summary")
    draft = tidied(draft)
    _tried(case, draft, words)
    if not sure:
        _known(draft, before)
    data = msgspec.json.encode(draft)
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


def _goes_on_from(
    db: Connection, vault: Vault, case: Case, versions: Sequence[Version], base: Collection[int]
) -> None:
    """Raises StaleError where the newest version is none of those that the caller has read, with what it changed."""
    newest = versions[-1].number if versions else 0
    if newest in base or (not newest and not base):
        return
    if not newest:
        raise StaleError("the case has no draft", where="draft", mend="send it without if-match")
    if not base:
        raise PreconditionMissingError(
            "a draft is there, and this would replace it unread",
            where="if-match",
            mend="send the `etag` of that",
        )
    read_one = max((n for n in base if 0 < n < newest), default=0)
    told = f"version {newest} was written meanwhile: {versions[-1].summary}"
    if read_one:
        fields = changes(read(db, vault, case, read_one), read(db, vault, case))
        told += f" (since version {read_one} it changes {', '.join(fields) or 'nothing'})"
    raise StaleError(told, where="draft", mend="read it, and write yours anew on top of it")


def changes(before: Draft, after: Draft) -> tuple[str, ...]:
    """The fields in which two drafts differ; of products, which of them."""
    found = []
    for name in Draft.__struct_fields__:
        old, new = getattr(before, name), getattr(after, name)
        if name == "products":
            most = max(len(old), len(new))
            found += [f"products[{n}]" for n in range(most) if old[n : n + 1] != new[n : n + 1]]
        elif old != new:
            found.append(name)
    return tuple(found)


def _known(draft: Draft, before: Draft | None) -> None:
    """Raises InputError for what can't be known here, unless the version before says it too."""
    stood = set(doubts(before).values()) if before is not None else set()
    new = {place: said for place, said in doubts(draft).items() if said not in stood}
    if new:
        raise InputError(
            "; ".join(f"{place}: {said}" for place, said in list(new.items())[:10]),
            where="sure",
            mend="look whether it is so, and say that you are sure",
        )


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


def checked(db: Connection, vault: Vault, case: Case) -> None:
    """Raises InputError for a newest draft that would not be kept today; one from before was kept by other rules."""
    if listed(db, case):
        check(read(db, vault, case))


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
    # One list for all kinds of document: who answers for a product of its own.
    vendors = [p for p in party.listed(db, case, left=True) if p.role in party.VENDORS]
    return Advisory(
        id=case.handling,
        draft=read(db, vault, case, wanted.number),
        publisher=publisher,
        published=case.released or at,
        revisions=tuple(revisions),
        cve=case.cve if case.cve_state in ("reserved", "published") else "",
        disputes=tuple(
            Dispute(party=p.name, why=p.reasons(vault, case), at=p.answered or at)
            for p in vendors
            if p.answer == "disputed"
        ),
        involved=tuple(_involved(p) for p in vendors),
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
