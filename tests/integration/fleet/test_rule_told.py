"""What a rule says stays with the rule: in what it decides, in what is put back, and in reports."""

from __future__ import annotations

import pytest

from clearway.access import audience, marking
from clearway.access.marking import GREEN_AUD
from clearway.directives import load
from clearway.exposure.fleet import page_decide, rule, status
from clearway.exposure.fleet.report_rows import PROVIDER
from fleet_world import DAY, Fleet

DJANGO = "pkg:pypi/django@4.1"
SAYS = status.Decision(status="accepted", detail="words of the rule", until=DAY)


@pytest.fixture
def ruled(mine: Fleet) -> tuple[Fleet, int, int]:
    """A fleet with one exposure that everybody sees and a rule of its members has decided; both numbers."""
    mine.upload(web := mine.asset("web", day=DAY), DJANGO, owned=True)
    with mine.owner(DAY) as db:
        number, (exposure,) = rule.add(db, mine.org, "no django", rule.Match(name="django"), SAYS, expected=1)
    with mine.owner() as owner:
        owner.execute("update clearway.asset set aud = %s where asset = %s", (GREEN_AUD, web))
    return mine, exposure, number


def newest(fleet: Fleet, exposure: int, who: object = None) -> tuple[str, str, int | None, bool]:
    with fleet.acting(who) as db:
        said = status.said(db, exposure)[0]
    return said.status, said.detail, said.rule, said.withheld


def test_a_decision_by_a_rule_has_its_words_for_who_sees_the_rule(ruled: tuple[Fleet, int, int]) -> None:
    fleet, exposure, number = ruled
    stranger = fleet.another().operator
    assert newest(fleet, exposure) == ("accepted", "words of the rule", number, False)
    assert newest(fleet, exposure, stranger) == ("accepted", "", number, True)
    with fleet.owner() as owner:  # as it was kept before
        owner.execute("update clearway.decision set detail = 'kept earlier' where rule = %s", (number,))
    assert newest(fleet, exposure) == ("accepted", "words of the rule", number, False)
    assert newest(fleet, exposure, stranger) == ("accepted", "", number, True)


def test_what_a_rule_has_decided_is_its_word_again_when_a_persons_is_taken_back(
    ruled: tuple[Fleet, int, int],
) -> None:
    fleet, exposure, number = ruled
    with fleet.acting() as db:
        changed = status.decide(db, [exposure], status.Decision(status="mitigated", detail="by hand"))
        batch = page_decide.batch_of(db, changed)
    with fleet.acting() as db:
        assert page_decide.take_back(db, batch) == (exposure,)
    assert newest(fleet, exposure) == ("accepted", "words of the rule", number, False)
    assert newest(fleet, exposure, fleet.another().operator) == ("accepted", "", number, True)
    with fleet.owner() as owner:
        told = owner.execute(
            "select string_agg(body::text, ' ') from clearway.event where kind = 'exposure.decided'"
        ).fetchone()
    assert told is not None
    assert "by hand" in told[0]
    assert "words of the rule" not in told[0]


def test_a_report_has_the_words_of_a_rule_that_every_member_sees_and_of_no_other(
    ruled: tuple[Fleet, int, int],
) -> None:
    fleet, _, number = ruled

    def reason() -> str:
        with fleet.acting() as db:
            (row,) = PROVIDER.rows(db, fleet.org, load("bod-26-04"), DAY, since=DAY)
        return row.status_reason

    assert reason() == "words of the rule"
    with fleet.owner() as owner:
        aud = audience.of(owner, marking.own(fleet.another().org))
        owner.execute("update clearway.fleet_rule set aud = %s where rule = %s", (aud, number))
    assert reason() == ""
