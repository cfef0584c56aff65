"""Alias groups say exactly what the sources assert, and undo it when a source is revoked."""

from __future__ import annotations

from clearway.advisories.groups import LARGEST_GROUP, Edge, derive, edges_of


def of(*records: tuple[str, str, dict[str, list[str]]], revoked: frozenset[str] = frozenset()):
    edges = [e for name, source, relations in records for e in edges_of(name, source, **relations)]
    return derive([name for name, _, _ in records], edges, revoked=revoked)


def test_the_preferred_id_is_the_cve_then_the_ghsa_then_the_sources_own():
    found = of(
        ("PYSEC-1", "pypa", {"aliases": ["GHSA-a", "CVE-2024-1"]}),
        ("PYSEC-2", "pypa", {"aliases": ["GHSA-b"]}),
        ("PYSEC-3", "pypa", {}),
    )
    assert found.of["PYSEC-1"] == ("CVE-2024-1",)
    assert found.of["PYSEC-2"] == ("GHSA-b",)
    assert found.of["PYSEC-3"] == ("PYSEC-3",)


def test_records_that_share_an_alias_are_one_flaw():
    found = of(
        ("GO-1", "go-vulndb", {"aliases": ["CVE-2024-1"]}), ("GHSA-a", "github", {"aliases": ["CVE-2024-1"]})
    )
    assert found.flaws["CVE-2024-1"].ids == ("CVE-2024-1", "GHSA-a", "GO-1")


def test_an_advisory_that_names_several_cves_bundles_them_and_never_melts_them():
    found = of(
        ("GO-1", "go-vulndb", {"aliases": ["CVE-2024-1", "GHSA-a", "CVE-2024-2", "GHSA-b"]}),
        ("GHSA-a", "github", {"aliases": ["CVE-2024-1"]}),
        ("GHSA-b", "github", {"aliases": ["CVE-2024-2"]}),
    )
    assert found.of["GO-1"] == ("CVE-2024-1", "CVE-2024-2")
    assert found.flaws["CVE-2024-1"].ids == ("CVE-2024-1", "GHSA-a")
    assert found.flaws["CVE-2024-1"].bundled_by == ("GO-1",)


def test_a_bundling_record_stays_one_when_another_source_calls_it_an_alias():
    found = of(
        ("GO-1", "go-vulndb", {"aliases": ["CVE-2024-1", "CVE-2024-2"]}),
        ("GHSA-a", "github", {"aliases": ["CVE-2024-1", "GO-1"]}),
    )
    assert found.of["GO-1"] == ("CVE-2024-1", "CVE-2024-2")
    assert found.of["GHSA-a"] == ("CVE-2024-1",)


def test_related_cves_of_a_record_without_aliases_are_bundled():
    found = of(("ALSA-1", "almalinux", {"related": ["CVE-2024-1", "CVE-2024-2"]}))
    assert found.of["ALSA-1"] == ("CVE-2024-1", "CVE-2024-2")


def test_related_merges_nothing_where_there_are_aliases():
    found = of(("GHSA-a", "github", {"aliases": ["CVE-2024-1"], "related": ["CVE-2024-2"]}))
    assert found.of["GHSA-a"] == ("CVE-2024-1",)
    assert "CVE-2024-2" not in found.flaws


def test_a_chain_of_sources_that_joins_two_cves_is_taken_apart_and_reported():
    found = of(
        ("GHSA-a", "github", {"aliases": ["CVE-2024-1"]}),
        ("PYSEC-1", "pypa", {"aliases": ["GHSA-a"]}),
        ("OTHER-1", "other", {"aliases": ["GHSA-a"]}),
        ("OTHER-2", "other", {"aliases": ["OTHER-1", "CVE-2024-2"]}),
    )
    assert found.of["GHSA-a"] == ("CVE-2024-1",)
    assert found.of["OTHER-2"] == ("CVE-2024-2",)
    assert [set(r.ids) for r in found.refused] == [
        {"CVE-2024-1", "CVE-2024-2", "GHSA-a", "OTHER-1", "OTHER-2", "PYSEC-1"}
    ]
    assert set(found.of["CVE-2024-1"]) == {"CVE-2024-1"}


def test_revoking_a_source_undoes_exactly_its_merges():
    records = (
        ("GHSA-a", "github", {"aliases": ["CVE-2024-1"]}),
        ("BAD-1", "wild", {"aliases": ["CVE-2024-1"]}),
    )
    assert of(*records).of["BAD-1"] == ("CVE-2024-1",)
    without = of(*records, revoked=frozenset({"wild"}))
    assert without.of["BAD-1"] == ("BAD-1",)
    assert without.of["GHSA-a"] == ("CVE-2024-1",)


def test_a_group_past_the_threshold_is_reported_and_not_merged():
    names = [f"X-{i}" for i in range(LARGEST_GROUP + 1)]
    found = derive(names, [Edge(names[0], "same", n, "wild") for n in names[1:]])
    assert len(found.flaws) == len(names)
    assert len(found.refused) == 1


def test_duplicates_are_an_edge_and_no_merge():
    found = of(("A-1", "a", {"duplicates": ["B-1"]}), ("B-1", "b", {}))
    assert found.of["A-1"] == ("A-1",)


def test_a_cve_that_names_another_cve_as_its_alias_stays_a_flaw_of_its_own():
    found = of(("CVE-2024-1", "osv", {"aliases": ["CVE-2024-2"]}))
    assert found.of["CVE-2024-1"] == ("CVE-2024-1",)


def test_an_oversized_group_still_leads_each_record_to_the_cve_that_it_names():
    names = [f"X-{i}" for i in range(LARGEST_GROUP)]
    found = of(*[(n, "wild", {"aliases": ["CVE-2024-1"]}) for n in names])
    assert len(found.refused) == 1
    assert {found.of[n] for n in names} == {("CVE-2024-1",)}
    assert found.flaws["CVE-2024-1"].ids == ("CVE-2024-1",)
    assert found.flaws["CVE-2024-1"].bundled_by == tuple(sorted(names))
