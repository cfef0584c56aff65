"""Marks are kept one by one and appeals name theirs; a report does not wait for itself; what fails leaves no key."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

from clearway.findings import artefact, kept
from clearway.findings.intake import limit, record, sealed, submit, sweep
from clearway.findings.intake.submit import Submission
from clearway.records.errors import ClearwayError, ConflictError, ForbiddenError, NotFoundError
from clearway.records.principal import Membership
from findings_world import Desk
from people import Somebody
from report_documents import dump, own


def send(desk: Desk, data: bytes, **more: Any) -> Submission:
    with desk.acting(desk.finder) as db:
        return submit.submit(db, desk.tools, desk.finder.org, data, **more)


def mark(desk: Desk, who: Somebody, finding: kept.Finding, as_what: Any = "invalid") -> int:
    with desk.acting(who) as db:
        return record.give(db, finding, as_what, "looked at")


def appeal(desk: Desk, finding: kept.Finding) -> int:
    with desk.acting(desk.finder) as db:
        return record.appeal(db, finding, "it is real")


def decide(desk: Desk, who: Somebody, number: int, outcome: Any) -> None:
    with desk.acting(who) as db:
        record.decide(db, number, outcome, "because")


def second(desk: Desk) -> Somebody:
    return desk.people.somebody(desk.people.house, "coordinator")


def said_of(desk: Desk, finding: kept.Finding) -> record.Mark:
    with desk.acting(desk.finder) as db:
        found = record.mark_of(db, finding.id)
    assert found is not None
    return found


def test_nobody_replaces_a_mark_under_appeal_and_so_decides_about_an_own_one(desk: Desk) -> None:
    finding, other = desk.finding(), second(desk)
    mark(desk, desk.coordinator, finding)
    number = appeal(desk, finding)
    for who in (other, desk.coordinator):
        with pytest.raises(ConflictError, match="decided first"):
            mark(desk, who, finding, "duplicate")
    with pytest.raises(ForbiddenError):
        decide(desk, desk.coordinator, number, "refused")
    decide(desk, other, number, "refused")
    assert said_of(desk, finding).counts


def test_the_one_who_gave_the_newer_mark_does_not_decide_the_appeal_against_it(desk: Desk) -> None:
    finding, other = desk.finding(), second(desk)
    mark(desk, desk.coordinator, finding)
    mark(desk, other, finding, "duplicate")
    number = appeal(desk, finding)
    with pytest.raises(ForbiddenError):
        decide(desk, other, number, "refused")
    decide(desk, desk.coordinator, number, "refused")


def test_a_new_mark_can_be_appealed_after_an_appeal_that_was_refused_and_each_only_once(desk: Desk) -> None:
    finding, other = desk.finding(), second(desk)
    mark(desk, desk.coordinator, finding)
    decide(desk, other, appeal(desk, finding), "refused")
    with pytest.raises(ConflictError):
        appeal(desk, finding)
    mark(desk, desk.coordinator, finding, "duplicate")
    again = appeal(desk, finding)
    assert not said_of(desk, finding).counts
    with pytest.raises(ConflictError):
        appeal(desk, finding)
    decide(desk, other, again, "granted")
    assert not said_of(desk, finding).counts


def test_a_mark_after_a_granted_appeal_counts_and_what_was_said_before_stays(desk: Desk) -> None:
    finding, other = desk.finding(), second(desk)
    mark(desk, desk.coordinator, finding)
    decide(desk, other, appeal(desk, finding), "granted")
    with desk.acting(desk.finder) as db:
        before = record.of(db, desk.lab)
    assert (before.invalid, before.appealed) == (0, 1)
    mark(desk, desk.coordinator, finding, "valid")
    said = said_of(desk, finding)
    assert (said.mark, said.counts, said.appeals) == ("valid", True, ())
    (earlier,) = said.earlier
    assert (earlier.mark, [a.outcome for a in earlier.appeals]) == ("invalid", ["granted"])
    with desk.acting(desk.finder) as db:
        now = record.of(db, desk.lab)
    assert (now.valid, now.invalid, now.appealed) == (1, 0, 0)


def test_the_triage_queue_counts_the_newest_marks(desk: Desk) -> None:
    from clearway.findings.case.triage import _marks

    one, two, other = desk.finding(), desk.finding(), second(desk)
    for finding in (one, two):
        mark(desk, desk.coordinator, finding)
    mark(desk, desk.coordinator, one, "valid")
    with desk.acting(desk.coordinator) as db:
        assert _marks(db, {desk.lab}) == {desk.lab: (1, 1)}
    number = appeal(desk, two)
    with desk.acting(desk.coordinator) as db:
        assert _marks(db, {desk.lab}) == {desk.lab: (1, 0)}
    decide(desk, other, number, "granted")
    mark(desk, desk.coordinator, two, "valid")
    with desk.acting(desk.coordinator) as db:
        assert _marks(db, {desk.lab}) == {desk.lab: (2, 0)}


def test_marks_and_appeals_are_made_by_their_functions_alone(desk: Desk) -> None:
    finding = desk.finding()
    mark(desk, desk.coordinator, finding)
    for who, statement in (
        (desk.coordinator, "update clearway.finding_mark set mark = 'valid' where finding = %s"),
        (desk.coordinator, "delete from clearway.finding_mark where finding = %s"),
        (desk.coordinator, "insert into clearway.finding_mark (finding, org, aud, mark) "
            "select finding, org, aud, 'valid' from clearway.finding where finding = %s"),
        (desk.finder, "insert into clearway.mark_appeal (finding, finding_mark, org, aud, why) "
            "select finding, finding_mark, org, aud, 'x' from clearway.finding_mark where finding = %s"),
        (desk.finder, "select clearway.mark_finding(%s, 'valid', 'x')"),
        (desk.coordinator, "select clearway.appeal_mark(%s, 'x')"),
        (desk.rival, "select clearway.appeal_mark(%s, 'x')"),
    ):  # fmt: skip
        with pytest.raises(ClearwayError), desk.acting(who) as db:
            db.execute(statement.encode(), (finding.id,))


@pytest.fixture
def one_a_week(desk: Desk) -> None:
    member = Membership(
        org=desk.vendor, slug="vendor", name="V", kind="vendor", roles=("maintainer",), rights=("read", "maintain")
    )  # fmt: skip
    with desk.acting(desk.maintainer) as db:
        made = limit.put(db, member, "PyPI", "example", per_reporter=1)
    with desk.acting(desk.coordinator) as db:
        limit.confirm(db, made.id, holds=True)


def complete(desk: Desk, handling: str) -> kept.Finding:
    more = {name: own()[name] for name in ("trace", "reproduction", "ruled_out")}
    with desk.acting(desk.finder) as db:
        return submit.supplement(db, desk.tools, kept.one(db, handling), dump(more))[0]


@pytest.mark.usefixtures("one_a_week")
def test_a_report_that_is_completed_does_not_wait_for_itself(desk: Desk) -> None:
    (first,) = send(desk, dump(own(trace=[]))).taken
    assert first.state == "incomplete"
    (over,) = send(desk, dump(own(title="Over the limit"))).taken
    assert over.state == "received"
    assert complete(desk, first.handling).state == "queued"


@pytest.mark.usefixtures("one_a_week")
def test_reports_that_wait_do_not_take_the_turn_of_each_other(desk: Desk) -> None:
    (first,) = send(desk, dump(own())).taken
    waiting = [send(desk, dump(own(title=f"Waits {n}", trace=[]))).taken[0] for n in range(2)]
    for taken in waiting:
        assert complete(desk, taken.handling).state == "incomplete"
    with desk.owner() as db:
        assert sweep.turns(db) == 0
        db.execute(
            "update clearway.finding set received = received - interval '8 days' where handling = %s",
            (first.handling,),
        )
    with desk.owner() as db:
        assert sweep.turns(db) == 1
    with desk.acting(desk.finder) as db:
        assert [kept.one(db, t.handling).state for t in waiting] == ["queued", "incomplete"]


def test_what_was_withdrawn_may_be_sent_again_and_is_another_finding(desk: Desk) -> None:
    (first,) = send(desk, dump(own())).taken
    with desk.acting(desk.finder) as db:
        kept.move(db, kept.one(db, first.handling), "withdrawn", "too early")
    (second_time,) = send(desk, dump(own())).taken
    assert (second_time.new, second_time.state) == (True, "queued")
    assert second_time.handling != first.handling
    (third,) = send(desk, dump(own())).taken
    assert (third.new, third.handling, third.receipt) == (False, second_time.handling, second_time.receipt)
    with desk.acting(desk.finder) as db:
        assert kept.one(db, first.handling).state == "withdrawn"


def keys(desk: Desk) -> int:
    return sum(1 for _ in desk.vault.folder.rglob("*.key")) if desk.vault.folder.exists() else 0


def test_a_submission_that_fails_leaves_no_key_in_the_vault(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = kept.announce

    def fails(*_: Any) -> None:
        raise RuntimeError("the events can't be written")

    monkeypatch.setattr(kept, "announce", fails)
    with pytest.raises(RuntimeError):
        send(desk, dump([own(title="one"), own(title="two")]))
    assert keys(desk) == 0
    monkeypatch.setattr(kept, "announce", real)
    monkeypatch.setattr(artefact, "MAX_FILES", 3)
    over = own(title="over", files=[{"name": f"f{n}", "text": "x"} for n in range(9)])
    made = send(desk, dump([over, own(title="one")]))
    assert (len(made.taken), len(made.set_aside)) == (1, 1)
    assert keys(desk) == 2, "of the one that landed, and of the document of both"
    with desk.acting(desk.finder) as db:
        finding = kept.one(db, made.taken[0].handling)
        assert sealed.reread(db, desk.tools, finding).title == "one"


def test_what_was_sent_before_keeps_its_key_when_the_next_submission_fails(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    (first,) = send(desk, dump(own())).taken
    with monkeypatch.context() as patched:
        patched.setattr(kept, "announce", _fails)
        with pytest.raises(RuntimeError):
            send(desk, dump([own(), own(title="another")]))
    with desk.acting(desk.finder) as db:
        assert sealed.reread(db, desk.tools, kept.one(db, first.handling)).title == own()["title"]


def _fails(*_: Any) -> None:
    raise RuntimeError


@contextmanager
def _stored(desk: Desk, handling: str) -> Iterator[tuple[psycopg.Connection[Any], sealed.Stored]]:
    with desk.acting(desk.finder) as db:
        yield db, sealed.stored(db, desk.tools, kept.one(db, handling))


def test_a_supplement_that_was_read_before_another_landed_is_read_anew(desk: Desk) -> None:
    (taken,) = send(desk, dump(own(trace=[], ruled_out=[]))).taken
    with _stored(desk, taken.handling) as (_, before):
        late = dump({"ruled_out": own()["ruled_out"]})
        ready = sealed.added(before, late)
    with desk.acting(desk.finder) as db:
        submit.supplement(db, desk.tools, kept.one(db, taken.handling), dump({"trace": own()["trace"]}))
    with desk.acting(desk.finder) as db:
        whole, gates = submit.supplement(db, desk.tools, kept.one(db, taken.handling), late, ready)
    assert whole.state == "queued"
    assert all(gate.met for gate in gates), "both count"


def test_a_finding_of_another_is_not_there_to_be_marked_or_appealed(desk: Desk) -> None:
    finding = desk.finding()
    mark(desk, desk.coordinator, finding)
    with pytest.raises(NotFoundError), desk.acting(desk.rival) as db:
        record.appeal(db, finding, "mine?")
    with pytest.raises(NotFoundError), desk.acting(desk.operator) as db:
        record.give(db, finding, "valid", "mine?")
