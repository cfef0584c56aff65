"""Exports of `asset, cve, first_detected` in the headings of every tool, and lists of assets."""

from __future__ import annotations

from datetime import date

import pytest
from fleet_documents import assets, document, only

from clearway.formats.observed import fleet_kind, read_fleet, read_observed
from clearway.records.errors import InputError, TooLargeError
from clearway.records.fleet_input import known_since


def test_qualys_has_a_preamble_several_cves_a_row_and_month_first() -> None:
    found = document("qualys.csv")
    assert found.format == "qualys-csv"
    one, other = found.observed
    assert [(d.flaw, d.first_detected, d.state) for d in other.detections] == [
        ("CVE-2021-31188", date(2021, 5, 3), "open"),
        ("CVE-2021-31192", date(2021, 5, 3), "open"),
    ]
    assert [d.state for d in one.detections] == ["fixed"]
    assert other.detections[0].last_seen == date(2021, 5, 25)


@pytest.mark.parametrize("cell", ["CVE-9999", "CVE-2026-12", "cve 2026/1234", "CVE-2021-44228, CVE-2021-4"])
def test_what_was_meant_as_a_cve_and_is_none_is_told_of(cell: str) -> None:
    found = read_fleet(f'asset,cve\nweb,"{cell}"\n'.encode(), "s.csv")
    assert [a.place for a in found.set_aside] == ["line 2"]
    assert [d.flaw for o in found.observed for d in o.detections] == ["CVE-2021-44228"] * ("44228" in cell)


@pytest.mark.parametrize(
    "cell", ["", "n/a", "CVE", "CVE-2021-44228-1", "no CVE assigned", "GHSA-jfh8-c2jp-5v3q"]
)
def test_a_remark_is_no_mistake(cell: str) -> None:
    assert read_fleet(f'asset,cve\nweb,"{cell}"\n'.encode(), "s.csv").set_aside == ()


def test_a_list_says_what_is_at_the_edge() -> None:
    rows = b"asset,edge device\na,yes\nb,No\nc,\nd,maybe\ne,yes\ne,no\n"
    found = read_fleet(rows, "l.csv")
    assert {o.name: o.edge for o in found.observed} == {"a": True, "b": False, "c": None, "e": True}
    assert [a.place for a in found.set_aside] == ["line 5"]


def test_two_machines_of_one_cloned_name_stay_two() -> None:
    one, other = document("qualys.csv").observed
    assert one.ids.hostname == other.ids.hostname == "ec2amaz-iu0c43l"
    assert one.ids.ips != other.ids.ips


@pytest.mark.parametrize("column", ["serial number", "cloud id"])
@pytest.mark.parametrize("head", ["asset,{},cve", "asset,{},edge device"])
def test_two_serial_numbers_of_one_name_are_two_machines_in_any_order(column: str, head: str) -> None:
    rows = ["dup2,SERIALZ1,{}", "dup2,SERIALZ2,{}", "DUP2,serialz1,{}", "dup2,,{}"]
    cells = ["CVE-2021-44228", "CVE-2021-44228", "CVE-2021-45046", "CVE-2021-45105"]
    rows = [r.format(c if head.endswith("cve") else "yes") for r, c in zip(rows, cells, strict=True)]
    first, again = (
        read_fleet("\n".join([head.format(column), *some, ""]).encode(), "l.csv")
        for some in (rows, rows[::-1])
    )
    told = [(o.ids.serial or o.ids.cloud_id, [d.flaw for d in o.detections]) for o in first.observed]
    assert told == [(o.ids.serial or o.ids.cloud_id, [d.flaw for d in o.detections]) for o in again.observed]
    assert [who.casefold() for who, _ in told] == ["serialz1", "serialz2"]
    if head.endswith("cve"):
        assert [flaws for _, flaws in told] == [[cells[0], cells[2], cells[3]], [cells[1]]]
    assert "dup2: is serialz1 where a row doesn't say which machine" in "".join(first.observed[0].problems)


