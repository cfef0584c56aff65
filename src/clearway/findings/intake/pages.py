"""The pages of the intake: *Findings*, *Report a finding*, *Ask before you report*, *What receivers take*."""

from __future__ import annotations

from typing import TYPE_CHECKING

from litestar import Router

from . import pages_ask, pages_findings, pages_report

if TYPE_CHECKING:
    from litestar.types import ControllerRouterHandler


def routes() -> ControllerRouterHandler:
    """The routes of this part's pages."""
    return Router(
        "/",
        route_handlers=[*pages_ask.handlers(), *pages_report.handlers(), *pages_findings.handlers()],
        include_in_schema=False,
    )
