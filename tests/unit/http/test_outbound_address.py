"""Which addresses and URLs may be tried at all."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearway.http.outbound import RefusedError, checked_url
from clearway.http.outbound_address import METADATA, PUBLIC_ONLY, Networks, literal
from clearway.records.errors import ConfigError


def refusal(address: str, setting: str = "") -> str:
    return Networks.parse(setting).refusal(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "address",
    ["0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "127.0.0.1", "127.255.255.254", "169.254.169.254", "172.16.0.1",
     "172.31.255.255", "192.168.1.1", "192.0.0.192", "198.18.0.1", "224.0.0.1", "239.255.255.255", "240.0.0.1",
     "255.255.255.255", "168.63.129.16", "100.100.100.200", "::", "::1", "fe80::1", "fc00::1", "fd00:ec2::254",
     "ff02::1", "fec0::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:0:127.0.0.1",
     "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "2002:7f00:1::", "2002:a00:1::1", "2001::1",
     "2001:db8::1", "3fff::1", "100::1", "2600::5efe:10.0.0.1", "2600::200:5efe:192.168.0.1"],
)  # fmt: skip
def test_what_is_not_public_is_refused(address: str) -> None:
    assert refusal(address)


@pytest.mark.parametrize(
    "address",
    ["1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255",
     "128.0.0.0", "172.15.255.255", "172.32.0.0", "192.167.255.255", "198.17.255.255", "223.255.255.255",
     "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1", "2a00:1450::1"],
)  # fmt: skip
def test_what_is_public_may_be_reached(address: str) -> None:
    assert refusal(address) == ""


@given(st.ip_addresses())
def test_whatever_python_calls_private_or_special_is_refused(address: ipaddress.IPv4Address) -> None:
    special = (
        address.is_private or address.is_loopback or address.is_link_local or address.is_multicast
        or address.is_unspecified or address.is_reserved
    )  # fmt: skip
    # Newer releases of Python call all of 6to4 private; it is judged by the address that it carries, as the others.
    carries = address.version == 6 and any(
        address in ipaddress.ip_network(one) for one in ("64:ff9b::/96", "::ffff:0:0/96", "2002::/16")
    )
    if special and not carries:
        assert PUBLIC_ONLY.refusal(address)


@given(st.ip_addresses(v=4))
def test_an_address_carried_in_ipv6_is_judged_as_itself(address: ipaddress.IPv4Address) -> None:
    plain = bool(PUBLIC_ONLY.refusal(address))
    for prefix in ("::ffff:0:0", "64:ff9b::"):
        carried = ipaddress.IPv6Address(int(ipaddress.IPv6Address(prefix)) | int(address))
        assert bool(PUBLIC_ONLY.refusal(carried)) == plain


def test_the_operator_opens_a_network_and_with_it_its_mapped_form() -> None:
    assert refusal("10.20.1.7", "10.20.0.0/16") == ""
    assert refusal("::ffff:10.20.1.7", "10.20.0.0/16") == ""
    assert refusal("10.21.1.7", "10.20.0.0/16")
    assert refusal("fd12::1", "fd00::/8") == ""


def test_a_closed_network_wins_over_an_open_one() -> None:
    assert refusal("10.20.9.1", "10.0.0.0/8, !10.20.0.0/16")
    assert refusal("8.8.8.8", "!8.8.8.0/24")
    assert refusal("::ffff:8.8.8.8", "!8.8.8.0/24")


@pytest.mark.parametrize("address", sorted(map(str, METADATA)))
def test_a_metadata_service_opens_by_its_own_address_only(address: str) -> None:
    assert "metadata" in refusal(address, "0.0.0.0/0, ::/0")
    assert refusal(address, address) == ""


def test_a_setting_that_is_no_network_names_itself() -> None:
    with pytest.raises(ConfigError, match="CLEARWAY_FEEDS_ALLOW: 'intranet' is no network"):
        Networks.parse("10.0.0.0/8, intranet", "CLEARWAY_FEEDS_ALLOW")


@pytest.mark.parametrize(
    "host",
    ["2130706433", "017700000001", "0x7f000001", "0x7f.1", "127.1", "127.0.1", "0177.0.0.1", "127.0.0.1.", "1.2.3.4.5",
     "127.0.0.0x1", "1.1.1.256", "01.1.1.1", "", "a" * 254, "fe80::1%eth0", "[::1", "host\x00.org", "１２７.0.0.1",
     "a b.org", "ｌocalhost"],
)  # fmt: skip
def test_an_address_in_disguise_is_refused(host: str) -> None:
    with pytest.raises(RefusedError):
        literal(host)


def test_a_plain_address_is_read_and_a_name_is_a_name() -> None:
    assert str(literal("127.0.0.1")) == "127.0.0.1"
    assert str(literal("[::1]")) == "::1"
    for name in (
        "example.org",
        "localhost",
        "0xyz.org",
        "1password.com",
        "xn--bcher-kva.example",
        "a_b.example.org",
    ):
        assert literal(name) is None


@pytest.mark.parametrize(
    "url",
    ["file:///etc/passwd", "gopher://example.org/", "ftp://example.org/", "//example.org/x", "example.org", "",
     "javascript:alert(1)", "data:text/plain,x", "http://user@example.org/", "http://user:pass@example.org/",
     "http://good.example@127.0.0.1/", "http://@example.org/", "http://:@example.org/",
     "http://good.example\\@127.0.0.1/", "http://good.example\\.evil.example/", "http://127.1/", "http://0x7f.1/",
     "http://2130706433/", "http://[fe80::1%25eth0]/", "http://[::ffff:7f00:1", "http://exa mple.org/",
     "http://example.org/\r\nHost: evil", "http://example.org:0/", "http://example.org:99999/", "http:///x",
     "http://１２７.0.0.1/", "https://example.org/" + "a" * 5000],
)  # fmt: skip
def test_a_url_that_could_mean_another_is_refused(url: str) -> None:
    with pytest.raises(RefusedError):
        checked_url(url)


def test_a_refused_url_does_not_repeat_its_password() -> None:
    with pytest.raises(RefusedError) as caught:
        checked_url("https://ana:hunter2@example.org/")
    assert "hunter2" not in str(caught.value)


@given(st.text(max_size=60), st.sampled_from(["http://", "https://", "", "HTTP://[", "http:/"]))
def test_any_text_is_a_url_or_refused(text: str, before: str) -> None:
    try:
        url = checked_url(before + text)
    except RefusedError:
        return
    assert url.scheme in ("http", "https")
    assert url.host
