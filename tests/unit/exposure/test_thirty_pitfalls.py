"""The thirty pitfalls of matching, one test each, in the order and with the numbers of the published list.

Each was measured on real advisories; the ids in the comments are where it was seen.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from clearway.advisories.table import Table
from clearway.exposure.match import Matcher
from clearway.exposure.query import ask
from clearway.formats.inventory import read_inventory
from clearway.records.inventory import Component, Inventory
from world import record, table_of

DAY = date(2026, 11, 25)


def verdict(table: Table, ecosystem: str, name: str, version: str) -> str:
    return ask(table, ecosystem, name, version)["verdict"]


def of_purl(table: Table, purl: str) -> str:
    return ask(table, "", "", "", purl=purl)["verdict"]


@pytest.fixture
def one(tmp_path: Path):
    return lambda *items: table_of(tmp_path, *items)


def test_01_introduced_zero_is_before_every_version(one):
    table = one(record("GO-1", "Go", "example.com/x", {"introduced": "0"}, {"fixed": "1.2.0"}, kind="SEMVER"))
    assert verdict(table, "Go", "example.com/x", "v0.0.0-20210101000000-abcdefabcdef") == "affected"


def test_02_events_sort_stably_so_introduced_x_fixed_x_is_empty(one):  # RUSTSEC-2022-0012
    table = one(
        record("RUSTSEC-1", "crates.io", "a", {"introduced": "1.0.0"}, {"fixed": "1.0.0"}, kind="SEMVER")
    )
    assert verdict(table, "crates.io", "a", "1.0.0") == "not_affected"


def test_02_fixed_x_introduced_x_joins_two_ranges(one):
    events = [{"introduced": "1.0.0"}, {"fixed": "2.0.0"}, {"introduced": "2.0.0"}, {"fixed": "3.0.0"}]
    table = one(record("RUSTSEC-1", "crates.io", "a", *events, kind="SEMVER"))
    assert verdict(table, "crates.io", "a", "2.0.0") == "affected"


def test_03_events_out_of_order_and_several_introduced(one):
    events = [{"fixed": "2.2.0"}, {"introduced": "2.0.0"}, {"fixed": "1.5.0"}, {"introduced": "1.0.0"}]
    table = one(record("PYSEC-1", "PyPI", "a", *events))
    found = {v: verdict(table, "PyPI", "a", v) for v in ("0.9", "1.2", "1.5.0", "2.1", "2.2.0")}
    assert found == {"0.9": "not_affected", "1.2": "affected", "1.5.0": "not_affected", "2.1": "affected",
                     "2.2.0": "not_affected"}  # fmt: skip


def test_04_overlapping_pairs_follow_the_toggle_and_the_list(one):  # PYSEC-2021-114
    events = [{"introduced": "1.0"}, {"introduced": "2.0"}, {"fixed": "1.5"}, {"fixed": "3.0"}]
    table = one(record("PYSEC-1", "PyPI", "a", *events, versions=["1.7"]))
    assert verdict(table, "PyPI", "a", "1.6") == "not_affected"
    assert verdict(table, "PyPI", "a", "1.7") == "affected"
    assert verdict(table, "PyPI", "a", "2.5") == "affected"


def test_05_last_affected_is_inside_and_names_no_fix(one):
    table = one(record("GHSA-1", "npm", "a", {"introduced": "0"}, {"last_affected": "1.2.3"}, kind="SEMVER"))
    assert verdict(table, "npm", "a", "1.2.3") == "affected"
    assert verdict(table, "npm", "a", "1.2.4") != "affected"
    finding = matched(table, Component(ecosystem="npm", name="a", version="1.0.0")).findings[0]
    assert finding.fixed == ()


def test_06_limit_cuts_a_range_and_star_means_none(one):
    cut = one(record("PYSEC-1", "PyPI", "a", {"introduced": "1.0"}, {"limit": "2.0"}))
    assert verdict(cut, "PyPI", "a", "1.5") == "affected"
    assert verdict(cut, "PyPI", "a", "2.0") == "not_affected"
    free = one(record("PYSEC-1", "PyPI", "a", {"introduced": "1.0"}, {"limit": "*"}))
    assert verdict(free, "PyPI", "a", "99") == "affected"


def test_07_no_upper_end_is_no_fix_known(one):
    finding = matched(
        one(record("PYSEC-1", "PyPI", "a", {"introduced": "1.0"})),
        Component(ecosystem="PyPI", name="a", version="7"),
    ).findings[0]
    assert finding.verdict == "affected"
    assert finding.fixed == ()
    assert "no fix known" in finding.reasons[0]


def test_08_a_listed_version_counts_and_is_compared_by_order(one):
    table = one(record("PYSEC-1", "PyPI", "a", {"introduced": "2.0"}, {"fixed": "2.1"}, versions=["1.0"]))
    assert verdict(table, "PyPI", "a", "1.0.0") == "affected"


@pytest.mark.parametrize("version", ["(devel)", "", "not a version"])
def test_09_a_version_that_has_no_order_is_unknown_and_never_dropped(one, version):
    report = matched(
        one(record("GO-1", "Go", "example.com/x", {"introduced": "0"}, {"fixed": "1.2.0"}, kind="SEMVER")),
        Component(ecosystem="Go", name="example.com/x", version=version),
    )
    assert not report.findings
    assert len(report.unjudged) == 1
    assert report.unjudged[0].reason


def test_09_a_range_end_that_has_no_order_makes_unknown(one):  # BIT-mastodon-2026-47777
    table = one(
        record(
            "BIT-1", "Bitnami", "a", {"introduced": "nightly.2026-03-10.0"}, {"fixed": "4.6.0"}, kind="SEMVER"
        )
    )
    assert verdict(table, "Bitnami", "a", "4.5.0") == "unknown"


def test_10_an_end_from_before_pep_440_is_below_all_valid_versions_so_it_judges_none(one):  # PYSEC-2019-125
    table = one(
        record("PYSEC-1", "PyPI", "a", {"introduced": "0"}, {"fixed": "2019-09-12"}, versions=["1.0"])
    )
    assert verdict(table, "PyPI", "a", "0.0.1") == "unknown"
    assert verdict(table, "PyPI", "a", "1.0") == "affected"


@pytest.mark.parametrize("end", ["master", "2.0.x", "x!"])
def test_10_an_end_that_is_no_version_hides_nothing(one, end):
    table = one(record("PYSEC-1", "PyPI", "a", {"introduced": "0"}, {"fixed": end}))
    assert verdict(table, "PyPI", "a", "1.5") == "unknown"


def test_10_a_range_without_a_start_is_unknown(one):
    table = one(record("GHSA-1", "npm", "a", {"fixed": "2.0.0"}, kind="SEMVER"))
    assert verdict(table, "npm", "a", "1.5.0") == "unknown"


def test_11_git_ranges_alone_do_not_judge_a_version(one):
    affected = {
        "package": {"ecosystem": "OSS-Fuzz", "name": "file"},
        "ranges": [
            {"type": "GIT", "repo": "https://example.com/file.git", "events": [{"introduced": "0" * 40}]}
        ],
    }
    table = one({"id": "OSV-2020-1", "modified": "2026-01-02T03:04:05Z", "affected": [affected]})
    answer = ask(table, "OSS-Fuzz", "file", "5.40")
    assert answer["verdict"] == "unknown"
    assert "git commits" in answer["reasons"][0]


def test_11_a_listed_tag_of_a_git_range_counts(one):
    affected = {
        "package": {"ecosystem": "OSS-Fuzz", "name": "file"},
        "ranges": [
            {"type": "GIT", "repo": "https://example.com/file.git", "events": [{"introduced": "0" * 40}]}
        ],
        "versions": ["FILE5_40"],
    }
    table = one({"id": "OSV-2020-1", "modified": "2026-01-02T03:04:05Z", "affected": [affected]})
    assert verdict(table, "OSS-Fuzz", "file", "FILE5_40") == "affected"


def test_12_affected_without_a_package_is_indexed_by_its_repository(one):
    affected = {
        "ranges": [
            {"type": "GIT", "repo": "https://github.com/python/cpython", "events": [{"introduced": "0"}]}
        ]
    }
    table = one({"id": "PSF-1", "modified": "2026-01-02T03:04:05Z", "affected": [affected]})
    assert [c.record for c in table.claims("git", "https://github.com/python/cpython")] == ["PSF-1"]


def test_13_withdrawn_records_do_not_match(one):
    fields: dict[str, Any] = {"withdrawn": "2026-02-01T00:00:00Z"}
    table = one(
        record("PYSEC-1", "PyPI", "a", {"introduced": "0"}, **fields),
        record("PYSEC-2", "PyPI", "b", {"introduced": "0"}),
    )
    assert verdict(table, "PyPI", "a", "1.0") == "not_affected"


@pytest.mark.parametrize("name", ["Flask_Login", "flask.login", "FLASK--login"])
def test_14_pypi_names_are_normalised_on_both_sides(one, name):
    table = one(record("PYSEC-1", "PyPI", "Flask-Login", {"introduced": "0"}))
    assert verdict(table, "PyPI", name, "1.0") == "affected"
    assert of_purl(table, "pkg:pypi/Flask_Login@1.0") == "affected"


def test_15_case_folds_where_the_ecosystem_folds_and_only_there(one):
    table = one(
        record("GHSA-1", "NuGet", "Newtonsoft.Json", {"introduced": "0"}),
        record("GHSA-2", "npm", "JSONStream", {"introduced": "0"}, kind="SEMVER"),
    )
    assert verdict(table, "NuGet", "newtonsoft.json", "1.0.0") == "affected"
    assert verdict(table, "npm", "JSONStream", "1.0.0") == "affected"
    assert verdict(table, "npm", "jsonstream", "1.0.0") != "affected"


def test_15_a_go_name_that_a_purl_wrote_in_lower_case_is_found(one):
    table = one(record("GO-1", "Go", "github.com/Masterminds/x", {"introduced": "0"}, kind="SEMVER"))
    assert verdict(table, "Go", "github.com/Masterminds/x", "v1.0.0") == "affected"
    assert of_purl(table, "pkg:golang/github.com/masterminds/x@v1.0.0") == "affected"
    assert of_purl(table, "pkg:golang/github.com/MASTERMINDS/x@v1.0.0") == "not_affected"


def test_16_go_prefixes_stdlib_incompatible_and_pseudo_versions(one):
    table = one(
        record("GO-1", "Go", "stdlib", {"introduced": "0"}, {"fixed": "1.20.5"}, kind="SEMVER"),
        record("GO-2", "Go", "example.com/x", {"introduced": "0"}, {"fixed": "2.0.0"}, kind="SEMVER"),
    )
    assert of_purl(table, "pkg:golang/stdlib@go1.20.4") == "affected"
    assert of_purl(table, "pkg:golang/stdlib@1.20.5") == "not_affected"
    assert verdict(table, "Go", "example.com/x", "v2.0.0+incompatible") == "not_affected"
    assert verdict(table, "Go", "example.com/x", "v2.0.0-20240101000000-abcdefabcdef") == "affected"


def test_17_a_go_major_suffix_is_part_of_the_name(one):
    table = one(record("GO-1", "Go", "example.com/x/v2", {"introduced": "0"}, kind="SEMVER"))
    assert verdict(table, "Go", "example.com/x/v2", "v2.1.0") == "affected"
    assert verdict(table, "Go", "example.com/x", "v2.1.0") == "not_affected"


def test_18_go_dates_in_the_year_one_are_no_dates(one):
    table = one(record("GO-1", "Go", "example.com/x", {"introduced": "0"}, published="0001-01-01T00:00:00Z"))
    assert table.records("GO-1")[0].published == ""


def test_19_lower_ends_with_a_zero_prerelease_are_ordinary_prereleases(one):
    table = one(
        record("RUSTSEC-1", "crates.io", "a", {"introduced": "1.26.0-0"}, {"fixed": "1.27.0"}, kind="SEMVER")
    )
    assert verdict(table, "crates.io", "a", "1.26.0-alpha") == "affected"
    assert verdict(table, "crates.io", "a", "1.25.9") == "not_affected"


def test_20_a_bitnami_revision_is_no_prerelease(one):
    table = one(record("BIT-1", "Bitnami", "a", {"introduced": "0"}, {"fixed": "1.2.3"}, kind="SEMVER"))
    assert verdict(table, "Bitnami", "a", "1.2.3-4") == "not_affected"


def test_21_distribution_releases_are_separate_ecosystems(one):
    table = one(
        record("ALSA-1", "AlmaLinux:8", "bash", {"introduced": "0"}, {"fixed": "4.4.20-5.el8"}),
        record("ALSA-2", "AlmaLinux:9", "zsh", {"introduced": "0"}, {"fixed": "5.8-9.el9"}),
    )
    assert of_purl(table, "pkg:rpm/almalinux/bash@4.4.20-1.el8?distro=alma-8.7") == "affected"
    assert of_purl(table, "pkg:rpm/almalinux/bash@4.4.20-1.el9?distro=almalinux-9") == "not_affected"
    assert of_purl(table, "pkg:deb/debian/bash@4.4.20-1?distro=debian-11") == "unknown"


def test_22_a_binary_package_is_matched_by_its_source_where_advisories_speak_of_sources(one):
    table = one(record("DSA-1", "Debian:12", "openssl", {"introduced": "0"}, {"fixed": "3.0.11-1~deb12u2"}))
    purl = "pkg:deb/debian/libssl3@3.0.11-1~deb12u1?distro=debian-12&upstream=openssl"
    inventory = read_inventory(f"{purl}\n".encode(), "purls.txt")
    report = Matcher(table, as_of=DAY).match(inventory, detected=DAY, detected_by="given")
    assert [f.flaw for f in report.findings] == ["DSA-1"]


@pytest.mark.parametrize("source", ["openssl%20%283.0.11-1~deb12u1%29", "openssl@3.0.11-1~deb12u1"])
def test_22_a_source_package_may_be_written_with_its_version(one, source):
    table = one(record("DSA-1", "Debian:12", "openssl", {"introduced": "0"}, {"fixed": "3.0.11-1~deb12u2"}))
    purl = f"pkg:deb/debian/libssl3@3.0.11-1~deb12u1?distro=debian-12&upstream={source}"
    assert of_purl(table, purl) == "affected"


def test_22_a_binary_package_whose_source_is_not_stated_is_unknown(one):
    table = one(record("DSA-1", "Debian:12", "openssl", {"introduced": "0"}, {"fixed": "3.0.11-1~deb12u2"}))
    purl = "pkg:deb/debian/libssl3@3.0.11-1~deb12u1?distro=debian-12"
    assert of_purl(table, purl) == "unknown"
    report = Matcher(table, as_of=DAY).match(
        read_inventory(f"{purl}\n".encode(), "purls.txt"), detected=DAY, detected_by="given"
    )
    assert (report.unknown, report.unjudged[0].reason[:10]) == (1, "its source")


@pytest.mark.parametrize(
    "purl",
    [
        "pkg:rpm/almalinux/gmp@6.1.2-10.el8?distro=alma-8&epoch=1",
        "pkg:rpm/almalinux/gmp@1:6.1.2-10.el8?distro=alma-8",
    ],
)
def test_23_an_epoch_is_read_from_the_qualifier_or_the_version(one, purl):
    table = one(record("ALSA-1", "AlmaLinux:8", "gmp", {"introduced": "0"}, {"fixed": "1:6.1.2-10.el8"}))
    assert of_purl(table, purl) == "not_affected"


MODULE_FIX = "1:18.20.4-1.module_el8.10.0+3885+be6f3aef"


def stream_table(one, title: str) -> Table:
    return one(
        record("ALSA-1", "AlmaLinux:8", "nodejs", {"introduced": "0"}, {"fixed": MODULE_FIX}, summary=title)
    )


@pytest.mark.parametrize(
    ("version", "label", "expected"),
    [
        ("1:18.19.0-1.module_el8.9.0+1+aaaaaaaa", "", "affected"),
        ("1:18.20.4-1.module_el8.10.0+3885+be6f3aef", "", "not_affected"),
        (
            "1:16.20.2-8.module_el8.9.0+1+aaaaaaaa",
            "",
            "not_affected",
        ),  # of stream 16, which its version tells
        ("1:18.19.0-1.module_el8.9.0+1+aaaaaaaa", "nodejs:18", "affected"),
        ("1:18.19.0-1.module_el8.9.0+1+aaaaaaaa", "NODEJS:18", "affected"),
        (
            "1:18.19.0-1.module_el8.9.0+1+aaaaaaaa",
            "nodejs:99",
            "affected",
        ),  # the version contradicts the label
        ("1:16.20.2-8.module_el8.9.0+1+aaaaaaaa", "nodejs:16", "not_affected"),
        ("1:18.19.0-1.el8", "", "unknown"),
    ],
)
def test_24_module_builds_are_compared_within_one_stream_only(one, version, label, expected):
    table = stream_table(one, "Important: nodejs:18 security update")
    component = Component(ecosystem="AlmaLinux:8", name="nodejs", version=version, module_stream=label)
    report = matched(table, component)
    assert getattr(report, expected) == 1


@pytest.mark.parametrize(
    ("label", "expected"), [("nodejs:18", "affected"), ("nodejs:20", "not_affected"), ("", "unknown")]
)
def test_24_a_part_of_a_module_is_told_by_its_label_only(one, label, expected):
    fixed = "3.0.1-1.module_el8.10.0+1+bbbbbbbb"
    title = "Important: nodejs:18 and nodejs-devel:18 security update"
    table = one(
        record(
            "ALSA-1", "AlmaLinux:8", "nodejs-nodemon", {"introduced": "0"}, {"fixed": fixed}, summary=title
        )
    )
    version = "2.0.20-3.module_el8.9.0+1+aaaaaaaa"
    component = Component(
        ecosystem="AlmaLinux:8", name="nodejs-nodemon", version=version, module_stream=label
    )
    assert getattr(matched(table, component), expected) == 1


def test_24_a_module_build_is_not_judged_by_errata_of_base_builds(one):
    table = one(record("ALSA-1", "AlmaLinux:9", "nginx", {"introduced": "0"}, {"fixed": "2:1.20.1-22.el9_6"}))
    assert verdict(table, "AlmaLinux:9", "nginx", "1:1.24.0-7.module_el9.8.0+278+b57266e8") == "unknown"
    assert verdict(table, "AlmaLinux:9", "nginx", "1:1.20.1-20.el9") == "affected"


def test_24_where_no_stream_is_told_a_module_build_is_unknown(one):
    table = stream_table(one, "Important: security update")
    assert verdict(table, "AlmaLinux:8", "nodejs", "1:18.19.0-1.module_el8.9.0+1+aaaaaaaa") == "unknown"


def test_25_the_drupal_repository_is_packagist_and_keeps_its_source(one):
    ecosystem = "Packagist:https://packages.drupal.org/8"
    table = one(record("DRUPAL-1", ecosystem, "drupal/views", {"introduced": "0"}, {"fixed": "1.35.0"}))
    assert of_purl(table, "pkg:composer/drupal/views@1.34.0") == "affected"
    assert verdict(table, ecosystem, "drupal/views", "1.35.0") == "not_affected"


def test_26_composer_versions_follow_composer(one):
    table = one(record("GHSA-1", "Packagist", "a/b", {"introduced": "0"}, {"fixed": "1.0.0.0"}))
    assert verdict(table, "Packagist", "a/b", "1.0") != "affected"


def test_27_maven_release_final_and_ga_are_nothing(one):
    table = one(record("GHSA-1", "Maven", "g:a", {"introduced": "0"}, {"fixed": "4.1.0"}))
    for version in ("4.1.0.Final", "4.1.0.GA", "4.1.0.RELEASE"):
        assert verdict(table, "Maven", "g:a", version) != "affected", version
    assert verdict(table, "Maven", "g:a", "4.1.0.M2") == "affected"


def test_28_a_last_known_range_of_a_database_is_shown_and_not_matched_on(one):
    fields = {"database_specific": {"last_known_affected_version_range": "<= 7.0.10"}}
    table = one(record("GHSA-1", "npm", "a", {"introduced": "0"}, kind="SEMVER", **fields))
    assert verdict(table, "npm", "a", "8.0.0") == "affected"


def test_29_a_flaw_with_three_names_counts_once(one):
    table = one(
        record(
            "PYSEC-1", "PyPI", "a", {"introduced": "0"}, {"fixed": "3.1.6"}, aliases=["CVE-2024-1", "GHSA-x"]
        ),
        record("GHSA-x", "PyPI", "a", {"introduced": "0"}, {"fixed": "3.1.11"}, aliases=["CVE-2024-1"]),
    )
    report = matched(table, Component(ecosystem="PyPI", name="a", version="3.0"))
    assert [(f.flaw, f.ids) for f in report.findings] == [("CVE-2024-1", ("GHSA-x", "PYSEC-1"))]
    assert any("disagree" in r for r in report.findings[0].reasons)
    one_only = matched(table, Component(ecosystem="PyPI", name="a", version="3.1.8")).findings[0]
    assert one_only.verdict == "affected"
    assert any(r.startswith("pypa disagrees") for r in one_only.reasons)


def test_30_symbols_and_platforms_are_conditions_and_never_widen_a_match(one):
    specific = {"imports": [{"path": "example.com/x", "symbols": ["Parse"], "goos": ["windows"]}]}
    table = one(
        record("GO-1", "Go", "example.com/x", {"introduced": "0"}, kind="SEMVER", ecosystem_specific=specific)
    )
    finding = matched(table, Component(ecosystem="Go", name="example.com/x", version="v1.0.0")).findings[0]
    assert finding.verdict == "affected"
    assert finding.statements[0].conditions


def matched(table: Table, *components: Component):
    inventory = Inventory(name="test", format="test", components=components)
    return Matcher(table, as_of=DAY).match(inventory, detected=DAY, detected_by="given")
