"""The database fixtures, and a home with a table and no database."""

from pathlib import Path

import pytest

import table_home
from database import home, made_home, new_world, server, world  # noqa: F401


@pytest.fixture(scope="session")
def tabled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a compiled table and no database; not to be written to."""
    return table_home.make(tmp_path_factory.mktemp("tabled") / "home")
