"""A real browser for tests of pages: one Chromium for the session, one fresh profile a test.

    def test_an_operator_marks_two_as_done(screens, gallery):
        screen = screens(gallery.url, width=390, theme="dark")
        screen.open("/gallery")
        screen.page.get_by_role("checkbox", name="Select x1").check()
        ...
        screen.axe()

`screens` is a fixture (`tests/browser/conftest.py`). What it makes is checked at the end of the test: any error on the
console, any violation of the content security policy, any uncaught exception, any request to another host, and any run
of a payload of `hostile.CORPUS` fails the test. A test that means to provoke one says so before:
`screen.expect("status of 503")`.

Servers: `served("module:function")` runs the application that a function returns in a process of its own. The fixture
`workspace` is the whole product as `clearway up` starts it, with an empty home, one for each test module:

    def test_an_administrator_adds_a_person(screens, workspace):
        workspace.clearway("ingest", "--quiet", folder)          # the command line over the same home
        screen = workspace.signed_in(screens, width=390)         # the first administrator
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Literal, TypeVar

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Request,
    expect,
    sync_playwright,
)

import live_server

# The shell is the same browser without its own windows: a new page costs it half as much.
_INSTALLED = (Path("/usr/bin/chromium-headless-shell"), Path("/usr/bin/chromium"))
CHROMIUM = Path(os.environ.get("CLEARWAY_CHROMIUM") or next(filter(Path.exists, _INSTALLED), _INSTALLED[-1]))
ARGUMENTS = (
    "--headless",
    "--no-sandbox",  # tests run as root in containers
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
WIDE, PHONE = 1280, 390
SHOTS = os.environ.get("CLEARWAY_SHOTS", "")  # a folder: `Screen.shot` writes there, and nowhere without it
Theme = Literal["light", "dark"]
T = TypeVar("T")


def looks(*two: tuple[int, Theme]) -> list[Any]:
    """For a test of `width`, `theme` and `part`, the part of its pages that it has to look at.

    The `two` share the pages out; behind `slow` a desk and a phone, light and dark, have all of them.
    """
    every: list[tuple[int, Theme]] = [(w, t) for w in (WIDE, PHONE) for t in ("light", "dark")]
    return [
        *((*look, slice(n, None, len(two))) for n, look in enumerate(two)),
        *(pytest.param(*look, slice(None), marks=pytest.mark.slow) for look in every),
    ]


LOOKS = looks((WIDE, "light"), (PHONE, "dark"))
_WATCH = """
document.addEventListener("securitypolicyviolation", (event) => {
  window.__violated?.(`${event.violatedDirective} ${event.blockedURI} ${event.sourceFile ?? ""}:${event.lineNumber}`);
});
"""
_BAD = ("serious", "critical")


@contextmanager
def chromium() -> Iterator[Browser]:
    """The installed Chromium with a new profile."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=[*ARGUMENTS])
        try:
            yield browser
        finally:
            browser.close()


class Screen:
    """One window on one server. `page` is Playwright's; everything else here is what our tests ask again and again."""

    def __init__(
        self,
        browser: Browser,
        url: str,
        *,
        width: int = WIDE,
        theme: Theme = "light",
        script: bool = True,
        cookies: dict[str, str] | None = None,
        zone: str = "Europe/Paris",
        reduced_motion: bool = True,
    ) -> None:
        self.url = url.rstrip("/")
        self.width, self.theme = width, theme
        self.faults: list[str] = []
        self.expected: list[str] = []
        self.context: BrowserContext = browser.new_context(
            base_url=self.url,
            viewport={"width": width, "height": 900 if width > 720 else 844},
            color_scheme=theme,
            java_script_enabled=script,
            timezone_id=zone,
            locale="en-GB",
            reduced_motion="reduce" if reduced_motion else "no-preference",
        )
        self.context.set_default_timeout(8_000)
        if cookies:
            self.context.add_cookies([{"name": n, "value": v, "url": self.url} for n, v in cookies.items()])
        self.context.expose_binding("__violated", lambda _, what: self.faults.append(f"policy: {what}"))
        self.context.expose_binding("__ran", lambda _, what=None: self.faults.append(f"payload ran: {what}"))
        self.context.add_init_script(_WATCH)
        self.page = self.context.new_page()
        self._watch(self.page)

    def _watch(self, page: Page) -> None:
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.faults.append(f"exception: {error}"))
        page.on("request", self._request)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.faults.append(f"console: {message.text}")

    def _request(self, request: Request) -> None:
        if not request.url.startswith((self.url + "/", "data:", "blob:", "about:")):
            self.faults.append(f"request to another host: {request.url}")

    def open(self, path: str, status: int = 200) -> Page:
        """Goes to a path of the server and holds it to its status."""
        if status >= 400:
            self.expect(f"status of {status}")
        answer = self.page.goto(path)
        assert answer is not None
        assert answer.status == status, f"{path} answered {answer.status}: {answer.text()[:400]}"
        return self.page

    def settled(self) -> Page:
        """The page at rest: what it asks for when it is loaded has come, and what runs late has had its time."""
        self.page.wait_for_timeout(100)
        expect(self.page.locator(".htmx-request")).to_have_count(0)
        return self.page

    def expect(self, pattern: str) -> None:
        """A fault that matches is what the test is about."""
        self.expected.append(pattern)

    def heard(self, pattern: str) -> str:
        """The fault that matches, as soon as the browser has told it; fails where it does not within eight seconds."""
        found = _soon(
            self.page, lambda: next((fault for fault in self.faults if re.search(pattern, fault)), None)
        )
        assert found, f"{self.page.url} did not tell {pattern!r}, but {self.faults}"
        return found

    def axe(self, *, without: tuple[str, ...] = ()) -> None:
        """Holds the page as it stands to axe: nothing serious or critical (WCAG 2.2 A and AA among it)."""
        from axe_playwright_python.sync_playwright import Axe

        found = Axe().run(self.page).response["violations"]
        bad = [v for v in found if v["impact"] in _BAD and v["id"] not in without]
        told = [
            f"{v['id']} ({v['impact']}): {v['help']}\n    "
            + "\n    ".join(f"{n['html'][:160]} | {n['failureSummary'][:300]}" for n in v["nodes"][:5])
            for v in bad
        ]
        assert not told, f"{self.page.url} at {self.width} px, {self.theme}:\n" + "\n".join(told)

    def fits(self) -> None:
        """Holds the page to its width: nothing makes it scroll sideways."""
        over: int = self.page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        assert over <= 0, f"{self.page.url} is {over} px wider than {self.width} px"

    def shot(self, name: str, folder: str | Path = SHOTS) -> Path | None:
        """A picture of the whole page in `folder` as NAME-WIDTH-THEME.png; None without a folder."""
        if not folder:
            return None
        path = Path(folder) / f"{name}-{self.width}-{self.theme}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=path, full_page=True)
        return path

    def check(self) -> None:
        """Fails with everything that went wrong and was not expected."""
        left = [f for f in self.faults if not any(re.search(p, f) for p in self.expected)]
        assert not left, f"{self.page.url}:\n" + "\n".join(left)

    def close(self) -> None:
        self.context.close()


