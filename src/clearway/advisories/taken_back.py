"""Records that fall silent: their newer version is withdrawn, or speaks of nothing of which the one before spoke.

A source takes back record by record. A file in which much of a source is withdrawn at once is more likely not its
own, and would silence what is due by it; so what falls silent is held back to the end of an intake, and then taken in
where it is little, and set aside where it is much.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct, field

from .prepare import Aside, Row

if TYPE_CHECKING:
    from collections.abc import Callable

_FEW = 20
_SHARE = 0.05  # of the records of a source; numbering authorities reject up to some in a hundred a year


def most(records: int) -> int:
    """How many of a source's `records` may fall silent in one intake without being asked about."""
    return max(_FEW, int(_SHARE * records))


class _Source(Struct):
    records: int  # that stand
    rows: list[tuple[Row, bytes]] = field(default_factory=list)  # none once they are too many
    asides: list[Aside] = field(default_factory=list)


class HeldBack:
    """What fell silent in one intake, by source. `records` counts the standing records of a source.

    No more is kept in memory than may be taken in.
    """

    def __init__(self, records: Callable[[str], int]) -> None:
        self._records = records
        self._sources: dict[str, _Source] = {}

    def add(self, row: Row, raw: bytes) -> None:
        """Holds a record back."""
        of = self._sources.get(row.source)
        if of is None:
            of = self._sources[row.source] = _Source(self._records(row.source))
        of.asides.append(Aside(row.piece, row.place, "", row.sha256))
        if len(of.asides) <= most(of.records):
            of.rows.append((row, raw))
        else:
            of.rows.clear()

    def few(self) -> list[tuple[Row, bytes]]:
        """What may be taken in, by source."""
        return [held for _, of in sorted(self._sources.items()) for held in of.rows]

    def much(self) -> list[tuple[str, list[Aside]]]:
        """Of each source of which too much fell silent: why it is set aside, and what."""
        return [
            (
                f"{len(of.asides):,} of the {of.records:,} records of {source} would be withdrawn, or speak of nothing "
                "of which they spoke before",
                of.asides,
            )
            for source, of in sorted(self._sources.items())
            if not of.rows
        ]
