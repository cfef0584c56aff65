"""procrastinate's queue with a fence: a worker that lost a job to another can't end it any more."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from msgspec import Struct
from procrastinate.connector import BaseAsyncConnector
from procrastinate.jobs import Job, Status
from procrastinate.manager import JobManager

from .migrate import NUMBER
from .release import Release

_NEXT = "select * from clearway.next_job(%(queues)s::varchar[], %(worker_id)s::bigint)"
_END = "select clearway.end_job(%(job)s::bigint, %(worker)s::bigint, %(status)s::text, %(again)s::timestamptz) as done"
FAILED = """
with failed as (
    update clearway.job_run set failures = failures + 1 where job = %(job)s and run = %(run)s
    returning job, failures
), noted as (
    insert into clearway.job_failure (job, code, reason) select job, %(code)s, %(reason)s from failed
)
select failures from failed
"""
_UNKNOWN_AGAIN_S = 60.0
_UNKNOWN_ATTEMPTS = 60  # an hour for a newer worker to come


class Taken(Struct, frozen=True):
    """What a worker knows of an attempt that it has begun."""

    run: UUID
    failures: int
    by_person: int | None


class FencedManager(JobManager):
    """Takes and ends jobs through `clearway.next_job` and `clearway.end_job` (migration 0004).

    What belongs to an attempt and has no place in the package's `Job` is in `taken`, by the job's number,
    until the task takes it out.
    """

    def __init__(
        self,
        connector: BaseAsyncConnector,
        known: Iterable[str],
        stopping: Callable[[], bool],
        release: Release,
    ) -> None:
        super().__init__(connector)
        self._release = release
        self._stopping = stopping
        self.taken: dict[int, Taken] = {}
        self._known = frozenset(known)

    async def fetch_job(self, queues: Iterable[str] | None, worker_id: int) -> Job | None:
        """The next job, now this worker's; None when none may start, or this worker is to stop, or is outdated."""
        if self._stopping() or await self._is_outdated():
            return None
        named = None if queues is None else list(queues)
        rows = await self.connector.execute_query_all_async(_NEXT, queues=named, worker_id=worker_id)
        if not rows:
            return None
        row = rows[0]
        self.taken[row["id"]] = Taken(row["run"], row["failures"], row["by_person"])
        return Job.from_row(row)

    async def _is_outdated(self) -> bool:
        if self._release.due():
            row = await self.connector.execute_query_one_async(NUMBER)
            self._release.told(row["number"] or "")
        return self._release.is_outdated

    async def finish_job(self, job: Job, status: Status, delete_job: bool) -> None:
        """Ends this worker's attempt; does nothing when the job was taken from it."""
        if job.task_name not in self._known:
            # Perhaps a newer worker knows it: during an upgrade both are at work.
            taken = self.taken.pop(job.id or 0)
            reason = f"this release has no task {job.task_name!r}"
            rows = await self.connector.execute_query_all_async(
                FAILED, job=job.id, run=taken.run, code="task-unknown", reason=reason
            )
            if rows and rows[0]["failures"] < _UNKNOWN_ATTEMPTS:
                await self.retry_job(job, datetime.now(UTC) + timedelta(seconds=_UNKNOWN_AGAIN_S))
                return
        await self._end(job, status.value, None)

    async def retry_job(
        self,
        job: Job,
        retry_at: datetime | None = None,
        priority: int | None = None,
        queue: str | None = None,
        lock: str | None = None,
    ) -> None:
        """Has the job wait until `retry_at`; does nothing when it was taken from this worker."""
        await self._end(job, "", retry_at or datetime.now(UTC))

    async def _end(self, job: Job, status: str, again: datetime | None) -> None:
        arguments: dict[str, Any] = {"job": job.id, "worker": job.worker_id, "status": status, "again": again}
        await self.connector.execute_query_one_async(_END, **arguments)
