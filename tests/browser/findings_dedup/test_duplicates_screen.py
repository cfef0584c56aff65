"""Two reports are merged, compared and taken apart again in a browser, on a desk and on a phone."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from harness import Screen, Workspace

Screens = Callable[..., Screen]


@pytest.mark.parametrize(
    ("width", "theme"), [(1280, "light"), pytest.param(390, "dark", marks=pytest.mark.slow)]
)
def test_two_findings_are_merged_shown_side_by_side_and_undone(
    screens: Screens, workspace: Workspace, width: int, theme: str
) -> None:
    screen = workspace.signed_in(screens, width=width, theme=theme)
    handlings = []
    for n in range(2):
        page = screen.open("/findings/report")
        page.get_by_label("Title").fill(f"Overflow {n} of two at {width}")
        page.get_by_label("Product (purl)").fill("pkg:pypi/example@1.7.15")
        page.get_by_role("button", name="Report it").click()
        page.wait_for_url("**/findings/CWF-*")
        handlings.append(page.url.rsplit("/", 1)[-1].split("?")[0])
    page.locator("#main").get_by_role("link", name="Duplicates").click()
    page.get_by_role("heading", name="It is alone").wait_for()
    screen.axe()
    screen.fits()
    page.get_by_text("Merge with another").click()
    page.locator("details[open] [name=with_]").fill(handlings[0])
    page.locator("details[open] [name=why]").fill("the same loop")
    page.get_by_role("button", name="Merge").click()
    page.get_by_role("heading", name="2 findings are one flaw").wait_for()
    screen.axe()
    screen.fits()
    screen.shot("duplicates")
    page.locator("#main").get_by_role("button", name="Undo").click()
    page.get_by_role("heading", name="It is alone").wait_for()
    assert "Revoked" in page.locator("main").inner_text()
    page.get_by_text("Say which flaw it is").click()
    page.locator("details[open] [name=flaw]").fill("CVE-2026-0001")
    page.locator("details[open] [name=fixed]").fill("1.8.0")
    page.locator("details[open] [name=why]").fill("the advisory names the loop")
    screen.expect("status of 422")  # nothing loaded names the product: it is asked whether that is sure
    page.get_by_role("button", name="Say it").click()
    page.get_by_label("I have looked, and it is this flaw").check()
    page.get_by_role("button", name="Say it").click()
    page.get_by_text("fixed in 1.8.0").wait_for()
    screen.axe()
    screen.fits()
