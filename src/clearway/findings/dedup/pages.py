"""*Duplicates*: a finding beside those that are one flaw with it, or may be, with the reasons, and undo."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from litestar import Request, Response, Router, get, post
from litestar.enums import RequestEncodingType
from litestar.params import Body, FromPath
from msgspec import Struct

from clearway.access.reading import reading
from clearway.http.acting import SIGNED_IN, acting, needs
from clearway.http.pages import Address, Form, Tlp, done, page
from clearway.records.errors import ConflictError, InputError, NotFoundError, TooLargeError

from .. import kept
from ..assist.settings import assisted
from ..intake.pages_parts import STATE_WORDS
from ..named import HandlingText
from . import at_desk, crossing, edge, pages_queue, public
from .api import recorded, suggestions
from .view import Alike, Duplicates, member, view
from .words import BASES, COLOURS, KNOWN, VERDICTS

if TYPE_CHECKING:
    from collections.abc import Callable

    from litestar.handlers import HTTPRouteHandler
    from litestar.types import ControllerRouterHandler

    from clearway.http.acts import Db

    from ..kept import Finding

PAGE: dict[str, Any] = {"sync_to_thread": True, "include_in_schema": False}
FORM: Any = Body(media_type=RequestEncodingType.URL_ENCODED)
Did = tuple[str, int]  # words for what was done, and the number of the act that undoes it; 0 for none


class Acting(Struct, frozen=True):
    """The fields of the page's forms; each form fills some."""

    what: str = ""
    with_: str = ""
    number: str = ""
    flaw: str = ""
    fixed: str = ""
    why: str = ""
    sure: str = ""


def handlers() -> list[HTTPRouteHandler]:
    """The routes of this file."""

    @get("/findings/{handling:str}/duplicates", opt=SIGNED_IN, **PAGE)
    def shown(request: Request[Any, Any, Any], handling: FromPath[HandlingText]) -> Response[bytes]:
        """The group, side by side; with `?with=` another finding beside it, to be compared."""
        return _shown(request, handling, Form())

    @post("/findings/{handling:str}/duplicates", opt=needs("coordinate"), **PAGE)
    def act(
        request: Request[Any, Any, Any], handling: FromPath[HandlingText], data: Annotated[Acting, FORM]
    ) -> Response[bytes]:
        """One act of the desk: merge, apart, split, undo, revoke, cross, known, unknown."""
        values = {name: getattr(data, name) for name in ("with_", "flaw", "fixed", "why")}
        try:
            with acting(request) as (db, _):
                finding = kept.one(db, handling)
                if data.what == "known":
                    words, undoes = _known(db, finding, data, recorded(request, finding, data.flaw))
                else:
                    words, undoes = _ACTS.get(data.what, _no_act)(db, finding, data)
        except (InputError, ConflictError, NotFoundError, TooLargeError) as error:
            if isinstance(error, NotFoundError) and data.what in ("", "split"):
                raise
            field = (
                error.where
                if error.where in (*values, "sure")
                else "with_"
                if error.where == "with"
                else "why"
            )
            return _shown(request, handling, Form(values, {field: str(error)}))
        here = f"/findings/{finding.handling}/duplicates"
        if not undoes:
            return done(request, here, words)
        return done(request, here, words, undo=here, fields={"what": "undo", "number": str(undoes)})

    return [shown, act]


def _merge(db: Db, finding: Finding, data: Acting) -> Did:
    names = data.with_.replace(",", " ").split()[:100]
    if not names:
        raise InputError("name a finding", where="with_")
    act = edge.merge(db, [finding, *(kept.one(db, name) for name in names)], data.why.strip())
    return "They are one flaw now. It can be undone.", act


def _apart(db: Db, finding: Finding, data: Acting) -> Did:
    other = kept.one(db, data.with_)
    act = edge.apart(db, finding, other, data.why.strip())
    return f"{other.handling} is another flaw. It can be undone.", act


def _split(db: Db, finding: Finding, data: Acting) -> Did:
    act = edge.split(db, finding, data.why.strip())
    return f"{finding.handling} is a flaw of its own now. It can be undone.", act


def _undo(db: Db, finding: Finding, data: Acting) -> Did:
    edge.undo(db, _number(data.number), data.why.strip() or "undone on the page", finding)
    return "It is undone.", 0


