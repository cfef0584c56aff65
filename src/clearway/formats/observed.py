"""Anything that tells what a fleet runs, told by its content, to `records.Observed`.

An SBOM, a lock file or a package list is one asset; a scanner's report, an osquery log or a spreadsheet may be many.
"""

from __future__ import annotations

from importlib import import_module

from msgspec import structs

from clearway.records.errors import InputError
from clearway.records.fleet_input import FleetInput, Observed
from clearway.records.inventory import Inventory

from ._wide import narrow

_HEAD_BYTES = 64 << 10
_BOM = b"\xef\xbb\xbf"
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
# kind -> (module, function); imported when first met.
READERS = {
    "trivy-json": ("trivy", "read"),
    "grype-json": ("grype", "read"),
    "osv-scanner-json": ("osv_scanner", "read"),
    "dependabot-json": ("dependabot", "read"),
    "osquery": ("osquery", "read"),
    "windows-json": ("windows_software", "read_json"),
    "windows-csv": ("windows_software", "read_csv"),
    "winget-export": ("windows_software", "read_winget_export"),
    "winget-list": ("windows_software", "read_winget_list"),
    "nmap-xml": ("nmap", "read"),
    "nessus-xml": ("nessus", "read"),
    "greenbone-xml": ("greenbone", "read"),
    "scanner-csv": ("scanner_csv", "read"),
    "asset-list": ("asset_list", "read"),
}
# Kinds that hold components, so that a match of them alone makes sense.
WITH_COMPONENTS = frozenset(
    (
        "osquery",
        "windows-json",
        "windows-csv",
        "winget-export",
        "winget-list",
        "nmap-xml",
        "trivy-json",
        "osv-scanner-json",
    )
)
_ROOTS = {
    "nmaprun": "nmap-xml",
    "NessusClientData_v2": "nessus-xml",
    "report": "greenbone-xml",
    "get_reports_response": "greenbone-xml",
}
_MEND = (
    "supported: every inventory, osquery results, installed software of Windows, nmap XML, reports of Trivy, Grype, "
    "OSV-Scanner, Dependabot, Nessus, Tenable, Qualys and Greenbone, and CSV of assets or of asset, cve, first_detected"
)


def read_observed(data: bytes, name: str, distro: str = "") -> tuple[Observed, ...]:
    """The assets that `data` speaks of, by name; see `read_fleet`, which also says what was set aside."""
    return read_fleet(data, name, distro).observed


def read_fleet(data: bytes, name: str, distro: str = "") -> FleetInput:
    """All that `data` says of assets. `name` is the file's name or place.

    One bad row never loses the document: it is set aside with its place and reason. `distro` is the operating system of
    an inventory that names none.

    Raises:
        InputError: no supported format, or a document that is broken as a whole.
        TooLargeError: nested deeper, or more of it, than this process may hold.
    """
    data = narrow(data)
    kind = fleet_kind(data, name)
    if kind:
        module, function = READERS[kind]
        found: FleetInput = getattr(import_module(f".{module}", __package__), function)(data, name)
        return found
    from .inventory import kind_of
    from .observed_inventory import read

    kind = kind_of(data, name)
    if not kind:
        what = "is not a document about assets in a known format" if data.strip() else "is empty"
        raise InputError(what, where=name, mend=_MEND)
    return read(data, name, distro)


def inventory_of(one: Observed) -> Inventory:
    """What runs on one asset, as an inventory that can be matched like any other."""
    return Inventory(
        name=one.name,
        format=one.format,
        components=one.components,
        distro=one.distro,
        created=one.seen.isoformat().replace("+00:00", "Z") if one.seen else "",
        exposure=one.exposure,
        serial=one.serial,
        root_purl=one.root_purl,
        vex=one.vex,
        problems=one.problems,
    )


def as_inventory(data: bytes, name: str, kind: str) -> Inventory:
    """A document of `WITH_COMPONENTS` as one inventory, each component with the host it runs on.

    Raises:
        InputError, TooLargeError: as `read_fleet`.
    """
    module, function = READERS[kind]
    found: FleetInput = getattr(import_module(f".{module}", __package__), function)(data, name)
    several = len(found.observed) > 1
    return Inventory(
        name=name,
        format=found.format,
        components=tuple(
            structs.replace(c, host=o.name) if len(found.observed) > 1 else c
            for o in found.observed
            for c in o.components
        ),
        distro="" if several else "".join(one.distro for one in found.observed),
        problems=(
            *(problem for one in found.observed for problem in one.problems),
            *(f"{aside.place}: {aside.reason} (set aside)" for aside in found.set_aside),
        ),
    )


