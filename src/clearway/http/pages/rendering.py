"""From a template and its values to an answer: the whole page, or the part of it that htmx asked for.

A page is a template that extends `http/layout.html`. A request of htmx for a part names its target, and gets the
template's block of that name: a link with `hx-target="#rows"` gets `{% block rows %}`, any other target gets
`{% block main %}`. So one template and one route serve the page, its parts, and browsers without script.

Macros are at hand as `ui.…` everywhere. A template's own macros and imports belong inside the block that uses them:
what stands outside of blocks does not run when a part is rendered.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from jinja2 import ChoiceLoader, Environment, PackageLoader, PrefixLoader, StrictUndefined
from litestar import Response
from markupsafe import Markup

from clearway.http import csrf
from clearway.http.address import again
from clearway.records.clock import Clock, SystemClock
from clearway.records.principal import Principal

from . import filters, glossary, notice, plot
from .address import Address
from .form import Form
from .frame import Frame, current
from .static import Statics, own
from .tlp import Tlp
from .viewer import Nav, Viewer, parts_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from jinja2 import Template
    from litestar import Router
    from litestar.connection import ASGIConnection

    from clearway.http.problems import Problem

HTML = "text/html"  # the framework adds the charset
_PARTS = ("lists", "facts", "forms", "states", "plots")
# What a reader chose about the looks of pages; cookies that the script writes and only these values count.
_THEMES = ("light", "dark")
_DENSITIES = ("compact",)
_WORDS = ("plain", "exact")
# htmx's own style sheet is left out, and no extension is admitted. Answers of 4xx and 5xx are swapped in, which is
# htmx 4's default: they are the same page part with what is wrong.
_HTMX_CONFIG = '{"includeIndicatorCSS":false,"extensions":"none","history":true}'


class Pages:
    """The templates of all rooms and what every page shows. One for an application, made by `app`.

    `rooms` maps a template prefix to a package: {"exposure": "clearway.exposure"} finds "exposure/list.html" in
    that package's `templates/list.html`. `data_as_of` tells how old the data is, for the footer.
    """

    def __init__(
        self,
        rooms: Mapping[str, str] | None = None,
        *,
        navigation: Sequence[Nav] = (),
        account: Sequence[Nav] = (),
        search: str = "",
        sign_in: str = "",
        words: str = "exact",
        data_as_of: Callable[[], datetime | None] | None = None,
        clock: Clock | None = None,
        loaders: Mapping[str, Any] | None = None,
    ) -> None:
        self.navigation = tuple(navigation)
        self.account = tuple(account)
        self.search = search
        self.sign_in = sign_in
        self.words = words
        self.data_as_of = data_as_of or (lambda: None)
        self.clock = clock or SystemClock()
        self.statics = Statics([own()])
        places: dict[str, Any] = {"http": PackageLoader("clearway.http", "templates")}
        places |= {name: PackageLoader(package, "templates") for name, package in (rooms or {}).items()}
        self.environment = _environment(ChoiceLoader([PrefixLoader({**places, **(loaders or {})})]))
        self.environment.globals["static"] = self.statics.url

    def routes(self) -> Router:
        """What pages need besides themselves: the static files."""
        return self.statics.route()

    def problem(
        self, request: ASGIConnection[Any, Any, Any, Any], problem: Problem, headers: Mapping[str, str]
    ) -> Response[bytes]:
        """An error as a page, with the same status and content as the problem document."""
        return self.answer(
            request,
            "http/problem.html",
            {
                "problem": problem,
                "again": again(request.scope),
                "sent": request.scope.get("method") not in csrf.SAFE,
                "form_page": _form_page(request),
            },
            status_code=problem.status,
            headers=headers,
            ask=False,
        )

    def answer(
        self,
        request: ASGIConnection[Any, Any, Any, Any],
        template: str,
        context: Mapping[str, Any],
        *,
        status_code: int = 200,
        tlp: Tlp | str | None = None,
        fragment: str = "",
        headers: Mapping[str, str] | None = None,
        ask: bool = True,
    ) -> Response[bytes]:
        """See `page`; `ask` as in `viewer_of`."""
        viewer = viewer_of(request, ask=ask)
        unasked = viewer is None and not ask and "principal" not in request.scope.get("state", {})
        # Nobody was asked who this is, as for a path that does not exist: who has a session is not told to sign in.
        signed_in = viewer is not None or (unasked and bool(_session(request)))
        key = viewer.session_key if viewer else ""
        said = notice.opened(request.cookies.get(notice.COOKIE, ""), key)
        address = Address.of(request)
        look = {
            "theme": _one_of(request.cookies.get("clearway_theme"), _THEMES),
            "density": _one_of(request.cookies.get("clearway_density"), _DENSITIES),
            "words": _one_of(address.get("words"), _WORDS)
            or _one_of(request.cookies.get("clearway_words"), _WORDS)
            or self.words,
        }
        frame = Frame(
            now=self.clock.now(),
            zone=_zone(viewer.time_zone if viewer else "UTC"),
            csrf=csrf.token(key) if key else "",
            live_from=_live_from(request),
        )
        values = {
            "site": self,
            "viewer": viewer,
            "address": address,
            "look": look,
            "now": frame.now,
            "csrf_token": frame.csrf,
            "tlp": Tlp.of(tlp),
            "notice": said,
            "signed_in": signed_in,
            "navigation": [
                n for n in self.navigation if n.shown_to(viewer) or (signed_in and n.right == "signed-in")
            ],
            "parts": parts_of(self.navigation, viewer, address.path),
            "account": [n for n in self.account if n.shown_to(viewer)],
            "data_as_of": self.data_as_of(),
            **context,
        }
        found = self.environment.get_template(template)
        marker = current.set(frame)
        try:
            text = (
                _part(found, values, frame, fragment or _target(request))
                if _is_partial(request)
                else found.render(values)
            )
        finally:
            current.reset(marker)
        answer = Response(
            text.encode(),
            status_code=status_code,
            media_type=HTML,
            headers={"vary": "hx-request", **(headers or {})},
        )
        if said is not None:
            answer.set_cookie(notice.forget(request))
        return answer


def page(
    request: ASGIConnection[Any, Any, Any, Any],
    template: str,
    /,
    *,
    status_code: int = 200,
    tlp: Tlp | str | None = None,
    fragment: str = "",
    headers: Mapping[str, str] | None = None,
    **context: Any,
) -> Response[bytes]:
    """The answer that shows `template` ("room/name.html") with the values of `context`.

    To htmx asking for a part it is that part (see above); `fragment` names another block for it. `tlp` is the marking
    of what is shown, on banners above and below. Who looks is told by `viewer_of`.

    Raises:
        RuntimeError: the application was made without pages.
        jinja2.TemplateError: the template is missing or uses a value that was not given.
    """
    return pages_of(request).answer(
        request, template, context, status_code=status_code, tlp=tlp, fragment=fragment, headers=headers
    )


def done(
    request: ASGIConnection[Any, Any, Any, Any],
    to: Address | str,
    words: str,
    *,
    undo: Address | str = "",
    fields: Mapping[str, str] | None = None,
) -> Response[bytes]:
    """The answer to a form that did its work: 303 to `to`, which tells `words` once, with a button that posts `fields`
    to `undo`."""
    viewer = viewer_of(request)
    key = viewer.session_key if viewer else ""
    return notice.done(request, to, words, session_key=key, undo=undo, fields=fields)


def pages_of(request: ASGIConnection[Any, Any, Any, Any]) -> Pages:
    """The application's pages.

    Raises:
        RuntimeError: it was made without.
    """
    found = request.app.state.get("pages")
    if not isinstance(found, Pages):
        raise RuntimeError("the application has no pages: give `application` some")
    return found


def viewer_of(request: ASGIConnection[Any, Any, Any, Any], *, ask: bool = True) -> Viewer | None:
    """Who looks: `request.state.viewer` where a route has set it, else the principal that the request presents.

    With `ask` false, only what this request has found out already, without the database.
    """
    state = request.scope.get("state", {})
    found = state.get("viewer")
    if found is None and ask and "principal" not in state and "doorkeeper" in request.app.state:
        found = request.app.state.doorkeeper.of(request)
    found = found or state.get("principal")
    if isinstance(found, Principal):
        if found.kind == "public":
            return None
        key = str(state.get("principal_key", "")) if found.credential == "session" else ""
        return Viewer.of(found, current=Address.of(request).get("org"), session_key=key)
    return found if isinstance(found, Viewer) else None


def csrf_field(request: ASGIConnection[Any, Any, Any, Any]) -> Markup:
    """The hidden field that a form needs, for markup made outside of templates; these say `{{ csrf_field() }}`."""
    viewer = viewer_of(request)
    return csrf.field(viewer.session_key if viewer else "")


def _environment(loader: ChoiceLoader) -> Environment:
    environment = Environment(
        loader=loader,
        autoescape=True,
        undefined=StrictUndefined,
        finalize=filters.finalize,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        cache_size=-1,
    )
    environment.filters.update(filters.FILTERS)
    ui = SimpleNamespace()
    environment.globals |= {
        "ui": ui,
        "entry": glossary.entry,
        "new_id": lambda: current.get().new_id(),
        "csrf_field": _frame_field,
        "live_from": lambda: current.get().live_from(),
        "no_form": Form(),
        "age": filters.age,
        "plot": plot,
        "htmx_config": _HTMX_CONFIG,
    }
    environment.policies["json.dumps_kwargs"] = {"sort_keys": True}
    for name in _PARTS:
        module = environment.get_template(f"http/parts/{name}.html").module
        for key, value in vars(module).items():
            if not key.startswith("_"):
                setattr(ui, key, value)
    return environment


def _frame_field() -> Markup:
    frame = current.get()
    if not frame.csrf:
        return Markup("")
    return Markup('<input type="hidden" name="{}" value="{}">').format(csrf.FIELD, frame.csrf)


def _part(template: Template, values: dict[str, Any], frame: Frame, wanted: str) -> str:
    """The block `wanted`, or `main` with the page's title; and what was said, for the region that tells it."""
    context = template.new_context(values)
    name = wanted if wanted in template.blocks else "main"
    frame.prefix = f"{name}-"  # ids differ from those of other regions
    blocks = [name] if name != "main" or "title" not in template.blocks else ["title", name]
    parts = ["".join(template.blocks[block](context)) for block in blocks]
    if len(parts) == 2:
        parts[0] = f"<title>{parts[0].strip()} · Clearway</title>"
    environment: Environment = template.environment
    parts.append(environment.get_template("http/besides.html").render(values))
    return "".join(parts)


