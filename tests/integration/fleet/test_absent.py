"""A host that is no longer in a list of that name: nothing of it ends, and it is named."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from clearway.exposure.fleet import asset, mention, observe, witness
from clearway.formats.observed import read_fleet
from database import server, world  # noqa: F401
from fleet_world import DAY, Fleet
from steps import Steps, since, step_of

if TYPE_CHECKING:
    from intake_world import World

DETECTIONS = "asset,cve,first_detected\n{}", "{},CVE-2026-0001,2026-11-02\n"
PRODUCTS = "vendor,product,version,host\n{}", "Fortinet,FortiOS,7.2.5,{}\n"
LISTS = pytest.mark.parametrize("listed", [DETECTIONS, PRODUCTS], ids=["detections", "products"])


def call(
    fleet: Fleet, listed: tuple[str, str], *files: tuple[str, tuple[str, ...]], **more: Any
) -> list[str]:
    """One call with these files of these hosts; what it says of hosts that are missing."""
    taking = observe.Taking(
        fleet.people.pool, fleet.operator.key, fleet.table, fleet.org, DAY, passed_over=[]
    )
    for place, hosts in files:
        raw = listed[0].format("".join(map(listed[1].format, hosts))).encode()
        read = read_fleet(raw, place)
        file = witness.file_of(place.rpartition("/")[2])
        taking.add(mention.Document(observed=read.observed, raw=raw, place=place, file=file, **more))
    taking.finish()
    return [one.words() for one in taking.missing()]


@LISTS
def test_hosts_that_a_list_has_no_more_are_named_and_keep_what_they_had(
    mine: Fleet, listed: tuple[str, str]
) -> None:
    assert call(mine, listed, ("a/list.csv", ("ka-1", "ka-2", "ka-3"))) == []
    before = mine.flaws()
    assert call(mine, listed, ("a/list.csv", ("ka-1",))) == [
        "2 assets of earlier files list.csv are not in this one: ka-2, ka-3; "
        "nothing of them ends by that (decommission what is gone)"
    ]
    assert mine.flaws() == before
    assert call(mine, listed, ("a/list.csv", ("ka-1", "ka-2", "ka-3"))) == []


@LISTS
def test_only_lists_of_that_name_count_and_the_newest_issue_of_it(
    mine: Fleet, listed: tuple[str, str]
) -> None:
    call(mine, listed, ("a/list-2026-11-01.csv", ("ka-1", "ka-2")), ("a/other.csv", ("kb-1",)))
    assert call(mine, listed, ("a/other.csv", ("kb-1", "kb-2"))) == []
    both = ("a/list-2026-11-01.csv", ("ka-1", "ka-2")), ("a/list-2026-11-08.csv", ("ka-1",))
    (said,) = call(mine, listed, *both)
    assert said.startswith("1 asset of earlier files list.csv is not in this one: ka-2; nothing of it")
    assert call(mine, listed, ("a/x.csv", ("ka-1",))) == []


def test_what_is_decommissioned_or_of_others_is_not_named(mine: Fleet) -> None:
    other = mine.another()
    for fleet in (mine, other):
        call(fleet, DETECTIONS, ("list.csv", ("ka-1", "ka-2")))
    with mine.acting() as db:
        kept = asset.find(db, mine.org, "ka-2")
        assert kept is not None
        asset.change(db, kept.asset, kept.version, replace(kept.details, decommissioned=DAY))
    assert call(mine, DETECTIONS, ("list.csv", ("ka-1",))) == []
    (said,) = call(other, DETECTIONS, ("list.csv", ("ka-1",)))
    assert "ka-2" in said


def test_a_row_that_names_no_flaw_ends_what_the_list_had_of_its_host(mine: Fleet) -> None:
    call(mine, DETECTIONS, ("list.csv", ("ka-1", "ka-2")))
    call(mine, DETECTIONS, ("list.csv", ("ka-1",)))
    assert {line.asset_name for line in mine.lines()} == {"ka-1", "ka-2"}
    clean = DETECTIONS[0], "{}\n"
    assert call(mine, clean, ("list.csv", ("ka-1,CVE-2026-0001,2026-11-02", "ka-2,,"))) == []
    assert {line.asset_name for line in mine.lines()} == {"ka-1"}


def test_many_are_counted(mine: Fleet) -> None:
    call(mine, DETECTIONS, ("list.csv", tuple(f"k-{n}" for n in range(9))))
    (said,) = call(mine, DETECTIONS, ("list.csv", ("k-0",)))
    assert said.startswith(
        "8 assets of earlier files list.csv are not in this one: k-1, k-2, k-3, k-4, k-5 and 3 more;"
    )


def test_the_step_goes_down_and_up(world: World) -> None:  # noqa: F811
    steps = Steps(world.url, *since(step_of("inventory_lists")))
    steps.down()
    steps.up()
