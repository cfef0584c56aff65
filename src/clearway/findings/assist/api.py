"""`/api/v1/…/assist`: drafts by a model, asked for and decided on by the desk. They change nothing by themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from litestar import Request, Response, Router, get, post
from litestar.params import FromPath, FromQuery, JSONBody
from msgspec import Meta, Struct

from clearway.access.reading import audiences, reading
from clearway.http import etag
from clearway.http.acting import SIGNED_IN, acting, doorkeeper, needs
from clearway.http.acts import done_once
from clearway.http.idempotency import Made
from clearway.http.openapi import READ, WRITE, gives

from .. import kept as findings
from ..case import kept as cases
from ..intake.record import desk_only
from ..named import CaseText, HandlingText
from ..vault import Vault
from . import kept, start
from .outgoing import Kind
from .preview import Preview, preview
from .settings import known
from .view import Assistance, ProposalView, Settled, endpoint, proposal, view

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from litestar.handlers import HTTPRouteHandler
    from litestar.types import ControllerRouterHandler

    from clearway.access.reading import Note
    from clearway.http.acts import Db
    from clearway.records.principal import Principal

    About = findings.Finding | cases.Case
    One = Callable[[Db, str], About]  # what a handling names, for the caller

_R = Request[Any, Any, Any]


class Ask(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the model is to draft. Of a case it drafts a summary alone."""

    kind: Kind


class Asked(Struct, frozen=True):
    """The number of the proposal."""

    id: int


