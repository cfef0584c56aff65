"""The control file of a Debian source package: what is read of it, and what it may not say."""

from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearway.findings.validate import debian
from clearway.findings.validate.files import Given
from clearway.findings.validate.recipe import DebianTarget
from clearway.records.errors import ClearwayError, InputError
from findings_targets import COPIES, LONG, SHORT, c_recipe, read

DSC = """Format: 3.0 (quilt)
Source: toy
Version: 1.0-1
Checksums-Sha1:
 268593a0838a6ae9115ec778828f1e06a88def03 3 toy_1.0.orig.tar.gz
Checksums-Sha256:
 {one} 3 toy_1.0.orig.tar.gz
 {two} 3 toy_1.0-1.debian.tar.xz
"""
ONE, TWO = sha256(b"one").hexdigest(), sha256(b"two").hexdigest()
PLAIN = DSC.format(one=ONE, two=TWO)
SIGNED = (
    f"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\n{PLAIN}\n-----BEGIN PGP SIGNATURE-----\n\n"
    "Source: other\n-----END PGP SIGNATURE-----\n"
)


def target(dsc: bytes, version: str = "1.0-1", name: str = "toy", **more: str) -> tuple[DebianTarget, Given]:
    source = {
        "toy_1.0-1.dsc": sha256(dsc).hexdigest(), "toy_1.0.orig.tar.gz": ONE, "toy_1.0-1.debian.tar.xz": TWO, **more,
    }  # fmt: skip
    return DebianTarget(name=name, version=version, source=source), Given(dsc, b"one", b"two")


@pytest.mark.parametrize("text", [PLAIN, SIGNED], ids=["as it is", "signed"])
def test_its_name_version_and_files_are_read(text: str) -> None:
    found = debian.read(text.encode())
    assert (found.format, found.source, found.version) == ("3.0 (quilt)", "toy", "1.0-1")
    assert found.files == {"toy_1.0.orig.tar.gz": ONE, "toy_1.0-1.debian.tar.xz": TWO}
    assert debian.control(*target(text.encode()))[0] == "toy_1.0-1.dsc"


@pytest.mark.parametrize("kind", ["3.0 (git)", "3.0 (custom)", "2.0", ""])
def test_a_format_that_is_made_by_running_things_is_not_unpacked(kind: str) -> None:
    with pytest.raises(InputError, match="format"):
        debian.read(PLAIN.replace("3.0 (quilt)", kind).encode())


def test_a_target_is_the_package_that_its_control_file_is_of() -> None:
    for made in (
        target(PLAIN.encode(), version="1.0-2"),
        target(PLAIN.encode(), name="other"),
        target(PLAIN.encode(), **{"toy_1.0.orig-x.tar.gz": ONE}),
        target(PLAIN.replace(TWO, ONE).encode()),
    ):
        with pytest.raises(InputError):
            debian.control(*made)
    debian.control(*target(PLAIN.encode(), version="1.0-1~without-the-fix"))
    debian.control(*target(PLAIN.encode(), version="1.0-1+0123456789ab"))


@given(st.binary(max_size=300) | st.text(max_size=300).map(lambda t: (SIGNED[:60] + t).encode()))
def test_any_bytes_are_a_control_file_or_one_error_of_ours(data: bytes) -> None:
    try:
        found = debian.read(data)
    except ClearwayError:
        return
    assert found.files


@pytest.mark.parametrize(
    "source",
    [{"a.tar.gz": ONE, "b.tar.gz": TWO}, {"a.dsc": ONE, "b.dsc": TWO}, {"a.dsc": ONE, "../b.tar.gz": TWO},
     {"a.dsc": ONE, "-x.tar.gz": TWO}, {"a.dsc": ONE, "b.sh": TWO}],
    ids=["no control file", "two of them", "a name outside", "an option", "no archive"],
)  # fmt: skip
def test_the_files_of_a_source_package_are_named_as_they_are(source: dict[str, str]) -> None:
    made = c_recipe(COPIES, None)
    made["target"] = {"kind": "debian", "name": "toy", "version": "1", "source": source}
    with pytest.raises(InputError):
        read(made)
    assert LONG != SHORT
