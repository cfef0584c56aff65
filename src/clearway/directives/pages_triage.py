"""Forensic triage: the list, and a workbook with its steps, its evidence, and what may have spoiled it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from litestar import Request, Response, get, post
from litestar.params import FromPath
from msgspec import Struct

from clearway.access.reading import as_file, reading
from clearway.http.acting import SIGNED_IN, acting, needs
from clearway.http.cursor import sealer
from clearway.http.listing import paths
from clearway.http.organisation import looked_as
from clearway.http.pages import Address, Column, Form, Table, Tlp, done, page
from clearway.records.errors import ClearwayError, InputError

from .api_triages import TRIAGES
from .component import package_of
from .kept import triages
from .kept.who import now
from .pages_parts import FORM, PAGE, day_in
from .triage import kev_instant
from .triage_flags import volatile

if TYPE_CHECKING:
    from litestar.handlers import HTTPRouteHandler

COLUMNS = (
    Column(key="flaw", label="Flaw", lead=True),
    Column(key="asset_name", label="Asset", wide=True),
    Column(key="component", label="Component", wide=True),
    Column(key="kev_added", label="In KEV since", sort="kev_added", term="KEV"),
    Column(key="opened", label="Opened", sort="opened"),
    Column(key="conclusion", label="Conclusion, and what weakens it", wide=True),
)
# What a form may record, and in which words it is told afterwards.
EVENTS = {
    "step_started": "The step is begun.",
    "step_done": "The step is done.",
    "step_skipped": "The step is left out.",
    "evidence_taken": "The evidence is recorded.",
    "evidence_moved": "The evidence is in other hands.",
    "patched": "The patch is recorded.",
    "concluded": "The triage is concluded.",
    "incident_reported": "The incident report is recorded.",
    "reopened": "The triage is open again.",
}
_WARNED = ("patched", "evidence_taken", "step_started", "step_done", "concluded")
_OF: dict[str, tuple[str, ...]] = {
    "step_started": ("step",),
    "step_done": ("step", "note"),
    "step_skipped": ("step", "reason"),
    "evidence_taken": ("evidence", "what", "sha256", "place"),
    "evidence_moved": ("evidence", "to", "place", "sha256"),
    "patched": ("what",),
    "concluded": ("conclusion", "summary"),
    "incident_reported": ("reference",),
    "reopened": ("reason",),
}


class Opening(Struct, frozen=True):
    """The form that opens a workbook."""

    directive: str = "bod-26-04"
    asset: str = ""
    asset_name: str = ""
    flaw: str = ""
    component: str = ""
    kev_added: str = ""


class Recording(Struct, frozen=True):
    """The form of one event; which fields count is its kind's business. `at` is in UTC, "" for now."""

    event: str = ""
    after: int = 0
    at: str = ""
    by: str = ""
    step: str = ""
    note: str = ""
    reason: str = ""
    evidence: str = ""
    what: str = ""
    volatile: str = ""
    sha256: str = ""
    size_bytes: str = ""
    place: str = ""
    to: str = ""
    conclusion: str = ""
    summary: str = ""
    reference: str = ""


