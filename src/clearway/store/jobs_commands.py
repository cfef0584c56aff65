"""`clearway jobs list|show|retry`."""

from __future__ import annotations

import sys
from datetime import UTC
from typing import TYPE_CHECKING

from clearway.records.errors import UsageError
from clearway.records.text import plain

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from datetime import datetime
    from pathlib import Path

    import psycopg

    from .jobs_admin import JobLine, JobSheet


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds `jobs` with its sub-commands."""
    jobs = commands.add_parser("jobs", help="work in the background: what waits, runs or is dead, and why")
    verbs = jobs.add_subparsers(dest="verb", metavar="list|show|retry", required=True)
    listing = verbs.add_parser("list", help="jobs, newest first")
    listing.add_argument("--state", help="waiting, running, retrying, done, dead or cancelled")
    listing.add_argument("--task", help="of this task only")
    listing.add_argument("--before", type=int, metavar="ID", help="older than this job")
    listing.add_argument("--most", type=int, default=50, metavar="N", help="at most so many (50)")
    listing.add_argument("--json", action="store_true")
    listing.set_defaults(func=run_list)
    show = verbs.add_parser("show", help="one job: arguments, steps, failures")
    show.add_argument("id", type=int, metavar="ID")
    show.add_argument("--json", action="store_true")
    show.set_defaults(func=run_show)
    again = verbs.add_parser("retry", help="have dead jobs tried again, from the steps that are not done")
    again.add_argument("ids", type=int, nargs="*", metavar="ID")
    again.add_argument("--all", action="store_true", help="every dead job")
    again.set_defaults(func=run_retry)


def run_list(args: argparse.Namespace) -> int:
    """Prints jobs."""
    from .jobs_admin import listed

    with _owner(args.home) as db:
        found = listed(db, state=args.state, task=args.task, before=args.before, most=args.most)
    if args.json:
        return _json(found)
    for job in found:
        print(_line(job))
    if not found:
        print("no such jobs")
    return 0


def run_show(args: argparse.Namespace) -> int:
    """Prints one job."""
    from .jobs_admin import shown

    with _owner(args.home) as db:
        sheet = shown(db, args.id)
    if args.json:
        return _json(sheet)
    print("\n".join(_sheet(sheet)))
    return 0


def run_retry(args: argparse.Namespace) -> int:
    """Retries dead jobs, and says how many."""
    from .jobs_admin import listed, retry

    if bool(args.ids) == args.all:
        raise UsageError("which jobs?", mend="give their numbers, or --all")
    with _owner(args.home) as db:
        ids = [job.id for job in listed(db, state="dead", most=100_000)] if args.all else args.ids
        for number in ids:
            retry(db, number)
    print(f"{len(ids)} {'job waits' if len(ids) == 1 else 'jobs wait'} for a worker")
    return 0


def _owner(home: Path) -> AbstractContextManager[psycopg.Connection]:
    from contextlib import contextmanager

    from .connect import connect
    from .migrate import migrate
    from .server import lease

    @contextmanager
    def transaction() -> Iterator[psycopg.Connection]:
        with lease(home) as url:
            migrate(url)
            with connect(url) as db:
                yield db

    return transaction()


def _json(answer: object) -> int:
    import msgspec

    sys.stdout.write(msgspec.json.encode(answer).decode() + "\n")
    return 0


def _line(job: JobLine) -> str:
    parts = [f"{job.id:>8}  {job.state:<9}  {plain(job.task, 60):<28}"]
    if job.since:
        parts.append(_utc(job.since))
    if job.done is not None:
        parts.append(
            f"{job.done:,} of {job.total:,} {plain(job.what, 60)}" if job.total else plain(job.what, 60)
        )
    if job.code and job.state in ("dead", "retrying"):
        parts.append(f"{job.code}: {plain(job.reason, 120)}")
    return "  ".join(parts).rstrip()


def _utc(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%SZ}"


def _sheet(sheet: JobSheet) -> list[str]:
    import msgspec

    job = sheet.job
    lines = [
        _line(job),
        f"  queue {plain(job.queue, 60)}, attempts {job.attempts}, by "
        + ("the program" if job.by_person is None else f"person {job.by_person}"),
        f"  arguments {plain(msgspec.json.encode(sheet.args).decode(), 2000)}",
    ]
    if sheet.lock:
        lines.append(f"  lock {plain(sheet.lock, 200)}")
    if job.starts and job.state in ("waiting", "retrying"):
        lines.append(f"  not before {_utc(job.starts)}")
    lines += [f"  done: {plain(step, 200)}" for step in sheet.steps]
    lines += [f"  {_utc(f.at)}  {f.code}: {plain(f.reason, 400)}" for f in sheet.failures]
    return lines
