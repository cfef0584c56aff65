"""What the script adds: keyboard, palette, selection, looks, live news, times, and htmx under a strict policy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from harness import PHONE, Screen, until
from playwright.sync_api import Route, expect

from live_server import Live

Screens = Callable[..., Screen]


def test_rows_are_reached_selected_and_opened_by_keys_alone(screens: Screens, gallery: Live) -> None:
    screen = screens(gallery.url)
    page = screen.open("/gallery")
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("x")
    assert page.evaluate("document.activeElement.dataset.row") == "x1"
    expect(page.get_by_role("checkbox", name="Select x1", exact=True)).to_be_checked()
    expect(page.locator("[data-bulk-count]")).to_have_text("1 selected")
    screen.shot("selected")
    page.keyboard.press("a")
    expect(page.get_by_role("button", name="It is done")).to_be_focused()
    assert page.url == gallery.url + "/gallery"
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("k")
    page.keyboard.press("e")
    page.wait_for_url("**/gallery?open=x0")


def test_tips_of_the_row_in_focus_are_reached_by_tab_and_those_of_others_are_not(
    screens: Screens, gallery: Live
) -> None:
    page = screens(gallery.url).open("/gallery")
    page.keyboard.press("j")
    reachable = "tbody [data-tip][tabindex='0']"
    assert page.locator(reachable).count() == page.locator("[data-row=x0] [data-tip]").count() > 0
    page.locator(reachable).first.focus()
    tip = page.evaluate("getComputedStyle(document.activeElement, '::after').content")
    assert "Sat 21 Nov 2026, the calendar day in UTC" in tip
    assert "ends here Sun 22 Nov, 01:00 CET" in tip


def test_keys_do_nothing_while_somebody_types_and_can_be_turned_off(screens: Screens, gallery: Live) -> None:
    page = screens(gallery.url).open("/gallery")
    page.keyboard.press("/")
    page.keyboard.type("jx?")
    expect(page.get_by_role("searchbox")).to_have_value("jx?")
    page.keyboard.press("Tab")
    page.locator("main").focus()
    page.keyboard.press("?")
    dialog = page.get_by_role("dialog", name="Keyboard")
    expect(dialog).to_be_visible()
    dialog.get_by_label("Keys of one letter act").uncheck()
    dialog.get_by_role("button", name="Close").click()
    page.locator("main").focus()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard")).to_have_count(0)


def test_the_palette_goes_to_a_page_by_part_of_its_name(screens: Screens, gallery: Live) -> None:
    screen = screens(gallery.url)
    page = screen.open("/gallery")
    page.keyboard.press("Control+k")
    page.keyboard.type("week")
    expect(page.get_by_role("option", name="This week")).to_have_attribute("aria-selected", "true")
    screen.shot("palette")
    screen.axe()
    page.keyboard.press("Enter")
    page.wait_for_url(gallery.url + "/")


def test_sorting_replaces_the_list_alone_and_the_way_back_restores_it(
    screens: Screens, gallery: Live
) -> None:
    page = screens(gallery.url).open("/gallery")
    page.evaluate("document.querySelector('h1').dataset.kept = 'yes'")
    page.get_by_role("link", name="Flaw", exact=True).first.click()
    page.wait_for_url("**/gallery?sort=flaw")
    expect(page.locator("th[aria-sort=ascending]")).to_have_text("Flaw▲")
    assert page.locator("h1").get_attribute("data-kept") == "yes"
    page.go_back()
    expect(page.locator("th[aria-sort=ascending]")).to_contain_text("Due")
    assert page.url == gallery.url + "/gallery"
    page.keyboard.press("j")
    assert page.evaluate("document.activeElement.dataset.row") == "x0"


def test_the_next_page_is_read_from_its_beginning(screens: Screens, gallery: Live) -> None:
    page = screens(gallery.url).open("/gallery")
    page.set_viewport_size({"width": 1280, "height": 300})
    page.get_by_role("link", name="Next →").first.click()
    page.wait_for_url("**/gallery?*cursor=b")
    first = page.get_by_role("link", name="← First page").first
    expect(first).to_have_count(1)
    expect(page.locator("table.list thead").first).to_be_in_viewport()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('.pager') === null"), "so is it by the keyboard"


def test_focus_stays_on_the_control_through_the_swap_and_the_number_of_rows_is_announced(
    screens: Screens, gallery: Live
) -> None:
    page = screens(gallery.url).open("/gallery")
    page.locator("#due-list-sort-flaw").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/gallery?sort=flaw")
    expect(page.locator("#announce")).to_have_text("31 exposures")
    expect(page.locator("#due-list-sort-flaw")).to_be_focused()
    page.locator(".columns summary").click()
    page.locator("#due-list-column-owner").focus()
    page.keyboard.press("Enter")
    expect(page.locator("th", has_text="Owner")).to_be_visible()
    expect(page.locator("#due-list-column-owner")).to_be_focused()
    page.keyboard.press("Escape")
    page.locator("#due-list-next").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#due-list-first")).to_be_visible()
    page.locator("#due-list-first").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#due-list-first")).to_have_count(0)
    expect(page.locator("#due-list")).to_be_focused()


def test_what_takes_long_is_fetched_after_the_page_and_shows_nothing_for_a_moment(
    screens: Screens, gallery: Live
) -> None:
    page = screens(gallery.url, reduced_motion=False).page
    asked: list[Route] = []
    page.route("**/later?part=1*", lambda route: asked.append(route))  # the answer waits for what follows
    with page.expect_request("**/later?part=1*"):
        page.goto("/later")
    # The animation is set to a moment of its own time: how fast this machine is decides nothing.
    at = """(e, moment) => { const [shown] = e.getAnimations(); shown.pause(); shown.currentTime = moment;
        return getComputedStyle(e).opacity; }"""
    skeleton = page.locator(".skeleton")
    assert [skeleton.evaluate(at, moment) for moment in (0, 299, 302)] == ["0", "0", "1"]
    asked[0].continue_()
    expect(page.locator("#slow #said")).to_have_text("here at last")


def test_nothing_is_fetched_for_the_page_before_our_script_says_what_may_be_put_into_it(
    screens: Screens, gallery: Live
) -> None:
    page = screens(gallery.url).page
    asked: list[str] = []
    held: list[Route] = []
    page.on("request", lambda request: asked.append(request.url))
    page.route("**/clearway*.js*", lambda route: held.append(route))
    page.goto("/later", wait_until="commit")
    until(page, "window.htmx && document.querySelector('#slow')")
    page.wait_for_timeout(100)  # for what must not come: slowness only makes this easier to pass
    assert not [url for url in asked if "part=1" in url]
    held[0].continue_()
    expect(page.locator("#slow #said")).to_have_text("here at last")


def test_a_server_that_is_gone_is_told_and_the_page_stays(screens: Screens, gallery: Live) -> None:
    screen = screens(gallery.url)
    screen.expect("ERR_FAILED|Failed to fetch")
    page = screen.open("/gallery")
    page.route("**/gallery?*", lambda route: route.abort())
    page.locator("#due-list-sort-flaw").click()
    expect(page.locator("#toasts")).to_contain_text("The server did not answer. What you see is as it was")
    expect(page.locator("[data-row=x0]")).to_be_visible()


def test_a_filter_has_three_states_and_all_are_links(screens: Screens, gallery: Live) -> None:
    page = screens(gallery.url).open("/gallery")
    page.get_by_role("link", name="14 days 1,204", exact=True).click()
    page.wait_for_url("**/gallery?tier=14D")
    page.get_by_role("link", name="not 14 days").click()
    page.wait_for_url("**/gallery?tier!=14D")
    page.get_by_role("link", name="any Tier").click()
    page.wait_for_url("**/gallery")


def test_htmx_sends_the_token_with_what_changes_something(screens: Screens, gallery: Live) -> None:
    page = screens(gallery.url).open("/gallery")
    page.locator("#by-htmx").click()
    expect(page.locator("#said")).to_have_text("done by htmx")


def test_a_failure_of_the_server_stands_where_the_answer_would(screens: Screens, gallery: Live) -> None:
    screen = screens(gallery.url)
    screen.expect("status of 503")
    page = screen.open("/gallery")
    page.locator("#fails").click()
    expect(page.locator("#answer [role=alert]")).to_contain_text("The page could not be made")
    assert "gone" not in page.locator("#answer").inner_text()


def test_a_form_of_another_session_is_refused_in_words(screens: Screens, gallery: Live) -> None:
    screen = screens(gallery.url)
    page = screen.open("/gallery")
    page.evaluate("for (const f of document.querySelectorAll('[name=_csrf]')) f.value = 'f'.repeat(64)")
    screen.expect("status of 403")
    page.get_by_role("checkbox", name="Select x0").check()
    page.get_by_role("button", name="It is done").click()
    expect(page.get_by_role("alert")).to_contain_text("load the page again")


@pytest.mark.parametrize("script", [True, False], ids=["with script", "without script"])
def test_what_was_done_is_told_once_and_can_be_undone(screens: Screens, gallery: Live, script: bool) -> None:
    page = screens(gallery.url, script=script).open("/gallery")
    page.locator("input[value=x2]").check()
    page.get_by_role("button", name="It is done").click()
    expect(page.locator("#toasts")).to_contain_text("x2: fixed")
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("#toasts")).to_contain_text("undone")
    page.goto("/gallery")
    expect(page.locator("#toasts")).to_be_empty()


def test_selecting_all_is_told_and_its_range_by_shift(screens: Screens, gallery: Live) -> None:
    page = screens(gallery.url).open("/gallery")
    page.locator("input[value=x1]").click()
    page.locator("input[value=x4]").click(modifiers=["Shift"])
    expect(page.locator("[data-bulk-count]")).to_have_text("4 selected")
    page.get_by_label("Select all rows on this page").check()
    expect(page.locator("[data-bulk-count]")).to_have_text("12 selected")
    page.get_by_label("all 31 exposures that match").check()
    expect(page.locator("[data-bulk-count]")).to_have_text("All that match")


def test_a_dialog_says_what_will_happen_and_wants_the_phrase(screens: Screens, gallery: Live) -> None:
    screen = screens(gallery.url)
    page = screen.open("/gallery")
    page.get_by_role("button", name="Withdraw").click()
    dialog = page.get_by_role("dialog", name="Withdraw")
    expect(dialog).to_contain_text("This ends the assessment at once.")
    screen.shot("dialog")
    screen.axe()
    dialog.get_by_label("Type M-7 to go on").fill("M-8")
    dialog.get_by_role("button", name="Withdraw").click()
    expect(dialog).to_be_visible()
    dialog.get_by_label("Type M-7 to go on").fill("M-7")
    dialog.get_by_role("button", name="Withdraw").click()
    expect(page.locator("#toasts")).to_contain_text("All: None")


def test_the_reader_chooses_theme_density_and_words_and_the_server_remembers(
    screens: Screens, gallery: Live
) -> None:
    screen = screens(gallery.url)
    page = screen.open("/gallery")
    page.get_by_role("button", name="Theme:").click()
    page.get_by_role("button", name="Theme:").click()
    page.get_by_role("button", name="Rows:").click()
    expect(page.get_by_text("KEV", exact=True).last).to_be_visible()
    page.get_by_role("link", name="Plain words").click()
    expect(page.get_by_text("attackers use this now")).to_be_visible()
    page.reload()
    html = page.locator("html")
    expect(html).to_have_attribute("data-theme", "dark")
    expect(html).to_have_attribute("data-density", "compact")
    expect(page.get_by_text("attackers use this now")).to_be_visible()
    screen.axe()


def test_a_term_is_explained_where_it_stands(screens: Screens, gallery: Live) -> None:
    screen = screens(gallery.url)
    page = screen.open("/gallery")
    page.get_by_role("button", name="KEV", exact=True).click()
    expect(page.get_by_text("flaws that somebody was seen to exploit")).to_be_visible()
    screen.shot("term")
    page.keyboard.press("Escape")
    expect(page.get_by_text("flaws that somebody was seen to exploit")).not_to_be_visible()


def test_news_gathers_in_a_quiet_bar_and_goes_on_from_the_last_id(screens: Screens, gallery: Live) -> None:
    page = screens(gallery.url).open("/live")
    # Each connection brings two events at most: five from 17 take three, each with the id of the last.
    expect(page.locator("#quiet-bar")).to_contain_text("5 new", timeout=8_000)
    page.wait_for_timeout(500)
    expect(page.locator("#quiet-bar")).to_contain_text("5 new")
    page.get_by_role("link", name="show").click()
    page.wait_for_url("**/gallery")


_HIDEABLE = """
window.hide = (hidden) => {
  const get = () => (hidden ? "hidden" : "visible");
  Object.defineProperty(document, "visibilityState", { configurable: true, get });
  document.dispatchEvent(new Event("visibilitychange"));
};
window.hide(location.hash === "#behind");
"""


def streams(page: Any) -> list[str]:
    """The addresses of the streams that a page asks for from now on."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/events/live" in request.url else None)
    return asked


