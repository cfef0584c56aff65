"""Wheels unpacked by us: bounded, without links, and never outside; files by their hash; variants always the same."""

from __future__ import annotations

import io
import stat
import zipfile
from itertools import islice
from pathlib import Path

import pytest

from clearway.findings.validate import mutate, wheel
from clearway.findings.validate.files import Folders, Given
from clearway.records.errors import ClearwayError, InputError, NotFoundError, TooLargeError
from findings_targets import COPIES, LONG, a_wheel, c_recipe, py_recipe, read, sha


def zipped(*members: tuple[str | zipfile.ZipInfo, bytes]) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return held.getvalue()


def test_modules_land_and_scripts_do_not(tmp_path: Path) -> None:
    data = zipped(("a/b.py", b"1"), ("x-1.data/purelib/c.py", b"2"), ("x-1.data/scripts/run", b"3"))
    wheel.unpack(data, tmp_path, "x.whl")
    assert sorted(str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file()) == [
        "a/b.py",
        "c.py",
    ]


@pytest.mark.parametrize("name", ["../a", "/a", "a/../../b", "a\\b", "x-1.data/purelib/../../../a"])
def test_a_name_outside_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError):
        wheel.unpack(zipped((name, b"1")), tmp_path / "in", "x.whl")
    assert not (tmp_path / "a").exists()


def test_links_are_left_out(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    wheel.unpack(zipped((link, b"/etc/passwd"), ("a.py", b"")), tmp_path, "x.whl")
    assert [p.name for p in tmp_path.iterdir()] == ["a.py"]


def test_what_grows_beyond_its_bound_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wheel, "MOST_BYTES", 1000)
    with pytest.raises(TooLargeError):
        wheel.unpack(zipped(("a", b"0" * 1001)), tmp_path, "x.whl")


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"PK",
        b"PK\x05\x06" + b"\xff" * 18,
        zipped(("a", b"x" * 300))[:-30],
        zipped(("a/b", b"1"), ("a", b"2")),
    ],
    ids=["nothing", "two letters", "an end alone", "a cut one", "a file that is a folder"],
)
def test_what_is_no_wheel_is_one_error_of_ours(tmp_path: Path, damage: bytes) -> None:
    with pytest.raises(ClearwayError):
        wheel.unpack(damage, tmp_path, "x.whl")


def test_compressed_bytes_that_are_damaged_are_one_error_of_ours(tmp_path: Path) -> None:
    data = bytearray(zipped(("a", b"abc" * 1000)))
    data[40:48] = b"\xff" * 8
    with pytest.raises(ClearwayError):
        wheel.unpack(bytes(data), tmp_path, "x.whl")


def test_files_are_found_by_their_bytes_and_not_by_their_names(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "whatever").write_bytes(b"one")
    (tmp_path / "link").symlink_to(tmp_path / "a" / "whatever")
    files = Folders(tmp_path, tmp_path / "not there")
    assert files.read(sha(b"one")) == b"one"
    with pytest.raises(NotFoundError, match=r"--files|not there"):
        files.read(sha(b"two"))
    (tmp_path / "a" / "whatever").write_bytes(b"two")
    with pytest.raises(ClearwayError, match="changed"):
        files.read(sha(b"one"))


def test_variants_are_the_same_every_time_and_never_the_proof_itself() -> None:
    first = list(islice(mutate.variants(LONG, 500), 500))
    assert first == list(islice(mutate.variants(LONG, 500), 500))
    assert LONG not in first
    assert len(set(first)) > 400
    assert len(list(mutate.variants(b"", 50))) == 50


def test_what_is_varied_is_the_file_that_the_command_names() -> None:
    made = read(c_recipe(COPIES, None))
    assert mutate.seed_of(made, Given(LONG)) == ("in", LONG)
    made = read(py_recipe(a_wheel({}), None, [{"call": "toy.f"}], {"kind": "endless"}))
    assert mutate.seed_of(made, Given()) is None


def test_a_proof_of_steps_is_varied_in_the_texts_that_it_gives_to_the_package() -> None:
    steps = [
        {"call": "toy.make", "as": "m", "kwargs": {"how": "one"}},
        {"call": "$m.run", "args": [{"repeat": ["two", {"n": 3}]}, {"object": "toy.f"}, 7]},
    ]
    made = read(py_recipe(a_wheel({}), None, steps, {"kind": "endless"}))
    found = [proof.steps for proof, replaced in mutate.proofs(made, Given(), 40) if replaced is None]  # type: ignore[union-attr]
    assert len(found) == 40
    for one in found:
        assert (one[0]["call"], one[0]["as"], one[1]["call"]) == ("toy.make", "m", "$m.run")
        assert one[1]["args"][1:] == [{"object": "toy.f"}, 7]
        texts = (one[0]["kwargs"]["how"], one[1]["args"][0]["repeat"][0])
        assert sum(a != b for a, b in zip(texts, ("one", "two"), strict=True)) == 1


def test_an_output_may_be_right_for_another_input_so_nothing_is_varied() -> None:
    made = read(
        py_recipe(a_wheel({}), None, [{"call": "toy.f", "args": ["x"]}], {"kind": "output", "text": "y"})
    )
    assert list(mutate.proofs(made, Given(), 10)) == []
