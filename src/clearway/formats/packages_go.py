"""go.sum and go.mod (Go Modules Reference)."""

from __future__ import annotations

from clearway.records.inventory import Component, Inventory

from .component import Gathering
from .packages import decode, finish, numbered, purl_of


def read(data: bytes, name: str, kind: str) -> Inventory:
    """A component for each module version.

    go.sum: the lines with a hash of the module's files; a line with a hash of its go.mod alone was
    only looked at to choose versions. go.mod: what is required, with `replace` applied. The `go` and
    `toolchain` lines name a minimum, not what builds, so that the standard library is no component.

    Raises:
        InputError: not UTF-8.
    """
    found = Gathering()
    text = decode(data, name)
    if kind == "go.sum":
        for number, line in numbered(text):
            words = line.split()
            if len(words) == 3 and words[1].endswith("/go.mod"):
                continue
            if len(words) == 3:
                _add(words[0], words[1], f"line {number}", found)
            elif words:
                found.problems.append(f"line {number} is not a module, version and hash")
    else:
        _read_mod(text, found)
    return finish(found, name, kind)


def _read_mod(text: str, found: Gathering) -> None:
    required: list[tuple[str, str, str]] = []
    replaced: dict[tuple[str, str], tuple[str, str]] = {}
    block = ""
    for number, line in numbered(text):
        words = line.partition("//")[0].split()
        if not words:
            continue
        if block:
            if words == [")"]:
                block = ""
                continue
            verb = block
        else:
            verb = words.pop(0)
            if words == ["("] or verb.endswith("("):
                block = verb.rstrip("(")
                continue
        words = [word.strip('"`') for word in words]
        if verb == "require" and len(words) == 2:
            required.append((words[0], words[1], f"line {number}"))
        elif verb == "replace" and "=>" in words:
            arrow = words.index("=>")
            old, new = words[:arrow], words[arrow + 1 :]
            if old and new:
                key = (old[0], old[1] if len(old) > 1 else "")
                replaced[key] = (new[0], new[1] if len(new) > 1 else "")
    for module, version, place in required:
        new_module = replaced.get((module, version)) or replaced.get((module, ""))
        if new_module is None:
            _add(module, version, place, found)
        elif new_module[1]:
            _add(new_module[0], new_module[1], place, found)
        else:
            found.components.append(
                Component(
                    ecosystem="Go",
                    name=module,
                    place=place,
                    problem=f"is replaced by a local folder ({new_module[0][:80]})",
                )
            )


def _add(module: str, version: str, place: str, found: Gathering) -> None:
    namespace, _, name = module.rpartition("/")
    if not name:
        found.components.append(Component(ecosystem="Go", place=place, problem="module has no name"))
        return
    found.add(purl_of("golang", namespace, name, version), module, version, place)
