"""One flaw, one case: groups of reproducers against planted flaws, and the text hint on pairs of public records."""

from __future__ import annotations

from typing import Any

from . import clusters, hint


def run() -> dict[str, Any]:
    """The rows and goals of both."""
    rows, goals = clusters.run()
    more, others = hint.run()
    return {"rows": [*rows, *more], "goals": [*goals, *others]}
