"""Whether a flaw that fires in a release has come back, as its record says it, in its ecosystem's own order."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import to_builtins

from clearway.advisories.table_claims import Claim
from clearway.findings.dedup.returned import MOST_BYTES, Bounds, kept, of_claims, of_products, standing
from clearway.formats.report_advisory import Product

TWO = (Bounds(introduced="0", fixed="1.2.4"), Bounds(introduced="2.0", fixed="2.0.3"))


@pytest.mark.parametrize(
    ("release", "stands"),
    [("1.2.3", "affected"), ("1.2.4", "returns"), ("1.5", "returns"), ("2.0", "affected"), ("2.0.3", "returns"),
     ("1.2.4rc1", "affected"), ("", "unknown"), ("no version", "unknown")],
)  # fmt: skip
def test_by_events_it_has_come_back_past_the_fix_of_its_branch(release: str, stands: str) -> None:
    assert standing("PyPI", release, TWO) == stands


@pytest.mark.parametrize(
    ("release", "stands"),
    [("1.10", "returns"), ("1.2", "affected"), ("1.2.0", "affected"), ("0.9", "before"), ("1.3", "unknown")],
)
def test_by_a_list_it_has_come_back_when_it_is_newer_than_all_of_it(release: str, stands: str) -> None:
    assert standing("PyPI", release, (Bounds(versions=("1.0", "1.2", "1.9")),)) == stands


def test_past_the_last_affected_version_it_has_come_back() -> None:
    said = (Bounds(introduced="1.0", last_affected="1.9"),)
    assert [standing("PyPI", v, said) for v in ("0.9", "1.9", "1.10")] == ["before", "affected", "returns"]


def test_debians_own_order_tells_and_another_release_of_the_system_says_nothing() -> None:
    said = (
        Bounds(ecosystem="Debian:12", introduced="0", fixed="1.2.3-1+deb12u1"),
        Bounds(ecosystem="Debian:11", introduced="0", fixed="1.1-2"),
    )
    assert standing("Debian:12", "1.2.3-1+deb12u2", said) == "returns"
    assert standing("Debian:12", "1.2.3-1~bpo12", said) == "affected"
    assert standing("Debian:13", "1.2.3-1+deb12u2", said) == "unknown"
    assert standing("Debian", "1.2.3-1+deb12u2", said) == "returns", "both say so"
    assert standing("Debian", "1.2-1", said) == "unknown", "they do not agree"
    assert (
        standing("Debian:12", "2-1", (Bounds(ecosystem="Debian", introduced="0", fixed="1.9-1"),))
        == "returns"
    )


def test_an_alpine_release_is_one_however_it_is_spelled() -> None:
    said = (Bounds(ecosystem="Alpine:v3.18", introduced="0", fixed="1.2-r1"),)
    assert standing("Alpine:3.18", "1.2-r2", said) == "returns"


def test_the_products_of_a_draft_that_are_of_the_package_count_alone() -> None:
    products = (
        Product(ecosystem="Debian", name="curl", introduced="0", fixed="2"),
        Product(ecosystem="Debian:12", name="curl", versions=("1",)),
        Product(ecosystem="PyPI", name="curl", introduced="0"),
        Product(ecosystem="Debian:12", name="other", introduced="0"),
    )
    assert of_products(products, "Debian:12", "curl") == (
        Bounds(ecosystem="Debian", introduced="0", fixed="2"),
        Bounds(ecosystem="Debian:12", versions=("1",)),
    )
    assert of_products((Product(ecosystem="PyPI", name="A.b", introduced="0"),), "PyPI", "a-b")


versions = st.integers(0, 30).map(lambda n: f"1.{n}")


@given(versions, st.lists(versions, min_size=1, max_size=6))
def test_what_is_listed_never_returns_and_what_returns_is_newer_than_all(
    release: str, listed: list[str]
) -> None:
    stands = standing("PyPI", release, (Bounds(versions=tuple(listed)),))
    newest = max(int(v[2:]) for v in listed)
    assert (stands == "affected") == (release in listed)
    assert (stands == "returns") == (int(release[2:]) > newest)


MANY = tuple(Bounds(introduced=f"0.{n}.0", fixed=f"0.{n}.1") for n in range(60))


def test_a_release_in_the_last_of_many_ranges_is_affected_and_has_not_come_back() -> None:
    assert standing("crates.io", "0.59.0", kept(MANY)) == "affected"
    products = tuple(
        Product(ecosystem="PyPI", name="a", introduced=b.introduced, fixed=b.fixed) for b in MANY
    )
    assert standing("PyPI", "0.59.0", of_products(products, "PyPI", "a")) == "affected"


def test_the_last_of_many_listed_versions_is_affected() -> None:
    claim = claim_of(listed=tuple((b"", f"1.{n}") for n in range(843)))
    assert standing("PyPI", "1.842", of_claims([claim], "PyPI")) == "affected"


def test_the_last_of_many_ranges_of_a_claim_is_kept() -> None:
    claim = claim_of(intervals=tuple((b"", b"", b.introduced, b.fixed, "fixed") for b in MANY))
    assert standing("PyPI", "0.59.0", of_claims([claim], "PyPI")) == "affected"


def claim_of(**said: Any) -> Claim:
    values = {"status": "affected", "intervals": (), "listed": (), **said}
    return cast("Claim", SimpleNamespace(**values))


def test_where_a_record_says_more_than_is_kept_nothing_is_called_a_return() -> None:
    wide = tuple(Bounds(versions=tuple(f"1.{n}.{m}" for m in range(2_000))) for n in range(100))
    cut = kept(wide)
    assert cut[-1] == Bounds(more=True)
    assert len(json.dumps([to_builtins(b) for b in cut])) <= MOST_BYTES
    assert kept(cut) == cut, "said again, it is the same"
    assert standing("PyPI", "1.0.7", cut) == "affected"
    assert standing("PyPI", "1.99.7", cut) == "unknown"
    assert standing("PyPI", "2.0", cut) == "unknown"


@given(st.lists(st.builds(Bounds, introduced=versions, fixed=versions, versions=st.tuples(versions))))
def test_what_fits_is_kept_whole(bounds: list[Bounds]) -> None:
    assert kept(bounds) == tuple(dict.fromkeys(bounds))
