"""Variants of a proof's bytes, always the same ones: small changes near what fires, for E4.

Not a fuzzer: where a target has an entry for a coverage-guided one, `fuzz` comes after these. What these find is a
patch that blocks the bytes of the proof and not the flaw, in the ordinary build.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import islice
from typing import Any

import msgspec

from . import recipe as r
from .files import Files

_WORTHY = (
    b"\x00",
    b"\xff",
    b"\x7f",
    b"\x80",
    b"A",
    b"0",
    b'"',
    b"\\",
    b"{",
    b"[",
    b"/",
    b"%",
    b"\n",
    b"-1",
    b"4294967295",
)
LONGEST = 1 << 20
STDIN = ""  # in the place of a file's name: what the program reads from its standard input


def seed_of(recipe: r.Recipe, files: Files) -> tuple[str, bytes] | None:
    """The file of the proof that is varied, and its bytes: the largest that a command names or a step reads, and never
    the one with the secret that is to come out. `STDIN` where a command names none and reads its standard input."""
    proof = recipe.proof
    secret = recipe.oracle.file if isinstance(recipe.oracle, r.Access) else ""
    names = [n for n in sorted(proof.files) if n != secret]
    if isinstance(proof, r.Command):
        named = [n for n in names if any(n in word for word in proof.argv)]
        if not named and proof.stdin:
            return STDIN, files.read(proof.stdin)
        names = named or names
    elif isinstance(proof, r.Steps):
        read = msgspec.json.encode(proof.steps)
        names = [n for n in names if b'"file":' + msgspec.json.encode(n) in read]
    found = [(n, files.read(proof.files[n])) for n in names]
    return max(found, key=lambda f: len(f[1]), default=None)


def proofs(recipe: r.Recipe, files: Files, most: int) -> Iterator[tuple[r.Proof, tuple[str, bytes] | None]]:
    """Up to `most` variants of the proof, each with the bytes that stand in place of one of its files.

    A proof of steps without files is varied in the texts that it gives to the package. Nothing for a proof without
    either, and for an oracle of a text or an exception: those may be right for another input.
    """
    if isinstance(recipe.oracle, r.Output | r.Raised):
        return
    seed = seed_of(recipe, files)
    if seed is not None:
        name, data = seed
        for one in variants(data, most):
            yield recipe.proof, (name, one)
    elif isinstance(recipe.proof, r.Steps):
        for steps in islice(_steps(recipe.proof.steps), most):
            yield msgspec.structs.replace(recipe.proof, steps=steps), None


def _steps(steps: tuple[dict[str, Any], ...]) -> Iterator[tuple[dict[str, Any], ...]]:
    """The steps with one of their texts varied, each text in its turn."""
    places = texts(steps)
    streams = [variants(text.encode("utf-8", "surrogatepass"), 1 << 20) for _, text in places]
    while streams:
        for (path, _), stream in zip(places, streams, strict=True):
            yield with_text(steps, path, next(stream).decode("latin-1"))


def texts(steps: tuple[dict[str, Any], ...]) -> list[tuple[tuple[Any, ...], str]]:
    """The texts that steps give to the package, with where each stands."""
    places = [p for n, step in enumerate(steps) for p in _texts(step.get("args", []), (n, "args"))]
    return places + [p for n, step in enumerate(steps) for p in _texts(step.get("kwargs", {}), (n, "kwargs"))]


def with_text(
    steps: tuple[dict[str, Any], ...], path: tuple[Any, ...], text: str
) -> tuple[dict[str, Any], ...]:
    """The steps with another text at one place."""
    changed = msgspec.json.decode(msgspec.json.encode(steps))
    inside: Any = changed
    for key in path[:-1]:
        inside = inside[key]
    inside[path[-1]] = text
    return tuple(changed)


def _texts(value: Any, path: tuple[Any, ...]) -> Iterator[tuple[tuple[Any, ...], str]]:
    """Where texts stand that a step gives to the package: not names of steps, objects and files."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, list):
        for n, one in enumerate(value):
            yield from _texts(one, (*path, n))
    elif isinstance(value, dict) and not {"$", "object", "file"} & set(value):
        for key, one in value.items():
            yield from _texts(one, (*path, key))


def variants(data: bytes, most: int) -> Iterator[bytes]:
    """Up to `most` variants, in one order: first each small change at each place, then several at once."""
    seen = {data}
    for one in _all(data):
        if len(one) <= LONGEST and one not in seen:
            if len(seen) < 10_000:
                seen.add(one)
            yield one
            most -= 1
            if most <= 0:
                return


def _all(data: bytes) -> Iterator[bytes]:
    yield from _lengths(data)
    chance = random.Random(data)  # noqa: S311 - to vary, always in the same way
    places = list(range(len(data)))
    chance.shuffle(places)
    for at in places[:256]:
        yield data[:at] + data[at + 1 :]
        yield data[:at] + bytes([data[at] ^ (1 << chance.randrange(8))]) + data[at + 1 :]
        yield data[:at] + chance.choice(_WORTHY) + data[at:]
    while True:
        one = bytearray(data)
        for _ in range(chance.randint(2, 6)):
            at = chance.randrange(len(one) + 1)
            what = chance.randrange(4)
            if what == 0 and one:
                del one[at : at + chance.randint(1, 8)]
            elif what == 1:
                one[at:at] = chance.choice(_WORTHY)
            elif what == 2 and at < len(one):
                one[at] = chance.randrange(256)
            else:
                piece = bytes(one[at : at + chance.randint(1, 16)])
                one[at:at] = piece
        yield bytes(one)


def _lengths(data: bytes) -> Iterator[bytes]:
    """Longer and shorter: what a patch for one length misses."""
    for times in (2, 3, 8):
        yield data * times
    for cut in (1, 2, 4, 8):
        if len(data) > cut:
            yield data[:-cut]
            yield data[cut:]
    half = len(data) // 2
    for n in (1, 16, 64, 256, 4096):
        yield data[:half] + data[half : half + 1] * n + data[half:]
        yield data + data[-1:] * n
