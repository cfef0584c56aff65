"""Over a rate, who prefers HTML gets a page of the workspace that says how long to wait; all others a problem."""

from __future__ import annotations

import pytest
from litestar import get, post
from litestar.connection import ASGIConnection
from litestar.handlers.base import BaseRouteHandler
from litestar.testing import TestClient

from clearway.http.application import application
from clearway.http.guard import PUBLIC
from clearway.http.pages import Pages
from clearway.http.ratelimit import Policy, Rates

HTML = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
RATES = Rates(
    address=Policy("address", 2, 10_000),
    sign_in_address=Policy("sign-in-address", 1, 10_000),
    refused_pages=Policy("refused-pages", 3, 10_000),
)


@get("/list", opt=PUBLIC, sync_to_thread=False)
def listed() -> str:
    return "all of it"


@post("/sign-in/code", opt=PUBLIC, sync_to_thread=False)
def by_code() -> str:
    return "tried"


class Asked:
    """A guard that remembers which credentials it was shown."""

    def __init__(self) -> None:
        self.shown: list[tuple[str, str]] = []

    async def __call__(self, connection: ASGIConnection, handler: BaseRouteHandler) -> None:  # type: ignore[type-arg]
        headers = connection.headers
        self.shown.append((headers.get("authorization", ""), headers.get("cookie", "")))


@pytest.fixture
def asked() -> Asked:
    return Asked()


@pytest.fixture
def client(asked: Asked) -> TestClient:  # type: ignore[type-arg]
    return TestClient(application([listed, by_code], guard=asked, pages=Pages(), rates=RATES))  # type: ignore[arg-type]


def test_a_browser_over_the_rate_is_told_on_a_page_how_long_to_wait_and_led_back(
    client: TestClient,  # type: ignore[type-arg]
) -> None:
    for _ in range(2):
        assert client.get("/list?a=1", headers=HTML).status_code == 200
    answer = client.get("/list?a=1&b=%22%3E", headers=HTML)
    assert answer.status_code == 429
    assert answer.headers["content-type"].startswith("text/html")
    wait = int(answer.headers["retry-after"])
    assert 4_000 < wait <= 5_000
    assert answer.headers.get_list("retry-after") == [str(wait)]
    assert answer.headers["ratelimit"].startswith('"address";r=0;t=')
    assert "Too many requests" in answer.text
    assert "more than 2 in 10000 s (address)" in answer.text
    assert "84 min" in answer.text
    assert 'href="/list?a=1&amp;b=%22%3E">Try again</a>' in answer.text


def test_after_a_form_of_sign_in_it_leads_to_the_page_of_sign_in(client: TestClient) -> None:  # type: ignore[type-arg]
    assert client.post("/sign-in/code", headers=HTML).status_code == 201
    answer = client.post("/sign-in/code", headers=HTML)
    assert answer.status_code == 429
    assert "more than 1 in 10000 s (sign-in-address)" in answer.text
    assert 'href="/sign-in">Try again</a>' in answer.text


@pytest.mark.parametrize("accept", ["application/json", "*/*", "application/problem+json, text/html;q=0.1"])
def test_a_program_is_told_a_problem_with_the_same_words(client: TestClient, accept: str) -> None:  # type: ignore[type-arg]
    for _ in range(2):
        client.get("/list")
    answer = client.get("/list", headers={"accept": accept})
    assert answer.status_code == 429
    assert answer.headers["content-type"] == "application/problem+json"
    found = answer.json()
    assert found["type"] == "urn:clearway:problem:too-many-requests"
    assert found["detail"] == "more than 2 in 10000 s (address)"
    assert found["mend"].startswith("come back in ")


def test_a_refusal_asks_nobody_who_it_is_and_keeps_the_looks(client: TestClient, asked: Asked) -> None:  # type: ignore[type-arg]
    secret = {"authorization": "Bearer cw_1.secret", "cookie": "clearway=secret; clearway_theme=dark"}
    for _ in range(2):
        client.get("/list", headers=HTML)
    asked.shown.clear()
    answer = client.get("/list", headers={**HTML, **secret})
    assert answer.status_code == 429
    assert asked.shown == [("", "clearway_theme=dark")]
    assert 'data-theme="dark"' in answer.text


def test_refusals_beyond_a_few_are_no_pages_as_these_cost_more(client: TestClient) -> None:  # type: ignore[type-arg]
    for _ in range(2):
        client.get("/list", headers=HTML)
    kinds = [client.get("/list", headers=HTML).headers["content-type"].partition(";")[0] for _ in range(5)]
    assert kinds == ["text/html"] * 3 + ["application/problem+json"] * 2


def test_heads_of_a_refused_page_have_no_content(client: TestClient) -> None:  # type: ignore[type-arg]
    for _ in range(2):
        client.get("/list")
    answer = client.head("/list", headers=HTML)
    assert answer.status_code == 429
    assert answer.content == b""
