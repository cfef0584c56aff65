"""Every component in a real browser: both themes, both widths, with and without script."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from harness import PHONE, WIDE, Screen

from live_server import Live

Screens = Callable[..., Screen]


@pytest.mark.parametrize(
    ("width", "theme"),
    [
        (WIDE, "light"),
        (PHONE, "dark"),
        (800, "light"),
        pytest.param(WIDE, "dark", marks=pytest.mark.slow),
        pytest.param(PHONE, "light", marks=pytest.mark.slow),
        pytest.param(800, "dark", marks=pytest.mark.slow),
    ],
)
def test_every_component_passes_axe_and_fits_its_width(
    screens: Screens, gallery: Live, width: int, theme: Any
) -> None:
    screen = screens(gallery.url, width=width, theme=theme)
    screen.open("/gallery?marked=1&wrong=1&tier=3D&tier!=60D")
    screen.shot("gallery")
    screen.fits()
    screen.axe()


@pytest.mark.parametrize("width", [WIDE, PHONE])
def test_plain_words_and_all_columns_fit_too(screens: Screens, gallery: Live, width: int) -> None:
    screen = screens(gallery.url, width=width, cookies={"clearway_density": "compact"})
    screen.open("/gallery?words=plain&columns=due,flaw,component,tier,machines,tlp,owner")
    screen.shot("plain")
    screen.fits()
    screen.axe()


@pytest.mark.parametrize(("path", "status"), [("/nowhere", 404), ("/closed", 401)])
def test_an_error_is_a_page_that_says_what_to_do(
    screens: Screens, gallery: Live, path: str, status: int
) -> None:
    screen = screens(gallery.url, width=PHONE, theme="dark")
    page = screen.open(path, status=status)
    screen.shot(f"error-{status}")
    screen.axe()
    page.get_by_role("link", name="Go to the start" if status == 404 else "Sign in").last.click()
    if status == 401:
        screen.expect("status of 404")  # the gallery has no door
        page.wait_for_url("**/sign-in?next=/closed")


def test_a_printed_page_keeps_its_marking_and_leaves_controls_out(screens: Screens, gallery: Live) -> None:
    screen = screens(gallery.url, width=760)
    page = screen.open("/gallery?marked=1")
    page.emulate_media(media="print")
    assert page.locator(".tlp-banner").first.is_visible()
    for gone in ("nav", ".facets", ".pager", ".bulk", "form.search", ".list-formats"):
        assert not page.locator(gone).first.is_visible(), gone
    screen.shot("print")
