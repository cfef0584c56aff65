"""Routes towards the advisory: drafts, preview, arming, release, CVE ids, contacts, the vendors' directory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from litestar import Request, Response, get, post
from litestar.params import FromPath, HeaderParameter, JSONBody, QueryParameter, RawBody
from msgspec import Meta, Struct

from clearway.access.reading import reading
from clearway.http import etag
from clearway.http.acting import SIGNED_IN, acting, needs
from clearway.http.acts import done_once
from clearway.http.guard import PUBLIC
from clearway.http.idempotency import Made
from clearway.http.openapi import READ, WRITE, gives
from clearway.http.threads import outside
from clearway.records.errors import InputError

from ..named import CaseText
from . import contacts, cve_id, draft, kept, release, route, tasks
from . import settings as setting
from .api_shapes import Id, Numbered
from .at_desk import home_of, now, told, vault_of
from .contacts import Contact
from .route import Asked, Route
from .view import CaseView

if TYPE_CHECKING:
    from litestar.handlers import HTTPRouteHandler

    from clearway.http.acts import Db
    from clearway.records.principal import Principal

_R = Request[Any, Any, Any]
_KINDS = ("csaf", "osv", "cve")
Summary = Annotated[str, QueryParameter(max_length=300, description="what this version changes")]
Sure = Annotated[bool, QueryParameter(description="somebody has looked at what is not known here: it is so")]
IfMatch = Annotated[
    str | None,
    HeaderParameter(
        name="if-match",
        max_length=4_000,
        description="the `etag` of the draft that it goes on from; without one: none",
    ),
]
# What a draft goes on from whose `if-match` is no tag of one: it matches none, and is not a missing one.
NO_VERSION = -1
KindText = Annotated[str, Meta(max_length=10)]


class Why(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why, for the log."""

    why: Annotated[str, Meta(max_length=500)] = ""


