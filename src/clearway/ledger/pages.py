"""The pages of this room: *Audit*, *The log itself*, and the public page of trust."""

from __future__ import annotations

from typing import TYPE_CHECKING

from litestar import Router

from . import pages_audit, pages_log

if TYPE_CHECKING:
    from litestar.types import ControllerRouterHandler


def routes() -> ControllerRouterHandler:
    """The routes of this room's pages."""
    return Router(
        "/", route_handlers=[*pages_audit.handlers(), *pages_log.handlers()], include_in_schema=False
    )
