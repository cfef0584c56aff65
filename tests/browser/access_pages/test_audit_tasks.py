"""*Audit and trust* in a real browser. Each test is a task that somebody was given in words."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from harness import PHONE, WIDE, Screen, Workspace, looks
from playwright.sync_api import expect

from clearway.access import approval, audience, credential, local, person
from clearway.access.marking import Marking, own
from clearway.records.clock import SystemClock
from clearway.store.principal import Pool
from clearway.store.server import lease

Screens = Callable[..., Screen]


def lowered(workspace: Workspace) -> None:
    """Two people lower the marking of one row: Cora asks, the first administrator agrees."""
    now = SystemClock().now()
    with lease(workspace.home) as url:
        key = local.key(url, workspace.home, now=now)
        pool = Pool(url, size=2)
        try:
            with pool.owner() as owner:
                org = local.ensure_house(owner)[0]
                cora = person.add(owner, org, "Cora Coordinator", ("coordinator",))
                hers = credential.make_session(owner, cora.person, by="code", now=now).key
                owner.execute(
                    "create table clearway.note (note int primary key, org int not null, "
                    "aud clearway.audience_id not null)"
                )
                owner.execute("select clearway.govern('clearway.note', 'coordinate')")
                was, wide = audience.of(owner, own(org)), audience.of(owner, Marking(tlp="GREEN"))
                owner.execute("insert into clearway.note values (7, %s, %s)", (org, was))
            with pool.acting(hers) as db:
                asked = approval.ask_remark(db, "clearway.note", 7, org, was, wide, "the fix is out")
            with pool.acting(key) as db:
                approval.decide(db, asked.approval, "approved")
            with pool.acting(hers) as db:
                approval.remark(db, "clearway.note", 7, org, wide, approved=asked.approval)
        finally:
            pool.close()


def test_who_lowered_this_marking_and_does_the_log_prove_it(
    screens: Screens, workspace: Workspace, tmp_path: Path
) -> None:
    lowered(workspace)
    screen = workspace.signed_in(screens)
    page = screen.open("/audit")
    expect(page.locator("#tlp-top")).to_contain_text("TLP:RED")
    screen.axe()
    page.get_by_label("About").fill("note/7")
    page.get_by_role("button", name="Show").click()
    # The address has what is shown, and nothing empty.
    page.wait_for_url(lambda url: url.endswith("/audit?subject=note/7"))
    page.get_by_role("link", name="marking changed", exact=True).click()
    expect(page.locator("h1")).to_contain_text("Cora Coordinator: marking changed")
    expect(page.locator("main")).to_contain_text("Cora Coordinator asked, Local administrator agreed")
    proven = page.get_by_text("the log proves it")
    for _ in range(20):  # it gets its place within a moment
        if proven.count():
            break
        page.wait_for_timeout(300)
        page.reload()
    expect(proven).to_be_visible()
    expect(page.locator("main")).to_contain_text("That you read this is on the log")
    screen.axe()
    # Somebody who has never been here checks it without this server.
    with page.expect_download() as download:
        page.get_by_role("link", name="Download the proof").click()
    file = tmp_path / "entry.proof.json"
    download.value.save_as(file)
    key = screen.context.request.get("/api/v1/ledger/keys").json()["keys"][0]["vkey"]
    check = ("ledger", "proof", "--check", file, "--key", key)
    assert "that the log has signed" in workspace.clearway(*check)
    forged = json.loads(file.read_text())
    forged["content"] = forged["content"].replace("1", "2")
    file.write_text(json.dumps(forged))
    workspace.clearway(*check, code=9)


def test_have_the_whole_log_verified_and_see_why_one_may_see_an_entry(
    screens: Screens, workspace: Workspace
) -> None:
    screen = workspace.signed_in(screens)
    page = screen.open("/audit/log")
    page.get_by_role("button", name="Verify the whole log").click()
    expect(page.get_by_role("dialog")).to_contain_text("It changes nothing")
    page.get_by_role("button", name="Verify it").click()
    expect(page.locator("#toasts")).to_contain_text("Asked for")
    expect(page.get_by_text("every hash and root computed anew")).to_be_visible(timeout=20_000)
    expect(page.locator("#verification-state")).not_to_contain_text("Being verified")
    screen.axe()
    page = screen.open("/audit")
    page.get_by_role("link", name=re.compile("^Why you can see")).first.click()
    expect(page.locator("h1")).to_contain_text("Seen by")
    screen.axe()


def test_an_outsider_takes_checkpoint_and_key_without_signing_in(
    screens: Screens, workspace: Workspace
) -> None:
    workspace.signed_in(screens)
    screen = screens(workspace.url, width=PHONE, theme="dark")
    page = screen.open("/trust")
    expect(page.locator("h1")).to_contain_text("has committed itself to")
    expect(page.locator("#checkpoint-text")).to_contain_text("clearway/")
    screen.fits()
    screen.axe()
    assert page.get_by_role("link", name="Sign in").count() == 1


@pytest.mark.parametrize(("width", "theme", "part"), looks((WIDE, "dark"), (PHONE, "light")))
def test_every_page_is_readable_in_both_themes_and_fits_a_phone(
    screens: Screens, workspace: Workspace, width: int, theme: str, part: slice
) -> None:
    screen = workspace.signed_in(screens, width=width, theme=theme)
    for path in ("/audit", "/audit/log", "/audit/1", "/audit/audience/2", "/trust")[part]:
        screen.open(path)
        screen.fits()
        screen.axe()
