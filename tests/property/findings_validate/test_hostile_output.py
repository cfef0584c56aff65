"""Whatever a program writes, it is a crash state or none, and never an exception; recipes alike."""

from __future__ import annotations

import contextlib

from hypothesis import given
from hypothesis import strategies as st

from clearway.findings.validate import mutate, recipe
from clearway.findings.validate.crash import state_of
from clearway.findings.validate.oracle import heard
from clearway.findings.validate.statement import read
from clearway.records.errors import ClearwayError
from clearway.sandbox import Outcome

PIECES = st.sampled_from(
    [b"==1==ERROR: AddressSanitizer: ", b"heap-use-after-free", b"    #0 0x1 in ", b"f<a<b>", b" x.c:1:2", b"\n",
     b"\xff", b"runtime error: ", b"READ of size 8", b"#1 0x2 in (anonymous namespace)::g(int) ", b"((((", b"))))",
     b"1 result x"]
)  # fmt: skip
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda v: (
        st.lists(v, max_size=3)
        | st.dictionaries(st.sampled_from(["target", "kind", "proof", "steps", "files"]), v)
    ),
    max_leaves=12,
)


@given(st.lists(PIECES | st.binary(max_size=20), max_size=40).map(b"".join))
def test_any_text_is_a_state_or_none(text: bytes) -> None:
    state = state_of(text)
    assert state is None or (state.key and len(state.frames) <= 3)
    heard(Outcome(ended="exited", stdout=text), "1")


@given(st.binary(max_size=200) | json_values.map(lambda v: __import__("json").dumps(v).encode()))
def test_any_document_is_a_recipe_or_one_error_of_ours(data: bytes) -> None:
    for reads in (recipe.read, read):
        with contextlib.suppress(ClearwayError):
            reads(data)


@given(st.binary(max_size=40))
def test_variants_end_and_stay_bounded(data: bytes) -> None:
    found = list(mutate.variants(data, 60))
    assert len(found) == 60
    assert all(len(v) <= 1 << 20 for v in found)
