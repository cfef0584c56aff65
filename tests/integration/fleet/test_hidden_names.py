"""Assets that are hidden from whoever names one: neither a refusal nor another name tells that they are there."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from clearway.access import audience, marking
from clearway.exposure.fleet import asset, page_upload
from clearway.records.errors import ConflictError
from clearway.records.principal import Membership
from fleet_world import DAY, Fleet

ROWS = "asset,cve,first_detected\ntwin,CVE-2026-0001,2026-11-01\nfresh1,CVE-2026-0001,2026-11-01\n"


def up(fleet: Fleet, text: str) -> page_upload.Landed:
    home = Membership(org=fleet.org, slug="x", name="x", kind="operator")
    new = page_upload.NewAsset(name="")
    pool, key = fleet.people.pool, fleet.operator.key
    return page_upload.to_organisation(pool, key, fleet.table, home, text.encode(), "s.csv", DAY, new)


@pytest.fixture
def hidden(mine: Fleet) -> int:
    """An asset "twin" that its organisation's operator may not see."""
    kept = mine.asset("twin")
    other = mine.another()
    with mine.owner() as owner:
        aud = audience.of(owner, marking.own(other.org))
        owner.execute("update clearway.asset set aud = %s where asset = %s", (aud, kept))
    with mine.acting() as db:
        assert asset.find(db, mine.org, "twin") is None
    return kept


def test_a_document_that_names_a_hidden_asset_lands_as_if_there_were_none(mine: Fleet, hidden: int) -> None:
    first = up(mine, ROWS)
    assert [(i.name, i.made) for i in first.items] == [("fresh1", True), ("twin", True)]
    assert hidden not in {i.asset for i in first.items}
    again = up(mine, ROWS + "fresh2,CVE-2026-0002,2026-11-02\n")
    assert {i.name: i.made for i in again.items} == {"fresh1": False, "twin": False, "fresh2": True}
    kept = {i.name: i.asset for i in again.items}
    assert [kept["fresh1"], kept["twin"]] == [i.asset for i in first.items]


def test_a_name_that_a_hidden_asset_has_is_given_as_any_other(mine: Fleet, hidden: int) -> None:
    with mine.acting() as db:
        made = asset.add(db, mine.org, "twin", since=DAY)
        other = asset.add(db, mine.org, "other", since=DAY)
    assert (made.name, made.asset == hidden) == ("twin", False)
    with mine.acting() as db:
        assert asset.find(db, mine.org, "twin") == made
        with pytest.raises(ConflictError, match="there is an asset 'twin'"):
            asset.add(db, mine.org, "twin", since=DAY)
    with mine.acting() as db, pytest.raises(ConflictError, match="there is an asset 'twin'"):
        asset.change(db, other.asset, other.version, other.details, name="twin")


def test_a_new_name_that_a_hidden_asset_has_is_taken(mine: Fleet, hidden: int) -> None:
    with mine.acting() as db:
        kept = asset.add(db, mine.org, "other", since=DAY)
    with mine.acting() as db:
        assert asset.change(db, kept.asset, kept.version, kept.details, name="twin").name == "twin"


def test_who_sees_both_is_asked_which(mine: Fleet, hidden: int) -> None:
    with mine.acting() as db:
        asset.add(db, mine.org, "twin", since=DAY)
    with mine.owner() as owner, pytest.raises(ConflictError, match="several assets are called 'twin'"):
        asset.find(owner, mine.org, "twin")


def test_of_many_who_take_one_name_at_once_one_gets_it(mine: Fleet) -> None:
    together = Barrier(4)

    def take(_: int) -> bool:
        together.wait(20)
        try:
            with mine.acting() as db:
                asset.add(db, mine.org, "contested", since=DAY)
        except ConflictError:
            return False
        return True

    with ThreadPoolExecutor(4) as workers:
        assert sorted(workers.map(take, range(4))) == [False, False, False, True]
