"""What is wrong with a draft is refused with its place, and what can't be known here is named for a person."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearway.findings.case.draft import changes
from clearway.formats import cwe_ids, ecosystem_known
from clearway.formats.report_advisory import Draft, Product, doubts, tidied
from clearway.formats.report_csaf_cwe import NAMES
from clearway.records.ecosystem import OSV_ECOSYSTEMS
from clearway.records.errors import InputError


def draft(*products: dict[str, Any], **more: Any) -> Draft:
    given = products or ({"purl": "pkg:pypi/example", "introduced": "1.0", "fixed": "1.2.4"},)
    made = tuple(Product(**p) for p in given)
    return tidied(Draft(**{"title": "Overflow", "description": "It overflows.", "products": made, **more}))


PYPI = {"ecosystem": "PyPI", "name": "example"}


@pytest.mark.parametrize(
    ("products", "place"),
    [
        (
            ({**PYPI, "introduced": "1.0", "fixed": "1.2.4", "versions": ("1.0", "1.2.4")},),
            "products[0].versions[1]",
        ),
        (
            ({**PYPI, "introduced": "1.0", "fixed": "1.2.4", "versions": ("1.10",)},),
            "products[0].versions[0]",
        ),
        (({"ecosystem": "Nope", "name": "example", "introduced": "0"},), "products[0].ecosystem"),
        (({"ecosystem": "pypi", "name": "example", "introduced": "0"},), "products[0].ecosystem"),
        (({"ecosystem": "Debian:99", "name": "example", "introduced": "0"},), "products[0].ecosystem"),
        (({"ecosystem": "Debian:bookworm", "name": "example", "introduced": "0"},), "products[0].ecosystem"),
        (({"ecosystem": "Ubuntu:22.05", "name": "example", "introduced": "0"},), "products[0].ecosystem"),
        (({"ecosystem": "Alpine:v4.1", "name": "example", "introduced": "0"},), "products[0].ecosystem"),
        (({"ecosystem": "PyPI:3", "name": "example", "introduced": "0"},), "products[0].ecosystem"),
        (({"ecosystem": "Debian:", "name": "example", "introduced": "0"},), "products[0].ecosystem"),
        (({**PYPI, "introduced": "0"}, {**PYPI, "introduced": "0"}), "products[1]"),
        (
            ({**PYPI, "introduced": "0"}, {"purl": "pkg:pypi/Example", "introduced": "0"}),
            "products[1].introduced",
        ),
        (({**PYPI, "versions": ("1",)}, {**PYPI, "versions": ("2",)}), "products[1].versions"),
        (
            (
                {**PYPI, "introduced": "1", "last_affected": "3"},
                {**PYPI, "introduced": "3", "last_affected": "4"},
            ),
            "products[1].introduced",
        ),
        (({**PYPI, "versions": ("1.0", "1.1", "1.0.0")},), "products[0].versions[2]"),
        (
            ({**PYPI, "introduced": "1.0", "fixed": "2"}, {**PYPI, "versions": ("2", "2.1")}),
            "products[1].versions[0]",
        ),
        (
            ({**PYPI, "versions": ("2.1",)}, {**PYPI, "introduced": "0", "fixed": "2"}),
            "products[0].versions[0]",
        ),
        (
            ({**PYPI, "introduced": "1.0", "fixed": "2"}, {**PYPI, "versions": ("1.5",)}),
            "products[1].versions[0]",
        ),
        (
            (
                {**PYPI, "introduced": "0", "fixed": "2"},
                {**PYPI, "introduced": "3", "fixed": "4", "versions": ("2.5",)},
            ),
            "products[1].versions[0]",
        ),
        (
            (
                {**PYPI, "introduced": "1", "fixed": "2", "versions": ("0.9",)},
                {**PYPI, "introduced": "3", "fixed": "4", "versions": ("0.9.0",)},
            ),
            "products[1].versions[0]",
        ),
        (
            (
                {"ecosystem": "Debian:12", "name": "x", "introduced": "0", "fixed": "1.0-2"},
                {"ecosystem": "Debian:12", "name": "x", "versions": ("0:1.0-2",)},
            ),
            "products[1].versions[0]",
        ),
    ],
)
def test_what_is_wrong_is_refused_where_it_stands(products: tuple[dict[str, Any], ...], place: str) -> None:
    with pytest.raises(InputError) as refused:
        draft(*products)
    assert refused.value.where == place
    assert refused.value.mend


@pytest.mark.parametrize("cwe", ["CWE-999999", "CWE-1500", "CWE-16", "CWE-1000", "CWE-4"])
def test_what_is_no_weakness_is_refused(cwe: str) -> None:
    with pytest.raises(InputError, match="weakness"):
        draft(cwe=cwe)


def test_branches_of_one_package_have_a_product_each() -> None:
    made = draft(
        {**PYPI, "introduced": "0", "fixed": "1.2.4"},
        {**PYPI, "introduced": "2.0", "fixed": "2.0.3", "versions": ("2.0.1",)},
        {"ecosystem": "Debian:12", "name": "example", "introduced": "0", "fixed": "1.2.4-1"},
        {"ecosystem": "Debian:11", "name": "example", "introduced": "0", "fixed": "1.2.4-1"},
    )
    assert len(made.products) == 4
    assert doubts(made) == {}


@pytest.mark.parametrize(
    "ecosystem",
    ["Debian:12", "Debian", "Ubuntu:22.04", "Ubuntu:22.04:LTS", "Ubuntu:Pro:18.04:LTS",
     "Ubuntu:Pro:FIPS-preview:22.04:LTS", "Ubuntu:Pro:Realtime:24.04:LTS", "Alpine:v3.18", "AlmaLinux:8",
     "Packagist:https://packages.drupal.org/8", "Maven:https://repo.example.org/maven2", "Root:Debian:12", "Wolfi"],
)  # fmt: skip
def test_what_is_known_is_taken_without_a_question(ecosystem: str) -> None:
    assert (ecosystem_known.wrong(ecosystem), ecosystem_known.doubt(ecosystem)) == ("", "")


@pytest.mark.parametrize(
    "ecosystem",
    [
        "Debian:15",
        "Ubuntu:26.04",
        "Ubuntu:Pro:Nvidia-bluefield:22.04:LTS",
        "Alpine:v3.24",
        "openEuler:24.03-LTS",
        "Red Hat:rhel_eus:8.4::baseos",
        "Mageia:10",
    ],
)
def test_what_can_not_be_known_is_named(ecosystem: str) -> None:
    name = ecosystem.partition(":")[0]
    found = doubts(draft({"ecosystem": ecosystem, "name": "example", "introduced": "0"}))
    assert name in found["products[0].ecosystem"]


def test_a_list_before_and_between_the_ranges_of_others_stands() -> None:
    made = draft(
        {**PYPI, "introduced": "1.0", "fixed": "2"},
        {**PYPI, "introduced": "3", "last_affected": "3.5", "versions": ("0.9", "3.1")},
        {**PYPI, "versions": ("0.5", "3.6")},
    )
    assert len(made.products) == 3


NUMBERS = st.lists(st.integers(0, 12), min_size=1, max_size=4, unique=True)


@given(starts=st.lists(st.integers(0, 12), max_size=3, unique=True), lengths=st.data(), listed=NUMBERS)
def test_no_list_that_is_kept_names_a_version_that_the_ranges_call_fixed_or_have(
    starts: list[int], lengths: st.DataObject, listed: list[int]
) -> None:
    ranges = [(start, start + lengths.draw(st.integers(1, 5))) for start in starts]
    products = [{**PYPI, "introduced": str(a), "fixed": str(b)} for a, b in ranges]
    try:
        draft(*products, {**PYPI, "versions": tuple(map(str, listed))})
    except InputError:
        return
    for version in listed:
        before = [a for a, _ in ranges if a <= version]
        assert not before, f"{version} is in a range, or behind its fix"


def test_every_ecosystem_of_the_schema_is_one() -> None:
    assert [e for e in OSV_ECOSYSTEMS if ecosystem_known.wrong(e)] == []


def test_a_near_name_is_suggested() -> None:
    assert "PyPI" in ecosystem_known.wrong("pypi")
    assert "crates.io" in ecosystem_known.wrong("crates")


def test_every_weakness_that_has_a_name_here_is_known_or_newer() -> None:
    assert [c for c in NAMES if cwe_ids.known(int(c[4:])) == "none"] == []
    assert doubts(draft(cwe="CWE-1430")) != {}
    assert doubts(draft(cwe="CWE-787")) == {}


def test_which_fields_two_drafts_differ_in_is_told_product_by_product() -> None:
    one = draft({**PYPI, "introduced": "0"}, {"ecosystem": "npm", "name": "example", "introduced": "0"})
    other = draft(
        {**PYPI, "introduced": "0"},
        {"ecosystem": "npm", "name": "example", "introduced": "1.0.0"},
        cwe="CWE-79",
    )
    assert changes(one, other) == ("products[1]", "cwe")
    assert changes(one, one) == ()
