"""A document of too many reports is cut into documents that say the same, report for report."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearway.formats.reported import read_reports
from clearway.formats.reported_cut import cut
from clearway.formats.reported_parts import MAX_REPORTS
from clearway.records.errors import TooLargeError
from report_documents import dump, own, sarif

PURL = "pkg:pypi/example@1"


def bytes_of(*documents: bytes) -> list[bytes]:
    return [r.raw for document in documents for r in read_reports(document, purl=PURL).reports]


def several(counts: list[int]) -> bytes:
    """A SARIF log of runs with so many results."""
    runs: list[Any] = []
    for count in counts:
        (run,) = sarif(count)["runs"] if count else sarif(1)["runs"]
        runs.append(run if count else {**run, "results": []})
    return dump({**sarif(1), "runs": runs})


@given(st.lists(st.integers(0, 7), max_size=5), st.integers(1, 5))
def test_the_parts_of_a_log_report_what_the_whole_does_in_its_order(counts: list[int], most: int) -> None:
    whole = several(counts)
    parts = list(cut(whole, most))
    assert bytes_of(*parts) == bytes_of(whole)
    assert len(parts) == max(1, -(-sum(counts) // most))
    assert all(len(bytes_of(part)) <= most for part in parts)
    if sum(counts) <= most:
        assert parts == [whole]


@given(st.integers(1, 9), st.integers(1, 4), st.sampled_from(["list", "lines"]), st.booleans())
def test_the_parts_of_a_list_and_of_lines_hold_the_same_bytes(
    count: int, most: int, form: str, bom: bool
) -> None:
    reports = [json.dumps(own(title=f"Number {n}"), indent=None) for n in range(count)]
    text = f"[{' , '.join(reports)}]" if form == "list" else "\n".join(reports) + "\n"
    whole = b"\xef\xbb\xbf" * bom + text.encode()
    most = most if form == "list" else most + 2
    parts = list(cut(whole, most))
    assert bytes_of(*parts) == bytes_of(whole)
    assert len(parts) == (1 if form == "lines" and count == 1 else -(-count // most))
    assert all(len(bytes_of(part)) <= most for part in parts)


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"[1,", b"Subject: x\n\nbody", b'{"runs": 1, "version": 2}', b'{"runs": [1], "version": "2.1.0"}',
     b'{"version": "2.1.0", "runs": [{"results": [1, 2, 3], "results": [4, 5, 6]}]}', b"[" * 100_000],
)  # fmt: skip
def test_what_cant_be_read_is_handed_back_for_whoever_says_why(data: bytes) -> None:
    assert list(cut(data, 1)) == [data]


def test_a_call_that_is_too_large_says_who_cuts_it() -> None:
    for data in (dump(sarif(MAX_REPORTS + 1)), dump([own()] * (MAX_REPORTS + 1))):
        with pytest.raises(TooLargeError) as told:
            read_reports(data, purl=PURL)
        assert "calls of 1,000" in told.value.mend
        assert "clearway finding submit" in told.value.mend
