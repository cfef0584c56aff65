"""A desk in a copy of one made database: one for the tests of a module, cleared before each."""

from __future__ import annotations

import pytest

from database import server  # noqa: F401
from desk_fixtures import desk, desk_and_world, desk_made, desk_template, one_desk, one_site  # noqa: F401
from findings_dedup_world import Two
from findings_world import Desk


@pytest.fixture
def two(desk: Desk) -> Two:  # noqa: F811
    return Two(desk)
