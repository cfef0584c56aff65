"""What a directive's document must be to be signed, issued or taken over, beyond what a table must be. Pure.

A signature is of bytes, and says nothing of how they are read. So what two tools might read in two ways enters nowhere;
what is kept from before is read as it was.
"""

from __future__ import annotations

import json
import unicodedata
from typing import TYPE_CHECKING, Any

from clearway.records.errors import InputError
from clearway.records.text import plain

from .directive import effective_day

if TYPE_CHECKING:
    from .directive import Directive

# The explicit formatting of the bidirectional algorithm (Unicode Standard Annex #9, section 2).
_TURNS = frozenset(("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"))
_LAYOUT = "\n\t"  # of the control characters, those that a note may have


def check_new(document: bytes, directive: Directive, place: str = "directive") -> None:
    """Nothing, for a document that reads one way everywhere, and a version that is in force only once it is published.

    Raises InputError: an object that has a name twice (RFC 8259 section 4 leaves open which counts), text with control
    or direction-changing characters, or a first day before the day of publication.
    """

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        names: set[str] = set()
        for name, _ in pairs:
            if name.casefold() in names:  # some tools read "Version" as "version"
                raise InputError(
                    f"an object has {plain(name, 80)!r} more than once",
                    where=place,
                    mend="keep one: tools differ in which of them they read",
                )
            names.add(name.casefold())
        for text in (*found, *(value for value in found.values() if isinstance(value, str))):
            readable(text, place)
        for value in found.values():
            if isinstance(value, list):
                for text in value:
                    if isinstance(text, str):
                        readable(text, place)
        return found

    try:
        json.loads(document, object_pairs_hook=once)
    except (ValueError, RecursionError) as error:
        raise InputError(f"not JSON: {plain(str(error), 200)}", where=place) from error
    first = effective_day(directive)
    if first < directive.published:
        raise InputError(
            f"it is in effect from {first} on, before it is published on {directive.published}",
            where=place,
            mend="put both days right",
        )


def readable(text: str, place: str) -> None:
    """Nothing, for text that shows what it is. Raises InputError naming the character that hides or turns it."""
    for character in text:
        kind = unicodedata.category(character)
        turns = unicodedata.bidirectional(character) in _TURNS
        if turns or (kind in ("Cc", "Cs") and character not in _LAYOUT):
            raise InputError(
                f"U+{ord(character):04X} in {plain(text, 80)!r}",
                where=place,
                mend="take out control and direction-changing characters",
            )
