"""Scanner exports as CSV: an asset, a flaw, and the day on which it was first detected.

One reader for Nessus, Tenable, Qualys, Greenbone and for what anyone writes by hand: headings are known by common
synonyms, and the tool by a heading that only it has.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

from clearway.records.errors import InputError
from clearway.records.fleet_input import MAX_NAME_CHARS, Detection, FleetInput, Witness

from . import _asset_names as names
from . import _when
from ._assets import Asset, Assets, distro_of, exposure_of, state_of
from ._fields import one_line
from ._tables import Row, find_header, head_of, read_table

# column -> headings, as `heading` spells them; of two headings of one column the first in the file counts.
HEADINGS: dict[str, tuple[str, ...]] = {
    "asset": ("asset", "asset name", "host", "machine", "device", "device name", "computer", "computer name", "server",
              "target", "system", "asset display name", "endpoint", "affected asset", "asset names", "node"),
    "hostname": ("hostname", "host name", "asset host name", "netbios", "netbios name", "net bios",
                 "asset netbios name"),
    "fqdn": ("fqdn", "dns", "dns name", "asset display fqdn", "asset fqdn", "domain name",
             "fully qualified domain name"),
    "ip": ("ip", "ip address", "ips", "ip addresses", "asset ip", "asset display ipv4 address", "ipv4", "ipv4 address",
           "host ip", "asset ipv4", "asset ip address"),
    "ip6": ("ipv6", "ipv6 address", "asset display ipv6 address"),
    "mac": ("mac", "mac address", "mac addresses", "asset mac addresses", "asset display mac address"),
    "serial": ("serial", "serial number", "hardware serial"),
    "cloud_id": ("cloud id", "instance id", "cloud instance id", "ec2 instance id", "resource id",
                 "azure vm id", "arn"),
    "tool_id": ("asset id", "asset uuid", "host id", "agent id", "agent uuid", "device id"),
    "digest": ("digest", "image digest", "image id", "image sha", "image"),
    "os": ("os", "operating system", "asset operating system", "asset os name", "os platform", "platform"),
    "environment": ("environment", "env"),
    "owner": ("owner", "asset owner", "responsible", "team"),
    "type": ("asset type", "system type", "asset system type", "device type"),
    "exposure": ("exposure", "exposed", "internet facing", "public facing"),
    "cve": ("cve", "cves", "cve id", "cve ids", "cve s", "vulnerability id", "cve number", "definition cve",
            "vulnerability", "vulnerability cve ids", "vuln id", "cve list", "flaw"),
    "first": ("first detected", "first seen", "first found", "first discovered", "first observed", "detected",
              "detected at", "detected on", "detection date", "date detected", "discovered", "date found", "found on",
              "vulnerable since", "created at"),
    "last": ("last detected", "last seen", "last found", "last observed", "last discovered"),
    "seen": ("timestamp", "scan date", "scan time", "scanned", "host end", "scan end", "report date"),
    "plugin": ("plugin id", "plugin", "qid", "nvt oid", "definition id", "check id", "rule id", "signature id"),
    "title": ("plugin name", "title", "nvt name", "definition name", "name", "vulnerability name", "summary"),
    "package": ("package", "package name", "component", "software", "software name", "product",
                "installed package", "library"),
    "version": ("version", "installed version", "package version", "product version", "software version"),
    "fixed": ("fixed version", "fixed in", "fixed versions", "fix version", "fix", "patched version"),
    "purl": ("purl", "package url"),
    "port": ("port",),
    "protocol": ("protocol", "port protocol"),
    "state": ("state", "status", "vuln status", "vulnerability state", "vulnerability status", "finding state"),
}  # fmt: skip
_COLUMNS = {title: column for column, titles in HEADINGS.items() for title in titles}
# A heading that only one tool writes -> (format, tool).
_TOOLS = (
    ("qid", "qualys-csv", "qualys"),
    ("nvt oid", "greenbone-csv", "greenbone"),
    ("definition cve", "tenable-csv", "tenable"),
    ("vulnerability priority rating vpr", "tenable-csv", "tenable"),
    ("plugin id", "nessus-csv", "nessus"),
)
_ASSET_COLUMNS = frozenset(
    ("asset", "hostname", "fqdn", "ip", "ip6", "tool_id", "cloud_id", "digest", "serial", "mac")
)
_DESCRIBING = (
    "asset", "hostname", "fqdn", "ip", "ip6", "mac", "digest", "serial", "cloud_id", "tool_id", "os", "environment",
    "owner", "type", "exposure",
)  # fmt: skip
_DATES = {"first": "first_detected", "last": "last_seen", "seen": "seen"}
# "CVE", "CVE-IDs", "CVE ID(s)", "CVE Number"
_CVE_TITLE = re.compile(
    r"cves?(?: (?:id|ids|s|no|number|numbers|name|names|list|code|codes|reference|references))*"
)
# "First Seen", "firstDetectedAt", "Date First Found", "First Seen Timestamp"
_VERBS = "(?:detected|detection|seen|found|discovered|discovery|observed|identified|reported)"
_WHEN = "(?: (?:at|on|date|time|timestamp|datetime|utc))*"
_FIRST_TITLE = re.compile(rf"(?:date )?first {_VERBS}{_WHEN}")
_LAST_TITLE = re.compile(rf"(?:date )?last {_VERBS}{_WHEN}")
CVE = re.compile(r"\bCVE-\d{4}-\d{4,19}\b", re.IGNORECASE)
_OTHER_ID = re.compile(
    r"\b(?:GHSA(?:-[23456789cfghjmpqrvwx]{4}){3}|(?:PYSEC|RUSTSEC|GO|OSV|MAL|DSA|DLA|USN|RHSA|ALSA|RLSA|ELSA|SUSE-SU)-[\w.:-]{3,60})",
    re.IGNORECASE,
)
# What was meant as one and is none: "CVE-9999", "CVE-2026-12", "CVE 2026/1234".
_ALMOST = re.compile(r"\bCVE[-_ ]?\d[\w/-]*", re.IGNORECASE)
MAX_IDS = 10_000  # in one cell; the largest monthly patch has some hundreds


def is_scanner_csv(data: bytes) -> bool:
    """Whether a row near the top names a column of flaws and one of assets."""
    head = head_of(data)
    return bool(head) and find_header(head, _is_header) is not None


def column_of(title: str) -> str:
    """The column that a normalised heading means; "" for none."""
    patterns = (("cve", _CVE_TITLE), ("first", _FIRST_TITLE), ("last", _LAST_TITLE))
    return _COLUMNS.get(title, "") or next((c for c, pattern in patterns if pattern.fullmatch(title)), "")


def _is_header(titles: list[str]) -> bool:
    columns = {column_of(title) for title in titles}
    return "cve" in columns and bool(columns & _ASSET_COLUMNS)


def read(data: bytes, place: str) -> FleetInput:
    """A detection for each flaw that a row names, under the row's asset.

    A row without any flaw's id still shows its asset; what was meant as one and is none is told of, and the row's
    others are kept. A row is set aside whole where one of its dates is ambiguous or none, or its exposure is no known
    word: half of it would be wrong.

    Raises:
        InputError: no header, or not text; TooLargeError: over a bound of `_tables`.
    """
    table = read_table(data, place, column_of, _is_header)
    rows = list(table.rows)
    form, tool = next(((f, t) for title, f, t in _TOOLS if title in table.headings), ("scanner-csv", ""))
    found = Assets(form, Witness(tool=tool))
    order = _when.order_of(row.get(column) for row in rows for column in _DATES)
    by = f"the column `exposure` of {one_line(place, 200)}"
    apart = told_apart(rows)
    for row in rows:
        try:
            _row(row, order, tool, by, apart, found)
        except InputError as e:
            found.refuse(f"line {row.line}", e)
    for at, reason in table.refused:
        found.refuse(at, reason)
    return found.finish()


def _row(row: Row, order: _when.Order, tool: str, by: str, apart: Apart, found: Assets) -> None:
    when = {column: _when.moment(row.get(column), name, order) for column, name in _DATES.items()}
    first = _when.first_detected(when["first"], _DATES["first"])
    exposure = exposure_of(row.get("exposure"))
    flaws = flaws_in(row.get("cve"))
    name = asset_name(row)
    if not name:
        if flaws:
            raise InputError("names no asset", mend="fill in a name, an address or an id of the asset")
        found.passed_over += 1  # a foot line: "Total: 17"
        return
    refuse_long(name)
    asset = asset_of(row, name, apart, found)
    said = (name, *(row.get(column) for column in _DESCRIBING))
    if said not in found.described:
        found.described.add(said)
        describe(asset, row, exposure, by)
    if when["seen"]:
        asset.seen.add(when["seen"])
    if when["last"]:
        asset.seen.add(when["last"])
    wrong = almost_in(row.get("cve"))
    if wrong:
        found.refuse(
            f"line {row.line}",
            f"{wrong!r} is no CVE id (write CVE-, the year, and four or more digits, or leave the cell empty)",
        )
    elif not flaws:
        found.passed_over += 1
    for flaw in flaws:
        asset.detect(
            Detection(
                asset=asset.name,
                flaw=flaw,
                first_detected=first,
                last_seen=_day(when["last"] or when["seen"]),
                source=tool,
                plugin=one_line(row.get("plugin"), 100),
                title=one_line(row.get("title")),
                package=one_line(row.get("package")),
                version=one_line(row.get("version"), 200),
                fixed=tuple(sorted(v for v in _split(row.get("fixed")) if v)),
                purl=one_line(row.get("purl"), 1000),
                port=_port(row),
                state=state_of(row.get("state")),
                place=f"line {row.line}",
            )
        )


def flaws_in(text: str) -> tuple[str, ...]:
    """The ids of flaws in a cell, each once: CVEs in upper case, or those of other databases where there are none."""
    cves = [m[0].upper() for m in CVE.finditer(text)][:MAX_IDS]
    return tuple(dict.fromkeys(cves or [m[0] for m in _OTHER_ID.finditer(text)][:MAX_IDS]))


def almost_in(text: str) -> str:
    """The first thing in a cell that was meant as a CVE's id and is none; "" without one."""
    found = _ALMOST.search(CVE.sub(" ", text))
    return one_line(found[0], 60) if found else ""


