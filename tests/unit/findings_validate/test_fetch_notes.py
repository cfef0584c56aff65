"""What is fetched is noted as what it was fetched as, and nothing else is."""

from __future__ import annotations

import importlib.util
from hashlib import sha256
from pathlib import Path
from types import ModuleType

import pytest

from clearway.findings.validate import fetched

SCRIPT = Path(__file__).resolve().parents[3] / "scripts" / "fetch_corpus.py"
ORIG, DEBIAN = b"upstream's", b"debian's"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("fetch_corpus", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def dsc(**files: bytes) -> bytes:
    lines = "".join(f" {sha256(data).hexdigest()} {len(data)} {name}\n" for name, data in files.items())
    head = "Format: 3.0 (quilt)\nSource: toy\nVersion: 1:2.0-3\nChecksums-Sha256:\n"
    return (head + lines).encode()


def test_of_a_source_package_what_its_dsc_lists_is_noted_and_no_other_bytes(
    script: ModuleType, tmp_path: Path
) -> None:
    out, folder = tmp_path / "out", tmp_path / "into"
    out.mkdir(), folder.mkdir()
    said = dsc(**{"toy_2.0.orig.tar.gz": ORIG, "toy_2.0-3.debian.tar.xz": DEBIAN})
    (out / "toy_2.0-3.dsc").write_bytes(said)
    (out / "toy_2.0.orig.tar.gz").write_bytes(ORIG)
    (out / "toy_2.0-3.debian.tar.xz").write_bytes(b"other bytes")
    (out / "broken.dsc").write_bytes(b"none")
    script.take(out, folder, script.of_packages(out))
    noted = fetched.read(folder).files
    assert noted.keys() == {sha256(said).hexdigest(), sha256(ORIG).hexdigest()}
    (origin,) = noted[sha256(ORIG).hexdigest()]
    assert (origin.name, origin.version, origin.upstream) == ("toy", "1:2.0-3", "2.0")
    assert {p.name for p in folder.iterdir()} == {"toy_2.0-3.dsc", "toy_2.0.orig.tar.gz", fetched.NOTE}


def test_of_the_index_what_has_the_hash_is_noted_as_the_project_that_was_asked_for(
    script: ModuleType, tmp_path: Path
) -> None:
    (tmp_path / "toy_kit-1.0-py3-none-any.whl").write_bytes(ORIG)
    (tmp_path / "other-1.0.tar.gz").write_bytes(b"other bytes")
    asked = [
        (name, sha256(ORIG).hexdigest()) for name in ("toy_kit-1.0-py3-none-any.whl", "other-1.0.tar.gz")
    ]
    ((_, (origin,)),) = script.of_index(tmp_path, asked)
    assert (origin.ecosystem, origin.name, origin.version) == ("PyPI", "toy_kit", "1.0")


def test_a_source_distribution_is_asked_for_in_a_call_of_its_own(script: ModuleType) -> None:
    names = ["a-1-py3-none-any.whl", "B-2.tar.gz", "b-1-py3-none-any.whl", "b-3-py3-none-any.whl", "c-1.zip"]
    rounds = script.rounds_of(dict.fromkeys(names, "0" * 64))
    assert sorted(sorted(name for name, _ in one.values()) for one in rounds) == [
        ["B-2.tar.gz"], ["a-1-py3-none-any.whl", "b-1-py3-none-any.whl"], ["b-3-py3-none-any.whl"], ["c-1.zip"],
    ]  # fmt: skip