class Arming(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whether public exploitation ends the embargo before the day agreed."""

    on_exploitation: bool = False


class Observation(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What was seen of the flaw in public."""

    act: Literal["made-public", "exploit-published", "attacks-observed"]
    why: Annotated[str, Meta(max_length=500)] = ""


class Cve(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An id that an authority has given; "" asks the configured one for an id.

    `sure`: what is public of that id already was looked at, and is of this flaw.
    """

    cve: Annotated[str, Meta(max_length=30)] = ""
    sure: bool = False


class Orphan(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who may patch a product that nobody maintains, and why nobody does."""

    patcher: Id
    why: Annotated[str, Meta(min_length=1, max_length=2_000)]


class Found(Struct, frozen=True, kw_only=True):
    """Whom to ask: the directory's lines, and what was found in public."""

    asked: list[Asked]
    contacts: list[Contact]
    notes: list[str]


class Routes(Struct, frozen=True, kw_only=True):
    """The directory."""

    routes: list[Route]


class NewRoute(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A line: a package's name, or a beginning that ends in *; an organisation here, or a mail address."""

    pattern: Annotated[str, Meta(min_length=1, max_length=300)]
    ecosystem: Annotated[str, Meta(max_length=100)] = ""
    organisation: Id | None = None
    name: Annotated[str, Meta(max_length=200)] = ""
    email: Annotated[str, Meta(max_length=320)] = ""
    source: Annotated[str, Meta(max_length=200)] = ""


def handlers() -> list[HTTPRouteHandler]:
    """The routes of this file."""

    @post(
        "/cases/{handling:str}/drafts", opt=needs("coordinate"), sync_to_thread=True, status_code=201,
        summary="Write the next version of the draft", responses=gives(Numbered, *WRITE, status=201),
    )  # fmt: skip
    def put(
        request: _R,
        handling: FromPath[CaseText],
        body: RawBody,
        summary: Summary = "",
        sure: Sure = False,
        if_match: IfMatch = None,
    ) -> Response[bytes]:
        """The body is the draft as JSON: title, description, products, cwe, vector, solution, workaround, references,
        credits. It is refused when no document could be made of it. Where a version is there, `if-match` names the one
        that it goes on from: 412 tells what another has changed meanwhile."""
        vault = vault_of(request)

        def act(db: Db, me: Principal) -> Made:
            base: tuple[int, ...] | None = ()
            if if_match:
                versions = etag.expected(request).versions
                base = None if versions is None else versions or (NO_VERSION,)
            number = draft.put(
                db, vault, kept.one(db, handling), draft.decoded(body), summary, base=base, sure=sure
            )
            return Made(record=Numbered(number))

        return done_once(request, act)

    @get(
        "/cases/{handling:str}/draft", opt=SIGNED_IN, sync_to_thread=True, summary="The newest draft",
        responses=gives(dict[str, Any], *READ),
    )  # fmt: skip
    def drafted(request: _R, handling: FromPath[CaseText]) -> Response[bytes]:
        """For the case's parties. That it was read is on the log."""
        vault = vault_of(request)
        with acting(request) as (db, me):
            case = kept.one(db, handling)
            found = draft.shown(db, vault, case)
            newest = draft.listed(db, case)[-1].number
        return etag.thing(request, found, me, newest)

    @get(
        "/cases/{handling:str}/preview/{kind:str}", opt=SIGNED_IN, sync_to_thread=True,
        summary="A document as it would be released now", responses=gives(dict[str, Any], *READ),
    )  # fmt: skip
    def preview(request: _R, handling: FromPath[CaseText], kind: FromPath[KindText]) -> Response[bytes]:
        """`csaf`, `osv` or `cve`. For the case's parties."""
        vault, home = vault_of(request), home_of(request)
        with acting(request) as (db, me):
            case = kept.one(db, handling)
            publisher = setting.read(home).publisher
            body = draft.previewed(db, vault, case, publisher, now(), kind)
        return etag.response(request, body, me, "application/json")

    @post(
        "/cases/{handling:str}/arm", opt=needs("coordinate"), sync_to_thread=True, status_code=200,
        summary="Arm the end of the embargo", responses=gives(CaseView, *WRITE),
    )  # fmt: skip
    def arm(request: _R, handling: FromPath[CaseText], data: JSONBody[Arming]) -> Response[bytes]:
        """It then ends on the day agreed, and the newest draft is published."""
        vault, home = vault_of(request), home_of(request)

        def act(db: Db, me: Principal) -> Made:
            case = kept.one(db, handling)
            release.arm(db, vault, case, home, now=now(), on_exploitation=data.on_exploitation)
            return told(db, vault_of(request), case, me)

        return done_once(request, act)

    @post(
        "/cases/{handling:str}/release", opt=needs("coordinate"), sync_to_thread=True, status_code=200,
        summary="End the embargo and publish", responses=gives(CaseView, *WRITE),
    )  # fmt: skip
    def let_out(request: _R, handling: FromPath[CaseText], data: JSONBody[Why]) -> Response[bytes]:
        """Of a public case: publishes its newest draft. It can't be taken back."""
        vault, home = vault_of(request), home_of(request)

        def act(db: Db, me: Principal) -> Made:
            case = kept.one(db, handling)
            if case.published is not None:
                release.update(db, vault, case, home, now=now())
            else:
                release.release(db, vault, case, home, data.why, now=now())
            return told(db, vault_of(request), case, me)

        return done_once(request, act)

    @post(
        "/cases/{handling:str}/observations", opt=needs("coordinate"), sync_to_thread=True, status_code=200,
        summary="What was seen in public", responses=gives(CaseView, *WRITE),
    )  # fmt: skip
    def observe(request: _R, handling: FromPath[CaseText], data: JSONBody[Observation]) -> Response[bytes]:
        """Each once. An embargo that was armed to end on exploitation ends."""
        vault, home = vault_of(request), home_of(request)

        def act(db: Db, me: Principal) -> Made:
            case = kept.one(db, handling)
            release.observe(db, vault, case, home, data.act, data.why, now=now())
            return told(db, vault_of(request), case, me)

        return done_once(request, act)

    @post(
        "/cases/{handling:str}/cve", opt=needs("coordinate"), sync_to_thread=True, status_code=200,
        summary="Request or assign a CVE id", responses=gives(CaseView, *WRITE),
    )  # fmt: skip
    def number(request: _R, handling: FromPath[CaseText], data: JSONBody[Cve]) -> Response[bytes]:
        """With `cve` an id that was given is noted; without, `[cna]` of the settings is asked for one.

        An id that is public already, in a record, in KEV or scored, is noted with `sure` alone; one of another case
        never.
        """
        home = home_of(request)

        def act(db: Db, me: Principal) -> Made:
            case = kept.one(db, handling)
            if data.cve:
                cve_id.assign(db, case, data.cve, sure=data.sure)
            else:
                cve_id.ask(db, case, home)
            return told(db, vault_of(request), case, me)

        return done_once(request, act)

    @post(
        "/cases/{handling:str}/orphan", opt=needs("coordinate"), sync_to_thread=True, status_code=200,
        summary="Say that nobody maintains the product, and who may patch it", responses=gives(CaseView, *WRITE),
    )  # fmt: skip
    def orphan(request: _R, handling: FromPath[CaseText], data: JSONBody[Orphan]) -> Response[bytes]:
        """When there is no vendor, or each is unreachable."""
        from . import party

        def act(db: Db, me: Principal) -> Made:
            case = kept.one(db, handling)
            party.declare_orphan(db, case, data.patcher, data.why)
            return told(db, vault_of(request), case, me)

        return done_once(request, act)

    @post(
        "/cases/{handling:str}/close", opt=needs("coordinate"), sync_to_thread=True, status_code=200,
        summary="Close a case", responses=gives(CaseView, *WRITE),
    )  # fmt: skip
    def close(request: _R, handling: FromPath[CaseText], data: JSONBody[Why]) -> Response[bytes]:
        def act(db: Db, me: Principal) -> Made:
            case = kept.close(db, kept.one(db, handling), data.why)
            return told(db, vault_of(request), case, me)

        return done_once(request, act)

    @post(
        "/cases/{handling:str}/reopening", opt=needs("coordinate"), sync_to_thread=True, status_code=200,
        summary="Open a closed case again", responses=gives(CaseView, *WRITE),
    )  # fmt: skip
    def reopen(request: _R, handling: FromPath[CaseText], data: JSONBody[Why]) -> Response[bytes]:
        """Where it stood, with its reason. An embargo that has ended stays ended."""

        def act(db: Db, me: Principal) -> Made:
            case = kept.reopen(db, kept.one(db, handling), data.why)
            return told(db, vault_of(request), case, me)

        return done_once(request, act)

    @get(
        "/cases/{handling:str}/contacts", opt={**needs("coordinate"), **outside("contacts")}, sync_to_thread=True,
        summary="Whom to ask", responses=gives(Found, *READ),
    )  # fmt: skip
    def whom(
        request: _R,
        handling: FromPath[CaseText],
        domain: Annotated[str, QueryParameter(max_length=253)] = "",
        repository: Annotated[str, QueryParameter(max_length=500)] = "",
    ) -> Response[bytes]:
        """The directory's lines for the package; with `domain` its security.txt, with `repository` its policy."""
        with reading(request) as (db, me, note):
            case = kept.one(db, handling)
            asked = route.of_package(db, case.ecosystem, case.package)
            note(f"{case.subject}/contacts", [case.aud])
        found: list[Contact] = []
        notes: list[str] = []
        if domain or repository:
            contacts.places(domain, repository)
            settings = setting.read(home_of(request))
            with tasks.client(settings) as outside:
                found, notes = contacts.look(outside, domain, repository, now=now())
        body = msgspec.json.encode(Found(asked=asked, contacts=found, notes=notes))
        return etag.response(request, body, me, "application/json")

    @get(
        "/cases/routes", opt=SIGNED_IN, sync_to_thread=True, summary="The vendors' directory",
        responses=gives(Routes, *READ),
    )  # fmt: skip
    def routes(request: _R) -> Response[bytes]:
        with acting(request) as (db, me):
            found = Routes(routes=route.listed(db))
        return etag.response(request, msgspec.json.encode(found), me, "application/json")

    @post(
        "/cases/routes", opt=needs("coordinate"), sync_to_thread=True, status_code=201,
        summary="Add a line to the directory", responses=gives(Numbered, *WRITE, status=201),
    )  # fmt: skip
    def add_route(request: _R, data: JSONBody[NewRoute]) -> Response[bytes]:
        def act(db: Db, me: Principal) -> Made:
            made = route.add(
                db, kept.desk_of(me), ecosystem=data.ecosystem, pattern=data.pattern, name=data.name,
                member=data.organisation, email=data.email, source=data.source,
            )  # fmt: skip
            return Made(record=Numbered(made.id))

        return done_once(request, act)

    @post(
        "/cases/routes/{number:int}/end", opt=needs("coordinate"), sync_to_thread=True, status_code=200,
        summary="Take a line out of the directory", responses=gives(Routes, *WRITE),
    )  # fmt: skip
    def end_route(request: _R, number: FromPath[int]) -> Response[bytes]:
        def act(db: Db, me: Principal) -> Made:
            route.end(db, number)
            return Made(record=Routes(routes=route.listed(db)), status=200)

        return done_once(request, act)

    @get(
        "/case-documents/{handling:str}/{kind:str}", opt=PUBLIC, sync_to_thread=True,
        summary="A published document", responses=gives(dict[str, Any], *READ),
    )  # fmt: skip
    def document(request: _R, handling: FromPath[CaseText], kind: FromPath[KindText]) -> Response[bytes]:
        """`csaf`, `osv` or `cve`, byte for byte as it was published."""
        if kind not in _KINDS:
            raise InputError("there is no such kind", where="kind", mend=f"one of {', '.join(_KINDS)}")
        with acting(request) as (db, me):
            body = release.document(db, handling, kind)
        return etag.response(request, body, me, "application/json")

    return [
        put, drafted, preview, arm, let_out, observe, number, orphan, close, reopen, whom, routes, add_route, end_route,
        document,
    ]  # fmt: skip
