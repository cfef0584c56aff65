"""The purl test suite (purl-spec), and `packageurl` as an oracle on real purls."""

from __future__ import annotations

import json
import tarfile
from typing import Any

import pytest
import zstandard
from packageurl import PackageURL

from clearway.formats.purl import Purl, canonical, parse, to_text
from clearway.records.errors import InputError
from shared import shared

# (file, index) -> why we differ.
DIFFERENCES = {
    (
        "rpm-test.json",
        1,
    ): "refuses upper-case qualifier keys; vector 0 of the file wants the same text normalised",
    (
        "gem-test.json",
        1,
    ): "refuses an upper-case qualifier key; vector 0 of the file wants the same text normalised",
    ("git-test.json", 0): "folds a path that the definition of the type calls case-sensitive",
}


def vectors() -> list[tuple[str, int, dict[str, Any]]]:
    path = shared("conformance/purl-spec-tests.tar.zst")
    found = []
    with (
        path.open("rb") as f,
        tarfile.open(fileobj=zstandard.ZstdDecompressor().stream_reader(f), mode="r|") as tar,
    ):
        for member in tar:
            if "tests/" in member.name and member.name.endswith("-test.json"):
                file = tar.extractfile(member)
                assert file is not None
                name = member.name.rpartition("/")[2]
                found += [(name, i, vector) for i, vector in enumerate(json.load(file)["tests"])]
    return found


def outcome(vector: dict[str, Any]) -> Any:
    """What we make of a vector, in the shape of its `expected_output`; None for a refusal."""
    try:
        if vector["test_type"] == "build":
            fields = vector["input"]
            text = [fields[key] or "" for key in ("type", "namespace", "name", "version")]
            purl = Purl(
                text[0], text[1], text[2], text[3], fields["qualifiers"] or {}, fields["subpath"] or ""
            )
            return to_text(canonical(purl))
        purl = canonical(parse(vector["input"]))
        if vector["test_type"] == "validate":
            return to_text(purl)
    except InputError:
        return None
    values = {key: getattr(purl, key) for key in purl.__struct_fields__}
    return {key: value or None for key, value in values.items()}


def expected(vector: dict[str, Any]) -> Any:
    output = vector.get("expected_output")
    if vector["expected_failure"]:
        return None
    return {key: value or None for key, value in output.items()} if isinstance(output, dict) else output


def test_every_vector_passes_but_those_listed() -> None:
    all_vectors = vectors()
    assert len(all_vectors) == 586
    failed = {(name, i) for name, i, vector in all_vectors if outcome(vector) != expected(vector)}
    assert failed == set(DIFFERENCES)


def test_real_purls_are_taken_apart_as_packageurl_does() -> None:
    path = shared("sbom/sboms-various.tar.zst")
    texts: set[str] = set()
    with (
        path.open("rb") as f,
        tarfile.open(fileobj=zstandard.ZstdDecompressor().stream_reader(f), mode="r|") as tar,
    ):
        for member in tar:
            file = tar.extractfile(member)
            if file is not None:
                for piece in file.read().split(b'"pkg:')[1:]:
                    texts.add("pkg:" + piece.partition(b'"')[0].decode())
    assert len(texts) > 3000
    for text in texts:
        ours = canonical(parse(text))
        theirs = PackageURL.from_string(text)
        assert (ours.type, ours.namespace, ours.name, ours.version, ours.qualifiers, ours.subpath) == (
            theirs.type,
            theirs.namespace or "",
            theirs.name,
            theirs.version or "",
            theirs.qualifiers,
            theirs.subpath or "",
        )


@pytest.mark.parametrize("text", ["pkg:npm/", "pkg:maven/@1", "npm/a", "pkg:@1"])
def test_what_packageurl_refuses_we_refuse(text: str) -> None:
    with pytest.raises(ValueError, match="purl"):
        PackageURL.from_string(text)
    with pytest.raises(InputError):
        parse(text)
