"""The seven-day and two-week reports and the overdue list: what is in them, in which state, in which format."""

from __future__ import annotations

import csv
import io
import json
from datetime import date, timedelta
from typing import Any

import pytest
from msgspec.structs import replace
from report_rows import D, asset, report, row

from clearway.directives import load
from clearway.directives.reports import State, state_of
from clearway.directives.reports.as_csv import COLUMNS, cell, remediation_csv
from clearway.directives.reports.as_text import WIDTH, remediation_text
from clearway.directives.reports.counts import total
from clearway.directives.reports.period import period_of, quarter_of, read_kind
from clearway.directives.reports.remediation import Options, as_json, read_report, remediation_report
from clearway.records.errors import InputError, UsageError
from published import validated

BEFORE, AFTER = D - timedelta(days=1), D + timedelta(days=1)


@pytest.mark.parametrize(
    ("given", "state"),
    [
        pytest.param({"due": D}, "due", id="due today is not overdue"),
        pytest.param({"due": BEFORE}, "overdue", id="due yesterday is"),
        pytest.param({"tier": "FSU"}, "no_date", id="fix on system upgrade has no date"),
        pytest.param({"tier": "out_of_scope"}, "out_of_scope", id="no CVE id"),
        pytest.param({"due": BEFORE, "status": "accepted"}, "overdue", id="there is no waiver"),
        pytest.param(
            {"due": BEFORE, "status": "mitigated"}, "overdue", id="a mitigation does not remove the flaw"
        ),
        pytest.param({"due": BEFORE, "status": "not_affected"}, "not_affected", id="found not affected"),
        pytest.param(
            {"due": D, "status": "fixed", "remediated_at": D}, "remediated", id="fixed on the last day"
        ),
        pytest.param(
            {"due": BEFORE, "status": "fixed", "remediated_at": D}, "remediated_late", id="a day late"
        ),
        pytest.param(
            {"tier": "FSU", "status": "fixed", "remediated_at": D}, "remediated", id="fixed without a date"
        ),
        pytest.param(
            {"due": D, "status": "fixed", "remediated_at": AFTER}, "due", id="fixed tomorrow is open today"
        ),
        pytest.param({"due": BEFORE, "status": "fixed"}, "overdue", id="fixed on no day is not believed"),
    ],
)
def test_the_state_of_a_row(given: dict[str, Any], state: State) -> None:
    assert state_of(row(**given), D) == state


@pytest.mark.parametrize("kind", ["seven_day", "two_week", "overdue"])
def test_a_report_under_a_revoked_directive_has_no_items_and_one_of_the_day_before_has_them(
    kind: Any,
) -> None:
    late = row(due=BEFORE - timedelta(days=3))
    for revoked, items in ((AFTER, 1), (D, 0), (BEFORE, 0)):
        made = remediation_report(
            kind, replace(load("bod-26-04"), revoked=revoked, revoked_by="bod-27-01"), [late], as_of=D,
            options=Options(organisation="water"),
        )  # fmt: skip
        assert len(made.items) == items
        assert sum(total(made.counts).values()) == items
        assert any("nothing is due under it" in note for note in made.notes) is (not items)
        validated("directive-report-remediation", as_json(made))


@pytest.mark.parametrize(
    ("kind", "gone", "listed"),
    [
        ("seven_day", D - timedelta(days=6), True),
        ("seven_day", D - timedelta(days=7), False),
        ("two_week", D - timedelta(days=13), True),
        ("two_week", D - timedelta(days=14), False),
        ("overdue", D, False),
    ],
)
def test_what_was_remediated_is_listed_for_the_days_of_the_report(
    kind: str, gone: date, listed: bool
) -> None:
    made = report(row(status="fixed", remediated_at=gone, due=gone), kind=kind)
    assert bool(made.items) is listed


def test_the_overdue_list_has_the_longest_overdue_first() -> None:
    made = report(
        row("CVE-2026-1", due=BEFORE),
        row("CVE-2026-2", due=D),
        row("CVE-2026-3", due=date(2026, 1, 1)),
        kind="overdue",
    )
    assert [(i.flaw, i.days_left) for i in made.items] == [("CVE-2026-3", -353), ("CVE-2026-1", -1)]


def test_the_order_in_which_rows_are_handed_in_changes_nothing() -> None:
    rows = [row(f"CVE-2026-{n}", asset=asset(f"asset/{n % 3}"), due=D) for n in range(9)]
    assert as_json(report(*rows)) == as_json(report(*reversed(rows)))


def test_an_asset_without_items_is_in_the_report_and_in_its_csv() -> None:
    made = report(row(due=D), assets=[asset("asset/9", addresses=("10.0.0.1", "fd00::1"))])
    assert [a.id for a in made.assets] == ["asset/1", "asset/9"]
    lines = list(csv.DictReader(io.StringIO(remediation_csv(made).decode())))
    assert [(line["asset"], line["flaw"]) for line in lines] == [("asset/1", "CVE-2026-1"), ("asset/9", "")]
    assert lines[1]["addresses"] == "10.0.0.1 | fd00::1"


