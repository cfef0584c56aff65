"""Boxes of this process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import sandbox_house
from clearway.sandbox import Backend


@pytest.fixture(scope="session")
def boxes() -> Iterator[Backend]:
    made = sandbox_house.boxes()
    yield made
    made.close()
