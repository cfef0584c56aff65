"""*Drafted by a model*: a region of the pages of findings, duplicates and cases, and the same as a page of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from litestar import Request, Response, Router, get, post
from litestar.enums import RequestEncodingType
from litestar.params import Body, FromPath
from msgspec import Struct

from clearway.access.reading import reading
from clearway.http.acting import SIGNED_IN, acting, doorkeeper, needs
from clearway.http.pages import Address, Form, Tlp, done, page
from clearway.records.errors import (
    ConfigError,
    ConflictError,
    ForbiddenError,
    InputError,
    NotFoundError,
    TooManyRequestsError,
)

from .. import kept as findings
from ..case import kept as cases
from ..intake.record import desk_only
from ..named import CaseText, HandlingText
from . import kept, start
from .api import home_of, read, vault_of
from .preview import preview
from .view import Assistance, ProposalView

if TYPE_CHECKING:
    from litestar.handlers import HTTPRouteHandler
    from litestar.types import ControllerRouterHandler

    from clearway.http.acts import Db

_R = Request[Any, Any, Any]
PAGE: dict[str, Any] = {"sync_to_thread": True, "include_in_schema": False}
FORM: Any = Body(media_type=RequestEncodingType.URL_ENCODED)
_WRONG = (InputError, ConflictError, ForbiddenError, TooManyRequestsError, ConfigError)
_FIELDS = {
    "title": "title",
    "product": "product and release",
    "place": "place in the code",
    "class": "class",
    "severity": "severity as claimed",
    "description": "the report's description",
    "reproduction": "its steps to reproduce",
}


class Acting(Struct, frozen=True):
    """The fields of the region's forms; each form fills some."""

    what: str = ""
    number: str = ""
    text: str = ""
    into_draft: str = ""


def handlers() -> list[HTTPRouteHandler]:
    """The routes of this file."""

    @get("/findings/{handling:str}/assist", opt=SIGNED_IN, **PAGE)
    def of_finding(request: _R, handling: FromPath[HandlingText]) -> Response[bytes]:
        """What a model drafted of a finding; `?kind=` leaves one kind."""
        return _shown(request, "findings", handling, Form())

    @post("/findings/{handling:str}/assist", opt=needs("coordinate"), **PAGE)
    def act_on_finding(
        request: _R, handling: FromPath[HandlingText], data: Annotated[Acting, FORM]
    ) -> Response[bytes]:
        """One act: ask for a summary or for duplicates, take, put away."""
        return _did(request, "findings", handling, data)

    @get("/cases/{handling:str}/assist", opt=SIGNED_IN, **PAGE)
    def of_case(request: _R, handling: FromPath[CaseText]) -> Response[bytes]:
        """What a model drafted of a case."""
        return _shown(request, "cases", handling, Form())

    @post("/cases/{handling:str}/assist", opt=needs("coordinate"), **PAGE)
    def act_on_case(
        request: _R, handling: FromPath[CaseText], data: Annotated[Acting, FORM]
    ) -> Response[bytes]:
        """One act: ask for a summary, take, put away."""
        return _did(request, "cases", handling, data)

    @get("/findings/{handling:str}/assist/preview", opt=needs("coordinate"), **PAGE)
    def preview_of_finding(request: _R, handling: FromPath[HandlingText]) -> Response[bytes]:
        """What would be sent of a finding, byte for byte; `?kind=` says for what."""
        return _preview(request, "findings", handling)

    @get("/cases/{handling:str}/assist/preview", opt=needs("coordinate"), **PAGE)
    def preview_of_case(request: _R, handling: FromPath[CaseText]) -> Response[bytes]:
        """What would be sent of a case."""
        return _preview(request, "cases", handling)

    return [of_finding, act_on_finding, of_case, act_on_case, preview_of_finding, preview_of_case]


def _about(db: Db, where: str, handling: str) -> findings.Finding | cases.Case:
    return cases.one(db, handling) if where == "cases" else findings.one(db, handling)


