"""Every real file that the project is given: how many records land, how many are skipped, and why.

A change of these counts is a change of what Clearway believes: look at the records before changing a number.
"""

from __future__ import annotations

import gc
import re
from collections import Counter
from functools import cache

import pytest

from clearway.formats import archive, detect, intake
from clearway.records.advisory import Advisory
from clearway.records.vex import VexDocument
from shared import shared

Counts = dict[str, int]

# Of the 40,276 records of vulnrichment, `make test` reads every eighth, and all of the rare kinds.
SAMPLED = 8
RARE = re.compile(rb'SSVCv2\.0|"(?:state":\s*"REJECTED|[Ee]xploitation":\s*"active)"|"type":\s*"kev"')
EVERY = pytest.mark.parametrize("every", [SAMPLED, pytest.param(1, marks=pytest.mark.slow)])


def taken(path: str, every: int = 1) -> tuple[Counts, tuple[intake.Decoded, ...]]:
    """(counts by kind, all that was decoded). The collector does not walk what is kept again and again."""
    gc.disable()
    try:
        return _taken(path, every)
    finally:
        gc.freeze()
        gc.enable()


@cache
def _taken(path: str, every: int) -> tuple[Counts, tuple[intake.Decoded, ...]]:
    counts: Counter[str] = Counter()
    found: list[intake.Decoded] = []
    for number, blob in enumerate(archive.walk([shared(path)])):
        if number % every and isinstance(blob, archive.Blob) and not RARE.search(blob.data):
            continue
        if isinstance(blob, archive.Refused):
            counts["refused"] += 1
            continue
        detection = detect.detect(blob.data, blob.place)
        if not detection.is_record:
            counts[detection.kind] += 1
            continue
        for item in intake.decode(detection.kind, blob.data, blob.place):
            if isinstance(item, intake.Decoded):
                counts[item.kind] += 1
                found.append(item)
            else:
                counts["rejected"] += 1
    return dict(counts), tuple(found)


def advisories(path: str, every: int = 1) -> list[Advisory]:
    return [item for decoded in taken(path, every)[1] for item in decoded.items if isinstance(item, Advisory)]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("osv", {"osv": 23_781}),
        ("kev", {"kev-json": 1_662 + 1_404, "kev-csv": 1_404, "not-a-record": 1}),  # a schema
        # 2,115 and 40 documents; signatures, checksums, feeds and indexes are skipped
        ("csaf", {"csaf": 2_151, "csaf-vex": 4, "not-a-record": 86}),
        ("epss", {"epss-csv": 221_346 + 1_556}),
        # 240 and 59 OpenVEX; 25 CycloneDX with analyses and 14 without; 87 manifests, licences and READMEs
        ("vex", {"openvex": 299, "cyclonedx-vex": 25, "inventory": 14, "not-a-record": 87}),
        ("cpe-overrides", {"nvd-cpe": 29_233}),
        ("other-intake/eef-cna-cve-records.tar.zst", {"cve": 151, "not-a-record": 1}),  # a licence note
    ],
)
def test_every_real_record_lands_and_nothing_real_is_skipped(path: str, expected: Counts) -> None:
    assert taken(path)[0] == expected


@EVERY
def test_every_real_record_of_vulnrichment_lands(every: int) -> None:
    assert taken("vulnrichment", every)[0] == {"cve": 40_276 if every == 1 else 5_289}


@pytest.mark.parametrize(
    ("path", "every"),
    [
        ("osv", 1),
        ("vulnrichment", SAMPLED),
        pytest.param("vulnrichment", 1, marks=pytest.mark.slow),
        ("cpe-overrides", 1),
        ("vex", 1),
    ],
)
def test_no_version_or_id_is_missing_and_ids_are_unique_within_a_source(path: str, every: int) -> None:
    decoded = taken(path, every)[1]
    names = Counter((d.source, d.id) for d in decoded)
    again = sum(count - 1 for count in names.values())
    assert again == (2 if path == "vex" else 0)  # one OpenVEX file lies in three folders of its hub
    undated = [d for d in decoded if not d.version]
    assert {d.source for d in undated} <= {"go-vulndb", "anchore-nvd-overrides"}  # which leave dates out


