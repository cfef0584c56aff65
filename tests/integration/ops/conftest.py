"""Whole installations: a home and a database each."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from clearway.store.server import URL_VARIABLE
from database import home, made_home, new_world, server, world  # noqa: F401
from intake_world import drop_database, new_database


@pytest.fixture(autouse=True)
def _no_settings_of_ones_own(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (URL_VARIABLE, "CLEARWAY_APP_DATABASE_URL", "CLEARWAY_TOKEN", "CLEARWAY_HOME"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def empty_database(server: str) -> Iterator[Callable[[], str]]:  # noqa: F811
    """Makes databases without our tables; their URLs."""
    made: list[str] = []

    def make() -> str:
        made.append(new_database(server, "template1"))
        return made[-1]

    yield make
    for url in made:
        drop_database(server, url)
