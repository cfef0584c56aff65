"""One thing, however its name is written, is one scope."""

from __future__ import annotations

import pytest

from clearway.findings.lease.scope import meets, parse, source
from clearway.records.errors import InputError

HUB, GIT = "https://github.com/o/n", "git+https://git.example.org/t/x"
ONE = {
    "https's own port": (HUB, "https://github.com:443/o/n"),
    "a port with a zero in front": (HUB, "https://github.com:0443/o/n"),
    "www": (HUB, "https://www.github.com/o/n"),
    "a dot behind the host": (HUB, "https://github.com./o/n"),
    "two slashes": (HUB, "https://github.com/o//n"),
    "a dot as a folder": (HUB, "https://github.com/o/./n"),
    "two dots as a folder": (HUB, "https://github.com/o/x/../n"),
    "a page of a folder": (HUB, "https://github.com/o/n/tree/main/src"),
    "a line of a page of a file": (f"{HUB}#src/a.c", "https://github.com/o/n/blob/main/src/a.c#L10"),
    "a page with a tab": (HUB, "https://github.com/o/n?tab=readme"),
    "a page on a forge with groups": (
        "https://gitlab.com/g/sub/p",
        "https://gitlab.com/g/sub/p/-/tree/main/src",
    ),
    "a page of any other forge": (GIT, "https://git.example.org/t/x/commits/branch/main"),
    "a page of a repository that ends in .git": (
        "https://git.example.org/pub/scm/x",
        "https://git.example.org/pub/scm/x.git/tree/src",
    ),
    "a name in its own script, in capitals": ("https://git.example.org/t/Ünit", "https://git.example.org/t/ünit"),
    "a letter and its mark": ("https://git.example.org/t/e\u0301", "https://git.example.org/t/\u00e9"),
    "two dots inside the repository": (f"{HUB}#a/../src", f"{HUB}#src/x"),
    "a folder in capitals": (f"{HUB}#Src", f"{HUB}#src/x.c"),
    "a Go module": (HUB, "pkg:golang/github.com/o/n"),
    "a later major version of it": (HUB, "pkg:golang/github.com/o/n/v2@v2.1.0"),
    "a package of it": (f"{HUB}#cmd/x", "pkg:golang/github.com/o/n/v3/cmd/x"),
    "a Go module in a group": ("https://gitlab.com/g/Sub/p", "pkg:golang/gitlab.com/g/Sub/p"),
    "a Go module by gopkg.in": ("https://github.com/go-yaml/yaml", "pkg:golang/gopkg.in/yaml.v3"),
    "one with its owner by gopkg.in": (HUB, "pkg:golang/gopkg.in/o/n.v1"),
    "two majors of a module elsewhere": ("pkg:golang/example.org/m/v2", "pkg:golang/example.org/m"),
    "a package of a module elsewhere": ("pkg:golang/example.org/m", "pkg:golang/example.org/m/sub/v2"),
    "a Swift package": (HUB, "pkg:swift/github.com/o/n@1.0.0"),
    "an action": (HUB, "pkg:githubactions/o/n@v4"),
    "a purl of a repository": (GIT, "pkg:git/git.example.org/t/x@4f2a9c1"),
    "a raw file": (HUB, "https://raw.githubusercontent.com/o/n/main/src/x.c"),
    "an archive": (HUB, "https://codeload.github.com/O/N/zip/refs/heads/main"),
    "the forge's API": (HUB, "https://api.github.com/repos/o/n/contents"),
    "the forge's API with a dot": (HUB, "https://api.github.com/./Repos/o/n"),
    "the forge's ssh over 443": (HUB, "https://ssh.github.com:443/o/n.git"),
    "a large file": (HUB, "https://media.githubusercontent.com/media/o/n/main/x.bin"),
    "the API of a forge with groups": (
        "https://gitlab.com/g/p", "https://gitlab.com/api/v4/projects/g%2Fp/repository/files"),
    "the API of a forge at a host of its own": (
        "https://bitbucket.org/o/n", "https://api.bitbucket.org/2.0/repositories/o/n"),
    "a purl of a raw host": (HUB, "pkg:git/ssh.github.com/o/n"),
    "a package that says where it is from": (HUB, "pkg:generic/n@1?vcs_url=git%2Bhttps://github.com/o/n.git%40abc1234"),
    "the same, with its credentials": (HUB, "pkg:generic/n?vcs_url=git%2Bhttps://me:x%40github.com/o/n"),
    "the same, by ssh": (HUB, "pkg:generic/n?vcs_url=git%2Bssh://git%40github.com:22/o/n.git"),
    "the same, as ssh writes it": (HUB, "pkg:generic/n?vcs_url=git%40github.com:o/n.git"),
    "the same, by git's protocol": (GIT, "pkg:generic/n?vcs_url=git://git.example.org/t/x"),
    "the same, as Maven writes it": (HUB, "pkg:generic/n?vcs_url=scm:git:https://github.com/o/n.git"),
    "a package that is loaded down from a forge": (
        HUB, "pkg:generic/n?download_url=https://github.com/o/n/archive/v1.tar.gz"),
    "sharp s": ("fa\u00df.example", "xn--fa-hia.example"),
    "an ideographic full stop": ("www\u3002example\u3002org", "www.example.org"),
    "NAT64": ("192.0.2.1", "64:ff9b::192.0.2.1"),
    "a network of NAT64": ("192.0.2.7", "64:ff9b::c000:200/120"),
    "6to4": ("192.0.2.1", "2002:c000:201::/48"),
    "a host of 6to4": ("192.0.2.0/24", "2002:c000:201:7::1"),
    "a wide network of 6to4": ("192.0.2.0/24", "2002:c000::/32"),
}  # fmt: skip
TWO = {
    "a port of its own": (HUB, "https://github.com:8443/o/n"),
    "a repository that is called like a version": ("https://github.com/o/v2", "https://github.com/o/n"),
    "two modules of one host": ("pkg:golang/k8s.example/api", "pkg:golang/k8s.example/client"),
    "two folders": (f"{HUB}#src", "pkg:golang/github.com/o/n/lib"),
    "packages of one name from two repositories": (
        "pkg:generic/n?vcs_url=git%2Bhttps://github.com/o/n",
        "pkg:generic/n?vcs_url=git%2Bhttps://github.com/o/m",
    ),
    "a package and what lies at a server of files": (
        "https://files.example.org/o/n",
        "pkg:generic/n?download_url=https://files.example.org/o/n",
    ),
    "ss and sharp s as names": ("fa\u00df.example", "fass.example"),
}


