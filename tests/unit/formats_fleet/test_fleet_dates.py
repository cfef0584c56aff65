"""Days and times as tools write them, and what is refused instead of guessed."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from clearway.formats._when import day, moment, order_of
from clearway.records.errors import InputError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("2021-05-13", "2021-05-13T00:00:00", id="ISO 8601 date"),
        pytest.param("2023-06-28T11:50:44.895Z", "2023-06-28T11:50:44", id="Tenable: ISO with milliseconds"),
        pytest.param("2023-06-29T11:50:44.895123456Z", "2023-06-29T11:50:44", id="Trivy: nanoseconds"),
        pytest.param(
            "2025-08-22T23:30:00-02:00", "2025-08-23T01:30:00", id="Greenbone: an offset moves the UTC day"
        ),
        pytest.param("2026-01-02 03:04:05+00", "2026-01-02T03:04:05", id="an offset of hours alone"),
        pytest.param("2021/5/3 7:08", "2021-05-03T07:08:00", id="year first with slashes"),
        pytest.param("Wed May 19 07:00:00 2021", "2021-05-19T07:00:00", id="Nessus: asctime"),
        pytest.param("Wed May 19 07:00:00 2021 UTC", "2021-05-19T07:00:00", id="osquery: calendarTime"),
        pytest.param("Tue, 5 Mar 2024 10:00:00 +0100", "2024-03-05T09:00:00", id="RFC 2822"),
        pytest.param("May 13, 2021 7:08 AM", "2021-05-13T07:08:00", id="month in words, twelve-hour clock"),
        pytest.param("May 13, 2021 12:08 AM", "2021-05-13T00:08:00", id="twelve in the morning is midnight"),
        pytest.param("13-MAY-2021", "2021-05-13T00:00:00", id="day, month in words, year"),
        pytest.param("13.05.2021", "2021-05-13T00:00:00", id="dots are day first wherever they are written"),
        pytest.param("05/13/2021 07:08:28", "2021-05-13T07:08:28", id="a number above 12 tells the order"),
        pytest.param("13/05/2021", "2021-05-13T00:00:00", id="and so does the other"),
        pytest.param("05/05/2021", "2021-05-05T00:00:00", id="both orders are one day"),
        pytest.param("1621407600", "2021-05-19T07:00:00", id="seconds since 1970"),
        pytest.param("1621407600000", "2021-05-19T07:00:00", id="milliseconds since 1970"),
        pytest.param("20210513", "2021-05-13T00:00:00", id="the registry's InstallDate"),
    ],
)
def test_a_time_is_read_in_the_spelling_of_its_tool(text: str, expected: str) -> None:
    found = moment(text, "seen")
    assert found is not None
    assert found.replace(microsecond=0) == datetime.fromisoformat(expected).replace(tzinfo=UTC)


@pytest.mark.parametrize("text", ["", "  ", "N/A", "-", "never", "null"])
def test_a_cell_that_says_nothing_is_no_date_and_no_error(text: str) -> None:
    assert moment(text, "seen") is None


@pytest.mark.parametrize(
    "text",
    ["soon", "44329", "2026-02-30", "2026-13-01", "31/02/2026", "99/99/2026", "01/02/26", "1899-12-30", "9999-12-31",
     "2026-01-01T25:00", "May 2026", "13 Smarch 2026", "x" * 500, "1e9", "٢٠٢٦-٠١-٠١"],
)  # fmt: skip
def test_what_is_no_date_is_refused_with_the_cure(text: str) -> None:
    with pytest.raises(InputError, match="is no date") as refused:
        moment(text, "first_detected")
    assert "YYYY-MM-DD" in refused.value.mend


def test_a_year_out_of_bounds_is_told_as_that() -> None:
    with pytest.raises(InputError, match="`created` is no date between 1990 and 2100: 2999-01-01"):
        moment("2999-01-01T00:00:00Z", "created")


def test_a_date_that_may_be_day_or_month_first_is_refused() -> None:
    with pytest.raises(InputError, match="ambiguous: 02/03/2026"):
        day("02/03/2026", "first_detected")


def test_a_document_proves_its_order_by_one_date_that_has_only_one_reading() -> None:
    assert order_of(["02/03/2026", "05/13/2021", ""]) == "mdy"
    assert order_of(["02/03/2026", "13/05/2021"]) == "dmy"
    assert day("02/03/2026", "x", "mdy") == date(2026, 2, 3)
    assert day("02/03/2026", "x", "dmy") == date(2026, 3, 2)


def test_a_document_with_both_orders_proves_none() -> None:
    assert order_of(["13/05/2021", "05/13/2021"]) == ""
    assert order_of(["02/03/2026", "04/05/2026"]) == ""
