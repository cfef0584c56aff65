"""A number in an address that no row can have is a row that is not there: never a fault of the desk."""

from __future__ import annotations

import secrets
from typing import Any

import pytest
from test_desk_validates import one_site, pages, reported  # noqa: F401

from findings_world import Desk
from site_client import Site

WHY = {"why": "because"}
ROUTES: list[tuple[str, str, Any]] = [
    ("POST", "/findings/appeals/{}/decision", {"outcome": "granted", "reason": "because"}),
    ("POST", "/findings/limits/{}/confirmation", {"holds": True}),
    ("POST", "/findings/{f}/duplicates/{}/undo", WHY),
    ("POST", "/findings/{f}/edges/{}/revocation", WHY),
    ("GET", "/findings/{f}/files/{}", None),
    ("POST", "/findings/{f}/known/{}/revocation", WHY),
    ("POST", "/findings/{f}/validations/{}/revocation", WHY),
    ("GET", "/findings/{f}/validations/{}", None),
    ("POST", "/findings/{f}/validations/{}/acceptance", {"by": "a", "why": "b"}),
    ("GET", "/findings/{f}/validations/{}/log", None),
    ("POST", "/assist/{}/decision", {"outcome": "discarded"}),
    ("POST", "/leases/controls/{}/check", None),
    ("POST", "/leases/controls/{}/confirmation", WHY),
    ("POST", "/leases/controls/{}/end", None),
    ("POST", "/cases/routes/{}/end", None),
]


@pytest.mark.parametrize(("method", "route", "body"), ROUTES, ids=[route for _, route, _ in ROUTES])
def test_a_number_beyond_the_databases_is_none(
    desk: Desk,
    pages: Site,  # noqa: F811
    method: str,
    route: str,
    body: Any,
) -> None:
    where = "/api/v1" + route.replace("{f}", reported(desk).handling).replace("{}", str(1 << 63))
    sent = {"authorization": f"Bearer {desk.coordinator.secret}", "idempotency-key": secrets.token_hex(8)}
    answer = pages.http.request(method, where, json=body, headers=sent)
    assert answer.status_code == 404, answer.text
