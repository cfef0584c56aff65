"""Ranges as ecosystems write them, as `vers:` ranges: `>=1.0 <2.0 || ^3.1`, `~>2.0.8`, `[1.0,2.0)`, `0.8.40+`.

Parts joined by "and" are cut to what they share, and those joined by "or" are merged where they
meet, since a flat VERS list can say neither (`<3 || >=2` is everything, not `>=2|<3`).
What npm and Conan leave out by their pre-release rules is not said: a range here is by order alone.
"""

from __future__ import annotations

import re
from typing import NamedTuple, NoReturn

from clearway.records.errors import TooLargeError

from . import range_key
from .ranges import EVER, FOREVER
from .vers import MAX_CONSTRAINTS, MAX_TEXT, Comparator, Constraint, Vers, VersError, scheme_of_type


class _End(NamedTuple):
    """One end of a part: its place among keys, and how it is written."""

    at: bytes
    comparator: Comparator
    version: str


_BELOW_ALL = _End(EVER, "*", "")
_ABOVE_ALL = _End(FOREVER, "*", "")

_COMMON = frozenset(
    ("npm", "composer", "cargo", "gem", "pypi", "conan", "golang", "nuget", "maven", "hex", "pub")
)
_TOKEN = re.compile(r"(~>|~=|===|>=|<=|==|!=|=|>|<|\^|~)?\s*([^\s,|<>=!~^]+)", re.ASCII)
_HYPHEN = re.compile(r"\s*([^\s,|<>=!~^]+)\s+-\s+([^\s,|<>=!~^]+)\s*", re.ASCII)
_BRACKETS = re.compile(r"([\[(])([^,\[\]()]*)(?:(,)([^,\[\]()]*))?([\])]),?", re.ASCII)
_NUMBERS = re.compile(r"v?([0-9]+(?:\.[0-9]+)*)", re.ASCII)
_WILDCARDS = ("x", "X", "*")


def from_native(vers_type: str, text: str) -> Vers:
    """The `vers:` range that a native range of `vers_type` means.

    Raises:
        VersError: the text is not a range of that ecosystem.
        VersionUnreadableError: a version in it has no order.
        TooLargeError: it is longer than `vers.MAX_TEXT`, or has more than `vers.MAX_CONSTRAINTS` parts.
    """
    if len(text) > MAX_TEXT:
        raise TooLargeError(f"a range of {len(text):,} characters", mend=f"at most {MAX_TEXT:,}")
    text = " ".join(text.split())  # runs of blanks would be read again from each of them
    scheme = scheme_of_type(vers_type)
    if vers_type == "openssl":
        found = [Constraint("=", item.strip()) for item in text.split(",") if item.strip()]
        return _merged(vers_type, scheme, [[one] for one in found], text)
    if vers_type == "nginx":
        return _merged(vers_type, scheme, [_nginx(item.strip(), text) for item in text.split(",")], text)
    if vers_type not in _COMMON:
        raise VersError(f"native ranges of {vers_type!r} are not read", mend="write it as a vers: range")
    if vers_type in ("nuget", "maven") and text.lstrip()[:1] in ("[", "("):
        return _merged(vers_type, scheme, _bracketed(text.replace(" ", "")), text)
    separator = "|" if vers_type == "composer" else "||"
    parts = [part for part in text.split(separator) if part.strip()]
    return _merged(vers_type, scheme, [_all_of(vers_type, part, text) for part in parts], text)


def _all_of(vers_type: str, part: str, text: str) -> list[Constraint]:
    """The constraints of one alternative, all of which must hold."""
    if vers_type == "conan":
        part = part.partition(", include_prerelease")[0]
    hyphen = _HYPHEN.fullmatch(part)
    if hyphen is not None and vers_type in ("npm", "composer"):
        return [Constraint(">=", hyphen[1]), Constraint("<=", hyphen[2])]
    out: list[Constraint] = []
    at = 0
    while at < len(part):
        token = _TOKEN.match(part, at)
        if token is None:
            if part[at] not in " ,\t":
                _refuse(text)
            at += 1
            continue
        out += _one(vers_type, token[1] or "", token[2], text)
        at = token.end()
    if not out:
        _refuse(text)
    return out


def _one(vers_type: str, operator: str, version: str, text: str) -> list[Constraint]:
    if version in _WILDCARDS or version == "*-":
        return [Constraint(">=", "0.0.0")] if vers_type == "conan" else [Constraint("*", "")]
    if version.endswith("-") and vers_type == "conan":
        version = version[:-1]  # "with pre-releases": says nothing about the order
    stem, dot, last = version.rpartition(".")
    if dot and last in _WILDCARDS:
        while stem.endswith((".x", ".X", ".*")):
            stem = stem[:-2]
        if operator in ("", "=", "==", "^", "~"):
            return [Constraint(">=", stem), Constraint("<", _bumped(stem, stem.count("."), text))]
        return [Constraint(operator, stem)] if operator in (">=", "<") else _refuse(text)  # type: ignore[arg-type]
    after = "-" if vers_type == "conan" else ""  # Conan: below the pre-releases of the next, too
    if operator == "^" or (operator == "" and vers_type == "cargo"):
        numbers = _leading(version, text)
        first = next((i for i, number in enumerate(numbers) if number), len(numbers) - 1)
        return [Constraint(">=", version), Constraint("<", _bumped(version, first, text) + after)]
    if operator == "~":
        keep = min(1, len(_leading(version, text)) - 1)
        if vers_type == "composer":
            keep = max(0, len(_leading(version, text)) - 2)
        return [Constraint(">=", version), Constraint("<", _bumped(version, keep, text) + after)]
    if operator in ("~>", "~="):
        keep = max(0, len(_leading(version, text)) - 2)
        return [Constraint(">=", version), Constraint("<", _bumped(version, keep, text))]
    if operator in ("", "=", "==", "==="):
        return [Constraint("=", version)]
    return [Constraint(operator, version)]  # type: ignore[arg-type]  # the pattern's own words


