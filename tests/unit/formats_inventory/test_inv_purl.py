"""Purls as text, and what they mean."""

from __future__ import annotations

import pytest

from clearway.formats.purl import (
    Purl,
    identity,
    parse,
    release_of,
    repository_of,
    source_of,
    stream_of,
    to_text,
    with_epoch,
)
from clearway.records.errors import InputError


def test_a_purl_is_taken_apart() -> None:
    assert parse("pkg:golang/github.com/a/B@v1%2Bx?arch=amd64&repository_url=https://e.org/#cmd/x") == Purl(
        "golang", "github.com/a", "B", "v1+x", {"arch": "amd64", "repository_url": "https://e.org/"}, "cmd/x"
    )


@pytest.mark.parametrize("text", ["pkg:npm/@babel/core@7.0.0", "pkg:npm/%40babel/core@7.0.0"])
def test_an_npm_scope_is_read_encoded_and_not(text: str) -> None:
    assert identity(parse(text)) == ("npm", "@babel/core", "7.0.0")


def test_an_npm_scope_without_a_version_is_not_a_version() -> None:
    assert identity(parse("pkg:npm/@babel/core")) == ("npm", "@babel/core", "")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "purl does not begin with pkg:"),
        ("https://github.com/actions/virtual-environments", "purl does not begin with pkg:"),
        ("pkg:npm", "purl has no name"),
        ("pkg:maven/", "purl is missing its name"),
        ("pkg:golang/@%28devel%29", "purl is missing its name"),
        ("pkg:swift/github.com/Alamofire/@5.4.3", "purl is missing its name"),
        ("pkg:3d/x@1", "purl has no valid type"),
        ("pkg:n&g/x@1", "purl has no valid type"),
        ("pkg:npm/a@1?in%20x=y", "purl has an invalid qualifier key"),
        ("pkg:npm/a@1?x=1&X=2", "purl has a qualifier key twice"),
        ("pkg:npm/%ff@1", "purl has percent-encoded bytes that are not UTF-8"),
        ("pkg:npm/" + "a" * 9000, "purl is longer than 8192 characters"),
    ],
)
def test_garbage_is_refused_with_its_reason(text: str, problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        parse(text)


def test_a_percent_sign_that_opens_no_code_stays() -> None:
    assert parse("pkg:npm/a%zz@100%").version == "100%"
    assert parse("pkg:npm/a%zz@100%").name == "a%zz"


def test_a_purl_without_a_name_can_not_be_printed() -> None:
    with pytest.raises(InputError, match="missing its name"):
        to_text(Purl("npm", "", "", "1", {}, ""))


IDENTITIES = [
    ("pkg:pypi/Zope.Interface_x@1.0", "PyPI", "zope-interface-x", "1.0"),
    ("pkg:npm/Lodash@4", "npm", "Lodash", "4"),
    ("pkg:npm/babel/core@7", "npm", "@babel/core", "7"),
    ("pkg:golang/github.com/Masterminds/semver/v3@v3.2.0", "Go", "github.com/Masterminds/semver/v3", "v3.2.0"),
    ("pkg:golang/stdlib@1.22.1", "Go", "stdlib", "1.22.1"),
    ("pkg:golang/toolchain@1.22.1", "Go", "toolchain", "1.22.1"),
    ("pkg:golang/github.com/pmezard/go-difflib%40v1.0.0", "Go", "github.com/pmezard/go-difflib", "v1.0.0"),
    ("pkg:golang/github.com/docker/cli@v20.1%2Bincompatible", "Go", "github.com/docker/cli", "v20.1+incompatible"),
    ("pkg:maven/org.apache/commons-io@2.7?type=jar", "Maven", "org.apache:commons-io", "2.7"),
    ("pkg:maven/org.apache:commons-io@2.7", "Maven", "org.apache:commons-io", "2.7"),
    ("pkg:nuget/Newtonsoft.Json@13.0.1", "NuGet", "newtonsoft.json", "13.0.1"),
    ("pkg:dotnet-core/Microsoft.Win32.Registry@4.7.0", "NuGet", "microsoft.win32.registry", "4.7.0"),
    ("pkg:gem/yajl-ruby@1.4.3", "RubyGems", "yajl-ruby", "1.4.3"),
    ("pkg:cargo/Serde@1", "crates.io", "Serde", "1"),
    ("pkg:composer/Symfony/Var-Dumper@v6.2.2", "Packagist", "symfony/var-dumper", "v6.2.2"),
    ("pkg:hex/Phoenix@1", "Hex", "phoenix", "1"),
    ("pkg:pub/http@1", "Pub", "http", "1"),
    ("pkg:swift/github.com/Vapor/vapor@4", "SwiftURL", "github.com/vapor/vapor", "4"),
    ("pkg:githubactions/Docker/login-action@v2", "GitHub Actions", "docker/login-action", "v2"),
    ("pkg:github/actions/Checkout@v4", "GitHub Actions", "actions/checkout", "v4"),
    ("pkg:github/madler/zlib@v1.2.11", "", "zlib", "v1.2.11"),
    ("pkg:hackage/aeson@2", "Hackage", "aeson", "2"),
    ("pkg:cran/A3@1", "CRAN", "A3", "1"),
    ("pkg:conan/OpenSSL@3", "ConanCenter", "openssl", "3"),
    ("pkg:bitnami/WordPress@6.2.0", "Bitnami", "wordpress", "6.2.0"),
    ("pkg:vscode-extension/MS-Python/python@1", "VSCode", "ms-python.python", "1"),
    ("pkg:cocoapods/AFNetworking@4", "CocoaPods", "AFNetworking", "4"),
    ("pkg:generic/openssl@1.1.1", "", "openssl", "1.1.1"),
    ("pkg:oci/nginx@sha256:00", "", "nginx", "sha256:00"),
    ("pkg:none/xz-libs@5.2.2-1.el7?arch=x86_64", "", "xz-libs", "5.2.2-1.el7"),
    ("pkg:deb/debian/libgcc-s1@10.2.1-6?distro=debian-11.6", "Debian:11", "libgcc-s1", "10.2.1-6"),
    ("pkg:deb/ubuntu/findutils@4.6.0%2Bgit-2?distro=ubuntu-18.04", "Ubuntu:18.04", "findutils", "4.6.0+git-2"),
    ("pkg:deb/debian/dpkg@1.18.25?epoch=1&distro=stretch", "Debian:9", "dpkg", "1:1.18.25"),
    ("pkg:rpm/alma/dbus@1:1.12.8-23.el8?distro=alma-8.7", "AlmaLinux:8", "dbus", "1:1.12.8-23.el8"),
    ("pkg:rpm/alma/dbus@1:1.12.8-23.el8?epoch=1&distro=alma-8.7", "AlmaLinux:8", "dbus", "1:1.12.8-23.el8"),
    ("pkg:rpm/alma/dbus@1.12.8-23.el8?epoch=1", "AlmaLinux:8", "dbus", "1:1.12.8-23.el8"),
    ("pkg:rpm/centos/MySQL-python@1-2.el7?epoch=0&distro=centos-7.6.1810", "CentOS:7", "MySQL-python", "1-2.el7"),
    ("pkg:apk/alpine/musl@1.2.4-r0?distro=3.18.2", "Alpine:v3.18", "musl", "1.2.4-r0"),
    ("pkg:apk/wolfi/glibc@2.37-r1?distro=wolfi-20230201", "Wolfi", "glibc", "2.37-r1"),
    ("pkg:apk/chainguard/glibc@2.37-r1", "Chainguard", "glibc", "2.37-r1"),
    ("pkg:alpine/.postgresql-rundeps@2022?distro=alpine-3.15.4", "Alpine:v3.15", ".postgresql-rundeps", "2022"),
    ("pkg:alpm/arch/pacman@6.0.1-1", "Arch Linux", "pacman", "6.0.1-1"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "ecosystem", "name", "version"), IDENTITIES, ids=[row[0] for row in IDENTITIES]
)
def test_a_purl_names_a_package_as_its_ecosystem_spells_it(
    text: str, ecosystem: str, name: str, version: str
) -> None:
    assert identity(parse(text)) == (ecosystem, name, version)


RELEASES = [
    ("debian", "debian-11", "Debian:11"),
    ("debian", "debian-11.6", "Debian:11"),
    ("debian", "bookworm", "Debian:12"),
    ("debian", "debian-sid", "Debian:sid"),
    ("debian", "Debian GNU/Linux 12 (bookworm)", "Debian:12"),
    ("debian", "", "Debian"),
    ("ubuntu", "ubuntu-22.04", "Ubuntu:22.04"),
    ("ubuntu", "jammy", "Ubuntu:22.04"),
    ("ubuntu", "ubuntu-jammy", "Ubuntu:22.04"),
    ("ubuntu", "Ubuntu 22.04.3 LTS", "Ubuntu:22.04"),
    ("debian", "ubuntu-20.04", "Ubuntu:20.04"),
    ("alpine", "alpine-3.18.2", "Alpine:v3.18"),
    ("alpine", "3.18", "Alpine:v3.18"),
    ("alpine", "v3.18", "Alpine:v3.18"),
    ("alpine", "alpine-edge", "Alpine:edge"),
    ("alma", "alma-8.7", "AlmaLinux:8"),
    ("almalinux", "almalinux-9", "AlmaLinux:9"),
    ("alma", "el8", "AlmaLinux:8"),
    ("rocky", "rocky-8.7", "Rocky Linux:8"),
    ("redhat", "redhat-8.2", "Red Hat:8"),
    ("redhat", "rhel-9.1", "Red Hat:9"),
    ("redhat", "centos-7", "CentOS:7"),
    ("centos", "centos-7.6.1810", "CentOS:7"),
    ("fedora", "fedora-36", "Fedora:36"),
    ("amazon", "2 (Karoo)", "Amazon Linux:2"),
    ("amazon", "amazon-2 (Karoo)", "Amazon Linux:2"),
    ("amazon", "amazon-AMI release 2018.03", "Amazon Linux:1"),
    ("amazon", "amazon-2023", "Amazon Linux:2023"),
    ("oracle", "oracle-8.6", "Oracle Linux:8"),
    ("photon", "photon-4.0", "Photon OS:4.0"),
    ("azurelinux", "azurelinux-3.0", "Azure Linux:3"),
    ("cbl-mariner", "mariner-2.0", "Azure Linux:2"),
    ("suse", "sles-15.4", "SUSE:Linux Enterprise Server 15 SP4"),
    ("suse", "sles-15-SP4", "SUSE:Linux Enterprise Server 15 SP4"),
    ("suse", "sles-15", "SUSE:Linux Enterprise Server 15"),
    ("suse", "sle-micro-5.3", "SUSE:Linux Enterprise Micro 5.3"),
    ("suse", "opensuse-leap-15.5", "openSUSE:Leap 15.5"),
    ("opensuse", "opensuse-tumbleweed-20240101", "openSUSE:Tumbleweed"),
    ("openeuler", "openEuler-22.03-LTS-SP1", "openEuler:22.03-LTS-SP1"),
    ("openeuler", "openEuler-22.03 (LTS-SP1)", "openEuler:22.03-LTS-SP1"),
    ("mageia", "mageia-9", "Mageia:9"),
    ("wolfi", "", "Wolfi"),
    ("linuxmint", "linuxmint-21.2", "linuxmint:21.2"),
    ("", "", ""),
]


@pytest.mark.parametrize(
    ("namespace", "distro", "ecosystem"), RELEASES, ids=[f"{a} {b}" for a, b, _ in RELEASES]
)
def test_a_distribution_release_is_spelled_as_osv_spells_it(
    namespace: str, distro: str, ecosystem: str
) -> None:
    assert release_of(namespace, distro) == ecosystem


def test_the_document_tells_the_release_only_of_its_own_distribution() -> None:
    assert release_of("debian", "", "debian-12") == "Debian:12"
    assert release_of("ubuntu", "", "debian-12") == "Ubuntu"
    assert release_of("debian", "debian-11", "debian-12") == "Debian:11"
    assert release_of("", "", "alma-8.7") == "AlmaLinux:8"


def test_an_rpm_release_tag_tells_the_release_where_nothing_else_does() -> None:
    assert release_of("alma", "", "", "1.2-3.el8_7") == "AlmaLinux:8"
    assert release_of("fedora", "", "", "1.2-3.fc36") == "Fedora:36"
    assert release_of("alma", "alma-9", "", "1.2-3.el8") == "AlmaLinux:9"
    assert release_of("alma", "", "", "1.2-3") == "AlmaLinux"


def test_a_package_without_namespace_takes_the_distribution_of_the_document() -> None:
    assert identity(parse("pkg:deb/curl@7.88"), "debian-12") == ("Debian:12", "curl", "7.88")
    assert identity(parse("pkg:deb/curl@7.88")) == ("", "curl", "7.88")


@pytest.mark.parametrize(
    ("purl", "version", "expected"),
    [
        ("pkg:deb/debian/libgcc@1?upstream=gcc-12%4012.2.0-14", "1", ("gcc-12", "12.2.0-14")),
        ("pkg:deb/debian/libgcc@1?upstream=gcc-12", "1", ("gcc-12", "1")),
        ("pkg:rpm/redhat/libc@2.28-2.el8?upstream=glibc-2.28-225.el8.src.rpm", "2.28-2.el8", ("glibc", "2.28-225.el8")),
        ("pkg:rpm/redhat/x@1?upstream=dbus-1.12.8-23.el8.src.rpm", "1:1.12.8-23.el8", ("dbus", "1:1.12.8-23.el8")),
        ("pkg:rpm/redhat/x@1?upstream=nodash.src.rpm", "1", ("", "")),
        ("pkg:npm/x@1?upstream=y", "1", ("", "")),
        ("pkg:deb/debian/x@1", "1", ("", "")),
    ],
)  # fmt: skip
def test_upstream_names_the_source_package(purl: str, version: str, expected: tuple[str, str]) -> None:
    assert source_of(parse(purl), version) == expected


@pytest.mark.parametrize(
    ("purl", "stream"),
    [
        ("pkg:rpm/alma/nodejs@1?rpmmod=nodejs:18", "nodejs:18"),
        ("pkg:rpm/redhat/perl@1?modularitylabel=perl-DBI%3A1.641%3A8010020190322130042%3A16b3ab4d", "perl-DBI:1.641"),
        ("pkg:rpm/redhat/perl@1?modularitylabel=odd", ""),
        ("pkg:rpm/redhat/perl@1", ""),
    ],
)  # fmt: skip
def test_a_module_stream_is_name_and_stream(purl: str, stream: str) -> None:
    assert stream_of(parse(purl)) == stream


@pytest.mark.parametrize(
    ("version", "epoch", "expected"),
    [
        ("1.2", "1", "1:1.2"),
        ("1:1.2", "1", "1:1.2"),
        ("1.2", "0", "1.2"),
        ("1.2", "", "1.2"),
        ("", "1", ""),
        ("1.2", "x", "1.2"),
    ],
)
def test_an_epoch_is_put_in_front_once(version: str, epoch: str, expected: str) -> None:
    assert with_epoch(version, epoch) == expected


COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.mark.parametrize(
    ("purl", "expected"),
    [
        (f"pkg:github/madler/zlib@{COMMIT}", ("https://github.com/madler/zlib", COMMIT)),
        ("pkg:github/madler/zlib@v1", ("https://github.com/madler/zlib", "")),
        (f"pkg:generic/z@1?vcs_url=git%2Bhttps://g.org/z.git%40{COMMIT}", ("https://g.org/z", COMMIT)),
        ("pkg:generic/z@1?vcs_url=git%2Bhttps://g.org/z.git", ("https://g.org/z", "")),
        ("pkg:npm/z@1", ("", "")),
    ],
)
def test_a_repository_and_commit_are_found(purl: str, expected: tuple[str, str]) -> None:
    assert repository_of(parse(purl)) == expected
