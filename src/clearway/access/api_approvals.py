"""`/api/v1/approvals`: what takes two people, asked for and decided."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from litestar import Request, Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody
from msgspec import Meta, Struct

from clearway.http import etag
from clearway.http.acting import SIGNED_IN, acting
from clearway.http.acts import done_once
from clearway.http.filters import flag
from clearway.http.filters import number as whole
from clearway.http.idempotency import Made
from clearway.http.listing import Listing, paths
from clearway.http.openapi import PREFIX, READ, WRITE, gives
from clearway.http.whole import unmarked
from clearway.records.errors import InputError
from clearway.store.keyset import Column, Source

from . import approval
from .api_parts import Number, Why, number
from .approval import Approval, Verdict, Worded

if TYPE_CHECKING:
    from clearway.http.acts import Db
    from clearway.records.principal import Principal

_R = Request[Any, Any, Any]
_MOST_PROPOSAL = 8_192  # bytes of JSON


class NewApproval(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a second person is asked to agree to: exactly this proposal."""

    org: Number
    kind: Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_-]{0,39}$")]
    subject: Annotated[str, Meta(pattern=r"^[a-z_]{1,60}/[0-9a-z-]{1,60}$")]
    proposal: dict[str, Any]
    why: Annotated[Why, Meta(min_length=1)]


class Decision(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`withdrawn` is for who asked, the others for a second person."""

    verdict: Literal["approved", "refused", "withdrawn"]


# The numbers of audiences are good until the approval is used, and no list has them: `wording` tells them in words.
APPROVALS = Listing(
    "approvals",
    Approval,
    Source(
        "a.approval, a.uid::text as uid, a.org, a.kind, a.subject, case when a.kind in ('marking', 'remark') "
        "then a.proposal - 'was' - 'aud' else a.proposal end as proposal, a.why, a.asked_by, a.asked_at, "
        "a.decided_by, a.decided_at, a.verdict, a.used",
        "clearway.approval a",
    ),
    sorts={"approval": Column("a.approval", "int")},
    tie=Column("a.approval", "int"),
    default="-approval",
    filters={
        "org": whole("a.org = any(%s)", least=1),
        "open": flag("(a.verdict is null) = any(%s)"),
    },
)


def handlers() -> list[HTTPRouteHandler]:
    """The routes of this file."""

    @get(
        paths("/approvals"),
        opt=SIGNED_IN,
        sync_to_thread=True,
        summary="What takes two people in your organisations",
        operation_class=APPROVALS.operation,
        responses=APPROVALS.responses,
    )
    def listed(request: _R) -> Response[bytes]:
        return unmarked(request, APPROVALS)

    @post(
        "/approvals",
        opt=SIGNED_IN,
        sync_to_thread=True,
        summary="Ask for a second person's word",
        responses=gives(Approval, *WRITE, status=201),
    )
    def ask(request: _R, data: JSONBody[NewApproval]) -> Response[bytes]:

        def act(db: Db, _: Principal) -> Made:
            if len(msgspec.json.encode(data.proposal)) > _MOST_PROPOSAL:
                raise InputError(f"a proposal has {_MOST_PROPOSAL:,} bytes at most", where="proposal")
            if data.kind == approval.MARKING:
                raise InputError(
                    "another marking is asked for where the thing is",
                    where="kind",
                    mend=f"PUT {PREFIX}/markings/{data.subject}",
                )
            asked = approval.ask(db, data.org, data.kind, data.subject, data.proposal, data.why)
            return Made(record=asked, location=f"{PREFIX}/approvals/{asked.approval}")

        return done_once(request, act)

    @get(
        "/approvals/{which:int}",
        opt=SIGNED_IN,
        sync_to_thread=True,
        summary="One approval",
        responses=gives(Worded, *READ),
    )
    def one(request: _R, which: FromPath[int]) -> Response[bytes]:
        """`wording` says of another marking who sees it now, and who would; its `proposal` is what was asked for."""
        with acting(request) as (db, me):
            found = approval.with_words(db, approval.one(db, number(which)))
        return etag.response(request, msgspec.json.encode(found), me)

    @post(
        "/approvals/{which:int}/decision",
        opt=SIGNED_IN,
        sync_to_thread=True,
        status_code=200,
        summary="Approve, refuse or withdraw",
        responses=gives(Approval, *WRITE),
    )
    def decide(request: _R, which: FromPath[int], data: JSONBody[Decision]) -> Response[bytes]:
        """Approving and refusing take another person than the one who asked, who coordinates or administers there.

        Approving another marking carries it out at once.
        """

        def act(db: Db, _: Principal) -> Made:
            verdict: Verdict = data.verdict
            return Made(record=approval.decide(db, number(which), verdict), status=200)

        return done_once(request, act)

    return [listed, ask, one, decide]
