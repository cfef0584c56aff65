"""An address or headers over the bounds: who prefers HTML gets a page of the workspace, all others a problem."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from litestar import get
from litestar.testing import TestClient

from clearway.http.address import ADDRESS_BYTES, FIELDS_BYTES, PAGE, too_long
from clearway.http.application import application
from clearway.http.guard import PUBLIC
from clearway.http.pages import Pages


@get("/list", opt=PUBLIC, sync_to_thread=False)
def listed() -> str:
    return "all of it"


@pytest.fixture(scope="module")
def client() -> TestClient:  # type: ignore[type-arg]
    return TestClient(application([listed], pages=Pages()))  # type: ignore[arg-type]


LONG = "/list?" + "&".join(["tier=3D"] * 3_000)


def test_a_browser_is_shown_a_page_with_the_cure(client: TestClient) -> None:  # type: ignore[type-arg]
    answer = client.get(LONG, headers={"accept": "text/html"})
    assert answer.status_code == 414
    assert answer.headers["content-type"].startswith("text/html")
    assert "The address is too long" in answer.text
    assert "set fewer filters" in answer.text
    assert "tier=3D&amp;tier=3D" not in answer.text


@pytest.mark.parametrize("accept", ["application/json", "*/*", "application/problem+json, text/html;q=0.1"])
def test_a_program_is_told_a_problem(client: TestClient, accept: str) -> None:  # type: ignore[type-arg]
    answer = client.get(LONG, headers={"accept": accept})
    assert answer.status_code == 414
    assert answer.json()["type"] == "urn:clearway:problem:address-too-long"


def test_a_form_is_refused_as_a_page_too_and_does_nothing(client: TestClient) -> None:  # type: ignore[type-arg]
    assert client.post(LONG, headers={"accept": "text/html"}).status_code == 414


def test_the_page_of_refusals_is_nobodys_address(client: TestClient) -> None:  # type: ignore[type-arg]
    assert client.get(PAGE).status_code == 404
    assert client.get("/list?a=1").status_code == 200


def test_the_api_is_told_a_problem_whatever_it_prefers(client: TestClient) -> None:  # type: ignore[type-arg]
    answer = client.get(f"/api{LONG}", headers={"accept": "text/html"})
    assert answer.headers["content-type"] == "application/problem+json"


@given(path=st.binary(max_size=40), extra=st.integers(-3, 3), fields=st.booleans())
def test_the_bounds_hold_to_the_byte(path: bytes, extra: int, fields: bool) -> None:
    scope = {"path": "/", "raw_path": b"/" + path, "query_string": b"", "headers": []}
    if fields:
        scope["headers"] = [(b"x-long", b"y" * (FIELDS_BYTES - 6 + extra))]
    else:
        scope["query_string"] = b"q" * (ADDRESS_BYTES - len(path) - 1 + extra)
    refused = too_long(scope)
    assert (refused is not None) == (extra > 0)
    if refused is not None:
        assert refused[0] == (431 if fields else 414)
