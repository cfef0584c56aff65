"""Which hosts and addresses this process may connect to when somebody else chose the URL. Pure.

Only public unicast addresses, unless the operator's setting names more. A name is never judged by its
text: what counts are the addresses that it resolves to, at the moment of connecting. Texts that a
resolver reads as an address by older rules (`2130706433`, `0177.1`, `0x7f.0.0.1`) are refused.
"""

from __future__ import annotations

import ipaddress
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from msgspec import Struct

from clearway.records.errors import ConfigError, OutsideError
from clearway.records.text import plain

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_MAX_HOST_CHARS = 253  # RFC 1035 §2.3.4
_V4, _V6 = IPv4Network, IPv6Network

# IANA IPv4 Special-Purpose Address Registry, and what is no unicast address.
_CLOSED_V4: tuple[tuple[IPv4Network, str], ...] = (
    (_V4("0.0.0.0/8"), "this network (RFC 1122)"),
    (_V4("10.0.0.0/8"), "private (RFC 1918)"),
    (_V4("100.64.0.0/10"), "shared between carriers (RFC 6598)"),
    (_V4("127.0.0.0/8"), "loopback"),
    (_V4("169.254.0.0/16"), "link-local (RFC 3927)"),
    (_V4("172.16.0.0/12"), "private (RFC 1918)"),
    (_V4("192.0.0.0/24"), "for protocols (RFC 6890)"),
    (_V4("192.0.2.0/24"), "for documentation (RFC 5737)"),
    (_V4("192.88.99.0/24"), "a 6to4 relay (RFC 7526)"),
    (_V4("192.168.0.0/16"), "private (RFC 1918)"),
    (_V4("198.18.0.0/15"), "for benchmarks (RFC 2544)"),
    (_V4("198.51.100.0/24"), "for documentation (RFC 5737)"),
    (_V4("203.0.113.0/24"), "for documentation (RFC 5737)"),
    (_V4("224.0.0.0/4"), "multicast"),
    (_V4("240.0.0.0/4"), "reserved or broadcast"),
)
_CLOSED_V6: tuple[tuple[IPv6Network, str], ...] = (
    (_V6("2001::/23"), "for protocols, Teredo among them (RFC 2928, RFC 4380)"),
    (_V6("2001:db8::/32"), "for documentation (RFC 3849)"),
    (_V6("3fff::/20"), "for documentation (RFC 9637)"),
    (_V6("5f00::/16"), "segment routing (RFC 9602)"),
)
_GLOBAL_V6 = _V6("2000::/3")  # RFC 4291 §2.4: all global unicast that IANA has given out
# Where a cloud answers any process with its credentials. Only a setting that names the very address opens one.
METADATA = frozenset(
    map(
        ipaddress.ip_address,
        (
            "169.254.169.254", "169.254.170.2", "169.254.170.23", "100.100.100.200", "192.0.0.192",
            "168.63.129.16", "fd00:ec2::254", "fd00:ec2::23", "fd20:ce::254",
        ),
    )
)  # fmt: skip
_MAPPED = _V6("::ffff:0:0/96")  # RFC 4291 §2.5.5.2
_NAT64 = _V6("64:ff9b::/96")  # RFC 6052
_SIX_TO_FOUR = _V6("2002::/16")  # RFC 3056
_ISATAP = (0x00005EFE, 0x02005EFE)  # RFC 5214 §6.1, the upper half of the interface identifier


class RefusedError(OutsideError):
    """A URL or an address that this installation does not connect to."""


class InnerError(RefusedError):
    """An address that a name leads to and that this installation does not connect to.

    Its words name the address: for who runs the installation, and not for who chose the name.
    """

    def for_strangers(self) -> str:
        return "its address is not a public one"


