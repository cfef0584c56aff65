"""The whole product in a browser: coming in, being told apart from others, and leaving."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import harness
import pytest
from harness import PHONE, Screen, Workspace
from playwright.sync_api import expect

Screens = Callable[..., Screen]


@pytest.fixture(scope="module")
def workspace(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """Over an empty home: the database is made when it is started."""
    folder = tmp_path_factory.mktemp("workspace")
    with harness.installed(folder / "home", folder / "log") as running:
        yield running


def test_the_first_administrator_comes_in_by_the_code_and_it_works_once(
    screens: Screens, workspace: Workspace
) -> None:
    screen = workspace.signed_in(screens)
    page = screen.open("/sign-in")
    expect(page.locator(".menu-name")).to_have_text("This installation")
    expect(page.locator("meta[name=csrf-token]")).to_have_count(1)
    screen.axe()
    stranger = screens(workspace.url, width=PHONE, theme="dark")
    stranger.expect("status of 401")
    page = stranger.open("/sign-in")
    stranger.axe()
    page.locator("input[name=code]").fill(workspace.code)
    page.locator("form:has(input[name=code])").get_by_role("button").click()
    expect(page.get_by_role("alert").first).to_be_visible()
    expect(page.locator(".menu-name")).to_have_count(0)


def test_a_form_without_the_sessions_token_is_refused(screens: Screens, workspace: Workspace) -> None:
    screen = workspace.signed_in(screens)
    page = screen.open("/sign-in")
    screen.expect("status of 403")
    page.evaluate("for (const f of document.querySelectorAll('[name=_csrf]')) f.value = '0'.repeat(64)")
    page.locator(".menu-name").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("alert")).to_contain_text("load the page again")


def test_however_many_tabs_follow_live_news_each_of_them_goes_on_working(
    screens: Screens, workspace: Workspace
) -> None:
    """A browser has six connections to a server over HTTP/1.1; a stream in each of six tabs left none."""
    screen = workspace.signed_in(screens)
    following: list[int] = []
    tabs = [screen.context.new_page() for _ in range(8)]
    for number, tab in enumerate(tabs):
        tab.on("request", lambda r, n=number: following.append(n) if "/events/live" in r.url else None)
        answer = tab.goto("/data")
        assert answer is not None
        assert answer.status == 200
        assert tab.locator("[data-live]").get_attribute("data-live-from"), "it follows from when it was made"
    for _ in range(100):
        if len(set(following)) >= 3:
            break
        tabs[-1].wait_for_timeout(50)
    held = set(following)
    assert len(held) == 3
    tabs[min(held)].close()
    for _ in range(100):
        if set(following) - held:
            break
        tabs[-1].wait_for_timeout(50)
    assert len(set(following) - held) == 1, "its turn goes to one that waited"


def test_signing_out_ends_the_session_for_everybody_who_has_its_cookie(
    screens: Screens, workspace: Workspace
) -> None:
    other = workspace.signed_in(screens)
    screen = workspace.signed_in(screens)
    page = screen.open("/sign-in")
    page.locator(".menu-name").click()
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/sign-in")
    expect(page.locator(".menu-name")).to_have_count(0)
    expect(other.open("/sign-in").locator(".menu-name")).to_have_count(0)
