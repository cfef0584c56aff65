"""Edge devices past their support on the fleet's screens: nothing serious for axe, and no sideways scrolling."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from harness import LOOKS, Screen
from playwright.sync_api import expect

from fleet_site import TODAY, Site


@pytest.fixture(scope="module")
def devices(site: Site) -> Site:
    for name, days in (("fw-main", -57), ("vpn-" + "long-name-" * 8, 97), ("router-unsaid", None)):
        ends = None if days is None else TODAY + timedelta(days=days)
        site.machine(site.operator, name, edge=True, end_of_support=ends)
    return site


@pytest.mark.parametrize(("width", "theme", "part"), LOOKS)
def test_each_screen_with_devices_passes_axe_and_fits_its_width(
    operator: Callable[..., Screen], devices: Site, width: int, theme: Any, part: slice
) -> None:
    paths = {
        "support-week": "/this-week",
        "support-assets": "/assets?edge=yes&support=ended&support=within_12_months",
        "support-asset": f"/assets/{devices.assets['fw-main']}",
        "support-directive": "/directives/bod-26-02",
        "support-directives": "/directives",
    }
    screen = operator(width=width, theme=theme)
    for name, path in [*paths.items()][part]:
        screen.open(path)
        screen.shot(name)
        screen.fits()
        screen.axe()


def test_from_this_week_one_click_leads_to_the_devices(
    operator: Callable[..., Screen], devices: Site
) -> None:
    page = operator().open("/this-week")
    note = page.locator("#support")
    expect(note.locator("h2")).to_have_text("1 of 3 edge devices is past its support")
    note.get_by_role("link", name="See them").click()
    expect(page.locator("#assets")).to_contain_text("support ended")
    expect(page.locator("#assets tbody tr")).to_have_count(3)
