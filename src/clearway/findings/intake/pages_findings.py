"""*Findings*: the list, and one finding as its reporter and the desk see it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from litestar import Request, Response, get, post
from litestar.params import FromPath
from msgspec import Struct

from clearway.access.reading import as_file, audiences, reading
from clearway.http.acting import SIGNED_IN, acting, needs
from clearway.http.cursor import sealer
from clearway.http.pages import Address, Choice, Column, Facet, Form, Table, Tlp, done, page
from clearway.records.errors import ConflictError, ForbiddenError, InputError, TooManyRequestsError

from .. import kept
from ..assist.settings import assisted
from ..kept import STATES
from ..named import HandlingText
from . import course, gates, record, shapes, submit
from . import form as forms
from .api_findings import sealed_file
from .api_list import FINDINGS
from .at_desk import add
from .pages_parts import FILES, FORM, PAGE, STATE_WORDS, texts, uploads, wrong
from .view import view

if TYPE_CHECKING:
    from litestar.handlers import HTTPRouteHandler

COLUMNS = (
    Column(key="title", label="Finding", lead=True, wide=True),
    Column(key="handling", label="Handling id", term="handling id"),
    Column(key="package", label="Product", sort="package"),
    Column(key="state", label="State"),
    Column(key="level", label="Evidence", sort="level", term="evidence level"),
    Column(key="received", label="Received", sort="received"),
    Column(key="organisation", label="Reported by", shown=False),
    Column(key="cwe", label="Class", shown=False),
    Column(key="place", label="Place", shown=False),
    Column(key="severity", label="Severity, as claimed", shown=False),
    Column(key="state_why", label="Why", shown=False),
)


class Why(Struct, frozen=True):
    """The form that withdraws a finding."""

    why: str = ""


class Appealing(Struct, frozen=True):
    """The form of an appeal."""

    appeal: str = ""


class Marked(Struct, frozen=True):
    """The form of how a finding counts."""

    mark: str = ""
    because: str = ""


class Decided(Struct, frozen=True):
    """The form of an appeal's outcome."""

    outcome: str = ""
    reason: str = ""


def handlers() -> list[HTTPRouteHandler]:
    """The routes of this file."""

    @get("/findings", opt=SIGNED_IN, **PAGE)
    def listed(request: Request[Any, Any, Any]) -> Response[bytes]:
        """The list."""
        asked = FINDINGS.asked(request)
        with reading(request) as (db, me, note):
            found = FINDINGS.read(db, me, asked, sealer(request))
            note.page(found)
            own = next((m for m in me.memberships if "submit" in m.rights), None)
            track = record.of(db, own.org) if own is not None else None
        return page(
            request,
            "findings/intake/list.html",
            tlp=_marking() if found.items else None,
            table=Table(
                id="findings", caption="Findings", columns=COLUMNS, rows=found.items, key="handling", noun="finding",
                address=Address.of(request), next=found.next, default_sort="-received",
            ),
            facets=_facets(),
            states=STATE_WORDS,
            track=track if track is not None and track.reported else None,
            may=own is not None,
            own=own is not None and not me.may("coordinate"),
            nothing=not found.items and not asked.narrowed and not asked.cursor,
        )  # fmt: skip

    @get(["/findings.json", "/findings.csv"], opt=SIGNED_IN, **PAGE)
    def told(request: Request[Any, Any, Any]) -> Response[bytes]:
        """The same list for programs."""
        return as_file(request, FINDINGS)

    @get("/findings/{handling:str}", opt=SIGNED_IN, **PAGE)
    def one(request: Request[Any, Any, Any], handling: FromPath[HandlingText]) -> Response[bytes]:
        """One finding."""
        return _shown(request, handling, Form())

    @post("/findings/{handling:str}/supplement", opt=needs("submit"), **PAGE)
    def supplement(
        request: Request[Any, Any, Any],
        handling: FromPath[HandlingText],
        data: Annotated[dict[str, Any], FILES],
    ) -> Response[bytes]:
        """Adds what is missing; what does not fit is shown beside the form again."""
        values = texts(data, forms.FIELDS)
        try:
            body = forms.supplement(values, uploads(data))
            finding, asked = add(request, handling, body)
        except (InputError, ConflictError, TooManyRequestsError) as error:
            return _shown(request, handling, wrong(values, error))
        lacking = gates.missing(asked)
        words = "It lacks nothing any more." if not lacking else f"Added; {gates.summary(asked)}."
        return done(request, f"/findings/{finding.handling}", words)

    @post("/findings/{handling:str}/withdraw", opt=needs("submit"), **PAGE)
    def withdraw(
        request: Request[Any, Any, Any], handling: FromPath[HandlingText], data: Annotated[Why, FORM]
    ) -> Response[bytes]:
        """Withdraws a finding."""
        with acting(request) as (db, _):
            moved = kept.move(db, kept.one(db, handling), "withdrawn", data.why.strip()[:300])
        return done(request, f"/findings/{moved.handling}", f"{moved.handling} is withdrawn.")

    @post("/findings/{handling:str}/appeal", opt=needs("submit"), **PAGE)
    def appeal(
        request: Request[Any, Any, Any], handling: FromPath[HandlingText], data: Annotated[Appealing, FORM]
    ) -> Response[bytes]:
        """Appeals against how a finding counts."""
        try:
            with acting(request) as (db, _):
                record.appeal(db, kept.one(db, handling), data.appeal)
        except (InputError, ConflictError) as error:
            return _shown(request, handling, Form({"appeal": data.appeal}, {"": str(error)}))
        return done(
            request,
            f"/findings/{handling}",
            "Your appeal is made: until it is decided, the mark does not count.",
        )

    @post("/findings/{handling:str}/mark", opt=needs("coordinate"), **PAGE)
    def mark(
        request: Request[Any, Any, Any], handling: FromPath[HandlingText], data: Annotated[Marked, FORM]
    ) -> Response[bytes]:
        """A coordinator says how a finding counts for its reporter."""
        try:
            with acting(request) as (db, _):
                record.give(db, kept.one(db, handling), data.mark, data.because)  # type: ignore[arg-type]  # checked there
        except (InputError, ConflictError) as error:
            return _shown(request, handling, wrong({"mark": data.mark, "because": data.because}, error))
        return done(request, f"/findings/{handling}", "It is said. The reporter sees it, and may appeal.")

    @post("/findings/{handling:str}/appeals/{number:int}", opt=needs("coordinate"), **PAGE)
    def decide(
        request: Request[Any, Any, Any],
        handling: FromPath[HandlingText],
        number: FromPath[int],
        data: Annotated[Decided, FORM],
    ) -> Response[bytes]:
        """Another coordinator decides an appeal."""
        try:
            with acting(request) as (db, _):
                record.decide(db, number, data.outcome, data.reason)  # type: ignore[arg-type]  # checked there
        except (InputError, ConflictError, ForbiddenError) as error:
            return _shown(request, handling, Form({"reason": data.reason}, {"": str(error)}))
        return done(request, f"/findings/{handling}", f"The appeal is {data.outcome}.")

    @get("/findings/{handling:str}/receipt.json", opt=SIGNED_IN, **PAGE)
    def receipt(request: Request[Any, Any, Any], handling: FromPath[HandlingText]) -> Response[bytes]:
        """The receipt, as a file."""
        with reading(request) as (db, _, note):
            finding = kept.one(db, handling)
            found = submit.receipt_of(db, finding.id)
            note(f"{finding.subject}/receipt", [finding.aud])
        headers = {"content-disposition": f'attachment; filename="{finding.handling}.receipt.json"'}
        return Response(found.encode(), media_type="application/json", headers=headers)

    @get("/findings/{handling:str}/files/{number:int}", opt=SIGNED_IN, **PAGE)
    def file(
        request: Request[Any, Any, Any], handling: FromPath[HandlingText], number: FromPath[int]
    ) -> Response[bytes]:
        """One file of a finding, as a download."""
        return sealed_file(request, handling, number)

    return [listed, told, one, supplement, withdraw, appeal, mark, decide, receipt, file]


