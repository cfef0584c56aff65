"""The life of an embedded server, with real processes that really die."""

from __future__ import annotations

import os
import random
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from store_homes import Holder, wait_gone

from clearway.records.errors import ConfigError, ConflictError
from clearway.store import cluster, locks, place, processes
from clearway.store.connect import connect
from clearway.store.server import lease, status

Hold = Callable[[Path], Holder]


def data(home: Path) -> Path:
    return home / "postgres" / "data"


def remember(url: str, number: int) -> None:
    with connect(url) as connection:
        connection.execute("create table if not exists public.kept (n int primary key)")
        connection.execute("insert into public.kept values (%s)", (number,))


def kept(url: str) -> list[int]:
    with connect(url) as connection:
        return [n for (n,) in connection.execute("select n from public.kept order by n")]


def test_a_lease_makes_a_database_and_its_end_leaves_no_process(new_home: Path) -> None:
    assert status(new_home).running is False
    with lease(new_home) as url:
        assert kept_version(url) >= 180_000
        now = status(new_home)
        assert now.running
        assert now.url == url
        assert now.pid == processes.pid_in_file(data(new_home))
    assert wait_gone(data(new_home), 0)
    assert status(new_home).running is False


def kept_version(url: str) -> int:
    with connect(url) as connection:
        return connection.info.server_version


def test_what_was_committed_is_there_at_the_next_lease(home: Path) -> None:
    with lease(home) as url:
        remember(url, 1)
    with lease(home) as url:
        assert kept(url) == [1]


def test_asking_for_the_status_of_a_home_makes_nothing(new_home: Path) -> None:
    assert status(new_home).embedded
    assert not new_home.exists()


def test_a_lease_inside_a_lease_shares_the_server(home: Path) -> None:
    with lease(home) as outer:
        with lease(home) as inner:
            assert inner == outer
        assert status(home).running, "the inner lease was not the last"


def test_the_server_stays_while_another_process_holds_a_lease(home: Path, hold: Hold) -> None:
    holder = hold(home)
    pid = holder.ready()["pid"]
    with lease(home):
        assert status(home).pid == pid
    assert status(home).running
    assert holder.end() == 0
    assert wait_gone(data(home), 0)


def test_of_eight_starters_at_once_one_starts_and_the_last_one_stops(new_home: Path, hold: Hold) -> None:
    holders = [hold(new_home) for _ in range(8)]
    pids = {holder.ready()["pid"] for holder in holders}
    assert len(pids) == 1
    for holder in holders[:-1]:
        assert holder.end() == 0
    assert status(new_home).running
    assert holders[-1].end() == 0
    assert wait_gone(data(new_home), 0)


def test_the_server_of_a_killed_process_is_stopped_by_the_next_one_to_leave(home: Path, hold: Hold) -> None:
    holder = hold(home)
    pid = holder.ready()["pid"]
    holder.kill()
    with lease(home):
        assert status(home).pid == pid
    assert wait_gone(data(home), 0)


def test_an_interrupted_process_stops_the_server_on_its_way_out(home: Path, hold: Hold) -> None:
    holder = hold(home)
    holder.ready()
    holder.process.send_signal(signal.SIGINT)
    holder.process.communicate(timeout=30)
    assert wait_gone(data(home), 0)


def test_a_killed_server_is_started_again_with_all_that_was_committed(home: Path, hold: Hold) -> None:
    holder = hold(home)
    holder.ready()
    with lease(home) as url:
        remember(url, 1)
        os.kill(status(home).pid, signal.SIGKILL)
    with lease(home) as url:
        assert kept(url) == [1]
    assert status(home).running, "the first process still has its lease"
    assert holder.end() == 0
    assert wait_gone(data(home), 0)


@pytest.mark.parametrize(
    "left",
    [
        pytest.param(
            "{mine}\n{data}\n1\n5432\n{run}\n\n 1 1\nready\n", id="whose pid is now another process"
        ),
        pytest.param("4194303\n{data}\n1\n5432\n{run}\n\n 1 1\nready\n", id="whose pid is gone"),
        pytest.param("12", id="truncated in the first line"),
        pytest.param("", id="empty"),
        pytest.param("not a number\n", id="of garbage"),
    ],
)
def test_a_stale_pid_file_stops_nobody(home: Path, left: str) -> None:
    with lease(home) as url:
        remember(url, 1)
        run = place.make(home).socket_dir()
    text = left.format(mine=os.getpid(), data=data(home), run=run)
    run.mkdir(exist_ok=True)
    for path in (data(home) / "postmaster.pid", run / ".s.PGSQL.5432.lock"):
        path.write_text(text)
    with socket.socket(socket.AF_UNIX) as nobody:
        nobody.bind(str(run / ".s.PGSQL.5432"))  # a socket file that nobody listens on
    with lease(home) as url:
        assert kept(url) == [1]
    assert wait_gone(data(home), 0)


def test_a_pid_file_truncated_under_a_running_server_changes_nothing(home: Path, hold: Hold) -> None:
    holder = hold(home)
    pid = holder.ready()["pid"]
    os.truncate(data(home) / "postmaster.pid", 0)
    with lease(home):
        assert status(home).pid == pid
    holder.end()
    assert wait_gone(data(home), 0)


def test_a_server_whose_socket_was_swept_away_is_replaced(home: Path, hold: Hold) -> None:
    holder = hold(home)
    pid = holder.ready()["pid"]
    (place.make(home).socket_dir() / ".s.PGSQL.5432").unlink()
    with lease(home) as url:
        assert kept_version(url)
        assert status(home).pid != pid


