"""The database fixtures, and a findings desk for the tests of a module, cleared before each."""

from database import server  # noqa: F401
from desk_fixtures import desk, desk_and_world, desk_made, desk_template, one_desk, world  # noqa: F401
