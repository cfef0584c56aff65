"""What activities are to each other, and what the command line calls them."""

from __future__ import annotations

import pytest

from clearway.findings.lease import commands, rule
from clearway.findings.lease.scope import parse


@pytest.mark.parametrize(
    ("one", "other", "live", "outcome"),
    [
        ("source-review", "source-review", False, "share"),
        ("source-review", "fuzzing", False, "share"),
        ("port", "port", True, "exclude"),
        ("port", "authenticated", True, "exclude"),
        ("fuzzing", "authenticated", True, "exclude"),
        ("source-review", "port", True, "clear"),
        ("passive", "port", True, "clear"),
        ("passive", "passive", False, "clear"),
    ],
)
def test_the_rules(one: rule.Activity, other: rule.Activity, live: bool, outcome: str) -> None:
    assert rule.outcome(one, other, live=live) == outcome


def test_ports_and_sign_ins_are_of_hosts() -> None:
    assert not rule.fits("port", parse("pkg:pypi/requests"))
    assert not rule.fits("authenticated", parse("git+https://git.example.org/a/b"))
    assert rule.fits("port", parse("192.0.2.0/24"))
    assert rule.fits("source-review", parse("pkg:pypi/requests"))


def test_the_command_line_knows_the_same_activities() -> None:
    assert commands.ACTIVITIES == rule.ACTIVITIES
