"""User task: which source is stale, and what do I do?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from harness import LOOKS, PHONE, Screen, shown
from hostile import look
from playwright.sync_api import expect

Screens = Callable[..., Screen]


def test_the_stale_feed_is_named_first_and_pulled(screens: Screens, live: Any, admin: dict[str, str]) -> None:
    screen = screens(live[1], cookies=admin)
    page = screen.open("/data")
    expect(page.locator("h1")).to_contain_text("2 of 3 feeds need a look: kev is stale, vendor fails")
    row = page.locator("tr[data-row=kev]")
    expect(row).to_contain_text("stale")
    expect(row).to_contain_text("Pull it now")
    page.keyboard.press("j")
    page.keyboard.press("e")
    page.wait_for_url("**/data/feeds/kev")
    expect(page.locator("h1")).to_have_text("kev is stale")
    page.get_by_role("button", name="Pull kev now").click()
    page.wait_for_url("**/data/pulls/*")
    expect(page.locator("h1")).to_have_text("Waiting for a worker")
    expect(page.locator("#toasts")).to_contain_text("What is not sound replaces nothing")


def test_an_operator_sees_the_same_and_no_button(
    screens: Screens, live: Any, operator: dict[str, str]
) -> None:
    screen = screens(live[1], cookies=operator, width=PHONE)
    page = screen.open("/data")
    assert "In PyPI: no known flaw." in " ".join(shown(screen, "#sources td"))
    expect(page.get_by_role("button", name="Pull kev now")).to_have_count(0)
    page = screen.open("/data/set-aside")
    expect(page.locator("#set-aside")).to_have_count(0)


@pytest.mark.parametrize(("width", "theme", "part"), LOOKS)
def test_axe_finds_nothing_serious_and_nothing_overflows(
    screens: Screens, live: Any, admin: dict[str, str], width: int, theme: str, part: slice
) -> None:
    screen = screens(live[1], cookies=admin, width=width, theme=theme)
    for path in ("/data", "/data/feeds/vendor", "/data/set-aside")[part]:
        screen.open(path)
        screen.axe()
        screen.fits()
        screen.shot("data" + path.removeprefix("/data").replace("/", "-"))


def test_what_publishers_wrote_runs_nowhere(screens: Screens, live: Any, admin: dict[str, str]) -> None:
    screen = screens(live[1], cookies=admin)
    screen.expect("net::ERR")
    for path in ("/data/set-aside", "/data/feeds/vendor"):
        page = screen.open(path)
        assert page.locator("main script, main img, main iframe").count() == 0
    look(screen, "/data/set-aside")
