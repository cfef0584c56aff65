"""Fixtures of this folder."""

from database import home, made_home, server  # noqa: F401
