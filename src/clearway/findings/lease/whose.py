""" "Is this scan yours?" One call: the address it comes from, when, and what it reaches.

    ours       a lease names that address, covers that target, and was held at that time; its reference says which.
               That its holder may scan there was proven. That the address is its own is its word
    claimed    the same, of a lease without such a proof: who only looks on needs none, so anybody can claim that
    withdrawn  as ours, but by then that leave had been taken back, or its proof had run out; its holder is told
    not ours   the address or the target is in a lease of that time, and none joins the two
    unknown    no lease says anything: that proves nothing

That it is not ours tells that somebody has a lease on the target, so it is told only to who has proven control of it.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

from msgspec import Struct

from clearway import ledger
from clearway.records.errors import InputError

from .. import kept
from . import ask, hold, scope

if TYPE_CHECKING:
    import psycopg

    from clearway.records.clock import Clock
    from clearway.records.principal import Membership

    from .blind import BlindKey

    Connection = psycopg.Connection[Any]

_SKEW = timedelta(minutes=5)  # clocks of others
_WORDS = {
    "ours": "A participant whose leave to scan it is proven says that it is theirs: by this lease.",
    "claimed": "A participant says that it is theirs, by this lease, and has shown no leave to scan it. Anybody can.",
    "withdrawn": "A participant had this lease for it, and no longer: by then its leave was taken back or over.",
    "not-ours": "No lease of that time joins this address and this target.",
    "unknown": "No lease says anything of it. That proves nothing.",
}


class Whose(Struct, frozen=True, kw_only=True):
    """The answer; `reference` is the lease's, when it is ours, claimed or withdrawn."""

    answer: Literal["ours", "claimed", "withdrawn", "not-ours", "unknown"]
    reference: str = ""
    words: str


def whose(
    db: Connection,
    key: BlindKey,
    of: Membership,
    source: str,
    at: datetime | None,
    target: str,
    *,
    clock: Clock,
) -> Whose:
    """Whether a scan that `of` sees is one of ours; `at` None is now. On the log.

    Raises:
        InputError: the address, the time or the target can't be used.
        TooManyRequestsError: the organisation has asked enough for now.
    """
    now = clock.now().astimezone(UTC)
    seen = now if at is None else at
    if seen.tzinfo is None or seen > now + _SKEW:
        raise InputError(
            "the time has no zone, or is still to come", where="at", mend="write 2026-12-01T09:00:00Z"
        )
    address = scope.source(source, "source")
    if address.prefixlen != address.max_prefixlen:
        raise InputError("is a network; one address is wanted", where="source")
    reached = scope.parse(target, "target")
    if not reached.live:
        raise InputError("is no network and no host", where="target")
    blinded = key.target(reached)
    found = hold.value(
        db,
        "select clearway.lease_whose(%s, %s::inet, %s::inet, %s, %s)",
        (
            of.org, str(key.network(address)), None if blinded.net is None else str(blinded.net), blinded.path, seen,
        ),
    )  # fmt: skip
    ask.bounded(found)
    content = {
        "answer": found["answer"],
        "source": str(address),
        "target": reached.text,
        "at": seen.isoformat(),
    }
    ledger.append(
        db, "lease.whose_asked", f"organisation/{of.slug}", content, aud=kept.audience_of(db, of.org)
    )
    return Whose(answer=found["answer"], reference=found["reference"], words=_WORDS[found["answer"]])
