"""Takes pictures of a running server's pages, each at two widths and in both themes.

    clearway --home HOME up &                       # prints the URL, and for a new home a one-time code
    scripts/screenshots.py http://localhost:8437 --code CODE --out docs/screens /this-week "search=/search?q=x"

A page is its path, or NAME=PATH. It fails when a page is not 200, writes to the console, or breaks the content security
policy. Needs Chromium (`scripts/system-packages.sh`).
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
WIDTHS = {1280: 900, 390: 844}
THEMES = ("light", "dark")


def main() -> int:
    arguments = _arguments()
    folder = Path(arguments.out)
    folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=arguments.chromium, args=ARGUMENTS)
        try:
            cookies = _signed_in(browser, arguments.url, arguments.code) if arguments.code else []
            faults = [
                fault
                for width in WIDTHS
                for theme in THEMES
                for fault in _taken(browser, arguments, folder, width, theme, cookies)
            ]
        finally:
            browser.close()
    for fault in faults:
        print(fault, file=sys.stderr)
    return 1 if faults else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("url", help="where the server answers")
    parser.add_argument("pages", nargs="+", metavar="PAGE", help="a path, or NAME=PATH")
    parser.add_argument("--out", default="docs/screens", help="the folder for the pictures")
    parser.add_argument("--code", default="", help="a one-time code to sign in with")
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    parser.add_argument("--first", action="store_true", help="only what is seen without scrolling")
    return parser.parse_args()


def _signed_in(browser: Browser, url: str, code: str) -> list[dict[str, object]]:
    """The cookies of a session that was opened with `code`."""
    context = browser.new_context(base_url=url)
    page = context.new_page()
    page.goto("/sign-in")
    page.locator("input[name=code]").fill(code)
    page.locator("form:has(input[name=code]) button").click()
    page.wait_for_load_state()
    found: list[dict[str, object]] = [{**cookie} for cookie in context.cookies()]
    context.close()
    return found


def _taken(
    browser: Browser,
    arguments: argparse.Namespace,
    folder: Path,
    width: int,
    theme: str,
    cookies: list[dict[str, object]],
) -> list[str]:
    """Takes all pages at one width in one theme; returns what was wrong with them."""
    context = browser.new_context(
        base_url=arguments.url,
        viewport={"width": width, "height": WIDTHS[width]},
        color_scheme="dark" if theme == "dark" else "light",
        reduced_motion="reduce",
        locale="en-GB",
        timezone_id="Europe/Paris",
    )
    if cookies:
        context.add_cookies(cookies)  # type: ignore[arg-type]  # as `cookies()` gave them
    page = context.new_page()
    faults: list[str] = []
    page.on("console", lambda m: faults.append(f"{page.url}: {m.text}") if m.type == "error" else None)
    page.on("pageerror", lambda error: faults.append(f"{page.url}: {error}"))
    for wanted in arguments.pages:
        faults += _one(page, wanted, folder, f"{width}-{theme}", whole=not arguments.first)
    context.close()
    return faults


def _one(page: Page, wanted: str, folder: Path, kind: str, *, whole: bool) -> list[str]:
    before, _, after = wanted.partition("=")
    name, path = (before, after) if after and not before.startswith("/") else ("", wanted)
    name = name or path.partition("?")[0].strip("/").replace("/", "-") or "start"
    answer = page.goto(path)
    if page.locator("[data-live]").count():
        page.wait_for_timeout(500)  # its stream keeps the network busy for ever
    else:
        page.wait_for_load_state("networkidle")
    page.screenshot(path=folder / f"{name}-{kind}.png", full_page=whole)
    status = answer.status if answer else 0
    return [] if status == 200 else [f"{path}: answered {status}"]


if __name__ == "__main__":
    raise SystemExit(main())