def asset_name(row: Row) -> str:
    """What to call the asset of a row: as stated, else by the most telling of its identifiers; "" without any."""
    order = ("asset", "fqdn", "hostname", "cloud_id", "digest", "ip", "ip6", "tool_id", "serial", "mac")
    return next((text for column in order if (text := row.get(column))), "")


def refuse_long(name: str) -> None:
    """Raises InputError for a name that is longer than what an asset can be called."""
    if len(name) > MAX_NAME_CHARS:
        raise InputError(
            f"names its asset in {len(name):,} characters", mend=f"shorten the name to {MAX_NAME_CHARS}"
        )


def asset_key(row: Row) -> str:
    """What tells the rows of one asset from others where its name does not; "" where it does."""
    short = row.get("hostname") and not row.get("asset") and not row.get("fqdn")
    return row.get("tool_id") or (
        f"{row.get('hostname').lower()} {row.get('ip')}" if short and row.get("ip") else ""
    )


# Name of several machines, in lower case -> the column that tells them apart, and its least value.
Apart = dict[str, tuple[str, str]]


def told_apart(rows: Iterable[Row]) -> Apart:
    """The names under which rows state several serial numbers, or else several cloud ids: each is a machine."""
    stated: dict[str, dict[str, set[str]]] = {}
    for row in rows:
        if row.get("serial") or row.get("cloud_id"):
            of_name = stated.setdefault(asset_name(row).casefold(), {})
            for column in ("serial", "cloud_id"):
                if value := _machine(row, column):
                    of_name.setdefault(column, set()).add(value)
    found: Apart = {}
    for name, columns in stated.items():
        column = next((c for c in ("serial", "cloud_id") if len(columns.get(c, ())) > 1), "")
        if column:
            found[name] = column, min(columns[column])
    return found


