"""What of a SARIF log goes on byte for byte: the provenance and the recipe in `properties.clearway`.

JSON that is read and written again says the same in other bytes: `1E3` becomes `1000.0`, `\\u00c5` a letter, and keys
stand in another order. A signature or a hash over the block would not hold any more.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw, Struct

_BOM = b"\xef\xbb\xbf"


class _RawReproduction(Struct, frozen=True):
    recipe: Raw = Raw(b"")


class RawBlock(Struct, frozen=True):
    """The bytes of a `properties.clearway`; empty where it has none."""

    provenance: Raw = Raw(b"")
    reproduction: _RawReproduction | None = None

    @property
    def recipe(self) -> Raw:
        return self.reproduction.recipe if self.reproduction is not None else Raw(b"")


class _RawProperties(Struct, frozen=True):
    clearway: RawBlock | None = None


class _RawHolder(Struct, frozen=True):
    properties: _RawProperties | None = None


class RawRun:
    """One run of a log: the block of it, and of each of its results."""

    def __init__(self, sent: dict[str, Raw]) -> None:
        self.own = _block(msgspec.json.encode({n: sent[n] for n in ("properties",) if n in sent}))
        try:
            self._results = msgspec.json.decode(sent.get("results", b"[]"), type=list[Raw] | None) or []
        except msgspec.ValidationError:  # whoever reads the list says so
            self._results = []

    def block(self, n: int) -> RawBlock:
        """Of the result `n`."""
        return _block(self._results[n])


def raw_runs(data: bytes) -> list[RawRun]:
    """The runs of a log that has been read: a list of objects."""
    log = msgspec.json.decode(data.removeprefix(_BOM).lstrip(), type=dict[str, Raw])
    return [RawRun(run) for run in msgspec.json.decode(log["runs"], type=list[dict[str, Raw]])]


def as_sent(block: dict[str, Any], sent: RawBlock) -> dict[str, Any]:
    """`block`, the value of a `properties.clearway`, with its provenance and recipe as their bytes in `sent`."""
    made = dict(block)
    if sent.provenance and isinstance(made.get("provenance"), dict):
        made["provenance"] = sent.provenance
    reproduction = made.get("reproduction")
    if sent.recipe and isinstance(reproduction, dict) and isinstance(reproduction.get("recipe"), dict):
        made["reproduction"] = {**reproduction, "recipe": sent.recipe}
    return made


def recipe_in(block: dict[str, Any]) -> bytes:
    """The recipe of a block that `as_sent` has made; empty when it has none."""
    reproduction = block.get("reproduction")
    recipe = reproduction.get("recipe") if isinstance(reproduction, dict) else None
    return bytes(recipe) if isinstance(recipe, Raw) else b""


def _block(data: bytes | Raw) -> RawBlock:
    try:
        found = msgspec.json.decode(data, type=_RawHolder).properties
    except (msgspec.ValidationError, RecursionError):  # of another shape: whoever reads the value says so
        found = None
    return found.clearway if found is not None and found.clearway is not None else RawBlock()
