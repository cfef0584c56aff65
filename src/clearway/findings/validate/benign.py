"""How large a proof is, and the harmless input that is to go the same way. Pure but for reading files."""

from __future__ import annotations

from typing import Any

import msgspec

from . import recipe as r
from .files import Files


def sizes(recipe: r.Recipe, files: Files) -> tuple[tuple[int, ...], int]:
    """The sizes of the distinct benign inputs, smallest first, and that of the proof: bytes that the target is given.

    Raises:
        NotFoundError: a file of the recipe is not there.
    """
    distinct = {msgspec.json.encode(proof): proof for proof in recipe.benign}
    n = recipe.oracle.sizes[0] if isinstance(recipe.oracle, r.Growth) else 1
    return tuple(sorted(size(p, files) for p in distinct.values())), size(recipe.proof, files, n)


def size(proof: r.Proof, files: Files, n: int = 1) -> int:
    """The bytes of a proof's files and standard input and of the texts in its words or steps; `n` is the size for what
    grows."""
    whole = sum(len(files.read(digest)) for digest in proof.files.values())
    if isinstance(proof, r.Command):
        whole += len(files.read(proof.stdin)) if proof.stdin else 0
        return whole + sum(len(word.encode()) for word in proof.argv[1:])
    if isinstance(proof, r.Steps):
        return whole + sum(
            _value([*step.get("args", ()), *step.get("kwargs", {}).values(), step.get("to")], n)
            for step in proof.steps
        )
    return whole


def _value(said: Any, n: int) -> int:
    """Bytes of the texts in one value of a step; a file's are counted already."""
    if isinstance(said, str):
        return len(said.encode("utf-8", "surrogatepass"))
    if isinstance(said, list):
        return sum(_value(one, n) for one in said)
    if not isinstance(said, dict) or {"$", "object", "file"} & set(said):
        return 0
    repeat = said.get("repeat")
    if isinstance(repeat, list) and len(repeat) == 2:
        times = repeat[1]
        count = times.get("n", 0) * n if isinstance(times, dict) else times
        return _value(repeat[0], n) * int(count) if isinstance(count, int | float) else 0
    return sum(_value(one, n) for one in said.values())
