"""A form that is sent after its session has ended: what the answer says, and where it leads, without script."""

from __future__ import annotations

from typing import Any

import pytest
from litestar import get, post
from litestar.params import FromPath
from litestar.testing import TestClient

from clearway.http.application import application
from clearway.http.pages import Pages

HTML = {"accept": "text/html"}


@get("/things/{thing:int}")
async def shown(thing: FromPath[int]) -> str:
    return "the page with the form"


@post("/things/{thing:int}/parts/add")
async def added(thing: FromPath[int]) -> str:
    return "done"


@post("/things/{thing:int}")
async def changed(thing: FromPath[int]) -> str:
    return "done"


@post("/alone")
async def alone() -> str:
    return "done"


@pytest.mark.parametrize(
    ("path", "page"),
    [
        ("/things/7", "/things/7"),
        ("/things/7/parts/add", "/things/7"),  # the nearest address that is a page
        ("/alone", "/"),
    ],
)
def test_it_says_that_nothing_was_done_and_leads_to_the_page_of_the_form(path: str, page: str) -> None:
    app: Any = application([shown, added, changed, alone], pages=Pages(sign_in="/sign-in"))
    with TestClient(app) as client:
        answer = client.post(path, headers=HTML)
        assert answer.status_code == 401
        assert "Your session has ended" in answer.text
        assert "Nothing was done or saved, and what you typed is lost" in answer.text
        assert f'href="/sign-in?next={page}">Sign in</a>' in answer.text.replace("%2F", "/")


def test_who_only_reads_lost_nothing_and_comes_to_what_they_asked_for() -> None:
    app: Any = application([shown], pages=Pages(sign_in="/sign-in"))
    with TestClient(app) as client:
        answer = client.get("/things/7?tab=2", headers=HTML)
        assert "Sign in to see this page" in answer.text
        assert "typed" not in answer.text.replace("static/typed", "")
        assert "next=/things/7%3Ftab%3D2" in answer.text
