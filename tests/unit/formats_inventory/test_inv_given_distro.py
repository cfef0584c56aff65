"""`--distro`: the release of an inventory that names none, and never of one that does."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from clearway.app.cli import main
from clearway.formats.distro import names_release
from clearway.formats.inventory import read_inventory
from world import record, table_of

STATUS = b"Package: libssl3\nStatus: install ok installed\nArchitecture: amd64\nSource: openssl\nVersion: 3.0.11-1\n\n"
BASE = b"Package: base-files\nStatus: install ok installed\nVersion: 11.1+deb11u9\n\n"


def document(*purls: str, system: bool = False) -> bytes:
    components = [{"type": "library", "name": p, "version": "1", "purl": p} for p in purls]
    if system:
        components.append({"type": "operating-system", "name": "debian", "version": "11"})
    return json.dumps({"bomFormat": "CycloneDX", "specVersion": "1.6", "components": components}).encode()


def test_a_status_file_without_base_files_is_of_the_release_that_is_given() -> None:
    (bare,) = read_inventory(STATUS, "status").components
    (given,) = read_inventory(STATUS, "status", "debian-12").components
    assert bare.ecosystem == ""
    assert (given.ecosystem, given.name, given.source_name) == ("Debian:12", "libssl3", "openssl")
    assert given.purl == "pkg:deb/debian/libssl3@3.0.11-1?arch=amd64&distro=debian-12"


@pytest.mark.parametrize("distro", ["bookworm", "Debian GNU/Linux 12 (bookworm)", "debian-12.5"])
def test_a_release_may_be_spelled_as_its_makers_do(distro: str) -> None:
    (given,) = read_inventory(STATUS, "status", distro).components
    assert (given.ecosystem, given.purl.rpartition("=")[2]) == ("Debian:12", "debian-12")


def test_a_document_that_names_its_system_keeps_it() -> None:
    for data, name in ((BASE + STATUS, "status"), (document("pkg:deb/libssl3@3", system=True), "a.cdx.json")):
        assert read_inventory(data, name, "debian-12") == read_inventory(data, name)
        assert "Debian:11" in {c.ecosystem for c in read_inventory(data, name, "debian-12").components}


PURLS = {
    "pkg:deb/libssl3@3": "Debian:12",
    "pkg:deb/debian/libssl3@3": "Debian:12",
    "pkg:deb/debian/libssl3@3?distro=debian-11": "Debian:11",
    "pkg:deb/ubuntu/libssl3@3": "Ubuntu",
    "pkg:rpm/openssl@3": "",
    "pkg:rpm/almalinux/openssl@3-1.el8": "AlmaLinux:8",
    "pkg:pypi/demo@1": "PyPI",
    "pkg:generic/openssl@3": "",
    "no purl": "",
}


def test_it_is_for_packages_of_that_family_that_name_no_release() -> None:
    found = read_inventory(document(*PURLS), "a.cdx.json", "debian-12").components
    assert {c.purl: c.ecosystem for c in found} == PURLS


@pytest.mark.parametrize(
    "text", ["debian-12", "ubuntu 22.04", "alma-8.7", "alpine-3.18", "wolfi", "jammy", "sid"]
)
def test_a_known_release_is_named(text: str) -> None:
    assert names_release(text)


@pytest.mark.parametrize("text", ["", "debian", "linux-5", "12", "debain-12", "pkg:deb/debian", "-"])
def test_what_names_no_release_is_none(text: str) -> None:
    assert not names_release(text)


def test_match_judges_by_the_release_that_is_given(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    (tmp_path / "home" / "table").mkdir(parents=True)
    table = table_of(
        tmp_path / "home" / "table",
        record("DSA-1-1", "Debian:12", "openssl", {"introduced": "0"}, {"fixed": "3.0.13-1"}),
    )
    table.close()
    (tmp_path / "status").write_bytes(STATUS)
    words = ["--home", str(tmp_path / "home"), "match", str(tmp_path / "status"), "--json"]
    assert main(words) == 0
    assert json.loads(capfdbinary.readouterr().out)["unknown"]
    assert main([*words, "--distro", "debian-12"]) == 1
    assert json.loads(capfdbinary.readouterr().out)["findings"][0]["ids"] == ["DSA-1-1"]
    assert main([*words, "--distro", "debian"]) == 2
    assert b"debian-12" in capfdbinary.readouterr().err
