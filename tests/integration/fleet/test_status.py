"""What an organisation says of its exposures: closed words, kept through what comes after, one at a time or many."""

from __future__ import annotations

from datetime import date

import pytest

from clearway.directives import load
from clearway.exposure.fleet import follow, rule, status
from clearway.exposure.fleet.report_rows import PROVIDER
from clearway.exposure.fleet.wanted import Filter
from clearway.records.errors import ConflictError, InputError
from fleet_world import DAY, Fleet

ALL = ("pkg:pypi/django@4.1", "pkg:pypi/flask@2.0", "pkg:pypi/attrs@23.1", "pkg:pypi/idna@3.6")
NOT = status.Decision(status="not_affected", justification="vulnerable_code_not_present")


@pytest.mark.parametrize(
    ("words", "wrong"),
    [
        ({"status": "ignored"}, "no status"),
        ({"status": "not_affected"}, "needs a justification"),
        ({"status": "not_affected", "justification": "because"}, "needs a justification"),
        ({"status": "open", "justification": "component_not_present"}, "only not_affected"),
        ({"status": "accepted", "detail": "x"}, "until when"),
        ({"status": "accepted", "until": DAY}, "what reason"),
        ({"status": "fixed", "until": DAY}, "can end"),
        ({"status": "open", "detail": "x" * 4_001}, "longer"),
    ],
)
def test_a_status_has_what_it_needs(words: dict[str, object], wrong: str) -> None:
    with pytest.raises(InputError, match=wrong):
        status.Decision(**words)  # type: ignore[arg-type]


def test_a_decision_is_one_organisations_and_says_who_and_why(mine: Fleet) -> None:
    taken = mine.upload(mine.asset("web"), *ALL)
    stranger = mine.another().operator
    with mine.acting(stranger) as db:
        assert status.decide(db, taken.appeared, NOT) == ()
    with mine.acting() as db:
        assert status.decide(db, taken.appeared[:1], NOT) == taken.appeared[:1]
        (said,) = status.said(db, taken.appeared[0])
    assert (said.status, said.justification, said.person) == (
        "not_affected", "vulnerable_code_not_present", mine.operator.person,
    )  # fmt: skip
    acts = mine.world.sql(
        "select act, subject from clearway.log_entry where actor = %s and act = 'exposure.decided'",
        mine.operator.person,
    )
    assert acts == [("exposure.decided", f"exposure/{taken.appeared[0]}")]


def test_a_decision_about_a_version_ends_with_it_and_one_about_any_version_stays(mine: Fleet) -> None:
    web = mine.asset("web")
    mine.upload(web, "pkg:pypi/django@4.0", "pkg:pypi/flask@2.0")
    by_flaw = {x.flaw: x.exposure for x in mine.lines()}
    with mine.acting() as db:
        status.decide(db, [by_flaw["CVE-2026-0001"]], NOT)
        any_version = status.Decision(
            status="not_affected", justification="vulnerable_code_not_present", any_version=True
        )
        status.decide(db, [by_flaw["CVE-2026-0002"]], any_version)
    mine.upload(web, "pkg:pypi/django@4.1", "pkg:pypi/flask@2.1")
    assert {x.flaw: x.status for x in mine.lines()} == {
        "CVE-2026-0001": "open",
        "CVE-2026-0002": "not_affected",
    }


def test_a_decision_outlives_an_inventory_without_the_component(mine: Fleet) -> None:
    web = mine.asset("web")
    taken = mine.upload(web, "pkg:pypi/django@4.1")
    with mine.acting() as db:
        status.decide(db, taken.appeared, NOT)
    mine.upload(web, "pkg:pypi/flask@3.1")
    mine.upload(web, "pkg:pypi/django@4.1", "pkg:pypi/flask@3.1")
    (line,) = mine.lines()
    assert (line.exposure, line.status) == (taken.appeared[0], "not_affected")


def test_what_was_said_to_be_fixed_and_is_seen_again_is_open(mine: Fleet) -> None:
    web = mine.asset("web")
    taken = mine.upload(web, "pkg:pypi/django@4.1")
    with mine.acting() as db:
        status.decide(db, taken.appeared, status.Decision(status="fixed"))
    assert mine.lines()[0].status == "fixed"
    mine.upload(web, "pkg:pypi/django@4.1", "pkg:pypi/attrs@24.2", witness="trivy")
    (line,) = mine.lines()
    assert line.status == "open"
    with mine.acting() as db:
        assert status.said(db, line.exposure)[0].ended_why == "still seen by trivy"


