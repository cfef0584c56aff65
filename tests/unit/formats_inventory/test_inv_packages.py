"""Purl lists, lock files, dpkg status and product lists as inventories."""

from __future__ import annotations

import pytest
from inventories import facts, fixture, triples

from clearway.formats.inventory import kind_of, read_inventory
from clearway.formats.observed import read_fleet
from clearway.records.errors import InputError

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def test_a_purl_list_has_one_a_line_and_comments() -> None:
    inventory = fixture("purls.txt")
    assert triples(inventory) == [
        ("npm", "@babel/core", "7.0.0"),
        ("PyPI", "zope-interface", "5.0.0"),
        ("Go", "github.com/Masterminds/semver/v3", "v3.2.0"),
        ("Ubuntu:22.04", "curl", "7.81.0-1ubuntu1.10"),
        ("", "", ""),
        ("", "", ""),
    ]
    assert [(c.place, c.problem) for c in inventory.components[4:]] == [
        ("line 7", "purl does not begin with pkg:"),
        ("line 8", "purl is missing its name"),
    ]


def test_a_purl_list_may_be_json() -> None:
    assert triples(fixture("purls.json")) == [("RubyGems", "rails", "7.0.1"), ("crates.io", "serde", "1.0.1")]


def test_requirements_know_hashes_markers_extras_and_what_they_do_not_pin() -> None:
    inventory = fixture("requirements.txt")
    assert [(c.name, c.version, c.place, c.problem) for c in inventory.components] == [
        ("requests", "2.31.0", "line 4", ""),
        ("django", "", "line 7", "is not pinned to a version (>= 3, < 4)"),
        ("flask", "2.0.1", "line 8", ""),
        ("zope-interface", "5.0.0", "line 9", ""),
        ("jinja2", "", "line 11", "is not pinned to a version (==3.*)"),
    ]
    assert {c.ecosystem for c in inventory.components} == {"PyPI"}
    assert inventory.problems == (
        "line 3: -r base.txt is not followed",
        "line 10: -e ./local is not followed",
    )


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("a==1.0,!=1.1", "1.0"),
        ("a == 1.0", "1.0"),
        ("a[x,y]==1.0;python_version<'3'", "1.0"),
        ("a (==1.0)", "1.0"),
        ("a==1!2.0", "1!2.0"),
        ("a==1.0+local", "1.0+local"),
        ("a~=1.0", ""),
        ("a", ""),
    ],
)
def test_a_pin_is_one_exact_version(line: str, expected: str) -> None:
    (component,) = read_inventory(f"{line}\n".encode(), "requirements.txt").components
    assert (component.name, component.version, bool(component.problem)) == ("a", expected, not expected)


def test_a_requirement_that_names_no_package_is_a_component_with_a_problem() -> None:
    (component,) = read_inventory(b"!!! nonsense\n", "requirements.txt").components
    assert component.problem == "is not a requirement that names a package"


def test_a_uv_lock_has_what_is_locked_and_not_the_project() -> None:
    inventory = fixture("uv.lock")
    assert triples(inventory) == [("PyPI", "anyio", "4.0.0"), ("PyPI", "forked", "1.2.0")]
    assert (inventory.components[1].repo, inventory.components[1].commit) == (
        "https://github.com/example/forked",
        COMMIT,
    )


def test_a_poetry_lock_is_read_too() -> None:
    inventory = fixture("poetry.lock")
    assert (inventory.format, triples(inventory)) == ("poetry.lock", [("PyPI", "idna", "3.6")])


def test_a_cargo_lock_keeps_other_registries_out_of_crates_io() -> None:
    inventory = fixture("Cargo.lock")
    assert triples(inventory) == [
        ("crates.io", "fork", "0.2.0"),
        ("", "in-house", "1.0.0"),
        ("crates.io", "serde", "1.0.160"),
    ]
    assert inventory.components[0].commit == COMMIT


