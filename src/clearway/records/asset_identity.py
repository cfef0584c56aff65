"""Whether two observations are of one asset, and by what.

A digest, a cloud id or a serial number names one thing. A name or an address names whatever answers to it today, so a
name counts only where nothing contradicts it, and an address of a private network (RFC 1918, RFC 4193) never counts
alone: every site has a 192.168.1.1.
"""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import TYPE_CHECKING

from msgspec import Struct

from .fleet_input import AssetIds, Observed

if TYPE_CHECKING:
    from collections.abc import Iterable

_DIGITS = re.compile(r"[0-9]+")

# Names that software gives to every machine, or that a network derives from an address it will give to another.
_GENERIC_HOSTS = frozenset(
    ("localhost", "localhost4", "localhost6", "ubuntu", "debian", "raspberrypi", "kali", "router")
)
_GENERIC_ZONES = (
    "localdomain",
    "local",
    "lan",
    "home",
    "internal",
    "arpa",
    "localhost",
    "home.arpa",
    "invalid",
    "test",
)


class Sameness(Struct, frozen=True, kw_only=True):
    """`same`, the identifiers that agree, and those that contradict, each in words."""

    same: bool
    by: tuple[str, ...] = ()
    against: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return self.same


def same_asset(a: Observed, b: Observed) -> Sameness:
    """Whether `a` and `b` are one asset. Symmetric; an observation without identifiers is the same as nothing.

    1. An equal image digest, cloud id, hardware UUID or serial number decides, unless another one of these differs.
       Of one tool, its own key for the asset decides in the same way.
    2. An equal FQDN decides where none of these differs and, where both sides state addresses, they share one. A name
       that networks reuse (`localhost`, `ip-10-0-0-1.ec2.internal`) counts as a host name.
    3. An equal host name decides together with an equal MAC address, or with an equal public address.
    4. An equal public address decides alone only where at most one side states any other identifier.
    """
    x, y = a.ids, b.ids
    by: list[str] = []
    against: list[str] = []
    digests = _common(x.image_digests, y.image_digests)
    by.extend(f"image digest {digest}" for digest in digests)
    for label, one, other in (
        ("cloud id", x.cloud_id, y.cloud_id),
        ("hardware UUID", x.hardware_uuid, y.hardware_uuid),
        ("serial number", x.serial, y.serial),
    ):
        _weigh(label, one, other, by, against)
    if a.witness.tool and a.witness.tool == b.witness.tool:
        _weigh(f"{a.witness.tool}'s id", x.tool_id, y.tool_id, by, against)
    if by or against:
        return Sameness(same=bool(by) and not against, by=tuple(by), against=tuple(against))
    if x.image_digests and y.image_digests:
        # One image has a digest of its configuration, one of its manifest for each registry, and one of its index: two
        # tools that give different ones don't contradict each other. But a name will not make two images one.
        return Sameness(same=False, against=("no image digest in common",))
    return _by_network(x, y)


def identity_keys(ids: AssetIds, tool: str = "") -> tuple[str, ...]:
    """Keys to look for an asset by: two that `same_asset` calls one share at least one. Sorted."""
    keys = [f"image:{digest}" for digest in ids.image_digests]
    keys += [f"fqdn:{name}" for name in _names(ids)]
    keys += [f"ip:{ip}" for ip in _public(ids)]
    keys += [f"mac:{mac}" for mac in _burned_in(ids)]
    for kind, value in (("cloud", ids.cloud_id), ("uuid", ids.hardware_uuid), ("serial", ids.serial)):
        if value:
            keys.append(f"{kind}:{value.casefold()}")
    if tool and ids.tool_id:
        keys.append(f"{tool}:{ids.tool_id}")
    return tuple(sorted(keys))


def telling_name(fqdns: Iterable[str], ips: Iterable[str]) -> str:
    """The one FQDN that tells more of a machine than its address does; "" where there is none, or are several.

    Names that networks reuse and those that are made of the address ("203-0-113-7.dsl.example") tell nothing.
    """
    spelled = {tuple(ip.split(".")) for ip in ips if ip.count(".") == 3}
    spelled |= {octets[::-1] for octets in spelled}
    found = {name for name in fqdns if not _is_reused(name) and not _spells(name, spelled)}
    return found.pop() if len(found) == 1 else ""


