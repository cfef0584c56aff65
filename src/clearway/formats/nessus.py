"""Nessus's own export, `.nessus` (NessusClientData_v2): hosts, and what each plugin reports of them.

The format holds no day of first detection: a scan says that a flaw was there when it ran.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from clearway.records.errors import InputError
from clearway.records.fleet_input import Detection, FleetInput, Witness

from . import _asset_names as names
from . import _when
from ._assets import Assets, distro_of
from ._fields import one_line
from ._xml import children, elements, text
from .scanner_csv import flaws_in

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_WANTED = frozenset((("Report", "ReportHost"),))
_CLOUD = ("aws-instance-instanceId", "aws-instance-id", "azure-instance-id", "azure-vm-id", "gcp-instance-id")


def read(data: bytes, place: str) -> FleetInput:
    """An asset for each host of the report, a detection for each CVE of each plugin that fired.

    Raises:
        InputError: not well-formed, with entities, or another format; TooLargeError: over a bound of `_xml`.
    """
    found = Assets("nessus-xml", Witness(tool="nessus"))
    number = 0
    for name, element in elements(data, place, _WANTED):
        if not name:
            if element.tag != "NessusClientData_v2":
                raise InputError("is not a Nessus export", where=place, mend="export the scan as .nessus")
            continue
        number += 1
        try:
            _host(element, found)
        except InputError as e:
            found.refuse(f"ReportHost {number}", e)
    return found.finish()


def _host(element: Element, found: Assets) -> None:
    tags = {
        tag.get("name", ""): (tag.text or "").strip()
        for group in children(element, "HostProperties")
        for tag in children(group, "tag")
    }
    given = element.get("name", "").strip()
    fqdn = tags.get("host-fqdn", "")
    name = given or fqdn or tags.get("host-ip", "")
    if not name:
        raise InputError("has no name", mend="export the scan again")
    seen = _when.moment(tags.get("HOST_END_TIMESTAMP") or tags.get("HOST_END", ""), "HOST_END")
    seen = seen or _when.moment(tags.get("HOST_START_TIMESTAMP") or tags.get("HOST_START", ""), "HOST_START")
    asset = found.get(name, tags.get("host-uuid", ""))
    for text_of_name in (given, fqdn, tags.get("netbios-name", ""), tags.get("hostname", "")):
        asset.named(text_of_name)
    asset.ips.update(names.addresses(tags.get("host-ip", "")))
    asset.macs.update(names.macs(tags.get("mac-address", "")))
    asset.identify("hardware_uuid", names.hardware_uuid(tags.get("bios-uuid", "")))
    asset.identify("tool_id", one_line(tags.get("host-uuid", ""), 200))
    asset.identify("cloud_id", next((one_line(tags[key], 500) for key in _CLOUD if tags.get(key)), ""))
    os = next((line for line in tags.get("operating-system", "").splitlines() if line.strip()), "")
    asset.state("os", os)
    asset.state("distro", distro_of(os))
    asset.state("type", tags.get("system-type", ""))
    if seen:
        asset.seen.add(seen)
    for index, item in enumerate(children(element, "ReportItem")):
        flaws = flaws_in(" ".join((cve.text or "") for cve in children(item, "cve")))
        if not flaws:
            found.passed_over += 1
        port = item.get("port", "0")
        for flaw in flaws:
            asset.detect(
                Detection(
                    asset=asset.name,
                    flaw=flaw,
                    last_seen=seen.date() if seen else None,
                    source="nessus",
                    plugin=one_line(item.get("pluginID", ""), 100),
                    title=one_line(item.get("pluginName", "") or text(item, "plugin_name")),
                    port=f"{port}/{one_line(item.get('protocol', 'tcp'), 10)}"
                    if port.isdigit() and port != "0"
                    else "",
                    state="open",
                    place=f"{asset.name}, ReportItem {index + 1}",
                )
            )
