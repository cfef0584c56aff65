"""Another site can't make a browser act; what was done is told once, and only in our words."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from litestar import Request, Response, get, post
from litestar.testing import TestClient

from clearway.http import csrf
from clearway.http.application import application
from clearway.http.guard import PUBLIC
from clearway.http.pages import Pages, Viewer, done, notice, page

KEY, OTHER = "a" * 64, "b" * 64
TOKEN = csrf.token(KEY)


@post("/act", opt=PUBLIC)
async def act(request: Request[Any, Any, Any]) -> Response[bytes]:
    request.state.viewer = Viewer(name="A", session_key=KEY)
    await csrf.check(request, KEY)
    return done(request, "/after", "Two exposures count as <fixed>.", undo="/undo", fields={"batch": '"17"'})


@post("/sign-in", opt=PUBLIC)
async def before_a_session(request: Request[Any, Any, Any]) -> str:
    await csrf.check(request, "")
    return "signed in"


@get("/after", opt=PUBLIC)
async def after(request: Request[Any, Any, Any]) -> Response[bytes]:
    request.state.viewer = Viewer(name="A", session_key=KEY)
    return page(request, "http/layout.html")


def client() -> TestClient[Any]:
    return TestClient(application([act, before_a_session, after], pages=Pages()))  # type: ignore[arg-type]


def status(path: str = "/act", body: dict[str, str] | None = None, **headers: str) -> int:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    with client() as http:
        return http.post(path, data=body or {}, headers=sent, follow_redirects=False).status_code


@pytest.mark.parametrize(
    ("body", "headers", "expected"),
    [
        ({"_csrf": TOKEN}, {}, 303),
        ({}, {"x_csrf_token": TOKEN}, 303),
        ({"_csrf": TOKEN}, {"sec_fetch_site": "same-origin"}, 303),
        ({"_csrf": TOKEN}, {"origin": "http://testserver.local"}, 303),
        ({"_csrf": TOKEN}, {"origin": "https://testserver.local"}, 303),
        ({}, {}, 403),
        ({"_csrf": ""}, {}, 403),
        ({"_csrf": csrf.token(OTHER)}, {}, 403),
        ({"_csrf": TOKEN[:-1]}, {}, 403),
        ({"_csrf": "é" * 64}, {}, 403),
        ({"_csrf": TOKEN}, {"x_csrf_token": "wrong"}, 403),
        ({"_csrf": TOKEN}, {"sec_fetch_site": "cross-site"}, 403),
        ({"_csrf": TOKEN}, {"sec_fetch_site": "same-site"}, 403),
        ({"_csrf": TOKEN}, {"sec_fetch_site": "cross-site", "origin": "http://testserver.local"}, 403),
        ({"_csrf": TOKEN}, {"origin": "http://evil.example"}, 403),
        ({"_csrf": TOKEN}, {"origin": "http://testserver.local.evil.example"}, 403),
        ({"_csrf": TOKEN}, {"origin": "http://testserver.local:8080"}, 403),
        ({"_csrf": TOKEN}, {"origin": "null"}, 403),
        ({"_csrf": TOKEN}, {"origin": ""}, 403),
        ({"_csrf": TOKEN}, {"origin": "http://[bad"}, 403),
        ({}, {"authorization": "Bearer abc.def"}, 303),
        ({}, {"authorization": "Basic abc"}, 403),
    ],
    ids=repr,
)
def test_a_form_is_taken_from_our_own_pages_only(
    body: dict[str, str], headers: dict[str, str], expected: int
) -> None:
    assert status(body=body, **headers) == expected


def test_a_form_before_there_is_a_session_is_held_to_its_origin() -> None:
    assert status("/sign-in") == 201
    assert status("/sign-in", sec_fetch_site="same-origin") == 201
    assert status("/sign-in", sec_fetch_site="cross-site") == 403
    assert status("/sign-in", origin="http://evil.example") == 403


@given(st.text(max_size=80), st.text(max_size=80))
def test_no_other_text_is_the_token_of_a_session(text: str, key: str) -> None:
    assert csrf.is_token(csrf.token(key), key) == bool(key)
    assert not csrf.is_token(text, "")
    assert csrf.is_token(text, KEY) == (text == TOKEN)


def test_what_was_done_is_told_on_the_next_page_and_on_no_other() -> None:
    with client() as http:
        http.post("/act", data={"_csrf": TOKEN}, follow_redirects=False)
        first = http.get("/after").text
        second = http.get("/after").text
    assert "Two exposures count as &lt;fixed&gt;." in first
    assert '<input type="hidden" name="batch" value="&#34;17&#34;">' in first
    assert 'action="/undo"' in first
    assert "Two exposures" not in second


@pytest.mark.parametrize(
    "value",
    [
        notice.seal(notice.Notice("You have won"), OTHER),
        notice.seal(notice.Notice("You have won"), KEY)[:-1],
        "W10=." + "0" * 64,
        "",
        ".",
        "é.é",
    ],
)
def test_words_that_are_not_ours_are_not_told(value: str) -> None:
    assert notice.opened(value, KEY) is None


def test_words_of_another_shape_under_our_signature_are_not_told() -> None:
    import base64

    for raw in (b"[]", b"{", b'{"words": 1}', b"\xff"):
        body = base64.urlsafe_b64encode(raw).decode()
        assert notice.opened(f"{body}.{notice._sign(body, KEY)}", KEY) is None


def test_the_cookie_is_for_the_server_alone_and_short_lived() -> None:
    with client() as http:
        cookie = http.post("/act", data={"_csrf": TOKEN}, follow_redirects=False).headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Max-Age=60" in cookie
