"""A desk in a copy of one made database: one for the tests of a module, cleared before each."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from database import server  # noqa: F401
from findings_dedup_world import Two
from findings_world import Desk, Template
from site_client import Site, site


@pytest.fixture(scope="session")
def made(server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Template]:  # noqa: F811
    template = Template(server, tmp_path_factory.mktemp("made") / "home")
    yield template
    template.close()


@pytest.fixture(scope="module")
def one_desk(made: Template, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    for desk, _ in made.copy(tmp_path_factory.mktemp("desk") / "home"):
        desk.clear()
        yield desk


@pytest.fixture(scope="module")
def one_site(one_desk: Desk) -> Iterator[Site]:
    with site(one_desk.home, one_desk.people.url) as made:
        yield made


@pytest.fixture
def desk(one_desk: Desk) -> Desk:
    one_desk.clear()
    return one_desk


@pytest.fixture
def two(desk: Desk) -> Two:
    return Two(desk)
