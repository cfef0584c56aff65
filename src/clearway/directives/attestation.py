"""The quarterly inventory of public addresses and names, and who attests to it. Pure.

BOD 26-04 keeps the quarterly attestation of public IP addresses and domains. The inventory is drawn from the tags
of the assets, compared with the inventory of the last attestation, and says where tags contradict each other.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date
from ipaddress import ip_address, ip_network
from typing import Final, Literal

import msgspec
from msgspec import Struct

from clearway.records.errors import InputError

from .entrance import readable
from .reports.as_csv import table
from .reports.period import quarter_of
from .reports.row import AssetTags

SCHEMA: Final = "urn:clearway:schema:directive-report-addresses:1"
Where = Literal["address", "network", "name"]
_END = re.compile(r"[\s.]+\Z")  # the root's dot


class PublicAddress(Struct, frozen=True, kw_only=True, order=True):
    """One public IP address, network or DNS name, and the asset that carries it."""

    address: str
    kind: Where
    asset: str
    asset_name: str
    sub_organisation: str = ""


class Doubt(Struct, frozen=True, kw_only=True, order=True):
    """What a person should look at before attesting."""

    asset: str
    address: str
    what: str


class Attested(Struct, frozen=True, kw_only=True):
    """Who attests, in which function, and on which day."""

    by: str
    role: str
    on: date


class AddressReport(Struct, frozen=True, kw_only=True):
    """The inventory of one quarter. `added` and `removed` against `previous_quarter`; None: there was none before."""

    schema: Literal["urn:clearway:schema:directive-report-addresses:1"] = SCHEMA
    report: Literal["addresses"] = "addresses"
    directive: str
    organisation: str
    organisation_name: str
    as_of: date
    quarter: str
    previous_quarter: str | None
    attested: Attested | None  # None: drawn up and not attested
    counts: dict[str, int]
    addresses: tuple[PublicAddress, ...]
    added: tuple[str, ...]
    removed: tuple[str, ...]
    doubts: tuple[Doubt, ...]


def address_report(
    directive: str,
    assets: Iterable[AssetTags],
    *,
    as_of: date,
    organisation: str,
    organisation_name: str = "",
    previous: AddressReport | None = None,
    attested: Attested | None = None,
) -> AddressReport:
    """The inventory of what is public among `assets` on `as_of`, compared with `previous`.

    An address is in it when it is globally routable (IANA's special-purpose registries), whatever the asset's tag;
    a name when its asset is tagged public. Decommissioned assets are left out.

    Raises:
        InputError: the previous inventory is of a later day, or somebody attests before the day it speaks of, or under
            a name or function with control characters.
    """
    if previous is not None and previous.as_of > as_of:
        raise InputError(f"the last inventory is of {previous.as_of}, after {as_of}", mend="give a later day")
    if attested is not None and attested.on < as_of:
        raise InputError(f"attested on {attested.on}, before {as_of}", mend="attest to a day that is over")
    if attested is not None:
        readable(attested.by, "attested.by")
        readable(attested.role, "attested.role")
    found: set[PublicAddress] = set()
    doubts: set[Doubt] = set()
    for asset in assets:
        if asset.decommissioned is None or asset.decommissioned > as_of:
            found.update(_public(asset, doubts))
    now = {each.address for each in found}
    before = {each.address for each in previous.addresses} if previous is not None else now
    kinds: tuple[Where, ...] = ("address", "network", "name")
    return AddressReport(
        directive=directive,
        organisation=organisation,
        organisation_name=organisation_name or organisation,
        as_of=as_of,
        quarter=quarter_of(as_of)[0],
        previous_quarter=previous.quarter if previous is not None else None,
        attested=attested,
        counts={kind: len({a.address for a in found if a.kind == kind}) for kind in kinds},
        addresses=tuple(sorted(found)),
        added=tuple(sorted(now - before)),
        removed=tuple(sorted(before - now)),
        doubts=tuple(sorted(doubts)),
    )


def read_address_report(data: bytes, place: str = "report") -> AddressReport:
    """An inventory from its JSON. Raises InputError naming `place`."""
    try:
        return msgspec.json.decode(data, type=AddressReport)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"not an inventory of addresses: {error}", where=place) from error


def address_csv(report: AddressReport) -> bytes:
    """The inventory as CSV, one line an address, with what changed since the last one."""
    columns = (
        "quarter",
        "as_of",
        "organisation",
        "sub_organisation",
        "address",
        "kind",
        "asset",
        "asset_name",
        "change",
    )
    added = set(report.added)
    head = (report.quarter, report.as_of, report.organisation)
    rows: list[tuple[object, ...]] = [
        (
            *(*head, a.sub_organisation, a.address, a.kind, a.asset, a.asset_name),
            "added" if a.address in added else "",
        )
        for a in report.addresses
    ]
    rows += [(*head, "", address, "", "", "", "removed") for address in report.removed]
    return table(columns, rows)


def _public(asset: AssetTags, doubts: set[Doubt]) -> Iterable[PublicAddress]:
    any_public = False
    for text in asset.addresses:
        parsed = _parse(text)
        if parsed is None:
            doubts.add(Doubt(asset=asset.id, address=text, what="not an IP address or network"))
            continue
        shown, kind, is_global = parsed
        if not is_global:
            continue
        any_public = True
        if asset.exposure != "public":
            what = f"globally routable, and the asset is tagged {asset.exposure}"
            doubts.add(Doubt(asset=asset.id, address=shown, what=what))
        yield _address(asset, shown, kind)
    if asset.exposure != "public":
        return
    for name in asset.names:
        shown = _END.sub("", name.strip()).lower()
        if shown:
            any_public = True
            yield _address(asset, shown, "name")
    if not any_public:
        doubts.add(
            Doubt(asset=asset.id, address="", what="tagged public, and no public address or name is known")
        )


def _address(asset: AssetTags, shown: str, kind: Where) -> PublicAddress:
    return PublicAddress(
        address=shown,
        kind=kind,
        asset=asset.id,
        asset_name=asset.name,
        sub_organisation=asset.sub_organisation,
    )


def _parse(text: str) -> tuple[str, Where, bool] | None:
    """The canonical text, the kind and whether it is globally routable; None for what is neither."""
    try:
        if "/" in text:
            network = ip_network(text.strip(), strict=False)
            return str(network), "network", network.is_global
        address = ip_address(text.strip().partition("%")[0])
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    address = mapped if mapped is not None else address
    return str(address), "address", address.is_global and not address.is_multicast
