"""nmap, Nessus and Greenbone: what their XML says, and what is not read into it."""

from __future__ import annotations

from datetime import date

import pytest
from fleet_documents import FLEET, assets, document, only, triples

from clearway.formats.inventory import read_inventory
from clearway.formats.observed import fleet_kind, read_fleet
from clearway.records.errors import InputError, TooLargeError
from clearway.records.fleet_input import Service


def test_nmap_hosts_that_are_up_are_assets_with_their_addresses_names_and_macs() -> None:
    found = document("nmap-network.xml")
    assert [o.name for o in found.observed] == ["192.168.1.3", "gw.corp.example"]
    gateway = found.observed[1]
    assert gateway.ids.ips == ("192.168.1.1",)
    assert gateway.ids.fqdns == ("gw.corp.example",)
    assert gateway.ids.macs == ("00:0d:3a:45:64:7f",)
    assert gateway.os == "Linux 4.15 - 5.8"
    assert gateway.seen is not None
    assert found.passed_over == 1


def test_nmap_services_are_facts_and_no_exposure_is_inferred_from_an_open_port() -> None:
    gateway = assets("nmap-network.xml")["gw.corp.example"]
    ssh, dns = sorted(gateway.services, key=lambda s: s.name, reverse=True)
    assert ssh == Service(
        port=22,
        name="ssh",
        product="OpenSSH",
        version="8.4p1 Debian 5+deb11u1",
        cpes=("cpe:/a:openbsd:openssh:8.4p1", "cpe:/o:linux:linux_kernel"),
    )
    assert (dns.port, dns.protocol) == (53, "udp")
    assert (gateway.exposure, gateway.exposure_by) == ("", "")


def test_a_banner_is_a_component_that_its_cpe_alone_identifies() -> None:
    gateway = assets("nmap-network.xml")["gw.corp.example"]
    assert triples(gateway)[0] == ("", "OpenSSH", "8.4p1 Debian 5+deb11u1")
    assert gateway.components[0].cpes == ("cpe:/a:openbsd:openssh:8.4p1",)


def test_what_nmap_really_wrote_is_read() -> None:
    one = only("nmap-localhost.xml")
    assert (one.name, one.witness.tool, one.witness.version) == ("localhost", "nmap", "7.93")
    assert [s.port for s in one.services] == [2024, 8765]
    assert [c.name for c in one.components] == ["SimpleHTTPServer"]


@pytest.mark.parametrize(
    ("hostnames", "name"),
    [
        ([("user", "203.0.113.7"), ("PTR", "web.corp.example")], "web.corp.example"),
        ([("user", "web"), ("PTR", "web.corp.example")], "web.corp.example"),
        ([("user", "shop.corp.example"), ("PTR", "203-0-113-7.dsl.example")], "shop.corp.example"),
        ([("user", "shop.corp.example"), ("PTR", "web.corp.example")], "web.corp.example"),
        ([("PTR", "a b")], "203.0.113.7"),
        ([], "203.0.113.7"),
    ],
    ids=[
        "an address that was asked for",
        "a short name",
        "a name made of the address",
        "two names",
        "no name",
        "none",
    ],
)
def test_an_nmap_host_is_called_by_the_one_full_name_that_tells_what_it_is(
    hostnames: list[tuple[str, str]], name: str
) -> None:
    given = "".join(f'<hostname type="{kind}" name="{text}"/>' for kind, text in hostnames)
    data = f"""<nmaprun scanner="nmap"><host><status state="up"/><address addr="203.0.113.7" addrtype="ipv4"/>
    <hostnames>{given}</hostnames></host></nmaprun>"""
    (one,) = read_fleet(data.encode(), "n.xml").observed
    assert one.name == name


def test_match_reads_nmap_too() -> None:
    inventory = read_inventory((FLEET / "nmap-network.xml").read_bytes(), "n.xml")
    assert [(c.name, c.host) for c in inventory.components] == [
        ("OpenSSH", "gw.corp.example"),
        ("dnsmasq", "gw.corp.example"),
    ]


