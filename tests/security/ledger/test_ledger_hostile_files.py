"""Files from outside: a bundle, proof or key that was made to hurt is refused with a word, at little cost."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from clearway.ledger import check
from clearway.ledger.bundle import Bundle
from clearway.ledger.verify import verify
from clearway.records.errors import ClearwayError, InputError, UpstreamError
from ledger_log import KEY, MemoryLog


@pytest.fixture
def made(tmp_path: Path) -> Path:
    return MemoryLog.of(300, batches=(100, 200)).write(tmp_path / "log.zip")


def replaced(path: Path, name: str, body: bytes | None, to: str = "") -> Path:
    """The bundle with one member changed, left out (None) or renamed."""
    out = path.with_name("spoilt.zip")
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for info in old.infolist():
            if info.filename != name:
                new.writestr(info.filename, old.read(info))
        if body is not None:
            new.writestr(to or name, body)
    return out


def test_what_is_no_zip_or_no_bundle_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    for data in (b"", b"PK", b"PK\x05\x06" + b"\0" * 18, b"{}", b"\0" * 10_000):
        path.write_bytes(data)
        with pytest.raises(InputError):
            Bundle(path)
    with pytest.raises(UpstreamError):
        Bundle(tmp_path / "absent.zip")
    with pytest.raises(ClearwayError):
        Bundle(tmp_path)


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{", b"\xff", b"[" * 100_000, b'{"format":"other","origin":"x","size":1,"keys":[]}',
     b'{"format":"clearway-ledger-1","origin":"x","size":-1,"keys":[]}',
     b'{"format":"clearway-ledger-1","origin":"x","size":1e300,"keys":[]}',
     b'{"format":"clearway-ledger-1","origin":"x","size":9007199254740993,"keys":[]}'],
)  # fmt: skip
def test_a_manifest_that_is_none_is_refused(made: Path, body: bytes) -> None:
    with pytest.raises(InputError):
        Bundle(replaced(made, "log.json", body))


def test_a_member_that_unpacks_without_end_is_cut_off(made: Path) -> None:
    for name in ("tile/0/000", "tile/entries/000", "checkpoint", "log.json"):
        with pytest.raises(InputError, match="over"):
            check.verify_file(str(replaced(made, name, b"\0" * (16 << 20))), key=None, witnesses=[])


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"[[", b"\xff", b"[" * 50_000, b'[[0,["x"]]]', b"[[300,[1]]]", b"[[-1,[1]]]"]
)
def test_openings_that_can_not_be_read_are_bad_leaves_not_crashes(made: Path, body: bytes) -> None:
    report = check.verify_file(str(replaced(made, "opened/000", body)), key=None, witnesses=[])
    assert (report.ok, report.first_bad) == (False, 0)


@pytest.mark.parametrize(
    "name", ["checkpoint", "checkpoints/0", "tile/0/000", "tile/entries/000", "tile/1/000.p/1"]
)
def test_a_member_that_is_missing_is_missed(made: Path, name: str) -> None:
    report = check.verify_file(str(replaced(made, name, None)), key=None, witnesses=[])
    if name == "checkpoints/0":
        assert report.ok, "an older checkpoint is no part of the tree"
    elif name == "checkpoint":
        assert (report.ok, report.first_bad) == (False, None), (
            "no leaf is wrong, and nobody vouches for the last"
        )
        assert any("300 entries, and its newest checkpoint is of 100" in r for r in report.reasons)
    else:
        assert (report.ok, report.first_bad) == (False, 0)


@pytest.mark.parametrize(
    "name", ["checkpoint", "tile/0/000", "tile/0/001.p/44", "tile/entries/001.p/44", "opened/001"]
)
@pytest.mark.parametrize("share", [0.0, 0.3, 0.99])
def test_a_flipped_byte_anywhere_is_found(made: Path, name: str, share: float) -> None:
    with zipfile.ZipFile(made) as file:
        body = bytearray(file.read(name))
    at = int(len(body) * share)
    body[at] ^= 1
    report = check.verify_file(str(replaced(made, name, bytes(body))), key=KEY.public.text(), witnesses=[])
    assert not report.ok
    assert report.reasons


def test_a_damaged_archive_is_refused_and_named(made: Path) -> None:
    data = bytearray(made.read_bytes())
    with zipfile.ZipFile(made) as file:
        info = file.getinfo("tile/0/000")
    data[info.header_offset + 60] ^= 0xFF
    made.write_bytes(bytes(data))
    with pytest.raises(InputError, match="tile/0/000"):
        check.verify_file(str(made), key=None, witnesses=[])


def test_keys_of_the_bundle_are_its_own_word_and_bad_ones_are_no_crash(made: Path) -> None:
    manifest = json.loads(zipfile.ZipFile(made).read("log.json"))
    good = manifest["keys"][0]
    cut = {"number": 2, "vkey": good["vkey"][:-4], "endorsement": "x", "retired": False}
    for keys in ([], [{**good, "vkey": "x"}], [good, cut]):
        body = json.dumps({**manifest, "keys": keys}).encode()
        with Bundle(replaced(made, "log.json", body)) as bundle:
            assert not verify(bundle).ok


def test_a_file_that_says_it_is_of_another_log_is_refused(made: Path) -> None:
    manifest = json.loads(zipfile.ZipFile(made).read("log.json"))
    body = json.dumps({**manifest, "origin": "clearway/other"}).encode()
    report = check.verify_file(str(replaced(made, "log.json", body)), key=KEY.public.text(), witnesses=[])
    assert report.reasons == ("the file says that it is of another log than its checkpoints",)


def test_files_named_on_the_command_line_are_small_ones(tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(b"a" * (4 << 20))
    for call in (check.read_file, check.key_of, check.witness_of):
        with pytest.raises(ClearwayError):
            call(str(tmp_path / "big"))
        with pytest.raises(ClearwayError):
            call(str(tmp_path / "absent"))
        with pytest.raises(ClearwayError):
            call("a\0b")


def test_an_archive_without_members_is_said_to_be_no_bundle(tmp_path: Path) -> None:
    empty = tmp_path / "empty.zip"
    zipfile.ZipFile(empty, "w").close()
    with pytest.raises(ClearwayError, match=r"no bundle of the log: it has no log\.json"):
        Bundle(empty)
