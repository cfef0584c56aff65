"""A desk in a copy of one made database, for hostile reports that a model reads."""

from __future__ import annotations

import pytest

from database import server  # noqa: F401
from desk_fixtures import desk_made, desk_template, one_desk  # noqa: F401
from findings_world import Desk


@pytest.fixture(scope="module")
def desk(one_desk: Desk) -> Desk:  # noqa: F811
    """One for all tests of the module: what each reports stays."""
    return one_desk
