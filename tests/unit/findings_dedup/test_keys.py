"""What of a finding can be compared."""

from __future__ import annotations

import pytest

from clearway.findings.dedup.keys import Facts, Input, keys_of, normalised, place_of, product_of
from clearway.findings.validate.crash import CrashState

STATE = CrashState(
    error="heap-buffer-overflow", access="READ", frames=("parse_string", "parse_object", "parse_value"),
    stack=("parse_string", "parse_object", "parse_value", "parse"),
)  # fmt: skip
FACTS = Facts(ecosystem="PyPI", package="Example", place="src/parse.c:120 parse_string", cwe="CWE-787")


def kinds(*args: object) -> dict[str, str]:
    return {key.kind: key.value for key in keys_of(*args)}  # type: ignore[arg-type]


def test_every_candidate_is_kept_with_its_version() -> None:
    found = keys_of(FACTS, [STATE], [Input("ab" * 32, 24)])
    assert {k.kind for k in found} == {"input", "stack", "crash", "context", "place"}
    assert {k.version for k in found if k.kind == "context"} == {"clearway/context/v1"}
    assert all(len(k.value) == 32 for k in found)


def test_without_a_product_nothing_is_compared() -> None:
    assert keys_of(Facts(place="a.c f", cwe="CWE-787"), [STATE], [Input("ab" * 32, 24)]) == ()


def test_one_stack_of_two_products_is_two_keys() -> None:
    one = kinds(FACTS, [STATE])
    other = kinds(Facts(ecosystem="PyPI", package="another", place=FACTS.place, cwe=FACTS.cwe), [STATE])
    assert one.keys() == other.keys()
    assert not set(one.values()) & set(other.values())


def test_a_line_that_moved_leaves_the_context_as_it_was() -> None:
    moved = Facts(
        ecosystem="pypi", package="example", place="./src/parse.c:131:7 in parse_string()", cwe="CWE-787"
    )
    assert kinds(moved)["context"] == kinds(FACTS)["context"]


def test_an_input_of_a_letter_is_nobodys() -> None:
    assert "input" not in kinds(FACTS, [], [Input("ab" * 32, 1)])


def test_an_error_without_a_frame_makes_no_key() -> None:
    assert "crash" not in kinds(FACTS, [CrashState(error="SIGSEGV")])


@pytest.mark.parametrize(
    ("place", "file", "function"),
    [
        ("src/parse.c parse_string", "parse.c", "parse_string"),
        ("parse.c:12", "parse.c", ""),
        ("lib/deep/er.py, line 7, in Loader.load", "deep/er.py", "Loader.load"),
        ("function parse_string", "", "parse_string"),
        ("a\\b\\c.cpp ns::f", "b/c.cpp", "ns::f"),
        ("", "", ""),
    ],
)
def test_a_place_is_a_file_and_a_function(place: str, file: str, function: str) -> None:
    assert place_of(place) == (file, function)


def test_code_that_was_laid_out_anew_is_the_same_code() -> None:
    one = "memcpy(to, from, 16); /* copy */\n  n += 1;"
    assert normalised(one) == normalised("memcpy( to,from ,32 );\nn+=2; // copy it")
    assert normalised(one) != normalised("memmove(to, from, 16); n += 1;")


def test_a_purl_names_the_product_without_its_release() -> None:
    assert product_of(Facts(purl="pkg:pypi/example@1.2.3?x=y#z")) == "pypi/example"
    assert product_of(Facts(purl="pkg:npm/@scope/name")) == "npm/@scope/name"