def test_what_was_said_to_be_fixed_had_gone_and_is_seen_again_is_open(mine: Fleet) -> None:
    web = mine.asset("web")
    taken = mine.upload(web, "pkg:pypi/django@4.1")
    with mine.acting() as db:
        status.decide(db, taken.appeared, status.Decision(status="fixed"))
    mine.upload(web, "pkg:pypi/idna@3.8")
    assert mine.lines() == ()
    mine.upload(web, "pkg:pypi/django@4.1", "pkg:pypi/idna@3.8")
    (line,) = mine.lines()
    assert (line.exposure, line.status) == (taken.appeared[0], "open")
    with mine.acting() as db:
        assert status.said(db, line.exposure)[0].ended_why == "still seen by syft"


def test_an_acceptance_ends_with_its_day(mine: Fleet) -> None:
    taken = mine.upload(mine.asset("web"), "pkg:pypi/django@4.1")
    until = status.Decision(status="accepted", detail="replaced next month", until=date(2026, 11, 30))
    with mine.acting() as db:
        status.decide(db, taken.appeared, until)
    for day, word in ((30, "accepted"), (1, "open")):
        with mine.owner() as owner:
            follow.tick(owner, date(2026, 11 if day == 30 else 12, day))
        assert mine.lines()[0].status == word


def test_a_report_of_a_day_after_an_acceptance_says_open_since_the_day_after_its_last(mine: Fleet) -> None:
    web = mine.asset("web", day=DAY)
    taken = mine.upload(web, "pkg:pypi/django@4.1", owned=True)
    last = date(2026, 11, 30)
    with mine.owner(DAY) as db:
        status.decide(
            db, taken.appeared, status.Decision(status="accepted", detail="replaced then", until=last)
        )
    told = []
    for day in (last, date(2026, 12, 1), date(2026, 12, 9)):
        with mine.acting() as db:
            told += list(PROVIDER.rows(db, mine.org, load("bod-26-04"), day, since=DAY))
    assert [r.status for r in told] == ["accepted", "open", "open"]
    assert [r.status_since for r in told[1:]] == [date(2026, 12, 1)] * 2


def test_a_bulk_act_does_what_its_preview_said_or_nothing(mine: Fleet) -> None:
    for name in ("web", "mail"):
        mine.upload(mine.asset(name), *ALL)
    wanted = Filter(org=mine.org, flaw="CVE-2026-0001")
    with mine.acting() as db:
        seen = status.preview(db, wanted)
        assert (seen.total, seen.exact, seen.facets["status"]) == (2, True, {"open": 2})
        with pytest.raises(ConflictError, match="2 exposures now, not 1"):
            status.decide_where(db, wanted, NOT, expected=1)
        assert len(status.decide_where(db, wanted, NOT, expected=2)) == 2
    assert sorted(x.status for x in mine.lines()) == ["not_affected"] * 2 + ["open"] * 6


def test_a_rule_decides_what_is_there_and_what_comes_and_says_beforehand_how_much(mine: Fleet) -> None:
    mine.upload(mine.asset("web-1", environment="development"), *ALL)
    mine.upload(mine.asset("web-2", environment="production"), *ALL)
    matches = rule.Match(name="dj*", environment="development")
    with mine.acting() as db:
        before = rule.dry_run(db, mine.org, matches)
        assert before.total == 1
        number, changed = rule.add(db, mine.org, "development", matches, NOT, expected=1)
        assert len(changed) == 1
    taken = mine.upload(mine.asset("web-3", environment="development"), *ALL)
    by = {(x.asset_name, x.flaw): x.status for x in mine.lines()}
    assert by["web-1", "CVE-2026-0001"] == by["web-3", "CVE-2026-0001"] == "not_affected"
    assert by["web-2", "CVE-2026-0001"] == by["web-3", "CVE-2026-0002"] == "open"
    with mine.acting() as db:
        rule.end(db, number, 1)
        assert rule.every(db, [mine.org]) == ()
    mine.upload(mine.asset("web-4", environment="development"), *ALL)
    assert {x.status for x in mine.lines(asset_name="web-4")} == {"open"}
    assert taken.appeared


def test_a_rule_about_everything_is_refused() -> None:
    with pytest.raises(InputError, match="everything"):
        rule.Match(environment="development")
    with pytest.raises(InputError, match="everything"):
        rule.Match(name="*")
