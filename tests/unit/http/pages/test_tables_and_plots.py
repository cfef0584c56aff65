"""Tables follow the address; plots are markup with a table."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearway.http.pages import Address, Column, Table, plot
from clearway.records.errors import InputError

COLUMNS = (
    Column(key="due", label="Due", sort="due", lead=True),
    Column(key="flaw", label="Flaw", sort="flaw"),
    Column(key="owner", label="Owner", shown=False),
)
NOW = datetime(2026, 11, 23, tzinfo=UTC)


def table(query: str = "") -> Table:
    return Table(
        id="t", caption="T", columns=COLUMNS, rows=[], address=Address.read("/t", query), default_sort="due"
    )


def test_the_address_says_how_it_is_sorted_and_a_name_it_does_not_have_is_ignored() -> None:
    due, flaw, owner = COLUMNS
    assert [table().sorting(c) for c in COLUMNS] == ["ascending", "none", "none"]
    assert table("sort=-due").sorting(due) == "descending"
    assert table("sort=password").sort == "due"
    assert str(table().sort_link(due)) == "/t?sort=-due"
    assert str(table("sort=-due").sort_link(due)) == "/t?sort=due"
    assert str(table("sort=-due&cursor=x").sort_link(flaw)) == "/t?sort=flaw"
    assert table().sorting(owner) == "none"


def test_the_address_says_which_columns_are_shown_and_the_leading_one_always_is() -> None:
    assert [c.key for c in table().shown] == ["due", "flaw"]
    assert [c.key for c in table("columns=owner").shown] == ["due", "owner"]
    assert [c.key for c in table("columns=nothing").shown] == ["due", "flaw"]
    assert str(table().column_link(COLUMNS[2])) == "/t?columns=due,flaw,owner"
    assert str(table("columns=due,flaw,owner").column_link(COLUMNS[2])) == "/t"


def drawn_texts(drawn: plot.Drawn) -> list[str]:
    root = ElementTree.fromstring(f"<all>{drawn.svg}</all>")  # well-formed, or this raises
    return [text.text or "" for text in root.iter("text")]


@given(st.lists(st.floats(0, 1e9), min_size=1, max_size=30), st.booleans(), st.text(max_size=40))
def test_a_plot_of_any_numbers_is_well_formed_and_has_its_table(
    values: list[float], steps: bool, name: str
) -> None:
    days = [date(2026, 1, 1) + timedelta(days=i) for i in range(len(values))]
    name = "".join(c for c in name if c.isprintable())
    drawn = plot.lines("t", days, {name: values, name + "2": values}, steps=steps)
    drawn_texts(drawn)
    assert len(drawn.rows) == len(values)
    assert "nan" not in drawn.svg


def test_a_timeline_is_in_order_and_shows_every_event_twice_for_both_widths() -> None:
    events = [
        plot.Happened(date(2026, 6, 18), "in <KEV>"),
        plot.Happened(datetime(2026, 6, 2, 23, tzinfo=UTC), "reported"),
        plot.Happened(date(2026, 6, 18), "same day"),
    ]
    drawn = plot.timeline("What happened", events, NOW)
    assert [row[1] for row in drawn.rows] == ["reported", "in <KEV>", "same day"]
    texts = drawn_texts(drawn)
    assert all(texts.count(what) == 2 for what in ("reported", "in <KEV>", "same day"))


@pytest.mark.parametrize("amount", [1, 2, 7, 40])
def test_no_two_labels_of_a_timeline_lie_on_each_other(amount: int) -> None:
    events = [plot.Happened(date(2026, 1, 1) + timedelta(days=i % 3), f"event {i}") for i in range(amount)]
    root = ElementTree.fromstring(str(plot.timeline("t", events, NOW).svg).partition("</svg>")[0] + "</svg>")
    boxes: list[tuple[float, float, float]] = []
    for text in root.iter("text"):
        x, y, half = float(text.get("x", "")), float(text.get("y", "")), 3.2 * len(text.text or "")
        for other_x, other_y, other_half in boxes:
            assert abs(y - other_y) >= 12 or abs(x - other_x) >= half + other_half
        assert x - half + 4 >= 0
        boxes.append((x, y, half))


COURSES = {
    "a case of a day": [(0, "opened"), (0, "Northwind is asked"), (1, "today"), (28, "agreed to end")],
    "all of one day": [(0, f"event {n}") for n in range(12)],
    "near each other": [(n, f"Vendor {n}: not affected") for n in range(12)],
    "forty": [(n % 9, f"event {n}") for n in range(40)],
}


@pytest.mark.parametrize("course", COURSES.values(), ids=COURSES)
def test_no_stem_of_a_timeline_goes_through_a_label(course: list[tuple[int, str]]) -> None:
    events = [plot.Happened(date(2026, 11, 26) + timedelta(days=n), what) for n, what in course]
    root = ElementTree.fromstring(str(plot.timeline("t", events, NOW).svg).partition("</svg>")[0] + "</svg>")
    stems = [p.get("d", "") for p in root.iter("path") if p.get("class") == "stem"]
    assert len(stems) == len(events)
    for stem in stems:
        for x, top, to in re.findall(r"M([\d.]+) (-?[\d.]+)V(-?[\d.]+)", stem):
            low, high = sorted((float(top), float(to)))
            for text in root.iter("text"):
                half, y = 3.5 * len(text.text or ""), float(text.get("y", ""))
                across = abs(float(x) - float(text.get("x", ""))) < half
                assert not (across and low < y and high > y - 10), (stem, text.text)


@pytest.mark.parametrize(
    ("days", "series"),
    [
        ([], {"a": []}),
        ([date(2026, 1, 1)], {}),
        ([date(2026, 1, 1)], {"a": [1.0, 2.0]}),
        ([date(2026, 1, 1)], {"a": [float("nan")]}),
        ([date(2026, 1, 1)], {"a": [float("inf")]}),
        ([date(2026, 1, 1)], {"a": [-1.0]}),
        ([date(2026, 1, 1)], {str(i): [1.0] for i in range(5)}),
        ([date(2026, 1, 1)] * 2_001, {"a": [1.0] * 2_001}),
    ],
)
def test_what_can_not_be_drawn_is_refused(days: list[date], series: dict[str, list[float]]) -> None:
    with pytest.raises(InputError):
        plot.lines("t", days, series)


@pytest.mark.parametrize("amount", [0, 41])
def test_a_timeline_of_nothing_or_too_much_is_refused(amount: int) -> None:
    with pytest.raises(InputError):
        plot.timeline("t", [plot.Happened(date(2026, 1, 1), "x")] * amount, NOW)


def test_a_small_line_of_no_numbers_says_its_words() -> None:
    assert plot.spark([], "no <sightings>") == '<span class="quiet">no &lt;sightings&gt;</span>'
    ElementTree.fromstring(str(plot.spark([0, 0, 3], "<3>")))