class Decision(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`accepted` takes a summary: `text` is the caller's own from then on, and with `into_draft` the description of the
    case's next draft as well. `discarded` puts a proposal away."""

    outcome: Literal["accepted", "discarded"]
    text: Annotated[str, Meta(max_length=20_000)] = ""
    into_draft: bool = False


def handlers() -> list[HTTPRouteHandler]:
    """The routes of this file."""

    @get(
        "/assist",
        opt=needs("coordinate"),
        sync_to_thread=True,
        summary="Which model drafts, and what it may be sent",
        responses=gives(Settled, *READ),
    )
    def settled(request: _R) -> Response[bytes]:
        """By the home's settings; with what the endpoint has had today. For the clearinghouse's coordinators."""
        with acting(request) as (db, me):
            desk_only(db)
            found = known(home_of(request))
            with doorkeeper(request).pool.owner() as owner:
                told = Settled(endpoint=endpoint(owner, found) if found is not None else None)
        return etag.thing(request, told, me, 1)

    @get(
        "/findings/{handling:str}/assist",
        opt=SIGNED_IN,
        sync_to_thread=True,
        summary="What a model drafted of a finding",
        responses=gives(Assistance, *READ),
    )
    def of_finding(request: _R, handling: FromPath[HandlingText]) -> Response[bytes]:
        """The desk sees all; others the text that a coordinator took."""
        return _told(request, findings.one, handling)

    @post(
        "/findings/{handling:str}/assist",
        opt=needs("coordinate"),
        sync_to_thread=True,
        status_code=201,
        summary="Ask a model for a draft about a finding",
        responses=gives(Asked, *WRITE, status=201),
    )
    def ask_of_finding(request: _R, handling: FromPath[HandlingText], data: JSONBody[Ask]) -> Response[bytes]:
        """A job. What is sent, and where, is an entry of the log before it is."""
        return _asked(request, data.kind, findings.one, handling)

    @get(
        "/cases/{handling:str}/assist",
        opt=SIGNED_IN,
        sync_to_thread=True,
        summary="What a model drafted of a case",
        responses=gives(Assistance, *READ),
    )
    def of_case(request: _R, handling: FromPath[CaseText]) -> Response[bytes]:
        """As of a finding; its audience is the meet of the case's and its findings'."""
        return _told(request, cases.one, handling)

    @post(
        "/cases/{handling:str}/assist",
        opt=needs("coordinate"),
        sync_to_thread=True,
        status_code=201,
        summary="Ask a model for a draft about a case",
        responses=gives(Asked, *WRITE, status=201),
    )
    def ask_of_case(request: _R, handling: FromPath[CaseText], data: JSONBody[Ask]) -> Response[bytes]:
        """As of a finding; made from its five most proven findings."""
        return _asked(request, data.kind, cases.one, handling)

    @get(
        "/findings/{handling:str}/assist/preview",
        opt=needs("coordinate"),
        sync_to_thread=True,
        summary="What a model would get of a finding, byte for byte",
        responses=gives(Preview, *READ, 409),
    )
    def preview_of_finding(
        request: _R, handling: FromPath[HandlingText], kind: FromQuery[Kind] = "summary"
    ) -> Response[bytes]:
        """Nothing is sent. Its `sha256` is that of the log's `assist.sent` when nothing changes in between."""
        return _previewed(request, kind, findings.one, handling)

    @get(
        "/cases/{handling:str}/assist/preview",
        opt=needs("coordinate"),
        sync_to_thread=True,
        summary="What a model would get of a case, byte for byte",
        responses=gives(Preview, *READ, 409),
    )
    def preview_of_case(
        request: _R, handling: FromPath[CaseText], kind: FromQuery[Kind] = "summary"
    ) -> Response[bytes]:
        """As of a finding."""
        return _previewed(request, kind, cases.one, handling)

    @post(
        "/assist/{number:int}/decision",
        opt=needs("coordinate"),
        sync_to_thread=True,
        status_code=200,
        summary="Take or put away a model's draft",
        responses=gives(ProposalView, *WRITE),
    )
    def decide(request: _R, number: FromPath[int], data: JSONBody[Decision]) -> Response[bytes]:
        """The person's act, on the log with the model's name."""
        vault = vault_of(request)

        def act(db: Db, me: Principal) -> Made:
            found = kept.one(db, number)
            if data.outcome == "accepted":
                found = start.take(db, vault, found, data.text, into_draft=data.into_draft)
            else:
                kept.discard(db, found)
                found = kept.one(db, number)
            return Made(record=proposal(db, vault, found), status=200)

        return done_once(request, act)

    return [
        settled, of_finding, ask_of_finding, of_case, ask_of_case, preview_of_finding, preview_of_case, decide,
    ]  # fmt: skip


def home_of(request: _R) -> Path:
    """The home that this server serves."""
    found: Path = request.app.state.home
    return found


def vault_of(request: _R) -> Vault:
    """Its vault."""
    return Vault.of_home(home_of(request))


def read(request: _R, db: Db, note: Note, about: About) -> Assistance:
    """The assistance of a finding or case, for its reader; that it was read is on the log."""
    found = view(db, doorkeeper(request).pool.owner, home_of(request), vault_of(request), about)
    drafts = audiences(db, "assist_proposal", "proposal", (one.id for one in found.proposals))
    note(f"{about.subject}/assist", [about.aud, *drafts])
    return found


def _told(request: _R, one: One, handling: str) -> Response[bytes]:
    with reading(request) as (db, me, note):
        about = one(db, handling)
        found = read(request, db, note, about)
    return etag.thing(request, found, me, about.version)


def _previewed(request: _R, kind: Kind, one: One, handling: str) -> Response[bytes]:
    with acting(request) as (db, me):
        about = one(db, handling)
        found = preview(db, doorkeeper(request).pool.owner, home_of(request), kind, about)
    return etag.thing(request, found, me, about.version)


def _asked(request: _R, kind: Kind, one: One, handling: str) -> Response[bytes]:
    def act(db: Db, me: Principal) -> Made:
        number = start.ask(db, doorkeeper(request).pool.owner, home_of(request), kind, one(db, handling))
        return Made(record=Asked(number), status=201)

    return done_once(request, act)


def routes() -> ControllerRouterHandler:
    """The routes of this part."""
    return Router("/api/v1", route_handlers=handlers(), tags=["findings"])