def asset_of(row: Row, name: str, apart: Apart, found: Assets) -> Asset:
    """The asset of a row. Of a name that is several machines', a row that doesn't say which is taken as the first's."""
    key = asset_key(row)
    if key or name.casefold() not in apart:
        return found.get(name, key)
    column, least = apart[name.casefold()]
    value = _machine(row, column)
    asset = found.get(name, f"{name.casefold()} {value or least}")
    if not value:
        told = f"{name}: is {least} where a row doesn't say which machine of that name it is"
        if told not in asset.problems:
            asset.problems.append(told)
    return asset


def _machine(row: Row, column: str) -> str:
    """The cell as it is compared: `records.asset_identity`."""
    text = row.get(column)
    return (names.serial(text) if column == "serial" else one_line(text, 500)).casefold()


def describe(asset: Asset, row: Row, exposure: str, by: str) -> None:
    """Adds what the row says of who the asset is."""
    for column in ("asset", "hostname", "fqdn"):
        if row.get(column):
            asset.named(row.get(column))
    asset.at((*names.addresses(row.get("ip")), *names.addresses(row.get("ip6"))))
    asset.macs.update(names.macs(row.get("mac")))
    asset.digests.update(names.digests(row.get("digest")))
    asset.identify("serial", names.serial(row.get("serial")))
    asset.identify("cloud_id", one_line(row.get("cloud_id"), 500))
    asset.identify("tool_id", one_line(row.get("tool_id"), 200))
    for column in ("os", "environment", "owner", "type"):
        asset.state(column, row.get(column))
    asset.state("distro", distro_of(row.get("os")))
    if exposure:
        asset.state("exposure", exposure)
        asset.state("exposure_by", by)


def _port(row: Row) -> str:
    port = row.get("port")
    if not port.isdigit() or not 0 < int(port[:6]) <= 65535:
        return ""
    return f"{int(port)}/{row.get('protocol').lower()[:10] or 'tcp'}"


def _split(text: str) -> Iterator[str]:
    for part in re.split(r"[,;\n|]+", text[:2000]):
        yield one_line(part, 200)


def _day(at: datetime | None) -> Any:
    return at.astimezone(UTC).date() if at else None
