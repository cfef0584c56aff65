"""When a job is tried again, and what its arguments may be."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearway.records.errors import ConflictError, InputError, NotFoundError, TooLargeError, UpstreamError
from clearway.store.jobs import encoded
from clearway.store.jobs_retry import Retry

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
retries = st.builds(
    lambda first, more, attempts: Retry(first_s=first, longest_s=first + more, attempts=attempts),
    st.floats(0.01, 100),
    st.floats(0, 10_000),
    st.integers(1, 50),
)


@given(retries, st.integers(1, 10_000), st.floats(0, 1))
def test_a_wait_is_never_over_the_longest_and_never_under_half_the_first(
    retry: Retry, failures: int, chance: float
) -> None:
    assert retry.first_s / 2 <= retry.wait_s(failures, chance) <= retry.longest_s


@given(retries, st.integers(1, 1_000), st.floats(0, 1))
def test_waits_grow_with_the_failures(retry: Retry, failures: int, chance: float) -> None:
    assert retry.wait_s(failures, chance) <= retry.wait_s(failures + 1, chance)


def test_waits_double() -> None:
    waits = [Retry(first_s=1, longest_s=60).wait_s(n, 1.0) for n in range(1, 9)]
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60]


def test_what_failed_together_does_not_come_back_together() -> None:
    times = {Retry(first_s=100).next(1, UpstreamError("gone"), NOW) for _ in range(20)}
    assert len(times) == 20
    assert all(time is not None and NOW + timedelta(seconds=50) <= time for time in times)


@pytest.mark.parametrize(
    ("error", "again"),
    [
        pytest.param(UpstreamError("gone"), True, id="a database that is gone comes back"),
        pytest.param(ConflictError("busy"), True, id="a conflict passes"),
        pytest.param(ValueError("?"), True, id="what nobody foresaw may pass"),
        pytest.param(NotFoundError("gone"), False, id="what is not there will not be there"),
        pytest.param(InputError("bad"), False, id="a bad document stays bad"),
        pytest.param(TooLargeError("big"), False, id="children too"),
    ],
)
def test_an_error_that_lasts_ends_the_job_at_once(error: Exception, again: bool) -> None:
    assert (Retry().next(1, error, NOW) is not None) == again


def test_the_last_attempt_is_the_last() -> None:
    retry = Retry(attempts=3)
    assert [retry.next(n, ValueError(), NOW) is not None for n in (1, 2, 3, 4)] == [True, True, False, False]


@pytest.mark.parametrize("values", [{"attempts": 0}, {"first_s": -1.0}, {"first_s": 5.0, "longest_s": 1.0}])
def test_a_policy_that_makes_no_sense_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="attempts"):
        Retry(**values)


def _nested(depth: int) -> dict[str, object]:
    inner: dict[str, object] = {}
    for _ in range(depth):
        inner = {"a": inner}
    return inner


@pytest.mark.parametrize(
    ("args", "kind"),
    [
        pytest.param({"a": object()}, InputError, id="no JSON form"),
        pytest.param({"a": "x\0y"}, InputError, id="a NUL character"),
        pytest.param({"a": "x" * 70_000}, TooLargeError, id="over 64 KiB"),
        pytest.param({"a": "é" * 40_000}, TooLargeError, id="bytes are counted, not characters"),
        pytest.param(_nested(100_000), InputError, id="too deep"),
        pytest.param({"a": "\ud800"}, InputError, id="half a character"),
    ],
)
def test_arguments_that_can_not_be_kept_are_refused(args: dict[str, object], kind: type[Exception]) -> None:
    with pytest.raises(kind) as refused:
        encoded(args, "a.task")
    assert refused.value.where == "a.task"  # type: ignore[attr-defined]


def test_arguments_are_kept_as_they_are() -> None:
    assert encoded({"asset": 17, "name": "é\\u0000", "at": NOW}, "t") == (
        '{"asset":17,"name":"é\\\\u0000","at":"2026-11-25T12:00:00Z"}'
    )