def test_nessus_hosts_carry_all_their_identifiers_and_a_detection_for_each_cve() -> None:
    one = only("scan.nessus")
    assert one.ids.fqdns == ("db1.corp.example",)
    assert (one.ids.hostname, one.ids.ips) == ("db1", ("10.20.0.7",))
    assert one.ids.macs == ("00:0d:3a:45:64:7f", "00:0d:3a:45:64:80")
    assert one.ids.hardware_uuid == "4c4c4544-0043-3510-8051-b4c04f595031"
    assert one.distro == "almalinux-8"
    assert [(d.flaw, d.plugin, d.port) for d in one.detections] == [
        ("CVE-2008-5161", "70658", "22/tcp"),
        ("CVE-2021-3444", "176703", ""),
        ("CVE-2021-3490", "176703", ""),
    ]


def test_a_nessus_scan_says_when_it_saw_a_flaw_and_not_when_it_was_first_there() -> None:
    detection = only("scan.nessus").detections[0]
    assert detection.first_detected is None
    assert detection.last_seen == date(2021, 5, 19)


def test_greenbone_results_are_detections_of_each_cve_they_refer_to() -> None:
    found = assets("greenbone.xml")
    one = found["10.99.99.99"]
    assert [d.flaw for d in one.detections] == ["CVE-2025-48823", "CVE-2025-49659"]
    assert one.detections[0].last_seen == date(2025, 8, 22)
    assert one.detections[0].plugin == "1.3.6.1.4.1.25623.1.0.836484"
    assert one.ids.fqdns == ("server99.corp.example",)
    assert one.ids.macs == ("00:22:48:8c:27:ac",)
    assert one.distro == "debian-12"
    assert found["10.99.99.98"].detections == ()


BOMB = b"""<?xml version="1.0"?><!DOCTYPE nmaprun [<!ENTITY a "lol"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>
<nmaprun scanner="nmap"><host><hostnames><hostname name="&b;" type="PTR"/></hostnames></host></nmaprun>"""
FILE = b"""<?xml version="1.0"?><!DOCTYPE nmaprun [<!ENTITY x SYSTEM "file:///etc/passwd">]>
<nmaprun scanner="nmap"><host><hostnames><hostname name="&x;" type="PTR"/></hostnames></host></nmaprun>"""


@pytest.mark.parametrize("data", [BOMB, FILE], ids=["entities that grow", "an entity that reads a file"])
def test_xml_with_entities_is_refused(data: bytes) -> None:
    with pytest.raises(InputError, match="entities is refused"):
        read_fleet(data, "x.xml")


def test_xml_that_is_cut_short_says_so() -> None:
    data = (FLEET / "nmap-network.xml").read_bytes()[:900]
    with pytest.raises(InputError, match="not well-formed") as refused:
        read_fleet(data, "x.xml")
    assert "cut short" in refused.value.mend


def test_xml_nested_without_end_is_too_large() -> None:
    with pytest.raises(TooLargeError, match="deeper than 200"):
        read_fleet(b"<nmaprun>" + b"<a>" * 100_000, "x.xml")


def test_a_host_without_address_is_set_aside_and_the_others_land() -> None:
    data = (
        b'<nmaprun><host><status state="up"/></host>'
        b'<host><address addr="10.0.0.1" addrtype="ipv4"/></host></nmaprun>'
    )
    found = read_fleet(data, "x.xml")
    assert [o.name for o in found.observed] == ["10.0.0.1"]
    assert [(a.place, a.reason) for a in found.set_aside] == [("host 1", "has no address (scan it again)")]


def test_other_xml_is_not_taken_for_a_scan() -> None:
    assert fleet_kind(b"<report><a/></report>") == ""
    assert fleet_kind(b"<!-- <nmaprun> --><html/>") == ""
