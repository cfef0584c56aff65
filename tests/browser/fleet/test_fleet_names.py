"""What is called by its name: things in the palette, rows that can be chosen; and how much is new, in numbers."""

from __future__ import annotations

from collections.abc import Callable

from harness import Screen

from clearway.app import indexing
from fleet_site import Site

Windows = Callable[..., Screen]


def test_the_palette_goes_to_a_flaw_by_its_name(operator: Windows, site: Site) -> None:
    """Task: on any page, type a part of a flaw's id and be there."""
    indexing.follow_flaws(site.people.owner, site.world.table())
    page = operator().open("/assets")
    page.keyboard.press("Control+k")
    page.keyboard.type("CVE-2026-0002")
    page.get_by_role("option", name="CVE-2026-0002 · Path traversal").click()
    page.wait_for_url("**/flaws/CVE-2026-0002")


def test_a_row_that_can_be_chosen_is_named_and_no_number_is_broken(operator: Windows, site: Site) -> None:
    """Task: choose a row by what it is, as a screen reader tells it; read the counts beside it."""
    page = operator().open("/exposure?status=open&sort=due")
    one = site.exposures(query="?status=open")[0]
    box = page.get_by_role("checkbox", name=f"Select {one['flaw']} in django")
    assert box.count() >= 1
    heights = page.locator(".count").evaluate_all("all => all.map(e => e.getClientRects().length)")
    assert heights
    assert set(heights) == {1}


def test_the_quiet_bar_counts_what_an_upload_brings(operator: Windows, site: Site) -> None:
    """Task: learn, while reading, how many exposures a colleague's upload brought."""
    page = operator().open("/exposure?status=open&sort=due")
    page.wait_for_timeout(500)
    before = len(site.exposures())
    site.machine(site.operator, "new-1", "pkg:pypi/django@4.1", "pkg:pypi/flask@2.0")
    many = len(site.exposures()) - before
    assert many == 2
    page.locator("#quiet-bar").get_by_text(f"{many} new").wait_for()
