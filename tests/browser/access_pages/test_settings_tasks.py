"""*Settings* and *Your account* in a real browser. Each test is a task that somebody was given in words."""

from __future__ import annotations

import re
from collections.abc import Callable

import hostile
import pytest
from harness import PHONE, WIDE, Screen, Workspace, looks
from playwright.sync_api import expect

Screens = Callable[..., Screen]


def test_invite_a_colleague_as_an_auditor_and_see_what_they_may_do(
    screens: Screens, workspace: Workspace
) -> None:
    screen = workspace.signed_in(screens)
    page = screen.open("/settings")
    screen.axe()
    page.get_by_label("Name", exact=True).fill("Nora New")
    page.get_by_role("checkbox", name=re.compile("^Auditor")).check()
    page.get_by_role("button", name="Add and show the invitation").click()
    expect(page.locator("h1")).to_have_text("Give Nora New this code")
    code = page.locator("#secret").inner_text()
    screen.axe()
    page.get_by_role("link", name="See what Nora New may do").click()
    expect(page.locator("h1")).to_contain_text("is auditor")
    rights = page.get_by_role("table", name="Rights of Nora New")
    expect(rights.get_by_role("row", name=re.compile("Read who did what"))).to_contain_text("yes")
    expect(rights.get_by_role("row", name=re.compile("Change assets"))).to_contain_text("no")
    screen.axe()
    # And she comes in by it, on a phone.
    colleague = screens(workspace.url, width=PHONE, theme="dark")
    theirs = colleague.open("/sign-in")
    theirs.locator("input[name=code]").fill(code)
    theirs.locator("form:has(input[name=code])").get_by_role("button").click()
    expect(theirs.locator("h1")).to_contain_text("Nora New")
    theirs = colleague.open("/settings")
    expect(theirs.get_by_role("button", name="Add and show the invitation")).to_have_count(0)
    colleague.fits()
    colleague.axe()


def test_make_a_token_that_can_only_read_copy_it_and_revoke_it(
    screens: Screens, workspace: Workspace
) -> None:
    screen = workspace.signed_in(screens)
    screen.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = screen.open("/settings/account")
    page.get_by_label("What it is for").fill("nightly upload")
    expect(page.get_by_label("What it may do")).to_have_value("read")
    page.get_by_role("button", name="Make a token").click()
    secret = page.locator("#secret").inner_text()
    page.get_by_role("button", name="Copy the token").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == secret
    own = {"authorization": f"Bearer {secret}"}
    stranger = screens(workspace.url)
    assert stranger.context.request.get("/api/v1/me", headers=own).json()["memberships"][0]["rights"] == [
        "read"
    ]
    page.get_by_role("link", name="I have put it away").click()
    row = page.get_by_role("row", name=re.compile("nightly upload"))
    expect(row).to_contain_text("only read")
    expect(page.locator("main")).not_to_contain_text(secret)
    row.get_by_role("button", name="Revoke").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("is refused from its next request on")
    screen.axe()
    dialog.get_by_role("button", name="Revoke it").click()
    expect(page.locator("#toasts")).to_contain_text("is revoked")
    expect(page.get_by_role("row", name=re.compile("nightly upload"))).to_have_count(0)
    assert stranger.context.request.get("/api/v1/me", headers=own).status == 401


