"""User tasks: download a report and acknowledge; record volatile evidence of a 3DF item before the patch."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from harness import LOOKS, Screen
from hostile import look
from playwright.sync_api import expect

Screens = Callable[..., Screen]
CONCERNED = 'li[data-row]:has-text("water-gw")'


def screen_of(screens: Screens, live: Any, who: str, **more: Any) -> Screen:
    return screens(live[1], cookies={"clearway": live[0].cookie(who)}, **more)


def test_the_seven_day_report_is_downloaded_and_the_directive_acknowledged(
    screens: Screens, live: Any
) -> None:
    screen = screen_of(screens, live, "operator@water")
    page = screen.open("/directives")
    expect(page.locator("h1")).to_contain_text("1 directive waits for Water works")
    page.get_by_role("link", name="BOD 26-04").click()
    with page.expect_download() as told:
        page.get_by_role("link", name="Seven-day report as JSON").click()
    report = json.loads(told.value.path().read_bytes())
    assert report["report"] == "seven_day"
    assert report["organisation"] == "water"
    page.get_by_label("A note to The authority").fill("read")
    expect(page.locator("#note .sees")).to_contain_text("members of Water works and of The authority")
    page.get_by_role("button", name="Acknowledge").click()
    expect(page.locator("#toasts")).to_contain_text("is acknowledged")
    expect(page.locator("#note")).to_contain_text("taken note of")


def test_volatile_evidence_is_recorded_before_the_patch(screens: Screens, live: Any) -> None:
    screen = screen_of(screens, live, "operator@water")
    page = screen.open("/directives/bod-26-04")
    page.locator("#triage").get_by_role("button", name="Start a workbook for CVE-2026-2 on water-gw").click()
    page.wait_for_url("**/directives/triages/*")
    expect(page.locator("h1")).to_have_text("Take volatile evidence first, then patch")
    expect(page.locator("#patch")).to_contain_text("No volatile evidence is recorded yet")
    evidence = page.locator("#evidence")
    evidence.get_by_label("Id, such as").fill("mem-1")
    evidence.get_by_label("What it is").fill("memory of water-gw")
    evidence.get_by_label("SHA-256").fill("ab" * 32)
    evidence.get_by_label("Size in bytes").fill("4096")
    evidence.get_by_label("Where it is kept").fill("safe 2")
    evidence.get_by_role("button", name="Record the evidence").click()
    expect(page.locator("#evidence tbody")).to_contain_text("volatile")
    expect(page.locator("#patch")).not_to_contain_text("No volatile evidence")
    page.locator("#patch").get_by_label("What was installed").fill("beta 3")
    page.locator("#patch").get_by_role("button", name="Record the patch").click()
    expect(page.locator("#patch")).to_contain_text("Patched")
    expect(page.locator(".state-failed")).to_have_count(0)
    screen.axe()
    screen.shot("directive-triage")


def test_an_authority_sees_who_took_note_and_what_is_not_shared(screens: Screens, live: Any) -> None:
    screen = screen_of(screens, live, "official@authority")
    page = screen.open("/directives/bod-26-04/compliance?org=authority")
    expect(page.locator("tr[data-row=hospital]")).to_contain_text("not shared")
    expect(page.locator("tr[data-row=hospital]")).to_contain_text("not yet")


@pytest.mark.parametrize(("width", "theme", "part"), LOOKS)
def test_axe_finds_nothing_serious_and_nothing_overflows(
    screens: Screens, live: Any, width: int, theme: str, part: slice
) -> None:
    screen = screen_of(screens, live, "operator@hospital", width=width, theme=theme)
    own = (
        "/directives",
        "/directives/bod-26-04",
        "/directives/triages",
        "/directives/bod-26-02",
        "/directives/nca-1",
    )
    for path in (*own, "/directives/bod-26-04/attestation")[part]:
        screen.open(path)
        screen.axe()
        screen.fits()
        screen.shot(path.strip("/").replace("/", "-"))
    screen = screen_of(screens, live, "official@authority", width=width, theme=theme)
    for path in ("/directives/bod-26-04/compliance?org=authority", "/directives/issue?org=authority")[part]:
        screen.open(path)
        screen.axe()
        screen.fits()
        screen.shot(path.partition("?")[0].strip("/").replace("/", "-"))


@pytest.mark.parametrize("width", [1280, 390])
def test_what_is_to_come_is_told_apart_from_what_is_due(screens: Screens, live: Any, width: int) -> None:
    """User task: find out from when a new directive binds, and what of it would be late at once."""
    screen = screen_of(screens, live, "operator@hospital", width=width)
    page = screen.open("/directives")
    page.get_by_role("link", name="NCA 1", exact=True).click()
    expect(page.locator("h1")).to_contain_text("nothing is due under it before")
    expect(page.get_by_text("From that day on it is binding for Hospital")).to_be_visible()
    expect(page.locator("#ahead")).to_contain_text("Nothing of this is due today")
    expect(page.locator("#ahead")).to_contain_text("2 of 2 open items would be overdue at once")
    expect(page.locator("[data-row=ahead-3DF]")).to_contain_text("1")
    expect(page.locator("main .left.over, main strong.over, #triage")).to_have_count(0)
    page.locator("#ahead summary").first.click()
    expect(page.locator("#ahead .reasons").first).to_be_visible()
    screen.axe()
    screen.fits()
    screen.shot("directive-to-come")


def test_what_people_wrote_runs_nowhere(screens: Screens, live: Any) -> None:
    screen = screen_of(screens, live, "operator@water")
    look(screen, "/directives/bod-26-04?words=exact")
    page = screen.open("/directives/bod-26-04")
    page.locator("#triage").get_by_role("button", name="__ran").first.click()  # one with a payload for a name
    page.wait_for_url("**/directives/triages/*")
    look(screen, page.url.removeprefix(live[1]), "/directives/triages", "/directives")
    look(screen, "/directives/bod-26-02", "/directives/bod-26-04/attestation")
