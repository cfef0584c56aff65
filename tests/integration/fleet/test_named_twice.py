"""One asset under two names, and in two files: what one mention shows another does not end."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from clearway.exposure.fleet import asset, inventory, observe, witness
from clearway.formats.observed import read_fleet
from clearway.records.fleet_input import SetAside
from clearway.store.connect import connect
from database import server, world  # noqa: F401
from fleet_world import DAY, Fleet
from intake_world import World
from steps import Steps, step_of

DJANGO, FLASK = "pkg:pypi/django@4.1", "pkg:pypi/flask@2.0"
ASSETS = "asset,fqdn,owner\nsrv-c,srv-c.corp.example,ops\n"


def products(*rows: tuple[str, str]) -> str:
    return "product,version,purl,host\n" + "".join(f"x,,{purl},{host}\n" for host, purl in rows)


def detections(*rows: tuple[str, str]) -> str:
    return "asset,cve,first_detected\n" + "".join(f"{host},{cve},2026-11-01\n" for host, cve in rows)


def add(fleet: Fleet, text: str, filename: str = "list.csv", **more: Any) -> list[observe.Seen]:
    read = read_fleet(text.encode(), filename)
    return observe.observe(
        fleet.people.pool, fleet.operator.key, fleet.table, fleet.org, read.observed, text.encode(), DAY,
        place=filename, file=witness.file_of(filename), whole=not read.set_aside, **more,
    )  # fmt: skip


def flaws(fleet: Fleet) -> list[str]:
    return sorted(line.flaw for line in fleet.lines())


@pytest.mark.parametrize("rows", [(0, 1), (1, 0)], ids=["short name first", "full name first"])
@pytest.mark.parametrize("form", ["products", "detections"])
def test_two_names_of_one_asset_in_one_list_are_taken_once(
    mine: Fleet, form: str, rows: tuple[int, int]
) -> None:
    add(mine, ASSETS, "assets.csv")
    both = (
        [("srv-c", DJANGO), ("srv-c.corp.example", FLASK)]
        if form == "products"
        else [("srv-c", "CVE-2026-0001"), ("srv-c.corp.example", "CVE-2026-0002")]
    )
    text = (products if form == "products" else detections)(*(both[n] for n in rows))
    (seen,) = add(mine, text)
    assert (seen.name, seen.taken.removed, seen.taken.ended, len(seen.taken.appeared)) == ("srv-c", 0, 0, 2)
    assert flaws(mine) == ["CVE-2026-0001", "CVE-2026-0002"]
    (again,) = add(mine, text)
    assert again.taken.unchanged


def test_case_and_the_dot_at_the_end_of_a_name_make_no_other_machine(mine: Fleet) -> None:
    for names in (("FW-A.Corp.Example", "fw-a.corp.example."), ("gw-b", "GW-B.")):
        (seen,) = add(mine, products((names[0], DJANGO), (names[1], FLASK)), f"{names[0]}.csv")
        assert (seen.taken.added, seen.taken.ended) == (2, 0)
    (seen,) = add(
        mine, detections(("NS-1.corp.example.", "CVE-2026-0001"), ("ns-1.corp.example", "CVE-2026-0002"))
    )
    assert (seen.name, len(seen.taken.appeared)) == ("NS-1.corp.example", 2)


def test_what_is_said_twice_of_its_exposure_is_the_public_one(mine: Fleet) -> None:
    add(mine, ASSETS, "assets.csv")
    text = (
        "product,version,purl,host,exposure\n"
        f"x,,{DJANGO},srv-c,public\nx,,{FLASK},srv-c.corp.example,internal\n"
    )
    (seen,) = add(mine, text)
    with mine.acting() as db:
        assert asset.one(db, seen.asset).exposure == "public"


def test_a_list_does_not_end_what_another_list_shows_and_its_next_issue_does(mine: Fleet) -> None:
    add(mine, products(("srv-e", DJANGO)), "net-2026-11-01.csv")
    (second,) = add(mine, products(("srv-e", FLASK)), "apps.csv")
    assert (second.taken.ended, flaws(mine)) == (0, ["CVE-2026-0001", "CVE-2026-0002"])
    (third,) = add(mine, products(("srv-e", "pkg:pypi/django@4.2")), "net-2026-11-08.csv")
    assert (third.taken.ended, flaws(mine)) == (1, ["CVE-2026-0002"])
    with mine.acting() as db:
        shown = {line.witness for line in inventory.of_asset(db, third.asset)}
    assert shown == {"product-list net-.csv", "product-list apps.csv"}


def test_rows_of_flaws_end_what_their_own_file_showed_and_no_other(mine: Fleet) -> None:
    add(mine, detections(("srv-f", "CVE-2026-0001")), "scan-a.csv")
    add(mine, detections(("srv-f", "CVE-2026-0002")), "scan-b.csv")
    assert flaws(mine) == ["CVE-2026-0001", "CVE-2026-0002"]
    add(mine, detections(("srv-f", "CVE-2026-0004")), "")  # of no file: some rows, and no whole
    assert flaws(mine) == ["CVE-2026-0001", "CVE-2026-0002", "CVE-2026-0004"]
    add(mine, detections(("srv-f", "CVE-2026-0004")), "scan-b.csv")
    assert flaws(mine) == ["CVE-2026-0001", "CVE-2026-0004"]


def test_a_list_kept_without_its_file_ends_with_the_next_issue_of_that_file_alone(mine: Fleet) -> None:
    text = products(("srv-g", DJANGO))
    read = read_fleet(text.encode(), "net.csv")
    before = observe.observe(  # as it was kept when a format was one witness
        mine.people.pool, mine.operator.key, mine.table, mine.org, read.observed, text.encode(), DAY
    )
    add(mine, products(("srv-g", FLASK)), "apps.csv")
    assert flaws(mine) == ["CVE-2026-0001", "CVE-2026-0002"]
    (taken,) = add(mine, products(("srv-g", "pkg:pypi/django@4.2")), "net.csv")
    assert (taken.taken.ended, flaws(mine)) == (1, ["CVE-2026-0002"])
    with mine.acting() as db:
        stand = {line.witness for line in inventory.of_asset(db, before[0].asset) if line.current}
    assert stand == {"product-list net.csv", "product-list apps.csv"}
    # A list of no file is another's word again.
    observe.observe(
        mine.people.pool, mine.operator.key, mine.table, mine.org, read.observed, text.encode(), DAY
    )
    assert flaws(mine) == ["CVE-2026-0001", "CVE-2026-0002"]


def test_documents_of_one_call_by_one_tool_are_united(mine: Fleet) -> None:
    for _ in range(2):  # and the second call changes nothing: nothing was gone meanwhile
        passed: list[SetAside] = []
        call = observe.Taking(
            mine.people.pool, mine.operator.key, mine.table, mine.org, DAY, passed_over=passed
        )
        seen: list[observe.Seen] = []
        for purl in (DJANGO, FLASK):
            text = products(("srv-h", purl))
            read = read_fleet(text.encode(), "same.csv")
            seen += call.add(observe.Document(observed=read.observed, raw=text.encode(), file="same.csv"))
        seen += call.finish()
        assert [s.taken.ended for s in seen] == [0]
        assert flaws(mine) == ["CVE-2026-0001", "CVE-2026-0002"]
    assert seen[0].taken.unchanged
    assert passed == []


def test_mentions_far_apart_take_nothing_away_in_one_call(mine: Fleet) -> None:
    serial = "SN-9000-1"
    hosts = [f"m{n:03}" for n in range(60)]
    rows = [f"{host},,CVE-2026-0001,2026-11-01" for host in hosts]
    text = "\n".join(
        ["asset,serial number,cve,first_detected", f"aaa,{serial},CVE-2026-0001,2026-11-01", *rows,
         f"zzz,{serial},CVE-2026-0002,2026-11-01", ""]
    )  # fmt: skip
    seen = add(mine, text)
    assert len({s.asset for s in seen}) == 61
    assert sum(s.taken.ended for s in seen) == 0
    assert sorted(x.flaw for x in mine.lines() if x.asset_name == "aaa") == ["CVE-2026-0001", "CVE-2026-0002"]


def test_many_assets_of_one_list_share_their_transactions(mine: Fleet) -> None:
    begun: list[str] = []

    class Counting:
        """The pool, and how often it was asked for a transaction."""

        def acting(self, key: str) -> Any:
            begun.append("acting")
            return mine.people.pool.acting(key)

        def owner(self) -> Any:
            begun.append("owner")
            return mine.people.pool.owner()

    text = detections(*((f"many-{n}", "CVE-2026-0001") for n in range(120)))
    read = read_fleet(text.encode(), "many.csv")
    pool: Any = Counting()
    seen = observe.observe(
        pool, mine.operator.key, mine.table, mine.org, read.observed, text.encode(), DAY, file="many.csv"
    )
    assert (len(seen), {len(s.taken.appeared) for s in seen}) == (120, {1})
    assert len(begun) <= 6


def test_one_asset_of_many_that_can_take_nothing_in_leaves_the_others(mine: Fleet) -> None:
    (gone,) = add(mine, products(("old-1", DJANGO)), "old.csv")
    with mine.acting() as db:
        kept = asset.one(db, gone.asset)
        asset.change(db, kept.asset, kept.version, replace(kept.details, decommissioned=DAY))
    passed: list[SetAside] = []
    seen = add(mine, products(("old-1", FLASK), ("new-1", DJANGO)), "all.csv", passed_over=passed)
    assert [s.name for s in seen] == ["new-1"]
    assert [p.place for p in passed] == ["old-1"]


def test_a_last_mention_alone_in_its_transaction_that_can_take_nothing_in_leaves_the_others(
    mine: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(observe, "_AT_ONCE", 1)
    (gone,) = add(mine, products(("z-old", DJANGO)), "old.csv")
    with mine.acting() as db:
        kept = asset.one(db, gone.asset)
        asset.change(db, kept.asset, kept.version, replace(kept.details, decommissioned=DAY))
    passed: list[SetAside] = []
    seen = add(mine, products(("a-new", DJANGO), ("z-old", FLASK)), "all.csv", passed_over=passed)
    assert ([s.name for s in seen], [p.place for p in passed]) == (["a-new"], ["z-old"])


def test_an_asset_that_can_not_be_called_so_leaves_the_others_of_the_call(mine: Fleet) -> None:
    passed: list[SetAside] = []
    seen = add(mine, products(("h" * 301, FLASK), ("new-1", DJANGO)), "all.csv", passed_over=passed)
    assert [s.name for s in seen] == ["new-1"]
    (aside,) = passed
    assert aside.place == "h" * 60 + "…"
    assert "this one 301 (give it a short name)" in aside.reason


def test_the_step_that_tells_files_apart_goes_down_and_up(world: World) -> None:  # noqa: F811
    def text() -> str:
        with connect(world.url) as db:
            row = db.execute("select prosrc from pg_proc where proname = 'fleet_take'").fetchone()
        assert row is not None
        return str(row[0])

    after = text()
    steps = Steps(world.url, step_of("files_witness"))
    steps.down()
    assert "starts_with" in after
    assert "starts_with" not in text()
    steps.up()
    assert text() == after
