"""*Cases*, *Triage* and *Reports that wait for you*."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from litestar import Request, Response, get, post
from litestar.enums import RequestEncodingType
from litestar.params import Body

from clearway.access.reading import reading
from clearway.http.acting import SIGNED_IN, acting, needs
from clearway.http.cursor import sealer
from clearway.http.pages import Address, Choice, Column, Facet, Form, Table, Tlp, done, page
from clearway.records.errors import ConflictError, InputError, NotFoundError

from .. import kept as findings
from . import kept, party, triage
from .api_cases import CASES
from .at_desk import now
from .pages_parts import EMS, PAGE, RMS
from .view import is_desk

if TYPE_CHECKING:
    from litestar.handlers import HTTPRouteHandler

_R = Request[Any, Any, Any]
_FORM: Any = Body(media_type=RequestEncodingType.URL_ENCODED)
COLUMNS = (
    Column(key="title", label="Case", lead=True, wide=True),
    Column(key="handling", label="Handling id"),
    Column(key="package", label="Product"),
    Column(key="embargo", label="Embargo"),
    Column(key="until", label="Agreed to end", sort="until"),
    Column(key="opened", label="Opened", sort="opened"),
    Column(key="changed", label="Changed", sort="changed", shown=False),
    Column(key="cve", label="CVE", shown=False),
)
TRIAGE = (
    Column(key="title", label="Finding", lead=True, wide=True),
    Column(key="points", label="Rank", number=True),
    Column(key="why", label="Why here", wide=True),
    Column(key="level", label="Evidence"),
    Column(key="package", label="Product"),
    Column(key="handling", label="Handling id"),
    Column(key="organisation", label="Reported by"),
    Column(key="received", label="Received"),
    Column(key="case", label="Open case"),
)


def handlers() -> list[HTTPRouteHandler]:
    """The routes of this file."""

    @get("/cases", opt=SIGNED_IN, **PAGE)
    def listed(request: _R) -> Response[bytes]:
        """The list."""
        asked = CASES.asked(request)
        with reading(request) as (db, me, note):
            found = CASES.read(db, me, asked, sealer(request))
            note.page(found)
        return page(
            request,
            "findings/case/list.html",
            tlp=Tlp("RED", "each case is for its parties and the coordinators") if found.items else None,
            table=Table(
                id="cases", caption="Cases", columns=COLUMNS, rows=found.items, key="handling", noun="case",
                address=Address.of(request), next=found.next, default_sort="until",
            ),
            facets=[
                Facet(name="embargo", label="Embargo", choices=tuple(Choice(value=k, label=v) for k, v in EMS.items())),
                Facet(
                    name="closed",
                    label="Closed",
                    choices=(Choice(value="no", label="Open"), Choice(value="yes", label="Closed")),
                ),
            ],
            ems=EMS,
            desk=is_desk(me),
            maintains=me.may("maintain"),
            nothing=not found.items and not asked.narrowed and not asked.cursor,
        )  # fmt: skip

    @get(["/cases.json", "/cases.csv"], opt=SIGNED_IN, **PAGE)
    def told(request: _R) -> Response[bytes]:
        """The same list for programs."""
        asked = CASES.asked(request)
        with reading(request) as (db, me, note):
            found = CASES.read(db, me, asked, sealer(request))
            note.page(found)
        return CASES.answer(request, found, me)

    @get("/cases/triage", opt=needs("coordinate"), **PAGE)
    def queue(request: _R) -> Response[bytes]:
        """The triage queue."""
        return _queue(request, Form())

    @post("/cases/triage", opt=needs("coordinate"), **PAGE)
    def open_case(request: _R, data: Annotated[dict[str, Any], _FORM]) -> Response[bytes]:
        """Opens a case of the chosen findings, or puts them into one."""
        given = data.get("id", [])
        chosen = [c for c in (given if isinstance(given, list) else [given]) if isinstance(c, str)]
        into = str(data.get("into", "")).strip()
        try:
            with acting(request) as (db, me):
                if not chosen:
                    raise InputError("choose findings first", where="id")
                taken = [findings.one(db, handling) for handling in dict.fromkeys(chosen)]
                if into:
                    case = kept.one(db, into)
                    for each in taken:
                        kept.take(db, case, each)
                else:
                    case = kept.add(db, kept.desk_of(me), taken)
        except (InputError, ConflictError, NotFoundError) as error:
            return _queue(request, Form({"into": into}, {"": str(error)}))
        return done(request, f"/cases/{case.handling}", f"{case.handling} has {len(taken)} more.")

    @get("/cases/mine", opt=needs("maintain"), **PAGE)
    def mine(request: _R) -> Response[bytes]:
        """A maintainer's queue."""
        with acting(request) as (db, me):
            rows = party.queue_of(db, me.orgs("maintain"))
        tlp = Tlp("RED", "under embargo: for the parties of each case") if rows else None
        return page(request, "findings/case/mine.html", tlp=tlp, rows=rows, rms=RMS)

    return [listed, told, queue, open_case, mine]


def _queue(request: _R, form: Form) -> Response[bytes]:
    with acting(request) as (db, _):
        rows = triage.queue(db, now())
    return page(
        request,
        "findings/case/triage.html",
        status_code=422 if form.errors else 200,
        tlp=Tlp("AMBER+STRICT", "each finding is for its reporter and the coordinators") if rows else None,
        form=form,
        rows=rows,
        table=Table(
            id="triage", caption="Findings that wait", columns=TRIAGE, rows=rows, key="handling", noun="finding",
            address=Address.of(request), selectable=True, formats=(), total=len(rows),
        ),
    )  # fmt: skip
