"""What is public already is said at a gate and in the queue; a fixed flaw that returns is a flaw of its own."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from clearway.findings import kept
from clearway.findings.case import kept as cases
from clearway.findings.case import triage
from clearway.findings.dedup import edge, public, rekey, told
from clearway.findings.dedup.returned import Bounds
from clearway.findings.intake import submit
from clearway.records.errors import InputError
from findings_dedup_world import Two
from findings_dedup_world import fired as ran
from findings_targets import LONG
from findings_world import Desk
from people import Somebody
from report_documents import dump, own


def fired(desk: Desk, release: str, who: Somebody | None = None, given: bytes = LONG) -> kept.Finding:
    """A finding whose proof has fired here in one crash state, as a validation leaves it."""
    found = desk.finding(who, release=release, purl=f"pkg:pypi/example@{release}", state="queued")
    return ran(desk, found, given=given)


def queue(desk: Desk) -> dict[str, triage.Waiting]:
    with desk.acting(desk.coordinator) as db:
        return {w.handling: w for w in triage.queue(db, datetime.now(UTC))}


def test_a_gate_says_what_the_desk_has_said_is_public_and_the_queue_puts_it_last(
    desk: Desk, two: Two
) -> None:
    with desk.acting(desk.finder) as db:
        taken = submit.submit(db, desk.tools, desk.lab, dump(own())).taken[0]
        finding = kept.one(db, taken.handling)
        assert all(g.gate != "known" for g in submit.gates_of(db, finding.id))
    before = queue(desk)[finding.handling].points
    with desk.acting(desk.coordinator) as db:
        number = public.say(db, finding, "CVE-2026-0001", ["1.2.4"], "the same lines")
    with desk.acting(desk.finder) as db:
        gate = submit.gates_of(db, finding.id)[-1]
        assert (gate.gate, gate.state, gate.what) == (
            "known",
            "public",
            "it is CVE-2026-0001, fixed in 1.2.4",
        )
        assert submit.submit(db, desk.tools, desk.lab, dump(own())).taken[0].missing == ()
    assert queue(desk)[finding.handling].points == before - 20
    assert "it is public already -20" in queue(desk)[finding.handling].why
    with desk.acting(desk.coordinator) as db:
        public.take_back(db, finding, number, "other lines")
    with desk.acting(desk.finder) as db:
        assert all(g.gate != "known" for g in submit.gates_of(db, finding.id))
    assert queue(desk)[finding.handling].points == before


def test_a_fixed_flaw_that_returns_is_a_regression_with_a_case_of_its_own(desk: Desk) -> None:
    first = fired(desk, "1.2.3")
    twin = fired(desk, "1.2.2", desk.rival, b"another input")
    with desk.owner() as db:
        for one in (first, twin):
            rekey.rekey(db, desk.vault, one.id)
    with desk.acting(desk.coordinator) as db:
        assert [e.verdict for e in edge.of(db, first)] == ["likely"], (
            "before the fix both are one report more"
        )
        edge.merge(db, [first, twin], "the same lines")
        case = cases.add(db, desk.people.house, [first], along=True)
        assert len(cases.findings_of(db, case)) == 2
        public.say(db, first, "CVE-2026-0001", ["1.2.4"], "published")
        cases.close(db, cases.by_id(db, case.id), "published")
    back = fired(desk, "1.3.0", desk.rival)
    with desk.owner() as db:
        rekey.rekey(db, desk.vault, back.id)
    with desk.acting(desk.coordinator) as db:
        said = [e for e in edge.of(db, back) if e.other == first.handling]
        assert [(e.verdict, e.one) for e in said] == [("regression", back.handling)]
        assert edge.group_of(db, back.id) == (back.id,), "no duplicate of what was fixed"
    waiting = queue(desk)[back.handling]
    assert "a fixed flaw has come back +10" in waiting.why
    with desk.acting(desk.coordinator) as db:
        again = cases.add(db, desk.people.house, [kept.one(db, back.handling)])
        assert cases.findings_of(db, again) == [back.handling]
        assert again.id != case.id


def test_whether_others_hold_it_is_answered_with_the_keys_of_that_moment(desk: Desk) -> None:
    theirs, mine = fired(desk, "1.2.3", desk.rival), fired(desk, "1.2.3")
    with desk.owner() as db:
        rekey.rekey(db, desk.vault, theirs.id)
        assert told.answer_overlap(db, desk.vault, mine.id).overlaps, (
            "the same input in one crash state, compared by the answer itself"
        )
        assert rekey.stale(db) == [] or theirs.id not in rekey.stale(db)


def test_the_day_on_which_its_reporter_publishes_moves_a_finding_up_the_queue(desk: Desk) -> None:
    soon = (datetime.now(UTC) + timedelta(days=3)).date()
    with desk.acting(desk.finder) as db:
        said = own(provenance={"finders": [{"name": "A"}], "embargo": {"until": soon.isoformat()}})
        (taken,) = submit.submit(db, desk.tools, desk.lab, dump(said)).taken
        (other,) = submit.submit(db, desk.tools, desk.lab, dump(own(title="No day is named"))).taken
        assert kept.one(db, taken.handling).publishes == soon
    found = queue(desk)
    assert found[taken.handling].points == found[other.handling].points + 17
    assert "the reporter publishes in 3 days +17" in found[taken.handling].why


@pytest.mark.parametrize(
    ("bounds", "release", "verdict"),
    [
        ((Bounds(ecosystem="Debian:12", introduced="0", fixed="1.2.4-1"),), "1.3.0-1", "regression"),
        ((Bounds(ecosystem="Debian", versions=("1.2.2-1", "1.2.3-1")),), "1.3.0-1", "regression"),
        ((Bounds(ecosystem="Debian:12", versions=("1.2.1-1", "1.2.3-1")),), "1.2.2-1", "likely"),
        ((Bounds(ecosystem="Debian:12", introduced="0", fixed="1.4.0-1"),), "1.3.0-1", "same"),
    ],
    ids=["past its fix", "newer than all that is listed", "between two that are listed", "not yet fixed"],
)
def test_whether_a_flaw_of_a_release_of_a_system_has_come_back_is_its_records_word(
    desk: Desk, bounds: tuple[Bounds, ...], release: str, verdict: str
) -> None:
    facts = {
        "ecosystem": "Debian:12",
        "package": "example",
        "purl": "pkg:deb/debian/example?distro=debian-12",
    }
    first = ran(desk, desk.finding(release="1.2.3-1", state="queued", **facts))
    with desk.acting(desk.coordinator) as db:
        public.say(db, first, "CVE-2026-0001", [], "published", affected=bounds)
    back = ran(desk, desk.finding(desk.rival, release=release, state="queued", **facts))
    with desk.owner() as db:
        for one in (first, back):
            rekey.rekey(db, desk.vault, one.id)
    with desk.acting(desk.coordinator) as db:
        (said,) = edge.of(db, back)
        assert said.verdict == verdict
        assert ("can't be told" in said.reason) == (verdict == "likely")
        known = public.statements(db, first.id)
        assert known[0].affected == bounds
        public.say(db, back, "CVE-2026-0001", [], "the same lines", affected=bounds)
        shown = public.statements(db, back.id)[0].returns
    assert shown is {"regression": True, "likely": None, "same": False}[verdict]


def test_of_a_record_of_many_ranges_all_are_kept_and_the_last_one_counts(desk: Desk) -> None:
    bounds = tuple(Bounds(ecosystem="PyPI", introduced=f"1.{n}.0", fixed=f"1.{n}.9") for n in range(60))
    first, second = fired(desk, "1.0.3"), fired(desk, "1.59.3", desk.rival)
    with desk.acting(desk.coordinator) as db:
        public.say(db, first, "CVE-2026-0001", [], "published", affected=bounds)
        assert public.statements(db, first.id)[0].affected == bounds
        public.say(db, second, "CVE-2026-0001", [], "the same lines", affected=bounds)
        assert public.statements(db, second.id)[0].verdict == "is"
    with desk.owner() as db:
        for one in (first, second):
            rekey.rekey(db, desk.vault, one.id)
    with desk.acting(desk.coordinator) as db:
        assert [e.verdict for e in edge.of(db, second)] == ["same"]


def test_a_record_that_is_more_than_a_row_holds_tells_of_no_return(desk: Desk) -> None:
    bounds = tuple(Bounds(versions=tuple(f"1.{n}.{m}" for m in range(2_000))) for n in range(100))
    finding = fired(desk, "1.99.7")
    with desk.acting(desk.coordinator) as db:
        public.say(db, finding, "CVE-2026-0001", [], "published", affected=bounds)
        said = public.statements(db, finding.id)[0]
    assert said.verdict == "is"
    assert said.returns is None
    assert said.affected[-1].more


def test_more_fixes_than_are_kept_are_refused_where_they_alone_tell(desk: Desk) -> None:
    finding = fired(desk, "1.0")
    with pytest.raises(InputError, match="21 fixes"), desk.acting(desk.coordinator) as db:
        public.say(db, finding, "CVE-2026-0001", [f"1.{n}" for n in range(21)], "published")
