"""Benign inputs as what they have to be to say anything: of the package, and asking it for what the proof asks. Pure.

A release that falls silent may just not do any more what it is asked: it lacks an option, a setting, a file that it
reads first. The same request with harmless values is the control: where that still works, the silence is an answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from . import recipe as r

_FILE = "\0"  # in the place of a file's name, in which none is


def alike(recipe: r.Recipe) -> Iterator[r.Proof]:
    """The benign inputs that ask for the same as the proof.

    Steps do that make its calls, in its order, with as many arguments and the same names, whatever the values; more may
    follow, and what the proof gives no label to may have one. A command does that has its words, but for the names of
    files; where it has neither a file nor standard input, but for its longest word (after the "=" of an option) too,
    since that is the input then.
    """
    for proof in recipe.benign:
        if isinstance(proof, r.Steps) and isinstance(recipe.proof, r.Steps):
            if _same_steps(recipe.proof.steps, proof.steps[: len(recipe.proof.steps)]):
                yield proof
        elif (
            isinstance(proof, r.Command)
            and isinstance(recipe.proof, r.Command)
            and (proof.stdin is None) == (recipe.proof.stdin is None)
            and _same_words(recipe.proof, proof)
        ):
            yield proof


def _same_steps(proof: tuple[dict[str, Any], ...], other: tuple[dict[str, Any], ...]) -> bool:
    if [_shape(step) for step in proof] != [_shape(step) for step in other]:
        return False
    labels = {step.get("as") for step in proof}
    return all(
        a.get("as") == b.get("as") or ("as" not in a and b["as"] not in labels)
        for a, b in zip(proof, other, strict=True)
    )


def _shape(step: dict[str, Any]) -> tuple[object, ...]:
    return (
        step.get("call"), step.get("get"), step.get("set"), bool(step.get("await")), len(step.get("args", ())),
        tuple(sorted(step.get("kwargs", {}))),
    )  # fmt: skip


def _same_words(proof: r.Command, other: r.Command) -> bool:
    one, two = _words(proof), _words(other)
    if len(one) != len(two):
        return False
    given = -1  # the word that is the input
    if not proof.files and proof.stdin is None:
        first = 3 if proof.argv[0] == "python3" else 1
        given = max(range(first, len(one)), key=lambda n: len(_value(one[n])), default=-1)
    return all(
        _option(a) == _option(b) if n == given else a == b
        for n, (a, b) in enumerate(zip(one, two, strict=True))
    )


def _words(proof: r.Command) -> list[str]:
    """Its words; a file's name, alone or after the "=" of an option, as one that stands for any."""
    said = []
    for word in proof.argv:
        head, equals, value = word.partition("=")
        if word in proof.files:
            word = _FILE
        elif equals and value in proof.files:
            word = f"{head}={_FILE}"
        said.append(word)
    return said


def _option(word: str) -> str:
    """What of a word names an option: "--size" of "--size=9"; "" of one that is a value."""
    return word.partition("=")[0] if word.startswith("-") else ""


def _value(word: str) -> str:
    return word.partition("=")[2] if word.startswith("-") else word
