"""A desk in a copy of one made database, with a model's endpoint on loopback; cleared before each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import model_server
from assist_world import Assist
from database import server  # noqa: F401
from findings_world import Desk, Template
from site_client import Site, site


@pytest.fixture(scope="session")
def desk_template(server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Template]:  # noqa: F811
    made = Template(server, tmp_path_factory.mktemp("template") / "home")
    yield made
    made.close()


@pytest.fixture(scope="module")
def one_desk(desk_template: Template, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    for desk, _ in desk_template.copy(tmp_path_factory.mktemp("desk") / "home"):
        (desk.home / "cases.toml").write_text(
            'name = "Example"\nnamespace = "https://clearing.example.org"\n'
        )
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
def model() -> Iterator[model_server.ModelServer]:
    with model_server.serving() as made:
        yield made


@pytest.fixture
def assist(desk: Desk, model: model_server.ModelServer) -> Assist:
    return Assist(desk, model)
