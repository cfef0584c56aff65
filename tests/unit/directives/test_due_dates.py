"""The clock: calendar days, both starts, a change of tier, replay, wording, and the judge."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from clearway.directives import Fact, Facts, Judge, decide, from_records, load, timeline, word
from clearway.directives.clock import add_days, add_months
from clearway.directives.facts import utc_day
from clearway.records.advisory import Kev, Ssvc
from clearway.records.errors import InputError, UsageError

BOD = load("bod-26-04")
OLD = load("bod-22-01")
TODAY = date(2026, 12, 10)
CVE = "CVE-2026-20253"
TOTAL = Ssvc(cve=CVE, automatable="yes", technical_impact="total", dated="2026-06-01T10:00:00Z")


def kev(added: str, due: str = "") -> Kev:
    return Kev(
        cve=CVE, date_added=date.fromisoformat(added), due_date=date.fromisoformat(due) if due else None
    )


def facts(
    *, exposed: str = "yes", kev: Kev | None = None, detected: str = "", ssvc: Ssvc | None = TOTAL
) -> Facts:
    return from_records(
        cve=CVE,
        kev=kev,
        kev_loaded=True,
        ssvc=ssvc,
        exposed=exposed,
        detected=date.fromisoformat(detected) if detected else None,
    )


@pytest.mark.parametrize(
    ("start", "days", "due"),
    [
        pytest.param("2026-12-07", 3, "2026-12-10", id="days are calendar days"),
        pytest.param("2026-12-04", 3, "2026-12-07", id="a weekend counts"),
        pytest.param("2026-12-18", 14, "2027-01-01", id="a holiday and the year's end count"),
        pytest.param("2028-02-26", 3, "2028-02-29", id="a leap day"),
        pytest.param("2027-02-26", 3, "2027-03-01", id="no leap day"),
        pytest.param("2028-01-01", 60, "2028-03-01", id="60 days over a leap February"),
        pytest.param("2027-01-01", 60, "2027-03-02", id="60 days over a common February"),
    ],
)
def test_counting(start: str, days: int, due: str) -> None:
    assert add_days(date.fromisoformat(start), days) == date.fromisoformat(due)


def test_six_months_keep_the_day_or_take_the_months_last() -> None:
    assert add_months(date(2021, 11, 3), 6) == date(2022, 5, 3)
    assert add_months(date(2021, 8, 31), 6) == date(2022, 2, 28)
    assert add_months(date(2023, 8, 31), 6) == date(2024, 2, 29)
    assert add_months(date(2021, 6, 30), 6) == date(2021, 12, 30)
    assert add_months(date(9999, 6, 30), 6) == date(9999, 12, 30)


def test_a_date_beyond_the_calendar_is_bad_input_and_not_an_overflow() -> None:
    with pytest.raises(InputError, match="beyond the calendar"):
        add_months(date(9999, 7, 1), 6)
    with pytest.raises(InputError, match="beyond the calendar"):
        timeline(BOD, facts(detected="9999-12-30"), as_of=date.max)


@pytest.mark.parametrize(
    ("added", "detected", "start", "due"),
    [
        pytest.param("2026-06-18", "", "2026-06-18", "2026-06-21", id="KEV alone: CISA's own date for it"),
        pytest.param(
            "2026-06-18", "2026-07-01", "2026-06-18", "2026-06-21", id="detected later: KEV is earlier"
        ),
        pytest.param(
            "2026-06-18", "2026-06-11", "2026-06-11", "2026-06-14", id="detected earlier: detection"
        ),
        pytest.param("", "2026-12-07", "2026-12-07", "2026-12-10", id="not listed: detection"),
    ],
)
def test_the_clock_starts_at_the_earlier(added: str, detected: str, start: str, due: str) -> None:
    tier = timeline(BOD, facts(kev=kev(added) if added else None, detected=detected), as_of=TODAY).current
    assert (str(tier.start), str(tier.due)) == (start, due)


def test_nothing_detected_and_not_listed_has_no_date() -> None:
    tier = timeline(BOD, facts(), as_of=TODAY).current
    assert (tier.start, tier.due, tier.decision.code) == (None, None, "3D")
    assert "nothing has started the clock" in tier.reasons


def test_fix_on_system_upgrade_has_no_date() -> None:
    ssvc = Ssvc(cve=CVE, automatable="no", technical_impact="total", dated="2026-06-01")
    tier = timeline(BOD, facts(exposed="no", detected="2026-12-07", ssvc=ssvc), as_of=TODAY).current
    assert (tier.decision.code, tier.due) == ("FSU", None)


def test_kev_addition_after_detection_under_both_re_tiering_rules() -> None:
    ssvc = Ssvc(cve=CVE, automatable="no", technical_impact="total", dated="2026-06-01")
    known = facts(exposed="yes", kev=kev("2026-08-24"), detected="2026-07-01", ssvc=ssvc)
    literal = timeline(BOD, known, as_of=TODAY)
    restart = timeline(BOD, known, retier="restart_at_tier_change", as_of=TODAY)
    assert [(str(t.since), t.decision.code, str(t.due)) for t in literal.tiers] == [
        ("2026-07-01", "14D", "2026-07-15"),
        ("2026-08-24", "3DF", "2026-07-04"),
    ]
    assert [(str(t.since), t.decision.code, str(t.due)) for t in restart.tiers] == [
        ("2026-07-01", "14D", "2026-07-15"),
        ("2026-08-24", "3DF", "2026-08-27"),
    ]
    assert "the tier before, 14D, was due 2026-07-15" in restart.current.reasons
    for line in (literal, restart):
        assert (line.current.kev_added, line.current.detected) == (date(2026, 8, 24), date(2026, 7, 1))


def test_taking_an_asset_off_the_internet_lengthens_the_tier() -> None:
    known = facts(exposed="yes", detected="2026-07-01")
    moved = Facts(
        cve=CVE,
        changes=(*known.changes, Fact(point="exposed", value="no", dated=date(2026, 7, 3))),
        detected=known.detected,
    )
    line = timeline(BOD, moved, as_of=TODAY)
    assert [(t.decision.code, str(t.due)) for t in line.tiers] == [
        ("3D", "2026-07-04"),
        ("60D", "2026-08-30"),
    ]
    restarted = timeline(BOD, moved, retier="restart_at_tier_change", as_of=TODAY).current
    assert (str(restarted.start), str(restarted.due)) == ("2026-07-03", "2026-09-01")


def test_a_removal_from_kev_takes_its_start_away() -> None:
    known = facts(kev=kev("2026-06-18"), detected="2026-07-01")
    removed = Facts(
        cve=CVE,
        changes=(*known.changes, Fact(point="kev", value="no", dated=date(2026, 8, 1))),
        detected=known.detected,
    )
    tier = timeline(BOD, removed, as_of=TODAY).current
    assert (tier.start, tier.decision.code) == (date(2026, 7, 1), "3D")


def test_a_date_before_the_directive_itself_is_said() -> None:
    tier = timeline(BOD, facts(kev=kev("2021-11-03")), as_of=TODAY).current
    assert str(tier.due) == "2021-11-06"
    assert "that is before BOD 26-04 itself (2026-06-10)" in tier.reasons


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2024-06-03T23:30:00Z", date(2024, 6, 3)),
        ("2024-06-03T23:30:00-04:00", date(2024, 6, 4)),
        ("2024-06-03T12:00:00.123456", date(2024, 6, 3)),
        ("2024-06-03", date(2024, 6, 3)),
        ("", None),
        ("yesterday", None),
        ("0001-01-01T00:00:00+14:00", None),
    ],
)
def test_a_days_zone_is_utc(text: str, day: date | None) -> None:
    assert utc_day(text) == day


@pytest.mark.parametrize(
    ("standing", "sentence"),
    [
        ("binding", "Due 2026-12-10 under BOD 26-04, row 5"),
        ("adopted", "Due 2026-12-10 under BOD 26-04, row 5, which you have adopted"),
        ("advisory", "CISA's BOD 26-04 would give 2026-12-10, row 5; advice for you"),
    ],
)
def test_a_date_is_worded_by_what_the_directive_is_to_the_organisation(standing: str, sentence: str) -> None:
    judge = Judge(BOD, "", standing, "public", date(2026, 12, 7), TODAY)
    assert judge.due(CVE, None, True, TOTAL).wording == sentence


def test_wording_without_a_date() -> None:
    values = {"exposed": "no", "kev": "no", "automatable": "no", "impact": "total"}
    upgrade = decide(BOD, {point: Fact(point=point, value=value) for point, value in values.items()})
    assert word(BOD, upgrade, None, "binding") == "No date: fix on system upgrade under BOD 26-04, row 15"
    assert word(BOD, upgrade, None, "advisory").endswith("fix on system upgrade, row 15; advice for you")
    assert word(BOD, decide(BOD, {}, cve=""), None, "binding") == "Out of scope of BOD 26-04: no CVE id"
    waiting = decide(BOD, {"kev": Fact(point="kev", value="yes")})
    assert "nothing has started the clock" in word(BOD, waiting, None, "binding")


def test_the_judge_says_when_the_detection_date_is_only_assumed() -> None:
    told = Judge(BOD, exposure="public", detected=date(2026, 12, 1), as_of=TODAY).due(CVE, None, True, TOTAL)
    assumed = Judge(BOD, exposure="public", as_of=TODAY).due(CVE, None, True, TOTAL)
    assert str(told.due) == "2026-12-04"
    assert str(assumed.due) == "2026-12-13"
    assert any("taken as today" in reason for reason in assumed.reasons)
    assert not any("taken as today" in reason for reason in told.reasons)


def test_the_judge_ignores_what_was_published_after_the_day_asked_about() -> None:
    before = Judge(BOD, exposure="public", as_of=date(2026, 5, 31))
    late = before.due(CVE, kev("2026-06-18"), True, TOTAL)
    bare = before.due(CVE, None, True, None)
    assert (
        (late.due, late.tier, late.basis)
        == (bare.due, bare.tier, bare.basis)
        == (date(2026, 7, 30), "60D", "defaulted")
    )
    assert "BOD 26-04 was issued on 2026-06-10, after 2026-05-31" in late.reasons


def test_the_judge_never_takes_not_loaded_for_not_listed() -> None:
    judge = Judge(BOD, exposure="public", as_of=TODAY)
    absent = judge.due(CVE, None, False, None)
    unlisted = judge.due(CVE, None, True, None)
    assert (unlisted.tier, unlisted.basis) == ("60D", "defaulted")
    assert (absent.tier, absent.basis) == ("3DF", "strictest+kev_not_loaded")
    no_ssvc = Judge(BOD, exposure="public", as_of=TODAY, ssvc_loaded=False).due(CVE, None, True, None)
    assert no_ssvc.basis == "strictest+automatable_not_loaded+impact_not_loaded"


def test_the_judge_has_no_date_for_a_finding_without_a_cve() -> None:
    answer = Judge(BOD, exposure="public", as_of=TODAY).due("", kev("2026-06-18"), True, TOTAL)
    assert (answer.due, answer.tier, answer.start) == (None, "out_of_scope", None)


def test_the_judge_refuses_what_it_cannot_answer() -> None:
    for bad in (
        {"exposure": "partly"},
        {"standing": "optional"},
        {"policy": "cisa_90d"},
        {"retier": "never"},
        {"detected": TODAY + timedelta(days=1)},
        {"as_of": None},
    ):
        with pytest.raises(UsageError):
            Judge(BOD, **({"as_of": TODAY} | bad))  # type: ignore[arg-type]


def test_bod_22_01_takes_the_catalogues_date_and_falls_back_on_its_own_terms() -> None:
    judge = Judge(OLD, "", "binding", "unknown", None, date(2026, 1, 1))
    printed = judge.due("CVE-2021-44228", kev("2021-12-10", "2021-12-24"), True, None)
    new = judge.due("CVE-2021-44228", kev("2021-12-10"), True, None)
    old = judge.due("CVE-2020-29583", kev("2021-11-03"), True, None)
    assert (str(printed.due), str(new.due), str(old.due)) == ("2021-12-24", "2021-12-24", "2022-05-03")
    unlisted = judge.due("CVE-2021-44228", None, True, None)
    assert (unlisted.due, unlisted.tier, unlisted.basis) == (None, "not_listed", "published")
    absent = judge.due("CVE-2021-44228", None, False, None)
    assert (absent.due, absent.basis) == (None, "strictest+kev_not_loaded")


def test_bod_22_01_says_that_it_is_revoked() -> None:
    answer = Judge(OLD, as_of=TODAY).due("CVE-2021-44228", kev("2021-12-10"), True, None)
    assert answer.reasons[-1] == "BOD 22-01 was revoked on 2026-06-10 by bod-26-04"


@pytest.mark.parametrize("added", ["2021-12-10", "2026-06-09", "2026-06-10", "2026-08-01"])
def test_nothing_is_due_under_bod_22_01_from_the_day_on_which_it_was_revoked(added: str) -> None:
    entry = kev(added, "2026-12-24")
    for day, due in (("2026-06-09", added <= "2026-06-09"), ("2026-06-10", False), ("2026-12-31", False)):
        answer = Judge(OLD, standing="binding", as_of=date.fromisoformat(day)).due(
            "CVE-2021-44228", entry, True, None
        )
        assert (answer.due is not None) is due
        if day >= "2026-06-10":
            assert (answer.due, answer.tier, answer.basis) == (None, "out_of_scope", "revoked")
            assert ("until then 14D was due 2026-12-24" in answer.reasons) is (added <= "2026-06-09")


def test_what_was_due_under_a_revoked_directive_stays_in_the_timeline() -> None:
    facts = from_records(
        cve="CVE-2021-44228", kev=kev("2021-12-10", "2021-12-24"), kev_loaded=True, ssvc=None
    )
    before = timeline(OLD, facts, as_of=date(2026, 6, 9))
    after = timeline(OLD, facts, as_of=TODAY)
    assert after.tiers[:-1] == before.tiers
    assert str(before.current.due) == "2021-12-24"
    assert (str(after.current.since), after.current.due, after.current.start) == ("2026-06-10", None, None)
