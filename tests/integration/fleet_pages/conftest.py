"""A served workspace with a fleet in it, shared by the tests of a module; and one without any machine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import fleet_site
from database import server  # noqa: F401
from fleet_site import Site
from intake_world import World, drop_database, new_database


@pytest.fixture(scope="module")
def site(server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:  # noqa: F811
    yield from _served(server, tmp_path_factory.mktemp("site"), furnished=True)


@pytest.fixture(scope="module")
def bare(server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:  # noqa: F811
    yield from _served(server, tmp_path_factory.mktemp("bare"), furnished=False)


def _served(server: str, folder: Path, *, furnished: bool) -> Iterator[Site]:  # noqa: F811
    url = new_database(server, "made")
    try:
        with fleet_site.empty_site(World(url, folder / "home")) as made:
            if furnished:
                fleet_site.furnish(made)
            yield made
    finally:
        drop_database(server, url)
