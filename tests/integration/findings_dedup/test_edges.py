"""Merge, split and undo: acts of the desk, on the log, reversible, for whom both findings are for."""

from __future__ import annotations

import pytest

from clearway.findings import kept
from clearway.findings.dedup import edge, public
from clearway.findings.dedup.rekey import stale
from clearway.records.errors import ConflictError, ForbiddenError, InputError, NotFoundError
from findings_dedup_world import Two, fired, replay
from findings_world import Desk


def merge(desk: Desk, *findings: kept.Finding) -> int:
    with desk.acting(desk.coordinator) as db:
        return edge.merge(db, findings, "the same loop")


def group(desk: Desk, finding: kept.Finding) -> list[int]:
    with desk.acting(desk.coordinator) as db:
        return list(edge.group_of(db, finding.id))


def test_a_merge_joins_is_undone_and_leaves_no_trace(desk: Desk, two: Two) -> None:
    ours, theirs = two.ours, two.theirs
    act = merge(desk, ours, theirs)
    assert group(desk, theirs) == [ours.id, theirs.id]
    with pytest.raises(ConflictError, match="one already"), desk.acting(desk.coordinator) as db:
        edge.merge(db, [ours, theirs], "again")
    with desk.acting(desk.coordinator) as db:
        edge.undo(db, act, "another loop")
    assert group(desk, theirs) == [theirs.id]
    with pytest.raises(ConflictError, match="undone already"), desk.acting(desk.coordinator) as db:
        edge.undo(db, act, "twice")
    with desk.acting(desk.coordinator) as db:
        said = edge.of(db, ours)
    assert [(e.verdict, e.revoked_why) for e in said] == [("same", "another loop")]
    assert {"duplicate.merged", "duplicate.undone"} <= set(desk.acts())


def test_a_split_keeps_the_others_together_and_is_undone(desk: Desk) -> None:
    a, b, c = (desk.finding(desk.rival if n else None) for n in range(3))
    merge(desk, a, b, c)
    with desk.acting(desk.coordinator) as db:
        act = edge.split(db, a, "another function")
    assert (group(desk, a), group(desk, b)) == ([a.id], [b.id, c.id])
    with desk.acting(desk.coordinator) as db:
        edge.undo(db, act, "it was the same")
    assert group(desk, c) == [a.id, b.id, c.id]


def test_two_that_are_alike_are_kept_apart_before_they_were_ever_one(desk: Desk, two: Two) -> None:
    ours, theirs = two.ours, two.theirs
    with desk.acting(desk.coordinator) as db:
        act = edge.apart(db, ours, theirs, "another loop")
    assert group(desk, ours) == [ours.id]
    with desk.acting(desk.coordinator) as db:
        assert [e.verdict for e in edge.of(db, ours)] == ["different"]
        edge.undo(db, act, "the same after all")
    merge(desk, ours, theirs)
    with pytest.raises(ConflictError, match="they are one"), desk.acting(desk.coordinator) as db:
        edge.apart(db, ours, theirs, "no")
    with pytest.raises(ForbiddenError), desk.acting(desk.finder) as db:
        edge.apart(db, ours, desk.finding(), "mine")


def test_a_merge_takes_back_what_kept_them_apart_and_undo_says_it_again(desk: Desk, two: Two) -> None:
    ours, theirs = two.ours, two.theirs
    merge(desk, ours, theirs)
    with desk.acting(desk.coordinator) as db:
        edge.split(db, ours, "two loops")
    act = merge(desk, ours, theirs)
    assert group(desk, ours) == [ours.id, theirs.id]
    with desk.acting(desk.coordinator) as db:
        edge.undo(db, act, "two loops after all")
        standing = [(e.verdict, e.reason) for e in edge.of(db, ours) if e.revoked is None]
    assert standing == [("different", "two loops")]


def test_everybody_who_reported_keeps_their_credit_first_come_first(desk: Desk, two: Two) -> None:
    ours, theirs = two.ours, two.theirs
    merge(desk, theirs, ours)
    with desk.acting(desk.coordinator) as db:
        found = edge.credits_of(edge.members(db, edge.group_of(db, theirs.id)))
    assert [(c.organisation, c.handling) for c in found] == [
        ("lab", ours.handling),
        ("rival", theirs.handling),
    ]


def test_a_reporter_learns_nothing_of_anothers_finding(desk: Desk, two: Two) -> None:
    ours, theirs = two.ours, two.theirs
    merge(desk, ours, theirs)
    with desk.acting(desk.finder) as db:
        assert edge.of(db, ours) == []
        assert edge.group_of(db, ours.id) == (ours.id,)
        assert db.execute("select count(*) from clearway.finding_edge").fetchone() == (0,)
        assert db.execute(
            "select count(*) from clearway.log_entry where act like 'duplicate%'"
        ).fetchone() == (0,)
        assert db.execute("select count(*) from clearway.event where kind like 'duplicate%'").fetchone() == (
            0,
        )


def test_a_reporter_merges_nothing(desk: Desk) -> None:
    a, b = desk.finding(), desk.finding()
    with pytest.raises(ForbiddenError), desk.acting(desk.finder) as db:
        edge.merge(db, [a, b], "mine")


