"""Proposals as they are kept: asked for by the desk, written by its job, sealed, decided by a person, gone in time.

    waiting ─> running ─> proposed ─> accepted     (a summary, as the person's own text)
        └─────────┴─> failed   └──┴─> discarded, or expired

Its audience is the meet of all that it was made from; until somebody has taken it, it is the desk's alone.
"""

from __future__ import annotations

from datetime import datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Literal

import msgspec
from msgspec import Struct

from clearway import ledger
from clearway.formats.reported_parts import prose
from clearway.records.errors import ConflictError, InputError, NotFoundError, TooLargeError
from clearway.store import events
from clearway.store.scalar import scalar

from .answer import Drafted
from .outgoing import Kind

if TYPE_CHECKING:
    from collections.abc import Sequence

    import psycopg

    from ..case.kept import Case
    from ..kept import Finding
    from ..vault import Vault
    from .settings import Settings

    Connection = psycopg.Connection[Any]

TASK = "findings.assist"
MAX_TEXT = 20_000  # characters that a person may take
State = Literal["waiting", "running", "proposed", "failed", "accepted", "discarded", "expired"]


class Proposal(Struct, frozen=True, kw_only=True):
    """One proposal without its text. `given` are the numbers of the findings beside it, in their order."""

    id: int
    kind: Kind
    finding: int | None
    case_id: int | None
    subject: str
    org: int
    aud: int
    given: tuple[int, ...]
    state: State
    why: str
    model: str
    endpoint: str
    fields: tuple[str, ...]
    sent: datetime | None
    sent_sha256: str  # hexadecimal, "" before
    sent_bytes: int
    tokens: int
    asked: datetime
    asked_by: int
    expires: datetime
    decided: datetime | None
    decided_by: str  # a person's name, "" before and where it is nobody's to see
    version: int


_SELECT = """select p.proposal, p.kind, p.finding, p.case_id, p.subject, p.org, p.aud::int, p.given,
    case when p.state in ('proposed', 'failed') and p.expires <= clearway.now_marked() then 'expired' else p.state end,
    p.why, p.model, p.endpoint, p.fields, p.sent, coalesce(encode(p.sent_sha256, 'hex'), ''), p.sent_bytes, p.tokens,
    p.asked, p.asked_by, p.expires, p.decided,
    coalesce((select d.name from clearway.person d where d.person = p.decided_by), ''), p.version
    from clearway.assist_proposal p"""


def ask(
    db: Connection,
    kind: Kind,
    *,
    finding: Finding | None = None,
    case: Case | None = None,
    beside: Sequence[Finding] = (),
) -> int:
    """Starts a proposal about a finding or a case, made from `beside` too; its number. On the log.

    Raises:
        ForbiddenError: the caller is no coordinator of a clearinghouse.
        NotFoundError: something of it is not for the caller to see.
        ConflictError: one of that kind is under way.
    """
    number = int(
        scalar(
            db,
            "select clearway.ask_assist(%s, %s, %s, %s::bigint[])",
            (kind, finding.id if finding else None, case.id if case else None, [f.id for f in beside]),
        )
    )
    made = one(db, number)
    ledger.append(db, "assist.asked", made.subject, {"proposal": number, "kind": kind}, aud=made.aud)
    return number


def one(db: Connection, number: int) -> Proposal:
    """The proposal of that number. Raises NotFoundError."""
    row = db.execute(f"{_SELECT} where p.proposal = %s", (number,)).fetchone()
    if row is None:
        raise NotFoundError("no such proposal", where=f"proposal {number}")
    return _proposal(row)


def listed(db: Connection, subject: str) -> list[Proposal]:
    """The subject's proposals that the caller may see and that are not gone, newest first; at most 50."""
    rows = db.execute(
        f"""{_SELECT} where p.subject = %s and p.state not in ('discarded', 'expired')
            and (p.state = 'accepted' or p.expires > clearway.now_marked()) order by p.proposal desc limit 50""",
        (subject,),
    )
    return [_proposal(row) for row in rows]


def drafted(db: Connection, vault: Vault, found: Proposal) -> Drafted | None:
    """What it proposes, None where nothing is proposed.

    Raises:
        NotFoundError, IntegrityError: the key is not in this home, or what is kept is not what was sealed.
    """
    row = db.execute(
        "select sealed from clearway.assist_proposal where proposal = %s and state = 'proposed'", (found.id,)
    ).fetchone()
    if row is None or row[0] is None:
        return None
    data = vault.open(found.subject, bytes(row[0]), label=_label("said", found.id))
    return msgspec.json.decode(data, type=Drafted)


def taken(db: Connection, vault: Vault, found: Proposal) -> str:
    """What a person made of it, "" before. Raises as `drafted`."""
    row = db.execute(
        "select taken from clearway.assist_proposal where proposal = %s and state = 'accepted'", (found.id,)
    ).fetchone()
    if row is None or row[0] is None:
        return ""
    return vault.open(found.subject, bytes(row[0]), label=_label("taken", found.id)).decode()


