"""How a component of a report or workbook is named for people. Pure.

A row names its component by its purl, or where it has none by `ecosystem:name@version`; a product that is known by
its vendor is of the ecosystem `vendor`, a word of ours that people are not shown. What only a scanner's word
knows is of the ecosystem `reported`; where the tool named no package either, the flaw's own id stands in its place.
"""

from __future__ import annotations

import re

_REPORTED = "reported:"
_VENDOR = "vendor:"
_ID = re.compile(r"(?:CVE|GHSA)-[0-9A-Za-z-]+", re.IGNORECASE)


def package_of(component: str, flaw: str) -> str:
    """The component as people read it: its purl, or name and version; "" where a scanner named no package."""
    if component.startswith(_VENDOR):
        return " ".join(component.removeprefix(_VENDOR).rsplit("@", 1)).strip()
    if not component.startswith(_REPORTED):
        return component
    name, _, version = component.removeprefix(_REPORTED).rpartition("@")
    if name == flaw or _ID.fullmatch(name):
        return ""
    return f"{name} {version}".strip()


def where_of(component: str, flaw: str) -> str:
    """Where the flaw is, as a phrase after its name: "in openssl 1.0.2", or that no package is named."""
    package = package_of(component, flaw)
    return f"in {package}" if package else "reported by a scanner without a package"
