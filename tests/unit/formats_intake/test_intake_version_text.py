"""Version statements in words: one reading, or none."""

from __future__ import annotations

import time

import pytest

from clearway.formats._version_text import read


def said(text: str) -> object:
    reading = read(text)
    if not reading.understood:
        return "unread"
    ranges = [" ".join(f"{event.kind} {event.version}" for event in events) for events in reading.ranges]
    return ranges + list(reading.versions)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("< 1.2.3", ["introduced 0 fixed 1.2.3"]),
        ("<=V3.1", ["introduced 0 last_affected V3.1"]),
        (">= 1.0, < 1.4", ["introduced 1.0 fixed 1.4"]),
        (">= 1.2 | <= 2.0", ["introduced 1.2 last_affected 2.0"]),
        (">= 1.0, < 1.4, >= 2.0, < 2.1", ["introduced 1.0 fixed 1.4", "introduced 2.0 fixed 2.1"]),
        ("= 1.71.0", ["1.71.0"]),
        (">= V1.6 Upd2 < V1.6 Upd5", ["introduced V1.6 Upd2 fixed V1.6 Upd5"]),
        ("All versions < V2.0 SP1", ["introduced 0 fixed V2.0 SP1"]),
        ("All versions", ["introduced 0"]),
        ("*", ["introduced 0"]),
        ("0 < 8.0.1", ["introduced 0 fixed 8.0.1"]),
        ("1.0 - 1.4", ["introduced 1.0 last_affected 1.4"]),
        ("versions V4.32 through V5.38", ["introduced V4.32 last_affected V5.38"]),
        ("before 2.1", ["introduced 0 fixed 2.1"]),
        ("Versions prior to 1.5.6", ["introduced 0 fixed 1.5.6"]),
        ("5.6.46 and prior", ["introduced 0 last_affected 5.6.46"]),
        ("3.1 or later", ["introduced 3.1"]),
        ("11.x", ["introduced 11 limit 12"]),
        ("6.6.*", ["introduced 6.6 limit 6.7"]),
        ("V1.1, V1.2, and V1.3", ["V1.1", "V1.2", "V1.3"]),
        ("vers:all/<V8.2 Upd12", ["introduced 0 fixed V8.2 Upd12"]),
        ("vers:npm/%3E=1.0|%3C2.0", ["introduced 1.0 fixed 2.0"]),
        ("vers:generic/1.0|1.1", ["1.0", "1.1"]),
        ("15.2(1)GC", ["15.2(1)GC"]),
        ("n/a", []),
        ("unspecified", []),
        ("-", []),
        ("", []),
    ],
)
def test_one_reading(text: str, expected: list[str]) -> None:
    assert said(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("> V2.5 < V21.9", id="exclusive lower end, which no event says"),
        pytest.param("up to 3.1", id="with or without 3.1"),
        pytest.param("4.2.0 to 4.2.18", id="with or without its end"),
        pytest.param(">= 2.0.0 | 2.6.2", id="an operator is missing"),
        pytest.param(">= <= 2.2 | 2.5.1", id="an operator has no version"),
        pytest.param("< 19.0.1 | < 18.0.1", id="two upper ends, no lower one"),
        pytest.param("<= 1.01.28 (with ScreenEditor Version 1.01.2)", id="a condition"),
        pytest.param("All versions with Fortinet NGFW", id="a condition without version"),
        pytest.param("All versions of X < 2 and of Y < 3", id="two products"),
        pytest.param("Snapdragon 8 Gen 1 Mobile Platform", id="a name"),
        pytest.param("x" * 5000, id="5,000 letters"),
    ],
)
def test_no_reading_is_better_than_a_guess(text: str) -> None:
    assert said(text) == "unread"


def test_hostile_text_takes_no_time() -> None:
    start = time.process_time()
    for seed in ("1 SP1", "1.", "1 - ", "1 and ", "< 1 ", "a1(", " P1", "1-1", "v 1 P P P "):
        for tail in ("", "!", " <"):
            read((seed * 200)[:199] + tail)
    assert time.process_time() - start < 1
