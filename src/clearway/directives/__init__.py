"""Directives: decision tables as versioned data, the clock, and the reasons. Pure: facts in, due dates out.

`load` a directive, `decide` one row, replay a `timeline`, or ask a `Judge` about many findings.
"""

from __future__ import annotations

from .clock import Tier, Timeline, timeline
from .decision import OUT_OF_SCOPE, Decision, decide
from .directive import NOT_LOADED, UNKNOWN, Directive
from .facts import Fact, Facts, from_records
from .files import load, names
from .judge import DueAnswer, Judge
from .standing import Standing, word

__all__ = [
    "NOT_LOADED",
    "OUT_OF_SCOPE",
    "UNKNOWN",
    "Decision",
    "Directive",
    "DueAnswer",
    "Fact",
    "Facts",
    "Judge",
    "Standing",
    "Tier",
    "Timeline",
    "decide",
    "from_records",
    "load",
    "names",
    "timeline",
    "word",
]
