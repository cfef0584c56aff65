"""What a scope is read as, and when two meet."""

from __future__ import annotations

import pytest

from clearway.findings.lease.scope import covers, meets, parse, parse_all, source
from clearway.records.errors import InputError

MEET = {
    "two versions of one package": ("pkg:pypi/requests@2.31.0", "pkg:pypi/Requests@1.0"),
    "a package as its ecosystem spells it": ("pkg:pypi/zope_interface", "pkg:pypi/zope.interface"),
    "a folder inside a repository": ("git+https://git.example.org/team/tool", "git+https://git.example.org/team/tool#src/net/**"),
    "two commits of one repository": (
        "git+https://git.example.org/team/tool@4f2a9c1", "https://git.example.org/team/tool.git@aaaaaaa"),
    "a purl of a forge and its repository": ("pkg:github/Team/Tool@v1", "git+https://github.com/team/tool"),
    "globs that part below their common folder": (
        "git+https://git.example.org/t/x#src/*.c", "git+https://git.example.org/t/x#src/net/a.c"),
    "a dot-dot leads anywhere": ("git+https://git.example.org/t/x#a/../b", "git+https://git.example.org/t/x#a/z"),
    "an address in a network": ("192.0.2.0/24", "192.0.2.7"),
    "an IPv4 address inside IPv6": ("192.0.2.0/24", "::ffff:192.0.2.7"),
    "a host below a name": ("*.example.org", "www.example.org"),
    "a name and itself": ("*.example.org", "example.org"),
    "a host however it is written": ("WWW.Example.org.", "www.example.org"),
    "a name in its own script": ("*.bücher.example", "*.xn--bcher-kva.example"),
}  # fmt: skip
APART = {
    "one name in two ecosystems": ("pkg:pypi/requests", "pkg:npm/requests"),
    "two repositories of one team": ("git+https://git.example.org/t/x", "git+https://git.example.org/t/xy"),
    "two folders": (
        "git+https://git.example.org/t/x#src/net/**",
        "git+https://git.example.org/t/x#src/netx/**",
    ),
    "two networks": ("192.0.2.0/25", "192.0.2.128/25"),
    "two families": ("192.0.2.0/24", "2001:db8::/32"),
    "two hosts": ("www.example.org", "mail.example.org"),
    "a host and what lies below it": ("example.org", "www.example.org"),
    "a name that ends like another": ("*.example.org", "badexample.org"),
}


@pytest.mark.parametrize(("a", "b"), MEET.values(), ids=MEET)
def test_scopes_meet(a: str, b: str) -> None:
    assert meets(parse(a), parse(b))
    assert meets(parse(b), parse(a))


@pytest.mark.parametrize(("a", "b"), APART.values(), ids=APART)
def test_scopes_do_not_meet(a: str, b: str) -> None:
    assert not meets(parse(a), parse(b))


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "pkg:", "pkg:pypi/", "git+https://", "git+https://git.example.org", "git+https://user@git.example.org/a/b",
        "https://git.example.org/a/b@../..", "http://git.example.org/a/b", "192.0.2.1/24", "0.0.0.0/0", "10.0.0.0/7",
        "::/0", "fe80::1%eth0", "2001::/15", "org", "*.org", "*.", "1.2.3", "2130706433", "0x7f.1", "-a.example.org",
        "a..example.org", "a\nb.example.org", "a" * 64 + ".example.org", "x" * 2_000, "*.*.example.org", "\x00",
        "a b.example.org",
        "é" * 300 + ".example.org",
    ],
)  # fmt: skip
def test_what_is_no_scope_is_refused_with_its_place(text: str) -> None:
    with pytest.raises(InputError) as told:
        parse(text, "scope[3]")
    assert told.value.where == "scope[3]"


def test_what_another_scope_contains_is_left_out() -> None:
    found = parse_all(["192.0.2.7", "192.0.2.0/24", "192.0.2.0/24", "*.example.org", "www.example.org"])
    assert [target.text for target in found] == ["*.example.org", "192.0.2.0/24"]


def test_a_lease_has_one_to_thirty_two_scopes() -> None:
    with pytest.raises(InputError, match="1 to 32"):
        parse_all([])
    with pytest.raises(InputError, match="1 to 32"):
        parse_all([f"192.0.2.{n}" for n in range(33)])


def test_the_commit_and_the_glob_are_kept_in_words() -> None:
    found = parse("https://Git.Example.org/Team/Tool.git@4f2a9c1#src/net/**/*.c")
    assert found.text == "git+https://git.example.org/Team/Tool@4f2a9c1#src/net/**/*.c"
    assert found.steps == ("git.example.org/team/tool", "src", "net")
    assert not found.live


def test_a_network_covers_what_lies_in_it_and_not_the_other_way_round() -> None:
    assert covers(parse("192.0.2.0/24"), parse("192.0.2.0/25"))
    assert not covers(parse("192.0.2.0/25"), parse("192.0.2.0/24"))


def test_a_source_is_an_address_or_a_small_network() -> None:
    assert str(source("192.0.2.7")) == "192.0.2.7/32"
    for text in ("10.0.0.0/8", "no", "2001:db8::/16", ""):
        with pytest.raises(InputError):
            source(text)
