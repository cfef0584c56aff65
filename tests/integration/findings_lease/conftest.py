"""A desk whose participants lease: one for the tests of a module, cleared before each."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from clearway.findings.lease import at_desk
from clearway.findings.lease.proof import Looker
from clearway.http.outbound import Client
from database import server  # noqa: F401
from lease_house import House, house_of
from site_client import Site, site


@pytest.fixture(scope="module")
def one_house(server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:  # noqa: F811
    yield from house_of(server, tmp_path_factory.mktemp("house") / "home")


@pytest.fixture(scope="module")
def one_zone() -> Iterator[dict[str, Any]]:
    """What the DNS says, or a function that says it; nothing outside of this process is asked."""
    said: dict[str, Any] = {}

    def txt(name: str) -> tuple[str, ...]:
        found: Any = said.get(name, ())
        answer: tuple[str, ...] = found() if callable(found) else found
        return answer

    @contextmanager
    def looker() -> Iterator[Looker]:
        with Client() as client:
            yield Looker(txt, client)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(at_desk, "looker", looker)
        yield said


@pytest.fixture(scope="module")
def one_site(one_house: House, one_zone: dict[str, Any]) -> Iterator[Site]:
    with site(one_house.home, one_house.people.url) as made:
        yield made


@pytest.fixture
def zone(one_zone: dict[str, Any]) -> dict[str, Any]:
    one_zone.clear()
    return one_zone


@pytest.fixture
def house(one_house: House) -> House:
    one_house.clear()
    return one_house
