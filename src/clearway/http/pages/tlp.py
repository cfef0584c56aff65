"""TLP 2.0 labels as FIRST prints them: a black field, and the label in its own colour (the stylesheet has it)."""

from __future__ import annotations

from markupsafe import Markup
from msgspec import Struct

LABELS = ("RED", "AMBER+STRICT", "AMBER", "GREEN", "CLEAR")


class Tlp(Struct, frozen=True):
    """The marking of what a page shows, with `words` for what goes beside it: "until 1 Dec, then CLEAR"."""

    label: str
    words: str = ""

    @classmethod
    def of(cls, marking: Tlp | str | None) -> Tlp | None:
        """From a label, with or without "TLP:". One that is not in TLP 2.0 counts as RED."""
        if marking is None or isinstance(marking, Tlp):
            return marking
        label = marking.upper().removeprefix("TLP:")
        return cls(label if label in LABELS else "RED")

    @property
    def colour(self) -> str:
        """The class that colours it: red, amber, green, clear."""
        return self.label.partition("+")[0].lower()

    def __html__(self) -> Markup:
        return Markup('<span class="tlp tlp-{}">TLP:{}</span>').format(self.colour, self.label)
