"""`/api/v1/findings/{handling}/validations`: evidence asked for by the desk, how far it is, and what was found."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

from litestar import Request, Response, Router, get, post
from litestar.params import FromPath, JSONBody
from msgspec import Meta, Struct

from clearway.access.reading import reading
from clearway.http import etag, partial
from clearway.http.acting import SIGNED_IN, acting, needs
from clearway.http.acts import done_once
from clearway.http.idempotency import Made
from clearway.http.openapi import READ, WRITE, gives, problems_of
from clearway.records.clock import SystemClock

from .. import kept
from ..desk_key import DeskKey
from ..named import HandlingText
from ..vault import Vault
from . import revoked, validation
from .recipe import Sha256
from .validation import Validation

if TYPE_CHECKING:
    from litestar.handlers import HTTPRouteHandler
    from litestar.types import ControllerRouterHandler

    from clearway.http.acts import Db
    from clearway.records.principal import Principal

MOST_NUMBER = (1 << 63) - 1  # of what the database numbers


class Ask(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How far to look. `vouched` are the SHA-256 of the target's files that the desk has seen to be what is published;
    without them a target that the reporter sent stays at E1. `patch` is the number of a file of the finding.
    `why` it is tried again: without a reason no level comes back that was lowered or taken back."""

    upto: Annotated[int, Meta(ge=1, le=5)] = 4
    seconds: Annotated[int, Meta(ge=0, le=3600)] = 30
    patch: Annotated[int, Meta(ge=1, le=MOST_NUMBER)] | None = None
    vouched: Annotated[tuple[Sha256, ...], Meta(max_length=200)] = ()
    why: Annotated[str, Meta(max_length=2000)] = ""


