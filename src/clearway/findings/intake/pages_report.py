"""*Report a finding*: a document, or the form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from litestar import Request, Response, get, post

from clearway.formats.reported_parts import SEVERITIES
from clearway.http.acting import acting, doorkeeper, needs
from clearway.http.pages import Form, done, page
from clearway.records.errors import ClearwayError, InputError, TooManyRequestsError
from clearway.records.principal import member_of

from . import form as forms
from . import shapes, submit
from .at_desk import read, sender, spender, tools
from .pages_parts import FILES, PAGE, chosen, texts, uploads, wrong

if TYPE_CHECKING:
    from litestar.handlers import HTTPRouteHandler

    from .submit import Submission

_ALSO = ("organisation", "mode")
_SHOWN_ASIDE = 50


def handlers() -> list[HTTPRouteHandler]:
    """The routes of this file."""

    @get("/findings/report", opt=needs("submit"), **PAGE)
    def empty(request: Request[Any, Any, Any]) -> Response[bytes]:
        """The form."""
        return _form(request, Form())

    @post("/findings/report", opt=needs("submit"), **PAGE)
    def send(request: Request[Any, Any, Any], data: Annotated[dict[str, Any], FILES]) -> Response[bytes]:
        """Takes a document with its reports, or the form as one report; what is wrong is shown beside the form."""
        values = texts(data, (*forms.FIELDS, *_ALSO))
        documents = chosen(data, "document")
        try:
            if documents:
                name, body = documents[0]
            else:
                name, body = "", forms.report(values, uploads(data))
            home = member_of(sender(request), values["organisation"], "submit")
            document = read(request, home.org, body, values["purl"].strip() if documents else "")
            with acting(request) as (db, _):
                made = submit.submit(
                    db, tools(request).desk, home.org, body, document=document,
                    live=values["mode"] != "test", name=name, spend=spender(request, home.org),
                )  # fmt: skip
        except (InputError, TooManyRequestsError) as error:
            return _form(request, _wrong(values, error, bool(documents)))
        return _done(request, values, made)

    return [empty, send]


def _done(request: Request[Any, Any, Any], values: dict[str, str], made: Submission) -> Response[bytes]:
    if not made.taken:
        reasons = (
            "; ".join(f"{a.place}: {a.reason}" for a in made.set_aside[:3]) or "the document holds no report"
        )
        return _form(request, Form(values, {"document": reasons}))
    if len(made.taken) == 1 and not made.set_aside:
        one = made.taken[0]
        words = (
            f"{one.handling} is received, and its receipt is signed."
            if one.new
            else f"{one.handling} was here already."
        )
        return done(request, f"/findings/{one.handling}", words)
    fresh = sum(taken.new for taken in made.taken)
    return page(
        request,
        "findings/intake/landed.html",
        tlp="AMBER+STRICT",
        made=made,
        fresh=fresh,
        aside=made.set_aside[:_SHOWN_ASIDE],
        more=max(0, len(made.set_aside) - _SHOWN_ASIDE),
    )


def _form(request: Request[Any, Any, Any], form: Form) -> Response[bytes]:
    me = doorkeeper(request).of(request)
    assert me is not None
    mine = [m for m in me.memberships if "submit" in m.rights]
    return page(
        request,
        "findings/intake/report.html",
        status_code=422 if form.errors else 200,
        form=form,
        mine=mine,
        severities=[(s, s or "Not said") for s in SEVERITIES],
        shapes=shapes.SHAPES,
    )


def _wrong(values: dict[str, str], error: ClearwayError, document: bool) -> Form:
    if not document:
        return wrong(values, error)
    return Form(values, {"document": str(error)})
