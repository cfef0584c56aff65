"""Every published version vector passes, or is listed with the reason why it is wrong."""

from __future__ import annotations

import itertools
from collections import Counter
from functools import cmp_to_key

import pytest
from vectors import SCALIBR_SCHEMES, VERS_SCHEMES, cases, known_faults, relation, scalibr

from clearway import versions
from shared import shared

SCALIBR = "conformance/osv-scalibr-version-ordering.tar.zst"
VERS = "conformance/vers-spec-tests.tar.zst"
UNIVERS = "conformance/univers-test-vectors.tar.zst"


def test_every_osv_scalibr_ordering_holds_or_is_a_listed_fault(capsys: pytest.CaptureFixture[str]) -> None:
    faults, counted, unlisted, healed = known_faults(), Counter[str](), [], []
    for file, scheme, a, said, b in scalibr(shared(SCALIBR)):
        counted[scheme] += 1
        got = relation(scheme, a, b)
        listed = (scheme, f"{a} {said} {b}") in faults
        if got != said and not listed:
            unlisted.append(f"{file}: {a} {said} {b}, got {got}")
        if got == said and listed:
            healed.append(f"{file}: {a} {said} {b}")
    with capsys.disabled():
        total = sum(counted.values())
        print(f"\n{total} orderings in {len(counted)} schemes, {len(faults)} listed faults")
    assert not unlisted
    assert not healed, "passes now: take it from known_vector_faults.toml"
    assert counted.total() >= 71_040
    assert set(counted) == set(SCALIBR_SCHEMES.values())


def test_every_vers_and_univers_version_comparison_holds_or_is_a_listed_fault(
    capsys: pytest.CaptureFixture[str],
) -> None:
    faults, wrong, count = known_faults(), [], 0
    for archive in (VERS, UNIVERS):
        for file, case in cases(shared(archive), "comparison", "equality"):
            count += 1
            scheme = VERS_SCHEMES[case["input"]["input_scheme"]]
            texts, expected = case["input"]["versions"], case["expected_output"]
            if case["test_type"] == "equality":
                said = "=" if expected else "!="
                got = relation(scheme, *texts)
                if (got == "=") != expected:
                    wrong.append(f"{file}: {said.join(texts)}, got {got}")
                continue
            # The output may spell a version as its type writes it ("1.0.0-beta"), so positions are compared.
            for (a, b), (x, y) in zip(
                itertools.pairwise(_sorted(scheme, texts)), itertools.pairwise(expected), strict=True
            ):
                got = relation(scheme, a, b), relation(scheme, a, x), relation(scheme, b, y)
                if got[1:] != ("=", "=") and (scheme, f"{x} < {y}") not in faults:
                    wrong.append(f"{file}: {x} < {y}, got {a} < {b}")
    with capsys.disabled():
        print(f"\n{count} VERS and univers comparisons")
    assert not wrong
    assert count >= 2_300


def test_further_pairs_along_each_chain_of_orderings_hold(capsys: pytest.CaptureFixture[str]) -> None:
    """`a < b` and `b < c` stand in neighbouring lines: then `a < c` must hold too, up to eight lines on."""
    faults = known_faults()
    chain: list[str] = []
    last = ("", "")
    checked, wrong = 0, []
    for file, scheme, a, said, b in scalibr(shared(SCALIBR)):
        if said != "<" or last != (file, a) or (scheme, f"{a} < {b}") in faults:
            chain = [a] if said == "<" and (scheme, f"{a} < {b}") not in faults else []
        for earlier in chain[-8:]:
            checked += 1
            if relation(scheme, earlier, b) != "<":
                wrong.append(f"{file}: {earlier} < … < {b}")
        chain.append(b)
        last = (file, b)
    with capsys.disabled():
        print(f"\n{checked} pairs along chains")
    assert not wrong
    assert checked > 400_000


def test_no_listed_fault_is_without_a_reason() -> None:
    assert all(reason.strip() for reason in known_faults().values())
    assert len(known_faults()) <= 41


def _sorted(scheme: str, texts: list[str]) -> list[str]:
    return sorted(texts, key=cmp_to_key(lambda a, b: versions.compare(scheme, a, b)))
