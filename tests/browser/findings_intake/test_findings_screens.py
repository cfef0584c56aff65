"""A finding is reported, completed, withdrawn and looked up in a browser, on a desk and on a phone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from harness import PHONE, WIDE, Screen, Workspace, looks

Screens = Callable[..., Screen]


@pytest.mark.parametrize(
    ("width", "theme"), [(1280, "light"), pytest.param(390, "dark", marks=pytest.mark.slow)]
)
def test_a_finding_is_reported_and_completed(
    screens: Screens, workspace: Workspace, tmp_path: Path, width: int, theme: str
) -> None:
    screen = workspace.signed_in(screens, width=width, theme=theme)
    page = screen.open("/findings/report")
    screen.axe()
    screen.fits()
    page.get_by_label("Title").fill(f"<b>Heap overflow</b> at {width}")
    page.get_by_label("Product (purl)").fill("pkg:pypi/example@1.7.15")
    page.get_by_label("Class (CWE)").fill("CWE-125")
    page.get_by_role("button", name="Report it").click()
    page.wait_for_url("**/findings/CWF-*")
    assert page.get_by_role("heading", level=1).inner_text() == f"<b>Heap overflow</b> at {width}"
    screen.axe()
    screen.fits()
    screen.shot("finding")
    page.get_by_text("Add what is missing").click()
    page.get_by_label("Source: file").fill("src/parse.c")
    page.get_by_label("Sink: file").fill("src/parse.c")
    page.get_by_label("Steps").fill("feed the file to parse() of a fresh installation")
    proof = tmp_path / "poc.json"
    proof.write_text('{"a":1')
    page.get_by_label("Input that makes it happen").set_input_files(proof)
    for area in page.locator("textarea[name^=shape_]").all():
        area.fill("looked at, and it is not so: see the trace")
    page.get_by_role("button", name="Add it").click()
    page.get_by_text("It lacks nothing any more").wait_for()
    assert "Waits for validation" in page.locator("main").inner_text()
    page.get_by_text("Say how it counts for its reporter").click()
    page.locator("form[action$='/mark'] select").select_option("invalid")
    page.locator("form[action$='/mark'] textarea").fill("it is what the manual says")
    page.get_by_role("button", name="Say so").click()
    page.get_by_text("and may appeal").wait_for()
    page.get_by_label("Why that is wrong").fill("the manual is wrong")
    page.get_by_role("button", name="Appeal").click()
    page.get_by_text("the manual is wrong").wait_for()
    # Who gave the mark and appealed against it decides nothing.
    assert page.get_by_role("button", name="Decide").count() == 0
    screen.axe()
    screen.fits()
    page.get_by_role("button", name="Withdraw").click()
    screen.axe()
    page.get_by_role("button", name="Withdraw it").click()
    page.get_by_text("is withdrawn").wait_for()


@pytest.mark.parametrize(("width", "theme", "part"), looks((WIDE, "dark"), (PHONE, "light")))
def test_the_other_pages_can_be_read_by_everybody_on_every_screen(
    screens: Screens, workspace: Workspace, width: int, theme: str, part: slice
) -> None:
    screen = workspace.signed_in(screens, width=width, theme=theme)
    for path in ("/findings", "/findings/check", "/findings/limits")[part]:
        screen.open(path)
        screen.axe()
        screen.fits()
        screen.shot(path.strip("/").replace("/", "-"))


def test_a_document_that_can_not_be_read_is_told_beside_the_field_without_script(
    screens: Screens, workspace: Workspace, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.json"
    broken.write_text('{"schema": "urn:clearway:schema:finding:1"')
    screen = workspace.signed_in(screens, script=False)
    page: Any = screen.open("/findings/report")
    screen.expect("status of 422")
    page.get_by_label("A document with one report or many").set_input_files(broken)
    page.get_by_role("button", name="Report it").click()
    page.locator("#field-document-error").wait_for()
