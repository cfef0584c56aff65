"""`/api/v1/findings/{handling}/duplicates`: what is one flaw, why, and the acts that say so and undo it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from litestar import Request, Response, Router, get, post
from litestar.params import FromPath, JSONBody
from msgspec import Meta, Struct

from clearway.access.reading import reading
from clearway.http import etag
from clearway.http.acting import SIGNED_IN, doorkeeper, needs
from clearway.http.acts import done_once
from clearway.http.idempotency import Made
from clearway.http.openapi import READ, WRITE, gives
from clearway.records.errors import ConfigError

from .. import kept
from ..intake.at_desk import fetcher
from ..named import HandlingText
from . import at_desk, edge, public
from .hint import kept as learnt
from .view import Duplicates, view

if TYPE_CHECKING:
    from litestar.handlers import HTTPRouteHandler
    from litestar.types import ControllerRouterHandler

    from clearway.http.acts import Db
    from clearway.records.principal import Principal

    from ..kept import Finding
    from .public import Suggestion

Handling = Annotated[str, Meta(pattern="^CWF-[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}$")]
Why = Annotated[str, Meta(min_length=1, max_length=2000)]


class Merge(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which findings are one flaw with it, and why."""

    findings: Annotated[tuple[Handling, ...], Meta(min_length=1, max_length=100)]
    why: Why


