"""Compiled intervals hold exactly the versions that the OSV schema's pseudocode holds."""

from __future__ import annotations

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from clearway.records.advisory import Event
from clearway.versions import compare, intervals, vers
from clearway.versions.ranges import contains
from clearway.versions.vers import Constraint

_versions = st.sampled_from(
    ["0", "0.0.0-0", "0.9.0", "1.0.0-rc.1", "1.0.0", "1.0", "1.1.0", "2.0.0-0", "2.0.0", "2.1.0", "10.0.0"]
)
_kinds = st.sampled_from(["introduced", "introduced", "fixed", "fixed", "last_affected", "limit"])
_events = st.lists(st.builds(Event, _kinds, _versions), max_size=7)


def vulnerable(scheme: str, version: str, events: list[Event]) -> bool:
    """OSV schema, "Evaluation": BeforeLimits and IncludedInRanges, word for word."""
    limits = [event for event in events if event.kind == "limit"]
    if limits and not any(compare(scheme, version, limit.version) < 0 for limit in limits):
        return False
    state = False
    for event in _sorted(scheme, [event for event in events if event.kind != "limit"]):
        zero = event.kind == "introduced" and event.version == "0"
        side = 1 if zero else compare(scheme, version, event.version)
        if event.kind == "introduced" and side >= 0:
            state = True
        elif (event.kind == "fixed" and side >= 0) or (event.kind == "last_affected" and side > 0):
            state = False
    return state


def _sorted(scheme: str, events: list[Event]) -> list[Event]:
    out: list[Event] = []
    for event in events:  # a stable insertion, so that no key is needed
        at = len(out)
        while at and _below(scheme, event, out[at - 1]):
            at -= 1
        out.insert(at, event)
    return out


def _below(scheme: str, a: Event, b: Event) -> bool:
    if b.kind == "introduced" and b.version == "0":
        return False
    if a.kind == "introduced" and a.version == "0":
        return True
    return compare(scheme, a.version, b.version) < 0


@settings(max_examples=250)
@given(_events, _versions)
def test_intervals_hold_what_the_pseudocode_holds(events: list[Event], version: str) -> None:
    compiled = intervals("semver", events)
    assert bool(contains("semver", version, compiled)) is vulnerable("semver", version, events)
    for one, two in itertools.pairwise(compiled):
        assert one.lo < one.hi <= two.lo < two.hi


@settings(max_examples=150)
@given(
    st.lists(
        st.builds(Event, _kinds, st.sampled_from(["0", "1-1", "1-2", "1.5-1", "2-1", "1:1-1"])), max_size=6
    ),
    st.sampled_from(["0-1", "1-1", "1-2", "1.5-1", "2-1", "1:1-1", "1:2-1"]),
)
def test_ranges_without_keys_hold_what_the_pseudocode_holds(events: list[Event], version: str) -> None:
    compiled = intervals("pacman", events)
    # "0" as an end is a version without a release, which is where pacman's order is not transitive.
    if not any(event.version == "0" and event.kind != "introduced" for event in events):
        assert bool(contains("pacman", version, compiled)) is vulnerable("pacman", version, events)


@settings(max_examples=150)
@given(
    st.lists(
        st.builds(Constraint, st.sampled_from(["=", "!=", "<", "<=", ">", ">="]), _versions),
        min_size=1,
        max_size=6,
        unique_by=lambda constraint: vers.key("semver", constraint.version),
    ),
    _versions,
)
def test_a_vers_range_prints_parses_and_compiles_to_the_same_answer(
    found: list[Constraint], version: str
) -> None:
    made = vers.ordered("npm", found)
    again = vers.parse(str(made))
    assert again == made
    held = vers.contains(made, version)
    if not any(constraint.comparator == "!=" for constraint in found):
        assert held is any(
            interval.lo <= vers.key("semver", version) < interval.hi for interval in vers.intervals(made)
        )
