"""Which assets' VEX statements are to be asked again: noted by who changes what they may say, and done by `stated`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import psycopg


def note(
    db: psycopg.Connection[Any], *, pvs: Sequence[int] | None = None, products: Iterable[str] = ()
) -> int:
    """Notes assets whose statements are to be asked again: those that hold one of `pvs`, or are one of `products`.

    Without `pvs`, all that have any. Returns how many. The owner's transaction.
    """
    return db.execute(
        """insert into clearway.fleet_vexing
        select distinct v.asset from clearway.inventory_vex v
        join clearway.inventory i on i.inventory = v.inventory and i.current
        where %(pvs)s::int[] is null or v.product = any(%(products)s)
            or exists (select from clearway.held h where h.asset = v.asset and h.pv = any(%(pvs)s))
        on conflict do nothing""",
        {"pvs": None if pvs is None else list(pvs), "products": list(products)},
    ).rowcount
