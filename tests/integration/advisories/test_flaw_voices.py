"""Whose word each line of a flaw is: containers of a CVE record, module streams, titles, advisories about several."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from clearway.advisories.view import view
from intake_world import World, kev, osv, package, write

CVE = "CVE-2026-4477"
_APACHE = {"orgId": "00000000-0000-4000-8000-000000000001", "shortName": "apache"}
_ADP = {"orgId": "134c704f-9b21-4f2e-91b3-4a467353bcc0", "shortName": "CISA-ADP"}
_PRODUCT = {
    "vendor": "Apache Software Foundation",
    "product": "Apache HTTP Server",
    "defaultStatus": "unaffected",
    "versions": [
        {"version": "2.4.0", "status": "affected", "versionType": "semver", "lessThanOrEqual": "2.4.59"}
    ],
}
_BY_CPE = {
    "vendor": "netapp",
    "product": "ontap_9",
    "defaultStatus": "unknown",
    "versions": [{"version": "0", "status": "affected", "versionType": "custom", "lessThan": "*"}],
}
_ADP_SAYS = {
    "providerMetadata": _ADP,
    "metrics": [
        {
            "cvssV3_1": {
                "version": "3.1",
                "vectorString": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:N",
                "baseScore": 9.1,
                "baseSeverity": "CRITICAL",
            }
        }
    ],
    "affected": [_PRODUCT, _BY_CPE],
}


def _record(cna: dict[str, Any], *adp: dict[str, Any]) -> dict[str, Any]:
    meta = {"cveId": CVE, "state": "PUBLISHED", "datePublished": "2026-07-01T18:15:12Z"}
    return {
        "dataType": "CVE_RECORD",
        "dataVersion": "5.1",
        "cveMetadata": meta,
        "containers": {"cna": cna, "adp": list(adp)},
    }


def _whole() -> dict[str, Any]:
    """The record as its CNA publishes it: a word for its severity, no score."""
    word = {"other": {"type": "Textual description of severity", "content": {"text": "important"}}}
    return _record(
        {
            "providerMetadata": _APACHE,
            "title": "Weakness in mod_rewrite",
            "metrics": [word],
            "affected": [_PRODUCT],
        },
        _ADP_SAYS,
    )


def _said(world: World, tmp_path: Path, *records: dict[str, Any]) -> dict[str, Any]:
    world.take(*(write(tmp_path / "in" / f"{n}.json", r) for n, r in enumerate(records)))
    table = world.table()
    try:
        return view(table, CVE)
    finally:
        table.close()


@pytest.mark.parametrize("excerpt_too", [False, True], ids=["one copy of the record", "an excerpt beside it"])
def test_each_container_says_its_own_words_once(world: World, tmp_path: Path, *, excerpt_too: bool) -> None:
    excerpt = [_record({"providerMetadata": _ADP}, _ADP_SAYS)] if excerpt_too else []
    said = _said(world, tmp_path, _whole(), *excerpt)
    lines = [(e["says"], e["ecosystem"], e["name"]) for s in said["sources"] for e in s["affected"]]
    assert len(lines) == len(set(lines))
    assert {who for who, _, name in lines if "http_server" in name} == {"cve:apache", "cve:cisa-adp"}
    assert {who for who, _, name in lines if "ontap" in name} == {"cve:cisa-adp"}
    for source in said["sources"]:
        if excerpt_too:
            assert {e["says"] for e in source["affected"]} == {source["source"]}
    assert {(c["source"], c["score"], c["rating"]) for c in said["cvss"]} >= {
        ("cve:apache", None, "important"),
        ("cve:cisa-adp", 9.1, "CRITICAL"),
    }


def test_nobody_is_shown_with_a_score_that_another_gave(world: World, tmp_path: Path) -> None:
    from clearway.exposure.fleet.page_flaw import _rows

    rows = _rows(_said(world, tmp_path, _whole()))
    assert {(r.severity, r.rating) for r in rows if r.source == "cve:apache"} == {(None, "important")}
    assert {r.severity for r in rows if r.source == "cve:cisa-adp"} == {9.1}


def test_a_voice_that_only_rates_the_flaw_is_heard(world: World, tmp_path: Path) -> None:
    from clearway.exposure.fleet.page_flaw import _rows

    record = _whole()
    del record["containers"]["adp"][0]["affected"]
    (row,) = (r for r in _rows(_said(world, tmp_path, record)) if r.source == "cve:cisa-adp")
    assert (row.severity, row.package, row.record) == (9.1, "", CVE)


def _erratum(identifier: str, *affected: dict[str, Any], title: str = "", **more: Any) -> dict[str, Any]:
    return osv(identifier, *affected, summary=title, upstream=[CVE], **more)


def test_streams_of_one_distribution_do_not_disagree(world: World, tmp_path: Path) -> None:
    streams = [
        _erratum(
            f"ALSA-2026:{n}",
            package("AlmaLinux:9", "nodejs", f"1:{n}.20.2-3.module_el9.{n}.0+17+abc"),
            title=f"Important: nodejs:{n} security update",
        )
        for n in (16, 18, 20)
    ]
    said = _said(world, tmp_path, _whole(), *streams)
    assert said["disagreements"] == []
    modules = {e["module"] for s in said["sources"] for e in s["affected"] if e["name"] == "nodejs"}
    assert modules == {"nodejs:16", "nodejs:18", "nodejs:20"}


def test_two_sources_that_name_another_fix_of_one_package_disagree(world: World, tmp_path: Path) -> None:
    said = _said(
        world,
        tmp_path,
        _whole(),
        osv("PYSEC-2026-9", package("PyPI", "thing", "1.5"), aliases=[CVE]),
        osv("GHSA-2222-3333-4444", package("PyPI", "thing", "1.6"), aliases=[CVE]),
    )
    (one,) = said["disagreements"]
    assert (one["name"], one["about"]) == ("thing", "fixed")
    assert {who.partition(" ")[0]: v for who, v in one["says"].items()} == {
        "pypa": ["1.5"],
        "github": ["1.6"],
    }


def test_a_flaw_is_called_as_the_records_about_it_call_it(world: World, tmp_path: Path) -> None:
    erratum = _erratum(
        "ALSA-2026:1", package("AlmaLinux:9", "firefox", "1-1"), title="Important: firefox update"
    )
    own = osv(
        "GHSA-2222-3333-4444", package("PyPI", "thing", "1.6"), aliases=[CVE], summary="Overflow in thing"
    )
    unnamed = _whole()
    del unnamed["containers"]["cna"]["title"]
    assert _said(world, tmp_path / "1", unnamed, erratum)["title"] == "Important: firefox update"
    listed = kev("2026.11.20", CVE, vulnerabilityName="Acme Overflow")
    assert _said(world, tmp_path / "k", unnamed, erratum, listed)["title"] == "Acme Overflow"
    assert _said(world, tmp_path / "2", unnamed, erratum, own)["title"] == "Overflow in thing"
    assert _said(world, tmp_path / "3", _whole(), erratum, own)["title"] == "Weakness in mod_rewrite"
    from clearway.app.indexing import flaw_doc

    table = world.table()
    try:
        flaw = table.flaw(CVE)
        assert flaw is not None
        assert flaw_doc(table, flaw).title == f"{CVE} · Weakness in mod_rewrite"
    finally:
        table.close()


def test_an_advisory_about_several_flaws_is_found_in_any_case(world: World, tmp_path: Path) -> None:
    both = osv("ALSA-2026:1", package("AlmaLinux:9", "x", "1-1"), upstream=["CVE-2026-1", "CVE-2026-2"])
    world.take(write(tmp_path / "a.json", both))
    table = world.table()
    try:
        found = view(table, "alsa-2026:1")
        assert found["id"] == "ALSA-2026:1"
        assert [s["record"] for s in found["sources"]] == ["ALSA-2026:1"]
    finally:
        table.close()
