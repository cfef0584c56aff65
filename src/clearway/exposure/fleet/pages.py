"""The pages of the fleet: *This week*, *Exposure*, *Flaw*, *Asset*."""

from __future__ import annotations

from typing import TYPE_CHECKING

from litestar import Router

from . import pages_asset, pages_asset_list, pages_exposure, pages_flaw, pages_rule, pages_week

if TYPE_CHECKING:
    from litestar.types import ControllerRouterHandler


def routes() -> ControllerRouterHandler:
    """The routes of this room's pages."""
    return Router(
        "/",
        route_handlers=[
            *pages_week.handlers(),
            *pages_exposure.handlers(),
            *pages_rule.handlers(),
            *pages_flaw.handlers(),
            *pages_asset_list.handlers(),
            *pages_asset.handlers(),
        ],
        include_in_schema=False,
    )
