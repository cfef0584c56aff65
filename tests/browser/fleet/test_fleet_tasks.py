"""What people come to the fleet's pages to do, done in a real browser, one task a test."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from harness import PHONE, WIDE, Screen, shown

from fleet_site import TODAY, Site
from fleet_world import document

Windows = Callable[..., Screen]


@pytest.fixture(autouse=True)
def as_it_was(site: Site) -> None:
    """Every task begins with everything open."""
    ids = [e["id"] for e in site.exposures()]
    site.ask("POST", "/api/v1/exposures/decisions", site.operator, json={"exposures": ids, "status": "open"})


@pytest.mark.parametrize("width", [WIDE, PHONE])
def test_find_what_is_due_first_and_mark_it_done(operator: Windows, site: Site, width: int) -> None:
    """Task: open Clearway, read what is due first and why, say that it is done, and see that it is off the list."""
    screen = operator(width=width)
    page = screen.open("/")
    assert page.url.endswith("/this-week")
    first = page.locator(".step").first
    assert "Update django on web-1 and db-1" in first.inner_text()
    assert "Attackers use this flaw now" in first.inner_text()
    first.get_by_role("link", name="It is done").click()
    assert "2 exposures" in page.get_by_role("heading", level=1).inner_text()
    assert "No volatile evidence is recorded for 2 of 2 exposures" in page.get_by_role("alert").inner_text()
    screen.axe()
    screen.fits()
    page.get_by_label("I know that what memory would tell is lost").check()
    page.get_by_role("button", name="It is done: 2 exposures").click()
    page.wait_for_url("**/this-week")
    assert "2 exposures count as fixed." in page.locator("#toasts").inner_text()
    assert "django" not in page.locator(".step h2").all_inner_texts().__str__()
    assert {e["status"] for e in site.exposures() if e["name"] == "django"} == {"fixed"}
    page.get_by_role("button", name="Undo").click()
    page.get_by_text("2 exposures are as before.").wait_for()
    assert {e["status"] for e in site.exposures()} == {"open"}
    screen.axe()


def test_traces_are_looked_for_before_the_patch_from_this_week_on(operator: Windows, site: Site) -> None:
    """Task: a machine may have been broken into: from This week open its workbook, note the memory that was kept, and
    only then say that it is patched; nothing is held against it."""
    screen = operator()
    page = screen.open("/this-week")
    step = page.locator(".step").filter(has=page.get_by_role("heading", name=re.compile("Update django")))
    assert "primary" not in (step.get_by_role("link", name="It is done").get_attribute("class") or "")
    step.get_by_role("button", name="Start a workbook for CVE-2026-0001 on web-1").click()
    page.wait_for_url("**/directives/triages/*")
    evidence = page.locator("#evidence")
    evidence.get_by_label("Id, such as").fill("mem-1")
    evidence.get_by_label("What it is").fill("memory of web-1")
    evidence.get_by_label("SHA-256").fill("ab" * 32)
    evidence.get_by_label("Size in bytes").fill("4096")
    evidence.get_by_label("Where it is kept").fill("safe 2")
    evidence.get_by_role("button", name="Record the evidence").click()
    page.locator("#toasts").get_by_text("The evidence is recorded.").wait_for()
    book = page.url
    page.goto(f"{site.url}/this-week")
    assert "volatile evidence is there" in page.locator(".traces").first.inner_text()
    screen.axe()
    one = next(e["id"] for e in site.exposures() if (e["asset_name"], e["name"]) == ("web-1", "django"))
    page.goto(f"{site.url}/exposure/decide?act=fixed&ids={one}&back=/this-week")
    page.get_by_role("button", name="It is done: 1 exposure").click()
    page.wait_for_url("**/this-week")
    page.goto(book)
    assert "The fleet" in page.locator("#patch").inner_text()
    assert not page.locator(".state-failed").count()


def test_what_to_do_when_a_restart_must_wait(operator: Windows, site: Site) -> None:
    """Task: the update can't be made now; say what stands in the way until a day, in one's own words."""
    page = operator().open("/this-week")
    page.locator(".step").first.get_by_role(
        "link", name="Can't patch now: attackers are kept out another way"
    ).click()
    page.get_by_label("What was done").fill("Port 8443 is closed at the firewall.")
    page.get_by_label("Until").fill((TODAY + timedelta(days=10)).isoformat())
    page.get_by_role("button", name="Mark as mitigated: 2 exposures").click()
    page.wait_for_url("**/this-week")
    assert {(e["status"], e["until"]) for e in site.exposures() if e["name"] == "django"} == {
        ("mitigated", (TODAY + timedelta(days=10)).isoformat())
    }


@pytest.mark.parametrize("width", [WIDE, PHONE])
def test_set_right_on_which_day_something_was_found(operator: Windows, site: Site, width: int) -> None:
    """Task: a list had the wrong day of detection. From Exposure open the item, say on which day it was found; a slip
    of the day is told beside the field and costs nothing that was typed; then its date is counted anew."""
    screen = operator(width=width)
    one = next(e for e in site.exposures() if (e["asset_name"], e["name"]) == ("web-1", "django"))
    page = screen.open("/exposure?status=open&sort=due")
    page.locator(f'tr[data-row="{one["id"]}"]').get_by_role("link").first.click()
    page.wait_for_url(f"**/exposure/{one['id']}")
    page.get_by_text("The day it was found is wrong").click()
    assert "your reason on the log" in page.locator("#redate").inner_text()
    slip, right = TODAY + timedelta(days=2), TODAY - timedelta(days=2 if width == WIDE else 3)
    page.get_by_label("Found on").fill(slip.isoformat())
    page.get_by_label("Why it is that day").fill("The scanner's own list says so.")
    screen.fits()
    screen.expect("status of 422")
    page.get_by_role("button", name="Set it right").click()
    page.get_by_text("This needs mending before it can be saved").wait_for()
    alert = page.get_by_role("alert")
    assert f"can't have been detected on {slip}" in alert.inner_text()
    assert page.get_by_label("Found on").input_value() == slip.isoformat()
    assert page.get_by_label("Found on").get_attribute("aria-invalid") == "true"
    assert page.get_by_label("Why it is that day").input_value() == "The scanner's own list says so."
    screen.axe()
    screen.fits()
    screen.shot("exposure-redate-wrong")
    alert.get_by_role("link", name="Found on").click()
    page.get_by_label("Found on").fill(right.isoformat())
    page.get_by_role("button", name="Set it right").click()
    page.get_by_text(f"Found on {right}, not on").wait_for()
    assert next(e for e in site.exposures() if e["id"] == one["id"])["detected"] == right.isoformat()
    screen.axe()


def test_filter_select_two_and_accept_them_until_a_day(operator: Windows, site: Site) -> None:
    """Task: filter to what can be reached from the internet, is not set aside and is due within 7 days; select what
    is left; accept it until a day, having seen how many that is."""
    screen = operator()
    page = screen.open("/exposure")
    assert page.url.endswith("/exposure?status=open&sort=due")
    page.get_by_role("link", name="Due in 7 days").click()
    page.get_by_role("link", name=re.compile("^The internet")).click()
    page.wait_for_url("**exposure=public**")
    assert "suppressed" not in page.url
    page.goto(page.url.replace("status=open&", "") + "&suppressed!=yes")
    rows = page.locator("tbody tr[data-row]")
    count = rows.count()
    assert count == 2
    for box in page.locator('tbody input[name="id"]').all():
        box.check()
    assert page.locator("[data-bulk-count]").inner_text() == f"{count} selected"
    page.get_by_role("button", name="Accept until …").click()
    assert "2 exposures" in page.get_by_role("heading", level=1).inner_text()
    page.get_by_label("Until").fill((TODAY + timedelta(days=20)).isoformat())
    page.get_by_label("Reason").fill("The vendor comes on Monday.")
    screen.axe()
    page.get_by_role("button", name="Accept: 2 exposures").click()
    page.get_by_text("2 exposures are accepted until").wait_for()
    assert "suppressed!=yes" in page.url  # back where one was
    assert not page.locator("tbody tr[data-row]").count()  # set aside now
    page.get_by_role("link", name="Set aside", exact=True).click()
    assert page.locator("tbody tr[data-row]").count() == 2
    assert all("accepted" in text for text in page.locator("tbody tr[data-row]").all_inner_texts())


def test_all_that_match_are_counted_before_anything_happens(operator: Windows, site: Site) -> None:
    """Task: say of everything that a view shows that it does not affect, with the reason from the closed list."""
    page = operator().open("/exposure?status=open&kev=yes")
    page.get_by_label("Select all rows on this page").check()
    page.get_by_label("all 2 exposures that match").check()
    assert page.locator("[data-bulk-count]").inner_text() == "All that match"
    page.get_by_role("button", name="Not affected …").click()
    assert "2 exposures" in page.get_by_role("heading", level=1).inner_text()
    assert "1 flaw on db-1, web-1" in page.locator("main").inner_text()
    page.get_by_label("Why").select_option("vulnerable_code_not_in_execute_path")
    page.get_by_role("button", name="Mark as not affected: 2 exposures").click()
    page.get_by_text("2 exposures count as not affected.").wait_for()
    assert len([e for e in site.exposures() if e["status"] == "not_affected"]) == 2


def test_why_is_this_date_so(operator: Windows) -> None:
    """Task: understand why an exposure is due when it is, under which row, and what the rule is to the organisation."""
    screen = operator()
    page = screen.open("/this-week")
    page.locator(".step").first.get_by_role("link", name="why this date").click()
    text = page.locator("main").inner_text()
    assert "Why this date" in text
    assert "CISA's BOD 26-04 would give" in text
    assert "advice for you" in text
    assert "In KEV: yes" in text
    assert re.search(r"BOD 26-04 row \d+", text)
    assert "UTC" in text
    screen.axe()
    page.get_by_label("As it was at the end of").fill("2020-01-01")
    screen.expect("status of 422")
    page.get_by_role("button", name="Show that day").click()
    page.get_by_text("it was not known here on 2020-01-01").first.wait_for()


def test_where_do_the_sources_disagree_and_where_do_we_have_it(operator: Windows) -> None:
    """Task: look a flaw up by an alias; see who says what, where they disagree, and which machines have it."""
    screen = operator()
    page = screen.open("/flaws")
    page.get_by_label("Id").fill("PYSEC-2026-1")
    page.get_by_role("button", name="Show it").click()
    page.wait_for_url("**/flaws/CVE-2026-0001")
    assert "2 of your assets have it" in page.locator("main").inner_text()
    assert "two sources disagree" in page.locator(".disagreement").first.inner_text()
    assert "4.1.9" in page.locator(".disagreement").first.inner_text()
    page.get_by_text("Show as a table").click()
    assert "added to KEV" in page.locator(".plot-table").inner_text()
    screen.axe()
    page.goto("/flaws/CVE-2026-0003")
    assert "None of the assets that you may see has it" in page.locator("main").inner_text()


@pytest.mark.parametrize("width", [WIDE, PHONE])
def test_upload_a_new_inventory_and_read_what_changed(
    operator: Windows, site: Site, tmp_path: Path, width: int
) -> None:
    """Task: upload a new inventory of a machine and read what it changed."""
    name = f"upload-{width}"
    site.machine(site.operator, name, "pkg:pypi/flask@2.0", "pkg:pypi/attrs@24.1")
    file = tmp_path / "sbom.json"
    file.write_bytes(document("pkg:pypi/flask@3.1", "pkg:pypi/idna@3.4", "pkg:pypi/django@4.0"))
    screen = operator(width=width)
    page = screen.open("/assets")
    page.get_by_role("link", name=name).click()
    page.get_by_text("Upload a new inventory").click()
    page.locator("#upload input[type=file]").set_input_files(str(file))
    assert page.locator("#upload").get_by_label("Whose word it is").input_value() == "syft"
    page.get_by_role("button", name="Upload and show what changes").click()
    page.wait_for_url("**/inventories/*")
    assert page.get_by_role("heading", level=1).inner_text() == f"1 new exposure, 1 ended on {name}"
    assert "1 exposure appeared, 1 ended" in page.locator("#toasts").inner_text()
    text = page.locator("main").inner_text()
    assert "1 package changed" in text
    assert "2 packages added" in text
    assert "1 package removed" in text
    screen.axe()
    screen.fits()


def test_say_how_a_machine_can_be_reached_and_take_it_back(operator: Windows, site: Site) -> None:
    """Task: a machine was cut off from the internet: say so, see dates move, and take a mistake back."""
    page = operator().open(f"/assets/{site.assets['web-1']}")
    page.get_by_text("Say how it can be reached").click()
    page.locator("#exposure").get_by_label("Can be reached").select_option("internal")
    page.get_by_role("button", name="Say so").click()
    page.get_by_text(re.compile("web-1: from inside only since .* changed")).wait_for()
    assert (
        site.ask("GET", f"/api/v1/assets/{site.assets['web-1']}", site.operator).json()["exposure"]
        == "internal"
    )
    page.get_by_role("button", name="Undo").click()
    page.get_by_text(re.compile("web-1: from the internet since")).wait_for()
    assert (
        site.ask("GET", f"/api/v1/assets/{site.assets['web-1']}", site.operator).json()["exposure"]
        == "public"
    )


def test_change_what_is_kept_of_a_machine(operator: Windows, site: Site) -> None:
    """Task: note its owner and the end of its support, and find that on its page."""
    page = operator().open(f"/assets/{site.assets['db-1']}")
    page.get_by_text("Change it").click()
    page.locator("#edit").get_by_label("Owner").fill("Records office")
    page.locator("#edit").get_by_label("End of support").fill("2027-03-31")
    page.get_by_role("button", name="Save").click()
    page.get_by_text("db-1 is changed.").wait_for()
    assert "Records office" in shown(operator_page(page), ".facts")[0]


def operator_page(page: object) -> Screen:
    """`shown` asks for a screen; this is one around a page."""
    found = Screen.__new__(Screen)
    found.page = page  # type: ignore[assignment]
    return found


def test_a_new_home_says_what_to_do_first_and_the_first_inventory_leads_to_an_answer(
    screens: Windows, bare: Site, tmp_path: Path
) -> None:
    """Task: nothing is kept yet; add the first inventory by form and read what is to be done."""
    screen = screens(bare.url, cookies=bare.cookies(bare.operator))
    page = screen.open("/this-week")
    assert "No machine is kept here yet" in page.locator("main").inner_text()
    assert "clearway inventory add SBOM" in page.locator("main").inner_text()
    screen.axe()
    page.get_by_role("link", name="Add an inventory").click()
    page.get_by_role("button", name="Add it").click()
    screen.expect("status of 422")
    assert "choose a file, or paste a list" in page.locator("main").inner_text()
    page.get_by_label("Or paste a list").fill("pkg:pypi/django@4.1\npkg:pypi/attrs@24.1\n")
    page.get_by_label("Name of the machine").fill("first-1")
    page.get_by_label("Can be reached").select_option("public")
    page.get_by_role("button", name="Add it").click()
    page.wait_for_url("**/inventories/*")
    assert page.get_by_role("heading", level=1).inner_text() == "1 new exposure, 0 ended on first-1"
    page.get_by_role("link", name="This week").click()
    assert "Update django on first-1" in page.locator(".step").first.inner_text()


def test_a_rule_is_counted_before_it_stands_and_ends_again(operator: Windows, site: Site) -> None:
    """Task: say once that flask's flaw does not matter on web machines; see first how many that decides; end it."""
    screen = operator()
    page = screen.open("/exposure/rules")
    page.get_by_label("Name of the rule").fill("no flask on web machines")
    page.get_by_role("button", name="Count what it reaches").click()
    screen.expect("status of 422")
    page.get_by_text("a rule about everything").first.wait_for()
    page.get_by_label("Component").fill("flask")
    page.get_by_label("Asset").fill("web*")
    page.get_by_label("Why not affected").select_option("vulnerable_code_not_in_execute_path")
    page.get_by_role("button", name="Count what it reaches").click()
    page.get_by_text("It would decide 1 open exposure now").wait_for()
    assert {e["status"] for e in site.exposures()} == {"open"}
    screen.axe()
    page.get_by_role("button", name="Add the rule: 1 exposure").click()
    page.get_by_text("The rule stands, and has decided 1 exposure.").wait_for()
    assert [e["status"] for e in site.exposures(query="?name=flask&asset_name=web-1")] == ["not_affected"]
    screen.axe()
    page.get_by_role("button", name="End the rule no flask on web machines").click()
    page.get_by_text("what it decided stands").wait_for()
    page.get_by_text("No rule stands").wait_for()


