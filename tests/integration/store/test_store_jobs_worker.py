"""What a worker does with jobs: runs, retries, gives up, stops in time, and never writes for a job it lost."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from jobs_workers import a_database, an_empty_queue, sql, states, until, working  # noqa: F401

from clearway.access.credential import make_acting
from clearway.records.errors import (
    ConfigError,
    ConflictError,
    InputError,
    NotFoundError,
    UpstreamError,
    UsageError,
)
from clearway.store import jobs, jobs_admin
from clearway.store.connect import connect
from clearway.store.jobs import Job, JobTakenError, Loop, Retry, Spec
from clearway.store.jobs_reap import attempts_of, reap, sweep
from clearway.store.jobs_worker import run_worker
from clearway.store.principal import Pool
from people import People, people_of

SOON = Retry(attempts=3, first_s=0.01, longest_s=0.02)


def start(url: str, task: str = "task", args: dict[str, Any] | None = None, **words: Any) -> int:
    with connect(url, autocommit=True) as db:
        return jobs.defer(db, task, args or {}, **words)


def effects(url: str) -> list[int]:
    return [n for (n,) in sql(url, "select step from public.effect order by 1")]


def test_a_job_that_fails_is_tried_again_until_it_is_done(queue: str) -> None:
    seen: list[int] = []

    def task(job: Job, args: dict[str, Any]) -> None:
        seen.append(job.failures)
        if len(seen) < 3:
            raise UpstreamError("the feed is away")

    start(queue)
    with working(queue, {"task": Spec(task, SOON)}):
        until(lambda: states(queue) == {"succeeded": 1})
    assert seen == [0, 1, 2]


def test_a_dead_job_is_kept_with_its_reasons_and_resumes_where_it_was_when_retried_by_hand(
    queue: str,
) -> None:
    mended = threading.Event()

    def task(job: Job, args: dict[str, Any]) -> None:
        for n in range(2):
            with job.owner() as db, job.step(f"step {n}", db) as todo:
                if todo:
                    db.execute("insert into public.effect (job, step) values (%s, %s)", (job.id, n))
                    if n == 1 and not mended.is_set():
                        raise UpstreamError("the feed is away", where="feed")

    number = start(queue, args={"asset": 17})
    with working(queue, {"task": Spec(task, SOON)}):
        until(lambda: states(queue) == {"failed": 1})
        with connect(queue, autocommit=True) as db:
            sheet = jobs_admin.shown(db, number)
            assert [f.reason for f in sheet.failures] == ["feed: the feed is away"] * 3
            assert (sheet.job.state, sheet.job.code, sheet.args) == ("dead", "upstream", {"asset": 17})
            assert sheet.steps == ("step 0",)
            assert [line.id for line in jobs_admin.listed(db, state="dead")] == [number]
            mended.set()
            jobs_admin.retry(db, number)
            until(lambda: states(queue) == {"succeeded": 1})
            with pytest.raises(ConflictError, match="dead"):
                jobs_admin.retry(db, number)
            with pytest.raises(NotFoundError):
                jobs_admin.retry(db, number + 1)
            with pytest.raises(NotFoundError):
                jobs_admin.shown(db, number + 1)
            with pytest.raises(UsageError):
                jobs_admin.listed(db, state="lost")
    assert effects(queue) == [0, 1]


def test_an_error_that_lasts_is_not_tried_again(queue: str) -> None:
    runs: list[int] = []

    def task(job: Job, args: dict[str, Any]) -> None:
        runs.append(job.id)
        raise InputError("no such inventory\0")

    start(queue)
    with working(queue, {"task": Spec(task, SOON)}):
        until(lambda: states(queue) == {"failed": 1})
    assert len(runs) == 1
    assert sql(queue, "select code, reason from clearway.job_failure") == [
        ("input-invalid", "no such inventory\ufffd")
    ]


def test_a_worker_outlives_whatever_a_task_raises(queue: str) -> None:
    def task(job: Job, args: dict[str, Any]) -> None:
        if args:
            raise SystemExit(3)

    start(queue, args={"exit": True})
    start(queue)
    with working(queue, {"task": Spec(task, Retry(attempts=1))}):
        until(lambda: states(queue) == {"failed": 1, "succeeded": 1})


def test_a_task_that_this_release_does_not_have_waits_for_one_that_has(queue: str) -> None:
    start(queue, "of.tomorrow")
    with working(queue):
        until(lambda: sql(queue, "select code from clearway.job_failure") == [("task-unknown",)])
        until(lambda: states(queue) == {"todo": 1})
    ((wait,),) = sql(queue, "select scheduled_at - now() from clearway_jobs.procrastinate_jobs")
    assert timedelta(seconds=40) < wait <= timedelta(seconds=60)


def test_a_step_outside_of_the_database_is_not_done_again_by_the_next_attempt(queue: str) -> None:
    sent: list[str] = []

    def task(job: Job, args: dict[str, Any]) -> None:
        with job.step("mail") as todo:
            if todo:
                sent.append("mail")
        if len(sent) == 1 and job.failures == 0:
            raise UpstreamError("later")

    start(queue)
    with working(queue, {"task": Spec(task, SOON)}):
        until(lambda: states(queue) == {"succeeded": 1})
    assert sent == ["mail"]


def test_jobs_with_one_lock_run_one_at_a_time_and_in_their_order(queue: str) -> None:
    order: list[int] = []
    inside: list[int] = []

    def task(job: Job, args: dict[str, Any]) -> None:
        inside.append(args["n"])
        assert len(inside) == 1
        time.sleep(0.01)
        order.append(args["n"])
        inside.remove(args["n"])

    for n in range(8):
        start(queue, args={"n": n}, lock="asset/17")
    with working(queue, {"task": Spec(task, Retry(attempts=1))}):
        until(lambda: states(queue) == {"succeeded": 8})
    assert order == list(range(8))


def test_a_job_for_later_waits_until_then(queue: str) -> None:
    ran: list[float] = []
    due = time.time() + 0.8
    start(queue, at=datetime.fromtimestamp(due, UTC))
    with working(queue, {"task": lambda job, args: ran.append(time.time())}):
        until(lambda: ran)
    assert ran[0] >= due


def test_a_job_acts_for_the_person_who_started_it_with_their_rights(queue: str) -> None:
    def mint(db: Any, person: int) -> str:
        return make_acting(db, person, now=datetime.now(UTC)).key

    def task(job: Job, args: dict[str, Any]) -> None:
        with job.acting() as db, job.step("look", db) as todo:
            assert todo
            seen.append(db.execute("select current_user, clearway.me()").fetchone())

    def nobodys(job: Job, args: dict[str, Any]) -> None:
        with job.acting():
            pass

    seen: list[Any] = []
    people: Iterator[People] = people_of(queue)
    everybody = next(people)
    olga = everybody.somebody(everybody.org("utility"), "operator")
    sql(queue, "insert into clearway.job_allowed (task) values ('task')")
    with everybody.acting(olga) as db:
        jobs.defer(db, "task", {})
    start(queue, "nobodys")
    with working(queue, {"task": task, "nobodys": Spec(nobodys, Retry(attempts=1))}, mint=mint):
        until(lambda: states(queue) == {"succeeded": 1, "failed": 1})
    assert seen == [("clearway_app", olga.person)]
    assert sql(queue, "select code from clearway.job_failure") == [("config",)]
    assert next(people, None) is None


def test_a_cancelled_job_loses_its_open_transaction_and_is_not_tried_again(queue: str) -> None:
    began = threading.Event()

    def task(job: Job, args: dict[str, Any]) -> None:
        with job.owner() as db:
            db.execute("insert into public.effect (job, step) values (%s, 1)", (job.id,))
            began.set()
            time.sleep(1)
            db.execute("select 1")

    number = start(queue)
    with working(queue, {"task": Spec(task, SOON)}):
        assert began.wait(10)
        with connect(queue, autocommit=True) as db:
            assert jobs.cancel(db, number)
        until(lambda: states(queue) == {"aborted": 1})
        time.sleep(1.1)
    assert effects(queue) == []
    assert states(queue) == {"aborted": 1}


def test_told_to_stop_a_worker_lets_jobs_finish_that_need_less_than_the_grace(queue: str) -> None:
    began = threading.Event()

    def task(job: Job, args: dict[str, Any]) -> None:
        began.set()
        time.sleep(0.3)

    start(queue)
    with working(queue, {"task": task}):
        assert began.wait(10)
        start(queue)
    assert states(queue)["succeeded"] >= 1
    assert "doing" not in states(queue)


def test_told_to_stop_a_job_ends_at_its_next_step_and_goes_on_from_there_elsewhere(queue: str) -> None:
    began, go = threading.Event(), threading.Event()

    def task(job: Job, args: dict[str, Any]) -> None:
        for n in range(3):
            with job.owner() as db, job.step(f"step {n}", db) as todo:
                if todo:
                    db.execute("insert into public.effect (job, step) values (%s, %s)", (job.id, n))
            if n == 0:
                began.set()
                assert go.wait(10)

    start(queue)
    with working(queue, {"task": task}) as stop:
        assert began.wait(10)
        stop.set()
        go.set()
    assert (effects(queue), states(queue)) == ([0], {"todo": 1})
    with working(queue, {"task": task}):
        until(lambda: states(queue) == {"succeeded": 1})
    assert effects(queue) == [0, 1, 2]
    assert sql(queue, "select failures from clearway.job_run") == [(0,)]


def test_told_to_stop_a_worker_ends_in_time_though_a_job_does_not_heed_and_nothing_of_it_is_kept(
    queue: str,
) -> None:
    began, let_go = threading.Event(), threading.Event()
    after: list[type[BaseException]] = []

    def task(job: Job, args: dict[str, Any]) -> None:
        try:
            with job.owner() as db:
                db.execute("insert into public.effect (job, step) values (%s, 1)", (job.id,))
                began.set()
                let_go.wait(120)
                db.execute("select 1")
        except BaseException as error:
            after.append(type(error))
            raise

    start(queue)
    with working(queue, {"task": task}) as stop:
        assert began.wait(10)
        stop.set()
        until(lambda: states(queue) == {"todo": 1})  # while the task is still at it
    let_go.set()
    until(lambda: after)
    assert after == [UpstreamError]
    assert effects(queue) == []


def test_an_attempt_that_was_replaced_writes_nothing_more_and_ends_nothing(queue: str) -> None:
    number = start(queue)
    with connect(queue, autocommit=True) as db:
        old, new = (
            db.execute("select worker_id from clearway_jobs.procrastinate_register_worker_v1()").fetchone()
            for _ in range(2)
        )
        assert old is not None
        assert new is not None
        first = db.execute("select run from clearway.next_job(null, %s)", old).fetchone()
        assert first is not None
        db.execute("select clearway_jobs.procrastinate_retry_job_v2(%s, now(), null, null, null)", (number,))
        assert db.execute("select id from clearway.next_job(null, %s)", new).fetchone() == (number,)
        for again in (None, datetime.now(UTC)):
            row = db.execute(
                "select clearway.end_job(%s, %s, 'succeeded', %s)", (number, old[0], again)
            ).fetchone()
            assert row == (False,)
    with Pool(queue, size=1) as pool:
        late = Job(pool, id=number, task="task", args={}, run=first[0], failures=0, by_person=None)
        with pytest.raises(JobTakenError), late.owner() as db, late.step("one", db):
            pass
        late.progress(1, 1, "nothing")
    assert states(queue) == {"doing": 1}
    assert sql(queue, "select from clearway.job_progress") == []


def test_of_two_attempts_at_one_step_the_second_waits_and_does_it_only_if_the_first_failed(
    queue: str,
) -> None:
    number, run = start(queue), uuid4()
    sql(queue, "insert into clearway.job_run (job, run) values (%s, %s)", number, run)
    answers: list[bool] = []

    def attempt(pool: Pool) -> None:
        job = Job(pool, id=number, task="task", args={}, run=run, failures=0, by_person=None)
        with job.owner() as db, job.step("one", db) as todo:
            answers.append(todo)

    with Pool(queue, size=1, owners=4) as pool:
        for fails in (True, False):
            answers.clear()
            job = Job(pool, id=number, task="task", args={}, run=run, failures=0, by_person=None)
            try:
                with job.owner() as db, job.step("one" if fails else "two", db) as todo:
                    assert todo
                    if not fails:
                        break
                    second = threading.Thread(target=attempt, args=(pool,))
                    second.start()
                    time.sleep(0.2)
                    assert answers == []
                    raise KeyError
            except KeyError:
                second.join()
                assert answers == [True]
        attempt(pool)
    assert answers == [False]


def test_a_worker_finds_again_a_job_that_it_lost_sight_of(queue: str) -> None:
    """What is committed as a connection breaks: the table says that this worker has it, and nobody works on it."""
    ran: list[int] = []
    with working(queue, {"task": lambda job, args: ran.append(job.id)}):
        with connect(queue) as db:
            number = jobs.defer(db, "task", {})
            db.execute("select clearway.next_job(null, id) from clearway_jobs.procrastinate_workers")
        until(lambda: states(queue) == {"succeeded": 1})
    assert ran == [number]


def test_an_attempt_that_was_missed_is_not_taken_for_the_one_after_it(queue: str) -> None:
    """A job that is tried again quickly is between the table and its thread more often than the sweep looks."""
    number = start(queue)

    async def swept(lost: UUID) -> set[UUID]:
        async with await psycopg.AsyncConnection.connect(queue, autocommit=True) as db:
            await reap(db, 60, {lost}, lambda _: Spec(lambda job, args: None))
            return await attempts_of(db, worker)

    with connect(queue, autocommit=True) as db:
        ((worker,),) = db.execute("select * from clearway_jobs.procrastinate_register_worker_v1()").fetchall()
        ((missed,),) = db.execute("select run from clearway.next_job(null, %s)", (worker,)).fetchall()
        db.execute("select clearway.end_job(%s, %s, '', now())", (number, worker))
        ((running,),) = db.execute("select run from clearway.next_job(null, %s)", (worker,)).fetchall()
    assert asyncio.run(swept(missed)) == {running}
    assert states(queue) == {"doing": 1}
    assert asyncio.run(swept(running)) == set()
    assert states(queue) == {"todo": 1}


def test_after_the_clock_was_put_back_a_dead_worker_does_not_look_alive_for_a_day(queue: str) -> None:
    ran: list[int] = []
    number = start(queue)
    sql(
        queue,
        "with dead as (insert into clearway_jobs.procrastinate_workers (last_heartbeat)"
        " values (now() + interval '1 day') returning id)"
        " update clearway_jobs.procrastinate_jobs set status = 'doing', worker_id = (select id from dead)",
    )
    with working(queue, {"task": lambda job, args: ran.append(job.id)}):
        until(lambda: states(queue) == {"succeeded": 1})
    assert ran == [number]


def test_health_counts_what_waits_runs_and_is_dead(queue: str) -> None:
    began, go = threading.Event(), threading.Event()

    def hold(job: Job, args: dict[str, Any]) -> None:
        began.set()
        assert go.wait(10)

    def die(job: Job, args: dict[str, Any]) -> None:
        raise InputError("bad")

    start(queue, "die")
    start(queue, "hold")
    start(queue, "hold", at=datetime.now(UTC) + timedelta(days=1))
    with working(
        queue, {"hold": hold, "die": die}, concurrency=1, loops={"a.loop": Loop("", 9, lambda _: None)}
    ):
        assert began.wait(10)
        start(queue, "hold")
        until(lambda: sql(queue, "select name from clearway.job_loop"))
        with connect(queue, autocommit=True) as db:
            health = jobs_admin.health(db)
        go.set()
    assert (health.workers, health.waiting, health.due, health.running, health.dead) == (1, 2, 1, 1, 1)
    assert 0 <= health.due_s < 10
    assert [loop.name for loop in health.loops] == ["a.loop"]


def test_what_is_due_by_the_clock_runs_once_whatever_the_number_of_workers(queue: str) -> None:
    ticks: list[int] = []
    tasks = {"tick": Spec(lambda job, args: ticks.append(args["timestamp"]), cron="* * * * * *")}
    with working(queue, tasks), working(queue, tasks):
        until(lambda: len(ticks) >= 3)
    assert len(set(ticks)) == len(ticks)


def test_jobs_that_ended_long_ago_are_removed_the_dead_ones_later(queue: str) -> None:
    numbers = [start(queue) for _ in range(4)]
    sql(
        queue,
        "update clearway_jobs.procrastinate_jobs set status = 'succeeded' where id = any(%s)",
        numbers[:2],
    )
    sql(queue, "update clearway_jobs.procrastinate_jobs set status = 'failed' where id = %s", numbers[2])
    sql(
        queue,
        "update clearway_jobs.procrastinate_events set at = at - interval '8 days' where job_id <> %s",
        numbers[1],
    )
    with Pool(queue, size=1) as pool:
        job = Job(pool, id=0, task="jobs.sweep", args={}, run=uuid4(), failures=0, by_person=None)
        sweep(job, {})
        assert [
            n for (n,) in sql(queue, "select id from clearway_jobs.procrastinate_jobs order by 1")
        ] == numbers[1:]
        sql(queue, "update clearway_jobs.procrastinate_events set at = at - interval '90 days'")
        sweep(job, {})
    assert states(queue) == {"todo": 1}


def test_a_database_without_the_tables_is_said_at_once(url: str) -> None:
    with pytest.raises(ConfigError, match="tables"):
        run_worker(url, {}, stop=threading.Event())


def test_arguments_and_reasons_are_in_no_log(queue: str, caplog: pytest.LogCaptureFixture) -> None:
    def task(job: Job, args: dict[str, Any]) -> None:
        raise ValueError("canary-of-the-reason")

    caplog.set_level("DEBUG")
    start(queue, args={"secret": "canary-of-the-arguments"})
    with working(queue, {"task": Spec(task, Retry(attempts=1))}):
        until(lambda: states(queue) == {"failed": 1})
    assert "failed: internal" in caplog.text
    assert "canary" not in caplog.text
