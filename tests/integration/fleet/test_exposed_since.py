"""From which day on an asset is as exposed as somebody says."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from clearway.exposure.fleet import asset, due, follow
from fleet_world import DAY, Fleet

FLAWED = "pkg:pypi/idna@3.6"
EARLIER, LATER = date(2026, 11, 1), DAY + timedelta(days=40)


def day_of(fleet: Fleet, which: int) -> date | None:
    return next(x.due for x in fleet.lines(asset=which))


def test_what_is_said_of_an_earlier_day_counts_where_nobody_had_said(mine: Fleet) -> None:
    kept = mine.asset("scanned", "unknown")
    mine.upload(kept, FLAWED)
    with mine.acting() as db:
        after, moved = asset.say_exposure(db, kept, "internal", EARLIER, "Ada", day=DAY)
    assert (after.exposure, moved) == ("internal", 1)
    internal = mine.asset("inside", "internal")
    mine.upload(internal, FLAWED)
    assert day_of(mine, kept) == day_of(mine, internal)
    with mine.acting() as db:
        said = due.said(db, [kept])[kept]
        assert [due.exposed_on(said, d) for d in (date(2026, 10, 1), EARLIER, DAY)] == [
            "unknown",
            "internal",
            "internal",
        ]
        # That nobody knows any more is a word of its own.
        after, _ = asset.say_exposure(db, kept, "unknown", DAY, "Ada", day=DAY)
    assert after.exposure == "unknown"


@pytest.mark.parametrize("word", ["public", "internal"])
def test_a_day_to_come_counts_from_that_day_for_a_new_asset_too(mine: Fleet, word: asset.Exposed) -> None:
    with mine.acting() as db:
        kept = asset.add(db, mine.org, "new", exposure=word, since=LATER, day=DAY)
    assert kept.exposure == "unknown"
    unsaid, plain = mine.asset("unsaid", "unknown"), mine.asset("plain", word)
    for which in (kept.asset, unsaid, plain):
        mine.upload(which, FLAWED)
    assert day_of(mine, kept.asset) == day_of(mine, unsaid)
    with mine.owner(LATER) as owner:
        follow.tick(owner, LATER)
    with mine.acting() as db:
        assert asset.one(db, kept.asset).exposure == word
        said = due.said(db, [kept.asset])[kept.asset]
    assert [due.exposed_on(said, d) for d in (DAY, LATER)] == ["unknown", word]
