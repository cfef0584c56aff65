"""The figures of a cockpit agree with the states of its rows, whatever these are."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from clearway.directives import OUT_OF_SCOPE, load
from clearway.directives.pages_figures import DAYS, figures
from clearway.directives.reports.row import AssetTags, ReportRow, state_of

TABLE = load("bod-26-04")
DAY = date(2026, 11, 26)
ASSET = AssetTags(id="asset/1", name="a", organisation="water")
near = st.integers(-60, 60).map(lambda n: DAY + timedelta(days=n))
past = st.integers(-60, 0).map(lambda n: DAY + timedelta(days=n))
rows = st.lists(
    st.builds(
        ReportRow,
        asset=st.just(ASSET),
        component=st.just("pkg:pypi/a@1"),
        flaw=st.integers(1, 9).map(lambda n: f"CVE-2026-{n}"),
        tier=st.sampled_from([*(o.code for o in TABLE.outcomes), OUT_OF_SCOPE]),
        due=st.none() | near,
        detected=st.none() | past,
        status=st.sampled_from(["open", "mitigated", "accepted", "fixed", "not_affected"]),
        remediated_at=st.none() | past,
        forensic_triage=st.booleans(),
    ),
    max_size=30,
)


@given(rows)
def test_each_row_is_counted_once_and_the_last_day_of_the_plot_is_today(found: list[ReportRow]) -> None:
    made = figures(found, TABLE, DAY, 100)
    assert made is not None
    states = Counter(state_of(row, DAY) for row in found)
    assert made.total == states["overdue"] + states["due"] + states["no_date"]
    assert made.overdue == states["overdue"]
    assert sum(t.remediated for t in made.tiers) == states["remediated"]
    assert sum(t.late for t in made.tiers) == states["remediated_late"]
    assert made.out_of_scope == states["out_of_scope"]
    assert len(made.open) == len(made.late) == len(made.days) == DAYS
    assert made.days[-1] == DAY
    assert made.open[-1] == made.total
    assert made.late[-1] == made.overdue
    assert all(0 <= late <= still for late, still in zip(made.late, made.open, strict=True))
    assert [row.due for row in made.urgent] == sorted(row.due for row in made.urgent if row.due)


def test_more_rows_than_may_be_counted_give_no_figures() -> None:
    row = ReportRow(asset=ASSET, component="c", flaw="CVE-2026-1", tier="3D")
    assert figures([row] * 3, TABLE, DAY, 2) is None
    assert figures([row] * 2, TABLE, DAY, 2) is not None
