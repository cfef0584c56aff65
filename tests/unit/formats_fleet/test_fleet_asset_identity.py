"""Which observations are of one asset."""

from __future__ import annotations

from typing import Any

import pytest

from clearway.records.asset_identity import identity_keys, same_asset
from clearway.records.fleet_input import AssetIds, Observed, Witness

IMAGE = "sha256:" + "ab" * 32
OTHER = "sha256:" + "cd" * 32


def seen(tool: str = "nmap", **ids: Any) -> Observed:
    return Observed(name="x", format="f", ids=AssetIds(**ids), witness=Witness(tool=tool))


SAME = [
    pytest.param(
        {"image_digests": (IMAGE, OTHER)}, {"image_digests": (IMAGE,)}, id="one image digest in common"
    ),
    pytest.param({"cloud_id": "i-0123456789abcdef0"}, {"cloud_id": "i-0123456789abcdef0"}, id="cloud id"),
    pytest.param({"serial": "7H2KX93"}, {"serial": "7h2kx93"}, id="serial number in any case"),
    pytest.param(
        {"serial": "7H2KX93", "fqdns": ("a.corp.example",)},
        {"serial": "7H2KX93", "fqdns": ("b.corp.example",)},
        id="a renamed machine keeps its serial number",
    ),
    pytest.param(
        {"fqdns": ("a.corp.example",)}, {"fqdns": ("a.corp.example",)}, id="FQDN, nothing else said"
    ),
    pytest.param(
        {"fqdns": ("a.corp.example",), "ips": ("10.0.0.1", "10.0.0.2")},
        {"fqdns": ("a.corp.example",), "ips": ("10.0.0.2",)},
        id="FQDN and a shared address",
    ),
    pytest.param(
        {"hostname": "web", "macs": ("00:0d:3a:45:64:7f",)},
        {"fqdns": ("web.localdomain",), "macs": ("00:0d:3a:45:64:7f",)},
        id="host name and MAC",
    ),
    pytest.param(
        {"hostname": "web", "ips": ("8.8.8.8",)},
        {"ips": ("8.8.8.8",)},
        id="public address of a bare observation",
    ),
]
APART = [
    pytest.param({}, {}, id="nothing is said"),
    pytest.param({"ips": ("192.168.1.1",)}, {"ips": ("192.168.1.1",)}, id="a private address alone (RFC 1918)"),
    pytest.param({"ips": ("fd00::1",)}, {"ips": ("fd00::1",)}, id="a private address alone (RFC 4193)"),
    pytest.param({"ips": ("fe80::1",)}, {"ips": ("fe80::1",)}, id="a link-local address alone"),
    pytest.param({"ips": ("127.0.0.1",), "hostname": "a"}, {"ips": ("127.0.0.1",), "hostname": "a"}, id="loopback"),
    pytest.param(
        {"hostname": "fw", "ips": ("10.0.0.1",)}, {"hostname": "fw", "ips": ("10.0.0.1",)},
        id="a host name and a private address: every branch office has one",
    ),
    pytest.param(
        {"hostname": "a", "ips": ("8.8.8.8",)}, {"hostname": "b", "ips": ("8.8.8.8",)},
        id="two names behind one address",
    ),
    pytest.param({"hostname": "localhost", "macs": ("00:0d:3a:45:64:7f",)}, {"hostname": "localhost"}, id="localhost"),
    pytest.param(
        {"fqdns": ("localhost.localdomain",)}, {"fqdns": ("localhost.localdomain",)}, id="localhost.localdomain"
    ),
    pytest.param(
        {"fqdns": ("ip-10-0-0-1.ec2.internal",)}, {"fqdns": ("ip-10-0-0-1.ec2.internal",)},
        id="a name that a cloud derives from a private address",
    ),
    pytest.param(
        {"fqdns": ("a.corp.example",), "ips": ("10.0.0.1",)}, {"fqdns": ("a.corp.example",), "ips": ("10.9.9.9",)},
        id="FQDN, but no address in common",
    ),
    pytest.param(
        {"fqdns": ("a.corp.example",), "serial": "AAAA1"}, {"fqdns": ("a.corp.example",), "serial": "BBBB2"},
        id="a name that went to new hardware",
    ),
    pytest.param(
        {"serial": "AAAA1", "cloud_id": "i-0000000000000000a"}, {"serial": "AAAA1", "cloud_id": "i-0000000000000000b"},
        id="cloned serial number, two instances",
    ),
    pytest.param(
        {"fqdns": ("shop.corp.example",), "image_digests": (IMAGE,)},
        {"fqdns": ("shop.corp.example",), "image_digests": (OTHER,)},
        id="two builds of one image",
    ),
    pytest.param(
        {"hostname": "a", "macs": ("02:42:ac:11:00:02",)}, {"hostname": "a", "macs": ("02:42:ac:11:00:02",)},
        id="a MAC that every container host assigns",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("a", "b"), SAME)
def test_one_asset(a: dict[str, Any], b: dict[str, Any]) -> None:
    answer = same_asset(seen(**a), seen("nessus", **b))
    assert answer.same
    assert answer.by
    assert same_asset(seen("nessus", **b), seen(**a)) == answer
    assert set(identity_keys(AssetIds(**a))) & set(identity_keys(AssetIds(**b)))


@pytest.mark.parametrize(("a", "b"), APART)
def test_two_assets(a: dict[str, Any], b: dict[str, Any]) -> None:
    assert not same_asset(seen(**a), seen("nessus", **b))
    assert not same_asset(seen("nessus", **b), seen(**a))


def test_a_tools_own_id_counts_within_that_tool_alone() -> None:
    assert same_asset(seen("nessus", tool_id="7"), seen("nessus", tool_id="7")).by == ("nessus's id 7",)
    assert not same_asset(seen("nessus", tool_id="7"), seen("qualys", tool_id="7"))


def test_digests_of_two_kinds_do_not_contradict_what_else_agrees() -> None:
    assert same_asset(
        seen(image_digests=(IMAGE,), cloud_id="i-1"), seen(image_digests=(OTHER,), cloud_id="i-1")
    )


def test_what_contradicts_is_said() -> None:
    answer = same_asset(seen(serial="AAAA1", cloud_id="i-1"), seen(serial="AAAA1", cloud_id="i-2"))
    assert answer.by == ("serial number AAAA1",)
    assert answer.against == ("cloud id differs: i-1 and i-2",)


def test_a_private_address_is_no_key_to_look_for() -> None:
    assert identity_keys(AssetIds(ips=("10.0.0.1", "fe80::1", "127.0.0.1"), hostname="localhost")) == ()
