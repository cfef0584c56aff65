"""What is due next of edge devices, by the end of their support."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_rows import asset

from clearway.directives.duties import duties
from clearway.directives.lifecycle import bucket_of, lifecycle_report
from clearway.directives.outlook import outlook, support_words
from clearway.directives.reports import AssetTags

EDGE = duties("bod-26-02")
DAY = date(2026, 11, 26)


def edge(id: str, ends: date | None, **more: object) -> AssetTags:
    return asset(id=f"asset/{id}", name=id, edge_device=True, end_of_support=ends, **more)


@pytest.mark.parametrize(
    ("ends", "listed", "due", "bucket"),
    [
        pytest.param(date(2026, 9, 30), None, date(2027, 2, 5), "ended", id="not looked up: as listed, twelve months"),
        pytest.param(date(2026, 9, 30), True, date(2027, 2, 5), "ended", id="listed: twelve months"),
        pytest.param(date(2026, 9, 30), False, date(2027, 8, 5), "ended", id="another: eighteen months"),
        pytest.param(date(2027, 3, 31), None, date(2028, 2, 5), "within_12_months", id="near its end: the process"),
        pytest.param(None, None, date(2028, 2, 5), "unknown", id="not known: the process"),
        pytest.param(date(2030, 1, 1), None, date(2030, 1, 1), "later", id="later: by the end of its support"),
    ],
)  # fmt: skip
def test_by_when_a_device_is_to_be_gone_or_replaced(
    ends: date | None, listed: bool | None, due: date, bucket: str
) -> None:
    (line,) = outlook(EDGE, [edge("fw", ends, eos_listed=listed)], DAY).devices
    assert (line.due, line.bucket, line.overdue) == (due, bucket, False)


def test_what_is_past_its_support_comes_first_and_what_is_gone_is_not_counted() -> None:
    found = outlook(
        EDGE,
        [
            edge("near", date(2027, 3, 31)),
            edge("later", date(2031, 1, 1)),
            edge("nobody-said", None),
            edge("past", date(2026, 9, 30)),
            edge("gone", date(2025, 1, 1), decommissioned=DAY),
            edge("going", date(2025, 1, 1), decommissioned=DAY + timedelta(days=1)),
            asset(id="asset/9", name="no edge", end_of_support=date(2020, 1, 1)),
        ],
        DAY,
    )
    assert [d.name for d in found.devices] == ["going", "past", "near", "nobody-said", "later"]
    assert (found.total, found.ended, found.near, found.unknown) == (5, 2, 1, 1)
    assert found.next_due == date(2027, 2, 5)
    assert [d.name for d in found.pressing] == ["going", "past", "near", "nobody-said"]


def test_after_its_deadline_a_device_past_its_support_is_overdue() -> None:
    found = outlook(EDGE, [edge("past", date(2026, 9, 30))], date(2027, 2, 6))
    assert (found.overdue, found.devices[0].overdue) == (1, True)
    assert outlook(EDGE, [edge("past", date(2026, 9, 30))], date(2027, 2, 5)).overdue == 0


@given(
    st.lists(
        st.tuples(
            st.none() | st.dates(date(2024, 1, 1), date(2032, 1, 1)), st.sampled_from([None, True, False])
        )
    ),
    st.dates(date(2026, 2, 5), date(2030, 1, 1)),
)
def test_the_outlook_counts_as_the_report_does(
    devices: list[tuple[date | None, bool | None]], day: date
) -> None:
    assets = [edge(str(n), ends, eos_listed=listed) for n, (ends, listed) in enumerate(devices)]
    report = lifecycle_report(EDGE, assets, as_of=day, organisation="water")
    found = outlook(EDGE, assets, day)
    assert (found.ended, found.near, found.unknown) == tuple(
        report.counts[b] for b in ("ended", "within_12_months", "unknown")
    )
    overdue = [d for d in report.devices if any(x.state == "overdue" for x in d.duties)]
    assert {d.asset for d in found.devices if d.overdue} == {d.asset.id for d in overdue}


def test_a_past_day_says_ended_and_a_day_to_come_ends() -> None:
    assert support_words(date(2026, 9, 30), DAY) == "support ended 30 Sep 2026"
    assert support_words(DAY, DAY) == "support ended 26 Nov 2026"
    assert support_words(date(2027, 3, 1), DAY) == "support ends 1 Mar 2027"
    assert bucket_of(DAY, DAY) == "ended"
