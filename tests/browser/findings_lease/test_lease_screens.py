"""User tasks with scan leases.

- Ask before you fuzz a package, and learn that others look at it too, and no more than that.
- Find your lease on the calendar, renew it, and give it back.
- You own a network: see a scan, ask whose it is, and say that nobody scans it any more.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import hostile
import pytest
from harness import PHONE, Screen
from playwright.sync_api import expect

from lease_house import NET, House

Screens = Callable[..., Screen]


@pytest.fixture
def clean(house: tuple[House, str]) -> House:
    house[0].clear()
    return house[0]


@pytest.mark.parametrize(("width", "theme"), [(1280, "light"), (PHONE, "dark")])
def test_a_finder_asks_learns_of_an_overlap_and_gives_the_lease_back(
    screens: Screens, house: Any, clean: House, width: int, theme: str
) -> None:
    clean.lease(clean.rival, "pkg:pypi/requests@2.31.0", activity="fuzzing")
    screen = screens(house[1], cookies={"clearway": clean.finder.cookie}, width=width, theme=theme)
    page = screen.open("/leases")
    expect(page.get_by_text("No lease is here that you may see")).to_be_visible()
    screen.axe()
    page.get_by_role("link", name="Ask before a scan").first.click()
    page.get_by_label("What you are about to do").select_option("fuzzing")
    page.get_by_role("textbox", name="Scope").fill("pkg:pypi/requests@2.31.0")
    page.get_by_label("Your own name for it").fill("night run")
    page.get_by_role("button", name="Ask", exact=True).click()
    page.wait_for_url("**/leases/CWL-*")
    expect(page.locator("#toasts")).to_contain_text("others look at the same program")
    text = page.locator("main").inner_text()
    assert "Rival" not in text
    assert "rival" not in text
    screen.axe()
    screen.fits()
    screen.open("/leases")
    expect(page.locator("td[aria-current=date]")).to_contain_text("night run")
    screen.axe()
    screen.fits()
    page.locator("td[aria-current=date]").get_by_role("link", name="night run").click()
    page.get_by_role("button", name="Renew it").click()
    expect(page.locator("#toasts")).to_contain_text("Renewed")
    page.get_by_role("button", name="Give it back …").click()
    page.locator("dialog[open]").get_by_role("button", name="Give it back").click()
    expect(page.get_by_text("Given back", exact=True)).to_be_visible()


def test_load_on_the_same_hosts_waits_and_says_until_when(screens: Screens, house: Any, clean: House) -> None:
    clean.prove(clean.operator, authorised=("lab", "rival"))
    clean.lease(clean.rival, NET)
    page = screens(house[1], cookies={"clearway": clean.finder.cookie}).open("/leases/ask")
    page.get_by_label("What you are about to do").select_option("port")
    page.get_by_role("textbox", name="Scope").fill("192.0.2.7")
    page.get_by_role("button", name="Ask", exact=True).click()
    expect(page.get_by_role("heading", name="Wait")).to_be_visible()
    expect(page.get_by_text("Over at the latest")).to_contain_text("UTC")
    expect(page.get_by_role("textbox", name="Scope")).to_have_value("192.0.2.7")


def test_an_owner_asks_whose_scan_it_is_and_opts_out(screens: Screens, house: Any, clean: House) -> None:
    clean.prove(clean.operator, authorised=("lab",))
    lease = clean.lease(clean.finder, NET, sources=("198.51.100.7",))
    page = screens(house[1], cookies={"clearway": clean.operator.cookie}).open("/leases/whose")
    page.get_by_label("Comes from").fill("198.51.100.7")
    page.get_by_label("Reaches").fill("192.0.2.9")
    page.get_by_role("button", name="Ask", exact=True).click()
    expect(page.get_by_role("heading", name="It is of a participant")).to_be_visible()
    expect(page.get_by_text(lease.reference)).to_be_visible()
    page.goto("/leases/controls")
    page.get_by_label("Who may scan").select_option("refuse")
    page.get_by_role("button", name="Say so").click()
    expect(page.get_by_text("Nobody else scans it.")).to_be_visible()
    other = screens(house[1], cookies={"clearway": clean.rival.cookie}).open("/leases/ask")
    other.get_by_label("What you are about to do").select_option("port")
    other.get_by_role("textbox", name="Scope").fill("192.0.2.0/25")
    other.get_by_role("button", name="Ask", exact=True).click()
    expect(other.get_by_role("heading", name="Refused")).to_be_visible()
    expect(other.get_by_text("The owner does not want it scanned.")).to_be_visible()


@pytest.mark.parametrize("first", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_what_is_typed_into_the_form_is_shown_and_not_run(
    screens: Screens, house: Any, clean: House, first: int
) -> None:
    """Each text in one of two fields, and behind `slow` in the other."""
    screen = screens(house[1], cookies={"clearway": clean.finder.cookie})
    texts = [text[:200] for name, text in hostile.CORPUS.items() if name not in ("long", "nul and controls")]
    assert len(texts) % 2 == 0, "a text would be in no field"
    fields = ("Your own name for it", "Reference of your authorisation")
    for two in zip(texts[first::2], texts[1 - first :: 2], strict=True):
        page = screen.open("/leases/ask")
        page.get_by_role("textbox", name="Scope").fill("pkg:pypi/x@1")
        for field, text in zip(fields, two, strict=True):
            page.get_by_label(field).fill(text)
        page.get_by_role("button", name="Ask", exact=True).click()
        page.wait_for_url("**/leases/CWL-*")
        screen.check()
    hostile.look(screen, "/leases")
