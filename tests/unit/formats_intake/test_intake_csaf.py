"""CSAF 2.0 and 2.1: products with their ranges and statuses, one advisory a vulnerability, VEX statements."""

from __future__ import annotations

import json
from typing import Any

import pytest

from clearway.formats import intake
from clearway.records.advisory import Advisory
from clearway.records.errors import InputError
from clearway.records.vex import VexDocument

V = dict[str, Any]


def leaf(category: str, name: str, product_id: str, **helper: Any) -> V:
    product: V = {"product_id": product_id, "name": f"full {product_id}"}
    if helper:
        product["product_identification_helper"] = helper
    return {"category": category, "name": name, "product": product}


def tree(*leaves: V) -> V:
    inner = {"category": "product_name", "name": "Widget", "branches": list(leaves)}
    return {"branches": [{"category": "vendor", "name": "Acme", "branches": [inner]}]}


def record(vulnerabilities: list[V], product_tree: V, **document: Any) -> V:
    return {
        "document": {
            "category": "csaf_security_advisory",
            "csaf_version": "2.0",
            "title": "T",
            "publisher": {"name": "ACME", "namespace": "https://www.acme.org/psirt", "category": "vendor"},
            "tracking": {"id": "ACME-1", "current_release_date": "2024-05-01T00:00:00Z", "version": "3"},
            **document,
        },
        "product_tree": product_tree,
        "vulnerabilities": vulnerabilities,
    }


def decode(value: V, kind: str = "csaf") -> intake.Decoded:
    (decoded,) = intake.decode(kind, json.dumps(value).encode(), "x.json")
    assert isinstance(decoded, intake.Decoded)
    return decoded


def first(value: V) -> Advisory:
    item = decode(value).items[0]
    assert isinstance(item, Advisory)
    return item


def test_branches_become_products_with_ranges_versions_and_remediation() -> None:
    item = first(
        record(
            [
                {
                    "cve": "CVE-2024-1",
                    "product_status": {"known_affected": ["1", "2", "3"], "fixed": ["4"]},
                    "remediations": [
                        {"category": "mitigation", "product_ids": ["1", "2", "3"]},
                        {"category": "vendor_fix", "product_ids": ["1", "2", "3"]},
                    ],
                }
            ],
            tree(
                leaf("product_version_range", "<V2.0", "1"),
                leaf("product_version_range", "vers:all/>=3.0|<3.4", "2"),
                leaf("product_version", "1.7.2", "3", cpe="cpe:2.3:a:acme:widget:1.7.2:*:*:*:*:*:*:*"),
                leaf("product_version", "3.4", "4", purl="pkg:generic/widget@3.4"),
            ),
        )
    )
    affected, fixed = item.affected
    assert (affected.vendor, affected.product, affected.status) == ("Acme", "Widget", "affected")
    assert affected.remediation == "vendor_fix"
    assert [" ".join(f"{e.kind} {e.version}" for e in r.events) for r in affected.ranges] == [
        "introduced 0 fixed V2.0",
        "introduced 3.0 fixed 3.4",
    ]
    assert affected.versions == ("1.7.2",)
    assert affected.cpes == ("cpe:2.3:a:acme:widget:1.7.2:*:*:*:*:*:*:*",)
    assert (fixed.status, fixed.versions, fixed.purl) == ("fixed", ("3.4",), "pkg:generic/widget@3.4")


def test_a_document_of_several_flaws_does_not_melt_them() -> None:
    status = {"product_status": {"known_affected": ["1"]}}
    decoded = decode(
        record(
            [{"cve": "CVE-2024-1", **status}, {"cve": "CVE-2024-2", **status}, status],
            tree(leaf("product_version", "1", "1")),
        )
    )
    items = [item for item in decoded.items if isinstance(item, Advisory)]
    assert decoded.id == "ACME-1"
    assert [(i.id, i.aliases, i.related) for i in items] == [
        ("ACME-1#CVE-2024-1", ("CVE-2024-1",), ("ACME-1",)),
        ("ACME-1#CVE-2024-2", ("CVE-2024-2",), ("ACME-1",)),
        ("ACME-1#3", (), ("ACME-1",)),
    ]


def test_every_product_status_is_kept() -> None:
    names = ["known_affected", "known_not_affected", "fixed", "first_fixed", "last_affected", "first_affected",
             "under_investigation", "recommended"]  # fmt: skip
    item = first(
        record(
            [{"product_status": {name: [str(at)] for at, name in enumerate(names)}}],
            tree(*(leaf("product_version", f"{at}.0", str(at)) for at in range(len(names)))),
        )
    )
    assert {(a.status, v) for a in item.affected for v in a.versions} == {
        ("affected", "0.0"), ("not_affected", "1.0"), ("fixed", "2.0"), ("fixed", "3.0"), ("affected", "4.0"),
        ("affected", "5.0"), ("under_investigation", "6.0"),
    }  # fmt: skip


def test_a_product_installed_on_another_keeps_its_versions_and_the_condition() -> None:
    product_tree = tree(leaf("product_version_range", "<2", "app"), leaf("product_version", "11", "os"))
    product_tree["relationships"] = [
        {
            "category": "installed_on",
            "product_reference": "app",
            "relates_to_product_reference": "os",
            "full_product_name": {"product_id": "both", "name": "app on os"},
        }
    ]
    (affected,) = first(record([{"product_status": {"known_affected": ["both"]}}], product_tree)).affected
    assert affected.product == "Widget"
    assert affected.ranges[0].events[1].version == "2"
    assert affected.conditions == ("installed on full os",)


