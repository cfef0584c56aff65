"""The harness itself: what it is to catch, it catches."""

from __future__ import annotations

from collections.abc import Callable
from html.parser import HTMLParser
from urllib.parse import quote

import pytest
from gallery_app import application_of_the_gallery
from harness import PHONE, Screen
from hostile import CORPUS, look, together
from litestar.testing import TestClient
from playwright.sync_api import Error

from live_server import Live

Screens = Callable[..., Screen]


def faulty(screen: Screen) -> str:
    """What `check` says of the screen, whose faults are then forgotten."""
    with pytest.raises(AssertionError) as raised:
        screen.check()
    screen.faults.clear()
    return str(raised.value)


def test_inline_code_is_a_violation_and_is_reported(screens: Screens, gallery: Live) -> None:
    screen = screens(gallery.url)
    page = screen.open("/gallery")
    page.evaluate("Object.assign(document.createElement('a'), {href: 'javascript:__ran(1)'}).click()")
    screen.heard("^policy:")
    assert "policy: script-src-elem inline" in faulty(screen)


def test_text_does_not_become_markup_in_a_script_that_slips(screens: Screens, gallery: Live) -> None:
    screen = screens(gallery.url)
    page = screen.open("/gallery")
    with pytest.raises(Error, match="TrustedHTML"):
        page.evaluate("document.body.innerHTML = '<img src=x onerror=__ran(1)>'")
    assert "requires 'TrustedHTML' assignment" in faulty(screen)


def test_a_payload_that_runs_is_reported(screens: Screens, gallery: Live) -> None:
    screen = screens(gallery.url)
    screen.open("/gallery").evaluate("window.__ran(7)")
    assert "payload ran: 7" in faulty(screen)


def test_a_foreign_request_an_exception_and_a_console_error_are_reported(
    screens: Screens, gallery: Live
) -> None:
    screen = screens(gallery.url)
    page = screen.open("/gallery")
    page.evaluate("console.error('bad'); setTimeout(() => { throw new Error('thrown') })")
    page.evaluate("fetch('http://127.0.0.1:9/').catch(() => 0)")
    for told in ("^console: bad", "^exception: thrown", "connect-src"):
        screen.heard(told)
    said = faulty(screen)
    assert "console: bad" in said
    assert "exception: thrown" in said
    assert "connect-src" in said


def test_axe_fails_on_a_field_without_a_label_and_on_pale_text(screens: Screens, gallery: Live) -> None:
    screen = screens(gallery.url)
    page = screen.open("/")
    page.evaluate("document.querySelector('main').append(document.createElement('input'))")
    page.evaluate("document.querySelector('#said').style.color = '#bbb'")
    with pytest.raises(AssertionError) as raised:
        screen.axe()
    assert "label (critical)" in str(raised.value)
    assert "color-contrast (serious)" in str(raised.value)


def test_a_page_wider_than_the_phone_is_told(screens: Screens, gallery: Live) -> None:
    screen = screens(gallery.url, width=PHONE)
    page = screen.open("/")
    page.evaluate(
        "document.querySelector('main').append(Object.assign(new Image(), {width: 900, height: 1}))"
    )
    with pytest.raises(AssertionError, match="wider than 390 px"):
        screen.fits()


@pytest.mark.parametrize("name", CORPUS)
def test_a_payload_is_only_text_in_every_place_of_the_gallery(name: str) -> None:
    """Without a browser: nothing of it is markup in the page that is sent."""
    with TestClient(application_of_the_gallery()) as client:  # type: ignore[arg-type]
        clean = tags(client.get("/gallery", params={"hostile": "plain"}).text)
        text = client.get("/gallery", params={"hostile": CORPUS[name]}).text
    assert tags(text) == clean


def test_the_whole_corpus_in_every_place_of_the_gallery_runs_nothing(screens: Screens, gallery: Live) -> None:
    screen = screens(gallery.url)
    look(screen, f"/gallery?hostile={quote(together())}")
    screen.page.locator("#due-list th a").first.click()
    screen.page.wait_for_url("**sort=**")
    look(screen, f"/gallery?hostile={quote(CORPUS['long'])}")
    screen.fits()


def test_most_payloads_run_where_nothing_defends(screens: Screens, gallery: Live) -> None:
    """Else a pass would say nothing."""
    screen = screens(gallery.url)
    screen.expect("")
    page = screen.page
    ran = set()
    for name, payload in CORPUS.items():
        page.set_content(f'<body><textarea>{payload}</textarea><p title="{payload}">{payload}</p>')
        page.wait_for_timeout(20)
        if any("payload ran" in fault for fault in screen.faults):
            ran.add(name)
        screen.faults.clear()
    assert len(ran) >= 14, sorted(set(CORPUS) - ran)


def tags(text: str) -> list[str]:
    """The start tags of a page with the names of their attributes, in order."""
    found: list[str] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            if tag != "wbr":  # where a long word may break depends on the word
                found.append(f"{tag} {' '.join(name for name, _ in attrs)}")

    reader = Reader()
    reader.feed(text)
    return found
