"""The pages of this room: *Settings* and *Your account*."""

from __future__ import annotations

from typing import TYPE_CHECKING

from litestar import Router

from . import (
    pages_account,
    pages_figures,
    pages_lists,
    pages_markings,
    pages_organisation,
    pages_people,
    pages_sharing,
    pages_shown,
)

if TYPE_CHECKING:
    from litestar.types import ControllerRouterHandler


def routes() -> ControllerRouterHandler:
    """The routes of this room's pages."""
    return Router(
        "/",
        route_handlers=[
            *pages_people.handlers(),
            *pages_shown.handlers(),
            *pages_organisation.handlers(),
            *pages_sharing.handlers(),
            *pages_markings.handlers(),
            *pages_account.handlers(),
            *pages_lists.handlers(),
            *pages_figures.handlers(),
        ],
        include_in_schema=False,
    )
