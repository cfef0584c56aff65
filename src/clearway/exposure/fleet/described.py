"""What was kept of an asset and when, beside how exposed it was: each change with who made it (`asset_said`)."""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from .asset import Details

if TYPE_CHECKING:
    from collections.abc import Sequence

    import psycopg

MOST = 200  # statements

COLUMNS = (
    "name, owner, sub_organisation, environment, kind, edge, end_of_support, eos_listed, identifiers, addresses, "
    "names, decommissioned"
)


class Described(Struct, frozen=True, kw_only=True):
    """What was kept of an asset from `recorded` on. `said_by` is who said so where `person` entered it for somebody."""

    name: str
    details: Details
    said_by: str
    person: int
    recorded: datetime


class Change(Struct, frozen=True, kw_only=True):
    """One change: the fields with what they were and what they became, both as text; a list is a text for each."""

    recorded: datetime
    person: int
    said_by: str
    fields: tuple[tuple[str, Any, Any], ...]


def described(db: psycopg.Connection[Any], asset: int) -> tuple[Described, ...]:
    """Every description of an asset that the caller may see, the newest first; the last `MOST` of them."""
    rows = db.execute(
        f"""select {COLUMNS}, said_by, person, recorded from clearway.asset_said
        where asset = %s order by statement desc limit %s""",  # noqa: S608 - constants
        (asset, MOST),
    )
    return tuple(_described(row) for row in rows)


def changes(found: Sequence[Described]) -> tuple[Change, ...]:
    """What changed with each description but the oldest, the newest first. Pure."""
    return tuple(
        Change(
            recorded=after.recorded, person=after.person, said_by=after.said_by, fields=_fields(before, after)
        )
        for after, before in pairwise(found)
    )


def _fields(before: Described, after: Described) -> tuple[tuple[str, Any, Any], ...]:
    old = {"name": before.name, **_values(before.details)}
    new = {"name": after.name, **_values(after.details)}
    return tuple((field, old[field], new[field]) for field in old if old[field] != new[field])


def _values(details: Details) -> dict[str, Any]:
    return {f: msgspec.to_builtins(getattr(details, f)) for f in Details.__struct_fields__}


def _described(row: Sequence[Any]) -> Described:
    (name, owner, sub_organisation, environment, kind, edge, end_of_support, eos_listed, identifiers, addresses, names,
     decommissioned, said_by, person, recorded) = row  # fmt: skip
    return Described(
        name=name,
        details=Details(
            owner=owner,
            sub_organisation=sub_organisation,
            environment=environment,
            kind=kind,
            edge=edge,
            end_of_support=end_of_support,
            eos_listed=eos_listed,
            identifiers=tuple(identifiers),
            addresses=tuple(addresses),
            names=tuple(names),
            decommissioned=decommissioned,
        ),
        said_by=said_by,
        person=person,
        recorded=recorded,
    )
