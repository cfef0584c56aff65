"""Assets and flaws handed over in a file, by an organisation that keeps its fleet elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from clearway.records.errors import InputError
from clearway.records.text import plain

from ..decision import OUT_OF_SCOPE
from .row import AssetTags, ReportRow

if TYPE_CHECKING:
    from ..directive import Directive


class RowsFile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`schemas/directive-report-rows.schema.json`: `assets` are those without a row."""

    organisation: str
    organisation_name: str = ""
    policy: str = ""
    retier: str = ""
    assets: tuple[AssetTags, ...] = ()
    rows: tuple[ReportRow, ...] = ()

    def all_assets(self) -> tuple[AssetTags, ...]:
        """Every asset once. Raises InputError for one id with two sets of tags."""
        found: dict[str, AssetTags] = {}
        for asset in (*self.assets, *(row.asset for row in self.rows)):
            if found.setdefault(asset.id, asset) != asset:
                raise InputError(f"asset {asset.id!r} comes with two sets of tags", where=asset.name)
        return tuple(found.values())


def read_rows(data: bytes, place: str) -> RowsFile:
    """The rows of a file. Raises InputError naming `place`."""
    try:
        return msgspec.json.decode(data, type=RowsFile)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"not a file of rows: {error}", where=place) from error


def check_tiers(given: RowsFile, directive: Directive, place: str) -> None:
    """Raises InputError naming the first row in `place` whose tier `directive` does not have.

    What a table has nothing to say of is `out_of_scope`. A tier of another directive would be counted for itself, and
    every total beside it would be wrong.
    """
    tiers = [*(outcome.code for outcome in reversed(directive.outcomes)), OUT_OF_SCOPE]
    for n, row in enumerate(given.rows):
        if row.tier not in tiers:
            raise InputError(
                f"{directive.short} has no tier {plain(row.tier, 60)!r}",
                where=f"{place}, $.rows[{n}].tier",
                mend=f"one of: {', '.join(tiers)}",
            )