def _spells(name: str, addresses: set[tuple[str, ...]]) -> bool:
    """Whether the numbers of one of these IPv4 addresses stand in `name`, in their order."""
    numbers = [number.lstrip("0") or "0" for number in _DIGITS.findall(name)]
    return any(tuple(numbers[i : i + 4]) in addresses for i in range(len(numbers) - 3))


def is_private(ip: str) -> bool:
    """Whether `ip` is not globally reachable (IANA special-purpose registries); True for what is no address."""
    try:
        return not ip_address(ip).is_global
    except ValueError:
        return True


def _weigh(label: str, one: str, other: str, by: list[str], against: list[str]) -> None:
    if one and other:
        first, second = sorted((one, other))
        if one.casefold() == other.casefold():
            by.append(f"{label} {first}")
        else:
            against.append(f"{label} differs: {first} and {second}")


def _by_network(x: AssetIds, y: AssetIds) -> Sameness:
    addresses, macs = _common(_routed(x), _routed(y)), _common(_burned_in(x), _burned_in(y))
    named = _common(_names(x), _names(y))
    if named:
        if _routed(x) and _routed(y) and not addresses:
            return Sameness(same=False, by=(f"FQDN {named[0]}",), against=("no address in common",))
        return Sameness(same=True, by=tuple(f"FQDN {name}" for name in named))
    public = _common(_public(x), _public(y))
    hosts = _common(_hosts(x), _hosts(y))
    if hosts and (macs or public):
        return Sameness(
            same=True,
            by=(f"host name {hosts[0]}", *(f"MAC {m}" for m in macs), *(f"address {p}" for p in public)),
        )
    if public and (_is_bare(x) or _is_bare(y)):
        return Sameness(same=True, by=tuple(f"public address {ip}" for ip in public))
    if public and not hosts and _hosts(x) and _hosts(y):
        return Sameness(
            same=False, by=tuple(f"public address {ip}" for ip in public), against=("names differ",)
        )
    return Sameness(same=False)


def _names(ids: AssetIds) -> tuple[str, ...]:
    """The FQDNs that are one machine's own."""
    return tuple(name for name in ids.fqdns if not _is_reused(name))


def _hosts(ids: AssetIds) -> tuple[str, ...]:
    """First labels of all names, but for generic ones."""
    found = {ids.hostname, *(name.partition(".")[0] for name in ids.fqdns)}
    return tuple(sorted(host for host in found if host and host not in _GENERIC_HOSTS))


def _is_reused(fqdn: str) -> bool:
    host, _, zone = fqdn.partition(".")
    return host in _GENERIC_HOSTS or any(zone == z or zone.endswith(f".{z}") for z in _GENERIC_ZONES)


def _burned_in(ids: AssetIds) -> tuple[str, ...]:
    """MACs that a maker assigned; locally administered ones (IEEE 802, bit 1 of the first octet) repeat."""
    return tuple(mac for mac in ids.macs if not int(mac[:2], 16) & 2)


def _public(ids: AssetIds) -> tuple[str, ...]:
    return tuple(ip for ip in ids.ips if not is_private(ip))


def _routed(ids: AssetIds) -> tuple[str, ...]:
    """Addresses that tell machines of one network apart: not loopback, not link-local."""
    return tuple(ip for ip in ids.ips if not (ip_address(ip).is_loopback or ip_address(ip).is_link_local))


def _is_bare(ids: AssetIds) -> bool:
    """Whether nothing but addresses identifies it."""
    return not (
        ids.hostname
        or ids.fqdns
        or ids.macs
        or ids.serial
        or ids.hardware_uuid
        or ids.cloud_id
        or ids.image_digests
    )


def _common(a: tuple[str, ...], b: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted(set(a) & set(b)))
