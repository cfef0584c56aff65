"""The tables of osquery that tell what is installed, and who the host is (osquery schema, `specs/`)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from clearway.records.errors import InputError
from clearway.records.inventory import Component

from . import _asset_names as names
from ._assets import Asset, distro_of
from ._scan_json import line
from .component import Gathering, Hints
from .one_version import why_not
from .packages import purl_of

Rows = list[tuple[str, dict[str, Any]]]
_Add = Callable[[dict[str, Any], str, str, Gathering], None]

# What tells a table by the columns of its rows, most telling first.
_SIGNS: tuple[tuple[str, frozenset[str]], ...] = (
    ("system_info", frozenset(("hardware_serial",))),
    ("system_info", frozenset(("computer_name", "hostname"))),
    ("os_version", frozenset(("platform", "codename"))),
    ("os_version", frozenset(("platform_like",))),
    ("ec2_instance_metadata", frozenset(("instance_id", "ami_id"))),
    ("azure_instance_metadata", frozenset(("vm_id", "subscription_id"))),
    ("interface_details", frozenset(("interface", "mac"))),
    ("interface_addresses", frozenset(("interface", "address"))),
    ("chrome_extensions", frozenset(("identifier", "version", "browser_type"))),
    ("chrome_extensions", frozenset(("identifier", "version", "profile"))),
    ("rpm_packages", frozenset(("name", "version", "release"))),
    ("deb_packages", frozenset(("name", "version", "revision"))),
    ("deb_packages", frozenset(("name", "version", "maintainer"))),
    ("deb_packages", frozenset(("name", "version", "arch", "status"))),
    ("apps", frozenset(("bundle_identifier", "bundle_short_version"))),
    ("programs", frozenset(("name", "version", "publisher"))),
    ("programs", frozenset(("name", "version", "identifying_number"))),
    ("programs", frozenset(("name", "version", "uninstall_string"))),
)


def table_of(row: dict[str, Any]) -> str:
    """The table that a row of all or most columns comes from; "" where that can't be told."""
    for table, columns in _SIGNS:
        if columns <= row.keys():
            return table
    place = line(row.get("path")) + line(row.get("directory"))
    if "name" in row and "version" in row:
        if (
            "site-packages" in place
            or "dist-packages" in place
            or ".egg-info" in place
            or ".dist-info" in place
        ):
            return "python_packages"
        if "node_modules" in place or place.endswith("package.json"):
            return "npm_packages"
        if "Cellar" in place or "Caskroom" in place or "homebrew" in place:
            return "homebrew_packages"
    return ""


def add_rows(asset: Asset, tables: dict[str, Rows]) -> list[tuple[str, InputError | str]]:
    """Adds all `tables` of one host to `asset`; (place, reason) of the rows that can't be used."""
    refused: list[tuple[str, InputError | str]] = []
    for table in ("system_info", "os_version", *_IDENTIFYING, "decorations"):
        for _, row in tables.get(table, ()):
            _identify(table, row, asset)
    gathering = Gathering()
    distros = sorted(asset.stated.get("distro", ()))
    gathering.distro = distros[0] if distros else ""
    namespace = gathering.distro.partition("-")[0]
    for table, add in _PACKAGES.items():
        for place, row in tables.get(table, ()):
            if not line(row.get("name")):
                refused.append((place, "has no name (select the column `name`)"))
                continue
            try:
                add(row, namespace, place, gathering)
            except InputError as e:
                refused.append((place, e))
    asset.components.extend(gathering.finish())
    return refused


def _identify(table: str, row: dict[str, Any], asset: Asset) -> None:
    if table == "system_info":
        for column in ("hostname", "computer_name", "local_hostname"):
            asset.named(line(row.get(column)))
        asset.identify("serial", names.serial(line(row.get("hardware_serial"))))
        asset.identify("hardware_uuid", names.hardware_uuid(line(row.get("uuid"))))
    elif table == "decorations":
        asset.named(line(row.get("hostname")))
        asset.identify("hardware_uuid", names.hardware_uuid(line(row.get("host_uuid"))))
    elif table == "os_version":
        name, version = line(row.get("name")), line(row.get("version"))
        asset.state("os", name if version.startswith(name) and name else f"{name} {version}".strip())
        platform, codename = line(row.get("platform")), line(row.get("codename"))
        release = ".".join(line(row.get(part)) for part in ("major", "minor") if line(row.get(part)))
        tries = (f"{name} {version}", f"{platform}-{release}", f"{platform}-{codename}")
        asset.state("distro", next((d for text in tries if (d := distro_of(text))), ""))
    elif table == "interface_addresses":
        asset.ips.update(
            ip for ip in (names.address(line(row.get("address"))),) if ip and not _is_loopback(ip)
        )
    elif table == "interface_details":
        asset.macs.update(m for m in (names.mac(line(row.get("mac"))),) if m)
    elif table == "ec2_instance_metadata":
        asset.identify("cloud_id", names.cloud_id(line(row.get("instance_id"))))
    elif table == "azure_instance_metadata":
        asset.identify("cloud_id", line(row.get("vm_id")))


