"""osquery's answers in their three shapes."""

from __future__ import annotations

import json

import pytest
from fleet_documents import assets, document, only, triples

from clearway.formats.observed import read_fleet, read_observed
from clearway.records.errors import InputError


def test_tables_of_one_host_name_the_host_its_system_and_its_packages() -> None:
    one = only("osquery-tables.json")
    assert one.name == "web-1.corp.example"
    assert (one.ids.hostname, one.ids.fqdns) == ("web-1", ("web-1.corp.example",))
    assert one.ids.serial == "7H2KX93"
    assert one.ids.hardware_uuid == "4c4c4544-0043-3510-8051-b4c04f595031"
    assert one.ids.ips == ("10.20.0.5", "fe80::1")
    assert one.ids.macs == ("00:0d:3a:45:64:7f",)
    assert (one.os, one.distro) == ("Debian GNU/Linux 12 (bookworm)", "debian-12")
    assert triples(one) == [
        ("Debian:12", "libssl3", "3.0.11-1~deb12u2"),
        ("Debian:12", "libgcc-s1", "12.2.0-14"),
        ("Homebrew", "wget", "1.21.4"),
        ("PyPI", "django", "4.2.1"),
        ("npm", "@babel/core", "7.20.0"),
        ("", "cjpalhdlnbpafiamejdnhcphjbkeiagm", "1.50.0"),
    ]


def of_serials(*serials: str) -> tuple[str, ...]:
    rows = [{"hostname": "web-1", "hardware_serial": s, "uuid": ""} for s in serials]
    packages = [{"name": "bash", "version": "5.2", "arch": "amd64", "status": "install ok installed"}]
    data = json.dumps({"system_info": rows, "deb_packages": packages}).encode()
    (one,) = read_fleet(data, "osquery.json").observed
    assert one.ids.serial == min(serials)
    return one.problems


def test_a_remark_on_values_that_differ_names_them_and_the_one_that_is_kept() -> None:
    assert of_serials("7H2KX93") == ()
    (said,) = of_serials("7H2KX93", "5CG1234XYZ")
    assert said == "web-1: `serial` is stated as 5CG1234XYZ and 7H2KX93; 5CG1234XYZ is kept"


def test_of_many_values_the_remark_names_four_and_says_how_many_more() -> None:
    (said,) = of_serials(*(f"SERIAL{n:03}" for n in range(20)))
    assert said == (
        "web-1: `serial` is stated as SERIAL000 and SERIAL001 and SERIAL002 and SERIAL003 and 16 more; "
        "SERIAL000 is kept"
    )


def test_debian_packages_carry_their_source_of_which_advisories_speak() -> None:
    libssl, libgcc = only("osquery-tables.json").components[:2]
    assert (libssl.source_name, libssl.source_version) == ("openssl", "3.0.11-1~deb12u2")
    assert (libgcc.source_name, libgcc.source_version) == ("gcc-12", "12.2.0-14")


def test_a_removed_package_whose_configuration_stays_is_not_installed() -> None:
    assert "old" not in {c.name for c in only("osquery-tables.json").components}


def test_a_row_without_a_name_is_set_aside_and_then_absence_proves_nothing() -> None:
    found = document("osquery-tables.json")
    assert [(a.place, a.reason) for a in found.set_aside] == [
        ("deb_packages[3]", "has no name (select the column `name`)")
    ]
    assert not found.observed[0].complete


def test_rows_of_one_table_are_told_by_their_columns() -> None:
    (component,) = only("osquery-rpm.json").components
    assert (component.name, component.version) == ("openssl-libs", "1:1.1.1g-5.el8_4")
    assert (component.source_name, component.arch) == ("openssl", "x86_64")


def test_a_result_log_is_replayed_so_that_an_upgraded_package_is_there_once() -> None:
    one = assets("osqueryd.results.log")["web-1"]
    assert triples(one) == [
        ("Ubuntu:18.04", "bash", "4.4.18-2ubuntu1"),
        ("Ubuntu:18.04", "openssl", "1.1.1-1ubuntu2.1~18.04.21"),
    ]
    assert one.ids.fqdns == ("web-1.corp.example",)
    assert one.seen is not None
    assert one.seen.isoformat() == "2021-05-20T07:00:00+00:00"


def test_snapshots_and_batches_of_differences_are_read_and_other_queries_passed_over() -> None:
    found = document("osqueryd.results.log")
    one = {o.name: o for o in found.observed}["ws-17"]
    assert triples(one) == [("vendor", "Google Chrome", "114.0.5735.90"), ("npm", "left-pad", "1.3.0")]
    assert found.passed_over == 1


def test_lines_that_are_cut_or_name_no_host_are_set_aside() -> None:
    found = document("osqueryd.results.log")
    assert [a.place for a in found.set_aside] == ["line 9", "line 10"]
    assert "host_identifier" in found.set_aside[1].reason


def event(at: int, counter: int, action: str, name: str, epoch: int = 0) -> bytes:
    columns = {"name": name, "version": "1", "path": "/x/node_modules/a/package.json"}
    return json.dumps(
        {"name": "npm_packages", "hostIdentifier": "h", "unixTime": at, "epoch": epoch, "counter": counter,
         "columns": columns, "action": action}
    ).encode()  # fmt: skip


def names_after(*events: bytes) -> set[str]:
    (one,) = read_observed(b"\n".join(events), "log")
    return {c.name for c in one.components}


def test_a_new_epoch_begins_the_query_anew() -> None:
    old = event(1621407600, 0, "added", "a"), event(1621407600, 0, "added", "b")
    assert names_after(*old) == {"a", "b"}
    assert names_after(*old, event(1621494000, 0, "added", "b", epoch=1)) == {"b"}


def test_events_are_replayed_in_their_own_order_whatever_order_the_lines_are_in() -> None:
    added, removed = event(1621407600, 0, "added", "a"), event(1621494000, 1, "removed", "a")
    assert names_after(added, removed) == names_after(removed, added) == set()


def test_differences_without_their_beginning_are_not_all_that_is_there() -> None:
    (partial,) = read_observed(event(1621494000, 5, "added", "a"), "log")
    (whole,) = read_observed(event(1621494000, 0, "added", "a"), "log")
    assert (partial.complete, whole.complete) == (False, True)


def test_a_tls_loggers_body_carries_events_too() -> None:
    body = b'{"node_key": "k", "log_type": "result", "data": [%s]}' % event(1621407600, 0, "added", "a")
    (one,) = read_observed(body, "log")
    assert [c.name for c in one.components] == ["a"]


def test_rows_of_an_unknown_table_are_no_inventory() -> None:
    with pytest.raises(InputError, match="not a document about assets"):
        read_fleet(b'[{"username": "root", "shell": "/bin/sh"}]', "users.json")


@pytest.mark.parametrize("at", [0, 1, 2])
def test_a_line_that_is_dirt_loses_no_other(at: int) -> None:
    rows = [
        json.dumps({"name": "deb_packages", "hostIdentifier": host, "unixTime": 1795000000, "snapshot": [
            {"name": "bash", "version": "5", "source": "", "arch": "amd64", "status": "install ok installed"}]})
        for host in ("web-1", "web-2")
    ]  # fmt: skip
    rows.insert(at, "Extra data } {")
    found = read_fleet(("\n".join(rows) + "\n").encode(), "osqueryd.results.log")
    assert [o.name for o in found.observed] == ["web-1", "web-2"]
    assert [a.place for a in found.set_aside] == [f"line {at + 1}"]
