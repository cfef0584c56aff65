"""One spelling on both sides of a match."""

from __future__ import annotations

import json
import tarfile

import pytest
import zstandard

from clearway.records.ecosystem import OSV_ECOSYSTEMS, base, normal_ecosystem, normal_name
from shared import shared


@pytest.mark.parametrize(
    ("ecosystem", "name", "expected"),
    [
        ("PyPI", "Zope.Interface__x", "zope-interface-x"),
        ("NuGet", "Newtonsoft.Json", "newtonsoft.json"),
        ("Packagist:https://packages.drupal.org/8", "Drupal/Core", "drupal/core"),
        ("Go", "github.com/BurntSushi/toml", "github.com/BurntSushi/toml"),
        ("npm", "JSONStream", "JSONStream"),
        ("SwiftURL", "https://github.com/Vapor/vapor.git", "github.com/vapor/vapor"),
        ("SwiftURL", "github.com/vapor/vapor", "github.com/vapor/vapor"),
        ("", "Anything", "Anything"),
    ],
)
def test_names_are_folded_as_their_ecosystem_folds_them(ecosystem: str, name: str, expected: str) -> None:
    assert normal_name(ecosystem, name) == expected


@pytest.mark.parametrize(
    ("ecosystem", "expected"),
    [
        ("Ubuntu:22.04:LTS", "Ubuntu:22.04"),
        ("Ubuntu:23.10", "Ubuntu:23.10"),
        ("Ubuntu:Pro:18.04:LTS", "Ubuntu:Pro:18.04"),
        ("Ubuntu:Pro:FIPS-updates:20.04:LTS", "Ubuntu:Pro:FIPS-updates:20.04"),
        ("Red Hat:enterprise_linux:9::appstream", "Red Hat:9"),
        ("Red Hat:enterprise_linux:10.0", "Red Hat:10"),
        ("Red Hat:rhel_eus:8.4::baseos", "Red Hat:rhel_eus:8.4::baseos"),
        ("Alpine:3.18", "Alpine:v3.18"),
        ("Alpine:v3.18", "Alpine:v3.18"),
        ("AlmaLinux:8", "AlmaLinux:8"),
        ("PyPI", "PyPI"),
        ("", ""),
    ],
)
def test_releases_are_spelled_one_way(ecosystem: str, expected: str) -> None:
    assert normal_ecosystem(ecosystem) == expected


def test_the_base_has_no_release() -> None:
    assert base("Packagist:https://packages.drupal.org/8") == "Packagist"
    assert base("PyPI") == "PyPI"


def test_every_ecosystem_of_the_osv_schema_is_known() -> None:
    path = shared("conformance/osv-schema.tar.zst")
    with (
        path.open("rb") as f,
        tarfile.open(fileobj=zstandard.ZstdDecompressor().stream_reader(f), mode="r|") as tar,
    ):
        for member in tar:
            if member.name.endswith("ecosystems.json"):
                file = tar.extractfile(member)
                assert file is not None
                assert set(json.load(file)) == OSV_ECOSYSTEMS
                return
    pytest.fail("the archive holds no ecosystems.json")
