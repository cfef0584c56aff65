"""What came first, a patch that the fleet has seen or volatile evidence, over all orders of time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from clearway.directives.triage_patch import SeenPatch, Taken, TakenBack, after_taken_back, before_evidence

START = datetime(2026, 12, 7, tzinfo=UTC)
hours = st.integers(0, 50).map(lambda n: START + timedelta(hours=n))
seen = st.lists(st.builds(SeenPatch, at=hours, where=st.just("exposure/1"), what=st.just("recorded as done")))
evidence = st.lists(
    st.builds(
        lambda at, late: Taken(at, at + late), hours, st.integers(0, 9).map(lambda n: timedelta(hours=n))
    )
)


@given(seen, evidence)
def test_nothing_is_said_exactly_when_evidence_was_taken_and_recorded_before_every_patch(
    seen: list[SeenPatch], evidence: list[Taken]
) -> None:
    clean = all(any(t.recorded is not None and t.recorded <= s.at for t in evidence) for s in seen)
    assert (before_evidence(seen, evidence) == "") is clean


@given(seen, evidence, hours)
def test_a_further_patch_never_clears_a_triage(
    seen: list[SeenPatch], evidence: list[Taken], at: datetime
) -> None:
    more = [*seen, SeenPatch(at=at, where="inventory/2", what="shows the component no more")]
    assert not before_evidence(seen, evidence) or before_evidence(more, evidence)


@given(seen, evidence)
def test_the_words_name_the_earliest_patch(seen: list[SeenPatch], evidence: list[Taken]) -> None:
    said = before_evidence(seen, evidence)
    if said:
        assert f"{min(s.at for s in seen):%Y-%m-%d %H:%M} UTC" in said


undone = st.lists(
    st.builds(
        TakenBack, at=hours, where=st.just("exposure/1"), what=st.just("recorded as done"), by=st.just("Olga"),
        until=hours,
    )
)  # fmt: skip


@given(undone, evidence)
def test_a_patch_that_did_not_stay_is_flagged_exactly_when_evidence_came_and_none_before_it(
    undone: list[TakenBack], evidence: list[Taken]
) -> None:
    later = bool(evidence) and any(before_evidence([s], evidence) for s in undone)
    assert (after_taken_back(undone, evidence) != "") is later
