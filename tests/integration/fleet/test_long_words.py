"""The longest words that may be said of exposures: kept and logged whole, and cut for the event where it is full."""

from __future__ import annotations

import json

import pytest

from clearway.exposure.fleet import status
from clearway.exposure.fleet.acts import fitting
from fleet_world import Fleet

LETTERS = pytest.mark.parametrize(
    "letter", ["w", "字", "\\", "\x7f"], ids=["ASCII", "three bytes", "escaped", "DEL"]
)


@LETTERS
def test_the_longest_words_are_kept_and_logged_whole(mine: Fleet, letter: str) -> None:
    words = letter * 4_000
    taken = mine.upload(mine.asset("web"), "pkg:pypi/django@4.1")
    with mine.acting() as db:
        (exposure,) = status.decide(db, taken.appeared, status.Decision(status="mitigated", detail=words))
        assert status.said(db, exposure)[0].detail == words
    with mine.owner() as owner:
        logged, told = owner.execute(
            """select (select content::jsonb ->> 'detail' from clearway.log_entry where subject = %(subject)s
                    and act = 'exposure.decided'),
                (select body ->> 'detail' from clearway.event where subject = %(subject)s
                    and kind = 'exposure.decided')""",
            {"subject": f"exposure/{exposure}"},
        ).fetchone() or ("", "")
    assert logged == words
    assert told == words or (told.endswith("…") and words.startswith(told[:-1]) and len(told) > 1_000)


@LETTERS
def test_what_many_exposures_are_told_of_fits_with_the_longest_words(mine: Fleet, letter: str) -> None:
    exposures = list(range(2_000_000_000, 2_000_000_000 + 500))
    body = fitting({"status": "mitigated", "detail": letter * 4_000, "exposures": exposures, "count": 500})
    assert body["exposures"] == exposures
    with mine.owner() as owner:
        row = owner.execute(
            "select clearway.emit('exposure.decided', 'org/1/exposures', null, 0, %s::jsonb)",
            (json.dumps(body, ensure_ascii=False),),
        ).fetchone()
    assert row is not None


def test_what_fits_is_told_as_it_is() -> None:
    body = {"status": "open", "detail": "w" * 4_000, "until": None}
    assert fitting(body) == body
