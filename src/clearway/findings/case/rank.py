"""The order of the triage queue, and why each finding stands where it does. Pure.

A rank is a sum of reasons that are shown: nobody has to guess why something is on top. The evidence counts most,
since a finding that fired here costs the least time to look at; what the reporter claims counts least.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

CLAIMED = {"critical": 4, "high": 3, "medium": 2, "low": 1}
RUNS_CODE = frozenset(
    ("CWE-787", "CWE-125", "CWE-416", "CWE-119", "CWE-120", "CWE-122", "CWE-78", "CWE-94", "CWE-502")
)


class Facts(Struct, frozen=True, kw_only=True):
    """What is known of one finding that waits."""

    level: int
    severity: str
    cwe: str
    received: datetime
    missing: int = 0  # gates at which something is missing
    reporters: int = 1  # organisations that reported about the same package and place
    valid: int = 0  # of its reporter's findings, those that counted as valid
    invalid: int = 0
    embargo_days: int | None = None  # until the day that the reporter named; below 0 when it has passed
    case_open: bool = False  # its package has an open case
    known: Literal["", "is", "returns"] = ""  # the desk has said that it is a public flaw, or its return


class Reason(Struct, frozen=True):
    """Points, and what they are for."""

    points: int
    words: str


class Rank(Struct, frozen=True):
    """The sum, and what it is made of: the heaviest first."""

    points: int
    reasons: tuple[Reason, ...]

    @property
    def why(self) -> str:
        """In words: "fires here (E1) +30; claimed critical +4"."""
        return (
            "; ".join(f"{r.words} {r.points:+d}" for r in self.reasons) or "nothing speaks for or against it"
        )


# What a rank is made of, for who asks why; `rank` below is what counts.
RULES: Sequence[tuple[str, str]] = (
    ("it fires here (E1), up to accepted by a named human (E6)", "+30 to +55, 5 a level"),
    ("other organisations report the same place of the same package", "+10 each, at most +20"),
    ("days that it waits", "+1 each, at most +10"),
    ("of three or more judged findings of its reporter, valid ones less invalid ones", "-10 to +10"),
    ("its package has an open case", "+8"),
    ("its class runs code", "+5"),
    ("severity, as claimed: low to critical", "+1 to +4"),
    ("something is missing", "-15, or -30 for several"),
)


def points(facts: Facts, now: datetime) -> int:
    """How high a finding stands in the queue: the sum of its reasons."""
    return sum(part for part, _, _ in _parts(facts, now))


def rank(facts: Facts, now: datetime) -> Rank:
    """Where a finding stands in the queue, with its reasons."""
    found = [Reason(part, words.format(*of)) for part, words, of in _parts(facts, now) if part]
    found.sort(key=lambda r: (-abs(r.points), r.words))
    return Rank(sum(r.points for r in found), tuple(found))


def _parts(facts: Facts, now: datetime) -> Iterator[tuple[int, str, tuple[object, ...]]]:
    """Points, also none, what they are for, and what stands in its braces: of thousands, few are put into words."""
    yield _evidence(facts.level), _LEVELS[min(facts.level, 6)], ()
    yield CLAIMED.get(facts.severity, 0), "claimed {}", (facts.severity,)
    yield 5 if facts.cwe in RUNS_CODE else 0, "{} is of a class that runs code", (facts.cwe,)
    yield min(20, 10 * (facts.reporters - 1)), "{} organisations report it", (facts.reporters,)
    yield 8 if facts.case_open else 0, "its package has an open case", ()
    if facts.embargo_days is not None:
        days = facts.embargo_days
        yield max(0, 20 - max(0, days)), _publishes(days), (days,)
    waits = (now - facts.received).days
    yield min(10, waits), "waits {} days", (waits,)
    judged = facts.valid + facts.invalid
    if judged >= 3:
        part = round(10 * (facts.valid - facts.invalid) / judged)
        yield part, "{} of the reporter's {} were valid", (facts.valid, judged)
    yield -15 * min(2, facts.missing), "something is missing", ()
    if facts.known:
        back = facts.known == "returns"
        yield 10 if back else -20, "a fixed flaw has come back" if back else "it is public already", ()


def _publishes(days: int) -> str:
    if days < 0:
        return "the day has passed on which the reporter meant to publish"
    return "the reporter publishes in {} days" if days else "the reporter publishes today"


def _evidence(level: int) -> int:
    return 0 if level < 1 else 25 + 5 * min(level, 6)


_LEVELS: Sequence[str] = (
    "nothing is shown yet", "fires here (E1)", "silent on a patched build (E2)", "its fix breaks no test (E3)",
    "variants find nothing (E4)", "same behaviour on harmless inputs (E5)", "accepted by a named human (E6)",
)  # fmt: skip
