"""Greenbone's (OpenVAS's) XML report: results by host, each a test of the feed (NVT) with the CVEs it refers to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clearway.records.errors import InputError
from clearway.records.fleet_input import Detection, FleetInput, Witness

from . import _asset_names as names
from . import _when
from ._assets import Asset, Assets, distro_of
from ._fields import one_line
from ._xml import children, elements, text
from .scanner_csv import flaws_in

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_WANTED = frozenset(
    (("results", "result"), ("report", "host"), ("report", "scan_end"), ("report", "timestamp"))
)
_ROOTS = frozenset(("report", "get_reports_response"))


def read(data: bytes, place: str) -> FleetInput:
    """An asset for each host, a detection for each CVE of each result; the report has no day of first detection.

    Raises:
        InputError: not well-formed, with entities, or another format; TooLargeError: over a bound of `_xml`.
    """
    found = Assets("greenbone-xml", Witness(tool="greenbone"))
    number = 0
    for name, element in elements(data, place, _WANTED):
        if not name:
            if element.tag not in _ROOTS:
                raise InputError("is not a Greenbone report", where=place, mend="export the report as XML")
            continue
        number += 1
        try:
            if name == "result":
                _result(element, found)
            elif name == "host":
                _host(element, found)
        except InputError as e:
            found.refuse(f"{name} {number}", e)
    return found.finish()


def _asset(ip: str, found: Assets) -> Asset:
    if not ip:
        raise InputError("names no host", mend="export the report again")
    asset = found.get(ip)
    asset.named(ip)
    return asset


def _result(element: Element, found: Assets) -> None:
    host = next(children(element, "host"), None)
    ip = (host.text or "").strip() if host is not None else ""
    at = _when.moment(text(element, "modification_time") or text(element, "creation_time"), "creation_time")
    asset = _asset(ip, found)
    if host is not None:
        asset.named(text(host, "hostname"))
    if at:
        asset.seen.add(at)
    nvt = next(children(element, "nvt"), None)
    refs = [] if nvt is None else [
        one.get("id", "")
        for group in children(nvt, "refs")
        for one in children(group, "ref")
        if one.get("type") == "cve"
    ]  # fmt: skip
    flaws = flaws_in(" ".join((*refs, text(nvt, "cve") if nvt is not None else "", text(element, "name"))))
    if not flaws:
        found.passed_over += 1
    port = text(element, "port")
    for flaw in flaws:
        asset.detect(
            Detection(
                asset=asset.name,
                flaw=flaw,
                last_seen=at.date() if at else None,
                source="greenbone",
                plugin=one_line(nvt.get("oid", "") if nvt is not None else "", 100),
                title=one_line(text(element, "name")),
                port=one_line(port, 20) if port[:1].isdigit() else "",
                state="open",
                place=f"result {one_line(element.get('id', ''), 60)}",
            )
        )


def _host(element: Element, found: Assets) -> None:
    asset = _asset(text(element, "ip"), found)
    ended = _when.moment(text(element, "end"), "end")
    if ended:
        asset.seen.add(ended)
    for detail in children(element, "detail"):
        name, value = text(detail, "name"), text(detail, "value")
        if name == "hostname":
            asset.named(value)
        elif name == "MAC":
            asset.macs.update(names.macs(value))
        elif name == "best_os_txt":
            asset.state("os", value)
            asset.state("distro", distro_of(value))