def _is_partial(request: ASGIConnection[Any, Any, Any, Any]) -> bool:
    return request.headers.get("hx-request") == "true" and request.headers.get("hx-request-type") == "partial"


def _target(request: ASGIConnection[Any, Any, Any, Any]) -> str:
    """The block for htmx's target: "div#due-list" wants `due_list`."""
    return str(request.headers.get("hx-target", "")).partition("#")[2].replace("-", "_")


def _form_page(request: ASGIConnection[Any, Any, Any, Any]) -> str:
    """The page nearest to what a form was sent to: that address, or the first above it that is a page."""
    pages = {route.path_format for route in request.app.routes if "GET" in getattr(route, "methods", ())}
    template, path = str(request.scope.get("path_template", "")), request.scope["path"].rstrip("/")
    while template.strip("/"):
        if template in pages:
            return str(Address(path))
        template, path = template.rpartition("/")[0], path.rpartition("/")[0]
    return "/"


def _live_from(request: ASGIConnection[Any, Any, Any, Any]) -> Callable[[], str]:
    """Says up to which event the page knows: its stream goes on there, however much later the page is seen first."""
    hub = request.app.state.get("hub")
    me = request.scope.get("state", {}).get("principal")
    return lambda: hub.here(me.person) if hub is not None and isinstance(me, Principal) else ""


def _one_of(value: str | None, allowed: Sequence[str]) -> str:
    return value if value is not None and value in allowed else ""


def _session(request: ASGIConnection[Any, Any, Any, Any]) -> str:
    """The secret of the session that the request presents, known or not."""
    from clearway.http.acting import secret_in  # which brings the database's driver

    kind, secret = secret_in(request)
    return secret if kind == "session" else ""


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo("UTC")
