"""Vendors' products by the name that they are shown by: with the vendor before it or without, in any case.

A package is called as its ecosystem spells it, and is not looked for here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from .version import storable, vendor_of

if TYPE_CHECKING:
    import psycopg

    from .wanted import Filter

# The rows have an index of their own: products are few beside packages.
_CALLED = """select pv, name, component from clearway.package_version
where ecosystem = 'vendor' and lower(name) = any(%s)"""
_EACH = "select pv, name, component from clearway.package_version where ecosystem = 'vendor'"


def meant(db: psycopg.Connection[Any], wanted: Filter) -> Filter:
    """The same filter with the `products` that its `name` means, of those that the caller sees.

    "fortios" and "Fortinet FortiOS" mean FortiOS, and "fortinet*" all that is shown with such a beginning.
    """
    if not wanted.name or wanted.products:
        return wanted
    text = storable(wanted.name)
    begins, low = text.endswith("*"), text.removesuffix("*").lower()
    with db.cursor(binary=True) as cursor:
        if begins:
            cursor.execute(_EACH)
        else:
            words = low.split(" ")
            cursor.execute(_CALLED, ([" ".join(words[n:]) for n in range(len(words))],))
        rows = cursor.fetchall()
    found = []
    for pv, name, component in rows:
        shown = name.lower(), f"{vendor_of(bytes(component))} {name}".lower()
        if any(one.startswith(low) if begins else one == low for one in shown):
            found.append(pv)
    return replace(wanted, products=tuple(found)) if found else wanted
