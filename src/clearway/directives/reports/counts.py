"""Figures by tier: recounted from the rows of a report, never carried beside them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import get_args

from .row import State

STATES: tuple[State, ...] = get_args(State)
Counts = dict[str, dict[str, int]]


def count(states: Iterable[tuple[str, State]], tiers: Iterable[str]) -> Counts:
    """How many rows of each tier are in each state, from (tier, state); all `tiers` are there, zeros included."""
    found: Counts = {tier: dict.fromkeys(STATES, 0) for tier in tiers}
    for tier, state in states:
        found.setdefault(tier, dict.fromkeys(STATES, 0))[state] += 1
    return found


def total(counts: Counts) -> dict[str, int]:
    """The sum over all tiers, by state."""
    return {state: sum(by_state.get(state, 0) for by_state in counts.values()) for state in STATES}