def _did(request: _R, where: str, handling: str, data: Acting) -> Response[bytes]:
    vault = vault_of(request)
    try:
        with acting(request) as (db, _):
            about = _about(db, where, handling)
            if data.what in ("summary", "duplicates"):
                kind: Any = data.what
                start.ask(db, doorkeeper(request).pool.owner, home_of(request), kind, about)
                words = "The model is asked. What it drafts appears here, and changes nothing by itself."
            else:
                desk_only(db)
                found = kept.one(db, _number(data.number))
                if found.subject != about.subject:
                    raise NotFoundError("no such proposal", where=f"proposal {found.id}")
                kind = found.kind
                words = "It is put away."
                if data.what == "take":
                    start.take(db, vault, found, data.text, into_draft=bool(data.into_draft))
                    words = "It is your text now."
                elif data.what == "discard":
                    kept.discard(db, found)
                else:
                    raise InputError("there is no such act", where="what")
    except _WRONG as error:
        told = f"{error.what}: {error.mend}" if error.mend else error.what
        return _shown(request, where, handling, Form({"text": data.text} if data.text else {}, {"": told}))
    onward = "/duplicates" if kind == "duplicates" else ""
    return done(request, f"/{where}/{about.handling}{onward}", words)


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        raise InputError("a number is wanted", where="number")
    return int(text)


def _shown(request: _R, where: str, handling: str, form: Form) -> Response[bytes]:
    wrong = ""
    with reading(request) as (db, _, note):
        about = _about(db, where, handling)
        try:
            found = read(request, db, note, about)
        except ConfigError as error:
            wrong = f"{error.what}: {error.mend}" if error.mend else error.what
            found = Assistance(handling=about.handling, endpoint=None, would=(), proposals=())
    kind = Address.of(request).get("kind")
    proposals = _current(
        [p for p in found.proposals if kind not in ("summary", "duplicates") or p.kind == kind]
    )
    return page(
        request,
        "findings/assist/region.html",
        status_code=422 if form.errors else 200,
        tlp=_marking(where),
        where=where,
        title=about.title,
        found=found,
        proposals=proposals,
        would=[w for w in found.would if kind not in ("summary", "duplicates") or w.kind == kind],
        kind=kind if kind in ("summary", "duplicates") else "",
        waits=any(p.state in ("waiting", "running") for p in proposals),
        busy={p.kind for p in found.proposals if p.state in ("waiting", "running")},
        fields=_FIELDS,
        form=form,
        wrong=wrong,
        drafts=where == "cases",
    )


def _preview(request: _R, where: str, handling: str) -> Response[bytes]:
    kind: Any = Address.of(request).get("kind") or "summary"
    if kind not in ("summary", "duplicates"):
        raise InputError("there is no such draft", where="kind", mend="summary or duplicates")
    with acting(request) as (db, _):
        about = _about(db, where, handling)
        found = preview(db, doorkeeper(request).pool.owner, home_of(request), kind, about)
    return page(
        request,
        "findings/assist/preview.html",
        tlp=_marking(where),
        where=where,
        title=about.title,
        found=found,
        fields=_FIELDS,
    )


def _current(proposals: list[ProposalView]) -> list[ProposalView]:
    """The newest of each kind, and the text that was taken: what an older draft says nobody needs."""
    newest: dict[str, int] = {}
    for one in proposals:
        if one.state != "accepted":
            newest.setdefault(one.kind, one.id)
    return [p for p in proposals if p.state == "accepted" or newest[p.kind] == p.id]


def _marking(where: str) -> Tlp:
    if where == "cases":
        return Tlp("RED", "for those who see the case and every finding that it was made from")
    return Tlp("AMBER+STRICT", "for the reporter's organisation and the coordinators")


def routes() -> ControllerRouterHandler:
    """The routes of this part's pages."""
    return Router("/", route_handlers=handlers(), include_in_schema=False)
