"""Ranges as npm, Composer, Conan, Go, PyPI, RubyGems, NuGet, nginx and OpenSSL write them, as `vers:` ranges."""

from __future__ import annotations

import tomllib
from collections import Counter
from pathlib import Path

import pytest
from vectors import cases

from clearway.records.errors import ClearwayError
from clearway.versions import native, vers
from shared import shared

FAULTS = Path(__file__).resolve().parent.parent / "known_native_range_faults.toml"


def held(found: vers.Vers) -> list[tuple[bytes, bytes]]:
    """What a range holds: its intervals, merged."""
    out: list[tuple[bytes, bytes]] = []
    for interval in sorted(vers.intervals(found), key=lambda one: one.lo):
        if out and interval.lo <= out[-1][1]:
            out[-1] = (out[-1][0], max(out[-1][1], interval.hi))
        else:
            out.append((interval.lo, interval.hi))
    return out


def test_every_native_range_holds_the_versions_that_its_case_expects(
    capsys: pytest.CaptureFixture[str],
) -> None:
    listed = {
        (vers_type, text): group["reason"]
        for vers_type, groups in tomllib.loads(FAULTS.read_text(encoding="utf-8")).items()
        for group in groups
        for text in group["ranges"]
    }
    counted, wrong, healed = Counter[str](), [], []
    for archive in ("conformance/vers-spec-tests.tar.zst", "conformance/univers-test-vectors.tar.zst"):
        for file, case in cases(shared(archive), "from_native"):
            vers_type, text = case["input"]["scheme"], case["input"]["native_range"]
            try:
                made = native.from_native(vers_type, text)
                assert vers.parse(str(made)) == made
                same = held(made) == held(vers.tidy(case["expected_output"]))
                got = str(made)
            except ClearwayError as error:
                same, got = False, str(error)
            counted[vers_type] += 1
            if not same and (vers_type, text) not in listed:
                wrong.append(f"{file}: {text!r} is {got}, expected {case['expected_output']}")
            if same and (vers_type, text) in listed:
                healed.append(text)
    with capsys.disabled():
        print(f"\n{counted.total()} native ranges of {len(counted)} types, {len(listed)} listed faults")
    assert not wrong
    assert not healed
    assert counted.total() >= 6_800
    assert all(listed.values())
