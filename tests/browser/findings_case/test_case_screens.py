"""User tasks: put what waits into one case by keyboard; see who has not answered; dispute; release with care."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from harness import LOOKS, Screen
from playwright.sync_api import expect

Screens = Callable[..., Screen]


def test_findings_are_chosen_by_keyboard_and_become_one_case(screens: Screens, live: Any) -> None:
    cases, _, url = live
    screen = screens(url, cookies={"clearway": cases.desk.coordinator.cookie})
    page = screen.open("/cases/triage")
    expect(page.locator("tr[data-row]")).to_have_count(3)
    expect(page.locator("tr[data-row]").first).to_contain_text("+5 CWE-787 is of a class that runs code")
    for _ in range(2):
        page.keyboard.press("j")
        page.keyboard.press("x")
    expect(page.locator("[data-bulk-count]")).to_contain_text("2")
    page.get_by_role("button", name="Put into one case").click()
    page.wait_for_url("**/cases/CWC-*")
    expect(page.locator("#toasts")).to_contain_text("has 2 more")
    page = screen.open("/cases/triage")
    expect(page.locator("tr[data-row]")).to_have_count(1)


def test_the_room_shows_who_has_not_answered_and_when_it_ends(screens: Screens, live: Any) -> None:
    cases, case, url = live
    page = screens(url, cookies={"clearway": cases.desk.coordinator.cookie}).open(f"/cases/{case.handling}")
    expect(page.get_by_text("no answer", exact=True)).to_have_count(2)
    expect(page.get_by_text("(Europe/Berlin)")).to_be_visible()
    page.get_by_role("button", name="This is agreed").click()
    expect(page.locator("#toasts")).to_contain_text("It is agreed")
    expect(page.get_by_text("Not armed: nothing ends by itself.")).to_be_visible()


def test_a_maintainer_disputes_from_the_queue(screens: Screens, live: Any) -> None:
    cases, case, url = live
    page = screens(url, cookies={"clearway": cases.desk.maintainer.cookie}).open("/cases/mine")
    page.get_by_label("Reasons").fill("The caller must end the string.")
    page.get_by_role("button", name="Dispute").click()
    page.wait_for_url(f"**/cases/{case.handling}")
    expect(page.get_by_role("cell", name="disputed The caller must end the string.")).to_be_visible()


@pytest.mark.parametrize(("width", "theme", "part"), LOOKS)
def test_axe_finds_nothing_serious_and_nothing_overflows(
    screens: Screens, live: Any, width: int, theme: str, part: slice
) -> None:
    cases, case, url = live
    screen = screens(url, cookies={"clearway": cases.desk.coordinator.cookie}, width=width, theme=theme)
    for path in ("/cases", "/cases/triage", f"/cases/{case.handling}")[part]:
        screen.open(path)
        screen.axe()
        screen.fits()
        screen.shot("case" + path.replace(case.handling, "room").replace("/", "-"))
