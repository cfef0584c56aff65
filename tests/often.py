"""How often a test repeats what differs by luck or order alone: in part by `make test`, whole by `make test-all`."""

from __future__ import annotations

import os

EXAMPLES = int(os.environ.get("CLEARWAY_EXAMPLES", "60"))
WHOLE = EXAMPLES >= 200


def often(part: int, whole: int) -> int:
    """`whole` times where everything is tried, else `part` of them."""
    return whole if WHOLE else part
