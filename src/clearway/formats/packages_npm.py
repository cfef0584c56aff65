"""package-lock.json and npm-shrinkwrap.json, lockfileVersion 1, 2 and 3."""

from __future__ import annotations

from typing import Any

from clearway.records.inventory import Component, Inventory

from .component import Gathering
from .json_parts import Parts
from .packages import finish, purl_of
from .purl_identity import is_commit


def read(data: bytes, name: str, kind: str) -> Inventory:
    """A component for each installed package, in document order; links and workspace folders are none.

    Version 2 holds the packages twice; `packages` is read, `dependencies` only where that is all there is.

    Raises:
        InputError: not JSON, a repeated key, or nested too deep.
    """
    parts = Parts(data, name)
    found = Gathering()
    version = parts.value("lockfileVersion")
    packages = parts.value("packages")
    if type(packages) is dict:
        for path, entry in packages.items():
            if type(entry) is dict and "node_modules/" in path and not entry.get("link"):
                folder = path.rpartition("node_modules/")[2]
                _add(_text(entry.get("name")) or folder, entry, f"packages[{path!r}]", found)
    else:
        dependencies = parts.value("dependencies")
        if type(dependencies) is dict:
            _walk(dependencies, found)
    parts.finish()
    kind = f"{kind} v{version}" if type(version) is int else kind
    return finish(found, name, kind)


def _walk(dependencies: dict[str, Any], found: Gathering) -> None:
    """Version 1: dependencies inside dependencies, read in document order without recursion."""
    todo = [(name, entry, f"dependencies[{name!r}]") for name, entry in reversed(dependencies.items())]
    while todo:
        name, entry, place = todo.pop()
        if type(entry) is not dict:
            found.problems.append(f"{place} is not an object")
            continue
        _add(name, entry, place, found)
        inner = entry.get("dependencies")
        if type(inner) is dict:
            todo.extend((n, e, f"{place}[{n!r}]") for n, e in reversed(inner.items()))


def _add(name: str, entry: dict[str, Any], place: str, found: Gathering) -> None:
    version = _text(entry.get("version"))
    if version.startswith("npm:"):  # an alias: "npm:real-name@1.2.3"
        name, _, version = version[4:].rpartition("@")
    namespace, _, bare = name.rpartition("/")
    if not bare:
        found.components.append(Component(ecosystem="npm", place=place, problem="package has no name"))
        return
    if ":" in version or "/" in version:  # a git, file or tarball address instead of a version
        commit = version.rpartition("#")[2]
        found.components.append(
            Component(
                ecosystem="npm",
                name=name,
                commit=commit if is_commit(commit) else "",
                repo=version.partition("#")[0] if is_commit(commit) else "",
                place=place,
                problem=f"is not from a registry ({version[:80]})",
            )
        )
        return
    found.add(purl_of("npm", namespace, bare, version), name, version, place)


def _text(value: Any) -> str:
    return value if type(value) is str else ""
