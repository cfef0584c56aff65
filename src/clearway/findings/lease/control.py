"""Proofs of control over networks, names and software, and what their owners say of being scanned.

An organisation begins a proof, puts the token where `proof.place` says, and has it looked for. From then on, for
`PROVEN_FOR`, it may scan there itself and have others do so, by name; it may refuse everybody else (`refuse`, the
opt-out), or cap everybody's rate (`cap`). Without anybody's proof nobody gets a lease for load on hosts at all.

Of a repository or a package the owner may opt out too; else anybody looks at their own copy of it. Where nothing that
could be put somewhere shows whose a package is, a coordinator of another organisation confirms it (`confirm`).
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from clearway import ledger
from clearway.records.errors import ConflictError, InputError, NotFoundError
from clearway.records.text import plain
from clearway.store import events
from clearway.store.scalar import scalar

from .. import kept
from . import proof, scope
from .proof import Method, Place
from .rule import Stance, checked_rate

if TYPE_CHECKING:
    from collections.abc import Iterable

    import psycopg

    from clearway.records.principal import Membership

    from .blind import BlindKey

    Connection = psycopg.Connection[Any]

PROVEN_FOR = timedelta(days=90)
CONFIRMED_FOR = timedelta(days=365)
RENEWED_BEFORE = timedelta(days=30)


class Control(Struct, frozen=True, kw_only=True):
    """One proof of control as its organisation and the desk see it; it counts from `proven` to `expires`."""

    id: int
    organisation: str
    scope: str
    method: Method
    token: str
    begun: datetime
    proven: datetime | None
    expires: datetime | None
    stance: Stance
    max_rate: float | None
    authorised: tuple[str, ...]
    withdrew: datetime | None  # when that word last ended leases of others
    version: int

    @property
    def place(self) -> Place:
        """Where the token belongs."""
        return proof.place(scope.parse(self.scope), self.method, self.token)


_SELECT = """select c.control, o.slug, c.scope, c.method, c.token, c.begun, c.proven, c.expires, c.stance, c.max_rate,
    c.authorised, c.withdrew, c.version from clearway.lease_control c join clearway.organisation o on o.org = c.org
    where c.ended is null"""


def listed(db: Connection, *, most: int = 500) -> list[Control]:
    """Those that the caller may see, the newest first."""
    return [_control(row) for row in db.execute(f"{_SELECT} order by c.control desc limit %s", (most,))]


def one(db: Connection, number: int) -> Control:
    """The proof of that number. Raises NotFoundError."""
    row = db.execute(f"{_SELECT} and c.control = %s", (number,)).fetchone()
    if row is None:
        raise NotFoundError("no such proof of control", where=f"control {number}")
    return _control(row)


def begin(db: Connection, key: BlindKey, of: Membership, text: str, method: Method) -> Control:
    """A proof to be put in place; `place` says where.

    Raises:
        InputError: the scope can't be read, or that way shows nothing about it.
        ForbiddenError: the caller has no right for that in `of`.
    """
    target = scope.parse(text)
    token = secrets.token_urlsafe(24)
    proof.place(target, method, token)
    blinded = key.target(target)
    number = scalar(
        db,
        "select clearway.lease_control_begin(%s, %s, %s, %s, %s, %s::inet, %s)",
        (
            of.org, kept.audience_of(db, of.org), target.text, method, token,
            None if blinded.net is None else str(blinded.net), blinded.path,
        ),
    )  # fmt: skip
    made = one(db, number)
    _tell(db, "lease.control_begun", made, {"scope": made.scope, "method": method})
    return made


def prove(owner: Connection, control: Control, now: datetime, *, by: int = 0) -> Control:
    """Notes, as the owner, that the proof of `control` was found at `now`; `by` is who had it looked for.

    Raises:
        ConflictError: it was ended meanwhile.
    """
    row = owner.execute(
        """update clearway.lease_control set proven = coalesce(proven, %s), expires = %s, version = version + 1
        where control = %s and token = %s and ended is null returning control""",
        (now, now + PROVEN_FOR, control.id, control.token),
    ).fetchone()
    if row is None:
        raise ConflictError("it was ended meanwhile", where=f"control {control.id}")
    proven = one(owner, control.id)
    _tell(owner, "lease.control_proven", proven, {"scope": proven.scope, "method": proven.method, "by": by})
    return proven


def say(
    db: Connection,
    number: int,
    stance: Stance,
    *,
    max_rate: float | None = None,
    authorised: Sequence[str] = (),
) -> Control:
    """Says how others may scan what is proven, and who is authorised.

    New questions and renewals are answered by it from then on; what others hold against it ends in this transaction.

    Raises:
        InputError: a rate without a cap or a cap without one, or a cap on software; an organisation that is not here.
        NotFoundError, ForbiddenError, ConflictError: it is not there, not the caller's, or ended.
    """
    if (stance == "cap") != (max_rate is not None):
        raise InputError("a cap has a rate, and nothing else has one", where="max_rate")
    if max_rate is not None:
        checked_rate(max_rate, "max_rate")
    if len(authorised) > 200:
        raise InputError("more than 200 organisations", where="authorised")
    if stance == "cap" and not scope.parse(one(db, number).scope).live:
        raise InputError("a rate is of hosts", where="stance", mend="refuse it, or let others be")
    one(db, number)
    allowed = sorted({slug.strip() for slug in authorised if slug.strip()})
    scalar(
        db,
        "select clearway.lease_control_say(%s, %s, %s::real, %s::text[])",
        (number, stance, max_rate, allowed),
    )
    found = one(db, number)
    content: dict[str, object] = {
        "scope": found.scope,
        "stance": stance,
        "max_rate": max_rate,
        "authorised": allowed,
    }
    _tell(db, "lease.control_said", found, content)
    return found


def end(db: Connection, number: int) -> Control:
    """Ends a proof of one's own, and with it what it said and the leases that stood by it; as it was.

    Raises:
        NotFoundError, ForbiddenError, ConflictError: it is not there, not the caller's, or ended.
    """
    found = one(db, number)
    scalar(db, "select clearway.lease_control_end(%s)", (number,))
    _tell(db, "lease.control_ended", found, {"scope": found.scope})
    return found


def confirm(db: Connection, number: int, now: datetime, why: str) -> Control:
    """Says, as a coordinator of another organisation, that what is claimed by way of the desk is theirs; for a year.

    Raises:
        InputError: no reason is given.
        NotFoundError, ForbiddenError, ConflictError: it is not there, not the caller's to say, or shown otherwise.
    """
    if not why.strip():
        raise InputError("say what shows that it is theirs", where="why")
    one(db, number)
    scalar(db, "select clearway.lease_control_confirm(%s, %s)", (number, now + CONFIRMED_FOR))
    found = one(db, number)
    _tell(db, "lease.control_confirmed", found, {"scope": found.scope, "why": plain(why.strip(), 500)})
    return found


def confirmable(db: Connection, controls: Iterable[Control]) -> set[int]:
    """Which of these the caller may confirm, if they coordinate: not their own, and as a second person."""
    claimed = [one.id for one in controls if one.method == "desk"]
    return {number for (number,) in db.execute("select clearway.confirms_controls(%s)", (claimed,))}


def due(owner: Connection, now: datetime) -> list[Control]:
    """Proofs that expire soon, to be looked for again."""
    rows = owner.execute(
        f"""{_SELECT} and c.method <> 'desk' and c.proven is not null and c.expires between %s and %s
        order by c.expires limit 500""",
        (now, now + RENEWED_BEFORE),
    )
    return [_control(row) for row in rows]


def _tell(db: Connection, act: str, control: Control, content: dict[str, object]) -> None:
    row = db.execute(
        "select org, aud::int from clearway.lease_control where control = %s", (control.id,)
    ).fetchone()
    assert row is not None
    subject = f"lease-control/{control.id}"
    ledger.append(db, act, subject, content, aud=row[1])
    events.emit(db, act, subject, org=row[0], aud=row[1], body={"control": control.id})


def _control(row: tuple[Any, ...]) -> Control:
    values = dict(zip(Control.__struct_fields__, row, strict=True))
    values["authorised"] = tuple(values["authorised"])
    return Control(**values)
