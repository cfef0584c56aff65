"""KEV, EPSS and NVD pages: entry by entry, with exact bytes; a bad entry is rejected and the rest lands."""

from __future__ import annotations

import json
from datetime import date

import pytest

from clearway.formats import intake
from clearway.formats.intake import Decoded, Rejected
from clearway.records.advisory import Advisory, Epss, Kev
from clearway.records.errors import InputError

ENTRY = (
    b'{"cveID": "CVE-2024-1000",  "vendorProject":"Acme", "product":"W", "vulnerabilityName":"n","dateAdded":'
    b'"2024-05-01", "dueDate":"2024-05-22", "knownRansomwareCampaignUse":"Known", "cwes":["CWE-79"]}'
)


def kev_json(
    *entries: bytes, version: str = "2026.08.07", released: str = "2026-08-07T16:45:47.0648Z"
) -> bytes:
    head = json.dumps({"catalogVersion": version, "dateReleased": released})[:-1].encode()
    return head + b', "vulnerabilities": [' + b", ".join(entries) + b"]}"


def split(kind: str, data: bytes, place: str = "kev.json") -> tuple[list[Decoded], list[Rejected]]:
    found = list(intake.decode(kind, data, place))
    return [x for x in found if isinstance(x, Decoded)], [x for x in found if isinstance(x, Rejected)]


def test_an_entry_of_the_json_catalogue_keeps_its_exact_bytes() -> None:
    (entry,), _ = split("kev-json", kev_json(ENTRY))
    assert entry.raw == ENTRY
    assert (entry.source, entry.id, entry.version) == (
        "cisa-kev",
        "CVE-2024-1000",
        "2026.08.07T2026-08-07T16:45:47.064800Z",
    )
    assert isinstance(entry.item, Kev)
    assert (entry.item.date_added, entry.item.due_date) == (date(2024, 5, 1), date(2024, 5, 22))
    assert (entry.item.ransomware, entry.item.cwes, entry.item.catalogue) == (
        "Known",
        ("CWE-79",),
        "2026.08.07",
    )


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        (b'{"cveID": "CVE-1", "dateAdded": "2024-05-01"}', "`cveID`"),
        (b'{"cveID": "CVE-2024-1001", "dateAdded": "soon"}', "`dateAdded` is no date"),
        (b'{"cveID": "CVE-2024-1001", "dateAdded": "2024-05-01", "cwes": "CWE-1"}', "`cwes` is not a list"),
        (b"17", "`entry` is not an object"),
    ],
)
def test_a_bad_entry_is_rejected_with_its_place_and_the_rest_lands(entry: bytes, reason: str) -> None:
    good, bad = split("kev-json", kev_json(entry, ENTRY))
    assert [d.id for d in good] == ["CVE-2024-1000"]
    assert bad[0].place == "kev.json:vulnerabilities[0]"
    assert reason in bad[0].reason


CSV = (
    b"cveID,vendorProject,product,vulnerabilityName,dateAdded,shortDescription,requiredAction,dueDate,"
    b"knownRansomwareCampaignUse,notes,cwes\r\n"
    b'CVE-2024-1000,Acme,W,"n, ""quoted""",2024-05-01,"two\nlines",a,2024-05-22,Unknown,,"CWE-79,CWE-80"\r\n'
    b"CVE-2024-1001,short\r\n"
    b"CVE-2024-1002,Acme,W,n,2024-06-01,d\xff,a,2024-06-22,Unknown,,\r\n"
    b"CVE-2024-1003,Acme,W,n,2024-06-03,d,a,,Unknown,,\r\n"
)