def handlers() -> list[HTTPRouteHandler]:
    """The routes of this file."""

    @get(paths("/directives/triages"), opt=SIGNED_IN, **PAGE)
    def listing(request: Request[Any, Any, Any]) -> Response[bytes]:
        """The workbooks that the reader may see."""
        if request.url.path != "/directives/triages":
            return as_file(request, TRIAGES)
        asked = TRIAGES.asked(request)
        with reading(request) as (db, me, note):
            found = TRIAGES.read(db, me, asked, sealer(request))
            note.page(found)
        return page(
            request,
            "directives/triages.html",
            tlp=_marking(me) if found.items else None,
            package_of=package_of,
            table=Table(
                id="triages", caption="Forensic triages", columns=COLUMNS, rows=found.items, noun="triage",
                address=Address.of(request), next=found.next, default_sort="opened",
            ),
        )  # fmt: skip

    @get("/directives/triages/{triage:int}", opt=SIGNED_IN, **PAGE)
    def one(request: Request[Any, Any, Any], triage: FromPath[int]) -> Response[bytes]:
        """One workbook."""
        return _shown(request, triage, Form())

    @post("/directives/triages", opt=needs("operate"), **PAGE)
    def opened(request: Request[Any, Any, Any], data: Annotated[Opening, FORM]) -> Response[bytes]:
        """Opens a workbook; the hours count from the first moment in UTC of the day of the addition to KEV."""
        instant = kev_instant(day_in(data.kev_added, "kev_added"))
        with acting(request) as (db, me):
            home = looked_as(request, me)
            made = triages.open_triage(
                db, me, home.slug if home else "", directive=data.directive, asset=data.asset,
                asset_name=data.asset_name, flaw=data.flaw, component=data.component, kev_added=instant, now=now(db),
            )  # fmt: skip
        first = "Take volatile evidence first."
        if made.book.patched_first:
            first = f"Mind: {made.book.flags[0]}."
        return done(
            request,
            f"/directives/triages/{made.id}",
            f"The workbook is open, for members of {made.organisation} alone. {first}",
        )

    @post("/directives/triages/{triage:int}/events", opt=needs("operate"), **PAGE)
    def record(
        request: Request[Any, Any, Any], triage: FromPath[int], data: Annotated[Recording, FORM]
    ) -> Response[bytes]:
        """Appends one event; what does not fit is shown beside the form again."""
        try:
            with acting(request) as (db, me):
                at = now(db)
                event = event_of(data, at, me.name)
                made = triages.record(db, me, triage, event, after=data.after, now=at)
        except ClearwayError as error:
            if error.code not in ("input-invalid", "usage", "conflict"):
                raise
            values = {
                name: getattr(data, name)
                for name in data.__struct_fields__
                if isinstance(getattr(data, name), str)
            }
            return _shown(request, triage, Form(values, {"": str(error)}))
        warned = next((f for f in made.book.flags if f.startswith("patched")), "")
        words = EVENTS[data.event] + (f" Mind: {warned}." if warned and data.event in _WARNED else "")
        return done(request, f"/directives/triages/{triage}", words)

    return [listing, one, opened, record]


def event_of(data: Recording, at: datetime, name: str) -> bytes:
    """The event that a form describes, as JSON. Raises InputError for a kind or a number that is none."""
    if data.event not in _OF:
        raise InputError("no such event", where="event")
    made: dict[str, object] = {
        "event": data.event,
        "at": instant_in(data.at, at),
        "by": data.by.strip() or name,
    }
    made |= {field: str(getattr(data, field)).strip() for field in _OF[data.event]}
    if data.event == "evidence_taken":
        if not (data.size_bytes.isascii() and data.size_bytes.isdigit() and len(data.size_bytes) < 16):
            raise InputError("the size is a number of bytes", where="size_bytes")
        made |= {"volatile": data.volatile == "yes", "size_bytes": int(data.size_bytes)}
    if "sha256" in made:
        made["sha256"] = str(made["sha256"]).lower()
    return msgspec.json.encode(made)


def instant_in(text: str, otherwise: datetime) -> str:
    """A time from a form, which is in UTC, as ISO; `otherwise` for "". Raises InputError."""
    if not text.strip():
        return otherwise.isoformat()
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        raise InputError("a time in UTC is wanted", where="at", mend="such as 2026-12-07 09:30") from None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).isoformat()


def _shown(request: Request[Any, Any, Any], triage: int, form: Form) -> Response[bytes]:
    with reading(request) as (db, me, note):
        note(f"triage/{triage}", [triages.audience_of(db, triage)])
        at = now(db)
        found = triages.one(db, triage, now=at)
        org = next((m for m in me.memberships if m.slug == found.organisation), None)
    book = found.book
    patched = next((flag for flag in book.flags if flag.startswith("patched")), "")
    return page(
        request,
        "directives/triage.html",
        status_code=422 if form.errors else 200,
        tlp=Tlp("RED", f"for members of {org.name if org else found.organisation}"),
        triage=found,
        book=book,
        subject=book.subject,
        package_of=package_of,
        form=form,
        may=org is not None and "operate" in org.rights,
        patched=patched,
        # Which steps are late stands beside them.
        other_flags=[f for f in book.flags if f != patched and ": after its target of " not in f],
        volatile=bool(volatile(book)),
        next_step=next((s for s in book.steps if s.state in ("open", "started")), None),
        asset_number=book.subject.asset.removeprefix("asset/") if book.subject.asset.startswith("asset/") else "",
        name=me.name,
    )  # fmt: skip


def _marking(me: Any) -> Tlp:
    return Tlp("RED", "for members of " + ", ".join(m.name for m in me.memberships[:3]))
