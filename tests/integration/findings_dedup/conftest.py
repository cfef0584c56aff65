"""A desk in a copy of one made database for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from database import server  # noqa: F401
from findings_dedup_world import Two
from findings_world import Desk, Template


@pytest.fixture(scope="session")
def made(server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Template]:  # noqa: F811
    template = Template(server, tmp_path_factory.mktemp("made") / "home")
    yield template
    template.close()


@pytest.fixture
def desk(made: Template, tmp_path: Path) -> Iterator[Desk]:
    for desk, _ in made.copy(tmp_path / "home"):
        yield desk


@pytest.fixture
def two(desk: Desk) -> Two:
    return Two(desk)
