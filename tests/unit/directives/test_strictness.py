"""What is proven to be at least as strict makes no date later, whatever is known."""

from __future__ import annotations

from datetime import date
from itertools import product

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearway.directives import UNKNOWN, Fact, decide, load
from clearway.directives.directive import Directive
from clearway.directives.strictness import at_least_as_strict

BOD = load("bod-26-04")
ALL = [
    {point.id: Fact(point=point.id, value=value) for point, value in zip(BOD.points, values, strict=True)}
    for values in product(*((*(v.id for v in point.values), UNKNOWN) for point in BOD.points))
]


def changed(**fields: object) -> Directive:
    return msgspec.structs.replace(BOD, **fields)


def longer(days: int) -> Directive:
    return changed(
        outcomes=tuple(
            msgspec.structs.replace(o, days=None if o.days is None else o.days + days) for o in BOD.outcomes
        )
    )


def clock(**fields: object) -> Directive:
    return changed(clock=msgspec.structs.replace(BOD.clock, **fields))


def test_the_same_and_a_stricter_one_are_proven() -> None:
    assert at_least_as_strict(changed(version="9"), BOD)
    assert at_least_as_strict(longer(-1), BOD)


@pytest.mark.parametrize(
    "milder",
    [
        pytest.param(longer(1), id="a day more"),
        pytest.param(longer(3000), id="eight years more"),
        pytest.param(
            changed(outcomes=tuple(msgspec.structs.replace(o, forensic_triage=False) for o in BOD.outcomes)),
            id="no forensic triage",
        ),
        pytest.param(clock(starts=BOD.clock.starts[:1]), id="one event less starts the clock"),
        pytest.param(clock(retier=BOD.clock.retier[::-1]), id="another rule for changes of tier"),
        pytest.param(changed(policies=BOD.policies[::-1]), id="another policy comes first"),
        pytest.param(changed(points=BOD.points[::-1]), id="another order of the points"),
        pytest.param(changed(revoked=date(2026, 1, 1), revoked_by="x"), id="revoked by itself"),
        pytest.param(
            changed(rows=(msgspec.structs.replace(BOD.rows[0], code=BOD.outcomes[0].code), *BOD.rows[1:])),
            id="the strictest row has the mildest outcome",
        ),
    ],
)
def test_a_milder_one_is_not(milder: Directive) -> None:
    assert not at_least_as_strict(milder, BOD)


@given(
    days=st.lists(st.none() | st.integers(1, 70), min_size=len(BOD.outcomes), max_size=len(BOD.outcomes)),
    moved=st.dictionaries(
        st.integers(0, len(BOD.rows) - 1), st.sampled_from([o.code for o in BOD.outcomes]), max_size=3
    ),
    whole=st.booleans(),
)
def test_where_it_is_proven_no_answer_is_milder(
    days: list[int | None], moved: dict[int, str], whole: bool
) -> None:
    outcomes = BOD.outcomes if whole else tuple(
        msgspec.structs.replace(o, days=d) for o, d in zip(BOD.outcomes, days, strict=True)
    )  # fmt: skip
    rows = tuple(msgspec.structs.replace(r, code=moved.get(n, r.code)) for n, r in enumerate(BOD.rows))
    new = changed(outcomes=outcomes, rows=rows)
    if not at_least_as_strict(new, BOD):
        return
    for policy in (p.id for p in BOD.policies):
        for facts in ALL:
            was, now = decide(BOD, facts, policy), decide(new, facts, policy)
            assert now.forensic_triage or not was.forensic_triage
            assert was.days is None or (now.days is not None and now.days <= was.days)
