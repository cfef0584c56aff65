"""The pages of cases: the triage queue, the list, the case room, a maintainer's queue, and a case by mail."""

from __future__ import annotations

from typing import TYPE_CHECKING

from litestar import Router

from . import pages_mail, pages_queue, pages_room, pages_triage

if TYPE_CHECKING:
    from litestar.types import ControllerRouterHandler


def routes() -> ControllerRouterHandler:
    """The routes of this part's pages."""
    return Router(
        "/",
        route_handlers=[
            *pages_queue.handlers(),
            *pages_triage.handlers(),
            *pages_room.handlers(),
            *pages_mail.handlers(),
        ],
        include_in_schema=False,
    )