class Acceptance(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who accepts the evidence (E6), in words: a person, or upstream and where it said so."""

    by: Annotated[str, Meta(min_length=1, max_length=200)]
    why: Annotated[str, Meta(min_length=1, max_length=2000)]


class Revocation(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why the evidence is taken back."""

    why: Annotated[str, Meta(min_length=1, max_length=2000)]


class Unvouching(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The SHA-256 of files that were vouched for, and why that no longer holds."""

    files: Annotated[tuple[Sha256, ...], Meta(min_length=1, max_length=200)]
    why: Annotated[str, Meta(min_length=1, max_length=2000)]


class Unvouched(Struct, frozen=True):
    """The validations that rested on the files: taken back with them."""

    validations: tuple[int, ...]


class StepView(Struct, frozen=True, kw_only=True):
    """One level: E1 to E6. `times` of `of` runs, tests or variants said so; `statement` is a file of the finding."""

    level: int
    result: str
    why: str
    times: int
    of: int
    statement: int | None
    at: datetime


class ValidationView(Struct, frozen=True, kw_only=True):
    """One validation. `level` is the highest that holds with all below it, null while it runs; since `revoked` it
    counts for nothing, and its statements no longer hold. `id`, `patch`, `log` and a step's `statement` are numbers
    within the finding."""

    id: int
    handling: str
    state: str
    doing: str
    done: int
    total: int
    upto: int
    seconds: int
    patch: int | None
    asked: datetime
    begun: datetime | None
    ended: datetime | None
    level: int | None
    why: str
    crash: str
    crash_state: str
    recipe: str
    vulnerable: str
    patched: str
    environment: str
    log: int | None
    revoked: datetime | None
    revoked_why: str
    again_why: str
    steps: tuple[StepView, ...]


class Validations(Struct, frozen=True, kw_only=True):
    """A finding's validations, newest first."""

    items: tuple[ValidationView, ...]


class Asked(Struct, frozen=True):
    """The number of what was started."""

    id: int


def view(handling: str, found: Validation) -> ValidationView:
    """A validation as it is told: all numbers are within its finding."""
    same = {
        name: getattr(found, name)
        for name in ValidationView.__struct_fields__
        if name in found.__struct_fields__
    }
    steps = tuple(
        StepView(**{n: getattr(s, n) for n in StepView.__struct_fields__} | {"statement": s.statement_file})
        for s in found.steps
    )
    own = {"id": found.number, "patch": found.patch_file, "log": found.log_file}
    return ValidationView(**{**same, **own, "handling": handling, "steps": steps})


def handlers() -> list[HTTPRouteHandler]:
    """The routes of this file."""

    @post(
        "/findings/{handling:str}/validations",
        opt=needs("coordinate"),
        sync_to_thread=True,
        status_code=201,
        summary="Validate a finding",
        responses=gives(Asked, *WRITE, status=201),
    )
    def ask(
        request: Request[Any, Any, Any], handling: FromPath[HandlingText], data: JSONBody[Ask]
    ) -> Response[bytes]:
        """Starts a job that builds the target and runs the proof in a box without a network."""

        def act(db: Db, me: Principal) -> Made:
            number = validation.ask(
                db,
                kept.one(db, handling),
                upto=data.upto,
                seconds=data.seconds,
                patch=data.patch,
                vouched=data.vouched,
                why=data.why,
            )
            return Made(record=Asked(number), location=f"/api/v1/findings/{handling}/validations/{number}")

        return done_once(request, act)

    @get(
        "/findings/{handling:str}/validations",
        opt=SIGNED_IN,
        sync_to_thread=True,
        summary="A finding's validations",
        responses=gives(Validations, *READ),
    )
    def listed(request: Request[Any, Any, Any], handling: FromPath[HandlingText]) -> Response[bytes]:
        """Newest first, each with its levels; at most 200."""
        with reading(request) as (db, me, note):
            finding = kept.one(db, handling)
            found = validation.listed(db, finding.id)
            note(f"{finding.subject}/validations", [finding.aud])
        answer = Validations(items=tuple(view(finding.handling, one) for one in found))
        return etag.thing(request, answer, me, sum(one.version for one in found))

    @get(
        "/findings/{handling:str}/validations/{number:int}",
        opt=SIGNED_IN,
        sync_to_thread=True,
        summary="One validation",
        responses=gives(ValidationView, *READ),
    )
    def one(
        request: Request[Any, Any, Any], handling: FromPath[HandlingText], number: FromPath[int]
    ) -> Response[bytes]:
        """How far it is, or what was found. Its statements are files of the finding."""
        with reading(request) as (db, me, note):
            finding = kept.one(db, handling)
            found = validation.one(db, finding.id, number)
            note(f"{finding.subject}/validations", [finding.aud])
        return etag.thing(request, view(finding.handling, found), me, found.version)

    @get(
        "/findings/{handling:str}/validations/{number:int}/log",
        opt=SIGNED_IN,
        sync_to_thread=True,
        media_type="text/plain",
        summary="What the first run wrote",
        responses=problems_of(*READ, 416),
    )
    def log(
        request: Request[Any, Any, Any], handling: FromPath[HandlingText], number: FromPath[int]
    ) -> Response[bytes]:
        """Data of a program that is not trusted, as a download; with `Range: bytes=0-999` a part of it (RFC 9110)."""
        with acting(request) as (db, _):
            finding = kept.one(db, handling)
            found = validation.one(db, finding.id, number)
            kept_log, data = validation.log_of(db, Vault.of_home(request.app.state.home), found)
        return partial.download(request, data, f"{finding.handling}-{number}.log", kept_log.sha256)

    @post(
        "/findings/{handling:str}/validations/{number:int}/acceptance",
        opt=needs("coordinate"),
        sync_to_thread=True,
        status_code=202,
        summary="Accept the evidence",
        responses=gives(Asked, *WRITE, status=202),
    )
    def accept(
        request: Request[Any, Any, Any],
        handling: FromPath[HandlingText],
        number: FromPath[int],
        data: JSONBody[Acceptance],
    ) -> Response[bytes]:
        """E6: a named human, or upstream, accepts what has reached E4. The statement is signed in a moment."""

        def act(db: Db, me: Principal) -> Made:
            validation.accept(db, kept.one(db, handling), number, data.by, data.why)
            return Made(record=Asked(number), status=202)

        return done_once(request, act)

    return [ask, listed, one, log, accept]


def revoking() -> list[HTTPRouteHandler]:
    """The routes by which the desk takes evidence back, and tells what it took back."""

    @post(
        "/findings/{handling:str}/validations/{number:int}/revocation",
        opt=needs("coordinate"),
        sync_to_thread=True,
        status_code=200,
        summary="Take a validation back",
        responses=gives(ValidationView, *WRITE),
    )
    def revoke(
        request: Request[Any, Any, Any],
        handling: FromPath[HandlingText],
        number: FromPath[int],
        data: JSONBody[Revocation],
    ) -> Response[bytes]:
        """It counts for nothing from now on, its statements are revoked, and the finding has the level that is left."""

        def act(db: Db, me: Principal) -> Made:
            finding = validation.revoke(db, kept.one(db, handling), number, data.why)
            return Made(record=view(finding.handling, validation.one(db, finding.id, number)), status=200)

        return done_once(request, act)

    @post(
        "/findings/{handling:str}/vouching/revocation",
        opt=needs("coordinate"),
        sync_to_thread=True,
        status_code=200,
        summary="Take a vouching back",
        responses=gives(Unvouched, *WRITE),
    )
    def unvouch(
        request: Request[Any, Any, Any], handling: FromPath[HandlingText], data: JSONBody[Unvouching]
    ) -> Response[bytes]:
        """Every validation that rests on one of the files is taken back with it."""

        def act(db: Db, me: Principal) -> Made:
            taken = validation.unvouch(db, kept.one(db, handling), data.files, data.why)
            return Made(record=Unvouched(taken), status=200)

        return done_once(request, act)

    @get(
        "/findings/{handling:str}/revocations",
        opt=SIGNED_IN,
        sync_to_thread=True,
        summary="Statements that were taken back",
        responses=gives(dict[str, Any], *READ),
    )
    def revocations(request: Request[Any, Any, Any], handling: FromPath[HandlingText]) -> Response[bytes]:
        """A DSSE envelope, signed now: for `clearway finding verify --revocations`. Empty when none was."""
        home = request.app.state.home
        with reading(request) as (db, _, note):
            finding = kept.one(db, handling)
            told = revoked.listed(
                db, Vault.of_home(home), finding, validation.listed(db, finding.id), SystemClock().now()
            )
            note(f"{finding.subject}/revocations", [finding.aud])
        return Response(
            revoked.signed(DeskKey.of_home(home, make=False), told),
            media_type="application/json",
            headers={"cache-control": "no-store"},
        )

    return [revoke, unvouch, revocations]


def routes() -> ControllerRouterHandler:
    """The routes of this part."""
    return Router("/api/v1", route_handlers=[*handlers(), *revoking()], tags=["findings"])