@pytest.mark.parametrize(
    ("name", "kind", "expected"),
    [
        (
            "package-lock-v1.json",
            "package-lock.json v1",
            [("@babel/core", "7.0.0"), ("debug", "3.1.0"), ("lodash", "4.17.20"), ("from-git", "")],
        ),
        ("package-lock-v2.json", "package-lock.json v2", [("debug", "3.1.0")]),
        (
            "package-lock-v3.json",
            "package-lock.json v3",
            [("@babel/core", "7.0.0"), ("debug", "3.1.0"), ("lodash", "4.17.20")],
        ),
    ],
)
def test_package_locks_of_every_version_have_what_is_installed(
    name: str, kind: str, expected: list[tuple[str, str]]
) -> None:
    inventory = fixture(name)
    assert inventory.format == kind
    assert [(c.name, c.version) for c in inventory.components] == expected
    assert {c.ecosystem for c in inventory.components} == {"npm"}


def test_an_npm_package_from_git_has_a_commit_and_says_that_it_has_no_version() -> None:
    component = fixture("package-lock-v1.json").components[-1]
    assert component.commit == COMMIT
    assert component.problem.startswith("is not from a registry")


def test_a_go_sum_has_only_the_modules_whose_files_are_used() -> None:
    assert triples(fixture("go.sum")) == [
        ("Go", "github.com/BurntSushi/toml", "v0.3.1"),
        ("Go", "github.com/docker/docker", "v20.10.7+incompatible"),
    ]


def test_a_go_mod_has_what_is_required_after_replacing() -> None:
    assert [(c.name, c.version, c.problem) for c in fixture("go.mod").components] == [
        ("github.com/BurntSushi/toml", "v0.3.1", ""),
        ("github.com/local/fork", "", "is replaced by a local folder (./fork)"),
        ("k8s.io/api", "v0.2.0", ""),
        ("golang.org/x/net", "v0.17.0", ""),
    ]


def test_a_dpkg_status_has_what_is_installed_with_its_source_and_release() -> None:
    inventory = fixture("dpkg-status")
    assert inventory.distro == "debian-12"
    assert [c.name for c in inventory.components] == ["base-files", "libssl3", "libgcc-s1"]
    assert facts(inventory.components[1]) == {
        "ecosystem": "Debian:12",
        "name": "libssl3",
        "version": "3.0.11-1~deb12u2",
        "source_name": "openssl",
        "source_version": "3.0.11-1~deb12u2",
        "arch": "amd64",
    }
    assert inventory.components[2].source_name == "gcc-12"


@pytest.mark.parametrize(
    ("version", "distro"),
    [("12ubuntu4.6", "ubuntu-22.04"), ("12ubuntu41", ""), ("11.1+deb11u9", "debian-11"), ("odd", "")],
)
def test_base_files_tell_the_release_or_nothing(version: str, distro: str) -> None:
    text = (
        f"Package: base-files\nStatus: install ok installed\nVersion: {version}\n\nPackage: x\nVersion: 1\n"
    )
    inventory = read_inventory(text.encode(), "status")
    assert inventory.distro == distro
    assert bool(inventory.components[1].ecosystem) == bool(distro)


def test_a_repository_index_is_not_what_is_installed() -> None:
    text = b"Package: a\nVersion: 1\nFilename: pool/a.deb\n"
    with pytest.raises(InputError, match="repository's index"):
        read_inventory(text, "Packages")


def test_a_product_list_keeps_cells_as_typed() -> None:
    inventory = fixture("products.csv")
    assert [facts(component) for component in inventory.components] == [
        {
            "ecosystem": "vendor",
            "vendor": "Cisco",
            "name": "IOS XE; with a semicolon",
            "version": "17.3.1",
            "host": "edge-1",
            "exposure": "public",
        },
        {
            "ecosystem": "vendor",
            "vendor": "Ivanti",
            "name": "Connect Secure",
            "version": "22.7R2",
            "host": '=HYPERLINK("http://x")',
            "exposure": "internal",
        },
        {
            "ecosystem": "vendor",
            "vendor": "Microsoft",
            "version": "10",
            "host": "desk-4",
            "problem": "row has no product",
        },
        {
            "ecosystem": "vendor",
            "vendor": "VMware",
            "name": "vCenter Server",
            "version": "7.0",
            "host": "vc-1",
        },
    ]
    assert inventory.problems == ("line 6: exposure 'sometimes' is neither public nor internal",)


