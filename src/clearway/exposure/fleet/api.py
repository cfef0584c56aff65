"""`/api/v1`: assets, inventories, exposures, rules, flaws and the week."""

from __future__ import annotations

from typing import TYPE_CHECKING

from litestar import Router

from . import api_assets, api_exposures, api_flaws, api_rules, api_week

if TYPE_CHECKING:
    from litestar.types import ControllerRouterHandler


def routes() -> ControllerRouterHandler:
    """The routes of this room."""
    return Router(
        "/api/v1",
        route_handlers=[
            *api_assets.handlers(),
            *api_exposures.handlers(),
            *api_rules.handlers(),
            *api_flaws.handlers(),
            *api_week.handlers(),
        ],
        tags=["fleet"],
    )
