"""Who may see what a page shows: its marking, and why this reader may."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct

from clearway.access import audience
from clearway.http.pages import Tlp
from clearway.http.pages.tlp import LABELS
from clearway.store.labels import labels as labels_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    import psycopg

_EXPLAINED = 12  # audiences in words on one page


class Seen(Struct, frozen=True):
    """The banner of a page, each row's label by its audience, and who may see them, in words."""

    tlp: Tlp | None
    labels: dict[int, str]
    why: tuple[str, ...]


def seen(db: psycopg.Connection[Any], auds: Iterable[int]) -> Seen:
    """What stands above and below a page that shows rows of these audiences: the strictest of their labels.

    Nothing for a page without marked rows.
    """
    wanted = sorted({*auds})
    found = [audience.meaning(db, aud) for aud in wanted[:_EXPLAINED]]
    labels = {m.aud: m.label.removeprefix("TLP:") for m in found}
    labels |= labels_of(db, wanted[_EXPLAINED:]) if wanted[_EXPLAINED:] else {}
    ranked = sorted({label for label in labels.values() if label in LABELS}, key=LABELS.index)
    if not ranked:
        return Seen(None, labels, ())
    why = tuple(dict.fromkeys(_words(m) for m in found))
    only = why[0] if len(why) == 1 else ""
    return Seen(Tlp(ranked[0], f"for {only}" if only and only != "everybody" else ""), labels, why)


def _words(meaning: audience.Meaning) -> str:
    """ "members of Water", "clients of Water or the coordinators, and parties to the embargo X"."""
    parts = [" or ".join(c.groups) for c in meaning.clauses if not (c.embargo and c.released)]
    return ", and ".join(parts) or "everybody"
