"""Another marking in a real browser. The task: let our clients know of this machine, and have it agreed."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from harness import PHONE, Screen, Workspace
from playwright.sync_api import Page, expect

from clearway.access import credential, local, person
from clearway.http.session_cookie import SESSION_COOKIE_PLAIN
from clearway.records.clock import SystemClock
from clearway.store.principal import Pool
from clearway.store.server import lease

Screens = Callable[..., Screen]
pytestmark = pytest.mark.slow


def second(workspace: Workspace) -> str:
    """A coordinator of the same organisation; the cookie of their session."""
    now = SystemClock().now()
    with lease(workspace.home) as url:
        pool = Pool(url, size=1)
        try:
            with pool.owner() as owner:
                org = local.ensure_house(owner)[0]
                cora = person.add(owner, org, "Cora Coordinator", ("coordinator",))
                return credential.make_session(owner, cora.person, by="code", now=now).secret
        finally:
            pool.close()


def added(page: Page) -> int:
    """An asset, by the API."""
    token = page.locator("meta[name=csrf-token]").get_attribute("content")
    made = page.context.request.post(
        "/api/v1/assets",
        data={"name": "gateway-seven", "exposure": "public"},
        headers={"x-csrf-token": token or ""},
    )
    assert made.ok, made.text()
    number: int = made.json()["id"]
    return number


def test_ask_to_share_a_machine_with_clients_and_a_second_person_agrees_on_the_phone(
    screens: Screens, workspace: Workspace
) -> None:
    screen = workspace.signed_in(screens)
    page = screen.open("/settings")
    which = added(page)
    page = screen.open(f"/assets/{which}")
    page.get_by_role("link", name="who sees it").click()
    expect(page.locator("h1")).to_contain_text("gateway-seven: seen by members of")
    screen.axe()
    screen.shot("settings-marking")
    page.get_by_role("combobox", name="Marking").select_option("AMBER")
    page.get_by_label("Why").fill("our clients run the same gateway")
    page.get_by_role("button", name="Change the marking").click()
    expect(page.locator("#toasts")).to_contain_text("until then nothing changes")
    expect(page.locator("main")).to_contain_text("1 change waits for a second person")
    expect(page.get_by_role("button", name="Withdraw")).to_be_visible()
    expect(page.get_by_role("button", name="Approve")).to_have_count(0)
    expect(page.locator("main")).to_contain_text("Nobody else coordinates or administers here yet")
    screen.fits()
    screen.shot("settings-marking-asked")
    screen.axe()
    colleague = screens(
        workspace.url, width=PHONE, theme="dark", cookies={SESSION_COOKIE_PLAIN: second(workspace)}
    )
    theirs = colleague.open("/settings/sharing")
    theirs.get_by_role("link", name="Look and decide").click()
    expect(theirs.locator("main")).to_contain_text("our clients run the same gateway")
    colleague.fits()
    colleague.axe()
    colleague.shot("settings-marking")
    theirs.get_by_role("button", name="Approve").click()
    dialog = theirs.get_by_role("dialog")
    expect(dialog).to_contain_text(re.compile("seen by .*clients of"))
    colleague.axe()
    dialog.get_by_role("button", name="Approve").click()
    expect(theirs.locator("#toasts")).to_contain_text("carried out")
    # Narrower again: at once, by one person.
    page = screen.open(f"/markings/asset/{which}")
    expect(page.locator("h1")).to_contain_text("clients of")
    page.get_by_role("combobox", name="Marking").select_option("RED")
    page.get_by_label("Why").fill("not before the fix")
    page.get_by_role("button", name="Change the marking").click()
    expect(page.locator("#toasts")).to_contain_text("TLP:RED now")
    page.get_by_role("link", name="its history").click()
    expect(page.locator("main")).to_contain_text(re.compile("marking changed", re.IGNORECASE))
