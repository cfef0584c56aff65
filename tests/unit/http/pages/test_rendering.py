"""Pages, their parts, who looks, and errors as pages."""

from __future__ import annotations

import re
from typing import Any

import pytest
from jinja2 import DictLoader
from litestar import Request, Response, get
from litestar.testing import TestClient

from clearway.http.application import application
from clearway.http.guard import PUBLIC
from clearway.http.pages import Nav, Pages, Viewer, page
from clearway.records.errors import ConflictError, UpstreamError
from clearway.records.principal import Membership, Principal

TEMPLATES = {
    "page.html": (
        '{% extends "http/layout.html" %}{% block title %}Things{% endblock %}'
        "{% block main %}<h1>Things</h1>{% block the_list %}<p>{{ said }}{{ ui.term('KEV') }}</p>{% endblock %}"
        "{% endblock %}"
    ),
    "broken.html": '{% extends "http/layout.html" %}{% block main %}{{ forgotten }}{% endblock %}',
}
PRINCIPAL = Principal(
    person=7,
    name="A. Nurse",
    memberships=(
        Membership(org=1, slug="riverside", name="Riverside", kind="operator", rights=("read", "operate")),
        Membership(org=2, slug="north", name="North", kind="operator", rights=("read",)),
    ),
    time_zone="Europe/Paris",
)


@get("/things", opt=PUBLIC)
async def things(request: Request[Any, Any, Any]) -> Response[bytes]:
    said, who = request.query_params.get("said", "hello"), request.query_params.get("who", "")
    if who == "viewer":
        request.state.viewer = Viewer(name="V", session_key="k")
    elif who:
        request.state.principal = PRINCIPAL
        request.state.principal_key = "f" * 64
    return page(request, "room/page.html", said=said, tlp="AMBER" if said == "secret" else None)


@get("/broken", opt=PUBLIC)
async def broken(request: Request[Any, Any, Any]) -> Response[bytes]:
    return page(request, "room/broken.html")


@get("/closed")
async def closed() -> str:
    return "reached"


@get(["/conflict", "/api/v1/conflict"], opt=PUBLIC)
async def conflict() -> str:
    raise ConflictError("somebody <changed> it", where="asset/17", mend="load it again")


@get("/down", opt=PUBLIC)
async def down() -> str:
    raise UpstreamError("the host 10.1.2.3 is gone")


def client() -> TestClient[Any]:
    pages = Pages(
        loaders={"room": DictLoader(TEMPLATES)},
        navigation=[
            Nav("Things", "/things"),
            Nav("Mine", "/mine", "operate"),
            Nav("Audit", "/audit", "audit"),
        ],
        account=[Nav("Sign out", "/sign-out", "signed-in", post=True)],
        sign_in="/sign-in",
        search="/search",
    )
    return TestClient(application([things, broken, closed, conflict, down], pages=pages))  # type: ignore[arg-type]


def asked(path: str, **headers: str) -> Any:
    with client() as http:
        return http.get(path, headers={name.replace("_", "-"): value for name, value in headers.items()})


PART = {"hx_request": "true", "hx_request_type": "partial"}
HTML = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


def test_a_page_is_whole_and_not_kept_by_caches() -> None:
    answer = asked("/things")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["vary"] == "hx-request"
    assert answer.text.startswith("<!doctype html>")
    assert "<title>Things · Clearway</title>" in answer.text
    assert '<a href="/things" aria-current="page"' in answer.text


def test_htmx_gets_the_block_that_it_replaces_and_the_main_part_for_any_other_target() -> None:
    part = asked("/things", hx_target="div#the-list", **PART).text
    assert part.strip().startswith("<p>hello")
    main = asked("/things", hx_target="main#main", **PART).text
    assert main.startswith("<title>Things · Clearway</title><h1>Things</h1>")
    assert asked("/things", hx_target="div#__class__", **PART).text == main
    assert "<!doctype" not in part + main


def test_htmx_gets_the_whole_page_when_it_replaces_the_body() -> None:
    text = asked("/things", hx_request="true", hx_request_type="full", hx_target="body").text
    assert text.startswith("<!doctype html>")


def test_ids_of_a_part_are_not_those_of_the_page() -> None:
    assert 'id="p0"' in asked("/things").text
    assert 'id="the_list-0"' in asked("/things", hx_target="div#the-list", **PART).text


