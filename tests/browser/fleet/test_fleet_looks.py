"""Each of the fleet's screens: nothing serious for axe, no sideways scrolling, in both themes and widths."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from harness import LOOKS, PHONE, WIDE, Screen

from fleet_site import Site


@pytest.mark.parametrize(("width", "theme", "part"), LOOKS)
def test_every_screen_passes_axe_and_fits_its_width(
    operator: Callable[..., Screen], site: Site, width: int, theme: Any, part: slice
) -> None:
    one = site.exposures()[0]["id"]
    paths = {
        "this-week": "/this-week",
        "exposure": "/exposure?status=open&kev=yes&severity!=low&sort=due",
        "one-exposure": f"/exposure/{one}",
        "decide": f"/exposure/decide?act=not_affected&ids={one}",
        "facets": "/exposure/facets?status=open",
        "rules": "/exposure/rules?title=x&name=django&status=accepted&until=2099-01-01&detail=x",
        "flaw-find": "/flaws",
        "flaw": "/flaws/CVE-2026-0001",
        "assets": "/assets",
        "asset": f"/assets/{site.assets['web-1']}",
        "asset-add": "/assets/add",
        "inventory": f"/inventories/{site.inventories['web-1']}",
    }
    screen = operator(width=width, theme=theme)
    for name, path in [*paths.items()][part]:
        page = screen.open(path)
        page.evaluate("for (const fold of document.querySelectorAll('details.fold')) fold.open = true")
        screen.shot(name)
        screen.fits()
        screen.axe()


@pytest.mark.parametrize("words", ["plain", "exact"])
def test_words_may_be_plain_or_exact_and_columns_all(operator: Callable[..., Screen], words: str) -> None:
    screen = operator(width=PHONE)
    screen.open(
        f"/exposure?status=open&words={words}&columns=due,flaw,component,asset,tier,status,severity,epss,kev,detected,tlp"
    )
    screen.fits()
    screen.axe()


@pytest.mark.parametrize("width", [WIDE, PHONE])
def test_who_is_not_signed_in_is_told_what_this_is_and_where_to_sign_in(
    screens: Callable[..., Screen], site: Site, width: int
) -> None:
    screen = screens(site.url, width=width)
    page = screen.open("/")
    assert page.get_by_role("link", name="Sign in").count()
    assert "web-1" not in page.content()
    screen.fits()
    screen.axe()


def test_an_auditor_sees_the_same_without_the_acts(screens: Callable[..., Screen], site: Site) -> None:
    screen = screens(site.url, cookies=site.cookies(site.auditor))
    page = screen.open("/exposure?status=open&sort=due")
    assert page.locator("tbody tr[data-row]").count() >= 3
    assert not page.locator(".bulk").count()
    page.get_by_text("Why can I see this?").click()
    assert "members of Water" in page.locator(".why-seen").inner_text()
    screen.open(f"/assets/{site.assets['web-1']}")
    assert not page.get_by_role("button", name="Save").count()
    screen.open("/assets/add", status=403)
