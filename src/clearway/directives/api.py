"""`/api/v1/directives`: issued versions, what is addressed to whom, reports, compliance and triages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from litestar import Router

from . import api_cockpit, api_issues, api_reports, api_triages

if TYPE_CHECKING:
    from litestar.types import ControllerRouterHandler

    from .reports.provider import Provider


def routes(provider: Provider | None = None) -> ControllerRouterHandler:
    """The routes of this room; reports are made of the rows of `provider`, by default the kept fleet."""
    return Router(
        "/api/v1/directives",
        route_handlers=[
            *api_issues.handlers(),
            *api_reports.handlers(provider),
            *api_triages.handlers(),
            *api_cockpit.handlers(provider),
        ],
        tags=["directives"],
    )