def test_add_a_passkey_and_sign_in_with_it(screens: Screens, workspace: Workspace) -> None:
    local = workspace.url.replace("127.0.0.1", "localhost")
    administrator = workspace.signed_in(screens)
    me = administrator.context.request.get("/api/v1/me").json()
    token = administrator.open("/settings").locator("meta[name=csrf-token]").get_attribute("content")
    ask, sent = administrator.context.request, {"x-csrf-token": token or ""}
    members = f"/api/v1/organisations/{me['memberships'][0]['org']}/members"
    made = ask.post(members, headers=sent, data={"name": "Nora New", "roles": ["operator"]}).json()["person"]
    invited = ask.post(f"{members}/{made}/invitation", headers=sent).json()["code"]
    screen = screens(local)
    devtools = screen.context.new_cdp_session(screen.page)
    devtools.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True,
        "isUserVerified": True, "automaticPresenceSimulation": True,
    }  # fmt: skip
    devtools.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    page = screen.open("/sign-in")
    page.locator("input[name=code]").fill(invited)
    page.locator("form:has(input[name=code])").get_by_role("button").click()
    expect(page.locator("h1")).to_contain_text("no way to sign in again yet")
    page.get_by_label("Name for a new passkey").fill("Work laptop")
    page.get_by_role("button", name="Add a passkey").click()
    expect(page.locator("h1")).to_contain_text("you sign in with 1 passkey")
    expect(page.get_by_role("row", name=re.compile("Work laptop"))).to_be_visible()
    screen.axe()
    page.locator(".menu-name").click()
    page.get_by_role("button", name="Sign out", exact=True).click()
    page.wait_for_url("**/sign-in")
    page.get_by_role("button", name="Use a passkey").click()
    expect(page.locator(".menu-name")).to_be_visible()
    page = screen.open("/settings/account")
    expect(page.get_by_role("row", name=re.compile("passkey"))).to_have_count(2)  # the key, and this session
    page.get_by_role("row", name=re.compile("Work laptop")).get_by_role("button", name="Remove").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("It is your only way")
    dialog.get_by_role("button", name="Remove it").click()
    expect(page.locator("h1")).to_contain_text("no way to sign in again yet")


@pytest.mark.parametrize(("width", "theme", "part"), looks((WIDE, "dark"), (PHONE, "light")))
def test_every_page_is_readable_in_both_themes_and_fits_a_phone(
    screens: Screens, workspace: Workspace, width: int, theme: str, part: slice
) -> None:
    screen = workspace.signed_in(screens, width=width, theme=theme)
    for path in (
        "/settings", "/settings/services", "/settings/organisation", "/settings/organisations", "/settings/sharing",
        "/settings/account",
    )[part]:  # fmt: skip
        screen.open(path)
        screen.fits()
        screen.axe()


def test_scripts_in_names_and_labels_are_text_everywhere(screens: Screens, workspace: Workspace) -> None:
    screen = workspace.signed_in(screens)
    ask = screen.context.request
    token = screen.open("/settings").locator("meta[name=csrf-token]").get_attribute("content")
    headers = {"x-csrf-token": token or ""}

    def post(path: str, body: dict[str, object]) -> dict[str, object]:
        answer = ask.post(f"/api/v1{path}", data=body, headers=headers)
        assert answer.ok, f"{path} {answer.status}: {answer.text()[:300]}"
        made: dict[str, object] = answer.json()
        return made

    org = ask.get("/api/v1/me").json()["memberships"][0]["org"]
    lists, embargoes = [], []
    for payload in hostile.CORPUS.values():
        text = payload[:200]
        post(f"/organisations/{org}/members", {"name": text, "roles": ["auditor"]})
        post("/tokens", {"label": payload[:100]})
        lists.append(post("/lists", {"org": org, "name": text})["list"])
        embargoes.append(post("/embargoes", {"org": org, "name": text})["embargo"])
    program = {"name": hostile.CORPUS["script"], "roles": ["operator"], "kind": "service"}
    service = post(f"/organisations/{org}/members", program)
    post("/tokens", {"label": hostile.CORPUS["image"], "person": service["person"]})
    proposal, why = {"x": hostile.together()[:3000]}, hostile.CORPUS["svg"]
    asked = {"org": org, "kind": "other", "subject": "asset/1", "proposal": proposal, "why": why}
    post("/approvals", asked)
    hostile.look(
        screen,
        "/settings",
        "/settings/services",
        "/settings/sharing",
        "/settings/account",
        f"/settings/people/{service['person']}",
        *(f"/settings/lists/{n}" for n in lists[::8]),
        *(f"/settings/embargoes/{n}" for n in embargoes[1::8]),
        "/audit",
        "/audit?act=approval.asked",
        f"/audit/{_newest(screen)}",
    )


def _newest(screen: Screen) -> int:
    found: int = screen.context.request.get("/api/v1/ledger/entries?act=approval.asked").json()["items"][0][
        "entry"
    ]
    return found
