"""User task: find a CVE by its GHSA id and open it; find a machine by its owner, by keyboard alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from harness import LOOKS, PHONE, Screen, shown
from hostile import look
from playwright.sync_api import expect

Screens = Callable[..., Screen]


def test_a_cve_is_found_by_its_ghsa_id_and_opened(
    screens: Screens, live: Any, operator: dict[str, str]
) -> None:
    screen = screens(live[1], cookies=operator)
    page = screen.open("/data")
    page.keyboard.press("/")
    page.keyboard.type("GHSA-2c2j-9gv5-cj73")
    page.keyboard.press("Enter")
    page.wait_for_url("**/flaws/CVE-2026-0001")
    expect(page.locator("h1")).to_contain_text("CVE-2026-0001")


def test_a_machine_is_found_by_its_owner_by_keyboard(
    screens: Screens, live: Any, operator: dict[str, str]
) -> None:
    screen = screens(live[1], cookies=operator)
    page = screen.open("/search")
    page.locator("#field-q").fill("shop tea")
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_contain_text("1 found")
    assert shown(screen, "h2") == ["Assets"]
    page.locator("main").focus()
    page.keyboard.press("j")
    page.keyboard.press("e")
    page.wait_for_url("**/assets/*")


def test_nothing_found_says_what_to_try(screens: Screens, live: Any, operator: dict[str, str]) -> None:
    screen = screens(live[1], cookies=operator, width=PHONE, theme="dark")
    page = screen.open("/search?q=nothinglikethis")
    expect(page.locator("h1")).to_contain_text("Nothing that you may see")
    expect(page.locator(".state-empty")).to_contain_text("Try fewer words")


@pytest.mark.parametrize(("width", "theme", "part"), LOOKS)
def test_axe_finds_nothing_serious_and_nothing_overflows(
    screens: Screens, live: Any, operator: dict[str, str], width: int, theme: str, part: slice
) -> None:
    screen = screens(live[1], cookies=operator, width=width, theme=theme)
    for path, name in (
        ("/search", "search-empty"),
        ("/search?q=django", "search"),
        ("/search?q=zebra", "search-many"),
    )[part]:
        screen.open(path)
        screen.axe()
        screen.fits()
        screen.shot(name)


def test_what_was_stored_runs_nowhere(screens: Screens, live: Any, operator: dict[str, str]) -> None:
    screen = screens(live[1], cookies=operator)
    look(
        screen, "/search?q=zebra&kind=asset", "/search?q=zebra&kind=flaw",
        "/search?q=%3Cscript%3E__ran(1)%3C/script%3E", "/search?q=%22%20autofocus%20onfocus=%22__ran(5)",
    )  # fmt: skip
