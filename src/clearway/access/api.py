"""`/api/v1` of this room: organisations, people, credentials, and who may see what."""

from __future__ import annotations

from typing import TYPE_CHECKING

from litestar import Router

from clearway.http.openapi import PREFIX

from . import (
    api_approvals,
    api_credentials,
    api_embargoes,
    api_figures,
    api_markings,
    api_organisations,
    api_people,
    api_recipients,
)

if TYPE_CHECKING:
    from litestar.types import ControllerRouterHandler


def routes() -> ControllerRouterHandler:
    """The routes of this room's API."""
    return Router(
        PREFIX,
        route_handlers=[
            *api_organisations.handlers(),
            *api_people.handlers(),
            *api_credentials.handlers(),
            *api_recipients.handlers(),
            *api_embargoes.handlers(),
            *api_approvals.handlers(),
            *api_markings.handlers(),
            *api_figures.handlers(),
        ],
        tags=["access"],
    )
