"""Runs hostile programs apart: no network, nothing of the host, bounded in everything.

backend().run(Run(argv=("/work/crash", "proof"), inputs={...}))        # one program in one box
with range_of(("target", "agent"), [Segment("lan", {...})]) as them:    # hosts that see each other and nothing else
    them.hosts["target"].exec(Run(argv=(...)))
"""

from .choose import backend
from .ranges import Box, Range, Segment, range_of
from .run import Backend, Bind, Enforcement, Limits, Outcome, Run

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
