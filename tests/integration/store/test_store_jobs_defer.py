"""Starting jobs: inside the act's transaction, by whom, and what each then sees of them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import datetime

import pytest
from jobs_workers import a_database, an_empty_queue, sql, states, until, working  # noqa: F401

from clearway.records.errors import ConfigError, ConflictError, ForbiddenError, InputError
from clearway.store import jobs
from clearway.store.connect import connect
from clearway.store.jobs import Job
from people import People, Somebody, people_of

TABLES = (
    "clearway_jobs.procrastinate_jobs",
    "clearway_jobs.procrastinate_events",
    "clearway_jobs.procrastinate_workers",
    "clearway_jobs.procrastinate_periodic_defers",
    *(f"clearway.job_{t}" for t in ("allowed", "origin", "run", "step", "progress", "failure", "loop")),
)


@pytest.fixture(scope="module")
def everybody(database: str) -> Iterator[People]:
    yield from people_of(database)


@pytest.fixture
def people(everybody: People, queue: str) -> People:
    return everybody


@pytest.fixture(scope="module")
def olga(everybody: People) -> Somebody:
    return everybody.somebody(everybody.org("utility"), "operator")


@pytest.fixture(scope="module")
def paul(everybody: People) -> Somebody:
    return everybody.somebody(everybody.org("bank"), "operator")


def allow(people: People, task: str, *, own: bool = False) -> None:
    with people.owner() as db:
        db.execute("insert into clearway.job_allowed (task, own) values (%s, %s)", (task, own))


def test_a_job_of_an_act_that_did_not_happen_does_not_happen(queue: str) -> None:
    with connect(queue) as db:
        jobs.defer(db, "any", {})
        db.rollback()
        number = jobs.defer(db, "any", {"asset": 17}, queue="bulk", lock="asset/17")
    assert sql(
        queue, "select id, task_name, queue_name, lock, args from clearway_jobs.procrastinate_jobs"
    ) == [(number, "any", "bulk", "asset/17", {"args": {"asset": 17}})]


def test_a_principal_starts_what_is_allowed_and_the_job_knows_who_it_was(
    people: People, olga: Somebody
) -> None:
    allow(people, "rematch")
    seen: list[tuple[int | None, dict[str, object]]] = []
    with people.acting(olga) as db:
        jobs.defer(db, "rematch", {"asset": 17})
    with working(people.url, {"rematch": lambda job, args: seen.append((job.by_person, args))}):
        until(lambda: seen)
    assert seen == [(olga.person, {"asset": 17})]


def test_a_principal_does_not_start_the_programs_own_work(people: People, olga: Somebody) -> None:
    with people.acting(olga) as db, pytest.raises(ForbiddenError, match="not open to people: retention"):
        jobs.defer(db, "retention", {"person": olga.person})
    assert states(people.url) == {}


def test_a_task_for_oneself_is_for_oneself_only(people: People, olga: Somebody, paul: Somebody) -> None:
    allow(people, "digest", own=True)
    for args in ({"person": paul.person}, {}, {"person": [olga.person]}):
        with people.acting(olga) as db, pytest.raises(ForbiddenError, match="oneself"):
            jobs.defer(db, "digest", args)
    with people.acting(olga) as db:
        jobs.defer(db, "digest", {"person": olga.person})
    assert states(people.url) == {"todo": 1}


def test_the_public_and_a_key_that_is_not_valid_start_nothing(people: People, olga: Somebody) -> None:
    allow(people, "rematch")
    with people.acting(None) as db, pytest.raises(ForbiddenError):
        jobs.defer(db, "rematch", {})
    with people.pool.acting("0" * 64) as db, pytest.raises(ForbiddenError):
        jobs.defer(db, "rematch", {})
    assert states(people.url) == {}


def test_the_application_reads_and_changes_no_table_of_jobs(people: People, olga: Somebody) -> None:
    for table in TABLES:
        for statement in (
            f"select from {table}",
            f"delete from {table}",
            f"insert into {table} default values",
        ):
            with pytest.raises(ConfigError, match="permission denied"), people.acting(olga) as db:
                db.execute(statement)  # type: ignore[arg-type]


def test_the_application_does_not_do_a_workers_part(people: People, olga: Somebody) -> None:
    for call in (
        "clearway.next_job(null, 1)",
        "clearway.end_job(1, 1, 'succeeded', null)",
        "clearway_jobs.procrastinate_register_worker_v1()",
        "clearway_jobs.procrastinate_cancel_job_v1(1, true, true)",
    ):
        with pytest.raises(ConfigError, match="permission denied"), people.acting(olga) as db:
            db.execute(f"select {call}")  # type: ignore[arg-type]


def test_everybody_sees_and_takes_back_their_own_jobs_only(
    people: People, olga: Somebody, paul: Somebody
) -> None:
    allow(people, "rematch")
    with people.acting(olga) as db:
        number = jobs.defer(db, "rematch", {})
    with people.owner() as db:
        jobs.defer(db, "rematch", {})
    with people.acting(paul) as db:
        assert jobs.mine(db) == []
        assert jobs.mine(db, job=number) == []
        assert not jobs.cancel(db, number)
    with people.acting(None) as db:
        assert jobs.mine(db) == []
    with people.acting(olga) as db:
        (mine,) = jobs.mine(db)
        assert (mine.id, mine.task, mine.state, mine.failures) == (number, "rematch", "waiting", 0)
        assert jobs.cancel(db, number)
        assert [m.state for m in jobs.mine(db)] == ["cancelled"]
    assert states(people.url) == {"todo": 1, "cancelled": 1}


def test_the_list_of_ones_own_goes_back_in_pages(people: People, olga: Somebody) -> None:
    allow(people, "rematch")
    with people.acting(olga) as db:
        numbers = [jobs.defer(db, "rematch", {"n": n}) for n in range(5)]
        newest = jobs.mine(db, most=2)
        older = jobs.mine(db, before=newest[-1].id, most=2)
    assert [m.id for m in newest + older] == numbers[:0:-1]


def test_who_started_a_job_sees_its_progress_and_the_kind_of_its_failure_but_not_the_reason(
    people: People, olga: Somebody
) -> None:
    allow(people, "rematch")

    def rematch(job: Job, args: dict[str, object]) -> None:
        job.progress(3, 10, "assets")
        raise InputError("a canary that Olga may not see")

    with people.acting(olga) as db:
        jobs.defer(db, "rematch", {})
    with working(people.url, {"rematch": rematch}):
        until(lambda: states(people.url) == {"failed": 1})
    with people.acting(olga) as db:
        (mine,) = jobs.mine(db)
        assert (mine.state, mine.done, mine.total, mine.what, mine.code) == (
            "dead",
            3,
            10,
            "assets",
            "input-invalid",
        )
        assert "canary" not in str(db.execute("select * from clearway.my_jobs(null, null, 10)").fetchall())


def test_a_person_has_at_most_a_thousand_jobs_waiting(people: People, olga: Somebody) -> None:
    allow(people, "rematch")
    with people.acting(olga) as db:
        db.execute(
            "select count(clearway.defer_job('rematch', '{}', 'default', '', null, '', 0))"
            " from generate_series(1, 1000)"
        )
    with people.acting(olga) as db, pytest.raises(ConflictError, match="1,000"):
        jobs.defer(db, "rematch", {})


def test_people_do_not_overtake_the_program(people: People, olga: Somebody) -> None:
    allow(people, "rematch")
    with people.acting(olga) as db:
        jobs.defer(db, "rematch", {}, priority=100)
    with people.owner() as db:
        jobs.defer(db, "rematch", {}, priority=5)
    assert sql(people.url, "select priority from clearway_jobs.procrastinate_jobs order by id") == [
        (0,),
        (5,),
    ]


def _deep(levels: int) -> dict[str, object]:
    made: dict[str, object] = {}
    for _ in range(levels):
        made = {"a": made}
    return made


def test_what_the_queue_can_not_keep_is_refused(queue: str) -> None:
    for words in (
        {"task": ""},
        {"task": "x" * 129},
        {"queue": "q" * 41},  # longer than a channel's name can be
        {"queue": ""},
        {"lock": "x" * 201},
        {"once": "x" * 251},
        {"args": _deep(40)},
        {"at": datetime(2026, 11, 25)},  # without a zone
    ):
        with connect(queue) as db, pytest.raises(InputError):
            jobs.defer(db, **{"task": "any", "args": {}, **words})  # type: ignore[arg-type]
    assert states(queue) == {}


def test_one_job_that_waits_stands_for_all_of_its_key(queue: str) -> None:
    with connect(queue, autocommit=True) as db:
        first = jobs.defer(db, "rematch", {}, once="rematch")
        assert jobs.defer(db, "rematch", {}, once="rematch") == first
        assert jobs.defer(db, "rematch", {}, once="other") != first


def test_a_job_that_stands_for_another_is_not_run_before_what_the_other_changed_can_be_seen(
    queue: str,
) -> None:
    sql(queue, "create table if not exists public.change (n int)")
    seen: list[int] = []

    def rematch(job: Job, args: dict[str, object]) -> None:
        with job.owner() as db:
            seen.append(len(db.execute("select from public.change").fetchall()))

    with connect(queue) as one, connect(queue) as two:
        jobs.defer(one, "rematch", {}, once="rematch")
        one.commit()
        for db in (one, two):  # neither waits for the other
            db.execute("insert into public.change values (1)")
            jobs.defer(db, "rematch", {}, once="rematch")
        with working(queue, {"rematch": rematch}):
            one.commit()
            assert not threading.Event().wait(0.5)
            assert seen == []
            two.commit()
            until(lambda: seen)
    assert seen == [2]


def test_after_a_key_was_taken_to_work_the_next_act_starts_a_new_job(queue: str) -> None:
    began, go = threading.Event(), threading.Event()
    runs: list[int] = []

    def rematch(job: Job, args: dict[str, object]) -> None:
        runs.append(job.id)
        began.set()
        go.wait(10)

    with connect(queue, autocommit=True) as db, working(queue, {"rematch": rematch}):
        jobs.defer(db, "rematch", {}, once="rematch")
        assert began.wait(10)
        jobs.defer(db, "rematch", {}, once="rematch")
        go.set()
        until(lambda: len(runs) == 2)
