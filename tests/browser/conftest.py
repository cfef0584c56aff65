"""Fixtures of the browser tests; without Chromium they skip, and say so."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

import harness

from database import made_home  # noqa: F401
from live_server import Live


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """One Chromium for the session."""
    if not harness.CHROMIUM.exists():
        pytest.skip(f"no Chromium at {harness.CHROMIUM}; scripts/system-packages.sh installs it")
    with harness.chromium() as found:
        yield found


@pytest.fixture
def screens(browser: Any) -> Iterator[Callable[..., harness.Screen]]:
    """Makes screens: `screens(url, width=390, theme="dark", script=False, cookies={…})`; see `harness.Screen`."""
    made: list[harness.Screen] = []

    def make(url: str, **more: Any) -> harness.Screen:
        made.append(harness.Screen(browser, url, **more))
        return made[-1]

    yield make
    try:
        for screen in made:
            screen.check()
    finally:
        for screen in made:
            screen.close()


@pytest.fixture(scope="session")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """The server of the gallery."""
    log = tmp_path_factory.mktemp("gallery") / "log"
    with harness.served("gallery_app:application_of_the_gallery", log=log) as live:
        yield live


@pytest.fixture(scope="module")
def workspace(
    browser: Any,
    made_home: Path,  # noqa: F811
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[harness.Workspace]:
    """The whole product over a home whose database has the tables and nothing in them; see `harness.Workspace`."""
    folder = tmp_path_factory.mktemp("workspace")
    subprocess.run(["cp", "-a", str(made_home), str(folder / "home")], check=True)
    with harness.installed(folder / "home", folder / "log") as running:
        yield running
