"""Routes by which reports come in, and by which one asks before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from litestar import Request, Response, get, post
from litestar.params import JSONBody, QueryParameter, RawBody
from msgspec import Meta, Struct

from clearway.http import etag, idempotency
from clearway.http.acting import acting, needs
from clearway.http.guard import PUBLIC
from clearway.http.openapi import READ, WRITE, gives
from clearway.records.errors import InputError
from clearway.records.principal import member_of

from .. import desk_key
from ..desk_key import PublicKey
from ..named import SlugText
from . import public, submit
from .at_desk import fetcher, read, sender, spend_check, spender, tools
from .public import Answer
from .submit import Submission

if TYPE_CHECKING:
    from litestar.handlers import HTTPRouteHandler

PurlText = Annotated[
    str, QueryParameter(max_length=2_000, description="the product, where the document names none")
]
NameText = Annotated[str, QueryParameter(max_length=300)]
ModeText = Annotated[
    str, QueryParameter(pattern="^(live|test)$", description="test: goes no further, and is deleted")
]
Line = Annotated[str, Meta(max_length=300)]
Long = Annotated[str, Meta(max_length=2_000)]


class CheckRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is asked about: a purl, or an ecosystem with a name; and of the flaw what is known."""

    purl: Long = ""
    ecosystem: Line = ""
    package: Line = ""
    release: Line = ""
    place: Long = ""
    cwe: Annotated[str, Meta(pattern="^(CWE-[0-9]{1,5})?$")] = ""


class Keys(Struct, frozen=True, kw_only=True):
    """The public keys of the desk: the one that signs now, and those that did."""

    keys: list[PublicKey]


def handlers() -> list[HTTPRouteHandler]:
    """The routes of this file."""

    @post(
        "/findings",
        opt=needs("submit"),
        sync_to_thread=True,
        status_code=201,
        summary="Report one finding or many",
        responses=gives(Submission, *WRITE, status=201),
    )
    def report(
        request: Request[Any, Any, Any],
        body: RawBody,
        organisation: SlugText = "",
        mode: ModeText = "live",
        purl: PurlText = "",
        filename: NameText = "",
    ) -> Response[bytes]:
        """The document itself is the body, told by its content: our own JSON (one, a list, or one a line), SARIF
        2.1.0, a CSAF vulnerability report, CERT/CC's form as JSON, or a mail. Each report lands with its signed
        receipt or is set aside with its place and reason; the same bytes again are the same finding. 200 when
        nothing was new.
        """
        idempotency.key_in(request)  # what is sent twice changes nothing: a key has nothing to add
        if not body:
            raise InputError("the body is empty", where="body", mend="send the report itself")
        desk = tools(request).desk
        home = member_of(sender(request), organisation, "submit")
        document = read(request, home.org, body, purl)
        with acting(request) as (db, _):
            made = submit.submit(
                db, desk, home.org, body, document=document,
                live=mode == "live", name=filename, spend=spender(request, home.org),
            )  # fmt: skip
        status = 201 if any(taken.new for taken in made.taken) else 200
        return Response(msgspec.json.encode(made), status_code=status, media_type="application/json")

    @post(
        "/findings/check",
        opt=PUBLIC,
        sync_to_thread=True,
        status_code=200,
        summary="Is this already public, or fixed?",
        responses=gives(Answer, *READ),
    )
    def check(request: Request[Any, Any, Any], data: JSONBody[CheckRequest]) -> Response[bytes]:
        """Answered from public records alone, before anything is sent; what is asked is not kept."""
        spend_check(request)
        question = public.Question(**{name: getattr(data, name) for name in data.__struct_fields__})
        found = public.ask(request.app.state.table.current(), question, fetcher(request))
        return Response(msgspec.json.encode(found), media_type="application/json")

    @get(
        "/findings/keys",
        opt=PUBLIC,
        sync_to_thread=True,
        summary="The desk's public keys",
        responses=gives(Keys, *READ),
    )
    def keys(request: Request[Any, Any, Any]) -> Response[bytes]:
        """With which receipts and evidence are verified offline."""
        tools(request)
        with acting(request) as (db, me):
            found = Keys(keys=desk_key.known(db))
        return etag.response(request, msgspec.json.encode(found), me, "application/json")

    return [report, check, keys]
