"""The desk's work in the background: the tasks and loops of its parts, joined."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from clearway.records.errors import ConfigError

from .commands import PARTS

if TYPE_CHECKING:
    from pathlib import Path

    from clearway.store.jobs import Loop, Tasks


def tasks(home: Path, url: str) -> Tasks:
    """The tasks of every part: its `TASKS`, and what its `tasks(home, url)` makes."""
    return _joined("tasks", home, url)


def loops(home: Path, url: str) -> dict[str, Loop]:
    """The loops of every part: its `LOOPS`, and what its `loops(home, url)` makes."""
    return _joined("loops", home, url)


def _joined(kind: str, home: Path, url: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for part in PARTS:
        name = f"clearway.findings.{part}.tasks"
        if find_spec(f"clearway.findings.{part}") is None or find_spec(name) is None:
            continue
        module = import_module(name)
        mine = dict(getattr(module, kind.upper(), {}))
        if make := getattr(module, kind, None):
            mine |= make(home, url)
        if twice := mine.keys() & found.keys():
            raise ConfigError(f"two parts have a {kind[:-1]} {sorted(twice)[0]!r}", where=name)
        found |= mine
    return found
