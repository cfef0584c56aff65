"""Any supported inventory, told by its content, to `records.Inventory`."""

from __future__ import annotations

from clearway.records.errors import InputError
from clearway.records.inventory import Inventory

_HEAD_BYTES = 4096
_BOM = b"\xef\xbb\xbf"
_MEND = "supported: CycloneDX, SPDX, lists of purls, lock files, and CSV of vendor, product, version"

# Keys that only one format has, in the order in which they decide.
_JSON_KEYS = (
    ("spdx3", (b'"@graph"', b'"@context"')),
    ("cyclonedx-json", (b'"bomFormat"', b'"specVersion"')),
    ("spdx-json", (b'"spdxVersion"', b'"SPDXID"')),
)


def kind_of(data: bytes, name: str) -> str:
    """What kind of inventory `data` is, by content first and `name` (a file name) second; "" for none.

    One of cyclonedx-json, cyclonedx-xml, spdx-json, spdx-tag, spdx3.
    """
    head = data[:_HEAD_BYTES].removeprefix(_BOM).lstrip()
    if head.startswith(b"{"):
        return _json_kind(data)
    if head.startswith(b"<"):
        return "cyclonedx-xml" if b"cyclonedx.org/schema/bom" in head else ""
    if b"SPDXVersion:" in head:
        return "spdx-tag"
    return ""


def _json_kind(data: bytes) -> str:
    """By the first bytes, where the telling keys nearly always stand, else by all top-level keys."""
    head = data[:_HEAD_BYTES]
    for kind, keys in _JSON_KEYS:
        if any(key in head for key in keys):
            return kind
    from .json_parts import top_level_keys

    found = top_level_keys(data)
    for kind, keys in _JSON_KEYS:
        if any(key[1:-1].decode() in found for key in keys):
            return kind
    return ""


def read_inventory(data: bytes, name: str) -> Inventory:
    """The inventory in `data`; `name` is the file's name or place, and becomes the inventory's name.

    One bad component never loses the document: it carries `problem`.

    Raises:
        InputError: no supported format, or a document that is broken as a whole.
        TooLargeError: nested deeper, or more of it, than this process may hold.
    """
    kind = kind_of(data, name)
    if kind == "cyclonedx-json":
        from .cyclonedx import read
    elif kind == "cyclonedx-xml":
        from .cyclonedx_xml import read
    elif kind == "spdx-json":
        from .spdx import read
    elif kind == "spdx3":
        from .spdx3 import read
    elif kind == "spdx-tag":
        from .spdx_tag import read
    elif not data.strip():
        raise InputError("is empty", where=name, mend=_MEND)
    else:
        raise InputError("is not an inventory in a known format", where=name, mend=_MEND)
    return read(data, name)
