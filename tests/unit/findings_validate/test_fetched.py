"""What the desk has fetched counts as what it was fetched as: no other product, no other release, nothing laid over."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearway.findings.validate import fetched, identity, recipe
from clearway.findings.validate.fetched import Fetched, Origin, counts
from clearway.records.errors import ConfigError
from findings_targets import c_recipe, command, py_recipe, read, sha

A, B, C, D = (sha256(name).hexdigest() for name in (b"a", b"b", b"c", b"d"))


def orig(name: str, version: str) -> Origin:
    upstream = version.rpartition(":")[2].rpartition("-")[0]
    return Origin(ecosystem="Debian", name=name, version=version, file=f"{name}_{upstream}.orig.tar.gz")


def whl(name: str, version: str, file: str = "") -> Origin:
    return Origin(ecosystem="PyPI", name=name, version=version, file=file or f"{name}-{version}.whl")


def c(patched: dict[str, Any] | None = None, **target: Any) -> recipe.Recipe:
    """A program in C from archives alone."""
    base = {"kind": "c", "name": "cJSON", "version": "1.7.15", "archives": {"x.tar.gz": A}}
    made = {**c_recipe(b"", None), "target": {**base, **target}}
    if patched is not None:
        made["patched"] = {**base, **patched}
    return read(made)


def python(target: dict[str, Any], patched: dict[str, Any] | None = None) -> recipe.Recipe:
    base = {"kind": "python", "name": "toy", "version": "1"}
    made = {**py_recipe(b"", None, [{"call": "toy.f"}], {"kind": "output", "text": "x"})}
    made["target"] = {**base, **target}
    if patched is not None:
        made["patched"] = {**base, "version": "2", **patched}
    return read(made)


OWN = {A: (orig("cjson", "1.7.15-1+deb12u4"),)}


def test_upstreams_archive_counts_as_the_release_that_its_source_package_is_of() -> None:
    assert counts(c(), OWN) == {A}
    assert counts(c(), {A: (orig("cjson", "1:1.7.15-1"),)}) == {A}
    assert counts(c(), {A: (orig("other", "9-1"), *OWN[A])}) == {A}, "one of what it was fetched as is enough"


@pytest.mark.parametrize(
    "origin",
    [
        orig("zlib", "1.7.15-1"),
        orig("libcjson", "1.7.15-1"),
        orig("cjson2", "1.7.15-1"),
        orig("cjson", "1.7.16-1"),
        orig("cjson", "1.7.15+dfsg-1"),
        orig("cjson", "1.7.015-1"),  # one with 1.7.15 in Debian's order, and another release of upstream's
        Origin(
            ecosystem="Debian", name="cjson", version="1.7.15-1", file="cjson_1.7.15.orig-unity.tar.gz"
        ),
        Origin(ecosystem="Debian", name="cjson", version="1.7.15-1", file="cjson_1.7.15-1.debian.tar.xz"),
        Origin(ecosystem="Debian", name="cjson", version="1.7.15-1", file="cjson_1.7.15-1.dsc"),
        whl("cJSON", "1.7.15", "cJSON-1.7.15.tar.gz"),
    ],
    ids=[
        "another product", "a lib of that name", "a name that begins so", "another release", "a repacked one",
        "one that Debian orders beside it", "a component of it",
        "Debian's part", "its .dsc", "a project of that name on the Python index",
    ],
)  # fmt: skip
def test_what_was_fetched_as_something_else_does_not_count(origin: Origin) -> None:
    assert counts(c(), {A: (origin,)}) == frozenset()


def test_of_two_archives_the_hostile_one_does_not_count() -> None:
    both = {**OWN, B: (orig("vulnerable", "1.7.15-1"),)}
    assert counts(c(archives={"x.tar.gz": A, "y.tar.gz": B}), both) == {A}


@pytest.mark.parametrize("group", ["files", "patches"])
def test_what_is_laid_over_the_sources_or_patches_them_never_counts(group: str) -> None:
    held = {**OWN, B: OWN[A]}
    assert counts(c(**{group: {"cJSON.c": B}}), held) == {A}
    assert counts(c(**{group: {"cJSON.c": A}}), held) == frozenset(), "not even what counts elsewhere"


def test_a_fix_is_its_own_release_or_the_same_sources_and_a_patch() -> None:
    later = {**OWN, B: (orig("cjson", "1.7.16-1"),)}
    assert counts(c({"version": "1.7.16", "archives": {"x.tar.gz": B}}), later) == {A, B}
    assert counts(c({"version": "1.7.17", "archives": {"x.tar.gz": B}}), later) == {A}
    patched = c({"version": "1.7.15+mine", "patches": {"p": C}})
    assert counts(patched, later) == {A}
    assert recipe.published(patched) - counts(patched, later) == frozenset()


def test_a_fix_does_not_make_its_own_release_of_the_target() -> None:
    """The older release is published too: as the newer one it does not count by way of the fix."""
    made = c({"version": "1.7.15", "patches": {"p": C}}, version="2.0")
    assert counts(made, OWN) == frozenset()
    made = c({"version": "1.7.15", "archives": {"x.tar.gz": A, "y.tar.gz": B}}, version="2.0")
    assert A not in counts(made, OWN)


def debian(version: str = "1.7.15-1", **more: Any) -> dict[str, Any]:
    return {
        "kind": "debian", "name": "cjson", "version": version, "source": {"x.dsc": A, "x.orig.tar.gz": B}, **more
    }  # fmt: skip


def test_a_source_package_counts_as_its_release_to_the_letter() -> None:
    held = {d: (orig("cjson", "1.7.15-1"),) for d in (A, B, C)}
    raw = {**c_recipe(b"", None)}
    assert counts(read({**raw, "target": debian()}), held) == {A, B}
    assert counts(read({**raw, "target": debian("1.7.15-1~without-a-fix", series=[])}), held) == {A, B}
    assert counts(read({**raw, "target": debian("1.7.15-1+deb12u4")}), held) == frozenset()
    assert counts(read({**raw, "target": debian(archives={"x.tar.gz": C})}), held) == {A, B}


def test_wheels_of_other_projects_wait_for_a_reader_who_sees_their_names() -> None:
    target = {"wheels": {"toy-1.whl": A, "needs-3.whl": B}, "build_wheels": {"setuptools-68.whl": C}}
    held = {A: (whl("Toy", "1.0"),), B: (whl("needs", "3"),), C: (whl("setuptools", "68"),)}
    assert counts(python(target), held) == {A}
    assert counts(python(target), held, read=True) == {A, B, C}
    target["wheels"] = {"toy-1.whl": A, "harmless-3.whl": B}
    assert counts(python(target), held, read=True) == {A, C}


def test_tests_are_those_of_the_vulnerable_release() -> None:
    more = {"test_archives": {"toy-1.tar.gz": C}, "tests": [{"name": "t", "argv": ["unittest", "t"]}]}
    held = {A: (whl("toy", "1"),), B: (whl("toy", "2"),), C: (whl("toy", "1", "toy-1.tar.gz"),)}
    made = python({"wheels": {"a.whl": A}, **more}, {"wheels": {"b.whl": B}, **more})
    assert counts(made, held) == {A, B, C}
    assert C not in counts(made, {**held, C: (whl("toy", "2", "toy-2.tar.gz"),)})
    files = {"test_files": {"t.py": D}}
    assert D not in counts(python({"wheels": {"a.whl": A}, **files}), {**held, D: held[A]}, read=True)


NAMES = st.sampled_from(["cjson", "cJSON", "libcjson", "zlib", "c-json"])
VERSIONS = st.sampled_from(["1.7.15-1", "1.7.14-1", "1.7.15+dfsg-1", "2:1.7.15-9"])


@given(
    st.dictionaries(st.sampled_from([A, B, C]), st.tuples(st.builds(orig, NAMES, VERSIONS))), st.booleans()
)
def test_nothing_counts_that_was_not_fetched_as_it(
    held: dict[str, tuple[Origin, ...]], read_it: bool
) -> None:
    made = c({"version": "9"}, archives={"x.tar.gz": A, "y.tar.gz": B}, files={"main.c": C})
    for digest in counts(made, held, read=read_it):
        assert digest in (A, B)
        (origin,) = held[digest]
        assert (origin.name.lower(), origin.upstream) == ("cjson", "1.7.15")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "x").write_bytes(b"a")
    (tmp_path / "y").write_bytes(b"b")
    return tmp_path


def test_a_corpus_from_before_there_were_notes_counts_for_nothing_and_says_so(folder: Path) -> None:
    made, here = c(), Fetched(folder)
    assert here.counting(made) == frozenset()
    assert here.why(made, frozenset()).startswith("1 of them are at hand without a note of what they were")
    fetched.write(folder, {B: OWN[A]})
    assert Fetched(folder).counting(made) == frozenset()
    fetched.write(folder, OWN)
    assert Fetched(folder).counting(made) == {A}
    assert Fetched(folder).why(made, frozenset({A})) == ""
    assert Fetched(folder).origins().keys() == {A, B}
    fetched.write(folder, {A: [orig("zlib", "1-1")]})
    assert len(Fetched(folder).origins()[A]) == 2
    other = c(name="zlib")
    assert "1 of them were fetched as another product" in Fetched(folder).why(other, frozenset())


def test_what_is_noted_and_not_there_counts_for_nothing(tmp_path: Path) -> None:
    fetched.write(tmp_path, OWN)
    assert Fetched(tmp_path).counting(c()) == frozenset()


@pytest.mark.parametrize(
    "data", [b"", b"[]", b'{"files": {"x": []}}', b"[" * 100_000, b'{"format": "other/9"}']
)
def test_a_note_that_is_none_is_this_machines_fault_and_no_findings(folder: Path, data: bytes) -> None:
    (folder / fetched.NOTE).write_bytes(data)
    with pytest.raises(ConfigError, match="no note of what was fetched"):
        Fetched(folder).counting(c())


@pytest.mark.parametrize(
    ("patched", "target", "holds"),
    [
        ({"version": "1.7.16", "archives": {"x.tar.gz": B}}, {}, True),
        ({"version": "1.7.14", "archives": {"x.tar.gz": B}}, {}, False),
        ({"version": "1.7.15", "archives": {"x.tar.gz": B}}, {}, False),
        ({"version": "anything", "patches": {"p": C}}, {}, True),
        ({"version": "1.7.16"}, {}, False),
        ({"version": "1.7.16", "patches": {"p": C, "q": D}}, {"patches": {"p": C}}, True),
        ({"version": "1.7.16", "patches": {"q": D}}, {"patches": {"p": C}}, False),
        ({"version": "1.7.16"}, {"patches": {"p": C}}, False),
        ({"version": "1.7.15", "files": {"main.c": D}}, {"files": {"main.c": C}}, False),
    ],
    ids=[
        "later", "earlier", "the same number", "a patch more", "the same bytes as a later one", "patches in order",
        "another patch in its place", "a patch less", "other files, no other release",
    ],
)  # fmt: skip
def test_a_fix_is_later_or_the_same_and_a_patch(
    patched: dict[str, Any], target: dict[str, Any], holds: bool
) -> None:
    assert (identity.no_fix(c(patched, **target)) == ()) is holds


@pytest.mark.parametrize(
    ("before", "after", "holds"),
    [(["a"], None, True), (["a"], ["a", "b"], True), (None, ["a"], False), (["a", "b"], ["b", "c"], False)],
)
def test_a_fix_in_a_series_leaves_no_patch_out(
    before: list[str] | None, after: list[str] | None, holds: bool
) -> None:
    made = {**c_recipe(b"", None), "target": debian(series=before), "patched": debian(series=after)}
    assert (identity.no_fix(read(made)) == ()) is holds


def test_every_corpus_recipe_has_a_fix_of_its_own_target() -> None:
    root = Path(__file__).resolve().parents[3] / "corpus"
    found = {p.parent.name: recipe.read(p.read_bytes()) for p in sorted(root.glob("*/recipe.json"))}
    assert len(found) >= 20
    assert {name: identity.no_fix(one) for name, one in found.items() if identity.no_fix(one)} == {}


def test_the_names_of_programs_differ_in_capital_letters_alone() -> None:
    made = json.loads(json.dumps({**c_recipe(b"", None), "proof": command(b"")}))
    made["target"] |= {"name": "foo-bar", "files": {"main.c": sha(b"")}}
    one = read(made)
    assert identity.of_finding(one, "", "Foo-Bar", "1") == ""
    assert "another product" in identity.of_finding(one, "", "foo.bar", "1")
    assert "another product" in identity.of_finding(one, "", "libfoo-bar", "1")
    assert identity.of_finding(one, "GIT", "github.com/somebody/foo-bar", "1") == ""
    assert not identity.whole(one, "GIT", "github.com/somebody/foo-bar")