def test_two_tags_for_one_asset_or_one_flaw_twice_is_refused() -> None:
    with pytest.raises(InputError, match="two sets of tags"):
        report(row(due=D), assets=[asset("asset/1", exposure="public")])
    with pytest.raises(InputError, match="twice"):
        report(row(due=D), row(due=D))


@pytest.mark.parametrize("what", ["detected", "kev_added", "start", "status_since", "remediated_at"])
def test_a_fact_of_a_later_day_is_refused_because_a_replay_would_not_hold(what: str) -> None:
    with pytest.raises(InputError, match=f"{what} {AFTER} is after {D}"):
        report(row(**{what: AFTER}))


def test_a_report_is_by_its_schema_and_reads_back_as_itself() -> None:
    made = report(
        row(
            due=BEFORE,
            detected=BEFORE,
            kev_added=BEFORE,
            start=BEFORE,
            row=2,
            basis="published",
            reasons=("why",),
        ),
        row("CVE-2026-2", status="fixed", remediated_at=D, due=D),
        row("CVE-2026-3", tier="FSU", status="accepted", accepted_until=AFTER, status_since=D),
    )
    validated("directive-report-remediation", as_json(made))
    assert read_report(as_json(made)) == made
    with pytest.raises(InputError, match="not a remediation report"):
        read_report(b"[" * 100_000)


def test_the_counts_are_those_of_the_items() -> None:
    made = report(
        *(row(f"CVE-2026-{n}", due=D - timedelta(days=n % 2)) for n in range(5)), row("CVE-1", tier="60D")
    )
    sums = total(made.counts)
    assert sum(sums.values()) == len(made.items)
    assert (sums["due"], sums["overdue"], sums["no_date"]) == (3, 2, 1)
    assert list(made.counts) == ["3DF", "3D", "14D", "60D", "FSU", "out_of_scope"]


def test_a_report_of_a_day_before_the_directive_says_so() -> None:
    assert report(as_of=date(2026, 6, 9)).notes == ("BOD 26-04 was issued on 2026-06-10, after 2026-06-09",)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("=1+1", "'=1+1", id="a formula"),
        pytest.param("+1", "'+1", id="plus"),
        pytest.param("-1", "'-1", id="minus"),
        pytest.param("@SUM(A1)", "'@SUM(A1)", id="at"),
        pytest.param("\t=1", "' =1", id="a tab before it"),
        pytest.param("  =1", "'  =1", id="spaces before it"),
        pytest.param("\uff1d1+1", "'\uff1d1+1", id="full width"),
        pytest.param("a=1", "a=1", id="inside is harmless"),
        pytest.param("a\r\n=1", "a  =1", id="no second line begins"),
        pytest.param("\u202egpj", "\ufffdgpj", id="no direction is changed"),
    ],
)
def test_no_cell_is_run_as_a_formula(text: str, shown: str) -> None:
    assert cell(text) == shown


def test_numbers_dates_and_nothing_stay_as_they_are() -> None:
    assert [cell(v) for v in (-3, D, None, True, ("a", "b"))] == ["-3", "2026-12-20", "", "yes", "a | b"]


def test_csv_has_a_heading_for_each_column_and_crlf() -> None:
    data = remediation_csv(report(row(due=D, component='a,b"c'))).decode()
    first, second = list(csv.reader(io.StringIO(data, newline="")))
    assert tuple(first) == COLUMNS
    assert second[COLUMNS.index("component")] == 'a,b"c'
    assert data.count("\r\n") == data.count("\n") == 2


def test_the_printed_report_fits_a_page_and_runs_no_escape() -> None:
    hostile = "\x1b[31m" + "x" * 500
    made = report(
        row(
            due=BEFORE,
            asset=asset("asset/2", name=hostile),
            component=hostile,
            status="accepted",
            accepted_until=D,
        ),
        row("CVE-2026-2", tier="3DF", forensic_triage=True, due=D, status_reason=hostile),
        kind="two_week",
    )
    text = remediation_text(made)
    assert "\x1b" not in text
    assert max(map(len, text.splitlines())) <= WIDTH
    for words in (
        "OVERDUE: 1",
        "1 days overdue",
        "does not end the duty",
        "forensic triage needed",
        "Reported by: ___",
    ):
        assert words in " ".join(text.split()), words


def test_periods_and_quarters() -> None:
    assert period_of("seven_day", D).first == date(2026, 12, 14)
    assert period_of("addresses", D).first == date(2026, 10, 1)
    assert quarter_of(date(2028, 2, 29)) == ("2028-Q1", period_of("addresses", date(2028, 3, 31)))
    assert quarter_of(date(2026, 12, 31))[1].last == date(2026, 12, 31)
    with pytest.raises(UsageError):
        period_of("two_week", date.min)
    assert read_kind("seven-day") == "seven_day"
    with pytest.raises(UsageError, match="no report"):
        read_kind("daily")
    with pytest.raises(UsageError, match="no remediation report"):
        report(kind="lifecycle")


def test_json_ends_with_one_newline_and_is_stable() -> None:
    data = as_json(report(row(due=D)))
    assert data.endswith(b"}\n")
    assert list(json.loads(data))[:3] == ["schema", "report", "directive"]
