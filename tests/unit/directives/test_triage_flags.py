"""What weakens a triage is flagged however it was recorded: by an event, by a step, told late, opened again."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from clearway.directives.reports.remediation import as_json
from clearway.directives.triage import (
    Event,
    IncidentReported,
    Reopened,
    StepSkipped,
    StepStarted,
    Workbook,
    fold,
)
from clearway.directives.triage_flags import EMPTY
from clearway.directives.triage_patch import SeenPatch, Taken
from clearway.directives.triage_report import triage_report, triage_text
from published import validated
from triage_told import STEPS, SUBJECT, at, book, concluded, done, patched, taken

COLLECT = "Preserve and collect evidence, volatile first"


def skipped(step: str, hours: float) -> StepSkipped:
    return StepSkipped(at=at(hours), by="ann", step=step, reason="no time")


REST = (done("contain", 23), done("analyse", 47), concluded())


@pytest.mark.parametrize(
    "patch",
    [
        pytest.param(done("patch", 2), id="a step that patches, done"),
        pytest.param(StepStarted(at=at(2), by="ann", step="patch"), id="a step that patches, begun"),
        pytest.param(patched(2), id="a patch"),
    ],
)
def test_a_patch_before_evidence_is_flagged_however_it_was_told(patch: Event) -> None:
    for evidence, words in (
        ([], "no volatile evidence was taken"),
        ([taken("disk", 3, volatile=False)], "no volatile evidence was taken"),
        ([taken("mem", 3)], "before the first volatile evidence 2026-12-07 03:00 UTC"),
        ([taken("mem", 1)], "was recorded only after the patch"),
    ):
        made = book(patch, *evidence, hours=5)
        assert made.patched_first
        assert made.flags[0].startswith("patched")
        assert made.flags[0].endswith(words)
        assert f"{COLLECT}: not done when it was patched, 2026-12-07 02:00 UTC" in made.flags
    assert [p.after_evidence for p in book(patch, hours=5).patches] == [False]


def test_a_workbook_that_patched_by_its_step_alone_and_concluded_none_is_not_clean() -> None:
    made = book(
        done("scope", 1), done("patch", 2), done("collect", 3), taken("disk", 3, volatile=False), *REST
    )
    assert made.flags == (
        "patched (step patch done), and no volatile evidence was taken",
        f"{COLLECT}: done, and no volatile evidence is recorded",
        f"{COLLECT}: not done when it was patched, 2026-12-07 02:00 UTC",
        "concluded without volatile evidence",
    )
    validated("directive-triage", as_json(triage_report(made, at(71))))


def test_a_step_that_patches_after_evidence_and_its_collection_needs_no_flag() -> None:
    made = book(done("scope", 1), taken("mem", 3), done("collect", 20), done("patch", 22), *REST)
    assert (made.flags, made.patched_first) == ((), False)
    assert [(p.what, p.after_evidence, p.after_collection) for p in made.patches] == [
        ("step patch done", True, True)
    ]


def test_a_step_that_patches_and_is_left_out_is_no_patch() -> None:
    assert book(skipped("patch", 2), hours=2).patches == ()


def test_a_patch_seen_elsewhere_is_held_against_collection_too() -> None:
    seen = [SeenPatch(at=at(4), where="exposure/1", what="recorded as done")]
    early = book(taken("mem", 3), hours=5, seen=seen)
    assert f"{COLLECT}: not done when it was patched, 2026-12-07 04:00 UTC" in early.flags
    in_time = book(taken("mem", 3), done("collect", 3.5), hours=5, seen=seen)
    assert not any(f.startswith((COLLECT, "patched")) for f in in_time.flags)


def test_collection_that_was_left_out_or_came_to_nothing_is_flagged() -> None:
    assert f"{COLLECT}: left out: no time" in book(skipped("collect", 3), hours=4).flags
    assert f"{COLLECT}: done, and no evidence is recorded" in book(done("collect", 3), hours=4).flags
    disk = book(taken("disk", 2, volatile=False), done("collect", 3), hours=4)
    assert f"{COLLECT}: done, and no volatile evidence is recorded" in disk.flags


def test_steps_that_were_left_out_are_named_once_it_is_concluded() -> None:
    steps = [skipped(step, 3) for step in ("scope", "contain", "analyse")]
    made = book(taken("mem", 1), done("collect", 2), done("patch", 2), *steps, concluded(), hours=70)
    assert made.flags[-1] == "concluded with steps left out: scope, contain, analyse"


@pytest.mark.parametrize("empty", [{"size_bytes": 0}, {"sha256": EMPTY}])
def test_evidence_of_no_bytes_counts_as_none(empty: dict[str, Any]) -> None:
    made = book(
        taken("mem", 1, **empty), done("collect", 2), patched(3), *REST[:1], done("patch", 4), hours=5
    )
    assert made.flags[0] == "patched, and no volatile evidence was taken"
    assert "evidence mem: of no bytes, and counts as none" in made.flags
    assert f"{COLLECT}: done, and no evidence is recorded" in made.flags


def test_evidence_that_repeats_anothers_bytes_is_said_to() -> None:
    made = book(taken("a", 1, volatile=False), taken("b", 2, sha256=b"a".hex().zfill(64)), hours=2)
    assert "evidence b: the same bytes as a" in made.flags


def told(*events: tuple[Event, float], hours: float = 71, opened: float = 0) -> Workbook:
    """Events with the hour that each was recorded at."""
    return book(*(e for e, _ in events), hours=hours, recorded=[at(h) for _, h in events], opened=at(opened))


def test_that_evidence_came_before_the_patch_is_only_a_word_when_it_was_recorded_after_it() -> None:
    made = told((taken("mem", 1), 5), (done("collect", 2), 5), (patched(3), 5), hours=6)
    assert not made.patched_first
    assert (
        "the volatile evidence from before the patch of 2026-12-07 03:00 UTC was recorded 2026-12-07 05:00 UTC: "
        "that it came first is as told"
    ) in made.flags
    in_time = told((taken("mem", 1), 1), (done("collect", 2), 2), (patched(3), 5), hours=6)
    assert not any("as told" in f for f in in_time.flags)
    to_the_minute = told((taken("mem", 3), 3.01), (done("collect", 3), 3.01), (patched(3), 3.015), hours=3.1)
    assert not any("as told" in f for f in to_the_minute.flags)


def test_a_step_that_is_in_time_by_a_late_word_is_said_to_be() -> None:
    made = told((done("scope", 1), 30), (done("collect", 3), 4), hours=31)
    assert "in time as told, and recorded only after the target: scope" in made.flags
    assert "1 recorded more than a day after they happened: their times are as told" in made.flags


def test_a_conclusion_that_was_opened_again_stays_in_the_workbook() -> None:
    whole = (taken("mem", 1), done("scope", 1), done("collect", 2), done("patch", 3), *REST[:2])
    again = (
        concluded("confirmed"),
        Reopened(at=at(71), by="ann", reason="a mistake"),
        concluded("none", 71.5),
    )
    made = book(*whole, *again, hours=71.6)
    assert made.conclusion == "none"
    assert made.flags == (
        "concluded confirmed 2026-12-09 22:00 UTC, and opened again 2026-12-09 23:00 UTC: a mistake",
        "confirmed before it was opened again, and no incident report is recorded",
    )
    reported = triage_report(
        book(*whole, *again, IncidentReported(at=at(71.6), by="ann", reference="INC-1"), hours=71.7), at(71.7)
    )
    validated("directive-triage", as_json(reported))
    assert [e.conclusion for e in reported.earlier] == ["confirmed"]
    assert not any("incident" in f for f in reported.flags)
    assert "compromise is confirmed. Opened again 2026-12-09 23:00 UTC: a mistake" in " ".join(
        triage_text(reported).split()
    )


def test_evidence_in_another_workbook_of_the_item_counts_when_it_came_before_the_patch() -> None:
    recorded = [at(4)]
    alone = book(patched(3), hours=5, recorded=recorded)
    assert alone.patched_first
    with_theirs = book(patched(3), hours=5, recorded=recorded, elsewhere=[Taken(at(1), at(2))])
    assert not with_theirs.patched_first
    assert (
        with_theirs.flags[0]
        == "the volatile evidence from before the patch is another workbook's, 2026-12-07 01:00 UTC"
    )
    late = book(patched(3), hours=5, recorded=recorded, elsewhere=[Taken(at(1), at(4.5))])
    assert late.flags[0].endswith("was recorded only after the patch")


def test_notes_stand_among_the_flags() -> None:
    assert book(hours=1, notes=["no asset of the kept fleet"]).flags == ("no asset of the kept fleet",)


def test_hours_that_count_from_a_later_moment_of_the_day_are_said_to() -> None:
    late = replace(SUBJECT, kev_added=at(23))
    assert fold(late, STEPS, [], now=at(24)).flags == (
        "the hours count from 2026-12-07 23:00 UTC, as told: KEV gives the day alone",
    )
