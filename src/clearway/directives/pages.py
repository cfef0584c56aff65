"""The pages of directives: the cockpit, reports, forensic triage, and what an authority does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from litestar import Router

from . import pages_attest, pages_authority, pages_cockpit, pages_reports, pages_triage

if TYPE_CHECKING:
    from litestar.types import ControllerRouterHandler

    from .reports.provider import Provider


def routes(provider: Provider | None = None) -> ControllerRouterHandler:
    """The routes of this room's pages; figures are made of the rows of `provider`, by default the kept fleet."""
    return Router(
        "/",
        route_handlers=[
            *pages_cockpit.handlers(provider),
            *pages_reports.handlers(provider),
            *pages_attest.handlers(provider),
            *pages_triage.handlers(),
            *pages_authority.handlers(),
        ],
        include_in_schema=False,
    )
