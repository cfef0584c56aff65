"""A session that ends while somebody fills in a form, in a real browser."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

from harness import Screen, Workspace, until
from playwright.sync_api import expect

Screens = Callable[..., Screen]
KEPT = "sessionStorage.getItem('clearway-typed')"
ADD = "Add and show the invitation"


def filled(screen: Screen, name: str) -> Any:
    """The form of an invitation with what was typed, at an address with a query."""
    page = screen.open("/settings?words=exact")
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_role("checkbox", name="Auditor").check()
    return page


def ended(screen: Screen) -> list[Any]:
    """The cookies of the session, which the browser has no more; what is asked without them is 401."""
    cookies: list[Any] = [*screen.context.cookies()]
    screen.context.clear_cookies()
    screen.expect("status of 401")
    return cookies


def test_who_signs_in_again_is_back_at_the_form_with_what_was_typed(
    screens: Screens, workspace: Workspace
) -> None:
    screen = workspace.signed_in(screens)
    page = filled(screen, "Nora New")
    cookies = ended(screen)
    page.get_by_role("button", name=ADD).click()
    expect(page.get_by_text("What you typed is kept in this tab")).to_be_visible()
    assert "is lost" not in page.locator("main").inner_text()
    screen.axe()
    page.locator("main").get_by_role("link", name="Sign in").click()
    page.wait_for_url("**/sign-in?*")
    (to,) = parse_qs(urlsplit(page.url).query)["next"]
    assert to == "/settings?words=exact"
    screen.context.add_cookies(cookies)
    page = screen.open(to)
    expect(page.get_by_label("Name", exact=True)).to_have_value("Nora New")
    expect(page.get_by_role("checkbox", name="Auditor")).to_be_checked()
    expect(page.get_by_text("It is not saved yet")).to_be_visible()
    page.get_by_role("button", name=ADD).click()
    expect(page.locator("h1")).to_have_text("Give Nora New this code")
    assert page.evaluate(KEPT) is None, "it is done"


def test_who_lands_elsewhere_is_led_back_to_the_form(screens: Screens, workspace: Workspace) -> None:
    screen = workspace.signed_in(screens)
    page = filled(screen, "Elsa Elsewhere")
    cookies = ended(screen)
    page.get_by_role("button", name=ADD).click()
    expect(page.get_by_text("What you typed is kept in this tab")).to_be_visible()
    screen.context.add_cookies(cookies)
    page = screen.open("/settings/account")
    page.get_by_role("link", name="Back to the form").click()
    expect(page.get_by_label("Name", exact=True)).to_have_value("Elsa Elsewhere")


def test_nobody_else_is_shown_what_was_typed(screens: Screens, workspace: Workspace) -> None:
    screen = workspace.signed_in(screens)
    page = filled(screen, "Otto Other")
    page.get_by_role("button", name=ADD).click()
    code = page.locator("#secret").inner_text()
    page = filled(screen, "only for my eyes")
    ended(screen)
    page.get_by_role("button", name=ADD).click()
    expect(page.get_by_text("What you typed is kept in this tab")).to_be_visible()
    page = screen.open("/sign-in")
    assert page.evaluate(KEPT) is not None
    page.locator("input[name=code]").fill(code)
    page.locator("form:has(input[name=code])").get_by_role("button").click()
    expect(page.locator("h1")).to_contain_text("Otto Other")
    until(page, f"{KEPT} === null")


def test_a_secret_is_never_kept_and_nothing_is_after_signing_out(
    screens: Screens, workspace: Workspace
) -> None:
    screen = workspace.signed_in(screens)
    page = filled(screen, "Sam Sent")
    send = """form => form.dispatchEvent(new Event("submit", { bubbles: true }))"""
    form = page.locator("form", has=page.get_by_role("button", name=ADD))
    form.evaluate(send)
    told = json.loads(page.evaluate(KEPT))
    assert ["name", "Sam Sent", None] in told["fields"]
    assert not any(name == "_csrf" for name, *_ in told["fields"])
    page.locator("form[action='/sign-out']").evaluate(send)
    assert page.evaluate(KEPT) is None
    form.evaluate(
        "form => { const p = document.createElement('input'); p.type = 'password'; form.append(p); }"
    )
    form.evaluate(send)
    assert page.evaluate(KEPT) is None
