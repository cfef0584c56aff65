"""The known shapes of false positives, which a reporter rules out before anybody else's time is spent. Pure.

They are what triage teams meet again and again in machine-made reports: the code is not shipped, nobody hostile gets
there, the crash is the harness's own, the behaviour is what the manual says. Ruling one out takes a sentence that a
person can check; that it is true is for the validation.
"""

from __future__ import annotations

import re

from msgspec import Struct

# CWE-119 and its children that tell of memory: what sanitizers find.
MEMORY = frozenset(
    f"CWE-{n}"
    for n in (
        119, 120, 121, 122, 123, 124, 125, 126, 127, 129, 131, 190, 191, 415, 416, 457, 476, 617, 680, 787, 788,
        805, 824, 825, 908,
    )
)  # fmt: skip
# Uncontrolled use of time and memory.
RESOURCE = frozenset(f"CWE-{n}" for n in (400, 407, 674, 770, 789, 834, 835, 1333))
_TEST_CODE = re.compile(
    r"(^|/)(tests?|testing|test_data|testdata|examples?|samples?|docs?|benchmarks?|fuzz|fuzzing|oss-fuzz|demos?)/"
    r"|(^|/)(test_[^/]*|[^/]*_test|conftest)\.\w+\b",
    re.IGNORECASE,
)


class Shape(Struct, frozen=True, kw_only=True):
    """One shape: its key, how it goes, what ruling it out says; `only` the classes it is asked of, all when empty."""

    key: str
    title: str
    say: str
    only: frozenset[str] = frozenset()


SHAPES = (
    Shape(
        key="test-code",
        title="The code is in tests, examples or documentation",
        say="which shipped file it is in, or how the test code reaches users",
    ),
    Shape(
        key="trusted-input",
        title="The input comes from somebody who could do the harm anyway",
        say="who can send the input, and what they gain that they did not have",
    ),
    Shape(
        key="harness-only",
        title="The fault is in the harness, which calls the code as nobody does",
        say="by which public interface it is reached, within its documented contract",
    ),
    Shape(
        key="not-in-release",
        title="The code is on a branch and in no release",
        say="in which shipped release the file and the function are",
    ),
    Shape(
        key="documented",
        title="The behaviour is what the manual says, and warns of",
        say="where the documentation promises otherwise, or is silent",
    ),
    Shape(
        key="debug-build",
        title="It takes an assertion, a debug build or a leak at exit",
        say="what happens in a release build",
        only=MEMORY,
    ),
    Shape(
        key="resource-bound",
        title="It takes as much input as it takes time",
        say="how much input costs how much, and why no caller's limit stops it",
        only=RESOURCE,
    ),
)
BY_KEY = {shape.key: shape for shape in SHAPES}
MIN_WHY = 15  # characters: less is no sentence


def asked_of(cwe: str) -> tuple[Shape, ...]:
    """The shapes to rule out for a flaw of that class; of one without a class, those of every class."""
    return tuple(shape for shape in SHAPES if not shape.only or not cwe or cwe in shape.only)


def looks_like_test_code(where: str) -> bool:
    """Whether a place in code is in a folder or file of tests, examples or documentation."""
    return bool(_TEST_CODE.search(where.replace("\\", "/")[:1_000]))
