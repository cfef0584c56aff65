"""What a person typed and what is wrong with it, to be shown again beside the fields."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Mapping


class Form(Struct, frozen=True):
    """`values` and `errors` by the name of the field; the error under "" is about the form as a whole.

    An empty one is a form that nobody has filled in yet.
    """

    values: Mapping[str, str] = {}
    errors: Mapping[str, str] = {}

    def value(self, name: str, default: str = "") -> str:
        return self.values.get(name, default)

    def error(self, name: str) -> str:
        return self.errors.get(name, "")

    @property
    def ok(self) -> bool:
        return not self.errors
