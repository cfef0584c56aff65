"""What must be seen beside each row is seen without scrolling; and on paper a plot has its table."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from harness import Screen

from fleet_site import Site

LONG = "edge-gateway-of-the-northern-pumping-station-and-its-backup.example.org"


def widest(site: Site) -> None:
    """A long name, long overdue, with every chip that there is."""
    if LONG in site.assets:
        return
    site.machine(site.operator, LONG, "pkg:pypi/django@4.1", environment="production")
    with site.people.owner() as owner:
        owner.execute("update clearway.flaw set score = 9.8, kev = '2021-12-10' where id = 'CVE-2026-0001'")
        owner.execute(
            "update clearway.exposure set due = '2021-12-24' "
            "where flaw in (select flaw from clearway.flaw where id = 'CVE-2026-0001')"
        )


@pytest.mark.parametrize("words", ["plain", "exact"])
def test_the_marking_is_beside_each_row_at_1280_and_a_long_name_is_whole_in_its_title(
    operator: Callable[..., Screen], site: Site, words: str
) -> None:
    widest(site)
    for theme in ("light", "dark"):
        screen = operator(width=1280, theme=theme)
        screen.open(f"/exposure?sort=due&words={words}")
        wrap = screen.page.locator(".table-wrap").bounding_box()
        heads = screen.page.locator("table.list thead th").all()
        assert wrap is not None
        for head in heads:
            box = head.bounding_box()
            assert box is not None
            assert box["x"] + box["width"] <= wrap["x"] + wrap["width"] + 1, head.inner_text()
        assert "Marking" in heads[-1].inner_text()
        long = screen.page.locator(f'a.clip[title="{LONG}"]').first
        assert long.inner_text() == LONG
        width = long.bounding_box()
        assert width is not None
        assert width["width"] < 200


def test_a_name_is_whole_on_a_phone(operator: Callable[..., Screen], site: Site) -> None:
    widest(site)
    screen = operator(width=390)
    screen.open("/exposure?sort=due")
    cell = screen.page.locator("table.list tbody tr").first.locator("td").nth(2)
    assert cell.evaluate("e => parseFloat(getComputedStyle(e).paddingLeft)") > 100, "beside its label"
    shown = screen.page.locator(f'a.clip[title="{LONG}"]').first
    assert shown.evaluate("e => e.scrollWidth <= e.clientWidth || getComputedStyle(e).display === 'inline'")


def test_a_printed_plot_has_its_table(operator: Callable[..., Screen], site: Site) -> None:
    screen = operator(width=1280)
    screen.open("/flaws/CVE-2026-0001")
    table = screen.page.locator(".plot-table table").first
    table.wait_for(state="attached")
    assert not table.is_visible()
    screen.page.emulate_media(media="print")
    assert table.is_visible()