def test_osv_facts_survive() -> None:
    found = advisories("osv")
    assert sum(a.withdrawn is not None for a in found) == 55
    without_package = [a for a in found if any(not p.ecosystem and not p.name for p in a.affected)]
    assert len({a.id for a in without_package}) >= 175
    assert sum(not a.affected for a in found) == 0
    ranges = [r for a in found for p in a.affected for r in p.ranges]
    kinds = Counter(e.kind for r in ranges for e in r.events)
    assert kinds["last_affected"] >= 154
    assert kinds["limit"] == 0
    drupal = "Packagist:https://packages.drupal.org/8"
    assert sum(p.ecosystem == drupal for a in found for p in a.affected) >= 451
    alma = [a for a in found if a.source == "almalinux"]
    assert len(alma) == 5_106
    assert not any(a.aliases for a in alma)
    assert sum(sum(r.startswith("CVE-") for r in a.related) >= 2 for a in alma) == 2_064  # each CVE once
    assert not {a.source for a in found} - {
        "almalinux", "bitnami", "r-consortium", "rustsec", "drupal", "github", "go-vulndb", "haskell", "eef",
        "oss-fuzz", "pypa", "psf",
    }  # fmt: skip


@EVERY
def test_ssvc_and_exploitation_of_vulnrichment_are_complete(every: int) -> None:
    found = advisories("vulnrichment", every)
    none, poc = (33_012, 6_986) if every == 1 else (4_130, 880)
    decisions = Counter(s.exploitation for a in found for s in a.ssvc)
    # 40,184 of CISA's container in two spellings, and one by a CNA under the type "SSVCv2.0".
    assert decisions == {"none": none, "poc": poc, "active": 187}
    assert sum(bool(s.automatable and s.technical_impact) for a in found for s in a.ssvc) == none + poc + 187
    assert {s.source for a in found for s in a.ssvc} == {"cve:cisa-adp", "cve:cisa-cg"}
    assert sum(len(a.kev) for a in found) == 196
    assert sum(a.rejected for a in found) == 93


@EVERY
def test_no_lower_end_is_stated_that_no_source_states(every: int) -> None:
    """Of every CVE range with "introduced 0", the record's own text must hold a 0, a `*`, "all" or a comparison."""
    stated = re.compile(
        rb'"version":\s*"(?:0|\*|\s*[<]|[^"]*(?:<|[Aa]ll|prior|before|earlier|below|older|lower|previous|through))',
        re.I,
    )
    guilty = []
    for decoded in taken("vulnrichment", every)[1]:
        item = decoded.items[0]
        assert isinstance(item, Advisory)
        for product in item.affected:
            opened = any(
                e.kind == "introduced" and e.version == "0" for r in product.ranges for e in r.events
            )
            if opened and product.default != "affected" and not stated.search(decoded.raw):
                guilty.append(decoded.id)
    assert guilty == []


@EVERY
def test_kernel_records_become_ranges_of_branches(every: int) -> None:
    linux = [
        p
        for a in advisories("vulnrichment", every)
        for p in a.affected
        if p.product == "Linux" and p.default == "affected"
    ]
    assert len(linux) > 2_000 // every
    assert sum(len(p.ranges) == 1 and not p.unread for p in linux) / len(linux) > 0.95


def test_csaf_products_are_read_and_what_is_not_stays_text() -> None:
    products = [p for a in advisories("csaf/cisa-csaf.tar.zst") for p in a.affected]
    unread = sum(bool(p.unread) for p in products)
    silent = sum(not (p.unread or p.ranges or p.versions) for p in products)
    assert len(products) > 30_000
    assert silent == 0
    assert unread / len(products) < 0.05
    assert {a.tlp for a in advisories("csaf")} == {"CLEAR"}
    assert all(len(a.aliases) == 1 for a in advisories("csaf"))


def test_vex_statements_are_complete() -> None:
    documents = [d.item for d in taken("vex")[1] if isinstance(d.item, VexDocument)]
    statements = [s for d in documents if d.format == "openvex" for s in d.statements]
    assert len(statements) == 82_231
    assert sum(bool(p.subcomponents) for s in statements for p in s.products) == 82_269
    assert not any(d.notes for d in taken("vex")[1])


def test_raw_bytes_of_a_catalogue_are_those_of_the_file() -> None:
    (path,) = [b for b in archive.walk([shared("kev/kev.tar.zst")]) if "2026.08.07.json" in b.place]
    assert isinstance(path, archive.Blob)
    at = 0
    for decoded in intake.decode("kev-json", path.data, path.place):
        assert isinstance(decoded, intake.Decoded)
        at = path.data.index(decoded.raw, at) + len(decoded.raw)
