"""Whether a function tells the log what it reads: its calls, followed through our modules by their source."""

from __future__ import annotations

import ast
import inspect
from collections import deque
from functools import cache
from importlib import import_module
from importlib.util import resolve_name
from types import ModuleType
from typing import Any

# What tells the log, or hands over to what does. Beginning to read (`reading`) tells nothing by itself.
TELLS = {"append_read", "telling", "stream"}
# `one_read` is `ledger.reading.one` where it is lent.
NOTES = {"note", "note.page", "note.listed", "note.counted", "one_read"}


# Each function of a module, those within others too, by name and first line, with what it calls: "name", or
# "module.name".
Functions = dict[str, dict[int, set[str]]]


@cache
def _read(module: ModuleType) -> tuple[Functions, dict[str, str]]:
    """A module's functions; and what they import themselves, as commands do: name -> "module:name"."""
    found: Functions = {}
    imports: dict[str, str] = {}
    waiting: deque[tuple[ast.AST, tuple[set[str], ...]]] = deque([(ast.parse(inspect.getsource(module)), ())])
    while waiting:
        node, within = waiting.popleft()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = min((one.lineno for one in node.decorator_list), default=node.lineno)
            within = (*within, found.setdefault(node.name, {}).setdefault(first, set()))
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
            called = _dotted(node.func) if within else ""
            for calls in within:
                calls.add(called)
        elif isinstance(node, ast.ImportFrom) and node.col_offset:
            of = resolve_name(f"{'.' * node.level}{node.module or ''}", module.__package__)
            for one in node.names:
                imports[one.asname or one.name] = f"{of}:{one.name}"
        waiting.extend((child, within) for child in ast.iter_child_nodes(node))
    return found, imports


def _dotted(node: ast.expr) -> str:
    """As `ast.unparse`, which takes long for what is mostly two names."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name | ast.Attribute):
        return f"{_dotted(node.value)}.{node.attr}"
    return ast.unparse(node)


def _functions(module: ModuleType) -> Functions:
    return _read(module)[0]


def _imports(module: ModuleType) -> dict[str, str]:
    return _read(module)[1]


def _named(module: ModuleType, name: str) -> Any:
    """What a name means in a module or in a function of it; None for what is not known."""
    if name in vars(module) or name not in _imports(module):
        return vars(module).get(name)
    return _imported(*_imports(module)[name].split(":"))


@cache
def _imported(of: str, wanted: str) -> Any:
    if not of.startswith("clearway"):
        return None
    found = getattr(import_module(of), wanted, None)
    if found is None:
        try:
            found = import_module(f"{of}.{wanted}")
        except ModuleNotFoundError:
            return None  # for types alone
    return found


def calls_of(module: ModuleType, name: str, line: int = 0) -> set[str]:
    """What the function of that name calls; of several with that name, the one that begins at `line`."""
    known = _functions(module)[name]
    return known[line] if line else {one for calls in known.values() for one in calls}


def tells(module: ModuleType, name: str, seen: set[tuple[str, str]], line: int = 0) -> bool:
    """Whether the function of that name tells the log what it reads, itself or by another of ours that it calls.

    `line` is where it begins, of several with that name.
    """
    known = _functions(module)
    if (module.__name__, name) in seen or name not in known:
        return False
    seen.add((module.__name__, name))
    for called in calls_of(module, name, line):
        before, _, last = called.rpartition(".")
        if last in TELLS or (called in NOTES and called not in known):
            return True
        if not before and tells(module, called, seen):
            return True
        there = _named(module, called) if not before else getattr(_named(module, before), last, None)
        home = inspect.getmodule(there) if inspect.isroutine(there) else None
        if home is not None and home.__name__.startswith("clearway.") and tells(home, there.__name__, seen):
            return True
    return False
