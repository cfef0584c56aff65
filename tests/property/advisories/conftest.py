"""The database fixtures."""

from database import home, made_home, new_world, server, world  # noqa: F401
