"""The map of the rooms against the code: their order, that all are there, and that the names given exist."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from pkgutil import resolve_name

import pytest
from tables import ROOT

import clearway

MAP = (ROOT / "docs/design/rooms.md").read_text("utf-8")
ROWS = dict(re.findall(r"^\| `(\w+)` \| .* \| (.*) \|$", MAP, re.MULTILINE))
NAMES = [(room, name) for room, cell in ROWS.items() for name in re.findall(r"`([\w.]+)`", cell)]


def exists(room: str, name: str) -> bool:
    """Whether `name` is a module of the room, or stands in one."""
    try:
        resolve_name(f"clearway.{room}.{name}")
    except (AttributeError, ImportError):
        return False
    return True


def test_the_map_has_every_room() -> None:
    rooms = {p.parent.name for p in Path(clearway.__path__[0]).glob("*/__init__.py")}
    assert set(ROWS) == rooms


def test_the_order_of_the_map_is_the_one_that_imports_are_held_to() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    layers = next(c["layers"] for c in contracts if c["type"] == "layers" and "clearway.app" in c["layers"])
    said = " ".join(MAP.split("Top down:")[1].split(".\n")[0].split())
    assert re.findall(r"`([^`]+)`", said) == [layer.replace("clearway.", "") for layer in layers]


@pytest.mark.parametrize(("room", "name"), NAMES, ids=lambda v: v)
def test_each_name_of_a_room_exists(room: str, name: str) -> None:
    assert exists(room, name)


def test_a_name_that_no_room_has_is_seen() -> None:
    assert not exists("exposure", "match.Macher")
    assert not exists("ledger", "appended")
    assert len(NAMES) > 40
