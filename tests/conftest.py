"""What all tests share."""

from __future__ import annotations

import sys
from pathlib import Path

import hypothesis

sys.path.insert(0, str(Path(__file__).resolve().parent))
# How long an example takes says how busy the machine is.
hypothesis.settings.register_profile(
    "clearway", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("clearway")
