"""*Ask before you report*, for everybody; and *What receivers take*."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from litestar import Request, Response, get, post
from litestar.params import FromPath
from msgspec import Struct

from clearway.http.acting import SIGNED_IN, acting, needs
from clearway.http.guard import PUBLIC
from clearway.http.pages import Form, done, page
from clearway.records.errors import ConflictError, ForbiddenError, InputError
from clearway.records.principal import member_of

from . import limit, public, record
from .at_desk import fetcher, spend_check
from .pages_parts import FORM, PAGE, wrong

if TYPE_CHECKING:
    from litestar.handlers import HTTPRouteHandler


class Asking(Struct, frozen=True):
    """The form of a question about what is public."""

    purl: str = ""
    release: str = ""
    place: str = ""
    cwe: str = ""


class Limiting(Struct, frozen=True):
    """The form of a receiver's limit; numbers as typed, "" for none."""

    organisation: str = ""
    ecosystem: str = ""
    package: str = ""
    per_reporter: str = ""
    per_week: str = ""
    min_level: str = "0"
    note: str = ""


class Confirming(Struct, frozen=True):
    """The form of a coordinator's word on a limit."""

    holds: str = ""


def handlers() -> list[HTTPRouteHandler]:
    """The routes of this file."""

    @get("/findings/check", opt=PUBLIC, **PAGE)
    def empty(request: Request[Any, Any, Any]) -> Response[bytes]:
        """The form."""
        return page(request, "findings/intake/check.html", form=Form(), answer=None)

    @post("/findings/check", opt=PUBLIC, **PAGE)
    def check(request: Request[Any, Any, Any], data: Annotated[Asking, FORM]) -> Response[bytes]:
        """The answer, from public records alone. By POST, so that the question is in no address and no log of them."""
        spend_check(request)
        values = {name: str(getattr(data, name)).strip()[:2_000] for name in data.__struct_fields__}
        cwe = values["cwe"].upper()
        question = public.Question(
            purl=values["purl"],
            release=values["release"],
            place=values["place"],
            cwe=f"CWE-{cwe}" if cwe.isdigit() else cwe,
        )
        try:
            found = public.ask(request.app.state.table.current(), question, fetcher(request))
        except InputError as error:
            return page(
                request, "findings/intake/check.html", status_code=422, form=wrong(values, error), answer=None
            )
        return page(request, "findings/intake/check.html", form=Form(values), answer=found)

    @get("/findings/limits", opt=SIGNED_IN, **PAGE)
    def limits(request: Request[Any, Any, Any]) -> Response[bytes]:
        """What receivers take."""
        return _limits(request, Form())

    @post("/findings/limits", opt=needs("maintain"), **PAGE)
    def put(request: Request[Any, Any, Any], data: Annotated[Limiting, FORM]) -> Response[bytes]:
        """Sets a limit of one's own."""
        values = {name: str(getattr(data, name)) for name in data.__struct_fields__}
        try:
            with acting(request) as (db, me):
                made = limit.put(
                    db,
                    member_of(me, data.organisation, "maintain"),
                    data.ecosystem,
                    data.package,
                    per_reporter=_number(data.per_reporter, "per_reporter"),
                    per_week=_number(data.per_week, "per_week"),
                    min_level=_number(data.min_level, "min_level", 6) or 0,
                    note=data.note,
                )
        except InputError as error:
            return _limits(request, wrong(values, error))
        return done(
            request,
            "/findings/limits",
            f"The limit for {made.package} is set. It counts once a coordinator confirms it.",
        )

    @post("/findings/limits/{number:int}/end", opt=needs("maintain"), **PAGE)
    def end(request: Request[Any, Any, Any], number: FromPath[int]) -> Response[bytes]:
        """Ends a limit of one's own."""
        with acting(request) as (db, _):
            limit.end(db, number)
        return done(request, "/findings/limits", "The limit is ended.")

    @post("/findings/limits/{number:int}/confirmation", opt=needs("coordinate"), **PAGE)
    def confirm(
        request: Request[Any, Any, Any], number: FromPath[int], data: Annotated[Confirming, FORM]
    ) -> Response[bytes]:
        """A coordinator's word on whose product it is."""
        try:
            with acting(request) as (db, _):
                limit.confirm(db, number, holds=data.holds == "yes")
        except (ConflictError, ForbiddenError) as error:
            return _limits(request, Form({}, {"": str(error)}))
        return done(
            request, "/findings/limits", "Confirmed." if data.holds == "yes" else "The limit does not count."
        )

    return [empty, check, limits, put, end, confirm]


def _limits(request: Request[Any, Any, Any], form: Form) -> Response[bytes]:
    with acting(request) as (db, me):
        found = limit.listed(db)
        desk = me.may("coordinate") and record.is_desk(db)
        confirmable = limit.confirmable(db, found) if desk else set()
    mine = [m for m in me.memberships if "maintain" in m.rights]
    return page(
        request,
        "findings/intake/limits.html",
        status_code=422 if form.errors else 200,
        tlp="GREEN" if found else None,
        limits=found,
        form=form,
        mine=mine,
        own={m.slug for m in mine},
        desk=desk,
        confirmable=confirmable,
        levels=[(str(n), f"E{n}") for n in range(7)],
    )


def _number(text: str, where: str, most: int = 100_000) -> int | None:
    typed = text.strip()
    if not typed:
        return None
    if not (typed.isascii() and typed.isdigit() and len(typed) < 7 and int(typed) <= most):
        raise InputError(f"a whole number up to {most:,} is wanted", where=where)
    return int(typed)