def test_addresses_that_no_row_states_together_are_told_of() -> None:
    rows = (
        b'asset,ip,cve\nd,203.0.113.151,\nd,203.0.113.152,\nm,203.0.113.1,\nm,"203.0.113.1, 203.0.113.2",\n'
    )
    one, other = read_fleet(rows, "s.csv").observed
    assert len(one.problems) == 1
    assert "203.0.113.151, 203.0.113.152" in one.problems[0]
    assert other.problems == ()


def test_tenable_says_when_a_flaw_was_first_observed() -> None:
    one = only("tenable.csv")
    (detection,) = one.detections
    assert detection.first_detected == date(2022, 7, 5)
    assert detection.last_seen == date(2023, 7, 10)
    assert detection.state == "open"
    assert one.ids.tool_id == "827d183d-6389-4762-a032-4cb5b73dc874"
    assert one.ids.macs == ("00:22:48:8c:27:ac",)
    assert one.distro == "almalinux-8"


def test_nessus_csv_passes_over_remarks_without_a_cve_but_keeps_the_asset() -> None:
    found = document("nessus.csv")
    assert (found.format, found.passed_over) == ("nessus-csv", 1)
    assert [d.flaw for d in found.observed[0].detections] == ["CVE-2008-5161"]


def test_greenbone_csv_splits_its_cves() -> None:
    one = only("greenbone.csv")
    assert [d.flaw for d in one.detections] == ["CVE-2021-26690", "CVE-2021-26691"]
    assert one.detections[0].port == "80/tcp"
    assert one.seen is not None


def test_a_bad_row_is_set_aside_with_its_line_and_the_rest_lands() -> None:
    found = document("detections.csv")
    (one,) = found.observed
    assert [(d.flaw, d.first_detected, d.package) for d in one.detections] == [
        ("CVE-2021-44228", date(2021, 12, 11), "log4j-core"),
        ("CVE-2021-45046", date(2021, 12, 12), "log4j-core"),
    ]
    assert {a.place: a.reason.partition(" (")[0] for a in found.set_aside} == {
        "line 4": "`first_detected` is ambiguous: 02/03/2022 may be day or month first",
        "line 5": "`first_detected` is no date: soon",
        "line 6": "exposure 'sometimes' is neither public nor internal",
        "line 7": "names no asset",
    }


def test_exposure_is_taken_where_it_is_stated_with_who_said_so() -> None:
    (one,) = document("detections.csv").observed
    assert one.exposure == "public"
    assert one.exposure_by == "the column `exposure` of detections.csv"


@pytest.mark.parametrize(
    "header",
    [
        "asset,cve,first_detected",
        "HOST;CVE-ID;First Seen",
        "hostname\tCVEs\tfirstDiscovered",
        '"Asset Name","CVE ID(s)","First Detected On"',
        "Computer Name|Vulnerability ID|date detected",
        "\ufeffIP Address,cve_ids,first-found",
        "DeviceName,CveId,FirstSeenTimestamp",
        "Asset IP Address,Vulnerability CVE IDs,Vulnerable Since",
        "endpoint,cve_list,Date First Found",
        "#exported by hand,,\n\nmachine,CVE Number,created_at",
    ],
)
def test_headings_are_known_in_any_case_and_spelling(header: str) -> None:
    delimiter = next(d for d in ",;\t|" if d in header)
    data = f"{header}\n{delimiter.join(('10.0.0.9', 'CVE-2024-0001', '2024-01-02'))}\n".encode()
    (one,) = read_observed(data, "x.csv")
    assert [(d.flaw, d.first_detected) for d in one.detections] == [("CVE-2024-0001", date(2024, 1, 2))]


def test_one_flaw_in_two_rows_keeps_its_first_and_its_last_day() -> None:
    data = (
        b"asset,cve,first seen,last seen\n"
        b"a,CVE-2024-0001,2024-02-01,2024-02-09\nA,CVE-2024-0001,2024-01-05,2024-03-01\n"
    )
    (one,) = read_observed(data, "x.csv")
    (detection,) = one.detections
    assert (detection.first_detected, detection.last_seen) == (date(2024, 1, 5), date(2024, 3, 1))