def _revoke(db: Db, finding: Finding, data: Acting) -> Did:
    edge.revoke(db, finding, _number(data.number), data.why.strip() or "revoked on the page")
    return "It is revoked.", 0


def _cross(db: Db, finding: Finding, data: Acting) -> Did:
    other = kept.one(db, data.with_)
    if min(finding.level, other.level) < crossing.LEAST_LEVEL:
        raise ConflictError("both need a fix that reached E3", where="with_", mend="validate them first")
    at_desk.ask(db, finding, other)
    return "A worker tries each fix on the other's proof.", 0


def _known(db: Db, finding: Finding, data: Acting, said: public.Recorded) -> Did:
    fixed = data.fixed.replace(",", " ").split()
    public.say(
        db, finding, data.flaw, fixed, data.why.strip(),
        affected=() if fixed else said.bounds, named=said.named, sure=data.sure == "yes",
    )  # fmt: skip
    return "It is said.", 0


def _unknown(db: Db, finding: Finding, data: Acting) -> Did:
    public.take_back(db, finding, _number(data.number), data.why.strip() or "revoked on the page")
    return "It is revoked.", 0


def _no_act(db: Db, finding: Finding, data: Acting) -> Did:
    raise InputError("no such act", where="why")


_ACTS: dict[str, Callable[[Db, Finding, Acting], Did]] = {
    "merge": _merge,
    "apart": _apart,
    "split": _split,
    "undo": _undo,
    "revoke": _revoke,
    "cross": _cross,
    "unknown": _unknown,
}


def _number(text: str) -> int:
    if not text.isdecimal() or len(text) > 18:
        raise InputError("a number is wanted", where="why")
    return int(text)


def _shown(request: Request[Any, Any, Any], handling: str, form: Form) -> Response[bytes]:
    with reading(request) as (db, me, note):
        finding = kept.one(db, handling)
        found = view(db, finding, suggestions(request, finding, me))
        beside = _beside(db, found, Address.of(request).get("with"))
        named = _named(found, beside)
        works = kept.working(db, named)
        note(f"{finding.subject}/duplicates", kept.audiences(db, found.shown() | named))
    others = [*found.alike, beside] if beside is not None else found.alike
    several = len({m.organisation for m in found.group} | {a.finding.organisation for a in others}) > 1
    whom = "for the coordinators" if several else "for the reporter's organisation and the coordinators"
    return page(
        request,
        "findings/dedup/duplicates.html",
        status_code=422 if form.errors else 200,
        tlp=Tlp("AMBER+STRICT", whom),
        one=finding,
        found=found,
        beside=beside,
        states=STATE_WORDS,
        verdicts=VERDICTS,
        colours=COLOURS,
        bases=BASES,
        known_words=KNOWN,
        desk=me.desk,
        works=works,
        whole=all(m.handling in works for m in found.group),
        assisted=assisted(request.app.state.home),
        cross_level=crossing.LEAST_LEVEL,
        form=form,
    )


def _named(found: Duplicates, beside: Alike | None) -> set[str]:
    """The findings that something on the page is done to."""
    others = [*found.alike, *([beside] if beside is not None else [])]
    return {
        found.handling,
        *(m.handling for m in found.group),
        *(a.finding.handling for a in others),
        *(name for e in found.edges if not e.revoked for name in (e.one, e.other)),
    }


def _beside(db: Db, found: Duplicates, handling: str) -> Alike | None:
    """The finding that the address names to be compared, unless it is in the group; with why it may be one."""
    if not handling or len(handling) > 20 or handling in {m.handling for m in found.group}:
        return None
    for known in found.alike:
        if known.finding.handling == handling:
            return known
    said = next((e for e in found.edges if not e.revoked and handling in (e.one, e.other)), None)
    basis, score, reason = (said.basis, said.score, said.reason) if said else ("", 0.0, "")
    try:
        return Alike(finding=member(kept.one(db, handling)), basis=basis, score=score, reason=reason)
    except NotFoundError:
        return None


def routes() -> ControllerRouterHandler:
    """The routes of this part's pages."""
    return Router("/", route_handlers=[*pages_queue.handlers(), *handlers()], include_in_schema=False)
