"""What a wheel says that it needs: names and environment markers of PEP 508, of anybody's making."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.markers import Marker

from clearway.findings.validate import needs
from clearway.findings.validate.files import Given
from findings_targets import a_wheel, py_recipe, read, sha


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("MarkupSafe (>=2.0)", "markupsafe"),
        ("typing_extensions>=4.2; python_version >= '3.0'", "typing-extensions"),
        ("async-timeout <5.0,>=4.0 ; python_version < \"3.0\"", ""),
        ("colorama ; platform_system == \"Windows\"", ""),
        ("pytest ; extra == 'test'", ""),
        ("pytest ; (python_version > '3.0') and extra == 'test'", ""),
        ("a ; sys_platform == 'win32' or python_version > '3.0'", "a"),
        ("httpx[http2]>=1", "httpx"),
        ("a @ https://example.org/a.whl", "a"),
        ("a ; is this a marker", "a"),
        ("a ; " + "(" * 2_000, "a"),
        ("", ""),
        ("!", ""),
    ],
)  # fmt: skip
def test_a_need_is_a_name_where_its_marker_holds(said: str, name: str) -> None:
    assert needs.needed(said) == name


VARIABLES = {
    "python_version": ["3.4", "3.11", "3.15", "4.0"],
    "sys_platform": ["linux", "win32"],
    "os_name": ["posix", "nt"],
    "implementation_name": ["cpython", "pypy"],
    "extra": ["test", "docs"],
}
COMPARISONS = st.sampled_from(sorted(VARIABLES)).flatmap(
    lambda name: st.builds(
        lambda how, value: f'{name} {how} "{value}"',
        st.sampled_from(["==", "!=", "<", ">="] if name == "python_version" else ["==", "!="]),
        st.sampled_from(VARIABLES[name]),
    )
)
MARKERS = st.recursive(
    COMPARISONS,
    lambda inner: st.builds(
        "{}{} {} {}{}".format, st.just("("), inner, st.sampled_from(["and", "or"]), inner, st.just(")")
    ),
    max_leaves=6,
)


@given(MARKERS, st.sampled_from(["and", "or"]), MARKERS, st.sampled_from(["and", "or"]), MARKERS)
def test_markers_hold_as_the_reference_implementation_says(
    one: str, first: str, two: str, second: str, three: str
) -> None:
    marker = f"{one} {first} {two} {second} {three}"
    assert needs.holds(marker) == Marker(marker).evaluate({"extra": ""})


@given(st.text(max_size=200))
def test_no_text_is_too_much(text: str) -> None:
    assert needs.needed(text) == "" or needs.needed(text) == needs.needed(text).lower()


def test_what_the_release_needs_is_held_against_the_wheels_beside_it() -> None:
    plain = a_wheel({"toy.py": ""})
    needy = a_wheel({"toy.py": ""}, version="2", needs=("New_Dep>=1", "old", "pytest; extra == 'test'"))
    dep, old = a_wheel({}, name="new.dep"), a_wheel({}, name="old")
    made = py_recipe(plain, needy, [{"call": "toy.x"}], {"kind": "signal"})
    files = Given(plain, needy, dep, old)
    patched = read(made).patched
    assert patched is not None
    assert needs.lacking(patched, files) == 2
    made["patched"]["wheels"] |= {"d.whl": sha(dep), "o.whl": sha(old)}
    patched = read(made).patched
    assert patched is not None
    assert needs.lacking(patched, files) == 0
    assert needs.lacking(read(made).target, files) == 0
