"""The database fixtures."""

from database import _made_home, home, new_world, server, world  # noqa: F401
