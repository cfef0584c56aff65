"""Who may see what an audit page shows, in words.

The audiences are those of the room above: here only the database's own words for them are asked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from clearway.http.pages.tlp import LABELS, Tlp
from clearway.records.errors import NotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterable

    import psycopg

    Connection = psycopg.Connection[Any]

_MOST = 100


class Clause(Struct, frozen=True, kw_only=True):
    """One condition: any of the groups opens it. `mine` says of each whether the reader is in it."""

    groups: tuple[str, ...]
    mine: tuple[bool, ...] = ()
    embargo: bool = False
    released: bool = False

    @property
    def pairs(self) -> list[tuple[str, bool]]:
        """Each group, and whether the reader is in it."""
        return [(g, bool(self.mine[i]) if i < len(self.mine) else False) for i, g in enumerate(self.groups)]


class Audience(Struct, frozen=True, kw_only=True):
    """An audience in words; all its clauses must open."""

    aud: int
    label: str
    clauses: tuple[Clause, ...] = ()

    @property
    def words(self) -> str:
        """ "members of Water", "clients of Water or the coordinators, and parties to the embargo X"."""
        parts = [" or ".join(c.groups) for c in self.clauses if not (c.embargo and c.released)]
        return ", and ".join(parts) or "everybody"


def audiences(db: Connection, auds: Iterable[int]) -> dict[int, Audience]:
    """The audiences of what the reader sees, by number; at most 100 of them."""
    wanted = sorted({*auds})[:_MOST]
    rows = db.execute(
        "select clearway.audience_words(aud)::text from unnest(%s::int[]) w(aud)", (wanted,)
    ).fetchall()
    found = (msgspec.json.decode(row[0], type=Audience) for row in rows if row[0] is not None)
    return {one.aud: one for one in found}


def audience(db: Connection, aud: int) -> Audience:
    """One audience.

    Raises:
        NotFoundError: there is none, or the reader sees nothing that has it.
    """
    found = audiences(db, [aud]) if 0 <= aud < 1 << 16 else {}
    if aud not in found:
        raise NotFoundError("no such audience", where=f"audience/{aud}")
    return found[aud]


def strictest(found: Iterable[Audience], unknown: bool = False) -> Tlp | None:
    """The marking above and below a page that shows rows of these audiences; None without any."""
    labels = {one.label.removeprefix("TLP:") for one in found} | ({"RED"} if unknown else set())
    ranked = sorted((label for label in labels if label in LABELS), key=LABELS.index)
    return Tlp(ranked[0]) if ranked else None
