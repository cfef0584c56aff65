"""Which records anybody may read: for routes and commands alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    import psycopg

    from .public import Refs

_PUBLIC_RECORDS = """select source, id, raw from clearway.record
where source = any(%s) and id = any(%s) and current and tlp = 'CLEAR'"""


def public_records(owner: psycopg.Connection[Any], refs: Refs) -> Mapping[tuple[str, str], bytes]:
    """The bytes of those current records that are marked TLP:CLEAR."""
    wanted = set(refs)
    arguments = [sorted({source for source, _ in wanted}), sorted({name for _, name in wanted})]
    rows = owner.execute(_PUBLIC_RECORDS, arguments)
    return {(row[0], row[1]): bytes(row[2]) for row in rows if (row[0], row[1]) in wanted}
