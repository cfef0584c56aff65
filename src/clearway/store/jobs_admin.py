"""Jobs as the operator sees them: which wait, run or are dead, why, and another try."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, get_args

from msgspec import Struct

from clearway.records.errors import ConflictError, NotFoundError, UsageError

from .connect import translated
from .scalar import scalar

if TYPE_CHECKING:
    import psycopg

State = Literal["waiting", "running", "retrying", "done", "dead", "cancelled"]
STATES: tuple[str, ...] = get_args(State)


class JobLine(Struct, frozen=True, kw_only=True):
    """One job."""

    id: int
    task: str
    queue: str
    state: State
    failures: int  # since it was started, or retried by hand
    attempts: int
    starts: datetime | None  # not before
    since: datetime | None  # its last change of state
    by_person: int | None  # None: the program itself
    done: int | None
    total: int | None
    what: str
    code: str  # of the last failure
    reason: str


class Failure(Struct, frozen=True, kw_only=True):
    """One failed attempt."""

    at: datetime
    code: str
    reason: str


class JobSheet(Struct, frozen=True, kw_only=True):
    """One job with all that is known of it."""

    job: JobLine
    args: dict[str, Any]
    lock: str
    steps: tuple[str, ...]  # that are done, in their order
    failures: tuple[Failure, ...]  # oldest first


_LINE = """
select * from (
    select j.id, j.task_name::text as task, j.queue_name::text as queue,
        clearway.job_state(j.status, r.failures) as state, coalesce(r.failures, 0) as failures, j.attempts,
        j.scheduled_at as starts,
        (select max(e.at) from clearway_jobs.procrastinate_events e where e.job_id = j.id and e.type <> 'scheduled')
            as since,
        o.by_person, p.done, p.total, coalesce(p.what, '') as what, coalesce(f.code, '') as code,
        coalesce(f.reason, '') as reason
    from clearway_jobs.procrastinate_jobs j
        left join clearway.job_run r on r.job = j.id
        left join clearway.job_origin o on o.job = j.id
        left join clearway.job_progress p on p.job = j.id
        left join lateral (select code, reason from clearway.job_failure f where f.job = j.id
            order by f.failure desc limit 1) f on true
    where (%(id)s::bigint is null or j.id = %(id)s) and (%(task)s::text is null or j.task_name = %(task)s)
        and (%(before)s::bigint is null or j.id < %(before)s)
) found where %(state)s::text is null or state = %(state)s
order by id desc limit %(most)s
"""


def listed(
    db: psycopg.Connection[Any],
    *,
    state: str | None = None,
    task: str | None = None,
    before: int | None = None,
    most: int = 50,
) -> list[JobLine]:
    """Jobs, newest first: of one `state` or `task`, older than the job `before`, at most `most`. The owner's view."""
    if state is not None and state not in STATES:
        raise UsageError(f"no state {state!r}", mend="one of: " + ", ".join(STATES))
    return _lines(db, id=None, state=state, task=task, before=before, most=most)


def _lines(db: psycopg.Connection[Any], **filters: object) -> list[JobLine]:
    with translated():
        rows = db.execute(_LINE, filters).fetchall()
    return [JobLine(**dict(zip(JobLine.__struct_fields__, row, strict=True))) for row in rows]


def shown(db: psycopg.Connection[Any], job: int) -> JobSheet:
    """Everything about one job.

    Raises:
        NotFoundError: there is none of that number; those that are done go after a week, dead ones after 90 days.
    """
    lines = _lines(db, id=job, state=None, task=None, before=None, most=1)
    if not lines:
        raise NotFoundError("no such job", where=f"job {job}", mend="see `clearway jobs list`")
    with translated():
        row = db.execute(
            "select coalesce(args -> 'args', args), coalesce(lock, '') from clearway_jobs.procrastinate_jobs"
            " where id = %s",
            (job,),
        ).fetchone()
        steps = db.execute("select step from clearway.job_step where job = %s order by at", (job,)).fetchall()
        failures = db.execute(
            "select at, code, reason from clearway.job_failure where job = %s order by failure", (job,)
        ).fetchall()
    args, lock = row or ({}, "")
    return JobSheet(
        job=lines[0],
        args=args,
        lock=lock,
        steps=tuple(step for (step,) in steps),
        failures=tuple(Failure(at=at, code=code, reason=reason) for at, code, reason in failures),
    )


