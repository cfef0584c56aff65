"""What a model says, read strictly and made plain."""

from __future__ import annotations

import json
from typing import Any

import pytest

from clearway.findings.assist import answer
from clearway.records.errors import InputError

SENT = "PyPI example 1.2.3, CVE-2024-1234, CWE-787"


def summary(text: str, **more: Any) -> answer.Drafted:
    return answer.read("summary", json.dumps({"summary": text, **more}), (), SENT)


def pairs(*said: tuple[str, str], refs: tuple[str, ...] = ("F2", "F3")) -> answer.Drafted:
    told = {"duplicates": [{"finding": f, "reason": r} for f, r in said]}
    return answer.read("duplicates", json.dumps(told), refs, SENT)


def test_a_summary_is_read_and_an_empty_rest_is_fine() -> None:
    found = summary("It over-reads.", impact="Memory is told.", open_questions=["since when?", " "])
    assert (found.text, found.open_questions) == ("It over-reads.\n\nMemory is told.", ("since when?",))
    assert found.doubts == ()


@pytest.mark.parametrize(
    "said",
    [
        pytest.param("", id="nothing"),
        pytest.param("Here is the summary: it over-reads.", id="prose"),
        pytest.param('{"summary": "x", "close_case": true}', id="a field more"),
        pytest.param('{"summary": 5}', id="a number"),
        pytest.param('{"summary": ""}', id="an empty text"),
        pytest.param('{"impact": "x"}', id="a field less"),
        pytest.param('{"summary": "x"} {"summary": "y"}', id="two objects"),
        pytest.param('[{"summary": "x"}]', id="a list"),
        pytest.param(json.dumps({"summary": "x" * 4_001}), id="a text too long"),
        pytest.param(json.dumps({"summary": "x", "open_questions": ["q"] * 11}), id="too many questions"),
        pytest.param('{"summary": ' + "[" * 50_000, id="nested without end"),
        pytest.param('{"summary": "' + "x" * 70_000 + '"}', id="larger than any answer"),
        pytest.param('{"summary": "cut off', id="cut off"),
        pytest.param('{"summary": "\\ud800"}', id="half a character"),
        pytest.param('{"summary": "[x](http://a.example)"', id="no end of the object"),
        pytest.param('{"duplicates": []}', id="the answer to something else"),
    ],
)
def test_what_is_not_of_the_type_is_refused_and_not_quoted(said: str) -> None:
    with pytest.raises(InputError) as caught:
        answer.read("summary", said, (), SENT)
    assert "over-reads" not in str(caught.value)
    assert caught.value.where == "answer"


def test_one_code_fence_around_it_is_none_of_it() -> None:
    said = '```json\n{"summary": "It over-reads."}\n```\n'
    assert answer.read("summary", said, (), SENT).summary == "It over-reads."


def test_findings_that_were_not_given_are_left_out_and_told() -> None:
    found = pairs(
        ("F2", "same place"), ("F9", "x"), ("CWF-AAAA-BBBB", "x"), ("F2", "again"), ("F1", "itself")
    )
    assert [(p.finding, p.reason) for p in found.pairs] == [("F2", "same place")]
    assert found.doubts == ("it named a finding that it was not given; that is left out",)


def test_what_is_taken_out_of_a_text() -> None:
    for text, left in (
        ("see https://evil.example/x?a=1 now", "see [taken out] now"),
        ("[click](javascript:alert(1)) me", "click [taken out]) me"),
        ("![p](http://evil.example/p.png)", "p [taken out]"),
        ("mail a.b@evil.example or www.evil.example", "mail [taken out] or [taken out]"),
        ("close CWF-7Q4K-9M2X and cwc-7Q4K-9M2X", "close [taken out] and [taken out]"),
        ("a \x1b]8;;http://e.example\x07link\x1b]8;;\x07", "a \ufffd]8;;[taken out]"),
        ("right\u202eleft\u200b", "right\ufffdleft\ufffd"),
        ("load //evil.example/x", "load [taken out]"),
    ):
        found = summary(text)
        assert found.summary == left, text
        assert found.doubts, text


def test_code_and_plain_words_stay() -> None:
    for text in (
        "if (a < b && c > d) { // copies data: n bytes",
        "file: src/parse.c:117, data: the length",
        "vector<int> in <string.h>; **p = *q",
        "src/a//b and 1/2",
    ):
        found = summary(text)
        assert (found.summary, found.doubts) == (text, ()), text


def test_ids_and_versions_that_were_not_told_are_doubts() -> None:
    found = summary("CVE-2024-1234 in 1.2.3 is CWE-787; cve-2025-9 1.2.4 CVE-2025-99999 GHSA-aaaa-bbbb-cccc")
    assert found.doubts == tuple(
        f"it names {name}, which it was not told"
        for name in ("1.2.4", "CVE-2025-99999", "GHSA-aaaa-bbbb-cccc")
    )


def test_the_schema_asks_for_what_is_read() -> None:
    for kind, value in (
        ("summary", {"summary": "x", "impact": "", "open_questions": []}),
        ("duplicates", {"duplicates": [{"finding": "F2", "reason": "x"}]}),
    ):
        asked: Any = answer.schema(kind, ("F2",))  # type: ignore[arg-type]
        assert asked["required"] == list(asked["properties"]) == list(value)
        answer.read(kind, json.dumps(value), ("F2",), "")  # type: ignore[arg-type]