class Networks(Struct, frozen=True):
    """The operator's exceptions: networks that may be reached though not public, and such as may not though public."""

    opened: tuple[Network, ...] = ()
    closed: tuple[Network, ...] = ()

    @classmethod
    def parse(cls, text: str, setting: str = "") -> Networks:
        """From a setting such as "127.0.0.0/8, 10.20.0.0/16, !198.51.99.0/24"; "!" closes.

        Raises:
            ConfigError: an entry is no network; `where` is the name of the `setting`.
        """
        opened: list[Network] = []
        closed: list[Network] = []
        for entry in text.replace(",", " ").split():
            try:
                network = ipaddress.ip_network(entry.removeprefix("!"))
            except ValueError:
                raise ConfigError(
                    f"{plain(entry, 60)!r} is no network",
                    where=setting,
                    mend="write 10.20.0.0/16 or 10.20.1.7, separated by commas; !network closes one",
                ) from None
            (closed if entry.startswith("!") else opened).append(network)
        return cls(tuple(opened), tuple(closed))

    def refusal(self, address: Address) -> str:
        """Why `address` may not be connected to, in words; "" when it may.

        An IPv6 address that carries an IPv4 address to which it leads (mapped, NAT64, 6to4) is judged by that one.
        """
        inner = _carried(address)
        if any(_within(a, self.closed) for a in (address, inner) if a is not None):
            return "closed by the operator's setting"
        if address in METADATA or inner in METADATA:
            exact = (n for n in self.opened if n.prefixlen == n.max_prefixlen)
            return "" if _within(inner or address, tuple(exact)) else "a cloud's metadata service"
        if _within(address, self.opened) or (inner is not None and _within(inner, self.opened)):
            return ""
        if inner is not None:
            return _closed_v4(inner)
        return _closed_v4(address) if isinstance(address, IPv4Address) else _closed_v6(address)


PUBLIC_ONLY = Networks()


def _within(address: Address, networks: tuple[Network, ...]) -> bool:
    return any(address.version == n.version and address in n for n in networks)


def _carried(address: Address) -> IPv4Address | None:
    """The IPv4 address to which an IPv6 address leads, if it is one of that kind."""
    if isinstance(address, IPv4Address):
        return None
    if address in _MAPPED or address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    if address in _SIX_TO_FOUR:
        return IPv4Address(int(address) >> 80 & 0xFFFFFFFF)
    return None


def _closed_v4(address: IPv4Address) -> str:
    return next((why for network, why in _CLOSED_V4 if address in network), "")


def _closed_v6(address: IPv6Address) -> str:
    if address not in _GLOBAL_V6:
        if address.is_loopback:
            return "loopback"
        if address.is_multicast:
            return "multicast"
        return "link-local" if address.is_link_local else "not global unicast"
    for network, why in _CLOSED_V6:
        if address in network:
            return why
    if int(address) >> 32 & 0xFFFFFFFF in _ISATAP and _closed_v4(IPv4Address(int(address) & 0xFFFFFFFF)):
        return "a tunnel to an address that is not public (ISATAP)"
    return ""


def literal(host: str) -> Address | None:
    """The address that `host` is written as, or None for a name.

    Raises:
        RefusedError: it is neither, or an address in a spelling that resolvers read in different ways.
    """
    if not host or len(host) > _MAX_HOST_CHARS:
        raise RefusedError("no host, or one longer than a name may be", where=plain(host, 80))
    if ":" in host or host.startswith("["):
        try:
            inside = host[1:-1] if host.startswith("[") and host.endswith("]") else host
            address = IPv6Address(inside)
        except ValueError:
            address = None
        if address is None or address.scope_id:
            raise RefusedError("not an IPv6 address that can be reached from here", where=plain(host, 80))
        return address
    last = host.removesuffix(".").rpartition(".")[2].lower()
    # WHATWG URL §3.5, "ends in a number": inet_aton would read all of these as an address.
    if not last or last.isdigit() or (last.startswith("0x") and not last[2:].strip("0123456789abcdef")):
        try:
            return IPv4Address(host)
        except ValueError:
            raise RefusedError(
                "an address in decimal, octal, hexadecimal or short form",
                where=plain(host, 80),
                mend="write four decimal numbers, or a name",
            ) from None
    if not host.isascii() or host.strip(_NAME_CHARACTERS):
        raise RefusedError("not a host name", where=plain(host, 80))
    return None


_NAME_CHARACTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._"
