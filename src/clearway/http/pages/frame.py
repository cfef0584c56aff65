"""The circumstances of the one page being rendered: filters and macros ask here instead of taking ten arguments."""

from __future__ import annotations

from contextvars import ContextVar
from datetime import datetime
from itertools import count
from typing import TYPE_CHECKING, Literal
from zoneinfo import ZoneInfo

from msgspec import Struct, field

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Theme = Literal["", "light", "dark"]  # "": as the system says
Words = Literal["plain", "exact"]


class Frame(Struct, kw_only=True):
    """When, for whom and how. `ids` numbers what needs an id of its own on this page.

    `live_from` says the event up to which the page knows, "" where nobody does.
    """

    now: datetime
    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))
    words: Words = "exact"
    csrf: str = ""
    prefix: str = "p"
    ids: Iterator[int] = field(default_factory=count)
    live_from: Callable[[], str] = str

    def new_id(self) -> str:
        """An id that nothing else on the page has."""
        return f"{self.prefix}{next(self.ids)}"


current: ContextVar[Frame] = ContextVar("clearway_page_frame")
