"""A served desk whose participants lease."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from database import server  # noqa: F401
from fleet_site import application
from lease_house import House, house_of
from live_server import within


@pytest.fixture(scope="module")
def house(server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[House, str]]:  # noqa: F811
    """The house, and the URL of the server over it."""
    folder = tmp_path_factory.mktemp("leases")
    for found in house_of(server, folder / "home"):
        with within(application(found.people.url, str(found.home))) as address:
            yield found, address