def test_a_page_behind_others_has_no_stream_and_goes_on_where_it_was_once_it_is_seen(
    screens: Screens, gallery: Live
) -> None:
    screen = screens(gallery.url)
    screen.context.add_init_script(_HIDEABLE)
    asked = streams(screen.page)
    page = screen.open("/live#behind")
    bar = page.locator("#quiet-bar")
    page.evaluate("new Promise((done) => setTimeout(done, 500))")
    assert asked == []
    page.evaluate("hide(false)")
    expect(bar).to_contain_text("5 new", timeout=8_000)
    assert "after=17" in asked[0]
    page.evaluate("hide(true)")
    asked.clear()
    page.evaluate("new Promise((done) => setTimeout(done, 1_000))")  # two times what it waits to come back
    assert asked == []
    page.evaluate("hide(false)")
    for _ in range(100):
        if asked:
            break
        page.wait_for_timeout(50)
    assert "after=22" in asked[0]
    expect(bar).to_contain_text("5 new")


def test_where_turns_cant_be_had_the_window_with_the_focus_has_the_stream(
    screens: Screens, gallery: Live
) -> None:
    screen = screens(gallery.url)
    screen.context.add_init_script(
        "Object.defineProperty(Navigator.prototype, 'locks', { get: () => undefined });"
        "document.hasFocus = () => window.focused ?? false;"
    )
    asked = streams(screen.page)
    page = screen.open("/live")
    page.evaluate("new Promise((done) => setTimeout(done, 300))")
    assert asked == []
    page.evaluate("window.focused = true; window.dispatchEvent(new Event('focus'))")
    expect(page.locator("#quiet-bar")).to_contain_text("5 new", timeout=8_000)


