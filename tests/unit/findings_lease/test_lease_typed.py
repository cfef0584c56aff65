"""Times as people type them for a lease."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from clearway.findings.lease.typed import moment


@pytest.mark.parametrize(
    ("text", "begins", "ends"),
    [
        pytest.param("2026-12-01", (2026, 12, 1), (2026, 12, 2), id="a day alone is all of it"),
        pytest.param("2026-12-31", (2026, 12, 31), (2027, 1, 1), id="the last of a year"),
        pytest.param("2026-12-01T00:00", (2026, 12, 1), (2026, 12, 1), id="an hour is that hour"),
        pytest.param("2026-12-01T01:00+01:00", (2026, 12, 1), (2026, 12, 1), id="in another zone"),
    ],
)
def test_a_lease_until_a_day_ends_with_it(text: str, begins: tuple[int, ...], ends: tuple[int, ...]) -> None:
    assert moment(f" {text} ") == datetime(*begins, tzinfo=UTC)  # type: ignore[misc, arg-type]
    assert moment(text, to_end=True) == datetime(*ends, tzinfo=UTC)  # type: ignore[misc, arg-type]
    assert moment("  ", to_end=True) is None


@pytest.mark.parametrize(
    "text", ["today", "2026-13-01", "9999-12-31", "0001-01-01T00:00+05:00", "2026-12-01T25:00"]
)
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        moment(text, to_end=True)
