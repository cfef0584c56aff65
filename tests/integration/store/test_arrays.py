"""Numbers and days as one binary parameter."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clearway.store.arrays import Blobs, Days, Ints
from clearway.store.connect import connect

_INTS = st.lists(st.none() | st.integers(-(2**31), 2**31 - 1), max_size=40)
_DAYS = st.lists(st.none() | st.dates(), max_size=40)


@pytest.fixture(scope="module")
def db(server: str) -> Any:
    with connect(server, autocommit=True) as db:
        yield db


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ints=_INTS, days=_DAYS)
def test_arrays_arrive_as_they_were_sent(db: Any, ints: list[int | None], days: list[date | None]) -> None:
    row = db.execute(
        "select %b, %b, pg_typeof(%b)::text, pg_typeof(%b)::text", (Ints(ints), Days(days)) * 2
    ).fetchone()
    assert row == (ints, days, "integer[]", "date[]")


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    runs=st.lists(
        st.tuples(st.none() | st.integers(-9, 9), st.none() | st.dates(), st.integers(0, 3)), max_size=9
    )
)
def test_values_in_a_row_arrive_each_so_many_times(
    db: Any, runs: list[tuple[int | None, date | None, int]]
) -> None:
    numbers, days, times = ([run[nth] for run in runs] for nth in range(3))
    row = db.execute("select %b, %b", (Ints(numbers, times), Days(days, times))).fetchone()
    assert row == tuple([v for run in runs for v in [run[nth]] * run[2]] for nth in range(2))


def test_as_many_times_as_values(db: Any) -> None:
    with pytest.raises(ValueError, match="shorter"):
        db.execute("select %b", (Ints([1, 2], [1]),))


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(blobs=st.lists(st.binary(max_size=40), max_size=40))
def test_strings_of_bytes_arrive_as_they_were_sent(db: Any, blobs: list[bytes]) -> None:
    row = db.execute("select %b, pg_typeof(%b)::text", (Blobs(blobs),) * 2).fetchone()
    assert row == (blobs, "bytea[]")


def test_small_numbers_are_cast_by_the_server(db: Any) -> None:
    assert db.execute("select %b::smallint[]", (Ints([1, None, -3]),)).fetchone() == ([1, None, -3],)


@pytest.mark.parametrize("values", [[2**31], [None, 2**31], [-(2**31) - 1]])
def test_what_does_not_fit_is_an_error_and_no_other_number(db: Any, values: list[int | None]) -> None:
    with pytest.raises(OverflowError):
        db.execute("select %b", (Ints(values),))
