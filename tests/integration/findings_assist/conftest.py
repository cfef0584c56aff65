"""A desk in a copy of one made database, with a model's endpoint on loopback; cleared before each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import model_server
from assist_world import Assist
from database import server  # noqa: F401
from desk_fixtures import desk, desk_and_world, desk_made, desk_template, one_site  # noqa: F401
from findings_world import Desk
from intake_world import World


@pytest.fixture(scope="module")
def one_desk(desk_made: tuple[Desk, World]) -> Desk:  # noqa: F811
    """The module's desk, which says who publishes."""
    one, _ = desk_made
    (one.home / "cases.toml").write_text('name = "Example"\nnamespace = "https://clearing.example.org"\n')
    return one


@pytest.fixture
def model() -> Iterator[model_server.ModelServer]:
    with model_server.serving() as made:
        yield made


@pytest.fixture
def assist(desk: Desk, model: model_server.ModelServer) -> Assist:  # noqa: F811
    return Assist(desk, model)
