"""A served workspace with machines in it, for tasks in a real browser."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from harness import Screen

import fleet_site
from database import server  # noqa: F401
from fleet_site import Site
from intake_world import World, drop_database, new_database


@pytest.fixture(scope="module")
def site(browser: Any, server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:  # noqa: F811
    yield from _served(server, tmp_path_factory.mktemp("site"), furnished=True)


@pytest.fixture(scope="module")
def bare(browser: Any, server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:  # noqa: F811
    yield from _served(server, tmp_path_factory.mktemp("bare"), furnished=False)


@pytest.fixture
def operator(screens: Callable[..., Screen], site: Site) -> Callable[..., Screen]:
    """A window of the operator's: `operator(width=390, theme="dark")`."""

    def make(**more: Any) -> Screen:
        return screens(site.url, cookies=site.cookies(site.operator), **more)

    return make


def _served(server: str, folder: Path, *, furnished: bool) -> Iterator[Site]:  # noqa: F811
    url = new_database(server, "made")
    try:
        with fleet_site.empty_site(World(url, folder / "home")) as made:
            if furnished:
                fleet_site.furnish(made)
            yield made
    finally:
        drop_database(server, url)
