"""What of a finding can be compared with another: all candidate keys, each with its kind and version. Pure.

No key replaces another and none is overwritten: a finding has every one that its facts give, and a better rule is a
new version, kept beside the old one until a replay has made it anew. A key is a digest over the product too, since
equal stacks of two products are two flaws.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Literal, get_args

from msgspec import Struct

from ..validate.crash import VERSION as CRASH
from ..validate.crash import CrashState

Kind = Literal["input", "stack", "crash", "context", "place"]
KINDS: tuple[Kind, ...] = get_args(Kind)  # strongest first
VERSIONS: dict[Kind, str] = {
    "input": "clearway/input/v2",
    "stack": f"clearway/stack/{CRASH}",
    "crash": f"clearway/{CRASH}",
    "context": "clearway/context/v1",
    "place": "clearway/place/v1",
}
# Which runs make a key of what was run: those of a proof under our harness, on files that the desk knows.
EVIDENCE = "clearway/evidence/v2"
# By which rule cross-runs are weighed (`fixes`): with a newer one, they are run again.
CROSS = "clearway/cross/v3"
# What a finding's keys were made by: when this changes, they are made anew.
RULES = sha256("\n".join((EVIDENCE, CROSS, *VERSIONS.values())).encode()).hexdigest()[:16]
SMALLEST_INPUT = 4  # bytes; an empty or one-letter input is everybody's
MOST_INPUTS = 200
_MOST_TEXT = 4_000
_MOST_PLACE = 1_000
# From where a name begins: tried from each of its letters, a long one would cost the square of its length.
_FILE = re.compile(r"(?<![\w@+.-])[\w@+.-]*(?:/[\w@+.-]+)+|(?<![\w@+-])[\w@+-]+\.[A-Za-z]\w{0,5}\b")
_LINE = re.compile(r"(?::|#L|, line |\bline )\d+(?:[:-]L?\d+)*")
_FUNCTION = re.compile(r"[A-Za-z_~][\w:~<>.$]*")
_NUMBER = re.compile(r"\b(?:0[xX][0-9a-fA-F]+|\d+)[uUlL]*\b")
_COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*|(?m:^\s*#(?!\s*(?:if|define|include))[^\n]*)", re.DOTALL)
_ROOTS = ("src/", "lib/", "a/", "b/")


class Key(Struct, frozen=True, order=True):
    """One candidate: equal values of one kind and version are a reason to look."""

    kind: Kind
    version: str
    value: str  # SHA-256, 32 hexadecimal digits of it


class Facts(Struct, frozen=True, kw_only=True):
    """What is known in clear of a finding, as `kept.Finding` has it."""

    ecosystem: str = ""
    package: str = ""
    purl: str = ""
    place: str = ""
    cwe: str = ""
    snippet: str = ""  # the lines around the place, when the report has them


class Input(Struct, frozen=True):
    """What its proof is given: one file, or all of them together (`input_of`)."""

    sha256: str
    size: int


def input_of(files: Sequence[Input]) -> Input | None:
    """All that a proof is given as one input, so that a file beside the one that counts is not a guess more; None for
    a proof that is given nothing."""
    distinct = sorted({(file.sha256, file.size) for file in files})
    if not distinct:
        return None
    if len(distinct) == 1:
        return Input(*distinct[0])
    joined = sha256("\n".join(digest for digest, _ in distinct).encode()).hexdigest()
    return Input(joined, sum(size for _, size in distinct))


def keys_of(facts: Facts, states: Iterable[CrashState] = (), inputs: Sequence[Input] = ()) -> tuple[Key, ...]:
    """Every key that these give, sorted; () where no product is named, since nothing could be compared safely."""
    product = product_of(facts)
    if not product:
        return ()
    found = {
        _key("input", product, i.sha256)
        for i in inputs[:MOST_INPUTS]
        if i.size >= SMALLEST_INPUT and i.sha256
    }
    for state in states:
        if state.frames:  # an error without a frame is every second finding's
            found.add(_key("crash", product, state.key))
        if len(state.stack) > len(state.frames):
            found.add(_key("stack", product, state.stack_key))
    file, function = place_of(facts.place)
    if facts.cwe and file and (function or facts.snippet):
        found.add(_key("context", product, facts.cwe, file, function, normalised(facts.snippet)))
    if file:
        found.add(_key("place", product, facts.cwe, file))
    return tuple(sorted(found))


def product_of(facts: Facts) -> str:
    """The product, whichever release: "pypi/example"; "" when none is named."""
    if facts.package:
        return f"{facts.ecosystem}/{facts.package}".lower()
    bare = facts.purl.split("?", 1)[0].split("#", 1)[0]
    path, slash, name = bare.rpartition("/")
    bare = path + slash + (name if name.startswith("@") else name.split("@", 1)[0])
    return bare.removeprefix("pkg:").lower()


def place_of(place: str) -> tuple[str, str]:
    """File and function of a place, without line numbers: they change with every edit above them."""
    text = _LINE.sub(" ", place[:_MOST_PLACE].replace("\\", "/"))
    file = _FILE.search(text)
    name = ""
    if file is not None:
        name = file[0].removeprefix("./").lstrip("/")
        name = next((name.removeprefix(root) for root in _ROOTS if name.startswith(root)), name)
        text = text[: file.start()] + " " + text[file.end() :]
    function = _FUNCTION.search(re.sub(r"\b(?:in|at|function|method|of)\b|\(.*?\)", " ", text))
    return name, function[0].rstrip(".:") if function else ""


def normalised(snippet: str) -> str:
    """Code without comments, layout and numbers: what stays when somebody reformats it."""
    text = _COMMENT.sub(" ", snippet[:_MOST_TEXT])
    text = _NUMBER.sub("0", text)
    text = re.sub(r"\s*([^\w\s])\s*", r"\1", text)
    return " ".join(text.split())


def _key(kind: Kind, *parts: str) -> Key:
    version = VERSIONS[kind]
    return Key(kind, version, sha256("\0".join((version, *parts)).encode()).hexdigest()[:32])