@pytest.mark.parametrize(("a", "b"), ONE.values(), ids=ONE)
def test_it_is_one_thing(a: str, b: str) -> None:
    assert meets(parse(a), parse(b))


@pytest.mark.parametrize(("a", "b"), TWO.values(), ids=TWO)
def test_they_are_two(a: str, b: str) -> None:
    assert not meets(parse(a), parse(b))


@pytest.mark.parametrize(
    "text", ["::/16", "64:ff9b::/32", "2002::/16", "2002::/23", "::ffff:0:0/96", "::ffff:0:0/95"]
)
def test_a_network_that_holds_ipv4_beside_others_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "https://github.com/o",
        "https://github.com/..",
        "https://git.example.org/.git",
        "https://git.example.org:0/t/x",
        "https://git.example.org:65536/t/x",
        "https://git.example.org:00009999999/t/x",
        "https://git.example.org:4a/t/x",
    ],
)
def test_half_a_repository_and_a_port_that_is_none_are_refused(text: str) -> None:
    with pytest.raises(InputError):
        parse(text)


def test_a_scan_comes_from_a_few_addresses() -> None:
    assert str(source("203.0.113.7/24")) == "203.0.113.0/24"
    assert str(source("::ffff:203.0.113.0/120")) == "203.0.113.0/24"
    assert str(source("2001:db8::/48")) == "2001:db8::/48"
    for text in (
        "203.0.112.0/23",
        "203.0.0.0/16",
        "2001:db8::/47",
        "::ffff:0:0/96",
        "::ffff:203.0.112.0/119",
        "::/0",
    ):
        with pytest.raises(InputError):
            source(text)
