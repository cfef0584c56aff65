"""Fixtures of this folder."""

from database import server  # noqa: F401
