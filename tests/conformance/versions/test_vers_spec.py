"""The VERS specification's own tests of parsing, canonical form and containment."""

from __future__ import annotations

import pytest
from vectors import cases

from clearway.records.errors import ClearwayError
from clearway.versions import key, vers
from shared import shared

VERS = "conformance/vers-spec-tests.tar.zst"
UNIVERS = "conformance/univers-test-vectors.tar.zst"


def test_every_parse_case_gives_its_parts_or_its_message(capsys: pytest.CaptureFixture[str]) -> None:
    count = 0
    for _, case in cases(shared(VERS), "parse"):
        count += 1
        if case.get("expected_failure"):
            with pytest.raises(ClearwayError) as caught:
                vers.parse(case["input"])
            assert caught.value.what == case["expected_message"]  # type: ignore[attr-defined]
            continue
        found = vers.parse(case["input"])
        assert found.type == case["expected_output"]["scheme"]
        assert [[c.comparator, c.version] for c in found.constraints] == case["expected_output"][
            "version_constraints"
        ]
        assert str(found) == case["input"]
    with capsys.disabled():
        print(f"\n{count} VERS parse cases")
    assert count >= 12


def test_every_validate_case_is_made_canonical(capsys: pytest.CaptureFixture[str]) -> None:
    found = [case for _, case in cases(shared(VERS), "validate")]
    found += [case for _, case in cases(shared(UNIVERS), "validate", "roundtrip")]
    for case in found:
        text = case["input"]["vers"] if isinstance(case["input"], dict) else case["input"]
        tidied = vers.tidy(text)
        assert str(tidied) == case["expected_output"]
        assert vers.parse(str(tidied)) == tidied
    with capsys.disabled():
        print(f"\n{len(found)} VERS validate cases")
    assert len(found) >= 38


def test_every_containment_case_holds_by_constraints_and_by_keys(capsys: pytest.CaptureFixture[str]) -> None:
    found = [case for archive in (VERS, UNIVERS) for _, case in cases(shared(archive), "containment")]
    for case in found:
        asked, version = vers.tidy(case["input"]["vers"]), case["input"]["version"]
        assert vers.contains(asked, version) is case["expected_output"], case
        point = key(vers.scheme_of_type(asked.type), version)
        assert any(i.lo <= point < i.hi for i in vers.intervals(asked)) is case["expected_output"], case
    with capsys.disabled():
        print(f"\n{len(found)} VERS containment cases")
    assert len(found) >= 22
