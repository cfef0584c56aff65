"""The page of figures: for everybody, with what is hidden said to be hidden."""

from __future__ import annotations

from datetime import date, timedelta

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from access_house import House
from clearway.access.figures import Figure
from clearway.access.pages_figures import STATES, drawn, newest

DAY = date(2026, 11, 26)


def put(house: House, *rows: tuple[date, bool, str, int | None]) -> None:
    with house.people.owner() as owner:
        for row in rows:
            owner.execute("insert into clearway.figure (day, kev, state, n) values (%s, %s, %s, %s)", row)


def test_before_the_first_count_the_page_says_when_it_comes(house: House) -> None:
    answer = house.public.look("/figures")
    assert answer.status_code == 200
    assert "Nothing is counted yet" in answer.text
    assert house.public.look("/figures.csv").text.splitlines() == ["day,kev,state,n"]


def test_everybody_sees_the_newest_day_and_what_is_hidden_is_said_to_be(house: House) -> None:
    day = DAY - timedelta(days=1)
    put(
        house,
        (day, True, "overdue", 120), (DAY, True, "overdue", 130), (DAY, False, "overdue", None),
        (DAY, True, "due", 40), (DAY, False, "due", 4_210), (DAY, True, "undated", 0), (DAY, False, "undated", None),
        (DAY, True, "handled", None), (DAY, False, "handled", 10),
    )  # fmt: skip
    for reader in (house.public, house.member, house.stranger):
        text = reader.look("/figures").text
        assert "130 exposures to flaws that attackers use are overdue" in text
        assert "4,210" in text
        assert text.count(">hidden<") == 3
        assert "<svg" in text
        assert "Show as a table" in text
    assert "TLP" not in house.public.look("/figures").text.split("<main")[1].split("</main>")[0]
    told = house.public.look("/figures.json").json()["items"]
    assert msgspec.convert(told[0], Figure).day == DAY
    assert len(told) == 9
    assert house.public.api("GET", "/figures").json() == told


def test_where_the_first_line_is_hidden_it_says_so(house: House) -> None:
    put(house, (DAY, True, "overdue", None), (DAY, False, "overdue", 10))
    assert "Too few fleets to say what is overdue" in house.public.look("/figures").text


kept = st.lists(
    st.builds(
        Figure, day=st.integers(0, 40).map(lambda n: DAY - timedelta(days=n)), kev=st.booleans(),
        state=st.sampled_from([*STATES]), n=st.none() | st.integers(0, 10**9),
    ),
    max_size=60, unique_by=lambda f: (f.day, f.kev, f.state),
)  # fmt: skip


@given(kept)
def test_a_figure_that_is_hidden_is_drawn_and_told_nowhere(found: list[Figure]) -> None:
    ordered = sorted(found, key=lambda f: f.day, reverse=True)
    lines = newest(ordered)
    assert len(lines) == (len(STATES) if ordered else 0)
    shown = {n for line in lines for n in (line.listed, line.other) if n is not None}
    assert shown <= {f.n for f in ordered if f.day == ordered[0].day}
    made = drawn(ordered)
    overdue = {(f.day, f.kev) for f in ordered if f.state == "overdue" and f.n is not None}
    if made is not None:
        assert len(made.rows) <= len({day for day, _ in overdue})
        assert all(len(row) == len(made.head) for row in made.rows)