def retry(db: psycopg.Connection[Any], job: int) -> None:
    """Has a dead job tried again, from the steps that it has not done, with all its attempts before it.

    Raises:
        NotFoundError: there is none of that number.
        ConflictError: it is not dead, or another job that waits does its work.
    """
    with translated():
        row = db.execute(
            "select status::text from clearway_jobs.procrastinate_jobs where id = %s for update", (job,)
        ).fetchone()
        if row is None:
            raise NotFoundError(
                "no such job", where=f"job {job}", mend="see `clearway jobs list --state dead`"
            )
        if row[0] != "failed":
            raise ConflictError("only a dead job is retried by hand", where=f"job {job}")
        db.execute("update clearway.job_run set failures = 0 where job = %s", (job,))
        waits = scalar(db, "select clearway.job_again(%s, now())", (job,))
        if waits != job:
            raise ConflictError(
                f"job {waits}, which waits under the same key, does its work", where=f"job {job}"
            )
        db.execute(
            "select pg_notify('procrastinate_any_queue_v1',"
            " json_build_object('type', 'job_inserted', 'job_id', %s::bigint)::text)",
            (job,),
        )


class LoopState(Struct, frozen=True, kw_only=True):
    """A loop that somebody has run: since when the present one does, and its failure, if it fails."""

    name: str
    since: datetime
    failed: datetime | None
    code: str
    reason: str


class Health(Struct, frozen=True, kw_only=True):
    """How the background is doing. `due_s`: how long the longest due job has been waiting, 0 when none is due."""

    workers: int  # with a heartbeat in the last 20 s
    waiting: int
    due: int
    due_s: float
    running: int
    dead: int
    lost: int  # at work by the table, and their worker has been silent for a minute: nobody takes them over
    loops: tuple[LoopState, ...]


_HEALTH = """
select (select count(*) from clearway_jobs.procrastinate_workers
        where abs(extract(epoch from now() - last_heartbeat)) <= 20),
    count(*) filter (where j.status = 'todo'),
    count(*) filter (where j.status = 'todo' and coalesce(j.scheduled_at, now()) <= now()),
    coalesce(extract(epoch from now() - min(coalesce(j.scheduled_at, e.at))
        filter (where j.status = 'todo' and coalesce(j.scheduled_at, now()) <= now())), 0)::float8,
    count(*) filter (where j.status = 'doing'), count(*) filter (where j.status = 'failed'),
    count(*) filter (where j.status = 'doing' and (w.id is null or w.last_heartbeat < now() - interval '1 minute')
        and s.at < now() - interval '1 minute')
from clearway_jobs.procrastinate_jobs j
    left join clearway_jobs.procrastinate_events e on e.job_id = j.id and e.type = 'deferred' and j.status = 'todo'
    left join clearway_jobs.procrastinate_workers w on w.id = j.worker_id
    left join lateral (select max(at) as at from clearway_jobs.procrastinate_events
        where job_id = j.id and type = 'started' and j.status = 'doing') s on true
where j.status in ('todo', 'doing', 'failed')
"""


def health(db: psycopg.Connection[Any]) -> Health:
    """Counts, for `doctor` and whoever watches. The owner's view."""
    with translated():
        row = db.execute(_HEALTH).fetchone()
        loops = db.execute(
            "select name, since, failed, code, reason from clearway.job_loop order by name"
        ).fetchall()
    assert row is not None
    counts = dict(zip(("workers", "waiting", "due", "due_s", "running", "dead", "lost"), row, strict=True))
    states = tuple(LoopState(**dict(zip(LoopState.__struct_fields__, r, strict=True))) for r in loops)
    return Health(**counts, loops=states)
