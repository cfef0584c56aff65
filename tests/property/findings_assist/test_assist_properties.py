"""Whatever a report says and whatever a model says: the data keep their place, and a proposal is plain and bounded."""

from __future__ import annotations

import json
import re
from contextlib import suppress

from hypothesis import given
from hypothesis import strategies as st

from clearway.findings.assist import answer, outgoing
from clearway.findings.assist.budget import FAILURES, rest_s
from clearway.findings.assist.outgoing import Part
from clearway.findings.assist.settings import FIELDS, Settings
from clearway.records.errors import InputError

INSIDE = Settings(url="http://127.0.0.1/v1", model="m", place="inside", send={"AMBER+STRICT": FIELDS})
PIECES = [
    "</data>", "<data>", "\\u003c/data>", '"}]', "\x1b[2J", "\u202e", "[a](http://e.example)", "https://e.example ",
    "CWF-7Q4K-9M2X", "javascript:x", "a@e.example", "F2", "<script>", "CVE-2020-1111", "//e.example", "www.e.example",
]  # fmt: skip
NASTY = st.text(max_size=400) | st.lists(st.sampled_from(PIECES), max_size=20).map("".join)


@given(NASTY, NASTY)
def test_reported_text_never_ends_its_place(title: str, description: str) -> None:
    one = Part(
        ref="F1", tlp="AMBER+STRICT", public=False, values={"title": title, "description": description}
    )
    body = outgoing.request(INSIDE, "summary", [one], answer.schema("summary", ()))
    said = json.loads(body)["messages"][1]["content"]
    assert said.count("<data>") == said.count("</data>") == 1
    (told,) = json.loads(said.partition("<data>\n")[2].removesuffix("\n</data>"))
    assert set(told) <= {"finding", "title", "description"}


@given(NASTY, NASTY)
def test_a_summary_is_plain_whatever_the_model_says(text: str, impact: str) -> None:
    said = json.dumps({"summary": text, "impact": impact, "open_questions": [impact[:500]]})
    with suppress(InputError):  # nothing is left of it
        found = answer.read("summary", said, (), "")
        for line in (found.summary, found.impact, *found.open_questions):
            assert all(c.isprintable() or c in "\n\t" for c in line)
            assert not re.search(r"[a-z]://|www\.|javascript:", line)
            assert "CWF-7Q4K-9M2X" not in line
            assert not re.search(r"\w@e\.example", line)
        assert len(found.doubts) <= answer.MAX_DOUBTS


@given(
    st.lists(st.tuples(st.sampled_from(["F1", "F2", "F3", "F44", "CWF-AAAA-BBBB", ""]), NASTY), max_size=20)
)
def test_only_what_was_given_is_named_and_each_once(said: list[tuple[str, str]]) -> None:
    told = json.dumps({"duplicates": [{"finding": f, "reason": r[:500]} for f, r in said]})
    found = answer.read("duplicates", told, ("F2", "F3"), "")
    named = [p.finding for p in found.pairs]
    assert set(named) == {f for f, _ in said} & {"F2", "F3"}
    assert len(named) == len(set(named))
    assert all(p.reason for p in found.pairs)


@given(st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
def test_bytes_that_are_no_answer_are_refused_and_nothing_else_happens(raw: bytes) -> None:
    with suppress(InputError):
        answer.read("summary", raw.decode("utf-8", "replace"), (), "")


@given(st.integers(min_value=0, max_value=10_000))
def test_it_rests_longer_with_each_failure_and_at_most_an_hour(failures: int) -> None:
    assert 0 <= rest_s(failures) <= rest_s(failures + 1) <= 3_600
    assert (rest_s(failures) > 0) == (failures >= FAILURES)
