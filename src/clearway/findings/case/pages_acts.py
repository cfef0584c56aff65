"""Acts of the case room that are rarer, and the draft as its parties read it: the room's page links to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from litestar import Request, Response, get, post
from litestar.params import FromPath, Parameter
from msgspec import Struct

from clearway.access.reading import reading
from clearway.formats.report_csaf import filename
from clearway.http import etag
from clearway.http.acting import SIGNED_IN, acting, needs
from clearway.http.guard import PUBLIC
from clearway.http.pages import page
from clearway.records.errors import InputError, NotFoundError

from .. import kept as findings
from ..named import CaseText, HandlingText
from . import draft, kept, party, release
from . import settings as setting
from .at_desk import home_of, now, seen, vault_of
from .pages_parts import FORM, PAGE, marking

if TYPE_CHECKING:
    from collections.abc import Callable

    from litestar.handlers import HTTPRouteHandler

    from clearway.records.principal import Principal

    from .at_desk import Db
    from .kept import Case

    Did = Callable[[Request[Any, Any, Any], str, Any, Callable[[Db, Case, Principal], str]], Response[bytes]]

_R = Request[Any, Any, Any]
FileText = Annotated[str, Parameter(max_length=40)]
_SEEN = {
    "made-public": "The flaw is public.",
    "exploit-published": "An exploit is public.",
    "attacks-observed": "Attacks are seen.",
}


class Acted(Struct, frozen=True):
    """Every field that a form of these may have."""

    act: str = ""
    why: str = ""
    patcher: str = ""


def handlers(did: Did) -> list[HTTPRouteHandler]:
    """The routes of this file; `did` does an act and goes back to the room."""

    @post("/cases/{handling:str}/observations", opt=needs("coordinate"), **PAGE)
    def observe(request: _R, handling: FromPath[CaseText], data: Annotated[Acted, FORM]) -> Response[bytes]:
        """Notes what was seen in public; an embargo that was armed to end then, ends."""
        vault, home = vault_of(request), home_of(request)

        def do(db: Db, case: Case, me: Principal) -> str:
            if data.act not in _SEEN:
                raise InputError("there is no such observation", where="act")
            moved = release.observe(db, vault, case, home, data.act, data.why, now=now())
            ended = " The embargo has ended." if moved.released is not None and case.released is None else ""
            return _SEEN[data.act] + ended

        return did(request, handling, data, do)

    @post("/cases/{handling:str}/orphan", opt=needs("coordinate"), **PAGE)
    def orphan(request: _R, handling: FromPath[CaseText], data: Annotated[Acted, FORM]) -> Response[bytes]:
        """Says that nobody maintains the product, and who may patch it."""

        def do(db: Db, case: Case, me: Principal) -> str:
            row = db.execute(
                "select org from clearway.organisation where slug = %s", (data.patcher.strip(),)
            ).fetchone()
            if row is None:
                raise InputError("no such organisation", where="patcher")
            return f"{party.declare_orphan(db, case, row[0], data.why).name} may patch it."

        return did(request, handling, data, do)

    @post("/cases/{handling:str}/findings/{finding:str}/removal", opt=needs("coordinate"), **PAGE)
    def take_out(
        request: _R,
        handling: FromPath[CaseText],
        finding: FromPath[HandlingText],
        data: Annotated[Acted, FORM],
    ) -> Response[bytes]:
        """Takes a finding out of the case."""

        def do(db: Db, case: Case, me: Principal) -> str:
            kept.take_out(db, case, findings.one(db, finding), data.why)
            return f"{finding.upper()} waits in triage again."

        return did(request, handling, data, do)

    @get("/cases/{handling:str}/draft", opt=SIGNED_IN, **PAGE)
    def read(request: _R, handling: FromPath[CaseText]) -> Response[bytes]:
        """The newest draft, for the case's parties. That it was read is on the log."""
        vault = vault_of(request)
        with reading(request) as (db, me, note):
            case = kept.one(db, handling)
            note(case.subject, [case.aud])
            one = seen(db, vault_of(request), case, me)
            found = draft.shown(db, vault, case)
        kinds = ("csaf", "osv", "cve") if setting.known(home_of(request)) is not None else ()
        return page(
            request, "findings/case/draft.html", tlp=marking(one), one=one, draft=found,
            kinds=[k for k in kinds if k != "cve" or one.cve],
        )  # fmt: skip

    @get("/csaf/{file:str}", opt=PUBLIC, **PAGE)
    def served(request: _R, file: FromPath[FileText]) -> Response[bytes]:
        """The CSAF document that was published, where its own reference says (CSAF 2.1 §3.2.2.12, category self)."""
        handling = file.removesuffix(".json").upper()
        if file != filename(handling):
            raise NotFoundError("no such document", where="advisory")
        with acting(request) as (db, me):
            body = release.document(db, handling, "csaf")
        return etag.response(request, body, me, "application/json")

    return [observe, orphan, take_out, read, served]
