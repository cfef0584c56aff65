"""The database fixtures, and a findings desk in a database of its own for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from database import server  # noqa: F401
from findings_case_world import Cases
from findings_world import Template


@pytest.fixture(scope="session")
def desk_template(server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Template]:  # noqa: F811
    made = Template(server, tmp_path_factory.mktemp("template") / "home")
    yield made
    made.close()


@pytest.fixture(scope="module")
def cases(desk_template: Template, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cases]:
    """One desk for the cases of a module; each test opens its own."""
    for desk, world in desk_template.copy(tmp_path_factory.mktemp("cases") / "desk" / "home"):
        yield Cases(desk, world)
