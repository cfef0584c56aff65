"""pip requirements files: pinned requirements with hashes, extras and markers.

The format is pip's documentation, "Requirements File Format".
"""

from __future__ import annotations

from collections.abc import Iterator

from clearway.records.inventory import Component, Inventory

from .component import Gathering
from .packages import decode, finish, numbered, purl_of

_NAME_CHARS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.")


def read(data: bytes, name: str, kind: str) -> Inventory:
    """A component for each requirement; one that no `==` pins has no version and says so in `problem`.

    Markers are not evaluated: on some machine the requirement holds. Other files (`-r`, `-c`) and
    options are not followed; they are named in the inventory's problems.

    Raises:
        InputError: not UTF-8.
    """
    found = Gathering()
    for number, line in _logical(decode(data, name)):
        _line(line, f"line {number}", found)
    return finish(found, name, kind)


def _logical(text: str) -> Iterator[tuple[int, str]]:
    """Lines with their continuations joined, without comments, with the number of the first."""
    pieces: list[str] = []
    first = 0
    for number, line in numbered(text):
        first = first if pieces else number
        if line.endswith("\\") and not line.lstrip().startswith("#"):
            pieces.append(line[:-1])
            continue
        pieces.append(line)
        joined = " ".join(pieces)
        pieces = []
        yield first, _without_comment(joined).strip()
    if pieces:
        yield first, _without_comment(" ".join(pieces)).strip()


def _without_comment(line: str) -> str:
    if line.lstrip().startswith("#"):
        return ""
    return line.partition(" #")[0].partition("\t#")[0]


def _line(line: str, place: str, found: Gathering) -> None:
    if not line:
        return
    if line[0] == "-":
        if line.startswith(("-e ", "--editable", "-r", "--requirement", "-c", "--constraint")):
            found.problems.append(f"{place}: {line[:80]} is not followed")
        return
    requirement = line.partition(" --")[0].partition(";")[0].strip()
    length = 0
    while length < len(requirement) and requirement[length] in _NAME_CHARS:
        length += 1
    name, rest = requirement[:length], requirement[length:].strip()
    if rest[:1] == "[":
        rest = rest.partition("]")[2].strip()
    if not name or rest[:1] not in ("", "=", "<", ">", "~", "!", "@", "("):
        found.components.append(
            Component(
                name=requirement[:200], place=place, problem="is not a requirement that names a package"
            )
        )
        return
    version = _pinned(rest.strip("()"))
    if version:
        found.add(purl_of("pypi", "", name, version), name, version, place)
        return
    found.add(purl_of("pypi", "", name, ""), name, "", place)
    found.blame(f"is not pinned to a version ({rest[:80]})" if rest else "is not pinned to a version")


def _pinned(specifier: str) -> str:
    """The version of "==1.2" or "===1.2", "" for any other specifier."""
    if specifier[:2] != "==" or "," in specifier:
        pins = [part.strip() for part in specifier.split(",") if part.strip().startswith("==")]
        if len(pins) != 1:
            return ""
        specifier = pins[0]
    version = specifier.lstrip("=").strip()
    return "" if "*" in version or " " in version else version