def test_ids_of_other_databases_are_flaws_where_no_cve_is_named() -> None:
    data = b"asset,cve\na,GHSA-jfh8-c2jp-5v3q\na,GHSA-jfh8-c2jp-5v3q CVE-2021-44228\na,weak password\n"
    found = read_fleet(data, "x.csv")
    assert [d.flaw for d in found.observed[0].detections] == ["CVE-2021-44228", "GHSA-jfh8-c2jp-5v3q"]
    assert found.passed_over == 1


def test_an_asset_column_holds_addresses_digests_urls_and_domain_names_alike() -> None:
    digest = "sha256:" + "ab" * 32
    rows = [
        "10.0.0.9",
        r"CORP\WS-17",
        "https://shop.corp.example:8443/x",
        f"shop@{digest}",
        "i-0123456789abcdef0",
        "Room 7",
    ]
    data = "asset,cve\n" + "".join(f"{row},CVE-2024-0001\n" for row in rows)
    found = {o.name: o.ids for o in read_observed(data.encode(), "x.csv")}
    assert found["10.0.0.9"].ips == ("10.0.0.9",)
    assert found[r"CORP\WS-17"].hostname == "ws-17"
    assert found["https://shop.corp.example:8443/x"].fqdns == ("shop.corp.example",)
    assert found[f"shop@{digest}"].image_digests == (digest,)
    assert found["i-0123456789abcdef0"].cloud_id == "i-0123456789abcdef0"
    assert found["Room 7"] == type(found["Room 7"])()


def test_a_list_of_assets_says_who_owns_them_and_until_when_they_are_supported() -> None:
    found = assets("assets.csv")
    firewall = found["fw-edge-1"]
    assert (firewall.owner, firewall.environment, firewall.type) == ("network team", "production", "firewall")
    assert (firewall.exposure, firewall.exposure_since) == ("public", date(2026, 1, 15))
    assert firewall.end_of_support == date(2027, 3, 31)
    assert firewall.ids.ips == ("192.168.1.1", "203.0.113.7")
    assert firewall.ids.serial == "FGT60F0123456789"
    assert found["db1.corp.example"].exposure == "internal"
    assert found["db1.corp.example"].ids.serial == ""
    assert (found["lab-3"].exposure, found["lab-3"].end_of_support) == ("", date(2026, 12, 31))


def test_two_values_for_one_asset_are_a_problem_of_it_and_public_wins() -> None:
    data = b"asset,owner,exposure\na,x,internal\na,y,public\n"
    (one,) = read_observed(data, "x.csv")
    assert (one.owner, one.exposure) == ("x", "public")
    assert one.problems == (
        "a: `exposure` is stated as internal and public; public is kept",
        "a: `owner` is stated as x and y; x is kept",
    )


def test_detections_under_a_heading_that_is_not_known_do_not_pass_for_a_list_of_assets() -> None:
    assert fleet_kind(b"asset,owner,related cve records\na,b,CVE-2024-0001\n") == ""


def test_a_product_list_with_hosts_is_as_many_assets_and_a_document_without_is_one() -> None:
    found = assets("products.csv")
    assert {name: o.exposure for name, o in found.items()} == {"edge-fw-1": "public", "wiki-1": "internal"}
    assert [c.name for c in found["wiki-1"].components] == ["Confluence Server", "Jira"]
    (one,) = read_observed(b"vendor,product,version\nFortinet,FortiOS,7.2.5\n", "p.csv")
    assert (one.name, one.ids) == ("p.csv", type(one.ids)())


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (b"b," + b"x" * (2 << 20), "has a cell of more than"),
        (b"\xff,CVE-2024-0002", "is not UTF-8"),
        (b'b,"CVE-2024-0002', "is not CSV"),
    ],
    ids=["a long cell", "another encoding", "a quote that never ends"],
)
@pytest.mark.parametrize("head", [b"asset,cve", b"asset,owner"])
def test_a_row_that_can_not_be_read_loses_no_other(row: bytes, reason: str, head: bytes) -> None:
    found = read_fleet(head + b"\na,CVE-2024-0001\n" + row + b"\nc,CVE-2024-0003\n", "x.csv")
    assert [o.name for o in found.observed] == ["a", "c"]
    ((place, why),) = [(a.place, a.reason) for a in found.set_aside]
    assert place == "line 3"
    assert why.startswith(reason)


