"""Uploads by whoever: whose a document is, what of it was set aside, and what scanners say of what is held."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from clearway.exposure.fleet import asset, described, page_upload, status
from clearway.records.errors import ConflictError, InputError
from clearway.records.principal import Membership
from fleet_world import DAY, Fleet

NEW = page_upload.NewAsset(name="")


def up(
    fleet: Fleet, data: Any, filename: str = "x.json", new: page_upload.NewAsset = NEW, day: date = DAY
) -> page_upload.Landed:
    home = Membership(org=fleet.org, slug="x", name="x", kind="operator")
    raw = data.encode() if isinstance(data, str) else json.dumps(data).encode()
    pool, key = fleet.people.pool, fleet.operator.key
    return page_upload.to_organisation(pool, key, fleet.table, home, raw, filename, day, new)


def to(fleet: Fleet, which: int, data: Any, filename: str = "x.json", **more: Any) -> page_upload.Uploaded:
    raw = data.encode() if isinstance(data, str) else json.dumps(data).encode()
    pool, key = fleet.people.pool, fleet.operator.key
    return page_upload.to_asset(pool, key, fleet.table, which, raw, filename, DAY, **more)


def agent(host: str, serial: str, *packages: tuple[str, str], ip: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {
        "system_info": [{"hostname": host, "uuid": "", "hardware_serial": serial}],
        "python_packages": [{"name": n, "version": v, "path": "/x"} for n, v in packages],
    }
    if ip:
        found["interface_addresses"] = [{"interface": "eth0", "address": ip}]
    return found


def sbom(*packages: tuple[str, str], tool: str = "", spec: str = "1.5", **more: Any) -> dict[str, Any]:
    metadata: dict[str, Any] = {"component": {"type": "container", "name": "img"}}
    if tool:
        metadata["tools"] = {"components": [{"type": "application", "name": tool, "version": "1"}]}
    components = [
        {"type": "library", "name": n, "version": v, "purl": f"pkg:pypi/{n}@{v}"} for n, v in packages
    ]
    return {"bomFormat": "CycloneDX", "specVersion": spec, "version": 1, "metadata": metadata,
            "components": [*components, *more.get("components", ())]}  # fmt: skip


def nmap(ip: str, version: str, *names: str) -> str:
    hostnames = "".join(f'<hostname type="PTR" name="{name}"/>' for name in names)
    return (
        f'<?xml version="1.0"?><nmaprun scanner="nmap" start="1795000000"><host><status state="up"/>'
        f'<address addr="{ip}" addrtype="ipv4"/><hostnames>{hostnames}</hostnames>'
        f'<ports><port protocol="tcp" portid="80"><state state="open"/>'
        f'<service name="http" product="Apache httpd" version="{version}"/></port></ports></host></nmaprun>'
    )


def image(name: str, digit: str, *packages: tuple[str, str]) -> dict[str, Any]:
    return {
        "SchemaVersion": 2, "ArtifactName": name, "ArtifactType": "container_image",
        "Metadata": {"ImageID": "sha256:" + digit * 64, "RepoDigests": ["x@sha256:" + digit * 64]},
        "Results": [{"Target": "Python", "Class": "lang-pkgs", "Type": "python-pkg", "Packages": [
            {"Name": n, "Version": v, "Identifier": {"PURL": f"pkg:pypi/{n}@{v}"}} for n, v in packages]}],
    }  # fmt: skip


def repository(path: str, *packages: tuple[str, str]) -> dict[str, Any]:
    return {"results": [{"source": {"path": path, "type": "lockfile"}, "packages": [
        {"package": {"name": n, "version": v, "ecosystem": "PyPI"}} for n, v in packages]}]}  # fmt: skip


DJANGO, FLASK = ("django", "4.1"), ("flask", "2.0")
PAIRS = {
    "one host name, two serial numbers": (agent("twin", "SERIALA1", DJANGO), agent("twin", "SERIALB2", FLASK)),
    "one full name, other serial number and address": (
        agent("h.corp.example", "SERIALF1", DJANGO, ip="203.0.113.21"),
        agent("h.corp.example", "SERIALF2", FLASK, ip="203.0.113.22"),
    ),
    "two images under one tag": (image("web:latest", "1", DJANGO), image("web:latest", "2", FLASK)),
    "two repositories, each results.json": (
        repository("/src/shop/requirements.txt", DJANGO), repository("/src/billing/requirements.txt", FLASK),
    ),
}  # fmt: skip


@pytest.mark.parametrize("pair", PAIRS.values(), ids=[*PAIRS])
def test_two_machines_stay_two_and_nothing_of_the_first_ends(mine: Fleet, pair: tuple[Any, Any]) -> None:
    first, second = (up(mine, data, "results.json").items[0] for data in pair)
    assert (first.made, second.made, second.ended) == (True, True, 0)
    assert first.asset != second.asset
    assert sorted(x.name for x in mine.lines()) == ["django", "flask"]
    again = [up(mine, data, "results.json").items[0] for data in pair]
    assert [(a.asset, a.unchanged) for a in again] == [(first.asset, True), (second.asset, True)]


def test_a_private_address_is_one_machine_within_one_source_only(mine: Fleet) -> None:
    a = up(mine, nmap("10.0.0.5", "2.4.49"), "site-a_2026-11-01.xml").items[0]
    b = up(mine, nmap("10.0.0.5", "2.4.10"), "site-b_2026-11-01.xml").items[0]
    later = up(mine, nmap("10.0.0.5", "2.4.50"), "site-a_2026-11-08.xml").items[0]
    assert (a.made, b.made, later.made, later.asset) == (True, True, False, a.asset)
    assert (a.name, b.name) == ("10.0.0.5", "10.0.0.5 (2)")
    assert up(mine, nmap("10.0.0.5", "2.4.51"), "").items[0].made  # of no source: nobody can tell


# Addresses for documentation are not public to `asset_identity`.
PUBLIC, FQDN = "9.9.9.77", "web.corp.example"


def names_of(fleet: Fleet, *assets: int) -> list[str]:
    with fleet.acting() as db:
        return [asset.one(db, number).name for number in assets]


def test_what_a_scan_called_by_its_address_is_called_by_its_name_once_a_scan_has_one(mine: Fleet) -> None:
    first = up(mine, nmap(PUBLIC, "2.4.49"), "a.xml").items[0]
    assert first.name == PUBLIC
    named = up(mine, nmap(PUBLIC, "2.4.50", FQDN), "b.xml").items[0]
    assert (named.asset, named.made, names_of(mine, named.asset)) == (first.asset, False, [FQDN])
    with mine.acting() as db:
        (change, *_) = described.changes(described.described(db, first.asset))
    assert ("name", PUBLIC, FQDN) in change.fields
    assert change.said_by == "nmap"
    for later in (
        nmap(PUBLIC, "2.4.51"),
        nmap(PUBLIC, "2.4.53", FQDN),
    ):
        found = up(mine, later, "c.xml").items[0]
        assert (found.asset, names_of(mine, found.asset)) == (first.asset, [FQDN])


@pytest.mark.parametrize(
    "names", [("a.corp.example", "b.corp.example"), ("dhcp.lan",), ("host-9-9-9-77.isp.example",)]
)
def test_names_that_do_not_tell_which_machine_it_is_rename_nothing(
    mine: Fleet, names: tuple[str, ...]
) -> None:
    first = up(mine, nmap(PUBLIC, "2.4.49"), "a.xml").items[0]
    found = up(mine, nmap(PUBLIC, "2.4.50", *names), "b.xml").items[0]
    assert (found.asset, names_of(mine, found.asset)) == (first.asset, [PUBLIC])


def test_a_name_that_a_person_gave_stays_even_where_it_is_the_address(mine: Fleet) -> None:
    new = page_upload.NewAsset(name=PUBLIC)
    first = up(mine, nmap(PUBLIC, "2.4.49"), "a.xml", new=new).items[0]
    other = mine.asset("9.9.9.78", "public")
    with mine.acting() as db:
        kept = asset.one(db, other)
        asset.change(db, other, kept.version, replace(kept.details, identifiers=("ip:9.9.9.78",)))
    up(mine, "asset,owner\n9.9.9.79,me\n", "list.csv")
    listed = up(mine, nmap("9.9.9.79", "2.4.50"), "b.xml").items[0].asset
    for ip, name in ((PUBLIC, FQDN), ("9.9.9.78", "b.corp.example"), ("9.9.9.79", "c.corp.example")):
        assert not up(mine, nmap(ip, "2.4.51", name), "b.xml").items[0].made
    assert names_of(mine, first.asset, other, listed) == [PUBLIC, "9.9.9.78", "9.9.9.79"]


def test_a_name_that_another_asset_has_is_not_given_again_and_makes_no_two_one(mine: Fleet) -> None:
    first = up(mine, nmap(PUBLIC, "2.4.49"), "a.xml").items[0].asset
    other = mine.asset(FQDN)
    with mine.acting() as db:
        kept = asset.one(db, other)
        asset.change(
            db,
            other,
            kept.version,
            replace(kept.details, identifiers=("ip:9.9.9.1",), addresses=("9.9.9.1",)),
        )
    found = up(mine, nmap(PUBLIC, "2.4.50", FQDN), "b.xml").items[0].asset
    assert (found, names_of(mine, first, other)) == (first, [PUBLIC, FQDN])


def test_a_serial_number_goes_before_a_name(mine: Fleet) -> None:
    x = up(mine, agent("hosta", "SERIALG1", DJANGO)).items[0]
    y = up(mine, agent("hostb", "SERIALG2", FLASK)).items[0]
    found = up(mine, agent("hosta", "SERIALG2", ("idna", "3.6"))).items[0]
    assert (found.asset, found.made) == (y.asset, False)
    assert x.asset != y.asset
    renamed = up(mine, agent("hostb-new", "SERIALG2", FLASK)).items[0]
    assert (renamed.asset, renamed.made) == (y.asset, False)


def test_an_asset_that_is_only_a_name_learns_who_it_is(mine: Fleet) -> None:
    kept = mine.asset("web", "internal")
    assert up(mine, agent("web", "SERIALH1", DJANGO)).items[0].asset == kept
    assert up(mine, agent("web", "SERIALH2", DJANGO)).items[0].asset != kept
    with mine.acting() as db:
        assert "serial:serialh1" in asset.one(db, kept).details.identifiers


def test_whoever_names_an_asset_decides(mine: Fleet) -> None:
    named = page_upload.NewAsset(name="shop", exposure="internal", said_by="Ada")
    first = up(mine, image("web:latest", "3", DJANGO), new=named).items[0]
    second = up(mine, image("web:latest", "4", ("django", "4.2")), new=named).items[0]
    assert (second.asset, second.name, second.ended) == (first.asset, "shop", 1)
    with mine.acting() as db:  # what was said of its exposure holds, for a scanner's document too
        assert asset.one(db, first.asset).exposure == "internal"


def test_rows_set_aside_are_told_and_nothing_is_taken_to_be_gone(mine: Fleet) -> None:
    head = "asset,serial number,cve,first_detected\n"
    rows = "sc,SCSER1,CVE-2026-0002,2026-11-01\n"
    up(mine, head + rows + "sc,SCSER1,CVE-2026-0001,2026-11-01\n", "s.csv")
    done = up(mine, head + rows + "sc,SCSER1,CVE-2026-0001,02/03/2026\n", "s.csv")
    assert done.items[0].ended == 0
    assert [a.place for a in done.set_aside] == ["line 3"]
    assert len(mine.lines()) == 2
    done = up(mine, head + rows + "sc,SCSER1,CVE-9999,\n", "s.csv")
    assert (done.items[0].ended, [a.place for a in done.set_aside]) == (0, ["line 3"])
    assert "CVE-9999" in done.set_aside[0].reason
    assert up(mine, head + rows, "s.csv").items[0].ended == 1


def test_a_component_that_turns_unreadable_ends_nothing_of_its_name(mine: Fleet) -> None:
    kept = mine.asset("img")
    to(mine, kept, sbom(DJANGO, FLASK))
    broken = {"type": "library", "name": "flask", "version": "2.0", "purl": "pkg:::bad"}
    done = to(mine, kept, sbom(components=[broken]))
    assert [x.name for x in mine.lines()] == ["flask"]  # django is gone, as the document says
    assert done.problems
    assert (to(mine, kept, sbom(("flask", "3.1"))).ended, mine.lines()) == (1, ())


def test_an_entry_that_is_no_component_could_be_any_of_them(mine: Fleet) -> None:
    kept = mine.asset("img")
    to(mine, kept, sbom(DJANGO, FLASK))
    done = to(mine, kept, sbom(FLASK, components=[7]))
    assert (done.ended, [a.place for a in done.set_aside]) == (0, ["components[1] is not an object"])
    assert to(mine, kept, sbom(FLASK)).ended == 1


def test_a_list_of_products_is_an_asset_a_host(mine: Fleet) -> None:
    rows = "vendor,product,version,host\nFortinet,FortiOS,7.2.5,fw-1\nFortinet,FortiOS,7.2.6,fw-2\n"
    assert sorted(i.name for i in up(mine, rows, "prod.csv").items) == ["fw-1", "fw-2"]


@pytest.mark.parametrize(
    "new", [page_upload.NewAsset(name="x"), page_upload.NewAsset(name="", exposure="public")]
)
def test_what_is_said_of_one_asset_is_not_dropped_where_there_are_many(
    mine: Fleet, new: page_upload.NewAsset
) -> None:
    with pytest.raises(InputError, match="2 assets"):
        up(mine, "vendor,product,version,host\nF,FortiOS,7.2.5,fw-1\nF,FortiOS,7.2.6,fw-2\n", "p.csv", new)
    with mine.acting() as db:
        assert asset.page(db, org=mine.org) == ()


def test_an_earlier_day_of_detection_counts_for_what_is_open(mine: Fleet) -> None:
    kept = mine.asset("img")
    earlier = DAY - timedelta(days=20)
    to(mine, kept, sbom(DJANGO))
    first = mine.lines()[0].due
    done = to(mine, kept, sbom(DJANGO), detected=earlier)  # the same bytes
    assert (done.dated, done.unchanged) == (1, False)
    (line,) = mine.lines()
    assert line.detected == earlier
    assert first is None or (line.due is not None and line.due < first)
    done = to(mine, kept, sbom(DJANGO, ("attrs", "24.3")), detected=earlier - timedelta(days=1))
    assert {x.detected for x in mine.lines()} == {earlier - timedelta(days=1)}
    done = to(mine, kept, sbom(DJANGO, ("attrs", "24.3")), detected=DAY)  # a later one does not
    assert (done.unchanged, {x.detected for x in mine.lines()}) == (True, {earlier - timedelta(days=1)})
    with pytest.raises(InputError, match="before"):
        to(mine, kept, sbom(DJANGO), detected=date(1, 1, 1))


def test_witness_and_detection_hold_for_scanners_too(mine: Fleet) -> None:
    kept = mine.asset("tv")
    to(mine, kept, image("web:1", "5", DJANGO), witness="mytool", detected=date(2026, 10, 1))
    assert [x.detected for x in mine.lines()] == [date(2026, 10, 1)]
    with mine.acting() as db:
        from clearway.exposure.fleet import inventory

        assert [i.witness for i in inventory.of_asset(db, kept)] == ["mytool"]


SCAN = (
    "asset,serial number,cve,package,version,first_detected\nhost,SERIALE5,CVE-2026-0001,{0},{1},2026-10-01\n"
)


def test_one_flaw_is_one_line_whichever_document_comes_first(mine: Fleet) -> None:
    up(mine, SCAN.format("django", "4.1"), "f.csv")
    assert [x.ecosystem for x in mine.lines()] == ["reported"]
    up(mine, agent("host", "SERIALE5", DJANGO))
    (line,) = mine.lines()
    assert (line.ecosystem, line.detected) == ("PyPI", date(2026, 10, 1))


def test_a_finding_in_another_package_is_explained_by_none(mine: Fleet) -> None:
    up(mine, agent("host", "SERIALE5", DJANGO))
    up(mine, SCAN.format("customfork", "1.0"), "f.csv")
    assert sorted((x.name, x.detected) for x in mine.lines()) == [
        ("customfork", date(2026, 10, 1)), ("django", DAY),
    ]  # fmt: skip
    up(mine, agent("host", "SERIALE5", ("django", "4.2")))
    assert [x.name for x in mine.lines()] == ["customfork"]


def test_what_a_scanner_still_sees_is_a_line_when_nothing_explains_it_any_more(mine: Fleet) -> None:
    up(mine, agent("host", "SERIALE5", DJANGO))
    up(mine, SCAN.format("Django", "4.1"), "f.csv")
    assert [(x.ecosystem, x.detected) for x in mine.lines()] == [("PyPI", date(2026, 10, 1))]
    up(mine, agent("host", "SERIALE5", ("django", "4.2")))
    assert [(x.ecosystem, x.detected) for x in mine.lines()] == [("reported", date(2026, 10, 1))]
    up(mine, SCAN.partition("\n")[0] + "\nhost,SERIALE5,,,,\n", "f.csv")
    assert mine.lines() == ()


def test_two_scanners_that_name_one_package_and_flaw_are_two_witnesses_of_one_line(mine: Fleet) -> None:
    from clearway.exposure.fleet import observe
    from clearway.records.fleet_input import AssetIds, Detection, Observed, Witness

    def seen(tool: str) -> Observed:
        found = Detection(
            asset="h", flaw="CVE-2023-5678", source=tool, title=tool, package="libssl3", version="3.0.11"
        )
        return Observed(name="h", format=tool, ids=AssetIds(serial="SER-77"), detections=(found,),
                        witness=Witness(tool=tool))  # fmt: skip

    for tool in ("trivy", "grype"):
        observe.observe(
            mine.people.pool, mine.operator.key, mine.table, mine.org, [seen(tool)], tool.encode(), DAY
        )
    assert [(x.name, x.flaw) for x in mine.lines()] == [("libssl3", "CVE-2023-5678")]


def test_each_tool_is_a_witness_whatever_version_of_a_format_it_writes(mine: Fleet) -> None:
    kept = mine.asset("img")
    to(mine, kept, sbom(DJANGO, tool="trivy"))
    to(mine, kept, sbom(FLASK, tool="syft"))
    assert sorted(x.name for x in mine.lines()) == ["django", "flask"]
    to(mine, kept, sbom(("django", "4.2"), tool="trivy", spec="1.6"))
    assert [x.name for x in mine.lines()] == ["flask"]
    other = mine.asset("plain")
    to(mine, other, sbom(DJANGO))
    assert to(mine, other, sbom(("django", "4.2"), spec="1.6")).ended == 1


def test_documents_of_one_machine_at_once_are_all_learned_from(mine: Fleet) -> None:
    up(mine, agent("busy", "SERIALK1", DJANGO))
    addresses = [f"203.0.113.{n}" for n in range(40, 48)]
    with ThreadPoolExecutor(4) as many:
        done = list(
            many.map(lambda ip: up(mine, agent("busy", "SERIALK1", DJANGO, ip=ip)).items[0].asset, addresses)
        )
    (only,) = set(done)
    with mine.acting() as db:
        assert set(asset.one(db, only).details.addresses) == set(addresses)


def test_a_list_of_assets_says_what_they_are(mine: Fleet) -> None:
    made = up(mine, agent("expo", "SERIALC3", DJANGO)).items[0].asset
    rows = (
        "asset,owner,environment,type,exposure,serial number,end of support,edge device\n"
        "expo,net team,production,router,public,SERIALC3,2025-01-31,yes\n"
    )
    assert up(mine, rows, "l.csv").items[0].asset == made
    with mine.acting() as db:
        kept = asset.one(db, made)
    d = kept.details
    assert (kept.exposure, d.owner, d.environment, d.kind, d.end_of_support, d.edge) == (
        "public", "net team", "production", "router", date(2025, 1, 31), True,
    )  # fmt: skip
    with mine.acting() as db:
        asset.change(db, made, kept.version, asset.Details(owner="somebody else"))
    up(mine, rows, "l.csv")  # the same bytes again take nothing back
    with mine.acting() as db:
        assert asset.one(db, made).details.owner == "somebody else"
    up(mine, agent("expo", "SERIALC3", FLASK))  # and an agent's guess is no word against it
    with mine.acting() as db:
        assert asset.one(db, made).details.owner == "somebody else"


def test_what_is_decommissioned_is_over_and_comes_back_with_its_dates(mine: Fleet) -> None:
    kept = mine.asset("old")
    to(mine, kept, sbom(DJANGO), detected=date(2026, 10, 1))
    with mine.acting() as db:
        (line,) = mine.lines()
        status.decide(db, [line.exposure], status.Decision(status="mitigated", detail="walled in"))
        before = asset.one(db, kept)
        over = asset.change(db, kept, before.version, asset.Details(decommissioned=date(2026, 11, 20)))
    assert mine.lines() == ()
    with pytest.raises(ConflictError, match="decommissioned"):
        to(mine, kept, sbom(DJANGO, FLASK))
    with mine.acting() as db:
        asset.change(db, kept, over.version, asset.Details())
    (back,) = mine.lines()
    assert (back.exposure, back.detected, back.due, back.status) == (
        line.exposure, line.detected, line.due, "mitigated",
    )  # fmt: skip
