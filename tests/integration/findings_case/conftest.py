"""The database fixtures, and a findings desk for the cases of a module."""

from database import server  # noqa: F401
from desk_fixtures import cases, desk_template  # noqa: F401
