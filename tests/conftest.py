"""What all tests share."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import hypothesis

sys.path.insert(0, str(Path(__file__).resolve().parent))
# How long an example takes says how busy the machine is. `make test-all` asks for more of them.
hypothesis.settings.register_profile(
    "clearway",
    deadline=None,
    max_examples=int(os.environ.get("CLEARWAY_EXAMPLES", "60")),
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("clearway")
