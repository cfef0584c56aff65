"""*How this is marked*: who sees one thing, and giving it another marking."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Request, Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from msgspec import UNSET

from clearway.http.acting import SIGNED_IN, acting
from clearway.http.pages import Form, Tlp, done, page
from clearway.records.errors import (
    ConflictError,
    ForbiddenError,
    InputError,
    NotFoundError,
)

from . import approval, embargo, lowering, organisation, recipients
from .marking import TLP
from .pages_parts import FORM, PAGE, Sent, called_before, names, text, whole, wrong
from .reading import reading

_R = Request[Any, Any, Any]
_REFUSED = (InputError, ConflictError, ForbiddenError, NotFoundError)


def handlers() -> list[HTTPRouteHandler]:
    """The routes of this file."""

    @get("/markings/{kind:str}/{number:int}", opt=SIGNED_IN, **PAGE)
    def shown(request: _R, kind: FromPath[str], number: FromPath[int]) -> Response[bytes]:
        """Who sees it, what waits to be decided, and the form for another marking."""
        return _shown(request, kind, number, Form())

    @post("/markings/{kind:str}/{number:int}", opt=SIGNED_IN, **PAGE)
    def change(
        request: _R, kind: FromPath[str], number: FromPath[int], data: Annotated[Sent, FORM]
    ) -> Response[bytes]:
        """Narrows it, or asks a second person."""
        try:
            tlp = text(data, "tlp")
            if tlp not in TLP:
                raise InputError("choose a marking", where="tlp")
            with acting(request) as (db, me):
                found = lowering.one(db, me, kind, number)
                if text(data, "aud") != str(found.aud):
                    raise ConflictError("its marking changed since you read it; look again, and decide again")
                listed = whole(text(data, "recipients")) or 0
                under = whole(text(data, "embargo")) or 0 if "embargo" in data else UNSET
                wanted = lowering.chosen(found, tlp, 0, listed if tlp == "RED" else 0, under)
                made = lowering.change(db, me, found, wanted, text(data, "why", 500))
                words = _words(db, made)
        except _REFUSED as error:
            return _shown(request, kind, number, wrong(data, error, "tlp", "recipients", "embargo", "why"))
        return done(request, f"/markings/{kind}/{number}", words)

    return [shown, change]


def _words(db: Any, made: lowering.Change) -> str:
    if made.done:
        return f"{made.marked.name} is {made.marked.meaning.label} now, seen by {made.marked.meaning.words}."
    keeper = organisation.one(db, made.marked.org).name
    return f"Asked. A coordinator or administrator of {keeper} decides; until then nothing changes."


def _shown(request: _R, kind: str, number: int, form: Form) -> Response[bytes]:
    with reading(request) as (db, me, note):
        found = lowering.one(db, me, kind, number)
        note(found.subject, [found.aud])
        keeper = organisation.one(db, found.org)
        lists = [one for one in recipients.listed(db) if one.org == found.org]
        under = [e for e in embargo.listed(db) if e.ended_by is None][:200]
        asked = [(a, approval.worded(db, a)) for a in found.waiting]
        who = names(db, {a.asked_by for a in found.waiting})
        stops = approval.stops(db, found.waiting)
        deciders = approval.deciders(db, found.org) if stops else {}
        were = called_before(db, found.waiting)
    label = found.meaning.label.removeprefix("TLP:")
    return page(
        request,
        "access/marking.html",
        status_code=422 if form.errors else 200,
        tlp=Tlp(label, f"for {found.meaning.words}") if label != "CLEAR" else None,
        marked=found,
        keeper=keeper,
        asked=asked,
        who=who,
        were=were,
        me=me,
        form=form,
        stops=stops,
        deciders=deciders,
        choices=[
            ("CLEAR", "TLP:CLEAR: everybody"),
            ("GREEN", "TLP:GREEN: everybody who is signed in"),
            ("AMBER", f"TLP:AMBER: {keeper.name}, its clients and the coordinators"),
            ("AMBER+STRICT", f"TLP:AMBER+STRICT: {keeper.name} and the coordinators"),
            ("RED", f"TLP:RED: members of {keeper.name}, or those on a list"),
        ],
        lists=[("", f"no list: the members of {keeper.name}"), *((str(x.list), x.name) for x in lists)],
        embargoes=[("", "none"), *((str(e.embargo), e.name) for e in under)],
    )