def _shown(request: Request[Any, Any, Any], handling: str, form: Form) -> Response[bytes]:
    with reading(request) as (db, me, note):
        finding = kept.one(db, handling)
        found = view(db, finding)
        case = course.case_of(db, finding)
        cases = audiences(db, "desk_case", "handling", [case.handling] if case is not None else ())
        note(finding.subject, [finding.aud, *cases])
        signed = bool(submit.receipt_of(db, finding.id))
        track = record.of(db, finding.org)
        works = bool(kept.working(db, [finding.handling]))
    mine = any(m.org == finding.org and "submit" in m.rights for m in me.memberships)
    return page(
        request,
        "findings/intake/one.html",
        status_code=422 if form.errors else 200,
        tlp=_marking(),
        one=found,
        case=case,
        course=course.steps(found, case, signed=signed),
        form=form,
        mine=mine,
        desk=me.desk,
        works=works,
        marks=[(mark, mark.capitalize()) for mark in record.MARKS],
        outcomes=[("granted", "Granted: the mark does not count"), ("refused", "Refused: it counts")],
        signed=signed,
        track=track,
        states=STATE_WORDS,
        titles=gates.TITLES,
        shapes=shapes.asked_of(found.cwe),
        open=mine and found.state in ("received", "incomplete"),
        assisted=assisted(request.app.state.home),
        levels=LEVELS,
    )


# What each level says, in the words of the design: a reader sees what is shown and what is not yet.
LEVELS = (
    "Received, and readable",
    "The reproducer fires here, each time, with one crash state",
    "It falls silent on a patched build",
    "No test that passed before fails",
    "Variants find nothing related; it fails under a second compiler or sanitizer too",
    "The developers' own tests, or the same behaviour on harmless inputs",
    "A named human, or the upstream project, accepted it",
)


def _facets() -> list[Facet]:
    return [
        Facet(
            name="state",
            label="State",
            choices=tuple(Choice(value=state, label=STATE_WORDS[state]) for state in STATES),
        ),
        Facet(
            name="live",
            label="Trials",
            choices=(Choice(value="yes", label="Findings"), Choice(value="no", label="Trials")),
        ),
    ]


def _marking() -> Tlp:
    return Tlp("AMBER+STRICT", "for the reporter's organisation and the coordinators")