def test_what_no_column_needs_may_be_in_another_encoding() -> None:
    found = read_fleet(b"asset,cve,remark\na,CVE-2024-0001,M\xfcller\n", "x.csv")
    assert (len(found.observed), found.set_aside) == (1, ())


def test_a_column_twice_is_refused() -> None:
    with pytest.raises(InputError, match="two columns 'cve'") as refused:
        read_fleet(b"Report\nasset,CVE,cve\na,CVE-2024-0001,CVE-2024-0002\n", "x.csv")
    assert (refused.value.where, bool(refused.value.mend)) == ("x.csv, line 2", True)
    # Two columns that nobody reads, and two words for one, are in many exports.
    assert read_fleet(b"asset,host,cve,x,x\na,b,CVE-2024-0001,1,2\n", "x.csv").observed[0].name == "a"


def test_a_table_of_broken_quotes_costs_no_more_than_it_is_worth() -> None:
    rows = b'b,"CVE-2024-0002\n' * 301
    found = read_fleet(b"asset,cve\n" + rows + b"c,CVE-2024-0003\n", "x.csv")
    assert found.observed[-1].name == "c"
    with pytest.raises(TooLargeError, match="too many rows"):
        read_fleet(b"asset,cve\n" + b'a""","\n' * 20_000, "x.csv")  # each row is open to the end


def test_control_characters_do_not_get_into_names() -> None:
    (one,) = read_observed(b"asset,cve,owner\na\x1b[31m\x00b,CVE-2024-0001,x\n", "x.csv")
    assert one.name.isprintable()


def test_rows_of_a_cloned_host_name_and_different_addresses_stay_apart() -> None:
    data = b"hostname,ip,cve\nweb,10.0.0.1,CVE-2024-0001\nweb,10.0.0.2,CVE-2024-0001\nWEB,10.0.0.1,CVE-2024-0002\n"
    found = read_observed(data, "x.csv")
    assert [(o.ids.ips, len(o.detections)) for o in found] == [(("10.0.0.1",), 2), (("10.0.0.2",), 1)]


def test_a_tools_id_that_is_anothers_name_does_not_join_them() -> None:
    data = b"asset,asset id,cve\n7,,CVE-2024-0001\nweb,7,CVE-2024-0001\n"
    assert [o.name for o in read_observed(data, "x.csv")] == ["7", "web"]


def test_a_flaw_is_known_since_its_first_day_that_any_row_states() -> None:
    data = (
        b"asset,cve,first seen,scan date\na,CVE-2024-0001,2024-02-01,2024-03-01\n"
        b"a,CVE-2024-0002,,2024-03-01\na,CVE-2024-0003,,\n"
    )
    (one,) = read_observed(data, "x.csv")
    assert known_since(one) == {
        "CVE-2024-0001": date(2024, 2, 1),
        "CVE-2024-0002": date(2024, 3, 1),
        "CVE-2024-0003": date(2024, 3, 1),
    }


def test_a_preamble_with_odd_characters_does_not_move_the_header() -> None:
    data = "Report\u2028of\x0cMay,\r\n\r\nasset,cve\r\na,CVE-2024-0001\r\n".encode()
    (one,) = read_observed(data, "x.csv")
    assert [d.flaw for d in one.detections] == ["CVE-2024-0001"]
