"""What a triage is about, held against the kept fleet: a name that the fleet has is that asset, however it is written.

At opening the fleet's own words take the place of the caller's: the asset's number and name, the flaw's present id, the
component as reports name it. So two names make no two items, and what the fleet records is found. What was opened
before the fleet knew of the asset is found by its name when it is read.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from clearway.access import audience
from clearway.records.errors import ConfigError, InputError
from clearway.records.text import plain

from ..reports.provider import default_provider

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import psycopg

    from ..reports.provider import Found, Named, Provider

NUMBERED = re.compile(r"asset/([0-9]{1,18})")
ANOTHER = re.compile(r"(?: \(another build\))+$")  # how reports tell two builds of one purl apart
_SHOWN = 5


class Item(Struct, frozen=True, kw_only=True):
    """An item as it is kept: `asset` is "asset/17" where the fleet has it, else the caller's word.

    `former` are the ids that the flaw had before, under which older workbooks are about the same item; `auds` are the
    audiences of what says that the asset has the flaw.
    """

    asset: str
    asset_name: str
    flaw: str
    component: str
    former: tuple[str, ...] = ()
    auds: tuple[int, ...] = ()


def item_of(
    db: psycopg.Connection[Any],
    org: int,
    about: Mapping[str, str],
    kev_added: datetime,
    provider: Provider | None,
) -> Item:
    """The item that the caller's words name, in the fleet's words where the fleet has the asset.

    Raises:
        NotFoundError: "asset/N" is no asset of the organisation that the caller sees.
        InputError: the asset has no such flaw in that component, or several are called so; KEV has another day.
    """
    as_told = Item(
        asset=about["asset"], asset_name=about["asset_name"], flaw=about["flaw"], component=about["component"]
    )
    fleet = _fleet(provider)
    if fleet is None:
        return as_told
    found = fleet.named(db, org, about["asset"])
    if not found:
        if numbered := NUMBERED.fullmatch(about["asset"]):
            fleet.found_on(db, org, int(numbered[1]), about["flaw"])  # raises NotFoundError
        _in_kev(about["flaw"], fleet.kev_day(db, about["flaw"]), kev_added)
        return as_told
    component = ANOTHER.sub("", about["component"])
    held = [(one, _named(fleet.found_on(db, org, one.asset, about["flaw"]), component)) for one in found]
    having = [(one, rows) for one, rows in held if rows]
    if not having:
        raise _without(found, about, any(fleet.found_on(db, org, n.asset, about["flaw"]) for n in found))
    if len(having) > 1:
        raise InputError(
            f"several assets are called {about['asset']!r}: {_list([one for one, _ in having])}",
            where="asset",
            mend="name one by its number",
        )
    one, rows = having[0]
    names = sorted({row.component for row in rows})
    if len(names) > 1:
        raise InputError(
            f"several components are called so: {', '.join(plain(n, 100) for n in names[:_SHOWN])}",
            where="component",
            mend="name one of these",
        )
    flaw = rows[0].flaw
    _in_kev(flaw, next((f.kev for f in rows if f.kev is not None), None), kev_added)
    return Item(
        asset=f"asset/{one.asset}",
        asset_name=one.name,
        flaw=flaw,
        component=names[0],
        former=rows[0].former,
        auds=tuple(sorted({aud for row in rows for aud in row.auds})),
    )


def readers_of(db: psycopg.Connection[Any], item: Item, aud: int) -> int:
    """The audience of a triage of it that is opened for `aud`: of these, who may see what says so.

    What a marked record alone says is for its readers. Of several that say so the one with the most readers counts.
    """
    if not item.auds or any(audience.within(db, aud, a) for a in item.auds):
        return aud
    widest = next((a for a in item.auds if all(audience.within(db, b, a) for b in item.auds)), item.auds[0])
    return audience.meet(db, (aud, widest))


def asset_of(db: psycopg.Connection[Any], org: int, text: str, provider: Provider | None) -> tuple[int, str]:
    """The number of the kept asset that a triage is about, 0 for none; and what its reader must know of that, or ""."""
    if numbered := NUMBERED.fullmatch(text):
        return int(numbered[1]), ""
    fleet = _fleet(provider)
    found = fleet.named(db, org, text) if fleet is not None else ()
    if len(found) == 1:
        return found[0].asset, f"{plain(text, 100)!r} is {_list(found)} of the kept fleet"
    if found:
        return (
            0,
            f"{plain(text, 100)!r} may be any of {_list(found)}: what the fleet records is not held against it",
        )
    return 0, ""


def beside(db: psycopg.Connection[Any], org: int, text: str, flaw: str, provider: Provider | None) -> str:
    """What the reader of a triage must know of whose asset the fleet has none: where else it has the flaw; or ""."""
    fleet = _fleet(provider)
    having = fleet.with_flaw(db, org, flaw) if fleet is not None else ()
    if not having:
        return ""
    return (
        f"{plain(text, 100)!r} is no asset of the kept fleet, which has {plain(flaw, 40)} on {_list(having)}: "
        "what the fleet records there is not held against it"
    )


def words_of(db: psycopg.Connection[Any], asset: int, provider: Provider | None) -> frozenset[str]:
    """Everything that an asset of the fleet is or was called, in lower case; with "asset/N"."""
    fleet = _fleet(provider)
    words = fleet.words(db, [asset]).get(asset, frozenset()) if fleet is not None else frozenset()
    return words | {f"asset/{asset}"}


def _fleet(provider: Provider | None) -> Provider | None:
    try:
        return provider or default_provider()
    except ConfigError:  # this installation keeps no fleet
        return None


def _named(found: Sequence[Found], component: str) -> list[Found]:
    """Those in the component of that name; of the case alone nothing hangs."""
    exact = [f for f in found if component in f.components]
    return exact or [f for f in found if component.lower() in (n.lower() for n in f.components)]


def _without(found: Sequence[Named], about: Mapping[str, str], flawed: bool) -> InputError:
    who = about["asset"]
    if not NUMBERED.fullmatch(who):
        who = f"{plain(who, 100)!r} is {_list(found)}, which"
    return InputError(
        f"{who} has no {plain(about['flaw'], 40)} in that component",
        where="component" if flawed else "flaw",
        mend="name them as its exposure does",
    )


def _in_kev(flaw: str, listed: date | None, kev_added: datetime) -> None:
    day = kev_added.astimezone(UTC).date()
    if listed is not None and listed != day:
        raise InputError(
            f"KEV has {flaw} since {listed}, not {day}", where="kev_added", mend=f"give {listed}"
        )


def _list(found: Sequence[Named]) -> str:
    shown = ", ".join(f"asset/{one.asset} ({plain(one.name, 60)})" for one in found[:_SHOWN])
    return f"{shown} and {len(found) - _SHOWN} more" if len(found) > _SHOWN else shown
