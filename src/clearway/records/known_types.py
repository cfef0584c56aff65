"""Struct types made known to msgspec before threads can meet at their first use.

msgspec works out what a Struct type looks like when it is first asked to read one, and writes that into the type
without a lock (0.22): of two threads that both ask first, one can find it half written, and the process dies. So a
process with threads calls `make_known` before it starts them. A module that is imported later has its types made known
while its import holds the module's lock, which is before any other thread can have them.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import ModuleType

_PACKAGE = "clearway"


def make_known() -> None:
    """Makes every Struct type of ours known, those that are there and those to come. Once is enough."""
    if any(isinstance(finder, _Finder) for finder in sys.meta_path):
        return
    sys.meta_path.insert(0, _Finder())
    for found in _below(msgspec.Struct):
        _know(found)


def _below(kind: type[msgspec.Struct]) -> Iterator[type[msgspec.Struct]]:
    for found in kind.__subclasses__():
        yield found
        yield from _below(found)


def _know(kind: type[msgspec.Struct]) -> None:
    if kind.__module__.partition(".")[0] == _PACKAGE:
        # One with names that are there for the type checker alone can't be read, and nobody reads it.
        with suppress(TypeError, NameError):
            msgspec.msgpack.Decoder(kind)


class _Finder(MetaPathFinder):
    """Finds our modules as the import system would, and has their types made known."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname.partition(".")[0] != _PACKAGE:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = _Knowing(spec.loader)
        return spec


class _Knowing(Loader):
    """The loader of a module, and what comes after it. Whoever asks it for more is answered by the loader itself."""

    def __init__(self, loader: Loader) -> None:
        self._loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        self._loader.exec_module(module)
        # What reads the module's source or data later (tracebacks, importlib.resources) asks the loader by these.
        module.__loader__ = self._loader
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        for found in [*vars(module).values()]:
            # What it has from another module was made known by that one's import.
            if (
                isinstance(found, type)
                and issubclass(found, msgspec.Struct)
                and found.__module__ == module.__name__
            ):
                _know(found)
