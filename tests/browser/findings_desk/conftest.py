"""A served findings desk with something on every screen."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from database import server  # noqa: F401
from findings_case_world import Cases
from findings_desk_world import Furnished
from findings_world import Template
from fleet_site import application
from live_server import within


@pytest.fixture(scope="module")
def desk(server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Furnished, str]]:  # noqa: F811
    """What is there, and the URL of the server over it."""
    folder = tmp_path_factory.mktemp("desk")
    template = Template(server, folder / "template")
    for one, world in template.copy(folder / "desk" / "home"):
        found = Furnished(one, Cases(one, world))
        with within(application(world.url, str(world.home))) as address:
            yield found, address
    template.close()
