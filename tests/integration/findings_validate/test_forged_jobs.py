"""E6 is an act of whoever works on the finding: no job that somebody queues, and no argument of one, stands for it."""

from __future__ import annotations

from uuid import uuid4

import pytest
from test_taken_back import judged, level, reported

from clearway.app.worker import mint
from clearway.findings import artefact, desk_key
from clearway.findings.validate import at_desk, statement, validation
from clearway.records.errors import ConfigError, ForbiddenError, NotFoundError
from clearway.store import jobs
from clearway.store.jobs import Job
from findings_world import Desk
from people import Somebody

FORGED: dict[str, dict[str, object]] = {
    "findings.accept": {"validation": 1, "by": "A. Maintainer", "why": "looks right"},
    "findings.cross": {"one": 1, "other": 2},
    "findings.validate": {"validation": 1},
    "findings.assist": {"proposal": 1},
    "findings.case_release": {"case": 1},
    "findings.case_cve": {"case": 1},
    "app.case_letters": {},
}


def accepting(desk: Desk, who: Somebody | None, number: int, **args: object) -> None:
    """The task as the worker runs it for whoever started it."""
    run, given = uuid4(), {"validation": number, **args}
    with desk.owner() as db:
        made = jobs.defer(db, validation.ACCEPT, given)
        db.execute("insert into clearway.job_run (job, run) values (%s, %s)", (made, run))
    job = Job(
        desk.people.pool, id=made, task=validation.ACCEPT, args=given, run=run, failures=0,
        by_person=who.person if who else None, mint=mint,
    )  # fmt: skip
    at_desk.Desk(desk.home, desk.vault, desk.key).accept(job, job.args)


@pytest.mark.parametrize("task", FORGED)
def test_nobody_queues_the_job_of_an_act(desk: Desk, task: str) -> None:
    for who in (desk.maintainer, desk.operator, desk.colleague, desk.coordinator):
        with pytest.raises(ForbiddenError, match="not open to people"), desk.acting(who) as db:
            jobs.defer(db, task, FORGED[task])


def test_what_starts_jobs_and_says_who_accepts_is_closed_to_sql(desk: Desk) -> None:
    finding = reported(desk)
    number = judged(desk, finding, "met", "met", "met", "met")
    for act in (
        "select clearway.start_job('findings.accept', '{}', '', '')",
        "select clearway.queue_job('findings.accept', '{}', 'default', '', null, '', 0, 1)",
        f"update clearway.validation set accept_by = 1 where validation = {number}",
        "select from clearway.flaw_lock for update",
    ):
        with pytest.raises(ConfigError, match="permission denied"), desk.acting(desk.coordinator) as db:
            db.execute(act.encode())
    for who in (desk.maintainer, desk.finder):
        with pytest.raises((ForbiddenError, NotFoundError)), desk.acting(who) as db:
            db.execute("select clearway.accept_validation(%s, %s, 'A', 'b')", (finding.id, number))


def test_the_job_signs_the_words_of_the_act_alone_and_in_the_name_of_who_did_it(desk: Desk) -> None:
    finding = reported(desk)
    number = judged(desk, finding, "met", "met", "met", "met")
    said = {"by": "A. Maintainer", "why": "looks right"}
    accepting(desk, desk.coordinator, number, **said)  # nobody has accepted it
    accepting(desk, None, number, **said)
    assert level(desk, finding)[0] == 4
    with desk.acting(desk.coordinator) as db:
        validation.accept(db, finding, number, "B. Reader", "read the patch")
    accepting(desk, desk.maintainer, number, **said)
    assert level(desk, finding)[0] == 4
    accepting(desk, desk.coordinator, number, **said)
    assert level(desk, finding)[0] == 6
    with desk.owner() as db:
        last = artefact.listed(db, finding.id, "statement")[-1]
        told = statement.opened(artefact.read(db, desk.vault, last, logged=False), desk_key.known(db))[0]
        row = db.execute("select by_person from clearway.validation_step where level = 6").fetchone()
    assert (told.predicate.accepted_by, row) == ("B. Reader", (desk.coordinator.person,))


def test_what_was_taken_back_after_the_act_is_not_signed(desk: Desk) -> None:
    finding = reported(desk)
    number = judged(desk, finding, "met", "met", "met", "met")
    with desk.acting(desk.coordinator) as db:
        validation.accept(db, finding, number, "B. Reader", "read the patch")
    judged(desk, finding, "failed")
    accepting(desk, desk.coordinator, number)
    assert level(desk, finding)[0] == 0


def test_an_advisory_lock_that_anybody_may_take_holds_up_no_desk(desk: Desk) -> None:
    with desk.acting(desk.operator) as other:
        other.execute("select pg_advisory_xact_lock(hashtextextended('clearway flaws', 0))")
        with desk.acting(desk.coordinator) as db:
            db.execute("set local lock_timeout = '2s'")
            db.execute("select clearway.hold_flaws()")
        with pytest.raises(ForbiddenError, match="desk"), desk.acting(desk.operator) as db:
            db.execute("select clearway.hold_flaws()")
