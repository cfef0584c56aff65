"""Connections, and what becomes of the driver's errors."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import psycopg
import pytest

from clearway.records.errors import ClearwayError, ConfigError, ConflictError, UpstreamError
from clearway.store.connect import connect, translated
from clearway.store.server import lease, status


def test_a_connection_says_who_it_is_and_finds_our_tables_first(url: str) -> None:
    with connect(url, application_name="clearway test") as connection:
        assert connection.execute("show application_name").fetchone() == ("clearway test",)
        assert connection.execute("show search_path").fetchone() == ("clearway, public, pg_temp",)
        assert connection.execute("show timezone").fetchone() == ("UTC",)
        assert connection.info.transaction_status == psycopg.pq.TransactionStatus.INTRANS


def test_leaving_a_connection_commits_and_an_error_rolls_back(url: str) -> None:
    with connect(url) as connection:
        connection.execute("create table public.committed (n int)")
    connection = connect(url)
    connection.execute("insert into public.committed values (1)")
    connection.__exit__(KeyError, KeyError(), None)
    assert connection.closed
    with connect(url) as connection:
        assert connection.execute("select count(*) from public.committed").fetchone() == (0,)


def test_a_statement_ends_at_its_time_limit(url: str) -> None:
    with (
        pytest.raises(UpstreamError, match="took too long"),
        translated(),
        connect(url, statement_timeout_s=0.05) as connection,
    ):
        connection.execute("select pg_sleep(10)")


def test_waiting_for_a_lock_ends_at_its_limit(url: str) -> None:
    with connect(url) as connection:
        connection.execute("create table public.locked (n int)")
    with connect(url) as holder, connect(url, lock_timeout_s=0.05) as waiter:
        holder.execute("lock table public.locked")
        with pytest.raises(UpstreamError, match="is busy"), translated():
            waiter.execute("select * from public.locked")


def test_nobody_answering_is_an_upstream_error(tmp_path: Path) -> None:
    with pytest.raises(UpstreamError, match=r"gone or can't be reached.*see that the server is up"):
        connect(f"postgresql://x@/y?host={tmp_path}")


def test_a_database_that_does_not_exist_is_a_matter_of_configuration(url: str) -> None:
    with pytest.raises(ConfigError, match="refuses the login"):
        connect(url.replace("/clearway?", "/elsewhere?"))


def test_a_read_only_database_says_how_to_end_that(url: str) -> None:
    with connect(url) as connection:
        connection.execute("set transaction read only")
        with pytest.raises(UpstreamError, match=r"read-only.*primary"), translated():
            connection.execute("create table public.refused (n int)")


def test_a_missing_right_is_a_matter_of_configuration(url: str) -> None:
    with connect(url, autocommit=True) as connection:
        connection.execute("create role weak")
        connection.execute("set role weak")
        with pytest.raises(ConfigError, match="right is missing"), translated():
            connection.execute("create schema refused")


def test_a_missing_table_asks_for_the_migrations(url: str) -> None:
    with (
        pytest.raises(ConfigError, match="not those of this release"),
        translated(),
        connect(url) as connection,
    ):
        connection.execute("select * from nowhere")


def test_a_wrong_statement_is_our_own_mistake_and_does_not_repeat_its_detail(url: str) -> None:
    with connect(url) as connection:
        connection.execute("create table public.guarded (secret text check (secret is null))")
    with pytest.raises(ClearwayError) as caught, translated(), connect(url) as connection:
        connection.execute("insert into public.guarded values ('embargoed')")
    assert caught.value.code == "internal"
    assert "embargoed" not in str(caught.value)


def test_a_server_killed_under_a_query_is_gone_and_the_next_lease_cures_it(home: Path) -> None:
    with lease(home) as url, connect(url) as connection:
        killer = threading.Timer(0.2, os.killpg, (status(home).pid, signal.SIGKILL))
        killer.start()
        with pytest.raises(UpstreamError, match="gone"), translated():
            connection.execute("select pg_sleep(20)")
        killer.join()
        with lease(home) as again:
            connect(again).close()


def test_a_rollback_that_fails_after_an_interrupt_is_not_printed_over_our_own_words(url: str) -> None:
    script = f"""
from clearway.store.connect import connect
connection = connect({url!r}, autocommit=True)
try:
    with connection.transaction():
        connection.pgconn.send_query(b"select pg_sleep(0.2)")  # Ctrl-C finds a statement in work
        raise KeyboardInterrupt
except KeyboardInterrupt:
    print("interrupted")
"""
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=30)
    assert (ended.stdout, ended.stderr) == ("interrupted\n", "")


def test_a_value_that_is_taken_tells_nobody_the_name_of_our_rule(url: str) -> None:
    with connect(url) as connection:
        connection.execute("create temporary table taken (n int constraint secret_rule unique)")
        with pytest.raises(ConflictError) as caught, translated():
            connection.execute("insert into taken values (1), (1)")
        connection.rollback()
    assert caught.value.what == "another process was changing the same rows"
