"""What a Python release says that it needs, against the wheels that lie beside it (core metadata, `Requires-Dist`).

Names alone are compared. A need whose environment marker does not hold here, or that belongs to an extra, is none
(the specification of dependency specifiers, PEP 508); a marker that can't be read is taken to hold.
"""

from __future__ import annotations

import operator
import os
import platform
import re
import sys
from collections.abc import Callable
from typing import Any

from . import identity
from . import recipe as r
from .files import Files

_MOST = 1_000  # needs of a release
_MOST_TEXT = 4_000  # characters of one
_MOST_DEPTH = 20  # of parentheses in a marker
_TOKEN = re.compile(
    r"\s*(?:(?P<text>\"[^\"]*\"|'[^']*')|(?P<op>===|==|~=|!=|<=|>=|<|>|\(|\))|(?P<word>[A-Za-z_][\w.]*))"
)
_NAME = re.compile(r"\s*([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)")
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt,
    ">=": operator.ge,
}  # fmt: skip


def lacking(target: r.Target, files: Files) -> int:
    """How many packages the release needs that none of its wheels is; 0 for what is no Python package, or says nothing.

    Raises:
        NotFoundError: a file is not there.
    """
    if not isinstance(target, r.PythonTarget):
        return 0
    there: set[str] = set()
    wanted: set[str] = set()
    for said in identity.metadata(target, files):
        name = identity.plain(said.get("name", [""])[0])
        there.add(name)
        if name == identity.plain(target.name):
            wanted |= {need for text in said.get("requires-dist", [])[:_MOST] if (need := needed(text))}
    return len(wanted - there)


def needed(text: str) -> str:
    """The package that a `Requires-Dist` asks for here, as PEP 503 spells it; "" for none."""
    named, _, marker = text[:_MOST_TEXT].partition(";")
    found = _NAME.match(named)
    if found is None or (marker.strip() and not holds(marker)):
        return ""
    return identity.plain(found[1])


def holds(marker: str) -> bool:
    """Whether an environment marker holds for the interpreter that proofs run under, without any extra."""
    try:
        return _Marker(marker).whole()
    except (ValueError, IndexError):
        return True


class _Marker:
    """Reads one: `or` of `and` of comparisons and parentheses."""

    def __init__(self, text: str) -> None:
        self._tokens: list[tuple[str, str]] = []
        at, text = 0, text.rstrip()
        while at < len(text):
            found = _TOKEN.match(text, at)
            if found is None:
                raise ValueError(text)
            self._tokens.append((found.lastgroup or "", found[found.lastgroup or 0]))
            at = found.end()
        self._at = 0

    def whole(self) -> bool:
        value = self._any(0)
        if self._at != len(self._tokens):
            raise ValueError("more behind it")
        return value

    def _any(self, depth: int) -> bool:
        value = self._all(depth)
        while self._taken("or"):
            value = self._all(depth) or value
        return value

    def _all(self, depth: int) -> bool:
        value = self._one(depth)
        while self._taken("and"):
            value = self._one(depth) and value
        return value

    def _one(self, depth: int) -> bool:
        if depth > _MOST_DEPTH:
            raise ValueError("nested too deep")
        if self._taken("("):
            value = self._any(depth + 1)
            if not self._taken(")"):
                raise ValueError("a parenthesis that does not end")
            return value
        one = self._next()
        negated = self._taken("not")
        how = self._next()[1]
        two = self._next()
        return _compared(one, f"not {how}" if negated else how, two)

    def _next(self) -> tuple[str, str]:
        self._at += 1
        return self._tokens[self._at - 1]

    def _taken(self, word: str) -> bool:
        if self._at < len(self._tokens) and self._tokens[self._at][1] == word:
            self._at += 1
            return True
        return False


def _compared(one: tuple[str, str], how: str, two: tuple[str, str]) -> bool:
    name = next((text for kind, text in (one, two) if kind == "word"), "")
    left, right = _meant(one), _meant(two)
    if how in ("in", "not in"):
        return (left in right) == (how == "in")
    if how not in _COMPARE:
        raise ValueError(how)
    if name in ("python_version", "python_full_version", "implementation_version"):
        return _COMPARE[how](_numbers(left), _numbers(right))
    return _COMPARE[how](left, right)


def _meant(token: tuple[str, str]) -> str:
    kind, text = token
    if kind == "text":
        return text[1:-1]
    here = {
        "python_version": ".".join(map(str, sys.version_info[:2])),
        "python_full_version": platform.python_version(),
        "implementation_version": platform.python_version(),
        "implementation_name": sys.implementation.name,
        "platform_python_implementation": platform.python_implementation(),
        "os_name": os.name,
        "sys_platform": sys.platform,
        "platform_system": platform.system(),
        "platform_machine": platform.machine(),
        "extra": "",
    }
    if text not in here:
        raise ValueError(text)
    return here[text]


def _numbers(version: str) -> tuple[int, ...]:
    if not re.fullmatch(r"\d{1,9}(\.\d{1,9}){0,5}", version):
        raise ValueError(version)
    parts = [int(part) for part in version.split(".")]
    while parts and not parts[-1]:
        parts.pop()
    return tuple(parts)
