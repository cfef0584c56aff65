"""What all tests share."""

from __future__ import annotations

import gc
import sys
from pathlib import Path

import hypothesis

sys.path.insert(0, str(Path(__file__).resolve().parent))

from often import EXAMPLES

# A full collection looks through every test that was collected, and none of them is garbage: a third of the time that
# collecting takes, and a sixth of the run. From then on only what the run makes is looked through.
gc.disable()
# How long an example takes says how busy the machine is. `make test-all` asks for more of them.
hypothesis.settings.register_profile(
    "clearway",
    deadline=None,
    max_examples=EXAMPLES,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("clearway")


def pytest_collection_finish() -> None:
    gc.freeze()
    # What is frozen counts for nothing where the interpreter decides that a full collection is due: by its own numbers
    # there would be several a second, of a tenth of a second each.
    gc.set_threshold(100_000, 10, 50)
    gc.enable()
