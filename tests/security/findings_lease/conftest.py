"""A desk whose participants lease: one for the tests of a module, cleared before each."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from database import server  # noqa: F401
from lease_house import House, house_of


@pytest.fixture(scope="module")
def one_house(server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:  # noqa: F811
    yield from house_of(server, tmp_path_factory.mktemp("house") / "home")


@pytest.fixture
def house(one_house: House) -> House:
    one_house.clear()
    return one_house