def fleet_kind(data: bytes, name: str = "") -> str:
    """Which of `READERS` reads `data`; "" for what is for another reader: an inventory, an advisory, nothing known."""
    data = narrow(data)
    head = data[:_HEAD_BYTES].removeprefix(_BOM).lstrip()
    if not head:
        return ""
    if head.startswith(_UTF16):
        return _wide_kind(data)
    if head.startswith(b"{"):
        return _object_kind(data, head)
    if head.startswith(b"["):
        return _list_kind(head)
    if head.startswith(b"<"):
        from ._xml import root_of

        kind = _ROOTS.get(root_of(head), "")
        return (
            kind
            if kind != "greenbone-xml" or b"<gmp>" in head or b"format_id" in head or b"<omp>" in head
            else ""
        )
    return _text_kind(data)


def _object_kind(data: bytes, head: bytes) -> str:
    if b'"bomFormat"' in head[:4096] or b'"spdxVersion"' in head[:4096] or b'"cveMetadata"' in head[:4096]:
        return ""
    from .json_parts import top_level

    keys = top_level(data)
    if not keys:  # several lines of JSON
        if b'"hostIdentifier"' in head:
            return "osquery"
        from ._scan_json import is_lines

        return "windows-json" if b'"DisplayName"' in head and is_lines(data) else ""
    if ("SchemaVersion" in keys and ("ArtifactName" in keys or "Results" in keys)) or "ClusterName" in keys:
        return "trivy-json"
    if "matches" in keys and ("descriptor" in keys or "source" in keys):
        return "grype-json"
    if "results" in keys and ("experimental_config" in keys or _is_osv_scan(bytes(keys["results"]))):
        return "osv-scanner-json"
    if "Sources" in keys and ("WinGetVersion" in keys or b"PackageIdentifier" in head):
        return "winget-export"
    if "hostIdentifier" in keys or (b'"hostIdentifier"' in head and "data" in keys):
        return "osquery"
    if "DisplayName" in keys and ("DisplayVersion" in keys or "Publisher" in keys):
        return "windows-json"
    from ._osquery_tables import TABLES

    listed = [k for k, raw in keys.items() if k in TABLES and bytes(memoryview(raw)[:1]) == b"["]
    return "osquery" if listed else ""


def _is_osv_scan(results: bytes) -> bool:
    """Whether the first result is a source with packages: other tools' reports have `results` too."""
    first = _first_object(results[: 4 * _HEAD_BYTES]) or next(iter(_objects(results)), {})
    return isinstance(first.get("packages"), list) and isinstance(first.get("source"), dict)


def _objects(data: bytes) -> list[dict[str, object]]:
    import msgspec

    try:
        return msgspec.json.decode(data, type=list[dict[str, object]])
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return []


def _list_kind(head: bytes) -> str:
    start = head[:_HEAD_BYTES]
    if b'"security_advisory"' in start or b'"security_vulnerability"' in start:
        return "dependabot-json"
    if b'"hostIdentifier"' in start:
        return "osquery"
    if b'"DisplayName"' in start or b'"ProviderName"' in start or b'"PSComputerName"' in start:
        return "windows-json"
    row = _first_object(start)
    from ._osquery_tables import table_of

    return "osquery" if row and table_of(row) else ""


def _first_object(head: bytes) -> dict[str, object]:
    """The first element of a JSON list of flat objects; {} when it is not one."""
    import json

    text = head.decode("utf-8", "replace")
    at = text.find("{")
    if at < 0 or text[1:at].strip():
        return {}
    try:
        value, _ = json.JSONDecoder().raw_decode(text, at)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _wide_kind(data: bytes) -> str:
    from ._tables import head_of

    text = head_of(data).lstrip()
    if text[:1] in ("{", "["):
        return "windows-json" if '"DisplayName"' in text or '"ProviderName"' in text else ""
    return _text_kind(data)


def _text_kind(data: bytes) -> str:
    from .product_list import is_product_list
    from .scanner_csv import is_scanner_csv
    from .windows_software import is_windows_csv, is_winget_list

    if is_windows_csv(data):
        return "windows-csv"
    if is_scanner_csv(data):
        return "scanner-csv"
    if is_winget_list(data):
        return "winget-list"
    if is_product_list(data[:4096]):
        return ""
    from .asset_list import is_asset_list

    if is_asset_list(data):
        return "asset-list"
    # A log whose first line was cut short or is dirt.
    from ._scan_json import is_lines

    return "osquery" if b'"hostIdentifier"' in data[:_HEAD_BYTES] and is_lines(data) else ""