def test_the_list_goes_by_the_keyboard_alone(operator: Windows, site: Site) -> None:
    """Task: move, select, open and act without a mouse."""
    page = operator().open("/exposure?status=open&sort=due")
    page.keyboard.press("j")
    page.keyboard.press("x")
    page.keyboard.press("j")
    page.keyboard.press("x")
    assert page.locator("[data-bulk-count]").inner_text() == "2 selected"
    page.keyboard.press("e")
    page.wait_for_url("**/exposure/*")
    assert "Why this date" in page.locator("main").inner_text()


def test_what_others_do_gathers_in_the_quiet_bar(operator: Windows, site: Site) -> None:
    """Task: keep reading while a colleague acts; nothing jumps, and one is told."""
    page = operator().open("/exposure?status=open&sort=due")
    before = page.locator("tbody tr[data-row]").all_inner_texts()
    one = site.exposures()[0]["id"]
    site.ask(
        "POST", "/api/v1/exposures/decisions", site.operator, json={"exposures": [one], "status": "fixed"}
    )
    page.locator("#quiet-bar").get_by_text("1 new").wait_for()
    assert page.locator("tbody tr[data-row]").all_inner_texts() == before
    page.locator("#quiet-bar").get_by_role("link", name="show").click()
    page.wait_for_load_state()
    assert len(page.locator("tbody tr[data-row]").all_inner_texts()) == len(before) - 1


def test_without_script_everything_is_still_a_link_or_a_form(screens: Windows, site: Site) -> None:
    """Task: mark one exposure as done in a browser without script."""
    screen = screens(site.url, cookies=site.cookies(site.operator), script=False)
    page = screen.open("/exposure?status=open&flaw=CVE-2026-0002&sort=due")
    page.locator('tbody input[name="id"]').first.check()
    page.get_by_role("button", name="It is done …").click()
    page.get_by_role("button", name=re.compile("It is done: 1 exposure")).click()
    assert "counts as fixed" in page.locator("#toasts").inner_text()
