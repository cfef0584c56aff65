"""Assets that are hidden from whoever uploads: their names are taken, and nothing else of them is told or changed."""

from __future__ import annotations

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


def test_a_document_that_names_a_hidden_asset_lands_whole_and_twice_on_the_same_assets(
    mine: Fleet, hidden: int
) -> None:
    first = up(mine, ROWS)
    assert [(i.name, i.made) for i in first.items] == [("fresh1", True), ("twin (2)", True)]
    assert hidden not in {i.asset for i in first.items}
    again = up(mine, ROWS + "fresh2,CVE-2026-0002,2026-11-02\n")
    assert [i.made for i in again.items] == [False, True, False]
    assert [again.items[0].asset, again.items[2].asset] == [i.asset for i in first.items]


@pytest.mark.usefixtures("hidden")
def test_a_name_that_a_hidden_asset_has_is_refused_in_words(mine: Fleet) -> None:
    with mine.acting() as db, pytest.raises(ConflictError, match="the name 'twin' is not free"):
        asset.add(db, mine.org, "twin", since=DAY)
    with mine.acting() as db:
        kept = asset.add(db, mine.org, "other", since=DAY)
    with mine.acting() as db, pytest.raises(ConflictError, match="the name 'twin' is not free"):
        asset.change(db, kept.asset, kept.version, kept.details, name="twin")


def test_nobody_else_is_told_which_names_are_taken(mine: Fleet) -> None:
    mine.asset("mine")
    stranger = mine.another()
    ask = "select array(select * from clearway.fleet_taken(%s, array['mine', 'x']))"
    with mine.acting() as db:
        assert db.execute(ask, (mine.org,)).fetchone() == (["mine"],)
    with stranger.acting() as db:
        assert db.execute(ask, (mine.org,)).fetchone() == ([],)
