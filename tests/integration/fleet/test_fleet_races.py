"""Many at once: nothing is lost, nothing is doubled, nobody waits for ever."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from clearway.exposure.fleet import prepare, take
from clearway.formats.inventory import read_inventory
from fleet_world import DAY, Fleet, document, osv, package


def test_many_uploads_of_the_same_new_versions_and_a_follower_agree(fleet: Fleet) -> None:
    fleet.ingest(*(osv(f"PYSEC-{n}", package("PyPI", f"p{n}", "2.0")) for n in range(8)))
    fleet.follow()
    hosts = [fleet.asset(f"host-{n}") for n in range(8)]
    table = fleet.table
    data = document(*(f"pkg:pypi/p{n}@1.{m}" for n in range(8) for m in range(4)))
    inventory = read_inventory(data, "x")

    def upload(host: int) -> int:
        with fleet.owner() as owner:
            prepared = prepare.one(owner, table, inventory, DAY)
        with fleet.acting() as db:
            return len(take.take(db, host, prepared, data, day=DAY).appeared)

    with ThreadPoolExecutor(4) as many:
        assert list(many.map(upload, hosts)) == [32] * 8
    assert fleet.world.sql("select count(*), count(distinct digest) from clearway.package_version") == [
        (32, 32)
    ]
    assert fleet.world.sql("select count(*) from clearway.exposure where gone is null") == [(256,)]
    assert fleet.world.sql("select count(*) from clearway.clock") == [(1,)]


def test_many_uploads_of_one_asset_end_in_the_last_ones_state(fleet: Fleet) -> None:
    fleet.ingest(osv("PYSEC-1", package("PyPI", "django", "4.2")))
    web = fleet.asset("web")

    def upload(minor: int) -> None:
        fleet.upload(web, f"pkg:pypi/django@4.{minor}")

    with ThreadPoolExecutor(4) as many:
        list(many.map(upload, range(6)))
    ((current,),) = fleet.world.sql("select count(*) from clearway.inventory where current")
    ((held,),) = fleet.world.sql("select count(*) from clearway.held")
    assert (current, held) == (1, 1)
    open_ = fleet.world.sql(
        """select e.pv = h.pv from clearway.exposure e, clearway.held h where e.gone is null and e.asset = h.asset"""
    )
    assert open_ in ([], [(True,)])
