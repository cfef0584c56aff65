"""Assets and flaws handed over in a file, by an organisation that keeps its fleet elsewhere."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from clearway.records.errors import InputError

from .row import AssetTags, ReportRow


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
