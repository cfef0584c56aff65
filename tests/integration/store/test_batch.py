"""Several statements in one round trip."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import errors

from clearway.records.errors import UpstreamError
from clearway.store import batch
from clearway.store.connect import connect
from clearway.store.migrate import migrate
from clearway.store.principal import PUBLIC, Pool


@pytest.fixture
def db(server: str) -> Iterator[psycopg.Connection[Any]]:
    with connect(server, autocommit=True) as db:
        db.execute("create temporary table said (n serial, word text)")
        yield db


def _said(db: psycopg.Connection[Any]) -> list[Any]:
    return db.execute("select word from said order by n").fetchall()


def test_they_run_in_their_order_with_their_parameters(db: psycopg.Connection[Any]) -> None:
    add = b"insert into said (word) values ($1)"
    batch.execute(db, [(b"begin", None), (add, [b"one"]), (add, [b"'; drop table said --"])])
    assert db.info.transaction_status == psycopg.pq.TransactionStatus.INTRANS
    db.commit()
    assert _said(db) == [("one",), ("'; drop table said --",)]


def test_one_that_fails_leaves_out_the_rest_and_the_connection_goes_on(db: psycopg.Connection[Any]) -> None:
    bad = (b"select 1 / $1::int", [b"0"])
    with pytest.raises(errors.DivisionByZero):
        batch.execute(db, [(b"begin", None), bad, (b"insert into said (word) values ('never')", None)])
    assert db.info.transaction_status == psycopg.pq.TransactionStatus.INERROR
    db.rollback()
    assert _said(db) == []


def test_a_parameter_is_no_part_of_the_text_that_others_are_shown(
    server: str, db: psycopg.Connection[Any]
) -> None:
    batch.execute(db, [(b"select set_config('clearway.principal', $1, false)", [b"a secret of mine"])])
    with connect(server) as other:
        seen = other.execute(
            "select query from pg_stat_activity where pid = %s", (db.info.backend_pid,)
        ).fetchone()
    assert seen is not None
    assert "principal" in seen[0]
    assert "secret" not in seen[0]


def test_a_connection_that_was_ended_meanwhile_is_closed_afterwards(
    server: str, db: psycopg.Connection[Any]
) -> None:
    with connect(server, autocommit=True) as other:
        other.execute("select pg_terminate_backend(%s, 10000)", (db.info.backend_pid,))
    with pytest.raises(psycopg.OperationalError):
        batch.execute(db, [(b"begin", None)])
    assert db.closed


def test_an_interrupt_closes_the_connection(
    server: str, db: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(db, "wait", interrupted)
    with pytest.raises(KeyboardInterrupt):
        batch.execute(db, [(b"begin", None)])
    assert db.closed


def test_the_pool_begins_on_another_connection_when_one_was_ended(server: str) -> None:
    migrate(server)
    with Pool(server, size=2) as pool:
        for _ in range(3):
            with pool.acting(PUBLIC) as acting:
                pid = acting.info.backend_pid
            with connect(server, autocommit=True) as other:
                other.execute("select pg_terminate_backend(%s, 10000)", (pid,))
            with pool.acting(PUBLIC) as acting:
                assert acting.execute("select current_user").fetchone() == ("clearway_app",)


def test_a_setting_that_the_server_refuses_is_told_and_the_pool_goes_on(server: str) -> None:
    migrate(server)
    with Pool(server, size=1, look={"lock_timeout": "no time"}) as pool:
        with pytest.raises(Exception, match="lock_timeout") as found, pool.acting(PUBLIC, look=True):
            pass
        assert not isinstance(found.value, UpstreamError)
        with pool.acting(PUBLIC) as acting:
            assert acting.execute("select 1").fetchone() == (1,)
