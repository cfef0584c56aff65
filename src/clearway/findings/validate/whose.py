"""Which of a Python target's files are its own package's, and which another's that lies beside it. Pure.

A wheel holds one distribution (PEP 427), so that what it unpacks to is that project's; so is what a source distribution
is built to. A finding lifts its own package alone: neither a harmless input nor a proof that only runs what the package
depends on says anything of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath

import msgspec

from . import identity
from . import recipe as r
from .files import Files

_NOTES = (".dist-info", ".egg-info")


def own_files(target: r.PythonTarget, files: Files) -> frozenset[str]:
    """The SHA-256 of the wheels and source distributions that say by their metadata that they are the target's project;
    of all of them where none does, which is told elsewhere (`identity.doubts`).

    Raises:
        NotFoundError: a file is not there.
    """
    found = {
        digest
        for digest, said in identity.by_file(target, files)
        if len(said.get("name", ())) == 1 and identity.same_package("PyPI", said["name"][0], target.name)
    }
    return frozenset(found or (*target.wheels.values(), *target.sdist.values()))


def roots(laid: Mapping[str, Iterable[str]], own: frozenset[str]) -> tuple[str, ...]:
    """The fewest files and folders below which lie the own package's files, and no other's; empty for all there are.

    `laid` are the paths that each file of the target, by its SHA-256, was unpacked to. A namespace that two projects
    share is told apart as deep as it takes (PEP 420).
    """
    others = {path for digest, paths in laid.items() if digest not in own for path in paths}
    if not others:
        return ()
    shared = {str(parent) for path in others for parent in PurePosixPath(path).parents}
    found: set[str] = set()
    for path in (path for digest in own for path in laid.get(digest, ())):
        parts = PurePosixPath(path).parts
        if parts[0].endswith(_NOTES):
            continue
        heads = ("/".join(parts[:n]) for n in range(1, len(parts) + 1))
        found.add(next((h for h in heads if h not in shared and h not in others), path))
    return tuple(sorted(found))


def runs_own(own: tuple[str, ...], module: str) -> bool:
    """Whether `python3 -m MODULE` runs a file below `own`: the module itself, or the package's `__main__`."""
    path = module.replace(".", "/")
    return not own or any(
        file == root or file.startswith(f"{root}/")
        for file in (f"{path}.py", f"{path}/__main__.py")
        for root in own
    )


def with_fixes_needs(target: r.PythonTarget, patched: r.PythonTarget, files: Files) -> r.PythonTarget | None:
    """The vulnerable release with what lies beside the fix, and is built with what the fix is built with; None where
    both have the same beside them. What falls silent there does so for another package's sake.

    Raises:
        NotFoundError: a file is not there.
    """
    before, after = own_files(target, files), own_files(patched, files)
    wheels = {name: digest for name, digest in target.wheels.items() if digest in before}
    wheels |= {name: digest for name, digest in patched.wheels.items() if digest not in after}
    tools = patched.build_wheels if target.sdist and patched.sdist else target.build_wheels
    same = set(wheels.values()) == set(target.wheels.values())
    if same and set(tools.values()) == set(target.build_wheels.values()):
        return None
    return msgspec.structs.replace(target, wheels=wheels, build_wheels=tools)