class Reason(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why."""

    why: Why


class CrossRun(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """With which finding."""

    other: Handling


class KnownAs(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which public flaw it is, and the versions that fix it. `sure`: it was looked at, though no loaded record of the
    flaw names the product."""

    flaw: Annotated[str, Meta(min_length=1, max_length=200)]
    fixed: Annotated[tuple[Annotated[str, Meta(min_length=1, max_length=200)], ...], Meta(max_length=20)] = ()
    why: Why
    sure: bool = False


class Act(Struct, frozen=True):
    """The number of an act, with which it is undone."""

    act: int


class Started(Struct, frozen=True):
    """The number of a job."""

    job: int


def handlers() -> list[HTTPRouteHandler]:
    """The routes of this file."""

    @get(
        "/findings/{handling:str}/duplicates",
        opt=SIGNED_IN,
        sync_to_thread=True,
        summary="What is one flaw with a finding",
        responses=gives(Duplicates, *READ),
    )
    def shown(request: Request[Any, Any, Any], handling: FromPath[HandlingText]) -> Response[bytes]:
        """Its group with credits, edges with their reasons, what is alike, and what is public. A reporter sees what is
        said of their own findings alone."""
        with reading(request) as (db, me, note):
            finding = kept.one(db, handling)
            found = view(db, finding, suggestions(request, finding, me))
            note(f"{finding.subject}/duplicates", kept.audiences(db, found.shown()))
        return etag.thing(request, found, me, finding.version)

    @post(
        "/findings/{handling:str}/merge",
        opt=needs("coordinate"),
        sync_to_thread=True,
        status_code=201,
        summary="Say that findings are one flaw",
        responses=gives(Act, *WRITE, status=201),
    )
    def merge(
        request: Request[Any, Any, Any], handling: FromPath[HandlingText], data: JSONBody[Merge]
    ) -> Response[bytes]:
        """All that is one with any of them becomes one. Undone by its number; nobody's credit is touched."""

        def act(db: Db, me: Principal) -> Made:
            findings = [kept.one(db, name) for name in (handling, *data.findings)]
            return Made(record=Act(edge.merge(db, findings, data.why)), status=201)

        return done_once(request, act)

    @post(
        "/findings/{handling:str}/split",
        opt=needs("coordinate"),
        sync_to_thread=True,
        status_code=201,
        summary="Say that a finding is a flaw of its own",
        responses=gives(Act, *WRITE, status=201),
    )
    def split(
        request: Request[Any, Any, Any], handling: FromPath[HandlingText], data: JSONBody[Reason]
    ) -> Response[bytes]:
        """The others stay one. Undone by its number."""

        def act(db: Db, me: Principal) -> Made:
            return Made(record=Act(edge.split(db, kept.one(db, handling), data.why)), status=201)

        return done_once(request, act)

    @post(
        "/findings/{handling:str}/duplicates/{number:int}/undo",
        opt=needs("coordinate"),
        sync_to_thread=True,
        status_code=201,
        summary="Undo a merge, a split or an undo",
        responses=gives(Act, *WRITE, status=201),
    )
    def undo(
        request: Request[Any, Any, Any],
        handling: FromPath[HandlingText],
        number: FromPath[int],
        data: JSONBody[Reason],
    ) -> Response[bytes]:
        """What the act said is revoked, what it revoked is said again. An undo is undone by its number too."""

        def act(db: Db, me: Principal) -> Made:
            return Made(record=Act(edge.undo(db, number, data.why, kept.one(db, handling))), status=201)

        return done_once(request, act)

    @post(
        "/findings/{handling:str}/edges/{number:int}/revocation",
        opt=needs("coordinate"),
        sync_to_thread=True,
        status_code=200,
        summary="Revoke one edge",
        responses=gives(Duplicates, *WRITE),
    )
    def revoke(
        request: Request[Any, Any, Any],
        handling: FromPath[HandlingText],
        number: FromPath[int],
        data: JSONBody[Reason],
    ) -> Response[bytes]:
        """Whoever said it. What a replay or a run finds again, it says again."""

        def act(db: Db, me: Principal) -> Made:
            finding = kept.one(db, handling)
            edge.revoke(db, finding, number, data.why)
            return Made(record=view(db, finding), status=200)

        return done_once(request, act)

    @post(
        "/findings/{handling:str}/cross-runs",
        opt=needs("coordinate"),
        sync_to_thread=True,
        status_code=202,
        summary="Try each fix on the other's proof",
        responses=gives(Started, *WRITE, status=202),
    )
    def crossed(
        request: Request[Any, Any, Any], handling: FromPath[HandlingText], data: JSONBody[CrossRun]
    ) -> Response[bytes]:
        """A job. Both findings need a fix that reached E3."""

        def act(db: Db, me: Principal) -> Made:
            one, other = kept.one(db, handling), kept.one(db, data.other)
            return Made(record=Started(at_desk.ask(db, one, other)), status=202)

        return done_once(request, act)

    @post(
        "/findings/{handling:str}/known",
        opt=needs("coordinate"),
        sync_to_thread=True,
        status_code=201,
        summary="Say which public flaw a finding is",
        responses=gives(Duplicates, *WRITE, status=201),
    )
    def known(
        request: Request[Any, Any, Any], handling: FromPath[HandlingText], data: JSONBody[KnownAs]
    ) -> Response[bytes]:
        """Where it fires in a release past what is affected, it is kept as the flaw's return, not as a duplicate.
        Without `fixed`, public records say what is affected. Where no loaded record of the flaw names the product, it
        is refused (400, `where` is "sure") until it comes with `sure`."""

        def act(db: Db, me: Principal) -> Made:
            finding = kept.one(db, handling)
            said = recorded(request, finding, data.flaw)
            affected = () if data.fixed else said.bounds
            public.say(
                db,
                finding,
                data.flaw,
                data.fixed,
                data.why,
                affected=affected,
                named=said.named,
                sure=data.sure,
            )
            return Made(record=view(db, finding), status=201)

        return done_once(request, act)

    @post(
        "/findings/{handling:str}/known/{number:int}/revocation",
        opt=needs("coordinate"),
        sync_to_thread=True,
        status_code=200,
        summary="Revoke what was said of a public flaw",
        responses=gives(Duplicates, *WRITE),
    )
    def unknown(
        request: Request[Any, Any, Any],
        handling: FromPath[HandlingText],
        number: FromPath[int],
        data: JSONBody[Reason],
    ) -> Response[bytes]:
        """It stays on record, with who revoked it and why."""

        def act(db: Db, me: Principal) -> Made:
            finding = kept.one(db, handling)
            public.take_back(db, finding, number, data.why)
            return Made(record=view(db, finding), status=200)

        return done_once(request, act)

    return [shown, merge, split, undo, revoke, crossed, known, unknown]


def suggestions(request: Request[Any, Any, Any], finding: Finding, me: Principal) -> tuple[Suggestion, ...]:
    """What public records suggest, for the desk; () where no table is loaded."""
    table = getattr(request.app.state, "table", None)
    if table is None or not any("coordinate" in m.rights for m in me.memberships):
        return ()
    try:
        current = table.current()
    except ConfigError:  # nothing is loaded yet: the page does without
        return ()
    with doorkeeper(request).pool.owner() as owner:
        counts = learnt.read(owner)
    return public.suggest(current, finding, fetcher(request), counts)


def recorded(request: Request[Any, Any, Any], finding: Finding, flaw: str) -> public.Recorded:
    """What public records of a flaw say of the finding's product; nothing where no table is loaded."""
    table = getattr(request.app.state, "table", None)
    try:
        return public.UNRECORDED if table is None else public.recorded(table.current(), finding, flaw)
    except ConfigError:
        return public.UNRECORDED


def routes() -> ControllerRouterHandler:
    """The routes of this part."""
    return Router("/api/v1", route_handlers=handlers(), tags=["findings"])