def test_a_stream_that_is_refused_for_good_says_that_the_page_may_be_old(
    screens: Screens, gallery: Live
) -> None:
    screen = screens(gallery.url)
    screen.expect("status of 404")
    screen.page.route("**/events/live*", lambda route: route.fulfill(status=404))
    page = screen.open("/live")
    expect(page.locator("#quiet-bar")).to_contain_text("may be out of date", timeout=8_000)


def test_without_script_each_heading_stands_above_its_column(screens: Screens, gallery: Live) -> None:
    page = screens(gallery.url, script=False).open("/gallery")
    heads = page.locator("table.list").first.locator("thead th").filter(visible=True)
    cells = page.locator("table.list").first.locator("tbody tr").first.locator("td").filter(visible=True)
    assert [one.bounding_box()["x"] for one in heads.all()] == [
        one.bounding_box()["x"] for one in cells.all()
    ]
    assert page.locator("[data-pick-all]").is_hidden()


def test_on_a_phone_the_filters_are_folded_and_each_card_leads_with_the_date(
    screens: Screens, gallery: Live
) -> None:
    screen = screens(gallery.url, width=PHONE)
    page = screen.open("/gallery")
    expect(page.locator(".facets")).not_to_have_attribute("open", "")
    card = page.locator("[data-row=x0]")
    first = card.locator("td.lead").bounding_box()
    others: list[Any] = [cell.bounding_box() for cell in card.locator("td:not(.lead):not(.pick)").all()]
    assert first is not None
    assert all(first["y"] < box["y"] for box in others)