def test_no_person_says_what_a_run_has_to_show(desk: Desk, two: Two) -> None:
    ours, theirs = two.ours, two.theirs
    with pytest.raises(ForbiddenError, match="running"), desk.acting(desk.coordinator) as db:
        edge.add(db, ours.id, theirs.id, "same", "cross-run", score=1, reason="x")


def test_a_trial_is_nobodys_duplicate(desk: Desk) -> None:
    a, b = desk.finding(), desk.finding(live=False)
    with pytest.raises(ConflictError, match="trial"), desk.acting(desk.coordinator) as db:
        edge.merge(db, [a, b], "x")


def test_a_reason_is_wanted_and_one_finding_is_no_merge(desk: Desk) -> None:
    a, b = desk.finding(), desk.finding()
    with pytest.raises(InputError), desk.acting(desk.coordinator) as db:
        edge.merge(db, [a, b], " ")
    with pytest.raises(InputError), desk.acting(desk.coordinator) as db:
        edge.merge(db, [a, a], "x")
    with pytest.raises(NotFoundError), desk.acting(desk.coordinator) as db:
        edge.undo(db, 999, "x")
    with pytest.raises(ConflictError, match="alone"), desk.acting(desk.coordinator) as db:
        edge.split(db, a, "x")


def test_keys_suggest_and_merge_nothing(desk: Desk, two: Two) -> None:
    ours, theirs = two.ours, two.theirs
    replay(desk)
    with desk.acting(desk.coordinator) as db:
        found = edge.of(db, ours)
    assert [(e.verdict, e.basis, e.revoked) for e in found] == [("likely", "context", None)]
    assert group(desk, theirs) == [theirs.id]
    with desk.owner() as db:
        assert stale(db) == []


def test_a_replay_takes_back_what_no_longer_follows_and_leaves_persons_word(desk: Desk, two: Two) -> None:
    ours, theirs = two.ours, two.theirs
    replay(desk)
    merge(desk, ours, theirs)
    with desk.owner() as db:
        db.execute(
            "update clearway.finding set place = 'elsewhere.c f', version = version + 1 where finding = %s",
            (ours.id,),
        )
        assert stale(db) == [ours.id]
    replay(desk)
    with desk.acting(desk.coordinator) as db:
        said = {(e.basis, e.revoked is None) for e in edge.of(db, ours)}
    assert said == {("context", False), ("person", True)}


def test_a_replay_makes_keys_of_other_rules_anew_and_keeps_them_beside(desk: Desk, two: Two) -> None:
    replay(desk)
    with desk.owner() as db:
        db.execute("update clearway.finding_key set version = 'clearway/context/v0' where kind = 'context'")
        db.execute("update clearway.finding_keyed set rules = 'older'")
    replay(desk)
    with desk.owner() as db:
        there = db.execute(
            "select distinct version from clearway.finding_key where kind = 'context' order by 1"
        ).fetchall()
    assert there == [("clearway/context/v0",), ("clearway/context/v1",)]


def test_a_fixed_flaw_that_fires_in_a_later_release_has_come_back(desk: Desk, two: Two) -> None:
    ours, theirs = two.ours, two.theirs
    with desk.acting(desk.coordinator) as db:
        public.say(db, ours, "CVE-2024-1001", ["1.2.4"], "the advisory names the function")
    with desk.owner() as db:
        db.execute(
            "update clearway.finding set release = '1.3.0', version = version + 1 where finding = %s",
            (theirs.id,),
        )
    fired(desk, theirs)
    replay(desk)
    with desk.acting(desk.coordinator) as db:
        found = edge.of(db, theirs)
    assert [(e.verdict, e.one, e.other) for e in found] == [("regression", theirs.handling, ours.handling)]
    assert group(desk, theirs) == [theirs.id]


def test_others_hold_it_when_evidence_says_so(desk: Desk, two: Two) -> None:
    ours, theirs = two.ours, two.theirs
    with desk.owner() as db:
        assert not edge.held_by_others(db, ours)
        db.execute("update clearway.finding set level = 2 where finding = %s", (theirs.id,))
        edge.add(db, ours.id, theirs.id, "likely", "crash", score=0.8, reason="x")
        edge.add(db, ours.id, theirs.id, "likely", "cross-run", score=edge.CROSSED["likely"], reason="x")
        assert not edge.held_by_others(db, ours), "two flaws of one function crash in one state"
        edge.add(db, ours.id, theirs.id, "same", "input", score=1.0, reason="x")
        assert edge.held_by_others(db, ours)


def test_what_is_public_is_said_and_taken_back(desk: Desk, two: Two) -> None:
    ours = two.ours
    with desk.acting(desk.coordinator) as db:
        number = public.say(db, ours, "CVE-2024-1001", ["1.2.4"], "same function")
        public.take_back(db, ours, number, "another function")
    with desk.acting(desk.finder) as db:
        (found,) = public.statements(db, ours.id)
    assert (found.flaw, found.fixed, found.revoked_why) == ("CVE-2024-1001", ("1.2.4",), "another function")
    with pytest.raises(ForbiddenError), desk.acting(desk.finder) as db:
        public.say(db, ours, "CVE-2024-1002", [], "mine")
