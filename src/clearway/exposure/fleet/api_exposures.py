"""Routes of exposures, and what is said of them."""

from __future__ import annotations

from datetime import date
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Literal
from urllib.parse import parse_qsl

import msgspec
from litestar import Request, Response, get, patch, post
from litestar.params import FromPath, JSONBody, QueryParameter
from msgspec import Meta, Struct

from clearway.access.reading import reading
from clearway.http import etag
from clearway.http.acting import SIGNED_IN, acting, needs
from clearway.http.acts import changed, done_once
from clearway.http.idempotency import Made
from clearway.http.listing import Items, paths
from clearway.http.openapi import READ, WRITE, gives
from clearway.records.errors import ConflictError, InputError

from . import (
    api_lists,
    called,
    flawview,
    listing,
    page_asked,
    page_decide,
    page_seen,
    page_why,
    redate,
    status,
    tiers,
    traces,
)
from .api_exposure_list import ListOperation
from .page_common import operating, table_or_none, today
from .status import Decision, check_last_day

if TYPE_CHECKING:
    from collections.abc import Sequence

    import psycopg
    from litestar.handlers import HTTPRouteHandler

    from clearway.http.acts import Db
    from clearway.http.etag import Expected
    from clearway.records.principal import Principal

Words = Annotated[str, Meta(max_length=4_000)]
Short = Annotated[str, Meta(max_length=300)]
Slug = Annotated[str, Meta(max_length=63, pattern="^[a-z0-9-]*$")]
Number = Annotated[int, Meta(ge=0, le=2**63 - 1)]
DayText = Annotated[str, QueryParameter(max_length=10, pattern=r"^(\d{4}-\d{2}-\d{2})?$")]
SlugText = Annotated[str, QueryParameter(max_length=63, pattern="^[a-z0-9-]*$")]
Status = Literal["open", "mitigated", "fixed", "not_affected", "accepted"]
Justification = Literal[
    "",
    "component_not_present",
    "vulnerable_code_not_present",
    "vulnerable_code_not_in_execute_path",
    "vulnerable_code_cannot_be_controlled_by_adversary",
    "inline_mitigations_already_exist",
]


