"""User tasks at the findings desk.

- A coordinator comes in at eight. Find what deserves the first hour, see why, start its validation and open a case, all
  without the mouse.
- Two reports look alike. Compare them, join them, see the credit of both, and take it back.
- Take a case from "nobody has answered" to "released": agree on a day, ask, answer, write, arm, let it out.
- A maintainer without an account opens the letter's link, answers, and wants no more letters.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from harness import PHONE, Screen
from playwright.sync_api import expect

from clearway.findings.case import mail
from findings_desk_world import again

Screens = Callable[..., Screen]
DRAFT = {
    "title": "Heap buffer overflow", "description": "It reads beyond its buffer.", "cwe": "CWE-787",
    "products": [{"purl": "pkg:pypi/example", "introduced": "1.0", "fixed": "1.2.4"}],
}  # fmt: skip


def screen_of(screens: Screens, desk: Any, who: str, **more: Any) -> Screen:
    found, url = desk
    return screens(url, cookies={"clearway": getattr(found.desk, who).cookie}, **more)


def test_triage_is_done_by_keyboard(screens: Screens, desk: Any) -> None:
    found, _ = desk
    page = screen_of(screens, desk, "coordinator").open("/cases/triage")
    first = page.locator("tr[data-row]").first
    expect(first).to_contain_text("Heap buffer overflow in parse_string")
    expect(first.locator(".reason").first).to_have_text("+45 variants find nothing (E4)")
    points = [int(b) for b in first.locator(".reason b").all_inner_texts()]
    assert sum(points) == int(first.locator("td strong").inner_text())
    page.get_by_text("How a rank is made").click()
    expect(page.get_by_role("row", name="Its class runs code")).to_contain_text("+5")
    page.get_by_text("How a rank is made").click()
    row = page.locator(f'tr[data-row="{found.waiting[5]}"]')
    for _ in range(page.locator("tr[data-row]").count()):
        page.keyboard.press("j")
        if row.evaluate("row => row === document.activeElement"):
            break
    page.keyboard.press("x")
    page.keyboard.press("v")
    page.keyboard.press("Enter")
    expect(page.locator("#toasts")).to_contain_text("1 is being validated, as far as E4.")
    expect(page.locator(f'tr[data-row="{found.waiting[5]}"]')).to_contain_text("Being validated")
    page.wait_for_load_state()  # a new page: its keys act when its script has run
    page.keyboard.press("j")
    page.keyboard.press("x")
    page.keyboard.press("c")
    page.keyboard.press("Enter")
    page.wait_for_url("**/cases/CWC-*")
    expect(page.locator("#toasts")).to_contain_text("has 1 more")
    expect(page.get_by_role("heading", level=1)).to_have_text("Heap buffer overflow in parse_string")


def test_what_can_not_be_done_with_the_chosen_is_said_and_they_stay_chosen(
    screens: Screens, desk: Any
) -> None:
    screen = screen_of(screens, desk, "coordinator")
    page = screen.open("/cases/triage?state=judged")
    boxes = page.locator('tr[data-row] input[name="id"]')
    boxes.nth(0).check()
    boxes.nth(1).check()
    screen.expect("status of 422")
    page.get_by_role("button", name="They are one flaw").click()
    expect(page.get_by_role("alert")).to_contain_text("say why")
    expect(page.locator("[data-bulk-count]")).to_have_text("2 selected")
    page.get_by_label("Why", exact=True).fill("one loop")
    page.get_by_role("button", name="They are one flaw").click()
    page.wait_for_url("**/duplicates")
    page.locator("#toasts").get_by_role("button", name="Undo").click()
    expect(page.locator("#toasts")).to_contain_text("It is undone")
    expect(page.get_by_role("heading", name="It is alone")).to_be_visible()


@pytest.mark.parametrize(
    ("width", "theme"), [(1280, "light"), pytest.param(PHONE, "dark", marks=pytest.mark.slow)]
)
def test_a_pair_is_compared_joined_and_taken_apart_again(
    screens: Screens, desk: Any, width: int, theme: str
) -> None:
    found, _ = desk
    one, other = found.pair
    screen = screen_of(screens, desk, "coordinator", width=width, theme=theme)
    page = screen.open("/findings/duplicates")
    row = page.locator("tr[data-row]").filter(has_text="Overflow in parse_hex4")
    expect(row).to_contain_text("62 %")
    row.get_by_role("link").first.click()
    page.wait_for_url(f"**/findings/{one}/duplicates?with={other}")
    expect(page.get_by_role("row", name="Release")).to_contain_text("differs")
    expect(page.get_by_role("row", name="Class")).to_contain_text("same")
    page.get_by_role("button", name="They are one flaw").click()
    expect(page.get_by_role("heading", name="2 findings are one flaw")).to_be_visible()
    expect(page.get_by_text("A merge takes nobody off this list.")).to_be_visible()
    screen.open("/findings/duplicates")
    expect(page.locator("tr[data-row]").filter(has_text="Overflow in parse_hex4")).to_have_count(0)
    screen.open(f"/findings/{one}/duplicates")
    page.get_by_role("button", name="Undo").first.click()
    expect(page.get_by_role("heading", name="It is alone")).to_be_visible()
    screen.open(f"/findings/{one}/duplicates?with={other}")
    page.get_by_role("button", name="They are two flaws").click()
    page.locator("#toasts").get_by_role("button", name="Undo").click()
    expect(page.locator("#toasts")).to_contain_text("It is undone")
    screen.open("/findings/duplicates")
    expect(page.locator("tr[data-row]").filter(has_text="Overflow in parse_hex4")).to_have_count(1)


def test_a_case_goes_from_no_answer_to_released(screens: Screens, desk: Any) -> None:
    found, _ = desk
    screen = screen_of(screens, desk, "coordinator")
    page = screen.open(f"/cases/{found.case}")
    expect(page.get_by_text("no answer", exact=True)).to_have_count(2)
    page.get_by_role("button", name="This is agreed").click()
    expect(page.locator("#toasts")).to_contain_text("It is agreed")
    expect(page.locator(".clock")).to_contain_text("Europe/Berlin")
    expect(page.get_by_text("Not armed: nothing ends by itself.")).to_be_visible()
    vendor = screen_of(screens, desk, "maintainer").open("/cases/mine")
    vendor.get_by_role("button", name=f"Accept {found.case}").click()
    vendor.wait_for_url(f"**/cases/{found.case}")
    expect(vendor.get_by_role("row", name="Vendor").first).to_contain_text("affected")
    vendor.get_by_label("Say").fill("We are on it.")
    vendor.get_by_role("button", name="Send").click()
    expect(vendor.locator("#toasts")).to_contain_text("Sent.")
    screen.open(f"/cases/{found.case}")
    expect(page.get_by_text("We are on it.")).to_be_visible()
    page.get_by_text("Write the next version").click()
    page.get_by_label("Draft, as JSON").fill(json.dumps(DRAFT))
    page.get_by_label("What this version changes").fill("The range is narrower")
    page.get_by_role("button", name="Keep it").click()
    expect(page.locator("#toasts")).to_contain_text("Version 2 is kept")
    page.get_by_role("button", name="Arm …").click()
    page.get_by_role("button", name="Arm it").click()
    expect(page.get_by_text("Armed: it ends by itself then")).to_be_visible()
    page.get_by_role("button", name="Release now …").click()
    dialog = page.locator("dialog[open]")
    expect(dialog).to_contain_text("It can't be taken back")
    dialog.get_by_label("Type").fill(found.case)
    dialog.get_by_role("button", name="Release it").click()
    expect(page.locator("#toasts")).to_contain_text("The embargo has ended")
    assert again(found.cases, found.case).released is not None
    expect(page.locator(".clock")).to_contain_text("Ended")


def test_a_maintainer_without_an_account_answers_by_the_letters_link(screens: Screens, desk: Any) -> None:
    found, url = desk
    screen = screens(url, width=PHONE)
    page = screen.open(f"/case-mail/{found.link}")
    expect(page.get_by_text("Heap buffer overflow")).to_have_count(0)
    screen.axe()
    page.get_by_role("button", name="Open it").click()
    expect(page.get_by_text("Heap buffer overflow in a parser").first).to_be_visible()
    assert page.locator(".tlp-banner").count() == 2
    screen.axe()
    screen.fits()
    screen.shot("letter")
    page.get_by_label("Your answer").select_option("investigating")
    page.get_by_label("Message, or your reasons").fill("We look into it.")
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_text("Sent. Thank you.")).to_be_visible()
    expect(page.get_by_role("definition").filter(has_text="investigating")).to_have_count(1)
    screen.open(f"/case-mail/{found.link}")
    expect(page.get_by_role("button", name="Send me a new link")).to_be_visible()
    screen.axe()
    screen.open(f"/case-mail/stop/{mail.stop_token(found.desk.vault, found.mailed.id)}")
    screen.axe()
    page.get_by_role("button", name="Stop all letters of this case").click()
    expect(page.get_by_role("status").filter(has_text="No more letters")).to_be_visible()
