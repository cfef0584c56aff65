"""Assets that earlier files of one name had, and the newest has not.

A list of products or of detections ends what it leaves out of the assets that it names. Of an asset that is no longer
in it nobody knows: its last finding may be mended, or nobody looked. So nothing of it ends, and it is named.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from .older import days_of, issue_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date

    import psycopg

    from .mention import Mention

SHOWN = 5
_BEFORE_ENDING = re.compile(r"[-_ ]+(?=\.[^.]*$)")  # where a day stood
# Lists of many assets whose witness is the file (`witness.OF_FILES`).
_LISTS = frozenset(("product-list", "scanner-csv"))


class Absent(Struct, frozen=True, kw_only=True):
    """How many assets the last files called `file` (without a day) had and this one has not; some of their names."""

    file: str
    count: int
    assets: tuple[str, ...]

    def words(self) -> str:
        """One line."""
        one = self.count == 1
        more = self.count - len(self.assets)
        named = ", ".join(self.assets) + (f" and {more:,} more" if more else "")
        which = (
            f"{self.count:,} asset{'' if one else 's'} of earlier files {self.file} {'is' if one else 'are'}"
        )
        ends = f"nothing of {'it' if one else 'them'} ends by that (decommission what is gone)"
        return f"{which} not in this one: {named}; {ends}"


class Lists:
    """The lists that one call brings, and the assets that each names."""

    def __init__(self) -> None:
        self._named: dict[
            tuple[str, str, str], dict[str, set[int]]
        ] = {}  # (file, witness, issue) -> place -> assets

    def add(self, item: Mention, asset: int) -> None:
        """Takes a mention that is `asset`."""
        seen, document = item.seen, item.document
        own = document.called or document.asset is not None or bool(seen.witness.tool)
        if seen.format in _LISTS and document.file and not own:
            key = document.file, item.witness, issue_of(document.place)
            self._named.setdefault(key, {}).setdefault(document.place, set()).add(asset)

    def absent(self, db: psycopg.Connection[Any], org: int, day: date) -> list[Absent]:
        """What the newest of each list has not, as far as the caller sees it."""
        by: dict[tuple[str, str], set[int]] = {}
        for (file, witness, _), places in self._named.items():
            newest = max(places, key=days_of)
            by.setdefault((file, witness), set()).update(places[newest])
        found = (
            _absent(db, org, day, _BEFORE_ENDING.sub("", file), witness, named)
            for (file, witness), named in sorted(by.items())
        )
        return [one for one in found if one is not None]


def _absent(
    db: psycopg.Connection[Any], org: int, day: date, file: str, witness: str, named: Iterable[int]
) -> Absent | None:
    rows = db.execute(
        """select a.name, count(*) over () from clearway.inventory i join clearway.asset a using (asset)
        where i.org = %s and i.witness = %s and i.format in ('product-list', 'scanner-csv') and i.current
            and i.asset <> all (%s)
            and (a.decommissioned is null or a.decommissioned > %s)
        order by a.name limit %s""",
        (org, witness, [*named], day, SHOWN),
    ).fetchall()
    return Absent(file=file, count=rows[0][1], assets=tuple(name for name, _ in rows)) if rows else None
