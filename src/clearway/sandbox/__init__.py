"""Runs hostile programs apart: no network, nothing of the host, bounded in everything.

backend().run(Run(argv=("/work/crash", "proof"), inputs={...}))        # one program in one box
with range_of(("target", "agent"), [Segment("lan", {...})]) as them:    # hosts that see each other and nothing else
    them.hosts["target"].exec(Run(argv=(...)))
"""

from typing import TYPE_CHECKING

from .choose import backend
from .run import Backend, Bind, Enforcement, Limits, Outcome, Run

if TYPE_CHECKING:
    from .ranges import Box, Range, Segment, range_of

__all__ = [
    "backend",
    "Backend",
    "Run",
    "Bind",
    "Limits",
    "Outcome",
    "Enforcement",
    "range_of",
    "Range",
    "Box",
    "Segment",
]


def __getattr__(name: str) -> object:
    """What starts processes is imported when it is first asked for: recipes and oracles need the nouns alone."""
    if name in {"range_of", "Range", "Box", "Segment"}:
        from . import ranges

        return getattr(ranges, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
