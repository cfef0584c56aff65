"""The forensic triage: targets, order, custody, flags, conclusion and the printed report."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from clearway.directives.reports.remediation import as_json
from clearway.directives.triage import (
    Concluded,
    Event,
    EvidenceMoved,
    IncidentReported,
    Patched,
    Reopened,
    StepDone,
    StepSkipped,
    StepStarted,
    apply,
    flagged,
    fold,
    new,
)
from clearway.directives.triage_report import triage_report, triage_text
from clearway.records.errors import ConflictError, InputError
from published import validated
from triage_told import KEV, STEPS, SUBJECT, at, book, concluded, done, hash_of, patched, taken

HASH, OTHER = hash_of("E1"), "b" * 64
WHOLE: tuple[Event, ...] = (
    done("scope", 1), taken("E1", 3), done("collect", 20), patched(21), done("patch", 22), done("contain", 23),
    done("analyse", 47), concluded(),
)  # fmt: skip


def test_the_targets_are_hours_from_the_addition_to_kev() -> None:
    found = [
        (s.id, (s.earliest - KEV).total_seconds() / 3600, (s.target - KEV).total_seconds() / 3600)
        for s in book().steps
    ]
    assert found == [
        ("scope", 0, 2),
        ("collect", 2, 24),
        ("patch", 2, 24),
        ("contain", 6, 24),
        ("analyse", 24, 48),
        ("decide", 48, 72),
    ]


def test_a_triage_in_time_and_order_has_no_flags() -> None:
    found = book(*WHOLE)
    assert (found.flags, found.conclusion, found.concluded_by) == ((), "none", "ann")
    assert all(step.state == "done" and not step.late for step in found.steps)


@pytest.mark.parametrize(
    ("events", "flag"),
    [
        pytest.param([patched(3), taken("E1", 4)], "before the first volatile evidence", id="patched first"),
        pytest.param([patched(3)], "no volatile evidence was taken", id="nothing was taken"),
        pytest.param(
            [patched(3), taken("E1", 2, volatile=False)], "no volatile evidence was taken", id="only a disk"
        ),
        pytest.param(
            [taken("E1", 4), patched(3)], "before the first volatile evidence", id="told in another order"
        ),
    ],
)
def test_a_patch_before_volatile_evidence_is_flagged_first(events: list[Event], flag: str) -> None:
    assert flag in book(*events, hours=5).flags[0]


def test_what_is_told_after_the_patch_under_an_earlier_time_takes_no_flag_back() -> None:
    flagged_ = book(patched(1), taken("E1", 3), hours=5).flags[0]
    assert "before the first volatile evidence" in flagged_
    after = book(patched(1), taken("E1", 3), taken("E2", 0.2, sha256=OTHER), hours=5)
    assert "recorded only after the patch" in after.flags[0]
    assert "1 recorded after what happened later" in after.flags[-1]


def test_evidence_of_the_same_instant_as_the_patch_is_not_after_it() -> None:
    made = book(taken("E1", 3), patched(3), hours=5)
    assert not any(f.startswith("patched") for f in made.flags)
    assert not made.patched_first


def test_a_step_is_late_when_done_or_still_open_after_its_target() -> None:
    open_ = book(hours=2.5)
    assert [s.id for s in open_.steps if s.late] == ["scope"]
    assert [s.id for s in book(done("scope", 2), hours=10).steps if s.late] == []
    assert [s.id for s in book(done("scope", 3), hours=10).steps if s.late] == ["scope"]
    skipped = StepSkipped(at=at(9), by="ann", step="scope", reason="one asset")
    assert [s.id for s in book(skipped, hours=10).steps if s.late] == []
    assert book(hours=2.5).flags == ("Scope: after its target of 2026-12-07 02:00 UTC",)


def test_custody_goes_from_hand_to_hand_and_a_changed_hash_is_flagged() -> None:
    moved = EvidenceMoved(at=at(5), by="ann", evidence="E1", to="bob", place="lab", sha256=HASH)
    spoilt = EvidenceMoved(at=at(6), by="bob", evidence="E1", to="eve", place="lab", sha256=OTHER)
    found = book(taken("E1", 3), moved, spoilt, hours=7).evidence[0]
    assert [(c.holder, c.intact) for c in found.custody] == [("ann", True), ("bob", True), ("eve", False)]
    assert "evidence E1: its hash changed in custody" in book(taken("E1", 3), moved, spoilt, hours=7).flags
    with pytest.raises(ConflictError, match="in the hands of bob"):
        book(
            taken("E1", 3),
            moved,
            EvidenceMoved(at=at(6), by="ann", evidence="E1", to="x", place="y", sha256=HASH),
        )
    with pytest.raises(ConflictError, match="before ann had it"):
        book(taken("E1", 3), EvidenceMoved(at=at(2), by="ann", evidence="E1", to="x", place="y", sha256=HASH))


@pytest.mark.parametrize(
    ("events", "message"),
    [
        pytest.param([done("scope", 1), done("scope", 2)], "is done already", id="a step twice"),
        pytest.param(
            [StepStarted(at=at(1), by="a", step="scope")] * 2, "is started already", id="started twice"
        ),
        pytest.param([taken("E1", 3), taken("E1", 4)], "there already", id="evidence twice"),
        pytest.param([patched(3), patched(4)], "patched already", id="patched twice"),
        pytest.param([*WHOLE, patched(75)], "concluded: none", id="an event after the conclusion"),
        pytest.param([concluded()], "steps not done: scope, collect", id="a conclusion out of nothing"),
        pytest.param([Reopened(at=at(1), by="a", reason="b")], "not concluded", id="reopened while open"),
    ],
)
def test_an_event_that_does_not_fit_is_refused(events: list[Event], message: str) -> None:
    with pytest.raises(ConflictError, match=message):
        book(*events)


@pytest.mark.parametrize(
    "event",
    [
        pytest.param(taken("E1", 3, sha256="A" * 64), id="upper case"),
        pytest.param(taken("E1", 3, sha256="a" * 63), id="too short"),
        pytest.param(taken("E1", 3, size_bytes=-1), id="less than nothing"),
        pytest.param(taken("E1", 3, place=" "), id="no place"),
        pytest.param(taken("E1", 3, what="x" * 10_001), id="a novel"),
        pytest.param(Patched(at=datetime(2026, 12, 7), by="ann", what="x"), id="no offset"),
        pytest.param(done("party", 1), id="no such step"),
        pytest.param(taken("E1", 3, what="a\0b"), id="NUL"),
        pytest.param(taken("E1", 3, what="\ud800"), id="half a character"),
        pytest.param(
            Patched(at=datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14))), by="a", what="x"), id="year 1"
        ),
    ],
)
def test_a_bad_value_is_refused(event: Event) -> None:
    with pytest.raises(InputError):
        book(event)


def test_reopened_it_goes_on_and_confirmed_needs_an_incident_report() -> None:
    again = (*WHOLE, Reopened(at=at(80), by="ann", reason="new signs"), concluded("confirmed", 90))
    found = book(*again, hours=91)
    assert found.conclusion == "confirmed"
    assert "confirmed, and no incident report is recorded" in found.flags
    reported = book(*again, IncidentReported(at=at(91), by="ann", reference="INC-1"), hours=92)
    assert (reported.incident, [f for f in reported.flags if "incident" in f]) == ("INC-1", [])
    assert book(*WHOLE, Reopened(at=at(80), by="ann", reason="x")).conclusion is None


def test_a_conclusion_without_evidence_is_flagged() -> None:
    skipped = [StepSkipped(at=at(1), by="a", step=s.id, reason="gone") for s in STEPS if s.id != "decide"]
    assert "concluded without any evidence" in book(*skipped, concluded()).flags


def test_a_start_beyond_the_calendar_or_without_steps_is_refused() -> None:
    from msgspec.structs import replace

    with pytest.raises(InputError, match="beyond the calendar"):
        new(replace(SUBJECT, kev_added=datetime(9999, 12, 31, tzinfo=UTC)), STEPS)
    with pytest.raises(InputError, match="offset"):
        new(replace(SUBJECT, kev_added=datetime(2026, 12, 7)), STEPS)
    with pytest.raises(InputError, match="no steps"):
        new(SUBJECT, ())
    with pytest.raises(InputError, match="offset"):
        flagged(new(SUBJECT, STEPS), datetime(2026, 12, 7))


def test_the_report_is_by_its_schema_and_reads_on_paper() -> None:
    hostile = "\x1b[31m" + "long " * 100
    found = book(
        patched(2), taken("E1", 3, what=hostile),
        EvidenceMoved(at=at(5), by="ann", evidence="E1", to="bob", place="lab", sha256=OTHER),
        *(e for e in WHOLE if isinstance(e, (StepDone, Concluded))),
        IncidentReported(at=at(71), by="a", reference="R-1"),
    )  # fmt: skip
    made = triage_report(found, at(71))
    validated("directive-triage", as_json(made))
    text = triage_text(made)
    assert "\x1b" not in text
    for words in (
        "no sign of compromise",
        "HASH CHANGED",
        "! patched 2026-12-07 02:00 UTC, before",
        "R-1",
        HASH,
    ):
        assert words in " ".join(text.split()), words
    assert "not decided yet" in triage_text(triage_report(book(), at(1)))


def test_events_may_be_told_late_and_the_last_instant_is_kept() -> None:
    assert apply(book(patched(9)), taken("E1", 3)).last == at(9)


def test_targets_that_had_passed_when_the_workbook_was_opened_are_said_once_and_are_not_flagged_one_by_one() -> (
    None
):
    opened = at(24 * 900)
    made = fold(SUBJECT, STEPS, [], now=opened + timedelta(hours=1), opened=opened)
    assert all(step.late and step.passed for step in made.steps)
    assert [f for f in made.flags if "target" in f] == [
        f"opened {opened:%Y-%m-%d %H:%M} UTC, after targets had passed: the hours count from the KEV entry"
    ]
    printed = triage_text(triage_report(made, opened))
    assert printed.count("late, passed before it was opened") == len(made.steps)


def test_a_target_that_passes_while_the_workbook_is_open_is_late() -> None:
    made = fold(SUBJECT, STEPS, [], now=at(1000), opened=at(0))
    assert all(step.late and not step.passed for step in made.steps)
    assert len([f for f in made.flags if ": after its target of " in f]) == len(made.steps)
