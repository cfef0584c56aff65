"""`clearway jobs`, and the worker as the command runs it."""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from jobs_workers import sql, until
from store_homes import environment

from clearway.app import worker
from clearway.records.errors import ConfigError, NotFoundError, UsageError
from clearway.store import jobs, jobs_commands
from clearway.store.connect import connect
from clearway.store.server import lease
from database import home, made_home  # noqa: F401
from intake_world import with_database

RUN = """
import argparse, sys
from pathlib import Path
from clearway.app import worker
parser = argparse.ArgumentParser()
worker.add_commands(parser.add_subparsers(dest="command"))
args = parser.parse_args(["worker", *sys.argv[2:]])
args.home, args.quiet = Path(sys.argv[1]), False
sys.exit(args.func(args))
"""


def _jobs(folder: Path, *words: str) -> int:
    parser = argparse.ArgumentParser()
    jobs_commands.add_commands(parser.add_subparsers(dest="command"))
    args = parser.parse_args(["jobs", *words])
    args.home, args.quiet = folder, False
    return int(args.func(args))


def test_the_operator_lists_shows_and_retries(
    home: Path,  # noqa: F811
    capsys: pytest.CaptureFixture[str],
) -> None:
    with lease(home) as url:
        assert _jobs(home, "list") == 0
        assert capsys.readouterr().out == "no such jobs\n"
        with connect(url) as db:
            number = jobs.defer(db, "feeds.pull", {"feed": "\x1b[31mred"}, lock="feed/1")
            db.execute("update clearway_jobs.procrastinate_jobs set status = 'failed', attempts = 8")
            db.execute(
                "insert into clearway.job_run (job, run, failures) values (%s, gen_random_uuid(), 8)",
                (number,),
            )
            db.execute("insert into clearway.job_step (job, step) values (%s, 'fetched')", (number,))
            db.execute(
                "insert into clearway.job_failure (job, code, reason) values (%s, 'upstream', E'gone\\x1b[31m')",
                (number,),
            )
        assert _jobs(home, "list", "--state", "dead") == 0
        shown = capsys.readouterr().out
        assert shown.startswith(f"{number:>8}  dead       feeds.pull")
        assert "upstream: gone\ufffd[31m" in shown
        assert _jobs(home, "show", str(number)) == 0
        shown = capsys.readouterr().out
        assert "done: fetched" in shown
        assert "lock feed/1" in shown
        assert "\x1b" not in shown
        assert _jobs(home, "show", str(number), "--json") == 0
        sheet: dict[str, Any] = json.loads(capsys.readouterr().out)
        assert (sheet["job"]["state"], sheet["args"], sheet["steps"]) == (
            "dead",
            {"feed": "\x1b[31mred"},
            ["fetched"],
        )
        assert _jobs(home, "retry", "--all") == 0
        assert capsys.readouterr().out == "1 job waits for a worker\n"
        assert _jobs(home, "list", "--json") == 0
        (line,) = json.loads(capsys.readouterr().out)
        assert (line["state"], line["failures"]) == ("waiting", 0)
        for words in (["retry"], ["retry", "1", "--all"]):
            with pytest.raises(UsageError):
                _jobs(home, *words)
        with pytest.raises(NotFoundError):
            _jobs(home, "show", "99")


def test_the_command_works_until_it_is_told_to_stop(home: Path) -> None:  # noqa: F811
    with lease(home) as url:
        child = subprocess.Popen(
            [sys.executable, "-c", RUN, str(home)], env=environment(), stderr=subprocess.PIPE, text=True
        )
        try:
            assert child.stderr is not None
            assert child.stderr.readline() == "the worker takes jobs\n"
            with connect(url) as db:
                number = jobs.defer(db, "jobs.sweep", {})
            state = "select status::text from clearway_jobs.procrastinate_jobs where id = %s"
            until(lambda: sql(url, state, number) == [("succeeded",)])
            os.kill(child.pid, signal.SIGTERM)
            assert child.wait(15) == 0
            assert child.stderr.read() == ""
        finally:
            child.kill()
            child.communicate()
        assert sql(url, "select from clearway_jobs.procrastinate_workers") == []


def test_beside_a_server_the_worker_begins_and_ends_with_the_block(home: Path) -> None:  # noqa: F811
    with lease(home) as url:
        with worker.Beside(url, home) as beside:
            until(lambda: beside.ready)
            assert sql(url, "select count(*) from clearway_jobs.procrastinate_workers") == [(1,)]
        assert not beside.ready
        assert sql(url, "select from clearway_jobs.procrastinate_workers") == []


def test_two_rooms_with_one_name_for_a_task_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    for room, text in {
        "roomone": "TASKS = {'a': lambda job, args: None}",
        "roomtwo": "TASKS = {'b': lambda job, args: None}\nLOOPS = {'c': ('', 1.0, lambda connect: None)}",
        "roomthree": "TASKS = {'a': lambda job, args: None}",
        "roomfour": None,
        "roomfive": "def tasks(home, url): return {f'{home}.{url}': lambda job, args: None}",
    }.items():
        (tmp_path / room).mkdir()
        (tmp_path / room / "__init__.py").touch()
        if text:
            (tmp_path / room / "tasks.py").write_text(text)
    tasks, loops = worker.joined(Path("home"), "url", ["roomone", "roomtwo", "roomfour", "roomfive"])
    assert (sorted(tasks), sorted(loops)) == (["a", "b", "home.url"], ["c"])
    with pytest.raises(ConfigError, match="'a'"):
        worker.joined(Path("home"), "url", ["roomone", "roomthree"])


def test_the_rooms_tasks_join(tmp_path: Path, server: str) -> None:
    tasks, loops = worker.joined(tmp_path, with_database(server, "made"))
    assert tasks
    assert all("." in name for name in (*tasks, *loops)), "named by their room"
