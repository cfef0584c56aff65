"""Any supported inventory, told by its content, to `records.Inventory`."""

from __future__ import annotations

import gc

from clearway.records.errors import InputError
from clearway.records.inventory import Inventory

from ._wide import narrow

_HEAD_BYTES = 4096
_BOM = b"\xef\xbb\xbf"
_UTF16_BOMS = (b"\xff\xfe", b"\xfe\xff")
# Reading makes no garbage cycles, yet the collector would walk the growing list again and again: a sixth of the time.
_PAUSE_GC_BYTES = 1 << 18
_MEND = (
    "supported: CycloneDX, SPDX, lists of purls, lock files, CSV of vendor, product, version, and what osquery, "
    "Windows, nmap, Trivy and OSV-Scanner list"
)

# Keys that only one format has, in the order in which they decide.
_JSON_KEYS = (
    ("spdx3", (b'"@graph"', b'"@context"')),
    ("cyclonedx-json", (b'"bomFormat"', b'"specVersion"')),
    ("spdx-json", (b'"spdxVersion"', b'"SPDXID"')),
    ("package-lock.json", (b'"lockfileVersion"',)),
)

# Keys of what carries an SBOM inside: see `wrapped`.
_WRAPPER_KEYS = (b'"sbom"', b'"predicateType"', b'"payloadType"')


def kind_of(data: bytes, name: str) -> str:
    """What kind of inventory `data` is, by content first and `name` (a file name) second; "" for none.

    One of cyclonedx-json, cyclonedx-xml, spdx-json, spdx-tag, spdx3, product-list, "wrapped" for an
    in-toto statement, a DSSE envelope or GitHub's export, a kind of `packages.MODULES`, or one of
    `observed.WITH_COMPONENTS`.
    """
    data = narrow(data)
    head = data[:_HEAD_BYTES].removeprefix(_BOM).lstrip()
    if head.startswith(b"{"):
        return _json_kind(data) or _other_kind(data, head, name)
    if head.startswith(b"["):
        if head[1:].lstrip().startswith((b'"pkg:', b"]")):
            return "purls-json"
        return _other_kind(data, head, name)
    if head.startswith(b"<"):
        return "cyclonedx-xml" if b"cyclonedx.org/schema/bom" in head else _other_kind(data, head, name)
    if b"SPDXVersion:" in head:
        return "spdx-tag"
    if head and not head.startswith(_UTF16_BOMS):
        from .packages import kind_of_text

        kind = kind_of_text(data[: 16 * _HEAD_BYTES], name)
        if kind:
            return kind
    return _other_kind(data, head, name)


def _other_kind(data: bytes, head: bytes, name: str) -> str:
    """A product list, or what an agent or scanner wrote of a fleet (`observed.WITH_COMPONENTS`)."""
    if not head:
        return ""
    from .observed import WITH_COMPONENTS, fleet_kind
    from .product_list import is_product_list

    kind = fleet_kind(data, name)
    if kind in WITH_COMPONENTS:
        return kind
    return "product-list" if is_product_list(data[:_HEAD_BYTES]) else ""


def _json_kind(data: bytes) -> str:
    """By the first bytes, where the telling keys nearly always stand, else by all top-level keys."""
    head = data[:_HEAD_BYTES]
    if any(key in head for key in _WRAPPER_KEYS):
        from .wrapped import is_wrapper

        if is_wrapper(data):
            return "wrapped"
    for kind, keys in _JSON_KEYS:
        if any(key in head for key in keys):
            return _not_a_vex(kind, head)
    from .json_parts import top_level

    found = top_level(data)
    for kind, keys in _JSON_KEYS:
        if any(key[1:-1].decode() in found for key in keys):
            return kind
    from .wrapped import is_wrapper

    return "wrapped" if is_wrapper(data) else ""


def _not_a_vex(kind: str, head: bytes) -> str:
    """OpenVEX is JSON-LD too, and no inventory."""
    return "" if kind == "spdx3" and b"openvex" in head else kind


def read_inventory(data: bytes, name: str, distro: str = "") -> Inventory:
    """The inventory in `data`; `name` is the file's name or place, and becomes the inventory's name.

    One bad component never loses the document: it carries `problem`. `distro` ("debian-12") is the operating
    system of a document that names none.

    Raises:
        InputError: no supported format, or a document that is broken as a whole.
        TooLargeError: nested deeper, or more of it, than this process may hold.
    """
    pause = len(data) > _PAUSE_GC_BYTES and gc.isenabled()
    if pause:
        gc.disable()
    try:
        inventory = _read(data, name)
        if distro:
            from .given_distro import with_distro

            inventory = with_distro(inventory, distro)
        return inventory
    finally:
        if pause:
            gc.enable()


def _read(data: bytes, name: str) -> Inventory:
    data = narrow(data)
    kind = kind_of(data, name)
    if kind == "wrapped":
        from .wrapped import unwrap

        data = unwrap(data, name)
        kind = _json_kind(data) if data.lstrip().startswith(b"{") else ""
    if kind == "cyclonedx-json":
        from .cyclonedx import read
    elif kind == "spdx-json":
        from .spdx import read
    elif kind == "cyclonedx-xml":
        from .cyclonedx_xml import read
    elif kind == "spdx3":
        from .spdx3 import read
    elif kind == "spdx-tag":
        from .spdx_tag import read
    elif kind == "product-list":
        from .product_list import read
    elif kind and kind != "wrapped":
        from importlib import import_module

        from .packages import MODULES

        if kind not in MODULES:
            from .observed import as_inventory

            return as_inventory(data, name, kind)
        found: Inventory = import_module(f".{MODULES[kind]}", __package__).read(data, name, kind)
        return found
    elif not data.strip():
        raise InputError("is empty", where=name, mend=_MEND)
    else:
        from .observed import fleet_kind

        if fleet_kind(data, name):
            raise InputError(
                "tells of assets and of what was detected on them, not of what is installed",
                where=name,
                mend="give an inventory of them; a kept fleet reads this too",
            )
        raise InputError("is not an inventory in a known format", where=name, mend=_MEND)
    return read(data, name)
