"""From which day on an asset is as exposed as somebody says."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from clearway.exposure.fleet import asset, due, follow, observe, setting
from clearway.formats.observed import read_fleet
from fleet_world import DAY, Fleet

FLAWED = "pkg:pypi/idna@3.6"
UNLISTED = "pkg:pypi/flask@2.0"
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


def hear(fleet: Fleet, text: str, filename: str) -> None:
    read = read_fleet(text.encode(), filename)
    observe.observe(
        fleet.people.pool, fleet.operator.key, fleet.table, fleet.org, read.observed, text.encode(), DAY, place=filename
    )  # fmt: skip


def said(fleet: Fleet, which: int) -> list[tuple[str, date, str]]:
    with fleet.acting() as db:
        return [(s.exposure, s.since, s.said_by) for s in asset.exposures_said(db, which)]


def listed(*rows: tuple[str, str], by: str = "") -> str:
    return "asset,exposure,exposed since,exposure by\n" + "".join(f"gate,{w},{d},{by}\n" for w, d in rows)


def test_a_day_that_a_list_states_of_the_word_that_stood_already_counts_and_says_who(mine: Fleet) -> None:
    """Exposed from a later day than the flaw was there: with `restart_at_tier_change` the date counts from that day."""
    with mine.acting() as db:
        chosen = setting.of(db, mine.org)._replace(retier="restart_at_tier_change")
        setting.choose(db, mine.org, chosen, DAY)
    since = DAY - timedelta(days=12)
    gate = mine.asset("gate", "internal", day=DAY - timedelta(days=60))
    mine.upload(gate, "pkg:pypi/django@4.1", day=DAY - timedelta(days=50), owned=True)
    hear(mine, listed(("public", "")), "products.csv")
    began_today = day_of(mine, gate)
    text = listed(("public", since.isoformat()), by="firewall")
    hear(mine, text, "assets.csv")
    assert began_today is not None
    assert day_of(mine, gate) == began_today - timedelta(days=12)
    assert said(mine, gate)[1:] == [
        ("public", DAY, "the column `exposure` of products.csv"),
        ("public", since, "firewall"),
    ]
    hear(mine, text + "\n", "assets.csv")  # the same again next week is no news
    assert len(said(mine, gate)) == 3
    later = (DAY - timedelta(days=3)).isoformat()
    hear(mine, listed(("public", later), by="firewall"), "assets.csv")
    assert said(mine, gate)[3:] == [("public", date.fromisoformat(later), "firewall")]
    assert day_of(mine, gate) == began_today - timedelta(days=12)  # the earlier of two days counts


def test_a_list_does_not_outweigh_what_was_said_of_a_later_day(mine: Fleet) -> None:
    text = listed(("public", EARLIER.isoformat()), by="firewall")
    hear(mine, text, "assets.csv")
    with mine.acting() as db:
        found = asset.find(db, mine.org, "gate")
        assert found is not None
        asset.say_exposure(db, found.asset, "internal", DAY, "Ada", day=DAY)
    for n in range(1, 3):
        hear(mine, text + "\n" * n, "assets.csv")
    assert [word for word, _, _ in said(mine, found.asset)] == ["public", "internal"]
    with mine.acting() as db:
        assert asset.one(db, found.asset).exposure == "internal"


@pytest.mark.parametrize(
    ("stood", "heard"),
    [("internal", "public"), ("public", "internal"), ("unknown", "public")],
    ids=["public over internal", "internal over public", "public over what nobody knew any more"],
)
def test_a_list_that_names_an_earlier_day_is_the_last_word_for_today_too(
    mine: Fleet, stood: asset.Exposed, heard: asset.Exposed
) -> None:
    """What was said of a later day before gives way, and every past day replays as it was shown."""
    first, then, now = DAY - timedelta(days=30), DAY - timedelta(days=5), DAY
    gate = mine.asset("gate", "internal" if stood == "unknown" else stood, day=first)
    mine.upload(gate, UNLISTED, day=first, owned=True)
    with mine.owner(then) as db:
        asset.say_exposure(db, gate, stood, then, "Ada", day=then)
    shown = mine.lines(asset=gate)[0]
    since = DAY - timedelta(days=20)
    with mine.owner(now) as db:
        kept = asset.hear_exposure(db, asset.one(db, gate), heard, since, "assets.csv", day=now)
        assert kept.exposure == heard
        version = kept.version
        again = asset.hear_exposure(db, kept, heard, since, "assets.csv", day=now)
        assert again.version == version  # the same again is no news
        words = due.said(db, [gate])[gate]
    assert {due.exposed_on(words, since + timedelta(days=n)) for n in range(21)} == {heard}
    alike = mine.asset("alike", heard, day=first)
    mine.upload(alike, UNLISTED, day=first, owned=True)
    with mine.owner(now) as db:
        due.date_again(db, now, assets=[alike])
    found = mine.lines(asset=gate)[0]
    assert (found.tier, found.rule_basis) != (shown.tier, shown.rule_basis)
    assert day_of(mine, gate) == day_of(mine, alike)
    with mine.acting() as db:
        before = due.replay(db, shown.exposure, then)
        assert (before.due, before.again.due, before.tier) == (shown.due, shown.due, shown.tier)


def test_what_a_list_had_said_before_of_an_earlier_day_counts_when_it_is_said_again(mine: Fleet) -> None:
    """As it was kept when a later day outweighed the last word."""
    gate = mine.asset("gate", "internal", day=DAY - timedelta(days=5))
    since = DAY - timedelta(days=20)
    with mine.acting() as db:
        db.execute(
            """insert into clearway.asset_exposure (asset, org, aud, exposure, since, said_by, person)
            select asset, org, aud, 'public', %s, 'firewall', 0 from clearway.asset where asset = %s""",
            (since, gate),
        )
    hear(mine, listed(("public", since.isoformat()), by="firewall"), "assets.csv")
    with mine.acting() as db:
        assert asset.one(db, gate).exposure == "public"


def test_what_is_said_of_a_day_to_come_outlasts_a_word_about_the_days_before(mine: Fleet) -> None:
    gate = mine.asset("gate", "unknown", day=DAY)
    with mine.owner(DAY) as db:
        asset.say_exposure(db, gate, "internal", LATER, "the move", day=DAY)
        asset.say_exposure(db, gate, "public", EARLIER, "Ada", day=DAY)
        words = due.said(db, [gate])[gate]
    assert [due.exposed_on(words, d) for d in (EARLIER, DAY, LATER)] == ["public", "public", "internal"]