def test_a_start_that_was_killed_while_making_the_database_leaves_nothing_half_done(new_home: Path) -> None:
    where = place.make(new_home)
    (where.unfinished / "base").mkdir(parents=True)
    (where.unfinished / "PG_VERSION").write_text("18\n")
    with lease(new_home) as url:
        assert kept_version(url)
    assert not where.unfinished.exists()


def test_a_starter_killed_while_its_database_is_being_made_does_not_disturb_the_next(
    new_home: Path, hold: Hold
) -> None:
    """Its initdb lives on, and would write into the files of the next one."""
    holder = hold(new_home)
    unfinished = new_home / "postgres" / "data.new"
    assert processes.wait_until(lambda: (unfinished / "PG_VERSION").exists(), 20)
    holder.kill()
    with lease(new_home) as url:
        assert kept_version(url)
    assert not unfinished.exists()
    assert wait_gone(data(new_home), 0)


@pytest.mark.slow
def test_starters_killed_at_any_moment_never_stop_the_next_one(new_home: Path, hold: Hold) -> None:
    chance = random.Random(26)
    for number in range(30):
        if number % 3 == 0:
            shutil.rmtree(new_home, ignore_errors=True)
        starters = [hold(new_home), hold(new_home)]
        time.sleep(chance.uniform(0.05, 0.9))
        for starter in starters:
            starter.kill()
        with lease(new_home) as url:
            assert kept_version(url)
        assert wait_gone(data(new_home), 0)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("two words", id="a space", marks=pytest.mark.slow),
        pytest.param('it\'s "quoted", 100% \\ here', id="quotes, comma, per cent and backslash"),
        pytest.param("überall 日本", id="letters beyond ASCII", marks=pytest.mark.slow),
        pytest.param("/".join(["deep" * 12] * 6), id="a path too long for a socket"),
    ],
)
def test_a_home_may_have_any_name(tmp_path: Path, name: str) -> None:
    home = tmp_path / name
    with lease(home) as url:
        remember(url, 7)
        assert kept(url) == [7]
    assert wait_gone(data(home), 0)


def test_a_home_reached_by_a_link_is_the_same_home(home: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(home)
    with lease(home) as url, lease(tmp_path / "link") as same:
        assert url == same


def test_a_copy_of_a_home_has_a_server_of_its_own(home: Path) -> None:
    with lease(home) as url:
        remember(url, 1)
    copied = home.with_name("copied")
    subprocess.run(
        ["cp", "-a", str(home), str(copied)], check=True
    )  # with the note of where the first one answers
    with lease(home) as url, lease(copied) as other:
        remember(other, 2)
        assert (kept(url), kept(other)) == ([1], [1, 2])


def test_the_log_is_set_aside_at_each_start_and_five_old_ones_are_kept(home: Path) -> None:
    with lease(home):
        pass
    logs = home / "postgres" / "log"
    assert {path.name for path in logs.iterdir()} == {"server.log", "server.log.1"}
    for number in range(2, 10):
        (logs / "server.log").write_text(f"start {number}")
        cluster._rotate(logs / "server.log")
    assert sorted(path.name for path in logs.iterdir()) == [f"server.log.{n}" for n in range(1, 6)]
    assert (logs / "server.log.1").read_text() == "start 9"


def test_the_log_does_not_hold_what_is_in_a_statement_that_fails(home: Path) -> None:
    with lease(home) as url:
        with pytest.raises(Exception, match="invalid input"), connect(url) as connection:
            connection.execute("select 'embargoed'::text, 'x'::int")
        assert "embargoed" not in (home / "postgres" / "log" / "server.log").read_text()


def test_what_the_owner_sets_in_local_conf_wins(home: Path) -> None:
    with lease(home):
        pass
    (data(home) / "local.conf").write_text("work_mem = '5MB'\n")
    (data(home) / "local.conf").chmod(0o644)
    with lease(home) as url, connect(url) as connection:
        assert connection.execute("show work_mem").fetchone() == ("5MB",)
        assert connection.execute("show fsync").fetchone() == ("on",)
        assert connection.execute("show synchronous_commit").fetchone() == ("on",)


def test_a_setting_that_the_server_refuses_is_named(home: Path) -> None:
    with lease(home):
        pass
    (data(home) / "local.conf").write_text("shared_buffers = 'plenty'\n")
    (data(home) / "local.conf").chmod(0o644)
    with pytest.raises(Exception, match=r"shared_buffers|configuration file") as caught, lease(home):
        pass
    assert "server.log" in str(caught.value)


def test_a_database_of_another_postgresql_is_refused_with_the_way_out(home: Path) -> None:
    with lease(home):
        pass
    (data(home) / "PG_VERSION").write_text("17\n")
    with pytest.raises(ConfigError, match=r"PostgreSQL 17.*dump it"), lease(home):
        pass


def test_no_second_server_works_on_files_that_one_out_of_sight_works_on(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with lease(home):
        pass
    where = place.make(home)
    elsewhere = locks.open_lock(where.server_lock, where.owner)
    assert locks.try_exclusive(elsewhere, where.server_lock)
    monkeypatch.setattr(cluster, "_GONE_TIMEOUT_S", 0.2)
    try:
        with pytest.raises(ConflictError, match="can't be reached from here"), lease(home):
            pass
    finally:
        os.close(elsewhere)


def test_waiting_for_another_starter_ends(home: Path) -> None:
    where = place.make(home)
    with (
        locks.exclusive(where.start_lock, where.owner, 1),
        pytest.raises(ConflictError, match="starting or stopping"),
        locks.exclusive(where.start_lock, where.owner, 0.1),
    ):
        pass


def test_a_home_that_is_a_file_is_refused(new_home: Path) -> None:
    new_home.write_text("")
    with pytest.raises(ConfigError, match=r"not a directory.*--home"), lease(new_home):
        pass
