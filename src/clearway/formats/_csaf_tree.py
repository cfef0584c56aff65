"""The product tree of a CSAF document, flattened: product id to vendor, name, versions and identifiers."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from clearway.records.advisory import Event
from clearway.records.errors import TooLargeError

from ._fields import an_object, objects, one_line, strings, text
from ._version_text import NOTHING, read

_MAX_DEPTH = 100
_MAX_PRODUCTS = 500_000
# Categories that say what the product is called; the innermost one wins (CSAF 2.0 §3.1.2.2).
_NAMES = ("product_family", "product_name")


class Product(Struct):
    """One product id. Nothing about versions: the document names the product as such."""

    vendor: str = ""
    name: str = ""
    label: str = ""  # full product name, for people
    versions: tuple[str, ...] = ()
    ranges: tuple[tuple[Event, ...], ...] = ()
    scheme: str = ""
    version_range: str = ""  # the `vers:` text, where it is one
    unread: str = ""
    purl: str = ""
    cpe: str = ""
    conditions: tuple[str, ...] = ()

    def identifiers(self) -> tuple[str, ...]:
        """What the product can be recognised by; its name when it has no identifier."""
        return tuple(i for i in (self.purl, self.cpe) if i) or ((self.label,) if self.label else ())


def product_tree(tree: dict[str, Any]) -> dict[str, Product]:
    """Every product of the tree: branches, full product names and relationships.

    Raises:
        InputError: a field of the wrong type.
        TooLargeError: deeper than 100 branches, or more products than memory should hold.
    """
    found: dict[str, Product] = {}
    _branches(tree, {}, found, 0)
    for item in objects(tree, "full_product_names"):
        _add(item, {}, found)
    for item in objects(tree, "relationships"):
        _related(item, found)
    for item in objects(tree, "product_paths"):  # CSAF 2.1
        _path(item, found)
    return found


def _branches(holder: dict[str, Any], above: dict[str, str], found: dict[str, Product], depth: int) -> None:
    if depth > _MAX_DEPTH:
        raise TooLargeError(f"product tree deeper than {_MAX_DEPTH} branches")
    for branch in objects(holder, "branches"):
        here = {**above, text(branch, "category"): text(branch, "name")}
        if branch.get("product") is not None:
            _add(an_object(branch["product"], "product"), here, found)
        _branches(branch, here, found, depth + 1)


def _add(item: dict[str, Any], path: dict[str, str], found: dict[str, Product]) -> None:
    if len(found) >= _MAX_PRODUCTS:
        raise TooLargeError(f"more than {_MAX_PRODUCTS} products")
    product_id = text(item, "product_id")
    label = one_line(text(item, "name"))
    product = Product(label=label)
    vendor = one_line(path.get("vendor", ""), 200)
    product.vendor = "" if vendor.lower() in NOTHING else vendor
    product.name = one_line(next((path[key] for key in reversed(_NAMES) if path.get(key)), ""), 200) or label
    _versions(product, path)
    helper = an_object(item.get("product_identification_helper"), "product_identification_helper")
    purls = (text(helper, "purl"), *strings(helper, "purls"))  # 2.1 has a list
    product.purl = next((purl for purl in purls if purl), "")
    product.cpe = text(helper, "cpe")
    found[product_id] = product


def _versions(product: Product, path: dict[str, str]) -> None:
    written = path.get("product_version_range") or path.get("product_version") or ""
    if not written.strip():
        return
    if written.startswith("vers:"):
        product.version_range = one_line(written, 1000)
    reading = read(written)
    product.versions, product.ranges, product.scheme = reading.versions, reading.ranges, reading.scheme
    if not reading.understood:
        product.unread = one_line(written, 200)


def _related(item: dict[str, Any], found: dict[str, Product]) -> None:
    """A product in relation to another ("installed_on"): the first one's versions, narrowed by the second."""
    full = an_object(item.get("full_product_name"), "full_product_name")
    part = found.get(text(item, "product_reference"))
    other = found.get(text(item, "relates_to_product_reference"))
    _combine(full, part, [(text(item, "category"), other)], found)


def _path(item: dict[str, Any], found: dict[str, Product]) -> None:
    full = an_object(item.get("full_product_name"), "full_product_name")
    part = found.get(text(item, "beginning_product_reference"))
    others = [
        (text(sub, "category"), found.get(text(sub, "next_product_reference")))
        for sub in objects(item, "subpaths")
    ]
    _combine(full, part, others, found)


def _combine(
    full: dict[str, Any],
    part: Product | None,
    others: list[tuple[str, Product | None]],
    found: dict[str, Product],
) -> None:
    _add(full, {}, found)
    product = found[text(full, "product_id")]
    if part is not None:
        product.vendor, product.name = part.vendor, part.name
        product.versions, product.ranges = part.versions, part.ranges
        product.scheme, product.version_range, product.unread = part.scheme, part.version_range, part.unread
        product.purl, product.cpe = product.purl or part.purl, product.cpe or part.cpe
    product.conditions = tuple(
        one_line(f"{category.replace('_', ' ')} {other.label or other.name}", 200)
        for category, other in others
        if other is not None and category in ("installed_on", "installed_with", "external_component_of",
                                              "default_component_of", "optional_component_of")
    )  # fmt: skip