@pytest.mark.parametrize(
    "text",
    [
        b"vendor,product,version\nCisco,IOS,15\n",
        b"VENDOR;PRODUCT;VERSION\r\nCisco;IOS;15\r\n",
        b"Manufacturer\tSoftware Name\tInstalled_Version\nCisco\tIOS\t15\n",
        b'\xef\xbb\xbf"vendor","product","version"\n"Cisco","IOS","15"\n',
        "vendor,product,version\nCisco,IOS,15\n".encode("utf-16"),
        b"ignored,version,product,vendor\nx,15,IOS,Cisco\n",
    ],
)
def test_delimiters_synonyms_and_byte_order_marks_are_known(text: bytes) -> None:
    (component,) = read_inventory(text, "products.csv").components
    assert (component.vendor, component.name, component.version) == ("Cisco", "IOS", "15")


@pytest.mark.parametrize(
    "version", ["7.2.x", "7.2.X", "7.*", "*", "7.2.*.1", "all", "ANY", "x", "All versions"]
)
def test_a_wildcard_is_no_version_and_its_row_stays(version: str) -> None:
    text = f"vendor,product,version\nFortinet,FortiOS,{version}\nCisco,IOS,15\n".encode()
    wild, other = read_inventory(text, "products.csv").components
    assert (wild.vendor, wild.name, wild.version) == ("Fortinet", "FortiOS", version)
    assert wild.problem == f"{version!r} is a wildcard, not a version"
    assert not other.problem


@pytest.mark.parametrize(
    "version", ["7.2.5", "8.x-1.2", "2019 R2", "1.0x", "", "Xen 4", "10.0.19045", "anyconnect-4"]
)
def test_a_version_that_only_looks_so_is_one(version: str) -> None:
    (component,) = read_inventory(
        f"vendor,product,version\nAcme,Box,{version}\n".encode(), "p.csv"
    ).components
    assert not component.problem


def test_a_purl_that_carries_its_version_needs_none_of_the_cell() -> None:
    text = b"product,version,purl\na,*,pkg:npm/a@1.0\nb,*,pkg:npm/b\nc,*,no purl\n"
    problems = [c.problem for c in read_inventory(text, "p.csv").components]
    assert problems[0] == ""
    assert problems[1] == "'*' is a wildcard, not a version"
    assert "pkg:" in problems[2]


def test_a_row_with_a_purl_is_that_package_on_that_host() -> None:
    text = b"product,version,host,exposure,purl\nx,,h,yes,pkg:npm/lodash@4.17.20\n"
    (component,) = read_inventory(text, "p.csv").components
    assert (component.ecosystem, component.name, component.host, component.exposure) == (
        "npm",
        "lodash",
        "h",
        "public",
    )


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (b"Cisco,\xff", "line 3 is not UTF-8"),
        (b'Cisco,"IOS', "line 3 is not CSV"),
        (b'Cisco,"IOS"x', "line 3 is not CSV"),
        (b"Cisco," + b"x" * 200_000, "line 3 has a cell of more than 100,000 characters"),
    ],
)
def test_a_row_of_a_product_list_that_can_not_be_read_loses_no_other(row: bytes, message: str) -> None:
    text = b"vendor,product,version\nF,FortiOS,7.2.5\n" + row + b"\nA,Jira,9.1\n"
    found = read_inventory(text, "p.csv")
    assert [(c.name, c.place) for c in found.components] == [("FortiOS", "line 2"), ("Jira", "line 4")]
    (problem,) = found.problems
    assert problem.startswith(message)
    fleet = read_fleet(text, "p.csv")
    assert [len(o.components) for o in fleet.observed] == [2]
    assert len(fleet.set_aside) == 1


