"""A desk in a copy of one made database, for hostile reports that a model reads."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from database import server  # noqa: F401
from findings_world import Desk, Template


@pytest.fixture(scope="session")
def desk_template(server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Template]:  # noqa: F811
    made = Template(server, tmp_path_factory.mktemp("template") / "home")
    yield made
    made.close()


@pytest.fixture(scope="module")
def desk(desk_template: Template, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    for made, _ in desk_template.copy(tmp_path_factory.mktemp("desk") / "home"):
        yield made
