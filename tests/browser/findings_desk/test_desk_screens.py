"""Every screen of the findings desk: reached from the navigation, readable on each device, marked, and deaf to code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import hostile
import pytest
from harness import PHONE, Screen
from playwright.sync_api import expect

from clearway.findings import kept
from clearway.findings.case import thread
from clearway.findings.dedup import edge
from findings_desk_world import Furnished, again

Screens = Callable[..., Screen]
UNMARKED = {"lease-ask", "lease-whose", "report", "check", "limits"}
LOOKS = [(1280, "light"), (PHONE, "dark")]
ALL_LOOKS = [(width, theme) for width in (1440, 1280, PHONE) for theme in ("light", "dark")]


def screens_of(found: Furnished) -> dict[str, tuple[str, str]]:
    """Each screen by name: who looks, and its path."""
    one, other = found.pair
    return {
        "triage": ("coordinator", "/cases/triage"),
        "findings": ("coordinator", "/findings"),
        "my-findings": ("finder", "/findings"),
        "my-finding": ("finder", f"/findings/{found.incomplete}"),
        "finding": ("coordinator", f"/findings/{found.done}"),
        "evidence": ("coordinator", f"/findings/{found.done}/evidence"),
        "evidence-running": ("coordinator", f"/findings/{found.running}/evidence"),
        "duplicates": ("coordinator", "/findings/duplicates"),
        "side-by-side": ("coordinator", f"/findings/{one}/duplicates?with={other}"),
        "cases": ("coordinator", "/cases"),
        "case-room": ("coordinator", f"/cases/{found.case}"),
        "waits-for-you": ("maintainer", "/cases/mine"),
        "leases": ("coordinator", "/leases"),
        "lease": ("finder", f"/leases/{found.lease}"),
        "lease-ask": ("finder", "/leases/ask"),
        "lease-controls": ("operator", "/leases/controls"),
        "lease-whose": ("operator", "/leases/whose"),
        "report": ("finder", "/findings/report"),
        "check": ("finder", "/findings/check"),
        "limits": ("maintainer", "/findings/limits"),
    }


def screen_of(screens: Screens, desk: Any, who: str, **more: Any) -> Screen:
    found, url = desk
    return screens(url, cookies={"clearway": getattr(found.desk, who).cookie}, **more)


@pytest.mark.parametrize(
    ("who", "ways"),
    [
        ("finder", ["Report", "My findings", "Cases", "Leases", "Limits"]),
        ("coordinator", ["Triage", "Report", "Findings", "Cases", "Duplicates", "Leases", "Limits"]),
        ("maintainer", ["Waits for you", "Report", "My findings", "Cases", "Leases", "Limits"]),
    ],
)
def test_who_works_at_the_desk_has_its_ways_on_every_page(
    screens: Screens, desk: Any, who: str, ways: list[str]
) -> None:
    screen = screen_of(screens, desk, who)
    page = screen.open("/this-week")
    row = page.get_by_role("navigation", name="Findings")
    assert row.get_by_role("link").all_inner_texts() == ways
    for way in ways:
        row.get_by_role("link", name=way, exact=True).click()
        expect(row.get_by_role("link", name=way, exact=True)).to_have_attribute("aria-current", "page")
        expect(row.locator("[aria-current]")).to_have_count(1)
        expect(page.get_by_role("navigation", name="Main").locator("[aria-current]")).to_have_text("Findings")


def test_who_only_reads_has_the_lists_where_they_are(screens: Screens, desk: Any) -> None:
    page = screen_of(screens, desk, "operator").open("/this-week")
    row = page.get_by_role("navigation", name="Findings")
    expect(row).to_have_count(0)
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Findings").click()
    assert row.get_by_role("link").all_inner_texts() == ["Findings", "Cases", "Leases", "Limits"]


def looked_at(screen: Screen, name: str, path: str) -> None:
    """Nothing serious for axe, nothing wider than the screen, and marked above and below where it shows what is."""
    page = screen.open(path)
    screen.axe()
    screen.fits()
    screen.shot(name)
    assert page.locator(".tlp-banner").count() == (0 if name in UNMARKED else 2), name
    screen.check()


@pytest.mark.parametrize(("width", "theme"), LOOKS)
def test_every_screen_can_be_read_by_everybody_on_a_desk_or_on_a_phone(
    screens: Screens, desk: Any, width: int, theme: str
) -> None:
    windows: dict[str, Screen] = {}
    for number, (name, (who, path)) in enumerate(screens_of(desk[0]).items()):
        if number % 2 == LOOKS.index((width, theme)):  # the others are looked at on the other device
            if who not in windows:
                windows[who] = screen_of(screens, desk, who, width=width, theme=theme)
            looked_at(windows[who], name, path)


@pytest.mark.slow
@pytest.mark.parametrize(("width", "theme"), ALL_LOOKS)
def test_every_screen_can_be_read_on_each_device_in_both_themes(
    screens: Screens, desk: Any, width: int, theme: str
) -> None:
    windows: dict[str, Screen] = {}
    for name, (who, path) in screens_of(desk[0]).items():
        if who not in windows:
            windows[who] = screen_of(screens, desk, who, width=width, theme=theme)
        looked_at(windows[who], name, path)


def test_the_keys_of_the_page_are_listed_and_lead_to_its_acts(screens: Screens, desk: Any) -> None:
    page = screen_of(screens, desk, "coordinator").open("/cases/triage")
    page.keyboard.press("?")
    listed = page.locator("#keyboard-help")
    for words in ("next and previous row", "put into one case", "validate each", "they are one flaw"):
        expect(listed).to_contain_text(words)
    page.keyboard.press("Escape")
    page.keyboard.press("v")
    expect(page.locator("body")).to_be_focused()
    page.keyboard.press("j")
    page.keyboard.press("x")
    page.keyboard.press("v")
    expect(page.get_by_role("button", name="Validate each")).to_be_focused()


def test_each_date_tells_utc_and_the_readers_own_time(screens: Screens, desk: Any) -> None:
    found, _ = desk
    page = screen_of(screens, desk, "coordinator").open(f"/cases/{found.case}")
    times = page.locator("main time[datetime*='T']")
    assert times.count() > 5
    for time in times.all():
        assert "UTC" in (time.get_attribute("data-tip") or "")
        assert "here" in (time.get_attribute("data-tip-local") or "")


def test_the_course_of_a_case_has_its_table(screens: Screens, desk: Any) -> None:
    found, _ = desk
    page = screen_of(screens, desk, "coordinator").open(f"/cases/{found.case}")
    plot = page.get_by_role("figure")
    plot.get_by_text("Show as a table").click()
    rows = plot.get_by_role("row")
    expect(rows.filter(has_text="opened")).to_have_count(1)
    expect(rows.filter(has_text="a day is proposed")).to_have_count(1)


def test_a_finder_sees_where_each_report_stands_and_what_is_next(screens: Screens, desk: Any) -> None:
    found, _ = desk
    page = screen_of(screens, desk, "finder").open(f"/findings/{found.incomplete}")
    expect(page.locator(".course [aria-current=step]").first).to_contain_text("1 thing is missing")
    page = screen_of(screens, desk, "finder").open(f"/findings/{found.done}")
    expect(page.locator(".course")).to_contain_text("reached E4")
    own = page.context.new_page()
    own.goto(f"/cases/{found.case}")
    expect(own.get_by_role("heading", level=1)).to_have_text("Heap buffer overflow in a parser")


def test_no_text_of_a_report_a_case_or_a_lease_is_run(screens: Screens, desk: Any) -> None:
    found, _ = desk
    payload = hostile.together()
    short = [p for name, p in hostile.CORPUS.items() if name not in ("long", "nul and controls")]
    handlings = []
    for text in short:
        made = found.desk.finding(
            title=text[:300], package=text[:300], release=text[:200], place=text[:1000], state="queued"
        )
        handlings.append(made.handling)
    with found.desk.owner() as db:
        db.execute(
            """update clearway.finding set state_why = left(%s, 2000), level_why = left(%s, 2000)
            where handling = any(%s)""",
            (payload, payload, handlings),
        )
        first, second = (kept.one(db, h) for h in handlings[:2])
        edge.add(db, first.id, second.id, "likely", "place", score=0.9, reason=payload[:2000])
    case = found.cases.opened(title=payload[:300])
    found.cases.by_mail(case)
    with found.cases.acting() as db:
        made = thread.add(db, found.desk.vault, again(found.cases, case.handling), payload[:200])
        thread.say(db, found.desk.vault, again(found.cases, case.handling), made, payload)
    with found.desk.owner() as db:
        db.execute(
            "update clearway.case_party set name = left(%s, 200), answer_why = %s where case_id = %s",
            (payload, payload[:4000], case.id),
        )
        db.execute(
            "update clearway.lease set label = left(%s, 200), scope = array[%s]", (payload, payload[:500])
        )
    screen = screen_of(screens, desk, "coordinator")
    hostile.look(
        screen,
        "/cases/triage?columns=points,reasons,level,package,state,organisation,received,case,handling,cwe,place",
        "/findings?columns=handling,package,state,level,received,place,state_why,organisation",
        "/findings/duplicates",
        *(f"/findings/{h}" for h in handlings[:3]),
        f"/findings/{handlings[0]}/evidence",
        f"/findings/{handlings[0]}/duplicates?with={handlings[1]}",
        "/cases",
        f"/cases/{case.handling}",
        "/leases",
        f"/leases/{found.lease}",
    )


@pytest.mark.parametrize(
    ("who", "path", "button"),
    [
        ("finder", "/findings/report", "Report it"),
        ("operator", "/leases/whose", "Ask"),
        ("operator", "/leases/controls", "Begin"),
        ("maintainer", "/findings/limits", "Set it"),
    ],
)
def test_what_is_typed_into_a_form_comes_back_as_text(
    screens: Screens, desk: Any, who: str, path: str, button: str
) -> None:
    payload = hostile.together().replace("\n", " ")
    screen = screen_of(screens, desk, who)
    page = screen.open(path)
    form = page.locator("main form").filter(has=page.get_by_role("button", name=button, exact=True)).last
    for field in form.locator("input:not([type]), input[type=text], textarea").all():
        most = int(field.get_attribute("maxlength") or 4_000)
        field.fill(payload[:most])
    screen.expect("status of 422")
    form.get_by_role("button", name=button, exact=True).click()
    page.wait_for_load_state()
    expect(page.locator("main [aria-invalid=true], main [role=alert]").first).to_be_visible()
    assert not page.locator(hostile._STRANGERS).count(), "no markup of what was typed"
    screen.axe()