@pytest.mark.parametrize("first", ["sep=;", '"sep=;"', "SEP=;\r"])
def test_what_excel_writes_of_its_delimiter_is_no_header(first: str) -> None:
    text = f"{first}\nvendor;product, or so;product;version\nFortinet;x;FortiOS;7.2.5\n".encode()
    (component,) = read_inventory(text, "p.csv").components
    assert (component.name, component.version, component.place) == ("FortiOS", "7.2.5", "line 3")


def test_a_column_twice_in_a_product_list_is_refused() -> None:
    with pytest.raises(InputError, match="two columns 'version'") as refused:
        read_inventory(b"vendor,product,version,Version\nF,FortiOS,7.2.5,7.2.7\n", "p.csv")
    assert (refused.value.where, bool(refused.value.mend)) == ("p.csv, line 1", True)


@pytest.mark.parametrize("name", ["requirements.txt", "p.csv", "web.cdx.json", "web.cdx.xml", "nmap.xml"])
@pytest.mark.parametrize("coding", ["utf-16", "utf-16-be"])
def test_what_a_windows_shell_redirects_is_read_as_what_it_is(name: str, coding: str) -> None:
    text = {
        "requirements.txt": "django==4.1\n",
        "p.csv": "vendor,product,version\nF,FortiOS,7.2.5\n",
        "web.cdx.json": '{"bomFormat": "CycloneDX", "specVersion": "1.5", "components": [{"type": "library",'
        ' "name": "a", "version": "1", "purl": "pkg:npm/a@1"}]}',
        "web.cdx.xml": '<?xml version="1.0" encoding="utf-16"?><bom xmlns="http://cyclonedx.org/schema/bom/1.5">'
        '<components><component type="library"><name>a</name><version>1</version><purl>pkg:npm/a@1</purl>'
        "</component></components></bom>",
        "nmap.xml": '<?xml version="1.0" encoding="UTF-16"?><nmaprun scanner="nmap" start="1795000000"><host>'
        '<status state="up"/><address addr="203.0.113.9" addrtype="ipv4"/><ports><port protocol="tcp" portid="80">'
        '<state state="open"/><service name="http" product="Apache httpd" version="2.4"/></port></ports>'
        "</host></nmaprun>",
    }[name]
    mark = "\ufeff" if coding == "utf-16-be" else ""
    wide = (mark + text).encode(coding)
    plain = read_fleet(text.replace("utf-16", "utf-8").replace("UTF-16", "UTF-8").encode(), name)
    assert read_fleet(wide, name) == plain
    assert sum(len(o.components) for o in plain.observed) == 1
    assert kind_of(wide, name)


@pytest.mark.parametrize(
    ("text", "name", "kind"),
    [
        (b"pkg:npm/a@1\n", "x", "purls"),
        (b"# c\n\n requests==1\n", "anything.txt", "requirements.txt"),
        (b"requests\n", "requirements-dev.txt", "requirements.txt"),
        (b"Package: a\nVersion: 1\n", "anything", "dpkg-status"),
        (b"module a/b\n", "anything", "go.mod"),
        (b"a/b v1.0.0 h1:x=\n", "anything", "go.sum"),
        (b'version = 1\n[[package]]\nname = "a"\n', "uv.lock", "uv.lock"),
        (b'version = 3\n[[package]]\nname = "a"\n', "dir/Cargo.lock", "Cargo.lock"),
    ],
)
def test_the_kind_is_told_by_content_and_only_then_by_name(text: bytes, name: str, kind: str) -> None:
    assert kind_of(text, name) == kind


@pytest.mark.parametrize("name", ["uv.lock", "Cargo.lock"])
@pytest.mark.parametrize(
    "body",
    [
        b"[[package]]\nname = ",
        b"[[package]]\nname = \xff\n",
        b"[[package]]\nx = " + b"[" * 100_000,
        b"[[package]]\nx = 1" + b"0" * 10_000,
        b"[[package]]\nx = 2026-99-99",
        b'[[package]]\nname="a"\nname="b"\n',
    ],
)
def test_a_broken_toml_lock_is_refused_with_its_place(name: str, body: bytes) -> None:
    with pytest.raises(InputError) as caught:
        read_inventory(body, name)
    assert caught.value.where.startswith(name)
