"""`/api/v1/markings`: how something is marked, and giving it another marking."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Request, Response, get, put
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody
from msgspec import UNSET, Meta, Struct, UnsetType

from clearway.http import etag
from clearway.http.acting import SIGNED_IN, acting
from clearway.http.openapi import READ, WRITE, gives

from . import lowering
from .api_parts import Why
from .lowering import Change, Marked
from .marking import Tlp
from .reading import reading

_R = Request[Any, Any, Any]
_Or0 = Annotated[int, Meta(ge=0, le=2**31 - 1)]


class NewMarking(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Another marking, and why.

    `org` is whose AMBER or RED it is: the owner's when it is left out. `recipients` is the list of TLP:RED. An embargo
    stays where `embargo` is left out; 0 takes it out of one.
    """

    tlp: Tlp
    org: _Or0 = 0
    recipients: _Or0 = 0
    embargo: _Or0 | UnsetType = UNSET
    why: Annotated[Why, Meta(min_length=1)]


def handlers() -> list[HTTPRouteHandler]:
    """The routes of this file."""

    @get(
        "/markings/{kind:str}/{number:int}",
        opt=SIGNED_IN,
        sync_to_thread=True,
        summary="How something is marked, and what waits to be decided about it",
        responses=gives(Marked, *READ),
    )
    def one(request: _R, kind: FromPath[str], number: FromPath[int]) -> Response[bytes]:
        """`kind` is asset, report, triage, directive, rule, webhook or marked. What is derived follows these."""
        with reading(request) as (db, me, note):
            found = lowering.one(db, me, kind, number)
            note(found.subject, [found.aud])
        return etag.thing(request, found, me, found.aud)

    @put(
        "/markings/{kind:str}/{number:int}",
        opt=SIGNED_IN,
        sync_to_thread=True,
        summary="Give something another marking",
        responses={**gives(Change, *WRITE), **gives(Change, status=202)},
    )
    def change(
        request: _R, kind: FromPath[str], number: FromPath[int], data: JSONBody[NewMarking]
    ) -> Response[bytes]:
        """Narrower at once (200). Anything else waits for a second person (202), whose approval carries it out."""
        expected = etag.expected(request)
        with acting(request) as (db, me):
            found = lowering.one(db, me, kind, number)
            expected.check(found.aud)
            wanted = lowering.chosen(found, data.tlp, data.org, data.recipients, data.embargo)
            made = lowering.change(db, me, found, wanted, data.why)
        return etag.thing(request, made, me, made.marked.aud, status=200 if made.done else 202)

    return [one, change]