def test_the_csv_catalogue_reads_like_the_json_one() -> None:
    good, bad = split("kev-csv", CSV, "kev-2025.08.25.csv")
    assert [(d.id, d.version) for d in good] == [
        ("CVE-2024-1000", "2025.08.25"),
        ("CVE-2024-1003", "2025.08.25"),
    ]
    kev = good[0].item
    assert isinstance(kev, Kev)
    assert (kev.name, kev.cwes) == ('n, "quoted"', ("CWE-79", "CWE-80"))
    assert good[0].raw.startswith(b"CVE-2024-1000,")
    assert good[0].raw.endswith(b'"CWE-79,CWE-80"')
    assert [(r.place, r.reason) for r in bad] == [
        ("kev-2025.08.25.csv:line 4", "2 cells, the header has 11"),
        ("kev-2025.08.25.csv:line 5", "invalid UTF-8"),
    ]


def test_a_csv_without_a_date_in_its_name_is_as_new_as_its_newest_entry() -> None:
    good, _ = split("kev-csv", CSV, "kev.csv")
    assert {d.version for d in good} == {"2024.06.03"}


def test_of_two_catalogues_the_newer_sorts_after_the_older_in_either_format() -> None:
    older, _ = split("kev-csv", CSV, "kev-2025.08.25.csv")
    newer, _ = split("kev-json", kev_json(ENTRY))
    padded, _ = split("kev-json", kev_json(ENTRY, version="2026.8.6", released="2026-08-06T00:00:00Z"))
    assert older[0].version < padded[0].version < newer[0].version


def test_a_catalogue_that_is_none_is_refused_as_a_whole() -> None:
    for data in (
        b'{"catalogVersion": "1", "vulnerabilities": {}}',
        b"[]",
        b'{"catalogVersion": "1", "vulnera',
    ):
        with pytest.raises(InputError) as caught:
            split("kev-json", data)
        assert caught.value.where == "kev.json"
    with pytest.raises(InputError, match="header"):
        split("kev-csv", b"a,b\n1,2\n")


def test_epss_rows_carry_the_date_of_the_header_comment_and_their_line() -> None:
    data = b"#model_version:v2023.03.01,score_date:2024-01-13T00:00:00+0000\ncve,epss,percentile\n"
    data += b"CVE-1999-0001,0.01167,0.83393\n"
    (row,), _ = split("epss-csv", data, "epss.csv")
    assert (row.raw, row.version, row.place) == (b"CVE-1999-0001,0.01167,0.83393", "2024-01-13", "epss.csv:3")
    assert row.item == Epss(
        cve="CVE-1999-0001", probability=0.01167, percentile=0.83393, dated="2024-01-13", model="v2023.03.01"
    )


def test_epss_without_comment_is_dated_by_its_name_or_not_at_all() -> None:
    data = b"cve,epss\r\nCVE-2025-62593,0.5\r\n"
    (row,), _ = split("epss-csv", data, "epss_kev_only-2026-08-22.csv")
    assert row.version == "2026-08-22"
    assert row.item == Epss(cve="CVE-2025-62593", probability=0.5, dated="2026-08-22")
    (row,), _ = split("epss-csv", data, "scores.csv")
    assert row.version == ""


def test_bad_epss_rows_are_rejected_with_their_line() -> None:
    data = b"cve,epss,percentile\nCVE-1,0.1,0.1\nCVE-2024-1000,nan,0.1\nCVE-2024-1000,1.5,0.1\n"
    data += b"CVE-2024-1000,x,0.1\nCVE-2024-1000,0.1\nCVE-2024-1001,0.1,0.2\n"
    good, bad = split("epss-csv", data, "e.csv")
    assert [d.id for d in good] == ["CVE-2024-1001"]
    assert [r.place for r in bad] == ["e.csv:2", "e.csv:3", "e.csv:4", "e.csv:5", "e.csv:6"]


CPE = "cpe:2.3:{}:acme:{}:{}:*:*:*:*:{}:*:*"


def nvd(*nodes: dict[str, object], **configuration: object) -> Advisory:
    record = {
        "_annotation": {
            "cve_id": "CVE-2024-1000",
            "modified": "2024-01-01T00:00:00",
            "published": "2024-01-01T00:00:00",
        },
        "cve": {"configurations": [{"nodes": list(nodes), **configuration}]},
    }
    (decoded,), _ = split("nvd-cpe", json.dumps(record).encode())
    assert isinstance(decoded.item, Advisory)
    return decoded.item


