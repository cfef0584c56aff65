"""How dates, numbers and foreign text are shown."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearway.http.pages import filters, glossary
from clearway.http.pages.frame import Frame, current

NOW = datetime(2026, 11, 23, 21, 40, tzinfo=UTC)


@pytest.fixture(autouse=True)
def frame() -> Iterator[Frame]:
    made = Frame(now=NOW, zone=ZoneInfo("Europe/Paris"))
    marker = current.set(made)
    yield made
    current.reset(marker)


@pytest.mark.parametrize(
    ("on", "shown", "left"),
    [
        (date(2026, 11, 26), "Thu 26 Nov", "3 days left"),
        (date(2026, 11, 24), "Tue 24 Nov", "1 day left"),
        (date(2026, 11, 23), "Mon 23 Nov", "today"),
        (date(2026, 11, 22), "Sun 22 Nov", "1 day over"),
        (date(2026, 6, 18), "Thu 18 Jun", "158 days over"),
        (date(2027, 1, 7), "Thu 7 Jan 2027", "45 days left"),
        (date(2030, 1, 1), "Tue 1 Jan 2030", "1,135 days left"),
    ],
)
def test_a_day_has_its_weekday_and_the_time_left(on: date, shown: str, left: str) -> None:
    assert filters.short_day(on, NOW) == shown
    assert filters.time_left(on, NOW) == left
    text = filters.day(on, left=True)
    assert f">{shown}</time>" in text
    assert f"· {left}</span>" in text
    assert ('class="left over"' in text) == left.endswith("over")


def test_a_day_is_counted_in_utc_wherever_the_clock_stands() -> None:
    late = datetime(2026, 11, 23, 23, 30, tzinfo=ZoneInfo("America/New_York"))  # the 24th in UTC
    assert filters.time_left(date(2026, 11, 24), late) == "today"
    assert ">Tue 24 Nov<" in filters.day(late)


def test_a_moment_shows_utc_and_tells_the_readers_zone() -> None:
    text = filters.moment(datetime(2026, 11, 23, 21, 40, 5, tzinfo=UTC))
    assert ">Mon 23 Nov, 21:40 UTC<" in text
    assert 'datetime="2026-11-23T21:40:05Z"' in text
    assert "2026-11-23 21:40:05 UTC, 2026-11-23 22:40:05 Europe/Paris" in text


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(-5, "0 s"), (59, "59 s"), (60, "1 min"), (7_200, "2 h"), (86_400, "1 day"), (300_000, "3 days")],
)
def test_an_age_is_told_in_its_largest_unit(seconds: int, said: str) -> None:
    assert filters.age(timedelta(seconds=seconds)) == said


def test_how_long_ago_and_how_soon() -> None:
    assert ">2 h ago<" in filters.ago(NOW - timedelta(hours=2))
    assert ">in 3 days<" in filters.ago(NOW + timedelta(days=3))


def test_nothing_is_shown_as_nothing() -> None:
    assert filters.day(None) == filters.moment(None) == filters.ago(None) == filters.tlp(None) == ""
    assert filters.number(None) == filters.finalize(None) == ""


def test_numbers_have_their_denominator() -> None:
    assert filters.of(2, 31, "machines") == "2 of 31 machines"
    assert filters.number(2886904) == "2,886,904"
    assert filters.number(0.12345, 2) == "0.12"
    assert [filters.plural(n, "entry", "entries") for n in (0, 1, 2)] == ["0 entries", "1 entry", "2 entries"]


@pytest.mark.parametrize("label", ["AMBER+STRICT", "TLP:AMBER+STRICT", "tlp:amber+strict"])
def test_a_tlp_label_is_shown_as_first_prints_it(label: str) -> None:
    assert filters.tlp(label) == '<span class="tlp tlp-amber">TLP:AMBER+STRICT</span>'


def test_a_label_that_nobody_knows_counts_as_red() -> None:
    assert "TLP:RED" in filters.tlp("WHATEVER")


@given(st.text(max_size=60))
def test_mono_text_is_escaped_and_all_there(text: str) -> None:
    shown = str(filters.mono(text))
    inner = shown.removeprefix('<code class="mono">').removeprefix('<code class="mono long">')
    inner = inner.removesuffix("</code>").replace("<wbr>", "")
    assert "<" not in inner
    assert filters.Markup(inner).unescape() == filters.printable(text)


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        " javascript:alert(1)",
        "java\tscript:alert(1)",
        "JaVaScRiPt:alert(1)",
        "data:text/html,x",
        "vbscript:x",
        "//evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "http:evil",
        "https://[bad",
        "file:///etc/passwd",
        "/a\u202eb",
    ],
)
def test_a_link_that_is_code_or_leads_astray_leads_nowhere(url: str) -> None:
    assert filters.link(url) == "#"


@pytest.mark.parametrize(
    "url", ["/exposure?tier!=3D", "https://a.example/x#y", "mailto:a@b.example", "#x", "?a=b"]
)
def test_a_link_that_is_one_stays(url: str) -> None:
    assert filters.link(url) == url


def test_text_that_would_turn_its_neighbours_around_is_seen_to_be_there() -> None:
    assert filters.finalize("invoice\u202egnp.exe") == "invoice\ufffdgnp.exe"
    assert filters.finalize("a\nb\tc\u200c") == "a\nb\tc\u200c"


def test_words_are_plain_and_exact_side_by_side_and_foreign_codes_stay() -> None:
    assert filters.words("KEV") == (
        '<span class="w-plain">attackers use this now</span><span class="w-exact">KEV</span>'
    )
    assert filters.words("<b>") == "&lt;b&gt;"


def test_every_entry_of_the_glossary_says_something_and_ends_its_sentence() -> None:
    assert len(glossary.entries()) > 30
    for entry in glossary.entries().values():
        assert entry.means.endswith("."), entry.term
        assert bool(entry.plain) <= bool(entry.exact), f"{entry.term} has plain words and no exact ones"