class Say(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A status. `not_affected` needs a justification, `accepted` a `detail` and `until`, its last day."""

    status: Status
    justification: Justification = ""
    detail: Words = ""
    until: date | None = None
    any_version: bool = False

    def decision(self) -> Decision:
        """The same for the fleet. Raises InputError for what does not go together."""
        check_last_day(self.until, today(), "body.until")
        return Decision(
            status=self.status,
            justification=self.justification,
            detail=self.detail,
            until=self.until,
            any_version=self.any_version,
        )


class Redate(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The day on which an exposure was detected, where the one that is kept was stated wrongly, and why."""

    detected: date
    reason: Annotated[str, Meta(min_length=1, max_length=4_000)]


class SayMany(Say, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A status for many: those named, or all that a list's `query` shows.

    Where `expected` is another number than can be decided, none is; a query needs it. With `revisions`, the
    `revision` of each of `exposures` as it was read, in the same order, none is decided where one has changed since.
    """

    exposures: Annotated[list[Number], Meta(max_length=10_000)] = []
    revisions: Annotated[list[Number], Meta(max_length=10_000)] = []
    query: Words = ""
    expected: Number | None = None


class Decided(Struct, frozen=True):
    """How many exposures changed. Those that are not there, not yours or over were passed over.

    `first` and `last` are the numbers of the decisions that this made, to take it back by; 0 where nothing changed.
    `without_evidence`: so many were said to be fixed that ask for a forensic triage and have no volatile evidence.
    `passed_over` are the numbers of those that were named and passed over.
    """

    changed: int
    exposures: tuple[int, ...]
    first: int = 0
    last: int = 0
    without_evidence: int = 0
    passed_over: tuple[int, ...] = ()


class TakeBack(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The decisions of one act of one's own, from the first to the last, as `Decided` told them."""

    first: Number
    last: Number


class Reached(Struct, frozen=True, kw_only=True):
    """How many exposures an act would reach: in all, and by facet. Not `exact`: at least so many."""

    total: int
    exact: bool
    facets: dict[str, dict[str, int]]


class Asking(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a list's query shows, to be counted."""

    query: Words = ""


class Before(Struct, frozen=True, kw_only=True):
    """How it was shown until then."""

    until: Any
    flaw: str
    due: date | None
    tier: str
    status: str


class OneExposure(Struct, frozen=True, kw_only=True):
    """One exposure with the reasons of its date, as of `as_of`. `rows` of the directive agree with what is known.

    `exposure` is as it was then, in its asset's words of then, and so are `said` and `history`; severity, EPSS, KEV and
    the versions that end it are of today. `authority` issued the version of the directive that governed then; "" for
    the table that ships.
    """

    exposure: api_lists.ExposureItem
    as_of: date
    due: date | None
    tier: str
    row: int | None
    rows: tuple[int, ...]
    start: date | None
    forensic_triage: bool
    basis: str
    reasons: tuple[str, ...]
    directive: str
    directive_version: str
    authority: str
    standing: str
    wording: str
    said: tuple[status.Said, ...]
    history: tuple[Before, ...]


def handlers() -> list[HTTPRouteHandler]:
    """The routes of this file."""

    @get(
        paths("/exposures"),
        opt=SIGNED_IN,
        sync_to_thread=True,
        operation_class=ListOperation,
        summary="Exposures, filtered and sorted",
        responses=gives(Items[api_lists.ExposureItem], *READ),
    )
    def listed(request: Request[Any, Any, Any]) -> Response[bytes]:
        """Each filter is repeated for several values; `name!` excludes."""
        return api_lists.answer(request, of_page=False)

    @get(
        "/exposures/{exposure:int}",
        opt=SIGNED_IN,
        sync_to_thread=True,
        summary="One exposure, and why it is due when it is",
        responses=gives(OneExposure, *READ),
    )
    def one(request: Request[Any, Any, Any], exposure: FromPath[int], as_of: DayText = "") -> Response[bytes]:
        """As it stood at the end of `as_of` (UTC), by default today; its tag is that of today's."""
        with reading(request) as (db, me, note):
            found, version = _one(db, me, exposure, page_asked.known_day(as_of, "as_of", today()))
            auds = [listing.one(db, exposure).aud, *status.words_of(db, found.said)]
            note(f"exposure/{exposure}", auds)
        return etag.thing(request, found, me, version)

    @patch(
        "/exposures/{exposure:int}",
        opt=needs("operate"),
        sync_to_thread=True,
        summary="Say what an exposure is",
        responses=gives(OneExposure, *WRITE),
    )
    def say(request: Request[Any, Any, Any], exposure: FromPath[int], data: JSONBody[Say]) -> Response[bytes]:
        """Needs `if-match` with the tag that was read."""

        def act(db: Db, me: Principal, expected: Expected) -> tuple[OneExposure, int]:
            said = data.decision()
            line = listing.one(db, exposure)
            # Who reads the same tag at once waits, and then finds it stale.
            db.execute("select pg_advisory_xact_lock(hashtextextended('clearway exposure', %s))", (exposure,))
            row = db.execute(
                "select version from clearway.exposure where exposure = %s", (exposure,)
            ).fetchone()
            expected.check(row[0] if row else None)
            operating(me, line.org)
            status.decide(db, [exposure], said)
            return _one(db, me, exposure, today())

        return changed(request, act)

    @patch(
        "/exposures/{exposure:int}/detected",
        opt=needs("operate"),
        sync_to_thread=True,
        summary="Set right on which day an exposure was detected",
        responses=gives(OneExposure, *WRITE),
    )
    def detected(
        request: Request[Any, Any, Any], exposure: FromPath[int], data: JSONBody[Redate]
    ) -> Response[bytes]:
        """Needs `if-match` with the tag that was read. Also a later day than the one that is kept.

        No document that comes later changes it while the flaw stands in that package.
        """

        def act(db: Db, me: Principal, expected: Expected) -> tuple[OneExposure, int]:
            line = listing.one(db, exposure)
            db.execute("select from clearway.asset where asset = %s for update", (line.asset,))
            expected.check(listing.one(db, exposure).version_tag)
            operating(me, line.org)
            redate.redate(db, exposure, data.detected, data.reason, day=today())
            return _one(db, me, exposure, today())

        return changed(request, act)

    @post(
        "/exposures/count",
        opt=SIGNED_IN,
        sync_to_thread=True,
        status_code=200,
        summary="How many exposures a bulk act would reach",
        responses=gives(Reached, *READ, 413, 415),
    )
    def count(request: Request[Any, Any, Any], data: JSONBody[Asking]) -> Response[bytes]:
        """Before it is done: nothing changes."""
        with acting(request) as (db, me):
            found = status.preview(db, _query(request, db, data.query, me))
        return etag.response(request, msgspec.json.encode(Reached(**msgspec.structs.asdict(found))), me)

    @post(
        "/exposures/decisions",
        opt=needs("operate"),
        sync_to_thread=True,
        status_code=200,
        summary="Say what many exposures are",
        responses=gives(Decided, *WRITE),
    )
    def say_many(request: Request[Any, Any, Any], data: JSONBody[SayMany]) -> Response[bytes]:
        """By number, or all that a query shows: then `expected` holds it to the count that was read before.

        `revisions` hold those that are named to what was read of each: 409 where one has changed since.
        """
        said = data.decision()
        if bool(data.exposures) == bool(data.query):
            raise InputError("name `exposures`, or give a `query`", where="body")
        if data.revisions and len(data.revisions) != len(data.exposures):
            raise InputError("one revision for each of `exposures`", where="body.revisions")

        def act(db: Db, me: Principal) -> Made:
            if data.exposures:
                changed = _decide(db, data, said)
                if data.expected is not None and len(changed) != data.expected:
                    raise ConflictError(
                        f"{len(changed):,} of them can be decided, not {data.expected:,}",
                        where="body.expected",
                        mend="read them again: some are not there, not yours, or over",
                    )
            elif data.expected is None:
                raise InputError(
                    "how many do you expect?", where="body.expected", mend="ask /exposures/count"
                )
            else:
                changed = status.decide_where(
                    db, _query(request, db, data.query, me), said, expected=data.expected
                )
            return Made(record=_decided(db, changed, said.status, data.exposures), status=200)

        return done_once(request, act)

    @post(
        "/exposures/decisions/undo",
        opt=needs("operate"),
        sync_to_thread=True,
        status_code=200,
        summary="Take back what one act of yours said",
        responses=gives(Decided, *WRITE),
    )
    def take_back(request: Request[Any, Any, Any], data: JSONBody[TakeBack]) -> Response[bytes]:
        """What nobody has decided since has the status again that it had before. That is an act too."""

        def act(db: Db, _: Principal) -> Made:
            changed = page_decide.take_back(db, page_decide.Batch(data.first, data.last))
            return Made(record=_decided(db, changed), status=200)

        return done_once(request, act)

    return [listed, one, say, detected, count, say_many, take_back]


def _decide(db: psycopg.Connection[Any], data: SayMany, said: Decision) -> tuple[int, ...]:
    if not data.revisions:
        return status.decide(db, data.exposures, said)
    try:
        return page_decide.decide_as_read(db, said, dict(zip(data.exposures, data.revisions, strict=True)))
    except ConflictError as error:
        raise ConflictError(error.what, where="body.revisions", mend=error.mend) from error


def _decided(
    db: psycopg.Connection[Any], changed: tuple[int, ...], said: str = "", named: Sequence[int] = ()
) -> Decided:
    batch = page_decide.batch_of(db, changed) if changed else page_decide.Batch(0, 0)
    bare = traces.traces(db, changed).bare if said == "fixed" and changed else 0
    return Decided(
        len(changed), changed[:10_000], batch.first, batch.last, bare, tuple(sorted({*named} - {*changed}))
    )


def _one(db: psycopg.Connection[Any], me: Principal, exposure: int, day: date) -> tuple[OneExposure, int]:
    found = page_why.why(db, exposure, day, cut=True)
    decision = found.tier.decision
    labels = page_seen.seen(db, [found.line.aud]).labels
    record = OneExposure(
        exposure=api_lists.item(found.then, me, labels[found.line.aud]),
        as_of=day,
        due=found.tier.due,
        tier=decision.code,
        row=decision.row,
        rows=decision.rows,
        start=found.tier.start,
        forensic_triage=decision.forensic_triage,
        basis=decision.basis,
        reasons=found.tier.reasons,
        directive=found.directive.id,
        directive_version=found.directive.version,
        authority=found.authority,
        standing=found.standing,
        wording=found.wording,
        said=found.said,
        history=tuple(
            Before(until=h.until, flaw=h.flaw, due=h.due, tier=h.tier, status=h.status) for h in found.history
        ),
    )
    return record, found.line.version_tag


def _query(request: Request[Any, Any, Any], db: psycopg.Connection[Any], text: str, me: Principal) -> Any:
    try:
        pairs = parse_qsl(text.lstrip("?"), keep_blank_values=True, max_num_fields=100)
    except ValueError:
        raise InputError("has more than 100 parameters", where="body.query") from None
    leads = flawview.led(table_or_none(request))
    return page_asked.asked(
        pairs, me, today(), of_page=True, leads=leads, called=called.led(db), tiers=partial(tiers.known, db)
    ).wanted