def served(factory: str, *arguments: str, log: Path) -> AbstractContextManager[live_server.Live]:
    """A server process over `factory` ("module:function", a module under tests/), called with `arguments`."""
    program = (
        "import sys; sys.path[:0] = sys.argv[1].split(':')\n"
        "from importlib import import_module\n"
        "module, _, name = sys.argv[2].partition(':')\n"
        "app = getattr(import_module(module), name)(*sys.argv[3:])\n"
        "from clearway.app import server\n"
        "server.run(app, '127.0.0.1', server._free_port('127.0.0.1', 0), lambda url: print(url, flush=True))\n"
    )
    here = Path(__file__).resolve().parent
    paths = f"{here}:{here.parent}"
    return live_server.started([sys.executable, "-c", program, paths, factory, *arguments], log)


class Workspace:
    """A running installation. `code` is the first administrator's one-time code, good once."""

    def __init__(self, process: subprocess.Popen[str], url: str, home: Path, code: str) -> None:
        self.process, self.url, self.home, self.code = process, url, home, code
        self._cookies: list[Any] = []

    def clearway(self, *words: str | Path, code: int = 0) -> str:
        """What a command over the same home prints, after it has ended with `code`."""
        command = [_CLEARWAY, "--home", str(self.home), *map(str, words)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=_environment())
        assert done.returncode == code, (
            f"{words}: {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
        )
        return done.stdout

    def signed_in(self, screens: Callable[..., Screen], **more: Any) -> Screen:
        """A screen with the session of the first administrator, which begins with the one-time code."""
        screen = screens(self.url, **more)
        if self._cookies:
            screen.context.add_cookies(self._cookies)
            return screen
        page = screen.open("/sign-in")
        page.locator("input[name=code]").fill(self.code)
        # Where it leads to may not be there yet.
        screen.expected.append("status of 404")
        page.locator("form:has(input[name=code])").get_by_role("button").click()
        page.wait_for_url(lambda url: not url.endswith("/sign-in") and "/sign-in/code" not in url)
        screen.expected.remove("status of 404")
        screen.faults = [fault for fault in screen.faults if "status of 404" not in fault]
        self._cookies = [*screen.context.cookies()]
        return screen


_CLEARWAY = str(Path(sys.executable).with_name("clearway"))


def _environment() -> dict[str, str]:
    return {k: v for k, v in os.environ.items() if not k.startswith("CLEARWAY_")}


@contextmanager
def installed(home: Path, log: Path) -> Iterator[Workspace]:
    """`clearway up` over `home` on a free port, ended at the end."""
    command = [_CLEARWAY, "--home", str(home), "up", "--port", "0"]
    with log.open("w") as errors:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=errors, text=True, env=_environment()
        )
    assert process.stdout is not None
    try:
        address, code = process.stdout.readline(), process.stdout.readline()
        assert "http://" in address, log.read_text()
        yield Workspace(process, address.split()[-1].rstrip("/"), home, code.split()[-1])
    finally:
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()


def until(page: Page, expression: str) -> None:
    """Waits for eight seconds until it holds in the page.

    Playwright's `wait_for_function` evaluates a text inside the page when it asks again, which our policy forbids.
    """
    held = _soon(page, lambda: bool(page.evaluate(f"Boolean({expression})")))
    assert held, f"{page.url}: {expression} does not hold"


def _soon(page: Page, look: Callable[[], T]) -> T | None:
    """What `look` finds, asked again for eight seconds while it finds nothing."""
    for _ in range(400):
        if found := look():
            return found
        page.wait_for_timeout(20)
    return None


def shown(screen: Screen, selector: str) -> list[str]:
    """The texts of what matches and is visible."""
    found: list[Any] = screen.page.locator(selector).filter(visible=True).all_inner_texts()
    return [str(text).strip() for text in found]
