"""The three machines over everything that can be done: no illegal step, no state of no return but the ends."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from clearway.findings.case import escalate, rank, states
from clearway.findings.case.route import Route, best, score
from clearway.records.errors import ConflictError, ForbiddenError, InputError

NOW = datetime(2026, 11, 26, tzinfo=UTC)
WHO = st.sampled_from(["desk", "vendor", "reporter"])
ACTS = {m: st.sampled_from(states.acts(m)) for m in states.MACHINES}


class ACase(RuleBasedStateMachine):
    """Anybody tries any act at any time; what must hold, holds after each."""

    def __init__(self) -> None:
        super().__init__()
        self.at: dict[str, str] = dict(states.INITIAL)  # type: ignore[arg-type]
        self.done: dict[str, list[str]] = {m: [] for m in states.MACHINES}

    def attempt(self, machine: Any, act: str, who: Any) -> None:
        before = self.at[machine]
        may = states.allowed(machine, before, who)
        try:
            after = states.step(machine, before, act, who, public=self.at["public"])
        except (ConflictError, ForbiddenError) as error:
            if machine != "embargo" or not isinstance(error, ConflictError):
                assert act not in may, "what is allowed is done"
            return
        assert act in may, "what is not allowed is not done"
        self.at[machine] = after
        self.done[machine].append(act)

    @rule(act=ACTS["report"], who=WHO)
    def report(self, act: str, who: str) -> None:
        self.attempt("report", act, who)

    @rule(act=ACTS["embargo"], who=WHO)
    def embargo(self, act: str, who: str) -> None:
        self.attempt("embargo", act, who)

    @rule(act=ACTS["vendor"], who=WHO)
    def vendor(self, act: str, who: str) -> None:
        self.attempt("vendor", act, who)

    @rule(act=ACTS["case"], who=WHO)
    def case(self, act: str, who: str) -> None:
        self.attempt("case", act, who)

    @rule(act=ACTS["public"], who=WHO)
    def public(self, act: str, who: str) -> None:
        self.attempt("public", act, who)

    @invariant()
    def a_fix_is_deployed_after_it_is_ready_and_ready_after_its_vendor_knows(self) -> None:
        assert self.at["vendor"] in ("vfd", "Vfd", "VFd", "VFD")

    @invariant()
    def nothing_that_is_public_becomes_secret(self) -> None:
        for letter, acts in (("P", ("made-public", "exploit-published")), ("X", ("exploit-published",)),
                             ("A", ("attacks-observed",))):  # fmt: skip
            assert (letter in self.at["public"]) == any(a in self.done["public"] for a in acts)

    @invariant()
    def an_exploit_in_public_makes_the_flaw_public(self) -> None:
        assert "X" not in self.at["public"] or "P" in self.at["public"]

    @invariant()
    def an_embargo_that_has_ended_stays_so(self) -> None:
        if "terminate" in self.done["embargo"]:
            assert self.at["embargo"] == "exited"
            assert self.done["embargo"][-1] == "terminate"

    @invariant()
    def a_case_is_opened_again_only_after_it_was_closed_and_closed_only_while_it_is_open(self) -> None:
        done = self.done["case"]
        assert done == [("close", "reopen")[n % 2] for n in range(len(done))]
        assert self.at["case"] == ("closed" if len(done) % 2 else "open")

    @invariant()
    def a_closed_report_is_received_anew_and_never_accepted_at_once(self) -> None:
        done = self.done["report"]
        for n, act in enumerate(done[:-1]):
            if act == "reopen":
                assert done[n + 1] in ("validate", "invalidate", "dispute")

    @invariant()
    def no_report_is_accepted_that_was_not_valid(self) -> None:
        done = self.done["report"]
        if "accept" in done:
            assert "validate" in done[: done.index("accept")]

    @invariant()
    def an_embargo_can_always_be_ended(self) -> None:
        if self.at["embargo"] != "exited":
            assert (
                states.step("embargo", self.at["embargo"], "terminate", "desk", public=self.at["public"])
                == "exited"
            )


TestACase = ACase.TestCase
TestACase.settings = settings(max_examples=60, stateful_step_count=30)


@pytest.mark.parametrize("machine", states.MACHINES)
def test_every_state_is_reached_and_every_act_is_done(machine: Any) -> None:
    seen, front = {states.INITIAL[machine]}, [states.INITIAL[machine]]
    while front:
        here = front.pop()
        for t in states.TRANSITIONS:
            if (t.machine, t.state) == (machine, here) and t.to not in seen:
                seen.add(t.to)
                front.append(t.to)
    assert seen == set(states.states(machine))


@pytest.mark.parametrize("machine", states.MACHINES)
def test_no_transition_is_said_twice_and_each_has_somebody_to_do_it(machine: Any) -> None:
    mine = [t for t in states.TRANSITIONS if t.machine == machine]
    assert len({(t.state, t.act) for t in mine}) == len(mine)
    assert all(t.by and "desk" in t.by for t in mine)


@given(st.sampled_from(states.states("report")), WHO, st.text(max_size=12))
def test_an_act_that_there_is_not_is_refused(state: str, who: Any, act: str) -> None:
    if act in states.acts("report"):
        return
    with pytest.raises(InputError):
        states.step("report", state, act, who)


@pytest.mark.parametrize("public", ["Pxa", "PXa", "pxA", "PXA", "PxA"])
def test_no_time_is_bought_once_the_flaw_is_known(public: str) -> None:
    for state in states.states("embargo"):
        for act in ("propose", "accept", "revise", "keep"):
            with pytest.raises(ConflictError):
                states.step("embargo", state, act, "desk", public=public)


# Escalation

STANDING = st.builds(
    escalate.Standing,
    role=st.just("vendor"),
    answer=st.just("no-answer"),
    asked=st.just(NOW),
    taken=st.sampled_from(["", *(s for _, s in escalate.AFTER_DAYS)]),
)


@given(STANDING, st.integers(0, 400), st.integers(0, 400))
def test_what_is_due_never_goes_back_and_comes_no_earlier(standing: Any, a: int, b: int) -> None:
    order = ["", *(s for _, s in escalate.AFTER_DAYS)]
    early, late = sorted((a, b))
    due = [escalate.due(standing, NOW + timedelta(days=d)) for d in (early, late)]
    if all(due):
        assert order.index(due[0]) <= order.index(due[1])
    for days, step in zip((early, late), due, strict=True):
        if step:
            assert order.index(step) > order.index(standing.taken)
            assert days >= {s: d for d, s in escalate.AFTER_DAYS}[step]


@given(st.sampled_from(["not-asked", "affected", "fixed", "disputed"]), st.integers(0, 400))
def test_who_has_answered_is_not_pressed(answer: str, days: int) -> None:
    standing = escalate.Standing(role="vendor", answer=answer, asked=NOW)
    assert escalate.due(standing, NOW + timedelta(days=days)) == ""


# Rank

FACTS = st.builds(
    rank.Facts,
    level=st.integers(0, 6),
    severity=st.sampled_from(["", "none", "low", "medium", "high", "critical"]),
    cwe=st.sampled_from(["", "CWE-787", "CWE-79"]),
    received=st.integers(0, 60).map(lambda d: NOW - timedelta(days=d)),
    missing=st.integers(0, 3),
    reporters=st.integers(1, 5),
    valid=st.integers(0, 9),
    invalid=st.integers(0, 9),
    embargo_days=st.none() | st.integers(-5, 90),
    case_open=st.booleans(),
    known=st.sampled_from(["", "is", "returns"]),
)


@given(FACTS)
def test_a_rank_is_the_sum_of_the_reasons_that_are_shown(facts: rank.Facts) -> None:
    made = rank.rank(facts, NOW)
    assert made.points == sum(r.points for r in made.reasons)
    assert all(r.words in made.why for r in made.reasons)


@given(FACTS)
def test_more_evidence_never_ranks_lower(facts: rank.Facts) -> None:
    from msgspec.structs import replace

    if facts.level < 6:
        assert rank.rank(replace(facts, level=facts.level + 1), NOW).points >= rank.rank(facts, NOW).points


# The directory

NAMES = st.text("abc/@*", min_size=1, max_size=6)
ROUTES = st.builds(
    Route, id=st.integers(1, 99), ecosystem=st.sampled_from(["", "npm", "PyPI"]), pattern=NAMES,
    member=st.none(), name=st.just("x"), email=st.just("a@b"), source=st.just(""),
)  # fmt: skip


@given(st.lists(ROUTES, max_size=8), st.sampled_from(["npm", "PyPI"]), NAMES)
def test_the_most_exact_line_is_asked(routes: list[Route], ecosystem: str, package: str) -> None:
    found = best(routes, ecosystem, package)
    fits = [score(r, ecosystem, package) for r in routes]
    assert bool(found) == any(fits)
    assert all(score(r, ecosystem, package) == max(fits) for r in found)
    assert all(r.ecosystem in ("", ecosystem) for r in found), "never across ecosystems"
