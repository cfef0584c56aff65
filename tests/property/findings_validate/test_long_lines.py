"""Text of whoever sends a proof is read in time that grows with its length alone: long lines for every pattern."""

from __future__ import annotations

import importlib
import pkgutil
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

import clearway.findings
from clearway.findings.dedup.hint.words import MOST, Terms
from clearway.findings.dedup.keys import normalised, place_of
from clearway.findings.validate.crash import state_of
from clearway.findings.validate.oracle import heard
from clearway.sandbox import Outcome

READ = 64 << 10  # bytes of what a program wrote
# Where a pattern backtracks it is minutes to hours; in order it is some tenths of a second. A quarter of the length
# takes a sixteenth of the time where it grows with the square, and has a tenth.
BUDGET_S = 10.0
LENGTHS = [
    pytest.param(0.25, 1.0, id="a quarter"),
    pytest.param(1, BUDGET_S, marks=pytest.mark.slow, id="all"),
]
HEAD = "==1==ERROR: AddressSanitizer: heap-buffer-overflow on address 0x1\n"
STARTS = (
    "", HEAD, HEAD + "    #0 0x1 in f ", HEAD + "    #0 0x1 in ", HEAD + "    #0 0x1 (", HEAD + "READ of size ",
    "a:1: runtime error: ", "==1==ERROR: ", "==1==", "CVE-", "https://", "a",
)  # fmt: skip
REPEATED = (
    ":1", ":", "1", " ", "\t", "(", "(aka ", "'", "<", "(a<b ", "in f ", "#0 0x1 ", "a.b", "/a", "-1", "_avx",
    "\n#0 0x1 in f ", "/*", "\n# ", "CVE-", "(BuildId: a", "==1==", "\n==1==", "\u00a0", "x.y/", "Sanitizer: ",
    "(anonymous namespace)::", ".isra", "/libc-", "__str_", "\r", "\x00", "@a.", "[](", "0x", "[", "```", "```\n", "//",
)  # fmt: skip
ENDS = (" x y\n", "!")


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Processor time of this process; a pattern is interrupted too."""

    def over(number: int, frame: Any) -> None:
        raise AssertionError(f"it took more than {seconds:g} s of processor time")

    before = signal.signal(signal.SIGVTALRM, over)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def texts(size: int, repeated: str) -> Iterator[str]:
    for start in STARTS:
        for end in ENDS:
            yield (start + repeated * (size // len(repeated)))[: size - len(end)] + end


@pytest.mark.parametrize(("part", "budget_s"), LENGTHS)
@pytest.mark.parametrize("repeated", REPEATED)
def test_what_a_program_wrote_is_read_at_once_however_long_its_lines(
    repeated: str, part: float, budget_s: float
) -> None:
    size = int(READ * part)
    with within(budget_s):
        for text in texts(size, repeated):
            state_of(text)
    with within(budget_s):
        heard(Outcome(ended="exited", stdout=(repeated * (size // len(repeated))).encode()), "nonce")


@pytest.mark.parametrize(("part", "budget_s"), LENGTHS)
@pytest.mark.parametrize("repeated", REPEATED)
def test_what_a_report_says_is_read_at_once_however_long_its_lines(
    repeated: str, part: float, budget_s: float
) -> None:
    with within(budget_s):
        for text in texts(int(MOST * part), repeated):
            Terms(text)
    with within(budget_s):
        for text in texts(2_000, repeated):
            place_of(text)
            normalised(text)


def patterns() -> Iterator[tuple[str, re.Pattern[Any]]]:
    """Every pattern that a module of the findings desk keeps."""
    for module in pkgutil.walk_packages(clearway.findings.__path__, "clearway.findings."):
        for name, value in vars(importlib.import_module(module.name)).items():
            if isinstance(value, re.Pattern):
                yield f"{module.name}.{name}", value


@pytest.mark.parametrize("size", [1_000, pytest.param(4_000, marks=pytest.mark.slow)])
def test_no_pattern_of_the_desk_blows_up(size: int) -> None:
    with within(BUDGET_S * size / 2_000):
        for name, pattern in patterns():
            for repeated in REPEATED:
                text = "a" + repeated * (size // len(repeated)) + "!"
                given: Any = text.encode() if isinstance(pattern.pattern, bytes) else text
                for found in (pattern.search(given), pattern.match(given), pattern.fullmatch(given)):
                    assert found is None or found.re is pattern, name
