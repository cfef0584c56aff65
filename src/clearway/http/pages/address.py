"""The address of a page as a value: the URL is the state, and every control is a link to another address.

A filter has three states, written so that a person can read and type them:

    ?tier=3D          only tier 3D       (several `tier=` widen: any of them)
    ?tier!=60D        without tier 60D   (the parameter's name ends in "!")
    neither           any

Changing anything drops the cursor: it belongs to the list as it was. Names are those of `http.listing`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import parse_qsl, quote, urlencode

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Iterable

    from litestar.connection import ASGIConnection

CURSOR = "cursor"
OF_PAGES = ("columns", "words")  # how a list is shown, not what is in it
_MOST_PARAMETERS = 100
_FROM_PROVIDERS = "/sign-in/back/"

Choice = Literal["include", "exclude", "any"]


class Address(Struct, frozen=True):
    """A path and its query, in order. `str()` of it is the URL, always of this host."""

    path: str
    query: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, request: ASGIConnection[Any, Any, Any, Any]) -> Address:
        """The address asked for; at most 100 parameters of it."""
        return cls.asked(request.scope)

    @classmethod
    def asked(cls, scope: Any) -> Address:
        """As `of`, for an ASGI scope."""
        path = scope["path"]
        # What an identity provider sends along (`code`, `state`) belongs in no link of a page.
        asked = b"" if path.startswith(_FROM_PROVIDERS) else scope.get("query_string", b"")
        return cls.read(path, asked.decode("ascii", "replace"))

    @classmethod
    def read(cls, path: str, query: str = "") -> Address:
        """From a decoded path and a raw query string."""
        try:
            pairs = parse_qsl(query, keep_blank_values=False, max_num_fields=_MOST_PARAMETERS)
        except ValueError:
            pairs = []
        return cls("/" + path.lstrip("/\\"), tuple(pairs))

    def __str__(self) -> str:
        path = quote(self.path, safe="/:@!$&'()*+,;=~-._")
        text = urlencode(self.query, safe="!:/,@", quote_via=quote)
        return f"{path}?{text}" if text else path

    def get(self, name: str, default: str = "") -> str:
        """The first value of `name`."""
        return next((value for key, value in self.query if key == name), default)

    def all(self, name: str) -> tuple[str, ...]:
        """Every value of `name`, in order."""
        return tuple(value for key, value in self.query if key == name)

    def set(self, **values: str | int | None) -> Address:
        """With these parameters instead of theirs; None or "" takes one out."""
        gone = {*values, CURSOR}
        kept = [pair for pair in self.query if pair[0] not in gone]
        kept += [(name, str(value)) for name, value in values.items() if value not in (None, "")]
        return Address(self.path, tuple(kept))

    def without(self, *names: str) -> Address:
        """Without these parameters, their exclusions, and the cursor."""
        gone = {*names, *(name + "!" for name in names), CURSOR}
        return Address(self.path, tuple(pair for pair in self.query if pair[0] not in gone))

    def choice(self, name: str, value: str) -> Choice:
        """What the filter `name` says of `value`."""
        if (name, value) in self.query:
            return "include"
        return "exclude" if (name + "!", value) in self.query else "any"

    def choose(self, name: str, value: str, choice: Choice) -> Address:
        """With the filter `name` saying that of `value`; its other values stay."""
        gone = {(name, value), (name + "!", value)}
        kept = [pair for pair in self.query if pair not in gone and pair[0] != CURSOR]
        if choice != "any":
            kept.append((name if choice == "include" else name + "!", value))
        return Address(self.path, tuple(kept))

    def chosen(self, names: Iterable[str]) -> int:
        """How many values these filters include or exclude."""
        wanted = {key for name in names for key in (name, name + "!")}
        return sum(key in wanted for key, _ in self.query)

    def as_format(self, suffix: str) -> Address:
        """The same list from its beginning as `.json` or `.csv`, at the same address, for the same organisation."""
        kept = [pair for pair in self.query if pair[0] not in (CURSOR, *OF_PAGES)]
        return Address(f"{self.path.rstrip('/')}.{suffix}", tuple(kept))
