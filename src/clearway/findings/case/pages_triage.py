"""*Triage*: what waits for a coordinator, ranked, with the reasons for each place, and acts on several at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlencode

import msgspec
from litestar import Request, Response, get, post

from clearway.access.reading import reading
from clearway.http import csv_out, etag
from clearway.http.acting import acting, needs
from clearway.http.pages import Address, Choice, Column, Facet, Form, Table, Tlp, done, page
from clearway.records.errors import ConflictError, ForbiddenError, InputError, NotFoundError, TooLargeError

from .. import kept as findings
from ..dedup import edge
from ..intake.pages_parts import STATE_WORDS
from ..validate import validation
from . import kept, rank, triage
from .at_desk import now
from .pages_parts import FORM, PAGE, SHOWN, start
from .triage import Waiting

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from litestar.handlers import HTTPRouteHandler

    from clearway.records.principal import Principal

    from ..kept import Finding
    from .at_desk import Db

_R = Request[Any, Any, Any]
MOST_CHOSEN = 100
STATES = ("incomplete", "queued", "validating", "judged")
COLUMNS = (
    Column(key="title", label="Finding", lead=True, wide=True),
    Column(key="points", label="Rank", number=True, term="rank"),
    Column(key="reasons", label="Why here", wide=True),
    Column(key="level", label="Evidence", term="evidence level"),
    Column(key="package", label="Product"),
    Column(key="state", label="State"),
    Column(key="organisation", label="Reported by"),
    Column(key="received", label="Received"),
    Column(key="case", label="Open case"),
    Column(key="handling", label="Handling id", shown=False),
    Column(key="cwe", label="Class", shown=False),
    Column(key="place", label="Place", shown=False),
)
Done = tuple[str, str, dict[str, str]]  # where to ("": back), words, and what undoes it ({}: nothing)


def handlers() -> list[HTTPRouteHandler]:
    """The routes of this file."""

    @get("/cases/triage", opt=needs("coordinate"), **PAGE)
    def queue(request: _R) -> Response[bytes]:
        """The triage queue."""
        return _queue(request, Form())

    @get(["/cases/triage.json", "/cases/triage.csv"], opt=needs("coordinate"), **PAGE)
    def told(request: _R) -> Response[bytes]:
        """The same queue for programs, as far as it is ranked."""
        address = Address.of(request)
        with reading(request) as (db, me, note):
            rows = [w for w in triage.queue(db, now()) if _fits(address, w)]
            note.listed(
                "triage", urlencode(address.query), findings.audiences(db, (one.handling for one in rows))
            )
        if not address.path.endswith(".csv"):
            return etag.response(request, msgspec.json.encode(rows), me, "application/json")
        names = [n for n in Waiting.__struct_fields__ if n != "reasons"]
        body = csv_out.table(names, ([getattr(w, n) for n in names] for w in rows))
        headers = {"content-disposition": 'attachment; filename="triage.csv"'}
        return etag.response(request, body, me, csv_out.MEDIA_TYPE, headers)

    @post("/cases/triage", opt=needs("coordinate"), **PAGE)
    def act(request: _R, data: Annotated[dict[str, Any], FORM]) -> Response[bytes]:
        """One act on the chosen findings: a case of them, a validation of each, or that they are one flaw."""
        given = data.get("id", [])
        chosen = [c for c in (given if isinstance(given, list) else [given]) if isinstance(c, str)]
        values = {name: str(data.get(name, "")).strip()[:2000] for name in ("into", "why", "along")}
        try:
            with acting(request) as (db, me):
                taken = _chosen(db, chosen)
                to, words, undo = _ACTS.get(str(data.get("act", "case")), _no_act)(db, me, taken, values)
        except (InputError, ConflictError, NotFoundError, ForbiddenError, TooLargeError) as error:
            return _queue(request, Form(values, {"": str(error)}), chosen)
        back = Address.of(request).without()
        return done(request, to or back, words, undo=to if undo else "", fields=undo)

    return [queue, told, act]


def _chosen(db: Db, handlings: Sequence[str]) -> list[Finding]:
    if not handlings:
        raise InputError("choose findings first", where="id")
    if len(handlings) > MOST_CHOSEN:
        raise TooLargeError(f"{len(handlings):,} findings", where="id", mend=f"at most {MOST_CHOSEN} at once")
    return [findings.one(db, handling) for handling in dict.fromkeys(handlings)]


def _case(db: Db, me: Principal, taken: list[Finding], values: dict[str, str]) -> Done:
    if values["into"]:
        case = kept.one(db, values["into"])
        more = len(kept.take(db, case, *taken, along=bool(values["along"])))
    else:
        case = kept.add(db, kept.desk_of(me), taken, along=bool(values["along"]))
        more = len(kept.findings_of(db, case))
    return f"/cases/{case.handling}", f"{case.handling} has {more} more.", {}


def _validate(db: Db, me: Principal, taken: list[Finding], values: dict[str, str]) -> Done:
    """Asks for a validation of each that is in a state for it; the rest is told, and changes nothing."""
    ready = [f for f in taken if f.state in ("queued", "judged")]
    if not ready:
        raise ConflictError("none of them can be validated now", where="id", mend="choose complete ones")
    for each in ready:
        validation.ask(db, each)
    left = len(taken) - len(ready)
    words = f"{len(ready)} {'is' if len(ready) == 1 else 'are'} being validated, as far as E4."
    if left:
        words += f" {left} {'is' if left == 1 else 'are'} not: incomplete, or under way already."
    return "", words, {}


def _merge(db: Db, me: Principal, taken: list[Finding], values: dict[str, str]) -> Done:
    act = edge.merge(db, taken, values["why"])
    words = f"{len(taken)} findings are one flaw now. It can be undone."
    return f"/findings/{taken[0].handling}/duplicates", words, {"what": "undo", "number": str(act)}


def _no_act(db: Db, me: Principal, taken: list[Finding], values: dict[str, str]) -> Done:
    raise InputError("no such act", where="act")


_ACTS: dict[str, Callable[[Db, Principal, list[Finding], dict[str, str]], Done]] = {
    "case": _case,
    "validate": _validate,
    "merge": _merge,
}


def _queue(request: _R, form: Form, chosen: Sequence[str] = ()) -> Response[bytes]:
    address = Address.of(request)
    with reading(request) as (db, _, note):
        rows, waiting = triage.queue(db, now()), triage.waiting(db)
        found = [w for w in rows if _fits(address, w)]
        first = start(address.get("cursor"), len(found))
        shown = found[first : first + SHOWN]
        note.listed(
            "triage", urlencode(address.query), findings.audiences(db, (one.handling for one in shown))
        )
    return page(
        request,
        "findings/case/triage.html",
        status_code=422 if form.errors else 200,
        tlp=Tlp("AMBER+STRICT", "each finding is for its reporter and the coordinators") if rows else None,
        form=form,
        waiting=waiting,
        ranked=len(rows),
        rules=rank.RULES,
        states=STATE_WORDS,
        facets=_facets(rows),
        table=Table(
            id="triage", caption="Findings that wait", columns=COLUMNS, rows=shown, key="handling", noun="finding",
            address=address, selectable=True, chosen=frozenset(chosen), total=len(found),
            next=str(first + SHOWN) if first + SHOWN < len(found) else "",
        ),
    )  # fmt: skip


def _fits(address: Address, one: Waiting) -> bool:
    """Whether the filters of the address let it through: any of the values included, none of those excluded."""
    for name, value in (
        ("level", str(one.level)),
        ("state", one.state),
        ("severity", one.severity or "none"),
    ):
        wanted = address.all(name)
        if (wanted and value not in wanted) or value in address.all(name + "!"):
            return False
    return True


def _facets(rows: Sequence[Waiting]) -> list[Facet]:
    levels = [w.level for w in rows]
    states = [w.state for w in rows]
    claims = [w.severity or "none" for w in rows]
    return [
        Facet(name="level", label="Evidence", choices=tuple(
            Choice(str(n), f"E{n}", levels.count(n)) for n in range(7) if n in levels)),
        Facet(name="state", label="State", choices=tuple(
            Choice(s, STATE_WORDS[s], states.count(s)) for s in STATES if s in states)),
        Facet(name="severity", label="Severity, as claimed", choices=tuple(
            Choice(s, s.capitalize() if s != "none" else "None", claims.count(s))
            for s in ("critical", "high", "medium", "low", "none") if s in claims)),
    ]  # fmt: skip
