"""What stands in a column of versions and is none, in every reader of such texts; and what vendors do write."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from clearway.formats.inventory import read_inventory
from clearway.formats.observed import read_fleet
from clearway.formats.one_version import why_not
from clearway.versions.generic import generic_key

if TYPE_CHECKING:
    from clearway.records.inventory import Component

NONE = {
    "a bound": (
        "<7.2.8", "<= 7.2.9", ">=7.0", "^7.2.9", "!=7.2.9", "~7.2.7", "=7.2.9", "≥ 7.2", "＜7.2.8",
        "&lt;7.2.8", "7.0+", "7.2.9 +", "7.2.7 or earlier", "7.2 and later", "before 7.2.8", "pre-7.2.8", "up to 7.2.8",
        "Upto 7.2.8", "7.2.5 (or earlier)",
        "Fixed in 3.0.5", "6.4 through 7.2", "all 7.2 versions", "any 7.2", "7.2.7 oder älter",
        "-7.2.9", "- 7.2.9", "7.2.9-", "7.2.9 -", "7.2.9 –", "7.2.9~", "7.2.9..", "..7.2.9", "7.2.9:", "≲7.2.9",
        "7.2.9 et antérieures", "7.2.9 y anteriores", "7.2.9 e versioni precedenti", "avant 7.2.9", "hasta 7.2.9",
        "7.2.9_and_earlier", "fino alla 7.2.9", "7.2.9 und ältere", "jusqu'à 7.2.9",
    ),
    "a range": (
        "7.2.9 - 7.2.1", "7.2.1 – 7.2.9", "7.2.1–7.2.9", "7.2.1-7.2.9", "7.2.1 to 7.2.9", "7.2.1..7.2.9",
        "Ver.15.2 to Ver.19.2", "series 5.0.0-5.0.2", "7 - 8", "[7.0,7.2.8)", "2.2.3 - 2.2.5",
        "7.2.9 → 7.2.5", "7.2.5→7.2.9", "7.2.9 ↓", "7.2.9:7.2.5", "7.2.9\\7.2.5", "7.2.9_7.2.5", "v7.2.9=7.2.5",
        "7.2.9 ➜",
    ),
    "several versions": (
        "7.2.9, 7.2.5", "7.2.9; 7.2.5", "7.2.9/7.2.5", "7.2.9 / 7.2.5", "7.2.9|7.2.5", "7.2.9 7.2.5", "7.2.9 and 7.2.5",
        "7.2.9 or 7.2.5", "16.0 & 17.0",
        "Android 12.0, 13.0", "version 2.2 and 2.1.", "7, 8", "10/11", "7.2.9 build 1577, 7.2.5 build 1517",
    ),
    "a version with more words": (
        "7.2.9以前", "7.2.9 以降", "7.2.9 (planned)", "7.2.9 und folgende", "7.2.9 ff.", "7.2.9 ou moins",
        "7.2.9 или ниже",
        "7.2.9 not yet", "7.2.9 (target)", "7.2.9 hereafter", "7.2.9 (n'est pas)",
    ),
    "a wildcard": ("7.2.x", "7.*", "all", "Any", "*", "x", "3.X - 4.X", "7.2.x, 7.4.x", "7.2.x-7.4.x", "7.2.?"),
}  # fmt: skip
VERSIONS = (
    "7.2.9", "v7.2.9", "12.1(3)S", "12.2(33)SXI", "15.0(2)SE, RELEASE SOFTWARE (fc1)", "8.0 Update 2", "7.0 U3c",
    "7.2.9 build 1577", "7.2.9 - build 1577", "7.2.9 (build 1577)", "v7.2.5,build1517,230606 (GA.F)", "15.0, build 5",
    "15.0, build 5.1", "11.0.1.1261 P20240304",
    "13.1-49.15", "12.1-55.24", "6.7.0-20171027001", "2.4.6-97.el7", "5.10.0-8", "1, 0, 0, 1", "V4.4 SP3 HF5",
    "2019 CU14 Mar24SU", "2019 R2", "R80.40", "9.1R18.3", "9.11.4-P2", "8.x-1.2", "17.0.8+7-LTS", "1.0.2k-fips",
    "8.2p1 Ubuntu 4ubuntu0.5", "5.5.5-10.3.23-MariaDB", "5.7.33-0ubuntu0.16.04.1", "1:2.3-4", "2.0.0~rc1", "22H2",
    "2024-01-15", "16.17.1 LTS", "21.1.0.0.0 Production", "4.2.8p15@1.3728-o", "1.0x", "anyconnect-4", "Xen 4",
    "7.9p1 Debian 10+deb10u2", "1.3.1_01", "1.3.5_20190129", "1.2.3_1", "14.0.0 Service Pack 2",
    "9.0 Enterprise Edition",
    "2.4.0 (64-bit)", "7.52 build 344", "1.2.3 GA", "8.0 MR7 Patch 2", "12.1.3-release", "2.0 beta 3",
)  # fmt: skip
TEXTS = [(text, f"is {what}") for what, texts in NONE.items() for text in texts]


def _listed(text: str) -> Component:
    row = text.replace('"', '""')
    data = f'vendor,product,version\nFortinet,FortiOS,"{row}"\n'.encode()
    return read_inventory(data, "products.csv").components[0]


def _windows(text: str) -> Component:
    entry = {"DisplayName": "FortiOS", "DisplayVersion": text, "Publisher": "Fortinet"}
    return read_fleet(json.dumps([entry]).encode(), "sw.json").observed[0].components[0]


def _osquery(table: str, **row: str) -> Component:
    entry = {"name": f"pack_{table}", "hostIdentifier": "mac-1", "unixTime": 1767225600, "action": "added",
             "columns": row}  # fmt: skip
    return read_fleet(json.dumps(entry).encode(), "osqueryd.results.log").observed[0].components[0]


def _program(text: str) -> Component:
    return _osquery("programs", name="FortiOS", version=text, publisher="Fortinet")


def _app(text: str) -> Component:
    return _osquery("apps", name="F.app", bundle_identifier="com.fortinet.F", bundle_short_version=text)


def _banner(text: str) -> Component:
    told = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    data = f"""<?xml version="1.0"?><nmaprun scanner="nmap" version="7.94"><host><status state="up"/>
    <address addr="192.0.2.1" addrtype="ipv4"/><ports><port protocol="tcp" portid="445"><state state="open"/>
    <service name="x" product="FortiOS" version="{told}"/></port></ports></host></nmaprun>"""
    return read_fleet(data.encode(), "scan.xml").observed[0].components[0]


READERS = (_listed, _windows, _program, _app, _banner)


@pytest.mark.parametrize(("text", "reason"), TEXTS)
def test_a_bound_a_range_a_list_or_a_wildcard_is_no_version_in_any_list(text: str, reason: str) -> None:
    for reader in READERS:
        assert reason in reader(text).problem, reader.__name__


@pytest.mark.parametrize("text", VERSIONS)
def test_what_vendors_write_as_a_version_is_one_in_every_list(text: str) -> None:
    generic_key(text)
    for reader in READERS:
        found = reader(text)
        assert (found.problem, found.version) == ("", text), reader.__name__


def test_a_packages_own_order_may_have_a_version_that_looks_like_a_range() -> None:
    assert "a range" in why_not("1.0-1.1")
    data = b"product,version,purl\nx,1.0-1.1,pkg:deb/debian/x\ny,<1.1,pkg:deb/debian/y\n"
    one, other = read_inventory(data, "p.csv").components
    assert (one.version, one.problem) == ("1.0-1.1", "")
    assert other.problem == "'<1.1' is a bound, not a version"


@pytest.mark.parametrize(
    "part", [" ", "1", "1.", ", 1.2", "x.", " - ", "/1.1", "1.1 ", "or ", "+", "[,", "–"]
)
def test_no_text_takes_long_to_be_told(part: str) -> None:
    for text in (part * 1_000_000, (part * 1024)[:1024]):
        why_not(f"{text}!")
