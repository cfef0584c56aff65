"""nmap's XML (`nmap -sV -oX`): hosts that are up, with the services that answered on their ports.

A version in a banner is what a program says of itself, and distributions mend without changing it; so a service is a
component that only its CPE identifies, which never makes a match more than possible. That a port answered the scanner
says nothing of who else can reach it: no exposure is inferred.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from clearway.records.asset_identity import telling_name
from clearway.records.errors import InputError
from clearway.records.fleet_input import FleetInput, Service, Witness
from clearway.records.inventory import Component

from . import _asset_names as names
from . import _when
from ._assets import Asset, Assets
from ._fields import one_line
from ._xml import children, elements
from .one_version import why_not

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_WANTED = frozenset((("nmaprun", "host"),))


def read(data: bytes, place: str) -> FleetInput:
    """An asset for each host that is up, by its addresses and host names.

    Raises:
        InputError: not well-formed, with entities, or not nmap's; TooLargeError: over a bound of `_xml`.
    """
    found: Assets | None = None
    started: datetime | None = None
    number = 0
    for name, element in elements(data, place, _WANTED):
        if not name:
            if element.tag != "nmaprun":
                raise InputError("is not nmap's XML", where=place, mend="scan with `nmap -sV -oX FILE`")
            version = one_line(element.get("version", ""), 40)
            tool = one_line(element.get("scanner", "nmap"), 40).lower()
            found = Assets("nmap-xml", Witness(tool=tool, version=version))
            started = _time(element.get("start", ""))
            continue
        assert found is not None
        number += 1
        status = next(children(element, "status"), None)
        if status is not None and status.get("state") != "up":
            found.passed_over += 1
            continue
        try:
            _host(element, started, found)
        except InputError as e:
            found.refuse(f"host {number}", e)
    if found is None:
        raise InputError("is empty", where=place, mend="scan with `nmap -sV -oX FILE`")
    return found.finish()


def _host(element: Element, started: datetime | None, found: Assets) -> None:
    ips, macs = [], []
    for child in children(element, "address"):
        if child.get("addrtype") == "mac":
            macs.append(names.mac(child.get("addr", "")))
        else:
            ips.append(names.address(child.get("addr", "")))
    ips = [ip for ip in ips if ip]
    hosts = [
        (one.get("type", ""), one.get("name", ""))
        for group in children(element, "hostnames")
        for one in children(group, "hostname")
    ]
    if not ips:
        raise InputError("has no address", mend="scan it again")
    # A name that was asked for leads to the address, one from a PTR record is what its owner says.
    hosts.sort(key=lambda h: (h[0] != "PTR", h[1]))
    stated = [name for _, text in hosts for name in names.host(text) if name]
    telling = telling_name((name for name in stated if "." in name), ips)
    asset = found.get(telling or next(iter(stated), ips[0]), ips[0])
    asset.ips.update(ips)
    asset.macs.update(m for m in macs if m)
    for kind, name in hosts:
        if kind == "PTR":
            asset.named(name)
    if not any(kind == "PTR" for kind, _ in hosts):
        for _, name in hosts:
            asset.named(name)
    at = _time(element.get("endtime", "")) or _time(element.get("starttime", "")) or started
    if at:
        asset.seen.add(at)
    for group in children(element, "ports"):
        for port in children(group, "port"):
            _port(port, asset)
    for group in children(element, "os"):
        best = max(
            children(group, "osmatch"),
            key=lambda m: (_number(m.get("accuracy", "")), m.get("name", "")),
            default=None,
        )
        if best is not None:
            asset.state("os", best.get("name", ""))


def _port(element: Element, asset: Asset) -> None:
    state = next(children(element, "state"), None)
    number = _number(element.get("portid", ""))
    if state is None or state.get("state") != "open" or not 0 <= number <= 65535:
        return
    service = next(children(element, "service"), None)
    protocol = one_line(element.get("protocol", "tcp"), 10)
    if service is None:
        asset.services.add(Service(port=number, protocol=protocol))
        return
    cpes = tuple(sorted({one_line((c.text or "").strip(), 300) for c in children(service, "cpe")} - {""}))
    product, version = one_line(service.get("product", "")), one_line(service.get("version", ""), 200)
    asset.services.add(
        Service(
            port=number,
            protocol=protocol,
            name=one_line(service.get("name", ""), 100),
            product=product,
            version=version,
            cpes=cpes,
        )
    )
    programs = tuple(cpe for cpe in cpes if cpe.startswith("cpe:/a:"))
    if product or programs:
        asset.components.append(
            Component(
                name=product or programs[0].split(":")[3],
                version=version,
                cpes=programs,
                place=f"port {number}/{protocol}",
                problem=why_not(version),  # of some it knows "3.X - 4.X"
            )
        )


def _time(text: str) -> datetime | None:
    try:
        return _when.moment(text, "time")
    except InputError:
        return None


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else -1
