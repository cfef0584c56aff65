"""The embargo's clock, a report's course, and the places of a list, as pages tell them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearway.findings.case import clock, escalate, rank
from clearway.findings.case.kept import Acted
from clearway.findings.case.pages_parts import start
from clearway.findings.case.view import CaseView, Line
from clearway.findings.intake import course
from clearway.findings.intake.gates import Gate
from clearway.findings.intake.view import FindingView
from clearway.findings.validate import pages_log

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
CASE = CaseView(
    handling="CWC-7Q4K-9M2X", title="Overflow", ecosystem="PyPI", package="example", purl="", embargo="active",
    public="pxa", until=datetime(2026, 12, 4, 16, tzinfo=UTC), zone="Europe/Paris", ends=None, ended=None,
    on_exploitation=False, listed=(), frozen="",
    unviable="", orphan="", cve="", cve_state="", cve_problem="", released=None, published=None, closed=None,
    opened=NOW - timedelta(days=9), changed=NOW, desk=True, findings=(), assets=(), more_assets=False, parties=(),
    proposal=None, threads=(),
    drafts=(), history=(), version=1,
)  # fmt: skip
FINDING = FindingView(
    handling="CWF-7Q4K-9M2X", organisation="lab", live=True, state="queued", state_why="", level=0, level_why="",
    title="Overflow", ecosystem="PyPI", package="example", release="1", purl="", place="", cwe="", severity="",
    publishes=None, format="mail", sha256="", part="", received=NOW, changed=NOW, gates=(), missing=(), files=(),
)  # fmt: skip


def case(**facts: object) -> CaseView:
    return msgspec.structs.replace(CASE, **facts)  # type: ignore[arg-type]


def stages(**facts: object) -> list[tuple[str, str]]:
    one = msgspec.structs.replace(FINDING, **facts)  # type: ignore[arg-type]
    return [(step.name, step.stage) for step in course.steps(one, None)]


def test_the_clock_tells_the_zone_in_which_the_day_was_agreed_and_how_far_it_is() -> None:
    told = clock.of(CASE, NOW)
    assert told.local == "Fri 4 Dec 2026, 17:00 Europe/Paris"
    assert told.left == "11 d 4 h"
    assert (told.over, told.armed, told.ended) == (False, False, False)
    assert clock.of(CASE, NOW + timedelta(days=12)).over
    assert clock.of(case(ends=CASE.until), NOW).armed
    assert clock.of(case(until=None), NOW).left == ""
    assert not clock.of(CASE, NOW).ended
    assert clock.of(case(ended=NOW), NOW).ended, "though the case does not follow it yet"


def test_a_zone_that_this_machine_does_not_have_is_told_in_utc() -> None:
    assert clock.of(case(zone="../etc/passwd"), NOW).local == "Fri 4 Dec 2026, 16:00 UTC"


@pytest.mark.parametrize(
    ("span", "words"),
    [
        (timedelta(days=2), "2 d"),
        (timedelta(days=1, hours=1, minutes=59), "1 d 1 h"),
        (timedelta(hours=3, minutes=59), "3 h"),
        (timedelta(minutes=12), "12 min"),
        (timedelta(minutes=-90), "1 h"),
    ],
)
def test_a_span_is_told_in_days_and_hours(span: timedelta, words: str) -> None:
    assert clock.left(span) == words


def test_the_course_is_a_plot_whose_table_says_the_same() -> None:
    line = Line(
        id=1, role="vendor", organisation="v", name="<b>Vendor", by_mail=False, report="received", vendor="Vfd",
        answer="fixed", answer_why="", waits="", asked=NOW - timedelta(days=8), answered=NOW - timedelta(days=1),
        step="", due="", stopped=False, mine=False, may=(),
    )  # fmt: skip
    acts = [
        Acted(party=None, machine="embargo", act="propose", was="none", now="proposed", why="",
              at=NOW - timedelta(days=5))
    ]  # fmt: skip
    drawn = clock.drawn(case(parties=(line,), history=tuple(acts)), NOW)
    assert drawn is not None
    assert [what for _, what in drawn.rows] == [
        "opened", "<b>Vendor is asked", "a day is proposed", "<b>Vendor: fixed", "today", "agreed to end",
    ]  # fmt: skip
    assert "<b>" not in drawn.svg


def test_a_case_of_one_day_has_no_course_to_draw() -> None:
    assert clock.drawn(case(opened=NOW, until=None), NOW) is None


@given(st.integers(0, 400))
def test_a_course_of_any_length_is_drawn(amount: int) -> None:
    acts = [
        Acted(party=None, machine="embargo", act="propose", was="none", now="proposed", why="",
              at=NOW - timedelta(hours=n))
        for n in range(amount)
    ]  # fmt: skip
    drawn = clock.drawn(case(history=tuple(acts)), NOW)
    assert drawn is not None
    rows = drawn.rows
    assert len(rows) <= clock.MOST_STEPS + 3
    assert {"opened", "today", "agreed to end"} <= {what for _, what in rows}


@pytest.mark.parametrize(
    ("facts", "told"),
    [
        ({"state": "incomplete", "missing": ("trace",)},
         [("Received", "done"), ("Complete", "now"), ("Validated", "open")]),
        ({"state": "queued"}, [("Received", "done"), ("Complete", "done"), ("Validated", "now")]),
        ({"state": "judged", "level": 3}, [("Received", "done"), ("Complete", "done"), ("Validated", "done")]),
        ({"state": "queued", "gates": (Gate(gate="turn", state="waits", what=""),)},
         [("Received", "done"), ("Complete", "now"), ("Validated", "now")]),
        ({"state": "withdrawn"}, [("Received", "done"), ("Withdrawn", "ended")]),
    ],
    ids=["something is missing", "waits for a trial", "was tried", "waits its turn", "taken back"],
)  # fmt: skip
def test_a_reporter_is_told_where_the_report_stands(
    facts: dict[str, object], told: list[tuple[str, str]]
) -> None:
    assert stages(**facts)[: len(told)] == told


def test_a_case_carries_the_course_on_to_what_is_published() -> None:
    of = course.CaseOf(
        handling="CWC-7Q4K-9M2X", opened=NOW, until=None, released=None, published=None, closed=None, cve=""
    )
    one = msgspec.structs.replace(FINDING, state="judged", level=2)
    assert [(s.name, s.stage) for s in course.steps(one, of)][-2:] == [
        ("In a case", "done"),
        ("Published", "now"),
    ]
    out = msgspec.structs.replace(of, published=NOW, cve="CVE-2026-1")
    assert course.steps(one, out)[-1].words == "CVE-2026-1"


@given(st.text(max_size=8), st.integers(0, 1_000))
def test_a_page_begins_within_its_list(typed: str, size: int) -> None:
    assert start(typed, size) in range(max(1, size))
    assert pages_log.start(typed, size) in range(max(1, size))


@given(
    st.builds(
        rank.Facts, level=st.integers(0, 6), severity=st.sampled_from(["", "low", "high", "critical"]),
        cwe=st.sampled_from(["", "CWE-787", "CWE-79"]), received=st.just(NOW - timedelta(days=3)),
        missing=st.integers(0, 4), reporters=st.integers(1, 5), valid=st.integers(0, 9), invalid=st.integers(0, 9),
        case_open=st.booleans(),
    )
)  # fmt: skip
def test_a_rank_is_the_sum_of_the_reasons_that_are_shown(facts: rank.Facts) -> None:
    found = rank.rank(facts, NOW)
    assert found.points == sum(reason.points for reason in found.reasons) == rank.points(facts, NOW)
    for reason in found.reasons:
        assert f"{reason.points:+d}" in found.why
        assert not {"{", "}"} & set(reason.words)


ASKED = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("day", "taken", "reminded", "due"),
    [
        (6, "", None, ""),
        (7, "", None, "remind"),
        (20, "", None, "remind"),
        (45, "", None, "remind"),
        (400, "", None, "remind"),
        (45, "remind", 44, "escalate"),
        (50, "escalate", 44, ""),
        (51, "remind", 44, "unreachable"),
        (45, "escalate", 7, "unreachable"),
        (45, "escalate", None, "unreachable"),
        (400, "unreachable", 7, ""),
    ],
)
def test_nobody_is_unreachable_who_was_not_reminded_a_week_before(
    day: int, taken: escalate.Step, reminded: int | None, due: str
) -> None:
    one = escalate.Standing(
        role="vendor",
        answer="no-answer",
        asked=ASKED,
        taken=taken,
        reminded=None if reminded is None else ASKED + timedelta(days=reminded),
    )
    assert escalate.due(one, ASKED + timedelta(days=day)) == due