def accept(db: Connection, vault: Vault, found: Proposal, text: str) -> Proposal:
    """A person takes a summary as their own text, as they edited it; on the log with the model's name.

    Raises:
        InputError, TooLargeError: there is no text, or too much.
        ForbiddenError, ConflictError, NotFoundError: the caller is no coordinator; it is not proposed any more.
    """
    said = drafted(db, vault, found)
    if len(text) > MAX_TEXT:
        raise TooLargeError("the text is too long", where="text", mend=f"at most {MAX_TEXT:,} characters")
    words = prose(text, MAX_TEXT)
    if not words:
        raise InputError("there is no text to take", where="text")
    if said is None or found.kind != "summary":
        raise ConflictError("there is no summary to take", where=f"proposal {found.id}")
    sealed = vault.seal(found.subject, words.encode(), label=_label("taken", found.id))
    db.execute("select clearway.decide_assist(%s, 'accepted', %b)", (found.id, sealed))
    told = {
        "proposal": found.id,
        "model": found.model,
        "edited": words != said.text,
        "sha256": sha256(words.encode()).hexdigest(),
    }
    ledger.append(db, "assist.accepted", found.subject, told, aud=found.aud)
    return one(db, found.id)


def discard(db: Connection, found: Proposal) -> None:
    """Puts a proposal, or a text that was taken, away. What it said is deleted.

    Raises:
        ForbiddenError, ConflictError, NotFoundError: the caller is no coordinator; there is nothing to put away.
    """
    db.execute("select clearway.decide_assist(%s, 'discarded', null)", (found.id,))
    told = {"proposal": found.id, "kind": found.kind, "model": found.model}
    ledger.append(db, "assist.discarded", found.subject, told, aud=found.aud)


# --- the desk's job, as the owner ----------------------------------------------------------------


def sending(
    owner: Connection, found: Proposal, settings: Settings, body: bytes, fields: dict[str, list[str]]
) -> None:
    """It is about to be sent: where, what of it, and the digest. The log has it before a byte leaves.

    Raises:
        ConflictError: it is not open any more.
    """
    digest = sha256(body).digest()
    row = owner.execute(
        """update clearway.assist_proposal set state = 'running', model = %s, endpoint = %s, fields = %s,
            sent = clock_timestamp(), sent_sha256 = %s, sent_bytes = %s, attempts = attempts + 1, why = '',
            version = version + 1
        where proposal = %s and state in ('waiting', 'running') returning 1""",
        (
            settings.model, settings.origin, sorted({f for named in fields.values() for f in named}), digest,
            len(body), found.id,
        ),
    ).fetchone()  # fmt: skip
    if row is None:
        raise ConflictError("it is not open any more", where=f"proposal {found.id}")
    told = {
        "proposal": found.id,
        "endpoint": settings.origin,
        "place": settings.place,
        "model": settings.model,
        "fields": fields,
        "bytes": len(body),
        "sha256": digest.hex(),
    }
    ledger.append(owner, "assist.sent", found.subject, told, aud=found.aud)


def proposed(
    owner: Connection, vault: Vault, found: Proposal, said: Drafted, tokens: int, keep_days: int
) -> None:
    """Keeps what the model proposes, sealed, with its event; once."""
    sealed = vault.seal(found.subject, msgspec.json.encode(said), label=_label("said", found.id))
    row = owner.execute(
        """update clearway.assist_proposal set state = 'proposed', sealed = %b, tokens = %s, version = version + 1,
            expires = clock_timestamp() + make_interval(days => %s)
        where proposal = %s and state = 'running' returning model""",
        (sealed, min(tokens, 2**31 - 1), keep_days, found.id),
    ).fetchone()
    if row is None:
        return
    told = {"proposal": found.id, "kind": found.kind, "model": row[0]}
    ledger.append(owner, "assist.proposed", found.subject, told, aud=found.aud)
    _announce(owner, found, "assist.proposed")


def noted(owner: Connection, found: Proposal, why: str) -> None:
    """Says why it waits: it is tried again."""
    owner.execute(
        "update clearway.assist_proposal set why = %s where proposal = %s and state in ('waiting', 'running')",
        (why[:500], found.id),
    )


def fail(owner: Connection, found: Proposal, why: str) -> None:
    """It came to nothing; `why` is in our words and quotes neither the report nor the model."""
    row = owner.execute(
        """update clearway.assist_proposal set state = 'failed', why = %s, version = version + 1
        where proposal = %s and state in ('waiting', 'running') returning 1""",
        (why[:500], found.id),
    ).fetchone()
    if row is not None:
        ledger.append(owner, "assist.failed", found.subject, {"proposal": found.id}, aud=found.aud)
        _announce(owner, found, "assist.failed")


def sweep(owner: Connection) -> int:
    """Deletes what proposals said whose time is over, and all that was put away a quarter ago; how many expired."""
    gone = owner.execute(
        """update clearway.assist_proposal set state = 'expired', sealed = null, version = version + 1
        where state in ('proposed', 'failed') and expires <= clearway.now_marked()"""
    ).rowcount
    owner.execute(
        """delete from clearway.assist_proposal where state in ('expired', 'discarded')
            and greatest(expires, decided) < clearway.now_marked() - interval '90 days'"""
    )
    return gone


def _announce(owner: Connection, found: Proposal, kind: str) -> None:
    body = {"proposal": found.id, "handling": found.subject.partition("/")[2]}
    events.emit(owner, kind, found.subject, org=found.org, aud=found.aud, body=body)


def _label(what: str, number: int) -> str:
    return f"assist/{what}/{number}"


def _proposal(row: tuple[Any, ...]) -> Proposal:
    fields = dict(zip(Proposal.__struct_fields__, row, strict=True))
    return Proposal(**{**fields, "given": tuple(fields["given"]), "fields": tuple(fields["fields"])})
