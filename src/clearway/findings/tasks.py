"""The desk's work in the background: the tasks and loops of its parts, joined."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from clearway.records.errors import ConfigError

from .commands import PARTS

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator
    from pathlib import Path
    from types import ModuleType

    from clearway.store.jobs import Loop, Tasks


def tasks(home: Path, url: str) -> Tasks:
    """The tasks of every part: its `TASKS`, and what its `tasks(home, url)` makes."""
    return _joined("tasks", home, url)


def loops(home: Path, url: str) -> dict[str, Loop]:
    """The loops of every part: its `LOOPS`, and what its `loops(home, url)` makes."""
    return _joined("loops", home, url)


def begin(home: Path, stop: threading.Event) -> None:
    """What every process that works does by itself, on its own machine, until `stop` is set: each part's `begin`."""
    for module in _modules():
        if start := getattr(module, "begin", None):
            start(home, stop)


def _joined(kind: str, home: Path, url: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for module in _modules():
        mine = dict(getattr(module, kind.upper(), {}))
        if make := getattr(module, kind, None):
            mine |= make(home, url)
        if twice := mine.keys() & found.keys():
            raise ConfigError(f"two parts have a {kind[:-1]} {sorted(twice)[0]!r}", where=module.__name__)
        found |= mine
    return found


def _modules() -> Iterator[ModuleType]:
    for part in PARTS:
        name = f"clearway.findings.{part}.tasks"
        if find_spec(f"clearway.findings.{part}") is not None and find_spec(name) is not None:
            yield import_module(name)