def test_code_in_attributes_is_refused_by_htmx_itself(screens: Screens, gallery: Live) -> None:
    screen = screens(gallery.url)
    screen.expect("code in attributes is not run here")
    page = screen.open("/gallery")
    page.evaluate(
        """() => { const evil = document.createElement("button");
        const attributes = {id: "evil", "hx-get": "/", "hx-vals": "js:{a: __ran(1)}", "hx-on:click": "__ran(2)"};
        for (const [name, value] of Object.entries(attributes)) evil.setAttribute(name, value);
        document.body.append(evil); htmx.process(evil); }"""
    )
    page.locator("#evil").click()
    screen.heard("code in attributes")


def test_pages_work_without_script(screens: Screens, gallery: Live) -> None:
    screen = screens(gallery.url, script=False)
    page = screen.open("/gallery")
    page.locator("th a", has_text="Flaw").click()
    page.wait_for_url("**/gallery?sort=flaw")
    expect(page.locator(".bulk")).to_be_visible()
    expect(page.get_by_role("button", name="Theme:")).to_have_count(0)
    page.locator("a[data-look=words]").click()
    expect(page.get_by_text("attackers use this now")).to_be_visible()


def test_what_takes_longer_than_a_second_says_so_and_stops_saying_so(screens: Screens, gallery: Live) -> None:
    page = screens(gallery.url).open("/gallery")
    held: list[Any] = []
    page.route("**/gallery?*", lambda route: held.append(route))
    bar = page.locator("#slow-bar")
    page.locator("a[hx-target]").first.click(no_wait_after=True)
    expect(bar).to_be_visible(timeout=10_000)
    expect(bar).to_have_text("Still working on it…")
    held.pop().continue_()
    expect(bar).to_be_hidden(timeout=10_000)


def test_a_whole_page_that_takes_long_says_so_on_the_one_before(screens: Screens, gallery: Live) -> None:
    page = screens(gallery.url).open("/gallery")
    # Without content the page stays as if the next one were still to come.
    page.route("**/a-page-that-waits", lambda route: route.fulfill(status=204))
    page.evaluate(
        """() => { const a = document.createElement("a"); a.href = "/a-page-that-waits"; a.id = "far";
        a.textContent = "far"; document.querySelector("main").append(a); }"""
    )
    bar = page.locator("#slow-bar")
    expect(bar).to_be_hidden()
    page.locator("#far").click(no_wait_after=True)
    expect(bar).to_be_visible(timeout=10_000)
    page.evaluate("window.dispatchEvent(new Event('pageshow'))")  # as when one comes back to it
    expect(bar).to_be_hidden()
