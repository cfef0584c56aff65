"""What holds for every input: monotone tables, defaults within the range, and replay."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearway.directives import NOT_LOADED, UNKNOWN, Fact, Facts, Judge, decide, from_records, load, timeline
from clearway.records.advisory import Kev, Ssvc

BOD = load("bod-26-04")
LADDERS = {point.id: [value.id for value in point.values] for point in BOD.points}
POLICIES = [policy.id for policy in BOD.policies]
RULES = list(BOD.clock.retier)
DAY0 = date(2026, 1, 1)

days = st.integers(0, 400).map(lambda n: DAY0 + timedelta(days=n))
known = st.fixed_dictionaries({point: st.sampled_from(values) for point, values in LADDERS.items()})
partly = st.fixed_dictionaries(
    {point: st.sampled_from([*values, UNKNOWN, NOT_LOADED]) for point, values in LADDERS.items()}
)
changes = st.lists(
    st.sampled_from(sorted(LADDERS)).flatmap(
        lambda point: st.builds(
            Fact,
            point=st.just(point),
            value=st.sampled_from([*LADDERS[point], UNKNOWN, NOT_LOADED]),
            dated=st.none() | days,
        )
    ),
    max_size=8,
)
histories = st.builds(
    Facts, cve=st.sampled_from(["CVE-2026-1", ""]), changes=changes.map(tuple), detected=st.none() | days
)


def facts(values: dict[str, str]) -> dict[str, Fact]:
    return {point: Fact(point=point, value=value) for point, value in values.items()}


@given(known, st.sampled_from(sorted(LADDERS)), st.sampled_from(POLICIES))
def test_a_stricter_value_never_gives_a_more_lenient_tier(
    values: dict[str, str], point: str, policy: str
) -> None:
    low, high = LADDERS[point]
    lenient = decide(BOD, facts(values | {point: low}), policy)
    strict = decide(BOD, facts(values | {point: high}), policy)
    assert BOD.rank(strict.code) >= BOD.rank(lenient.code)
    assert strict.days is None or lenient.days is None or strict.days <= lenient.days
    assert strict.forensic_triage >= lenient.forensic_triage


@given(partly, st.sampled_from(POLICIES))
def test_an_answer_always_lies_within_the_range_it_shows(values: dict[str, str], policy: str) -> None:
    decision = decide(BOD, facts(values), policy)
    assert BOD.rank(decision.lenient) <= BOD.rank(decision.code) <= BOD.rank(decision.strictest)
    assert decision.rows
    assert (decision.row is None) == decision.basis.startswith("defaulted")
    assert decision.row is None or decision.row in decision.rows


@given(partly, known, st.sampled_from(POLICIES))
def test_the_truth_lies_within_the_range_shown_where_exposure_is_known(
    values: dict[str, str], truth: dict[str, str], policy: str
) -> None:
    shown = {p: truth[p] if values[p] not in (UNKNOWN, NOT_LOADED) else values[p] for p in LADDERS}
    shown["exposed"] = truth["exposed"]
    if policy == "fedramp_assume_automatable" and shown["automatable"] != truth["automatable"]:
        truth = truth | {"automatable": "yes"}
    decision = decide(BOD, facts(shown), policy)
    actual = decide(BOD, facts(truth), policy)
    assert actual.row in decision.rows


@given(partly)
def test_strict_is_never_more_lenient_than_any_other_policy(values: dict[str, str]) -> None:
    strict = BOD.rank(decide(BOD, facts(values), "strict_incomplete").code)
    assert all(strict >= BOD.rank(decide(BOD, facts(values), policy).code) for policy in POLICIES)


@given(partly, st.sampled_from(POLICIES))
def test_what_is_not_loaded_is_always_named_and_never_defaulted(values: dict[str, str], policy: str) -> None:
    decision = decide(BOD, facts(values), policy)
    words = decision.basis.split("+")
    for point, value in values.items():
        assert (f"{point}_not_loaded" in words) == (value == NOT_LOADED)
    if NOT_LOADED in (values["kev"], values["automatable"], values["impact"]):
        assert "defaulted" not in words


@given(partly, st.sampled_from(POLICIES))
def test_not_loaded_is_never_more_lenient_than_unknown(values: dict[str, str], policy: str) -> None:
    absent = decide(BOD, facts(values), policy)
    unknown = decide(BOD, facts({p: UNKNOWN if v == NOT_LOADED else v for p, v in values.items()}), policy)
    assert BOD.rank(absent.code) >= BOD.rank(unknown.code)


@given(histories, days, days, st.sampled_from(POLICIES), st.sampled_from(RULES))
def test_a_replay_as_of_an_earlier_day_is_the_beginning_of_the_later_one(
    history: Facts, one: date, other: date, policy: str, rule: str
) -> None:
    earlier, later = sorted((one, other))
    short = timeline(BOD, history, policy, retier=rule, as_of=earlier)
    long = timeline(BOD, history, policy, retier=rule, as_of=later)
    if short.current.start is not None or len(short.tiers) > 1:  # the clock was running
        assert short.tiers == tuple(tier for tier in long.tiers if tier.since <= earlier)


@given(histories, changes, days, st.sampled_from(POLICIES), st.sampled_from(RULES))
def test_a_fact_dated_later_never_changes_the_answer(
    history: Facts, more: list[Fact], as_of: date, policy: str, rule: str
) -> None:
    later = tuple(fact for fact in more if fact.dated is not None and fact.dated > as_of)
    grown = Facts(cve=history.cve, changes=history.changes + later, detected=history.detected)
    assert timeline(BOD, grown, policy, retier=rule, as_of=as_of) == timeline(
        BOD, history, policy, retier=rule, as_of=as_of
    )


@given(histories, days, st.sampled_from(POLICIES), st.sampled_from(RULES))
def test_every_due_date_is_its_start_and_the_tiers_days(
    history: Facts, as_of: date, policy: str, rule: str
) -> None:
    for tier in timeline(BOD, history, policy, retier=rule, as_of=as_of).tiers:
        if tier.due is None:
            assert tier.start is None or tier.decision.days is None
        else:
            assert tier.start is not None
            assert tier.decision.days == (tier.due - tier.start).days
            assert tier.start <= as_of


@given(histories, days, st.sampled_from(POLICIES))
def test_under_the_original_start_a_stricter_tier_is_never_due_later(
    history: Facts, as_of: date, policy: str
) -> None:
    tiers = timeline(BOD, history, policy, retier="original_start", as_of=as_of).tiers
    for before, after in pairwise(tiers):
        same_start = before.start is not None and after.start is not None and after.start <= before.start
        if same_start and BOD.rank(after.decision.code) >= BOD.rank(before.decision.code):
            assert before.due is None or (after.due is not None and after.due <= before.due)


@given(
    st.sampled_from(["public", "internal", "unknown"]),
    st.none() | days,
    st.booleans(),
    st.none()
    | st.tuples(st.sampled_from(["yes", "no", ""]), st.sampled_from(["total", "partial", ""]), days),
    st.sampled_from(POLICIES),
    st.sampled_from(RULES),
    st.integers(400, 800),
)
@pytest.mark.parametrize("name", ["bod-26-04", "bod-22-01"])
def test_the_judge_and_the_timeline_agree(
    name: str,
    exposure: str,
    added: date | None,
    loaded: bool,
    values: tuple[str, str, date] | None,
    policy: str,
    rule: str,
    after: int,
) -> None:
    directive = load(name)
    if name == "bod-22-01":
        policy, rule = "", ""
    as_of = DAY0 + timedelta(days=after)
    kev = None if added is None else Kev(cve="CVE-2026-1", date_added=added)
    ssvc = None
    if values is not None:
        ssvc = Ssvc(cve="", automatable=values[0], technical_impact=values[1], dated=values[2].isoformat())
    judge = Judge(directive, policy, "binding", exposure, DAY0, as_of, retier=rule)
    history = from_records(
        cve="CVE-2026-1",
        kev=kev,
        kev_loaded=loaded,
        ssvc=ssvc,
        exposed={"public": "yes", "internal": "no", "unknown": "unknown"}[exposure],
        detected=DAY0,
    )
    tier = timeline(directive, history, policy, retier=rule, as_of=as_of).current
    for _ in range(2):  # the second answer comes from memory
        answer = judge.due("CVE-2026-1", kev, loaded, ssvc)
        assert (answer.due, answer.tier, answer.row) == (tier.due, tier.decision.code, tier.decision.row)
        assert answer.basis == tier.decision.basis
