""" "I am about to look at X": the question before a scan, and its answer.

    go        a lease, and nobody else is there
    share     a lease, and others look at the same program: the desk can bring you together
    wait      no lease: what is on the same hosts excludes it until then, at the latest
    refused   no lease: the owner said no, or caps the rate; or nobody has shown that the hosts are theirs to scan
    known     no lease: what is looked for is public

Who is there is never said, nor how many, nor what exactly they look at. Since the answer itself tells that somebody is
there, an organisation is told so of a bounded number of scopes a day, and each answer is on the log: without the scope,
where there is no lease. One statement decides, keeps the lease, and writes entry and event (`lease_ask`).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

import msgspec
from msgspec import Struct
from psycopg.errors import UniqueViolation

from clearway import ledger
from clearway.records.errors import ConflictError, InputError, TooManyRequestsError
from clearway.records.text import plain

from .. import kept
from . import hold, known, rule, scope
from .hold import Lease
from .known import Public

if TYPE_CHECKING:
    import psycopg

    from clearway.advisories.table import Table
    from clearway.records.clock import Clock
    from clearway.records.principal import Membership

    from .blind import BlindKey

    Connection = psycopg.Connection[Any]

TTL_S = 900
_LONGEST = timedelta(days=31)
_AHEAD = timedelta(days=92)
_WORDS = {
    "go": "Go. Renew the lease while you work, and give it back when you are done.",
    "share": "Go, and share: others look at the same program. The desk can bring you together.",
    "wait": "Wait. Others are at work on the same hosts; ask again then, or earlier, in case it is given back.",
    "known": "What you look for is public already.",
    "opt-out": "The owner does not want it scanned.",
    "no-proof": "Nobody has shown that these hosts are yours to scan. Prove control of them (`control`), or have their "
    "owner, who has, authorise your organisation.",
    "rate": "The owner takes less than this rate, or you named none.",
    "rate-taken": "Wait, or ask for less: with the leases that are there, it would be more than the owner takes.",
    "too-many": "Your organisation holds as many leases as one may. Give some back.",
}


class Asking(Struct, frozen=True, kw_only=True):
    """What somebody is about to do. `starts` None is now; `until` None is four hours later.

    `sealed`: not even the desk reads the scope. `about` is the id of a flaw that is looked for (CVE-…), "" for whatever
    there is. `sources` are the addresses that the owner of the hosts will see.
    """

    activity: rule.Activity
    scope: tuple[str, ...]
    starts: datetime | None = None
    until: datetime | None = None
    ttl_s: int = TTL_S
    rate: float | None = None
    sources: tuple[str, ...] = ()
    authorisation: str = ""
    label: str = ""
    about: str = ""
    sealed: bool = False


class Answer(Struct, frozen=True, kw_only=True):
    """The answer; `lease` for go and share, `until` for wait, `public` for known."""

    answer: rule.Answer
    why: Literal["", "opt-out", "no-proof", "rate", "rate-taken", "too-many"] = ""
    words: str
    until: datetime | None = None
    public: Public | None = None
    lease: Lease | None = None


def ask(
    db: Connection, key: BlindKey, of: Membership, asked: Asking, *, table: Table | None, clock: Clock
) -> Answer:
    """The answer to `of`, with the lease where there is one; on the log of the organisation and the desk.

    The window is checked by `clock`; what has run out is judged by the database's, which is one for all.

    Raises:
        InputError: a scope, an address, a window or a number can't be used; `where` says which.
        ForbiddenError: the caller may neither submit nor operate there.
        TooManyRequestsError: the organisation has asked enough for now.
    """
    targets = scope.parse_all(asked.scope)
    sources = tuple(
        scope.source(text, f"sources[{n}]") for n, text in enumerate(asked.sources[: scope.MAX_TARGETS])
    )
    _check(asked, targets, clock.now().astimezone(UTC))
    public = known.look(table, targets, asked.about) if asked.about and table is not None else None
    if public is not None:
        bounded(hold.value(db, "select clearway.lease_asked(%s)", (of.org,)))
        content = {"answer": "known", "why": "", "activity": asked.activity}
        aud = kept.audience_of(db, of.org)
        ledger.append(db, "lease.answered", f"organisation/{of.slug}", content, aud=aud)
        return Answer(answer="known", words=_WORDS["known"], public=public)
    said = _decided(db, key, of, asked, targets, sources, None)
    if said["answer"] == "audience":  # the organisation's first
        said = _decided(db, key, of, asked, targets, sources, kept.audience_of(db, of.org))
    bounded(said)
    if "lease" not in said:
        until = datetime.fromisoformat(said["until"]) if said.get("until") else None
        words = _WORDS[said["why"] or said["answer"]]
        return Answer(answer=said["answer"], why=said["why"], words=words, until=until)
    made = msgspec.convert(said["lease"], Lease)
    return Answer(answer=said["answer"], words=_WORDS[said["answer"]], lease=made)


def _decided(
    db: Connection,
    key: BlindKey,
    of: Membership,
    asked: Asking,
    targets: tuple[scope.Target, ...],
    sources: tuple[scope.Network, ...],
    aud: int | None,
) -> dict[str, Any]:
    blinded = [key.target(target) for target in targets]
    facts = {
        "activity": asked.activity,
        "starts": _text(asked.starts), "until": _text(asked.until), "ttl_s": asked.ttl_s,
        "rate": asked.rate, "sealed": asked.sealed, "label": plain(asked.label.strip(), 200),
        "scope": [] if asked.sealed else [target.text for target in targets],
        "sources": [] if asked.sealed else [str(net) for net in sources],
        "authorisation": plain(asked.authorisation.strip(), 300), "reference": hold.new_reference(),
    }  # fmt: skip
    try:
        found: dict[str, Any] = hold.value(
            db,
            "select clearway.lease_ask(%s, %s, %s, %s::inet[], %s::text[], %s::boolean[], %s::inet[])",
            (
                msgspec.json.encode(facts).decode(), of.org, aud,
                [None if b.net is None else str(b.net) for b in blinded], [b.path for b in blinded],
                [b.live for b in blinded], [str(key.network(net)) for net in sources],
            ),
        )  # fmt: skip
    except UniqueViolation:  # the same reference was drawn before: one in a million million
        raise ConflictError("the reference is taken", mend="ask again") from None
    return found


def bounded(said: dict[str, Any]) -> None:
    """Raises TooManyRequestsError where the database says that the organisation has had enough for now."""
    if said.get("answer") != "bounded":
        return
    if said["why"] == "questions":
        raise TooManyRequestsError(
            f"more than {said['most']:,} questions in an hour", where="leases", mend="go on in the next hour",
            retry_after_s=3_600,
        )  # fmt: skip
    raise TooManyRequestsError(
        f"your organisation was told of {said['most']:,} overlaps in a day", where="leases", mend="ask again tomorrow",
        retry_after_s=86_400,
    )  # fmt: skip


def _check(asked: Asking, targets: tuple[scope.Target, ...], now: datetime) -> None:
    if len(asked.sources) > scope.MAX_TARGETS:
        raise InputError(f"more than {scope.MAX_TARGETS} addresses", where="sources")
    for n, target in enumerate(targets):
        if not rule.fits(asked.activity, target):
            raise InputError(
                f"{asked.activity} is of hosts, and this is a {target.kind}", where=f"scope[{n}]",
                mend="name a network or a host, or another activity",
            )  # fmt: skip
    if asked.sources and not any(target.live for target in targets):
        raise InputError("addresses are of a scan of hosts", where="sources", mend="leave them out")
    hold.checked_ttl(asked.ttl_s)
    if asked.rate is not None:
        rule.checked_rate(asked.rate, "rate")
    for name, value in (("starts", asked.starts), ("until", asked.until)):
        if value is not None and value.tzinfo is None:
            raise InputError("the time has no zone", where=name, mend="write 2026-12-01T09:00:00Z")
    starts = max(asked.starts or now, now)
    if starts > now + _AHEAD:
        raise InputError(f"begins more than {_AHEAD.days} days from now", where="starts")
    if asked.until is not None and not starts < asked.until <= starts + _LONGEST:
        raise InputError(
            f"ends before it begins, or after more than {_LONGEST.days} days", where="until",
            mend=f"give a time after {starts:%Y-%m-%dT%H:%MZ} and not after {starts + _LONGEST:%Y-%m-%dT%H:%MZ}",
        )  # fmt: skip


def _text(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()