def test_marked_content_has_its_banner_above_and_below_also_when_a_part_brings_it() -> None:
    whole = asked("/things?said=secret").text
    assert whole.count('class="tlp tlp-amber"') == 2
    part = asked("/things?said=secret", hx_target="div#the-list", **PART).text
    assert '<hx-partial hx-target="#tlp-top">' in part
    assert '<hx-partial hx-target="#tlp-bottom">' in part


def test_foreign_text_is_escaped() -> None:
    assert "<p>&lt;b&gt;&#34;" in asked('/things?said=<b>"').text


def test_a_value_that_was_not_given_is_an_error_and_its_page_tells_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    answer = asked("/broken", **HTML)
    assert "'forgotten' is undefined" in caplog.text
    assert answer.status_code == 500
    assert "forgotten" not in answer.text


def test_ways_that_are_not_for_the_viewer_are_not_shown() -> None:
    public = asked("/things").text
    assert "Mine" not in public
    assert 'href="/sign-in"' in public
    mine = asked("/things?who=me").text
    assert 'href="/mine"' in mine
    assert "/audit" not in mine
    assert "/sign-in" not in mine


def test_the_viewer_is_the_requests_principal_with_a_token_of_its_session() -> None:
    text = asked("/things?who=me&org=north").text
    assert '<span class="menu-name">North</span>' in text
    assert 'org=riverside"' in text
    assert '<meta name="csrf-token"' in text
    assert text.count('name="_csrf"') == 1
    assert "f" * 64 not in text
    assert '<span class="menu-name">Riverside</span>' in asked("/things?who=me&org=elsewhere").text


def test_the_reader_chooses_how_pages_look_and_nothing_else_gets_into_the_markup() -> None:
    with client() as http:
        http.cookies.update(
            {"clearway_theme": "dark", "clearway_density": '"><script>', "clearway_words": "plain"}
        )
        text = http.get("/things").text
        assert '<html lang="en" data-theme="dark" data-words="plain">' in text
        assert 'data-words="exact"' in http.get("/things?words=exact").text
        assert 'data-words="plain"' in http.get("/things?words=%22x").text


@pytest.mark.parametrize(
    ("path", "status", "says"),
    [
        ("/nowhere", 404, "Either it does not exist, or it is not for you to see."),
        ("/closed", 401, 'href="/sign-in?next=/closed"'),
        ("/conflict", 409, "What to do: load it again."),
        ("/down", 503, "Try again"),
    ],
)
def test_an_error_is_a_page_for_who_prefers_html_with_the_same_status(
    path: str, status: int, says: str
) -> None:
    answer = asked(path, **HTML)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert says in answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert ("tell your administrator this number" in answer.text) == (status >= 500)
    assert re.search('<code class="mono">[0-9a-f]{32}</code>', answer.text)


def test_an_error_page_escapes_and_hides_what_the_problem_does() -> None:
    assert "somebody &lt;changed&gt; it" in asked("/conflict", **HTML).text
    text = asked("/down", **HTML)
    assert "10.1.2.3" not in text.text
    assert text.headers["retry-after"] == "1"


@pytest.mark.parametrize("accept", ["*/*", "application/json", "application/json, text/html;q=0.5", ""])
def test_others_get_the_problem_document(accept: str) -> None:
    assert asked("/conflict", accept=accept).headers["content-type"] == "application/problem+json"


def test_the_api_never_answers_with_a_page() -> None:
    answer = asked("/api/v1/conflict", **HTML)
    assert answer.headers["content-type"] == "application/problem+json"
    assert asked("/api/v1/nowhere", **HTML).headers["content-type"] == "application/problem+json"


def test_htmx_gets_an_error_as_the_part_it_asked_for() -> None:
    answer = asked("/conflict", accept="text/html", hx_target="div#x", **PART)
    assert answer.status_code == 409
    assert "<!doctype" not in answer.text
    assert 'role="alert"' in answer.text


def test_who_has_a_session_is_not_told_to_sign_in_on_the_page_of_a_path_that_does_not_exist() -> None:
    assert 'href="/sign-in"' in asked("/nowhere", **HTML).text
    assert 'href="/sign-in"' not in asked("/nowhere", cookie="clearway=abc", **HTML).text
