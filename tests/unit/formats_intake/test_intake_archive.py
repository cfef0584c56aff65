"""Files, folders, archives and streams are walked within bounds; what is refused says why, the rest lands."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import random
import tarfile
import tracemalloc
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import zstandard

from clearway.formats.archive import Blob, Limits, Refused, walk
from clearway.records.errors import NotFoundError
from often import often


def tar_of(members: dict[str, bytes], kind: str = "w") -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=kind, format=tarfile.PAX_FORMAT) as tar:  # type: ignore[call-overload]
        for name, data in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return out.getvalue()


def zip_of(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return out.getvalue()


def read(
    tmp_path: Path, name: str, data: bytes, limits: Limits | None = None
) -> tuple[list[Blob], list[Refused]]:
    path = tmp_path / name
    path.write_bytes(data)
    found = list(walk([path], limits))
    return [x for x in found if isinstance(x, Blob)], [x for x in found if isinstance(x, Refused)]


MEMBERS = {"a/1.json": b'{"a":1}', "b.json": b'{"b":2}'}


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("x.tar", tar_of(MEMBERS)),
        ("x.tar.gz", gzip.compress(tar_of(MEMBERS))),
        ("x.tgz", gzip.compress(tar_of(MEMBERS))),
        ("x.tar.zst", zstandard.compress(tar_of(MEMBERS))),
        ("x.tar.xz", lzma.compress(tar_of(MEMBERS))),
        ("x.tar.bz2", bz2.compress(tar_of(MEMBERS))),
        ("x.zip", zip_of(MEMBERS)),
        ("named-as-something-else.json", zip_of(MEMBERS)),
        ("no-suffix", zstandard.compress(tar_of(MEMBERS))),
    ],
)
def test_every_archive_gives_its_members_by_content_not_by_name(
    tmp_path: Path, name: str, data: bytes
) -> None:
    blobs, refused = read(tmp_path, name, data)
    assert [(b.place.rpartition("!")[2], b.data) for b in blobs] == list(MEMBERS.items())
    assert not refused


def test_gnu_tars_with_long_names_and_old_tars_are_read(tmp_path: Path) -> None:
    long_name = "d/" * 80 + "x.json"
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as tar:
        entry = tarfile.TarInfo(long_name)
        entry.size = 2
        tar.addfile(entry, io.BytesIO(b"{}"))
    blobs, _ = read(tmp_path, "gnu.tar", out.getvalue())
    assert blobs[0].place.endswith(long_name)
    pax, _ = read(tmp_path, "pax.tar", tar_of({long_name: b"{}", "ü.json": b"[]"}))
    assert [b.place.rpartition("!")[2] for b in pax] == [long_name, "ü.json"]


def test_json_lines_give_one_blob_a_line_with_exact_bytes(tmp_path: Path) -> None:
    data = b'{"a":  1}\n\n{"b":2}\r\n{"c":3}'
    for name, packed in (
        ("x.jsonl", data),
        ("x.jsonl.zst", zstandard.compress(data)),
        ("x.ndjson.gz", gzip.compress(data)),
    ):
        blobs, refused = read(tmp_path, name, packed)
        assert [(b.place.rpartition(":")[2], b.data) for b in blobs] == [
            ("1", b'{"a":  1}'),
            ("3", b'{"b":2}'),
            ("4", b'{"c":3}'),
        ]
        assert not refused


def test_json_lines_are_recognised_on_standard_input_without_a_name() -> None:
    found = list(walk(["-"], stdin=io.BytesIO(b'{"a":1}\n{"b":2}\n')))
    assert found == [Blob("-:1", b'{"a":1}'), Blob("-:2", b'{"b":2}')]
    pretty = b'{\n  "a": 1\n}\n'
    assert list(walk(["-"], stdin=io.BytesIO(pretty))) == [Blob("-", pretty)]
    assert [b.data for b in walk(["-"], stdin=io.BytesIO(zip_of(MEMBERS))) if isinstance(b, Blob)] == list(
        MEMBERS.values()
    )


def test_frames_one_after_the_other_are_one_stream(tmp_path: Path) -> None:
    skippable = b"\x50\x2a\x4d\x18\x04\x00\x00\x00meta"
    for packed in (
        skippable + zstandard.compress(b'{"a":') + zstandard.compress(b"1}"),
        gzip.compress(b'{"a":') + gzip.compress(b"1}"),
        bz2.compress(b'{"a":') + bz2.compress(b"1}"),
        lzma.compress(b'{"a":') + lzma.compress(b"1}"),
    ):
        blobs, refused = read(tmp_path, "x.json.packed", packed)
        assert [b.data for b in blobs] == [b'{"a":1}']
        assert not refused


def test_a_folder_is_walked_by_name_and_links_do_not_lead_out(tmp_path: Path) -> None:
    folder = tmp_path / "feed"
    (folder / "b").mkdir(parents=True)
    (folder / ".git").mkdir()
    (folder / ".git" / "x.json").write_bytes(b"{}")
    (folder / "b" / "2.json").write_bytes(b"2")
    (folder / "a.json").write_bytes(b"1")
    (folder / "c.zip").write_bytes(zip_of({"3.json": b"3"}))
    (tmp_path / "secret.json").write_bytes(b"secret")
    (folder / "out.json").symlink_to(tmp_path / "secret.json")
    (folder / "up").symlink_to(tmp_path)
    (folder / "again.json").symlink_to("a.json")
    os.mkfifo(folder / "pipe")
    found = list(walk([folder]))
    assert [b.data for b in found if isinstance(b, Blob)] == [b"1", b"2", b"3"]
    assert {Path(r.place).name: r.reason for r in found if isinstance(r, Refused)} == {
        "out.json": "a symbolic link that leads out of the folder",
        "up": "a symbolic link that leads out of the folder",
        "pipe": "not a regular file",
    }


def test_a_path_that_does_not_exist_is_told_before_anything_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(b"1")
    walking = walk([tmp_path / "a.json", tmp_path / "nowhere"])
    with pytest.raises(NotFoundError, match="nowhere"):
        next(walking)


def test_traversal_links_and_devices_in_a_tar_are_refused_and_the_rest_lands(tmp_path: Path) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, kind in (
            ("../../etc/passwd", tarfile.REGTYPE),
            ("/etc/shadow", tarfile.REGTYPE),
            ("C:\\windows\\x", tarfile.REGTYPE),
            ("link", tarfile.SYMTYPE),
            ("hard", tarfile.LNKTYPE),
            ("dev", tarfile.CHRTYPE),
            ("pipe", tarfile.FIFOTYPE),
            ("folder", tarfile.DIRTYPE),
            ("good.json", tarfile.REGTYPE),
        ):
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = kind, "/etc/passwd"
            entry.size = 2 if kind == tarfile.REGTYPE else 0
            tar.addfile(entry, io.BytesIO(b"{}"))
    blobs, refused = read(tmp_path, "x.tar", out.getvalue())
    assert [b.place.rpartition("!")[2] for b in blobs] == ["good.json"]
    assert [r.reason for r in refused] == [
        'a path with ".."',
        "an absolute path",
        "an absolute path",
        "a symbolic link, not a file",
        "a hard link, not a file",
        "a character device, not a file",
        "a named pipe, not a file",
    ]


def test_a_zip_with_a_member_without_a_name_is_read(tmp_path: Path) -> None:
    whole = zip_of({"zbc": b'{"id": "A"}', "named.json": b'{"id": "B"}'})
    blobs, refused = read(tmp_path, "x.zip", whole.replace(b"zbc", b"\0bc"))  # the name ends before it
    assert blobs[-1].data == b'{"id": "B"}'
    assert len(blobs) + len(refused) == 2


def test_traversal_links_and_locked_members_in_a_zip_are_refused_and_the_rest_lands(tmp_path: Path) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("../evil.json", b"{}")
        link = zipfile.ZipInfo("link")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
        archive.writestr(zipfile.ZipInfo("packed.json"), b"{}", zipfile.ZIP_LZMA)
        locked = zipfile.ZipInfo("locked.json")
        archive.writestr(locked, b"{}")
        archive.writestr("good.json", b"{}")
        archive.getinfo("locked.json").flag_bits |= 1
    blobs, refused = read(tmp_path, "x.zip", out.getvalue())
    assert [b.place.rpartition("!")[2] for b in blobs] == ["good.json"]
    assert [r.reason for r in refused] == [
        'a path with ".."',
        "a symbolic link, not a file",
        "compressed by method 14, not read here",
        "encrypted",
    ]


@pytest.mark.parametrize("suffix", ["tar", "tar.zst", "tar.gz", "tar.xz", "tar.bz2"])
def test_of_a_truncated_archive_what_was_read_lands(tmp_path: Path, suffix: str) -> None:
    # Incompressible, so that the cut is inside the second member in each packing.
    noise = random.Random(1).randbytes(2_000_000)
    data = tar_of({"first.json": b'{"a":1}' + b" " * 2_000_000, "second.json": noise})
    packed = {
        "tar": lambda: data,
        "tar.zst": lambda: zstandard.compress(data),
        "tar.gz": lambda: gzip.compress(data, 1),
        "tar.xz": lambda: lzma.compress(data, preset=0),
        "tar.bz2": lambda: bz2.compress(data, 1),
    }[suffix]()
    blobs, refused = read(tmp_path, f"x.{suffix}", packed[:-500_000])
    assert [b.place.rpartition("!")[2] for b in blobs] == ["first.json"]
    assert [r.reason for r in refused] == [
        "the archive is cut short" if suffix == "tar" else "the compressed data is cut short"
    ]


def test_a_tar_without_its_end_mark_is_reported_though_all_members_land(tmp_path: Path) -> None:
    blobs, refused = read(tmp_path, "x.tar", tar_of(MEMBERS)[: 4 * 512])
    assert len(blobs) == 2
    assert [r.reason for r in refused] == ["the archive is cut short"]


def test_a_truncated_or_damaged_zip_is_refused_with_its_place(tmp_path: Path) -> None:
    _, refused = read(tmp_path, "x.zip", zip_of(MEMBERS)[:-30])
    assert [r.reason for r in refused] == ["a zip archive without its directory: it is cut short"]
    damaged = zip_of({"a.json": b"x" * 1000}).replace(
        zip_of({"a.json": b"x" * 1000})[40:44], b"\xff\xff\xff\xff", 1
    )
    _, refused = read(tmp_path, "y.zip", damaged)
    assert len(refused) == 1
    assert "damaged" in refused[0].reason


class _Counted(io.RawIOBase):
    """`size` bytes of one letter that never exist at once; a small record follows on its own line."""

    def __init__(self, size: int, tail: bytes) -> None:
        self.left, self.tail = size, tail

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        if self.left:
            count = min(size, self.left)
            self.left -= count
            return b"x" * count
        found, self.tail = self.tail[:size], self.tail[size:]
        return found


def test_a_line_of_gigabytes_is_refused_with_bounded_memory_and_the_next_line_lands(tmp_path: Path) -> None:
    sparse = tmp_path / "big.jsonl"
    with sparse.open("wb") as file:
        file.seek(often(256 << 20, 2 << 30))
        file.write(b'\n{"a":1}\n')
    tracemalloc.start()
    try:
        found = list(walk([sparse], Limits(member_bytes=8 << 20)))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert found == [Refused(f"{sparse}:1", "larger than 8 MiB"), Blob(f"{sparse}:2", b'{"a":1}')]
    assert peak < 40 << 20


def test_an_endless_file_on_standard_input_is_refused_with_bounded_memory() -> None:
    tracemalloc.start()
    try:
        found = list(walk(["-"], Limits(member_bytes=8 << 20), stdin=_Counted(64 << 20, b"")))  # type: ignore[arg-type]
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert found == [Refused("-", "larger than 8 MiB")]
    assert peak < 40 << 20


def _zeros(size: int) -> Iterator[bytes]:
    for _ in range(size >> 20):
        yield bytes(1 << 20)


@pytest.mark.parametrize("kind", ["zst", "gz", "xz", "bz2"])
def test_a_bomb_is_refused_by_its_ratio_with_bounded_memory(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"bomb.jsonl.{kind}"
    zeros = bytes(192 << 20)
    pack = {
        "zst": zstandard.compress,
        "gz": gzip.compress,
        "xz": lambda d: lzma.compress(d, preset=0),
        "bz2": bz2.compress,
    }
    path.write_bytes(pack[kind](zeros))
    del zeros
    tracemalloc.start()
    try:
        found = list(walk([path], Limits(member_bytes=4 << 20)))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert isinstance(found[-1], Refused)
    assert found[-1].reason == "unpacks to more than 100 times its size"
    assert peak < 64 << 20


def test_a_zip_bomb_of_many_members_is_refused_by_the_ratio_of_the_whole(tmp_path: Path) -> None:
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for i in range(6):
            with archive.open(f"{i}.json", "w") as member:
                for chunk in _zeros(32 << 20):
                    member.write(chunk)
    found = list(walk([path]))
    assert isinstance(found[-1], Refused)
    assert found[-1].reason == "unpacks to more than 100 times its size"
    assert 1 <= sum(isinstance(x, Blob) for x in found) < 6


def test_a_member_over_the_limit_is_refused_and_the_next_lands(tmp_path: Path) -> None:
    members = {"big.json": b"x" * 3_000_000, "small.json": b"{}"}
    for name, data in (("x.tar", tar_of(members)), ("x.zip", zip_of(members))):
        blobs, refused = read(tmp_path, name, data, Limits(member_bytes=1 << 20))
        assert [b.data for b in blobs] == [b"{}"]
        assert [r.reason for r in refused] == ["larger than 1 MiB"]


def test_archives_in_archives_are_read_to_the_third_and_no_deeper(tmp_path: Path) -> None:
    third = tar_of({"x.json": b"{}"})
    second = zip_of({"third.tar": third})
    first = gzip.compress(tar_of({"second.zip": second}))
    blobs, refused = read(tmp_path, "first.tar.gz", first)
    assert [b.place.split("!")[1:] for b in blobs] == [["second.zip", "third.tar", "x.json"]]
    assert not refused
    blobs, refused = read(tmp_path, "zeroth.zip", zip_of({"first.tar.gz": first}))
    assert not blobs
    assert [r.reason for r in refused] == ["archives nested too deep"]
    _, refused = read(tmp_path, "twice.gz", gzip.compress(gzip.compress(b"{}")))
    assert [r.reason for r in refused] == ["compressed more than once"]


def test_a_tar_header_that_lies_about_its_size_is_refused_without_believing_it(tmp_path: Path) -> None:
    entry = tarfile.TarInfo("x.json")
    entry.size = 1 << 50
    blobs, refused = read(tmp_path, "huge.tar", entry.tobuf(tarfile.GNU_FORMAT) + b"{}" * 600)
    assert not blobs
    assert refused
    pax = tarfile.TarInfo("pax")
    pax.type, pax.size = tarfile.XHDTYPE, 1 << 40
    _, refused = read(tmp_path, "pax.tar", pax.tobuf(tarfile.GNU_FORMAT))
    assert [r.reason for r in refused] == ["a tar header claims to be larger than 1 MiB"]
    negative = bytearray(tarfile.TarInfo("n.json").tobuf(tarfile.GNU_FORMAT))
    negative[124:136] = b"\xff" * 12
    negative[148:156] = b" " * 8
    negative[148:156] = b"%06o\x00 " % sum(negative)
    _, refused = read(tmp_path, "negative.tar", bytes(negative) + bytes(1024))
    assert [r.reason for r in refused] == ["a tar header has no readable size"]


def test_more_members_than_the_limit_end_the_archive(tmp_path: Path) -> None:
    many = {f"{i}.json": b"{}" for i in range(20)}
    for name, data in (("x.tar", tar_of(many)), ("x.zip", zip_of(many))):
        _, refused = read(tmp_path, name, data, Limits(members=10))
        assert [r.reason for r in refused] == ["more than 10 members"]


def test_member_names_are_shown_without_control_characters(tmp_path: Path) -> None:
    blobs, _ = read(tmp_path, "x.zip", zip_of({"a\x1b[31m.json": b"{}"}))
    assert blobs[0].place.endswith("!a\\x1b[31m.json")


def test_a_file_that_may_not_be_read_is_refused_and_the_rest_lands(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "gone.json").symlink_to("nowhere")
    (tmp_path / "d" / "x.json").write_bytes(b"{}")
    found = list(walk([tmp_path / "d", tmp_path / "d" / "gone.json"]))
    assert [b.data for b in found if isinstance(b, Blob)] == [b"{}"]
    assert any(isinstance(r, Refused) and "can't be read" in r.reason for r in found)
