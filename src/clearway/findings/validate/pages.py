"""*Evidence*: the ladder of a finding, a validation as it runs, and what the desk may start."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from litestar import Request, Response, Router, get, post
from litestar.enums import RequestEncodingType
from litestar.params import Body, FromPath
from msgspec import Struct

from clearway.access.reading import reading
from clearway.http.acting import SIGNED_IN, acting, needs
from clearway.http.pages import Form, Tlp, done, page
from clearway.records.errors import ConflictError, InputError

from .. import artefact, kept
from ..named import HandlingText
from . import level, pages_log, validation
from .api import MOST_NUMBER
from .statement import READ as RECIPE

if TYPE_CHECKING:
    from litestar.handlers import HTTPRouteHandler
    from litestar.types import ControllerRouterHandler

PAGE: dict[str, Any] = {"sync_to_thread": True, "include_in_schema": False}
FORM: Any = Body(media_type=RequestEncodingType.URL_ENCODED)
WORDS = (
    "Received, and its recipe can be read",
    "The proof fires here, each time, in one crash state",
    "It falls silent on the patched build, which holds the patch",
    "No test that passed before fails, and harmless input goes the same way",
    "Variants of the proof find nothing; a second compiler sees the flaw too",
    "Enough harmless input goes the same way",
    "A named human, or upstream, accepted it",
)
RESULTS = {"met": "holds", "failed": "fails", "not_tried": "not tried"}
COLOURS = {"met": "good", "failed": "overdue", "not_tried": "quiet"}
# What a trial is doing, as the judging calls it: in words, and the level that it is about.
DOING = {
    "build": ("Both releases are being built", 1),
    "fires": ("The proof runs on the vulnerable build", 1),
    "silent": ("The proof runs on the patched build", 2),
    "tests": ("The project's tests run before and after the fix", 3),
    "benign input": ("Harmless input runs on both builds", 3),
    "variants": ("Variants of the proof are tried, in seconds", 4),
    "libFuzzer": ("libFuzzer looks for variants of the proof, in seconds", 4),
    "Atheris": ("Atheris looks for variants of the proof, in seconds", 4),
    "second build": ("The proof runs under a second compiler or interpreter", 4),
}
STATES = {"waiting": "waits", "running": "runs", "done": "done", "failed": "could not be tried here"}


class Asking(Struct, frozen=True):
    """The form that starts a validation."""

    upto: str = "4"
    seconds: str = "30"
    patch: str = ""
    vouched: str = ""
    read: str = ""
    again_why: str = ""


class Accepting(Struct, frozen=True):
    """The form of an acceptance."""

    by: str = ""
    why: str = ""


class Revoking(Struct, frozen=True):
    """The form that takes evidence back: the number of a validation, or "vouched" for all that rests on such files."""

    which: str = ""
    revoke_why: str = ""


def handlers() -> list[HTTPRouteHandler]:
    """The routes of this file."""

    @get("/findings/{handling:str}/evidence", opt=SIGNED_IN, **PAGE)
    def shown(request: Request[Any, Any, Any], handling: FromPath[HandlingText]) -> Response[bytes]:
        """The ladder and all validations."""
        return _shown(request, handling, Form())

    @post("/findings/{handling:str}/evidence", opt=needs("coordinate"), **PAGE)
    def ask(
        request: Request[Any, Any, Any], handling: FromPath[HandlingText], data: Annotated[Asking, FORM]
    ) -> Response[bytes]:
        """Starts one."""
        values = msgspec.to_builtins(data)
        try:
            upto, seconds = _number(data.upto, "upto", 1, 5), _number(data.seconds, "seconds", 0, 3600)
            patch = _number(data.patch, "patch", 1, MOST_NUMBER) if data.patch.strip() else None
            with acting(request) as (db, _):
                finding = kept.one(db, handling)
                vouched = _vouched(db, finding.id, published=bool(data.vouched), read=bool(data.read))
                why = data.again_why[:2000]
                validation.ask(db, finding, upto=upto, seconds=seconds, patch=patch, vouched=vouched, why=why)
        except (InputError, ConflictError) as error:
            return _shown(
                request, handling, Form(values, {error.where if error.where in values else "": str(error)})
            )
        return done(request, f"/findings/{finding.handling}/evidence", "It is being validated.")

    @post("/findings/{handling:str}/evidence/{number:int}/acceptance", opt=needs("coordinate"), **PAGE)
    def accept(
        request: Request[Any, Any, Any],
        handling: FromPath[HandlingText],
        number: FromPath[int],
        data: Annotated[Accepting, FORM],
    ) -> Response[bytes]:
        """Accepts one (E6)."""
        values = {"by": data.by, "why": data.why}
        try:
            if not data.by.strip() or not data.why.strip():
                raise InputError("who accepts it, and why", where="by")
            with acting(request) as (db, _):
                finding = kept.one(db, handling)
                validation.accept(db, finding, number, data.by.strip()[:200], data.why.strip()[:2000])
        except (InputError, ConflictError) as error:
            return _shown(
                request, handling, Form(values, {error.where if error.where in values else "": str(error)})
            )
        return done(request, f"/findings/{finding.handling}/evidence", "The acceptance is being signed.")

    @post("/findings/{handling:str}/evidence/revocation", opt=needs("coordinate"), **PAGE)
    def revoke(
        request: Request[Any, Any, Any],
        handling: FromPath[HandlingText],
        data: Annotated[Revoking, FORM],
    ) -> Response[bytes]:
        """Takes evidence back."""
        values = {"which": data.which, "revoke_why": data.revoke_why}
        why = data.revoke_why.strip()[:2000]
        try:
            if not why:
                raise InputError("why it is taken back", where="revoke_why")
            with acting(request) as (db, _):
                finding = kept.one(db, handling)
                if data.which == "vouched":
                    files = {d for v in validation.listed(db, finding.id) for d in v.vouched}
                    validation.unvouch(db, finding, files, why)
                else:
                    validation.revoke(db, finding, _number(data.which, "which", 1, MOST_NUMBER), why)
        except (InputError, ConflictError) as error:
            return _shown(
                request, handling, Form(values, {error.where if error.where in values else "": str(error)})
            )
        return done(request, f"/findings/{finding.handling}/evidence", "It was taken back.")

    return [shown, ask, accept, revoke]


def _shown(request: Request[Any, Any, Any], handling: str, form: Form) -> Response[bytes]:
    with reading(request) as (db, _, note):
        finding = kept.one(db, handling)
        found = validation.listed(db, finding.id)
        note(f"{finding.subject}/validations", [finding.aud])
        files = artefact.listed(db, finding.id)
        standing = validation.best(db, finding.id)
        may = bool(kept.working(db, [finding.handling]))
    running = next((v for v in found if v.state in ("waiting", "running")), None)
    doing, about = DOING.get(running.doing, (running.doing, 1)) if running and running.doing else ("", 0)
    return page(
        request,
        "findings/validate/evidence.html",
        status_code=422 if form.errors else 200,
        tlp=Tlp("AMBER+STRICT", "for the reporter's organisation and the coordinators"),
        one=finding,
        found=found,
        best=(best := next((v for v in found if v.id == standing.validation), None)),
        claimed=best is not None and any(s.level == 1 and s.why.startswith(level.THEIRS) for s in best.steps),
        held=standing.held,
        running=running,
        doing=doing,
        about=about,
        words=WORDS,
        results=RESULTS,
        colours=COLOURS,
        states=STATES,
        may=may and finding.state in ("queued", "judged") and running is None,
        coordinates=may,
        patches=[f for f in files if f.kind == "patch"],
        firing={f.name: f.number for f in files if f.kind == "log"},
        form=form,
    )


def _vouched(db: Any, finding: int, *, published: bool, read: bool) -> tuple[str, ...]:
    """Of what the reporter sent: the sources and inputs where the desk has seen that they are what is published, the
    recipe where it has read it."""
    kinds = ("source", "attachment", "harness", "input", "document")
    sent = artefact.listed(db, finding, *kinds)  # type: ignore[arg-type]
    found = {f.sha256 for f in sent if published and f.name != RECIPE and f.kind != "document"}
    recipes = [f.sha256 for f in sent if read and f.name == RECIPE]
    return (*recipes[-1:], *sorted(found))[:200]


def _number(text: str, name: str, least: int, most: int) -> int:
    try:
        found = int(text)
    except ValueError:
        raise InputError("a number is wanted", where=name) from None
    if not least <= found <= most:
        raise InputError(f"between {least} and {most:,}", where=name)
    return found


def routes() -> ControllerRouterHandler:
    """The routes of this part's pages."""
    return Router("/", route_handlers=[*handlers(), *pages_log.handlers()], include_in_schema=False)
