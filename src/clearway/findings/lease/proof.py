"""Where a proof of control is put, and whether it is there.

    dns-txt     _clearway-scan-control.example.org          TXT "clearway-scan-control=TOKEN"
                for *.example.org and for www.example.org, each at its own name; for a network in its reverse zone, so
                for one that ends at an octet (IPv4) or a hexadecimal digit (IPv6): ….2.0.192.in-addr.arpa
    well-known  https://www.example.org/.well-known/clearway-scan-control.txt     a line with the token alone
                for a host or one address alone (http://192.0.2.7/…): whoever has a web server for a name does not
                have what lies below it

A redirect proves nothing: many servers send a visitor wherever the address says.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from clearway.records.errors import InputError, UpstreamError

if TYPE_CHECKING:
    from clearway.http.outbound import Client

    from .scope import Target
    from .txt import Resolver

Method = Literal["dns-txt", "well-known"]
LABEL = "_clearway-scan-control"
VALUE = "clearway-scan-control="
PATH = "/.well-known/clearway-scan-control.txt"
_MAX_BYTES = 8_192
_DEADLINE_S = 15.0


class Place(Struct, frozen=True, kw_only=True):
    """Where the owner puts what: a TXT record at `name`, or a file at `url`."""

    name: str = ""
    url: str = ""
    content: str


class Ports(Struct, frozen=True):
    """Where web servers listen."""

    https: int = 443
    http: int = 80


def place(target: Target, method: Method, token: str, ports: Ports | None = None) -> Place:
    """Where the proof for `target` is looked for. Pure.

    Raises:
        InputError: that way shows nothing about such a target.
    """
    if not target.live:
        raise InputError("control is proven of networks and names", where="scope")
    if method == "dns-txt":
        return Place(name=f"{LABEL}.{_zone(target)}", content=VALUE + token)
    at = ports or Ports()
    if target.kind == "host":
        return Place(url=f"https://{target.text}{_port(at.https, 443)}{PATH}", content=token)
    if target.net is not None and target.net.prefixlen == target.net.max_prefixlen:
        address = str(target.net.network_address)
        host = f"[{address}]" if target.net.version == 6 else address
        return Place(url=f"http://{host}{_port(at.http, 80)}{PATH}", content=token)
    raise InputError(
        "a file shows control of a host or one address alone",
        where="method",
        mend="use dns-txt for this scope",
    )


class Looker:
    """Looks for proofs: through this resolver, and with one client for the outside."""

    def __init__(self, resolver: Resolver, client: Client, ports: Ports | None = None) -> None:
        self._resolver = resolver
        self._client = client
        self._ports = ports or Ports()

    def holds(self, target: Target, method: Method, token: str) -> bool:
        """Whether the proof is where it belongs.

        Raises:
            InputError: that way shows nothing about such a target.
            UpstreamError: nobody could be asked, or the answer can't be read.
        """
        at = place(target, method, token, self._ports)
        if at.name:
            return at.content in (text.strip() for text in self._resolver(at.name))
        return at.content in (line.strip() for line in self._file(at.url).splitlines())

    def _file(self, url: str) -> str:
        with tempfile.TemporaryDirectory(prefix="clearway-proof-") as folder:
            path = Path(folder) / "proof"
            got = self._client.get_to_file(url, path, max_bytes=_MAX_BYTES, deadline_s=_DEADLINE_S)
            if got.url != url:
                raise UpstreamError("the address redirects, which proves nothing", where=url)
            return path.read_bytes().decode("utf-8", "replace")


def _zone(target: Target) -> str:
    if target.net is None:
        return target.text.removeprefix("*.")
    step = 8 if target.net.version == 4 else 4
    if target.net.prefixlen % step:
        near = ", ".join(f"/{n}" for n in (8, 16, 24, 32)) if step == 8 else "a multiple of 4"
        raise InputError(
            "the DNS has no reverse zone that is just this network",
            where="scope",
            mend=f"use a prefix of {near}",
        )
    labels = target.net.network_address.reverse_pointer.split(".")
    return ".".join(labels[(target.net.max_prefixlen - target.net.prefixlen) // step :])


def _port(port: int, usual: int) -> str:
    return "" if port == usual else f":{port}"
