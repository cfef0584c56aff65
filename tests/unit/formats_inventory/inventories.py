"""The hand-written inventories, for the tests of this folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from clearway.formats.inventory import read_inventory
from clearway.records.inventory import Component, Inventory

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures" / "inventory"


def fixture(name: str) -> Inventory:
    return read_inventory((FIXTURES / name).read_bytes(), name)


def facts(component: Component) -> dict[str, Any]:
    """The fields that are set, without purl and place."""
    fields = {key: getattr(component, key) for key in component.__struct_fields__}
    return {key: value for key, value in fields.items() if value and key not in ("purl", "place")}


def triples(inventory: Inventory) -> list[tuple[str, str, str]]:
    return [(c.ecosystem, c.name, c.version) for c in inventory.components]
