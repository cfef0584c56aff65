"""Asking one package gives the answer that an inventory would."""

from __future__ import annotations

from clearway.exposure.query import ask
from world import record, table_of


def test_a_purl_of_a_binary_package_is_asked_by_its_source(tmp_path):
    table = table_of(
        tmp_path, record("DSA-1", "Debian:12", "openssl", {"introduced": "0"}, {"fixed": "3.0.11-1~deb12u2"})
    )
    purl = "pkg:deb/debian/libssl3@3.0.11-1~deb12u1?distro=debian-12&upstream=openssl"
    assert ask(table, "", "", "", purl=purl)["ids"] == ["DSA-1"]


def test_the_case_of_an_ecosystem_does_not_matter(tmp_path):
    table = table_of(tmp_path, record("PYSEC-1", "PyPI", "a", {"introduced": "0"}))
    assert ask(table, "pypi", "a", "1")["verdict"] == "affected"


def test_silence_says_how_old_it_is(tmp_path):
    table = table_of(tmp_path, record("PYSEC-1", "PyPI", "a", {"introduced": "0"}))
    answer = ask(table, "PyPI", "b", "1")
    assert answer["verdict"] == "not_affected"
    assert "pypa (as of 2026-01-02)" in answer["reasons"][0]


def test_a_repository_that_an_advisory_calls_an_action_is_one(tmp_path):
    table = table_of(
        tmp_path,
        record(
            "GHSA-1", "GitHub Actions", "tj-actions/changed-files", {"introduced": "0"}, {"fixed": "46.0.1"}
        ),
    )
    assert ask(table, "", "", "", purl="pkg:github/tj-actions/changed-files@v45")["verdict"] == "affected"
    assert ask(table, "", "", "", purl="pkg:github/madler/zlib@v1.2")["verdict"] == "unknown"
