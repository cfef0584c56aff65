"""Assembling the application: routes from the rooms, manners from this one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from litestar import Litestar
from litestar.datastructures import State
from litestar.routes import HTTPRoute

from clearway import __version__
from clearway.records.known_types import make_known

from . import address, openapi, problems
from .address import Addresses
from .guard import default_deny, uncopied
from .head import Head, telling_methods
from .headers import SecurityHeaders
from .json_request import StrictRequest
from .limits import Bounds, Limits
from .ratelimit import RateLimits, Rates
from .threads import bounded

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from litestar.types import ASGIApp, ControllerRouterHandler, LifespanHook

    from .guard import Guard
    from .pages import Pages


class Application:
    """The ASGI application. `framework` is the Litestar inside, for tests that look at its routes."""

    def __init__(
        self,
        framework: Litestar,
        limits: Limits,
        rates: Rates | None = None,
        on_ending: Sequence[Callable[[], None]] = (),
    ) -> None:
        self.framework = framework
        self._on_ending = on_ending
        pages = framework.state.get("pages") is not None
        bounded: ASGIApp = Bounds(Addresses(Head(framework), pages=pages), limits, pages=pages)
        self._layers: ASGIApp = SecurityHeaders(
            bounded if rates is None else RateLimits(bounded, rates, pages=pages)
        )

    def ending(self) -> None:
        """Ends what would never end by itself, such as live events; the server calls it before it waits."""
        for end in self._on_ending:
            end()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self._layers(scope, receive, send)


def _of_pages(pages: Pages) -> list[ControllerRouterHandler]:
    return [pages.routes(), address.route()]


def application(
    routes: Sequence[ControllerRouterHandler],
    *,
    guard: Guard | None = None,
    pages: Pages | None = None,
    state: Mapping[str, Any] | None = None,
    limits: Limits | None = None,
    rates: Rates | None = None,
    on_ending: Sequence[Callable[[], None]] = (),
    on_startup: Sequence[LifespanHook] = (),
    on_shutdown: Sequence[LifespanHook] = (),
) -> Application:
    """An application of `routes`, each closed unless it declares who may reach it.

    `guard` decides for routes that are not public; without one they answer 401. `state` is what handlers find on the
    application. With `pages`, routes may answer by `http.pages.page`, and errors are pages for those who ask for HTML.
    Without `rates` nobody is told to slow down. `on_ending` is called when the server is asked to end.
    """
    make_known()  # handlers run on threads
    bounds = limits or Limits()
    framework = Litestar(
        route_handlers=[*routes, *(_of_pages(pages) if pages else [])],
        state=State({**(state or {}), **({"pages": pages} if pages else {})}),
        guards=[default_deny(guard)],
        exception_handlers={Exception: problems.handle},
        request_class=StrictRequest,
        request_max_body_size=bounds.body_bytes,
        openapi_config=openapi.config(__version__),
        plugins=[openapi.TypedItems()],
        on_startup=[*on_startup],
        on_shutdown=[*on_shutdown],
        logging_config=None,
        debug=False,
        pdb_on_exception=False,
    )
    for route in framework.routes:
        if isinstance(route, HTTPRoute):
            telling_methods(route)
            for handler in route.route_handlers:
                bounded(handler)
                uncopied(handler)
    return Application(framework, bounds, rates, on_ending)
