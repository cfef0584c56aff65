"""A served desk with a finding whose proof can be run, and a box to run it in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import sandbox_house
from database import server  # noqa: F401
from findings_world import Desk, Template
from fleet_site import application
from live_server import within


@pytest.fixture(scope="session")
def box() -> Any:
    return sandbox_house.boxes()


@pytest.fixture(scope="module")
def desk(server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Desk, str]]:  # noqa: F811
    """The desk, and the URL of the server over it."""
    folder = tmp_path_factory.mktemp("validate")
    folder.chmod(0o755)
    template = Template(server, folder / "template")
    for one, world in template.copy(folder / "desk" / "home"):
        with within(application(world.url, str(world.home))) as address:
            yield one, address
    template.close()