def _is_loopback(ip: str) -> bool:
    return ip.startswith("127.") or ip == "::1"


def _deb(row: dict[str, Any], namespace: str, place: str, found: Gathering) -> None:
    status = line(row.get("status"))
    if status and not status.endswith(" installed") and status != "installed":
        return  # removed, its configuration left
    name, version, arch = line(row.get("name")), line(row.get("version")), line(row.get("arch"))
    source, _, source_version = line(row.get("source")).partition(" ")
    hints = Hints(source_name=source or name, source_version=source_version.strip("() ") or version)
    distro = found.distro
    purl = purl_of("deb", namespace, name, version, arch=arch, distro=distro)
    found.add(purl, name, version, place, hints=hints)


def _rpm(row: dict[str, Any], namespace: str, place: str, found: Gathering) -> None:
    name, version, release = line(row.get("name")), line(row.get("version")), line(row.get("release"))
    if name == "gpg-pubkey":
        return
    full = f"{version}-{release}" if version and release else version
    epoch = line(row.get("epoch"))
    purl = purl_of(
        "rpm", namespace, name, full, arch=line(row.get("arch")), distro=found.distro,
        epoch=epoch if epoch.isdigit() and epoch != "0" else "", upstream=line(row.get("source")),
    )  # fmt: skip
    found.add(purl, name, full, place)


def _python(row: dict[str, Any], namespace: str, place: str, found: Gathering) -> None:
    _language("pypi", "", row, place, found)


def _npm(row: dict[str, Any], namespace: str, place: str, found: Gathering) -> None:
    scope, _, _ = line(row.get("name")).rpartition("/")
    _language("npm", scope, row, place, found)


def _homebrew(row: dict[str, Any], namespace: str, place: str, found: Gathering) -> None:
    _language("brew", "", row, place, found)


def _language(kind: str, namespace: str, row: dict[str, Any], place: str, found: Gathering) -> None:
    name, version = line(row.get("name")), line(row.get("version"), 1000)
    short = name.rpartition("/")[2] if namespace else name
    found.add(purl_of(kind, namespace, short, version), name, version, place)


def _chrome(row: dict[str, Any], namespace: str, place: str, found: Gathering) -> None:
    identifier, version = line(row.get("identifier")), line(row.get("version"))
    if not identifier:
        raise InputError("has no identifier", mend="select the column `identifier`")
    found.add(purl_of("chrome-extension", "", identifier, version), line(row.get("name")), version, place)


def _program(row: dict[str, Any], namespace: str, place: str, found: Gathering) -> None:
    from .windows_software import program

    found.components.append(
        program(line(row.get("name")), line(row.get("version")), line(row.get("publisher")), place)
    )


def _app(row: dict[str, Any], namespace: str, place: str, found: Gathering) -> None:
    """A bundle of macOS; its publisher is the organisation in its identifier ("com.google.Chrome")."""
    parts = line(row.get("bundle_identifier")).split(".")
    vendor = parts[1] if len(parts) > 2 else ""
    name = line(row.get("bundle_name")) or line(row.get("name")).removesuffix(".app")
    version = line(row.get("bundle_short_version")) or line(row.get("bundle_version"))
    found.components.append(
        Component(
            ecosystem="vendor",
            vendor=vendor,
            name=name,
            version=version,
            place=place,
            problem=why_not(version),
        )
    )


_PACKAGES: dict[str, _Add] = {
    "deb_packages": _deb,
    "rpm_packages": _rpm,
    "programs": _program,
    "apps": _app,
    "homebrew_packages": _homebrew,
    "python_packages": _python,
    "npm_packages": _npm,
    "chrome_extensions": _chrome,
}
_IDENTIFYING = (
    "interface_addresses",
    "interface_details",
    "ec2_instance_metadata",
    "azure_instance_metadata",
)
TABLES = (*_PACKAGES, "system_info", "os_version", *_IDENTIFYING)
