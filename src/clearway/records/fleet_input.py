"""What documents from the field say of assets: who they are, what runs on them, what a scanner found there.

A record here is one witness's word about one asset. Nothing is merged across documents: which assets are one is
asked of `asset_identity`, and what a fleet believes of them is derived elsewhere.
"""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import Literal

from msgspec import Struct

from .inventory import Component
from .vex import VexStatement

# What the tool says of a detection; "" when it says nothing, which is to be read as open.
DetectionState = Literal["open", "fixed", "dismissed", ""]
Exposure = Literal["public", "internal", ""]
# The year of the first CVE: no flaw was detected earlier, and a clock that says so was not set.
FIRST_DETECTED = date(1999, 1, 1)
_CVE_YEAR = re.compile(r"CVE-([12][0-9]{3})-", re.IGNORECASE)
MAX_NAME_CHARS = 300  # of an asset


def begins(flaw: str) -> date:
    """The first day on which a flaw of that id can have been detected: of a CVE the first of its id's year.

    That is the year in which the id was reserved or the flaw made public: before it no scanner had the id to report. Of
    other ids it is `FIRST_DETECTED`.
    """
    found = _CVE_YEAR.match(flaw)
    return max(date(int(found[1]), 1, 1), FIRST_DETECTED) if found else FIRST_DETECTED


class AssetIds(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What identifies an asset, as far as one document states it; every list sorted, without repetitions.

    Names are lower-case. `hostname` has no dot, `fqdns` have at least one and none at the end. `ips` are canonical
    texts of IPv4 and IPv6 addresses, private (RFC 1918, RFC 4193) and loopback ones too. `macs` are six pairs of
    lower-case digits, "00:0d:3a:45:64:7f". `serial` is the chassis' or firmware's, `hardware_uuid` SMBIOS's;
    placeholders such as "To be filled by O.E.M." are left out. `cloud_id` is the provider's ("i-0123456789abcdef0", an
    ARN, an Azure resource). `image_digests` are "sha256:…" of a container image: of its manifest, index or
    configuration. `tool_id` is the witness's own key, unique only within that tool.
    """

    hostname: str = ""
    fqdns: tuple[str, ...] = ()
    ips: tuple[str, ...] = ()
    macs: tuple[str, ...] = ()
    serial: str = ""
    hardware_uuid: str = ""
    cloud_id: str = ""
    image_digests: tuple[str, ...] = ()
    tool_id: str = ""


class Witness(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The tool that saw it ("trivy", "nmap", "nessus"), lower-case, and its version; "" where nothing says so."""

    tool: str = ""
    version: str = ""


class Service(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A port that answered the scanner. It says nothing of who else can reach it: no exposure is inferred."""

    port: int
    protocol: str = "tcp"
    name: str = ""
    product: str = ""
    version: str = ""
    cpes: tuple[str, ...] = ()


class Detection(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A scanner's word that a flaw is on an asset.

    `flaw` is the CVE where the tool names exactly one, else its own advisory id; `aliases` are the other ids it names.
    `first_detected` is None where the document does not say: then the day it was `Observed.seen` is the earliest
    known. Days are UTC for a time with a zone, as written for one without.
    """

    asset: str  # the asset's name in this document
    flaw: str
    aliases: tuple[str, ...] = ()
    first_detected: date | None = None
    last_seen: date | None = None
    source: str = ""  # the tool
    plugin: str = ""  # the tool's own check: a Nessus plugin, a QID, an OID
    title: str = ""
    package: str = ""
    version: str = ""  # installed
    fixed: tuple[str, ...] = ()  # versions that the tool names as fixed
    purl: str = ""
    port: str = ""  # "443/tcp"
    state: DetectionState = ""
    place: str = ""  # "line 7", "Results[0].Vulnerabilities[3]"

    @property
    def cve(self) -> str:
        """`flaw` when it is a CVE id, else ""."""
        return self.flaw if self.flaw.startswith("CVE-") else ""


class Observed(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One asset as one document shows it.

    `exposure` is set only where the document states it, `exposure_by` says who or what stated it, and
    `exposure_since` from which day. `distro` is
    the operating system as packages are judged by it ("debian-12"), `os` as written. `problems` are defects about
    this asset that did not stop the reading, with their places.
    """

    name: str
    format: str  # "osquery", "nmap-xml", "trivy-json", …, or the inventory's format
    ids: AssetIds = AssetIds()
    type: str = ""  # "host", "container image", "repository", or as the document writes it
    environment: str = ""
    owner: str = ""
    exposure: Exposure = ""
    exposure_by: str = ""
    exposure_since: date | None = None
    end_of_support: date | None = None
    edge: bool | None = None  # a device at the edge of the network (BOD 26-02); None: not stated
    os: str = ""
    distro: str = ""
    components: tuple[Component, ...] = ()
    detections: tuple[Detection, ...] = ()
    services: tuple[Service, ...] = ()
    # Whether `components` are all that the witness looks for there, so that one missing now is gone.
    complete: bool = False
    witness: Witness = Witness()
    seen: datetime | None = None  # UTC; when the witness looked, from inside the document
    serial: str = ""  # of the document
    subject: str = ""  # what an SBOM says it describes, where that is no name of an asset
    root_purl: str = ""
    vex: tuple[VexStatement, ...] = ()
    problems: tuple[str, ...] = ()


def known_since(one: Observed) -> dict[str, date]:
    """The earliest day on which `one` shows each flaw and alias: first detected, else last seen, else when it was seen.

    Flaws that the tool calls fixed or dismissed are among them. A flaw without any day is left out.
    """
    days: dict[str, date] = {}
    for detection in one.detections:
        day = detection.first_detected or detection.last_seen or (one.seen.date() if one.seen else None)
        if day is not None:
            for flaw in (detection.flaw, *detection.aliases):
                days[flaw] = min(day, days.get(flaw, day))
    return days


class SetAside(Struct, frozen=True):
    """A row that could not be used: where, why, and what to do."""

    place: str
    reason: str


class FleetInput(Struct, frozen=True, kw_only=True):
    """All that one document says: its assets by name, and the rows that could not be used.

    `passed_over` counts what is sound and says nothing for a fleet: a scanner's remark without any flaw, an entry
    of the registry without a name.
    """

    format: str
    observed: tuple[Observed, ...]
    set_aside: tuple[SetAside, ...] = ()
    passed_over: int = 0
