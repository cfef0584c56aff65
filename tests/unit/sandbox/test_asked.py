"""What may be asked of a box: everything else is refused in words, whatever the bytes."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearway.records.errors import InputError
from clearway.sandbox import Bind, Limits, Run
from clearway.sandbox.run import checked, relative

names = st.text(max_size=40)


@pytest.mark.parametrize(
    ("run", "where"),
    [
        (Run(argv=()), "argv"),
        (Run(argv=("",)), "argv"),
        (Run(argv=("a", "b\0c")), "argv"),
        (Run(argv=("a", "x" * 200_000)), "argv"),
        (Run(argv=("a",), env={"A=B": "c"}), "env"),
        (Run(argv=("a",), env={"": "c"}), "env"),
        (Run(argv=("a", "\ud800")), "argv"),
        (Run(argv=("a",), inputs={"../x": b""}), "inputs"),
        (Run(argv=("a",), inputs={"/x": b""}), "inputs"),
        (Run(argv=("a",), inputs={"x": b"1" * (2 << 20)}, limits=Limits(work_mib=1)), "inputs"),
        (Run(argv=("a",), inputs={str(n): b"" for n in range(200)}), "inputs"),
        (Run(argv=("a",), keep=("a/../../b",)), "keep"),
        (Run(argv=("a",), keep=("\x1b[2J",)), "keep"),
        (Run(argv=("a",), keep=tuple(map(str, range(100)))), "keep"),
        (Run(argv=("a",), binds=(Bind(Path("/x"), "relative"),)), "binds"),
        (Run(argv=("a",), binds=(Bind(Path("/x"), "/proc/x"),)), "binds"),
        (Run(argv=("a",), binds=(Bind(Path("/x"), "/"),)), "binds"),
        (Run(argv=("a",), binds=(Bind(Path("/x"), "/a/../etc"),)), "binds"),
        (Run(argv=("a",), cwd="work"), "cwd"),
        (Run(argv=("a",), limits=Limits(wall_s=float("inf"))), "limits.wall_s"),
    ],
)
def test_what_no_box_grants_is_refused_with_its_place(run, where):
    with pytest.raises(InputError) as refused:
        checked(run)
    assert refused.value.where == where


@given(names)
def test_a_name_that_is_taken_stays_beneath(name):
    try:
        relative(name, "here")
    except InputError:
        return
    parts = Path("/work", name).parts
    assert parts[:2] == ("/", "work")
    assert ".." not in parts
    assert name.isprintable()


words = st.lists(names, max_size=4)


@given(
    words, st.dictionaries(names, names, max_size=3), names, st.dictionaries(names, st.binary(), max_size=3)
)
def test_no_text_makes_the_check_fail_otherwise_than_in_words(argv, env, cwd, inputs):
    binds = (Bind(Path("/x"), cwd),)
    run = Run(argv=tuple(argv), env=env, cwd=cwd, inputs=inputs, keep=tuple(argv), binds=binds)
    said = refusal(run)
    assert said.isprintable()


def refusal(run: Run) -> str:
    try:
        checked(run)
    except InputError as refused:
        return str(refused)
    return ""
