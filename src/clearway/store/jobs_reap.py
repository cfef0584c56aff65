"""Jobs whose worker is gone, and jobs that ended long ago."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import psycopg

from clearway.records.errors import UpstreamError

from .jobs import Job, Spec

log = logging.getLogger("clearway.jobs")
# A job at work whose worker has no row any more (it left, or was pruned), or has been silent for too long. A heartbeat
# from a time to come was written before the clock was put back: who lives, soon writes another.
_WITHOUT = """
from clearway_jobs.procrastinate_jobs j
left join clearway_jobs.procrastinate_workers w on w.id = j.worker_id
left join clearway.job_run r on r.job = j.id
where j.status = 'doing' and (w.id is null or r.run = any(%(lost)s::uuid[])
    or abs(extract(epoch from now() - w.last_heartbeat)) > %(stalled)s)
"""
_GONE = f"select j.id {_WITHOUT} order by j.id"
_ONE = f"""
select j.task_name::text, coalesce(r.failures, 0) {_WITHOUT} and j.id = %(job)s
for update of j skip locked
"""
_NOTE = """
with failed as (
    insert into clearway.job_run (job, run, failures) values (%(job)s, gen_random_uuid(), 1)
    on conflict (job) do update set failures = job_run.failures + 1, run = excluded.run
)
insert into clearway.job_failure (job, code, reason)
values (%(job)s, 'worker-lost', 'its worker ended without a word')
"""
_AGAIN = "select clearway.job_again(%s, %s)"
_DEAD = "select clearway_jobs.procrastinate_finish_job_v1(%s, 'failed', false)"
# The package tells workers of new jobs only; one that is taken over would wait for the next poll.
_TELL = "select pg_notify('procrastinate_any_queue_v1', json_build_object('type', 'job_inserted', 'job_id', %s)::text)"
_OWN = """
select r.run from clearway_jobs.procrastinate_jobs j join clearway.job_run r on r.job = j.id
where j.status = 'doing' and j.worker_id = %s
"""
_LOST = UpstreamError("its worker ended without a word")


async def attempts_of(db: psycopg.AsyncConnection[Any], worker: int) -> set[UUID]:
    """The attempts that are `worker`'s now by the table: the `run` of each.

    Raises:
        psycopg.Error: the connection is gone.
    """
    return {row[0] for row in await (await db.execute(_OWN, (worker,))).fetchall()}


async def reap(
    db: psycopg.AsyncConnection[Any],
    stalled_s: float,
    lost: Collection[UUID],
    spec_of: Callable[[str], Spec | None],
) -> None:
    """Has the jobs of workers that are gone wait again, and those whose attempt is in `lost`.

    That counts as a failure, so that a job which kills its worker does not do so for ever. The attempt that had it
    can write no more steps, should it still live. Each is taken over by itself: one that can't be is left for the next
    time, and holds up no other.

    Raises:
        psycopg.Error: the connection is gone.
    """
    given = {"stalled": stalled_s, "lost": list(lost)}
    for (job,) in await (await db.execute(_GONE, given)).fetchall():
        try:
            async with db.transaction():
                await _take_over(db, job, given, spec_of)
        except psycopg.Error as error:
            if db.closed or db.broken:
                raise
            log.warning("job %d can't be taken over: %s", job, type(error).__name__)


async def _take_over(
    db: psycopg.AsyncConnection[Any],
    job: int,
    given: dict[str, object],
    spec_of: Callable[[str], Spec | None],
) -> None:
    row = await (await db.execute(_ONE, {**given, "job": job})).fetchone()
    if row is None:  # another worker was quicker
        return
    task, failures = row
    await db.execute(_NOTE, {"job": job})
    retry = (spec_of(task) or Spec(_none)).retry
    now = datetime.now(UTC)
    again = retry.next(failures + 1, _LOST, now)
    if again is None:
        await db.execute(_DEAD, (job,))
        return
    # The first time is most likely the machine's fault, not the job's: at once.
    waits = await (await db.execute(_AGAIN, (job, now if failures == 0 else again))).fetchone()
    await db.execute(_TELL, (waits[0] if waits else job,))


def _none(_: Job, __: dict[str, Any]) -> None:
    """Stands for a task that this release does not have."""


DONE_DAYS, DEAD_DAYS = 7, 90
_BATCH = 1_000
_OLD = """
delete from clearway_jobs.procrastinate_jobs where id in (
    select j.id from clearway_jobs.procrastinate_jobs j
    where j.status = any(%(states)s::clearway_jobs.procrastinate_job_status[])
        and not exists (select from clearway_jobs.procrastinate_events e
            where e.job_id = j.id and e.at > now() - make_interval(days => %(days)s))
    limit %(most)s)
"""


def sweep(job: Job, _: dict[str, Any]) -> None:
    """Removes jobs that were done a week ago, and dead ones after 90 days, with all that is kept of them."""
    kinds = ((DONE_DAYS, ["succeeded", "cancelled", "aborted"]), (DEAD_DAYS, ["failed"]))
    for days, states in kinds:
        gone = _BATCH
        while gone == _BATCH and not job.stopping:
            with job.owner() as db:
                gone = db.execute(_OLD, {"days": days, "states": states, "most": _BATCH}).rowcount


SWEEP = Spec(sweep, cron="17 3 * * *")
