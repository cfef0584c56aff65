"""The reviewed vendor/product map: which commercial product a spelling means.

Most of the Known Exploited Vulnerabilities catalogue is vendor software that no package
ecosystem lists, and every source spells it in its own way. A pair that the map holds matches
as that product; a pair that merely agrees by text is a possibility and says so.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

_MAP = Path(__file__).parent / "data" / "vendor-map.json"
# Punctuation that spellings differ in; a plus or a hash can name another product (Notepad++), so they stay.
_FOLDED = str.maketrans("", "", " _-.,/\\'\"()®™:;!&")

# The last word of a company's name, folded, that says its legal form alone. "Foundation" tells bodies apart: it stays.
_FORMS = frozenset(
    ("inc", "incorporated", "corp", "corporation", "ltd", "llc", "gmbh", "ag", "sa", "co", "company")
)


class Product(NamedTuple):
    """A product: `key` "vendor/product", `reviewed` when the map holds it, `scheme` of its versions."""

    key: str
    reviewed: bool
    scheme: str


class VendorMap:
    """The loaded map. `edition` tells one state of it from another: its version and a checksum."""

    def __init__(self, document: dict[str, object], checksum: int = 0) -> None:
        self.edition = f"{document.get('version', '')}/{checksum:08x}"
        self._by_name: dict[tuple[str, str], Product] = {}
        products = document.get("products", [])
        assert isinstance(products, list)
        for entry in products:
            product = Product(f"{entry['vendor']}/{entry['product']}", True, entry.get("scheme", "generic"))
            for vendor, name in ((entry["vendor"], entry["product"]), *entry["names"]):
                self._by_name.setdefault((fold(vendor), fold(name)), product)

    def find(self, vendor: str, product: str) -> Product:
        """The product of that spelling; unreviewed, under its folded spelling, when the map has none.

        A vendor that the map does not spell so is tried without its legal form: "Fortinet, Inc." is Fortinet.
        """
        folded = (fold(vendor), fold(product))
        found = self._by_name.get(folded)
        if found is None and (bare := _without_form(vendor)):
            found = self._by_name.get((bare, folded[1]))
        return found or Product("/".join(folded), False, "generic")


def fold(name: str) -> str:
    """A spelling without case, spaces and punctuation: "IOS XE" and "ios_xe" agree."""
    return name.casefold().translate(_FOLDED)


def _without_form(vendor: str) -> str:
    """The folded vendor without its legal forms ("Ltd", "Co., Ltd."); "" when it has none, or nothing else."""
    words = [w for w in map(fold, vendor.replace(",", " ").split()) if w]
    kept = len(words)
    while kept and words[kept - 1] in _FORMS:
        kept -= 1
    return "".join(words[:kept]) if kept < len(words) else ""


@cache
def bundled() -> VendorMap:
    """The map that ships with this version."""
    data = _MAP.read_bytes()
    return VendorMap(json.loads(data), crc32(data))
