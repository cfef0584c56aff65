"""Reading by a single statement, in one round trip: as through a connection, and nothing more."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clearway.records.errors import BusyError, ClearwayError
from clearway.store.connect import connect
from clearway.store.migrate import migrate
from clearway.store.peek import Peek, UnfitError
from clearway.store.principal import PUBLIC, Pool

EVERYTHING = """select 7, 7::bigint, 1.50::numeric, 1.5::float8, true, null, 'ä\n', '{1,2}'::int[], '{a,"b c"}'::text[],
    '2026-11-27'::date, '2026-11-27T12:00:00.5Z'::timestamptz, interval '1 day', '{"a": [1]}'::jsonb, '\\xff00'::bytea,
    b'0101'::varbit, row(1, 'x')::text"""


@pytest.fixture(scope="module")
def pool(server: str) -> Iterator[Pool]:
    migrate(server)
    with Pool(server, size=1) as made:
        yield made


def through(pool: Pool, query: str, *params: object) -> list[Any]:
    with pool.acting(PUBLIC) as db:
        return db.execute(query, params).fetchall()  # type: ignore[arg-type]


def test_every_kind_of_value_is_as_through_a_connection(pool: Pool) -> None:
    assert Peek(pool, PUBLIC).execute(EVERYTHING).fetchall() == through(pool, EVERYTHING)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(-(2**63), 2**63 - 1), st.text(st.characters(exclude_characters="\0", codec="utf-8")))
def test_numbers_and_texts_come_as_they_were_given(pool: Pool, number: int, text: str) -> None:
    query = "select %s, %s, %s is null"
    (row,) = Peek(pool, PUBLIC).execute(query, (number, text, text))
    assert row == (number, text, False)


def test_rows_are_handed_out_as_a_cursor_does(pool: Pool) -> None:
    rows = Peek(pool, PUBLIC).execute("select n from generate_series(1, %s) n", (3,))
    assert rows.fetchone() == (1,)
    assert list(rows) == [(2,), (3,)]
    assert rows.fetchone() is None
    assert Peek(pool, PUBLIC).execute("select 1 where false").fetchall() == []


def test_who_asks_is_who_the_key_says_and_nobody_without_one(pool: Pool) -> None:
    query = "select current_user::text, clearway.actor(), pg_current_xact_id_if_assigned() is null"
    assert Peek(pool, PUBLIC).execute(query).fetchall() == [("clearway_app", -1, True)]
    unknown = Peek(pool, "0" * 64)
    assert unknown.execute("select asset from clearway.asset").fetchall() == []
    with pytest.raises(ClearwayError, match="no principal's key"):
        Peek(pool, "not a key").execute("select 1")


@pytest.mark.parametrize(
    ("query", "params"),
    [
        ("select %s", ({"a": 1},)),
        ("select %s", (1.5,)),
        ("select %s", (True,)),
        ("select %s", (None,)),
        ("select %s", (2**63,)),
        ("select %s", ("a\0b",)),
        ("select %s, %s", (1,)),
        ("select %(a)s", {"a": 1}),
        ("select 'a' like '%%'", ()),
        (psycopg.sql.SQL("select 1"), ()),
        ("create temporary table x (n int)", ()),
        ("select clearway.log_append('asset.added', 'asset/1', '', 0, '')", ()),
        ("select nextval('clearway.remarked_remarked_seq')", ()),
    ],
)
def test_what_is_more_than_reading_by_numbers_and_texts_is_for_a_transaction(
    pool: Pool, query: Any, params: Any
) -> None:
    with pytest.raises((UnfitError, ClearwayError)) as found:
        Peek(pool, PUBLIC).execute(query, params)
    if not str(query).startswith(
        ("select clearway", "select next")
    ):  # refused for want of a right, before that
        assert isinstance(found.value, UnfitError)
    assert through(pool, "select 1") == [(1,)]


def test_a_second_statement_is_for_a_transaction(pool: Pool) -> None:
    peek = Peek(pool, PUBLIC)
    peek.execute("select 1")
    with pytest.raises(UnfitError):
        peek.execute("select 2")


def test_one_that_fails_is_told_and_leaves_nothing_behind(pool: Pool) -> None:
    for wrong in ("select 1 / 0", "select nothing_of_that_name", "select 1; select 2"):
        with pytest.raises((ClearwayError, psycopg.Error)):
            Peek(pool, PUBLIC).execute(wrong)
        assert Peek(pool, PUBLIC).execute("select 2").fetchall() == [(2,)]
    assert Peek(pool, PUBLIC).execute("select set_config('search_path', 'pg_temp', false)").fetchone()
    assert Peek(pool, PUBLIC).execute("show search_path").fetchall() == through(pool, "show search_path")
    with pool.acting(PUBLIC) as db:
        assert db.execute("show transaction_read_only").fetchone() == ("off",)


def test_another_connection_is_taken_when_one_was_ended(pool: Pool, server: str) -> None:
    for _ in range(3):
        ((pid,),) = Peek(pool, PUBLIC).execute("select pg_backend_pid()")
        with connect(server, autocommit=True) as other:
            other.execute("select pg_terminate_backend(%s, 10000)", (pid,))
        ((another,),) = Peek(pool, PUBLIC).execute("select pg_backend_pid()")
        assert another != pid


def test_it_is_given_up_in_the_time_of_its_bounds(server: str) -> None:
    with Pool(server, size=1, look={"statement_timeout": "50ms"}) as bounded:
        with pytest.raises(BusyError):
            Peek(bounded, PUBLIC, look=True).execute("select pg_sleep(5)")
        assert Peek(bounded, PUBLIC).execute("select pg_sleep(0.1)").fetchall() == [("",)]
