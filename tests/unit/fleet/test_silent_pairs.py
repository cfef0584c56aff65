"""Which ways of writing one package mean which, as a rule of the set alone."""

from __future__ import annotations

from importlib import import_module
from itertools import product
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearway.exposure.fleet.silent import pairs
from clearway.exposure.fleet.version import body_of, said_of, version_of
from clearway.records.inventory import Component
from clearway.store.migrations import versions

_WAYS = [*product(["", "amd64", "arm64"], ["", "one", "two"])]


def way(arch: str, source: str) -> Component:
    return Component(ecosystem="Debian:12", name="liba", version="1", arch=arch, source_name=source)


def meant(*ways: tuple[str, str]) -> dict[tuple[str, str], tuple[str, str]]:
    found = pairs({n: way(*w) for n, w in enumerate(ways)})
    return {ways[a]: ways[b] for a, b in found.items()}


N, A, S, F = ("", ""), ("amd64", ""), ("", "one"), ("amd64", "one")


@pytest.mark.parametrize(
    ("ways", "one"),
    [((N, A), A), ((N, S), S), ((A, S), S), ((N, A, S), S), ((N, A, S, F), F), ((A, S, F), F)],
)
def test_ways_that_do_not_differ_in_what_they_say_mean_the_one_that_says_most(
    ways: tuple[tuple[str, str], ...], one: tuple[str, str]
) -> None:
    assert meant(*ways) == {w: one for w in ways if w != one}


def test_of_two_sources_nobody_knows_which_one_is_meant() -> None:
    assert meant(N, A, F, ("amd64", "two")) == {}
    assert meant(A, S, ("", "two")) == {}


def test_the_source_alone_is_of_either_architecture_where_two_are_named_in_full() -> None:
    assert meant(S, F, ("arm64", "one")) == {S: F}
    assert meant(S, A, ("arm64", "")) == {}  # and where no source is, two packages are there


@given(st.permutations(_WAYS), st.integers(0, 9))
def test_what_is_meant_is_never_silent_and_the_order_tells_nothing(
    ways: list[tuple[str, str]], many: int
) -> None:
    found = meant(*ways[:many])
    assert not {*found} & {*found.values()}
    assert found == meant(*sorted(ways[:many]))
    for said, other in found.items():
        assert all(a in ("", b) or b == "" for a, b in zip(said, other, strict=True))


def test_a_package_written_in_many_ways_is_read_in_one_pass() -> None:
    archs = [(f"arch{n}", "") for n in range(20_000)]  # the square of that would take hours
    assert len(meant(N, *archs)) == 1


_TEXTS = st.text("ab", max_size=1)
_COMPONENTS = st.builds(
    Component, ecosystem=st.sampled_from(["Debian:12", "vendor", "", "AlmaLinux:8", "PyPI"]), name=st.just("x"),
    version=st.just("1"), source_name=_TEXTS, source_version=_TEXTS, commit=_TEXTS, repo=_TEXTS, arch=_TEXTS,
    module_stream=_TEXTS, vendor=_TEXTS, problem=_TEXTS,
    cpes=st.lists(st.just("cpe:2.3:a:x:x:1:*:*:*:*:*:*:*"), max_size=1).map(tuple),
)  # fmt: skip


@given(_COMPONENTS)
def test_versions_that_stood_before_are_told_apart_by_the_same_texts_as_new_ones(
    component: Component,
) -> None:
    (name,) = (p.stem for p in Path(versions.__path__[0]).glob("*_written_anew.py"))
    step: Any = import_module(f"{versions.__name__}.{name}")
    kept = version_of(component)
    assert step._columns(msgspec.msgpack.decode(body_of(kept))) == said_of(kept.component)
