"""Whatever a marking is changed to, nobody reads of an asset, or of what is derived from it, who may not see it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from marked_fleet import MarkedFleet

from intake_world import World
from often import often
from people import people_of

TLPS = ["CLEAR", "GREEN", "AMBER", "AMBER+STRICT", "RED", "RED"]

_n = st.integers(0, 11)
_remark = st.tuples(st.just("remark"), _n, st.sampled_from(TLPS), _n, _n)
_acts = st.lists(
    st.one_of(
        _remark,
        _remark,
        st.tuples(st.just("inventory"), _n),
        st.tuples(st.just("expose"), _n),
        st.tuples(st.just("decide"), _n, st.booleans()),
        st.tuples(st.just("read"), _n),
        st.tuples(st.just("triage"), _n),
        st.tuples(st.just("recipient"), _n, _n, st.booleans()),
        st.tuples(st.just("release"), _n),
        st.tuples(st.just("newcomer"), _n),
    ),
    min_size=5,
    max_size=12,
)


def run(new_world: Callable[[], World], acts: list[tuple[Any, ...]]) -> None:
    made = new_world()
    for people in people_of(made.url):
        world = MarkedFleet(made, people)
        world.check()
        for name, *parameters in acts:
            getattr(world, name)(*parameters)
            world.check()


@given(acts=_acts)
@settings(
    max_examples=often(5, 10),
    phases=[Phase.explicit, Phase.generate],  # each example is a database: shrinking takes minutes
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
    ],
)
def test_events_entries_rows_and_triages_follow_their_asset_as_the_oracle_says(
    new_world: Callable[[], World], acts: list[tuple[Any, ...]]
) -> None:
    run(new_world, acts)


def test_every_way_to_change_a_marking_after_everything_was_told(new_world: Callable[[], World]) -> None:
    run(
        new_world,
        [
            ("triage", 0),
            ("remark", 0, "GREEN", 0, 0),
            ("remark", 1, "GREEN", 0, 0),
            ("inventory", 0),
            ("expose", 0),
            ("decide", 0, False),
            ("decide", 0, True),
            ("decide", 2, True),
            ("read", 0),
            ("remark", 0, "AMBER", 0, 0),  # narrower
            ("triage", 1),
            ("read", 0),
            ("newcomer", 1),
            ("expose", 0),
            ("remark", 0, "RED", 1, 0),  # sideways: recipients on a list
            ("recipient", 1, 2, True),
            ("decide", 0, True),
            ("remark", 0, "RED", 2, 0),  # sideways: another list
            ("remark", 1, "RED", 0, 1),  # under an embargo
            ("recipient", 2, 1, True),
            ("expose", 1),
            ("release", 0),  # and out of it
            ("remark", 0, "CLEAR", 0, 2),  # wider, under another embargo
            ("remark", 0, "RED", 0, 0),
        ],
    )