def _bracketed(text: str) -> list[list[Constraint]]:
    """Intervals of NuGet and Maven, side by side."""
    out = []
    at = 0
    while at < len(text):
        shape = _BRACKETS.match(text, at)
        if shape is None:
            _refuse(text)
        opening, low, comma, high, closing = shape.groups(default="")
        low, high = low.strip(), high.strip()
        if not comma:
            if (opening, closing) != ("[", "]") or not low:
                _refuse(text)
            out.append([Constraint("=", low)])
        else:
            part = []
            if low:
                part.append(Constraint(">=" if opening == "[" else ">", low))
            if high:
                part.append(Constraint("<=" if closing == "]" else "<", high))
            out.append(part or [Constraint("*", "")])
        at = shape.end()
    return out


def _nginx(item: str, text: str) -> list[Constraint]:
    """`a-b`, or `a+`: from a on, within its stable (even) branch, or without end in a mainline (odd) one."""
    if item.endswith("+"):
        version = item[:-1]
        numbers = _leading(version, text)
        if len(numbers) > 1 and numbers[1] % 2 == 0:
            return [Constraint(">=", version), Constraint("<", f"{numbers[0]}.{numbers[1] + 1}.0")]
        return [Constraint(">=", version)]
    low, hyphen, high = item.partition("-")
    if hyphen:
        return [Constraint(">=", low.strip()), Constraint("<=", high.strip())]
    return [Constraint("*", "")] if item == "all" else [Constraint("=", item)]


def _merged(vers_type: str, scheme: str, alternatives: list[list[Constraint]], text: str) -> Vers:
    if not alternatives:
        _refuse(text)
    if sum(map(len, alternatives)) > MAX_CONSTRAINTS:
        raise TooLargeError(f"a range of more than {MAX_CONSTRAINTS:,} parts")
    parts: list[tuple[_End, _End]] = []
    excluded: list[Constraint] = []
    for constraints in alternatives:
        low, high = _BELOW_ALL, _ABOVE_ALL
        for constraint in constraints:
            if constraint.comparator == "*":
                continue
            at = range_key(scheme, constraint.version)
            above = at + b"\0"
            match constraint.comparator:
                case "!=":
                    excluded.append(constraint)
                case ">=" | ">":
                    low = max(low, _End(above if constraint.comparator == ">" else at, *_said(constraint)))
                case "<=" | "<":
                    high = min(high, _End(above if constraint.comparator == "<=" else at, *_said(constraint)))
                case _:
                    low = max(low, _End(at, *_said(constraint)))
                    high = min(high, _End(above, *_said(constraint)))
        if low.at < high.at:
            parts.append((low, high))
    if excluded and len(alternatives) > 1:
        raise VersError(f"{text[:80]!r}: `!=` within alternatives is not read")
    parts.sort(key=lambda part: part[0].at)
    joined: list[tuple[_End, _End]] = []
    for low, high in parts:
        if joined and low.at <= joined[-1][1].at:
            joined[-1] = (joined[-1][0], max(joined[-1][1], high, key=lambda end: end.at))
        else:
            joined.append((low, high))
    return Vers(vers_type, _written(scheme, joined, excluded))


def _written(
    scheme: str, parts: list[tuple[_End, _End]], excluded: list[Constraint]
) -> tuple[Constraint, ...]:
    out: list[tuple[bytes, Constraint]] = [(range_key(scheme, one.version), one) for one in excluded]
    for low, high in parts:
        if low.comparator == "=" and high.at == low.at + b"\0":
            out.append((low.at, Constraint("=", low.version)))
            continue
        if low.comparator != "*":
            out.append((low.at, Constraint(">" if low.comparator == ">" else ">=", low.version)))
        if high.comparator != "*":
            out.append((high.at, Constraint("<" if high.comparator == "<" else "<=", high.version)))
    if parts and not out:
        return (Constraint("*", ""),)
    if not out:
        raise VersError("the range holds no version", mend="its parts exclude each other")
    out.sort(key=lambda pair: pair[0])
    return tuple(constraint for _, constraint in out)


def _said(constraint: Constraint) -> tuple[Comparator, str]:
    return constraint.comparator, constraint.version


def _leading(version: str, text: str) -> list[int]:
    numbers = _NUMBERS.match(version)
    if numbers is None or any(len(part) > 18 for part in numbers[1].split(".")):
        _refuse(text)
    return [int(part) for part in numbers[1].split(".")]


def _bumped(version: str, at: int, text: str) -> str:
    """The numbers up to `at`, the last of them one more."""
    numbers = _leading(version, text)
    kept = [*numbers[:at], numbers[at] + 1]
    return ".".join(map(str, kept))


def _refuse(text: str) -> NoReturn:
    raise VersError(f"{text[:80]!r} is not a range that is read", mend="write it as a vers: range")
