"""`/api/v1/cases`: the triage queue, cases with their parties, embargo and threads, drafts and their release."""

from __future__ import annotations

from typing import TYPE_CHECKING

from litestar import Router

from . import api_cases, api_publish

if TYPE_CHECKING:
    from litestar.types import ControllerRouterHandler


def routes() -> ControllerRouterHandler:
    """The routes of this part."""
    return Router("/api/v1", route_handlers=[*api_cases.handlers(), *api_publish.handlers()], tags=["cases"])
