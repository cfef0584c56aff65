"""A coordinator lets a model draft, in a browser over the whole product: summary, suggestions, a failure."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from harness import Screen, Workspace
from hostile import CORPUS

import model_server

Screens = Callable[..., Screen]
STORY = "The parser of strings reads beyond its buffer. A string without its end is enough. Memory leaks."


@pytest.fixture(scope="module")
def model(workspace: Workspace) -> Iterator[model_server.ModelServer]:
    """The home's endpoint."""
    with model_server.serving() as made:
        made.key = ""
        (workspace.home / "assist.toml").write_text(made.settings())
        yield made


def reported(screen: Screen, title: str, text: str) -> str:
    page = screen.open("/findings/report")
    page.get_by_label("Title").fill(title)
    page.get_by_label("Product (purl)").fill("pkg:pypi/example@1.7.15")
    page.get_by_label("What is wrong").fill(text)
    page.get_by_role("button", name="Report it").click()
    page.wait_for_url("**/findings/CWF-*")
    return page.url.rsplit("/", 1)[-1].split("?")[0]


def settled(screen: Screen) -> None:
    screen.settled()
    screen.axe()
    screen.fits()


@pytest.mark.parametrize(
    ("width", "theme"), [(1280, "light"), pytest.param(390, "dark", marks=pytest.mark.slow)]
)
def test_a_summary_is_drafted_while_one_looks_edited_and_taken(
    screens: Screens, workspace: Workspace, model: model_server.ModelServer, width: int, theme: str
) -> None:
    screen = workspace.signed_in(screens, width=width, theme=theme)
    first = reported(screen, f"Overflow at {width}", STORY)
    second = reported(screen, f"Overflow again at {width}", STORY)
    page = screen.open(f"/findings/{second}")
    page.get_by_role("button", name="Draft a summary").wait_for()
    assert "inside the house" in page.locator("#assist").inner_text()
    settled(screen)
    page.get_by_role("button", name="Draft a summary").click()
    page.get_by_role("heading", name="A summary, not checked").wait_for()  # by itself: the region looks again
    assert "drafted by a model (extractive-1), not checked" in page.locator("#assist").inner_text()
    settled(screen)
    screen.shot("assist-summary")
    page.get_by_label("Your text").fill("The parser over-reads. " + CORPUS["image"])
    page.get_by_role("button", name="Take it as edited").click()
    page.get_by_role("heading", name="Summary", exact=True).wait_for()
    assert "over-reads. <img" in page.locator("#assist").inner_text()
    settled(screen)
    page = screen.open(f"/findings/{second}/duplicates")
    page.get_by_role("button", name="Suggest duplicates").click()
    page.get_by_role("heading", name="May be the same flaw, not checked").wait_for()
    assert first in page.locator("#assist").inner_text()
    settled(screen)
    screen.shot("assist-duplicates")
    assert "Nothing is said yet" in page.locator("main").inner_text()  # no edge
    page.locator("#assist summary", has_text="They are one").first.click()
    page.locator("#assist [name=why]").first.fill("the same loop, looked at")
    page.locator("#assist").get_by_role("button", name="Merge").first.click()
    page.get_by_role("heading", name="2 findings are one flaw").wait_for()


def test_a_failure_says_what_to_do_and_nothing_waits_for_it(
    screens: Screens, workspace: Workspace, model: model_server.ModelServer
) -> None:
    screen = workspace.signed_in(screens, width=390)
    handling = reported(screen, "Another", STORY + " Again.")
    model.answers.append((401, b"{}"))
    page = screen.open(f"/findings/{handling}")
    page.get_by_role("button", name="Draft a summary").click()
    page.get_by_role("heading", name="The model drafted no summary").wait_for()
    assert "The endpoint refuses the key" in page.locator("#assist").inner_text()
    settled(screen)
    screen.shot("assist-failed")
    page.locator("#assist").get_by_role("button", name="Put it away").click()
    page.get_by_role("button", name="Draft a summary").wait_for()