def node(*matches: dict[str, object], operator: str = "OR", negate: bool = False) -> dict[str, object]:
    return {"operator": operator, "negate": negate, "cpeMatch": list(matches)}


def test_cpe_matches_of_one_product_become_its_ranges() -> None:
    star = CPE.format("a", "widget", "*", "node.js")
    item = nvd(
        node(
            {
                "criteria": star,
                "vulnerable": True,
                "versionStartIncluding": "1.0",
                "versionEndExcluding": "1.4",
            },
            {"criteria": star, "vulnerable": True, "versionEndIncluding": "0.9"},
            {"criteria": CPE.format("a", "widget", "2.0", "*"), "vulnerable": True},
            {"criteria": CPE.format("a", "other\\:x", "*", "*"), "vulnerable": True},
        )
    )
    widget, other = item.affected
    assert (widget.vendor, widget.product, widget.platforms) == ("acme", "widget", ("node.js",))
    assert [" ".join(f"{e.kind} {e.version}" for e in r.events) for r in widget.ranges] == [
        "introduced 1.0 fixed 1.4",
        "introduced 0 last_affected 0.9",
    ]
    assert {r.type for r in widget.ranges} == {"CPE"}
    assert widget.versions == ("2.0",)
    assert (other.product, [e.version for e in other.ranges[0].events]) == ("other:x", ["0"])


def test_a_platform_to_run_on_is_a_condition_and_no_product() -> None:
    item = nvd(
        node(
            {"criteria": CPE.format("a", "widget", "*", "*"), "vulnerable": True, "versionEndExcluding": "2"}
        ),
        node({"criteria": CPE.format("o", "system", "-", "*"), "vulnerable": False}),
        operator="AND",
    )
    assert [a.product for a in item.affected] == ["widget"]
    assert item.affected[0].conditions == (f"running on {CPE.format('o', 'system', '-', '*')}",)


def test_a_negated_node_is_a_condition_and_never_a_product() -> None:
    item = nvd(
        node({"criteria": CPE.format("a", "widget", "*", "*"), "vulnerable": True}),
        node({"criteria": CPE.format("a", "patch", "*", "*"), "vulnerable": True}, negate=True),
        operator="AND",
    )
    assert [a.product for a in item.affected] == ["widget"]
    assert item.affected[0].conditions[0].startswith("running on not cpe:2.3:a:acme:patch")


def test_the_placeholder_null_is_no_product() -> None:
    assert nvd(node({"criteria": "cpe:2.3:a:null:null:*:*:*:*:*:*:*:*", "vulnerable": False})).affected == ()


def test_a_page_of_the_nvd_api_gives_its_items_with_scores_ssvc_and_exploitation() -> None:
    good = {
        "id": "CVE-2024-1000",
        "lastModified": "2024-02-01T00:00:00.000",
        "cisaExploitAdd": "2024-03-01",
        "metrics": {
            "cvssMetricV31": [
                {"source": "nvd@nist.gov", "cvssData": {"vectorString": "CVSS:3.1/AV:N", "baseScore": 7.5}}
            ],
            "ssvcV203": [
                {
                    "source": "x",
                    "ssvcData": {"options": [{"exploitation": "active"}, {"technicalImpact": "total"}]},
                }
            ],
        },
    }
    page = {"format": "NVD_CVE", "vulnerabilities": [{"cve": good}, {"cve": {"id": 5}}]}
    found, bad = split("nvd-cpe", json.dumps(page).encode(), "page.json")
    item = found[0].item
    assert isinstance(item, Advisory)
    assert (item.source, item.scores[0].score) == ("nvd", 7.5)
    assert (item.ssvc[0].exploitation, item.ssvc[0].technical_impact) == ("active", "total")
    assert item.kev[0].date_added == date(2024, 3, 1)
    assert json.loads(found[0].raw) == {"cve": good}
    assert [r.place for r in bad] == ["page.json:vulnerabilities[1]"]