def test_csaf_21_product_paths_scores_and_purl_lists_are_read() -> None:
    product_tree = tree(
        leaf("product_version", "1", "app", purls=["pkg:npm/a@1", "pkg:npm/b@1"]),
        leaf("product_version", "11", "os"),
    )
    product_tree["product_paths"] = [
        {
            "beginning_product_reference": "app",
            "full_product_name": {"product_id": "path", "name": "n"},
            "subpaths": [{"category": "installed_on", "next_product_reference": "os"}],
        }
    ]
    item = first(
        record(
            [
                {
                    "product_status": {"known_affected": ["path"]},
                    "metrics": [
                        {
                            "products": ["path"],
                            "content": {"cvss_v4": {"vectorString": "CVSS:4.0/AV:N", "baseScore": 8.1}},
                        }
                    ],
                }
            ],
            product_tree,
            csaf_version="2.1",
        )
    )
    assert item.affected[0].purl == "pkg:npm/a@1"
    assert item.affected[0].conditions == ("installed on full os",)
    assert (item.scores[0].system, item.scores[0].score) == ("CVSS_V4", 8.1)


def test_version_text_without_certain_reading_is_kept_unread() -> None:
    item = first(
        record(
            [{"product_status": {"known_affected": ["1"]}}],
            tree(leaf("product_version_range", "All versions with Fortinet NGFW", "1")),
        )
    )
    assert item.affected[0].unread == ("All versions with Fortinet NGFW",)
    assert item.affected[0].ranges == ()


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("WHITE", "CLEAR"),
        ("CLEAR", "CLEAR"),
        ("GREEN", "GREEN"),
        ("amber", "AMBER"),
        ("AMBER+STRICT", "AMBER+STRICT"),
        ("RED", "RED"),
    ],
)
def test_tlp_1_and_2_read_as_tlp_2(label: str, expected: str) -> None:
    assert first(record([], {}, distribution={"tlp": {"label": label}})).tlp == expected


def test_a_marking_that_cannot_be_read_is_not_taken_for_clear() -> None:
    with pytest.raises(InputError, match="TLP"):
        decode(record([], {}, distribution={"tlp": {"label": "SECRET"}}))


def test_the_source_is_the_publishers_host() -> None:
    assert decode(record([], {})).source == "csaf:acme.org"
    assert decode(record([], {}, publisher={"name": "Some PSIRT"})).source == "csaf:some-psirt"


def test_groups_resolve_in_remediations() -> None:
    product_tree = tree(leaf("product_version", "1", "1"), leaf("product_version", "2", "2"))
    product_tree["product_groups"] = [{"group_id": "g", "product_ids": ["1", "2"]}]
    item = first(
        record(
            [
                {
                    "product_status": {"known_affected": ["1", "2"]},
                    "remediations": [{"category": "none_available", "group_ids": ["g"]}],
                }
            ],
            product_tree,
        )
    )
    assert [(a.remediation, a.versions) for a in item.affected] == [("none_available", ("1", "2"))]


def test_the_vex_profile_gives_statements_too() -> None:
    value = record(
        [
            {
                "cve": "CVE-2024-1",
                "product_status": {"known_not_affected": ["1"], "known_affected": ["2"]},
                "flags": [{"label": "vulnerable_code_not_present", "product_ids": ["1"]}],
                "threats": [{"category": "impact", "details": "Not reachable.", "product_ids": ["1"]}],
                "remediations": [{"category": "vendor_fix", "details": "Update.", "product_ids": ["2"]}],
            }
        ],
        tree(
            leaf("product_version", "1", "1", purl="pkg:npm/w@1"),
            leaf("product_version_range", "vers:npm/<2", "2"),
        ),
        category="csaf_vex",
    )
    vex = decode(value, "csaf-vex").items[-1]
    assert isinstance(vex, VexDocument)
    by_status = {s.status: s for s in vex.statements}
    clean, hit = by_status["not_affected"], by_status["affected"]
    assert (clean.flaws, clean.products[0].identifiers) == (("CVE-2024-1",), ("pkg:npm/w@1",))
    assert (clean.justification, clean.impact) == ("vulnerable_code_not_present", "Not reachable.")
    assert (hit.action, hit.products[0].version_range) == ("Update.", "vers:npm/<2")


def test_a_tree_deeper_than_any_real_one_is_refused() -> None:
    branch: V = leaf("product_version", "1", "1")
    for _ in range(60):
        branch = {"category": "product_family", "name": "f", "branches": [branch]}
    assert first(record([{"product_status": {"known_affected": ["1"]}}], {"branches": [branch]})).affected
    for _ in range(60):
        branch = {"category": "product_family", "name": "f", "branches": [branch]}
    with pytest.raises(InputError, match="deeper than"):
        decode(record([], {"branches": [branch]}))


@pytest.mark.parametrize(
    ("involvements", "disputes"),
    [
        ([{"party": "vendor", "status": "disputed", "summary": "Acme"}], (("Acme", ""),)),
        (
            [{"party": "vendor", "status": "disputed"}, {"party": "other", "status": "open"}],
            (("vendor", ""),),
        ),
        (["text", {"status": "completed"}], ()),
        ("disputed", ()),
        (None, ()),
    ],
)
def test_who_disputes_is_read_from_involvements(
    involvements: Any, disputes: tuple[tuple[str, str], ...]
) -> None:
    found = decode(record([{"cve": "CVE-2024-1", "involvements": involvements}], tree()))
    (advisory,) = found.item if isinstance(found.item, tuple) else (found.item,)
    assert isinstance(advisory, Advisory)
    assert advisory.disputes == disputes
