"""`/api/v1/findings`: reports in, receipts, what is missing, what is public; limits, marks and appeals."""

from __future__ import annotations

from typing import TYPE_CHECKING

from litestar import Router

from . import api_desk, api_findings, api_submit

if TYPE_CHECKING:
    from litestar.types import ControllerRouterHandler


def routes() -> ControllerRouterHandler:
    """The routes of this part."""
    return Router(
        "/api/v1",
        route_handlers=[*api_submit.handlers(), *api_findings.handlers(), *api_desk.handlers()],
        tags=["findings"],
    )
