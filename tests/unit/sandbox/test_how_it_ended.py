"""Which end is told of a box, from its wait status and what it spent."""

from __future__ import annotations

import json
import signal
import socket

import pytest

from clearway.sandbox.cgroup import Counters
from clearway.sandbox.ending import judged
from clearway.sandbox.run import Limits, Run
from clearway.sandbox.spawn import Started
from clearway.sandbox.watch import Seen


def ended_box(status: int, cpu_s: float) -> Started:
    """A box whose keeper has told its end."""
    ours, keepers = socket.socketpair()
    with keepers:
        keepers.send(json.dumps({"inner": status, "status": 0, "cpu": cpu_s, "rss": 1}).encode())
    box = Started(ours)
    box.hear()
    ours.close()
    return box


@pytest.mark.parametrize(
    ("number", "cpu_s", "ended"),
    [
        (signal.SIGXCPU, 2.0, "cpu"),
        (
            signal.SIGXCPU,
            1.5,
            "cpu",
        ),  # what the kernel samples and what it reports differ by a tenth and more
        (signal.SIGXCPU, 1.1, "signal"),
        (signal.SIGXCPU, 0.0, "signal"),
        (signal.SIGKILL, 1.6, "cpu"),
        (signal.SIGKILL, 1.1, "signal"),
        (signal.SIGSEGV, 9.0, "signal"),
    ],
)
def test_a_signal_of_the_limit_is_the_limit_where_about_that_much_was_used(
    number: int, cpu_s: float, ended: str
) -> None:
    run = Run(argv=("x",), limits=Limits(cpu_s=2.0))
    found = judged(run, ended_box(number, cpu_s), Seen(), Counters(0.0, 0, 0), None)
    assert found[0] == ended
