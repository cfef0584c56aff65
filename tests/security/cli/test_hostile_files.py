"""Hostile files given to `match` and `ingest`: the file, the place and the cure are named, and memory stays bounded."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest
import zstandard

from intake_world import command, environment
from intake_world import run_here as run
from table_home import sbom

GIB = 1 << 30
GOOD = sbom("pkg:pypi/alpha@1.2")
XML = b"<?xml version='1.0'?>"
BOM = b"<bom xmlns='http://cyclonedx.org/schema/bom/1.6'><components/></bom>"

# name -> (file name, bytes)
HOSTILE: dict[str, tuple[str, bytes]] = {
    "empty": ("x.json", b""),
    "cut short": ("x.json", GOOD[:-30]),
    "an array": ("x.json", b"[1, 2]"),
    "a number": ("x.json", b"17"),
    "of another type inside": ("x.json", b'{"bomFormat": "CycloneDX", "specVersion": "1.6", "components": 7}'),
    "deep": ("x.json", b'{"bomFormat": "CycloneDX", "specVersion": "1.6", "components": ' + b"[" * 100_000),
    "deep and whole": (
        "x.json",
        b'{"bomFormat": "CycloneDX", "specVersion": "1.6", "components": [], "x": '
        + b"[" * 100_000
        + b"]" * 100_000
        + b"}",
    ),
    "two values of one key": ("x.json", GOOD[:-1] + b', "components": []}'),
    "NaN": ("x.json", GOOD[:-1] + b', "x": NaN}'),
    "no UTF-8": ("x.json", GOOD[:-1] + b', "x": "\xff\xfe"}'),
    "half a surrogate pair": ("x.json", GOOD[:-1] + b', "x": "\\ud800"}'),
    "an entity": ("x.xml", XML + b"<!DOCTYPE bom [<!ENTITY a 'b'>]>" + BOM),
    "an entity from outside": ("x.xml", XML + b"<!DOCTYPE bom [<!ENTITY a SYSTEM 'file:///etc/passwd'>]>" + BOM),
    "a DTD": ("x.xml", XML + b"<!DOCTYPE bom SYSTEM 'http://127.0.0.1:9/x.dtd'>" + BOM),
    "laughing XML": (
        "x.xml",
        XML
        + b"<!DOCTYPE bom [<!ENTITY a0 'ha'>"
        + b"".join(b"<!ENTITY a%d '%s'>" % (n, b"&a%d;" % (n - 1) * 10) for n in range(1, 10))
        + b"]>"
        + BOM,
    ),
    "XML cut short": ("x.xml", XML + BOM[:-10]),
    "deep XML": ("x.xml", XML + BOM[:-19] + b"<component>" * 100_000),
    "SPDX cut short": ("x.spdx.json", b'{"spdxVersion": "SPDX-2.3", "packages": ['),
    "a zip cut short": ("x.zip", b"PK\x03\x04" + b"\0" * 10),
    "zstd of nothing": ("x.zst", b"\x28\xb5\x2f\xfd" + b"\xff" * 40),
    "gzip cut short": ("x.json.gz", b"\x1f\x8b\x08\0\0\0\0\0\0\x03" + b"\x01"),
}  # fmt: skip
# What is an inventory all the same: nothing in it makes it unreadable.
READ_ANYWAY: dict[str, tuple[str, bytes]] = {
    "a huge integer": ("x.json", GOOD[:-1] + b', "x": ' + b"9" * 4_000 + b"}"),
    "a byte-order mark": ("x.json", b"\xef\xbb\xbf" + GOOD),
}


def put(folder: Path, file: tuple[str, bytes]) -> Path:
    path = folder / file[0]
    path.write_bytes(file[1])
    return path


@pytest.mark.parametrize("what", list(HOSTILE))
def test_match_names_the_file_and_goes_on_with_the_others(tabled: Path, tmp_path: Path, what: str) -> None:
    path, good = put(tmp_path, HOSTILE[what]), put(tmp_path, ("good.json", GOOD))
    done = run("--home", tabled, "match", path, good, "--json")
    said = done.stderr.decode()
    assert done.returncode == 10, said
    assert str(path) in said
    assert "Traceback" not in said
    assert len(said.strip().splitlines()) == 1
    report = json.loads(done.stdout)
    assert report["inventory"]["affected"] == 1


@pytest.mark.parametrize("what", list(READ_ANYWAY))
def test_match_reads_what_can_be_read(tabled: Path, tmp_path: Path, what: str) -> None:
    done = run("--home", tabled, "match", put(tmp_path, READ_ANYWAY[what]), "--json")
    assert done.returncode == 1, done.stderr
    assert json.loads(done.stdout)["inventory"]["affected"] == 1


GARBAGE = [
    "pkg:", "pkg:pypi", "pkg:pypi/", "pkg:pypi/@1", "pkg:pypi/alpha@", "pkg:pypi/alpha@%ff", "pkg:pypi/alpha@%00",
    "pkg:%2e%2e/%2e%2e@1", "alpha", "", "pkg:pypi/" + "a" * 100_000 + "@1", "pkg:pypi/alpha@" + "9" * 100_000,
    "pkg:pypi/alpha@" + "1." * 50_000, "pkg:deb/debian/x@" + "~" * 10_000 + "?distro=debian-12", "pkg:maven/a@1",
    "pkg:npm/%40/%40@1", "pkg:golang/a@v0.0.0-99999999999999-abcdefabcdef", "pkg:rpm/x/y@1:2:3-4?epoch=x", "\0",
    "pkg:pypi/alpha@1.2?" + "&".join(f"k{n}=v" for n in range(5_000)), "pkg:pypi/alpha@١.٢", "pkg:pypi/ａlpha@1.2",
]  # fmt: skip


def test_garbage_for_purls_and_versions_spoils_only_itself(tabled: Path, tmp_path: Path) -> None:
    path = put(tmp_path, ("x.json", sbom(*GARBAGE, "pkg:pypi/alpha@1.2")))
    done = run("--home", tabled, "match", path, "--json", "--all")
    assert done.returncode == 1, done.stderr
    report = json.loads(done.stdout)
    counts = report["inventory"]
    assert counts["components"] == len(GARBAGE) + 1
    assert counts["affected"] + counts["unknown"] + counts["not_affected"] == counts["components"]
    affected = {f["component"]["purl"] for f in report["findings"] if f["verdict"] == "affected"}
    assert "pkg:pypi/alpha@1.2" in affected
    assert all(u["reason"] for u in report["unknown"])


def archive(kind: str, members: dict[str, bytes | str]) -> bytes:
    """An archive; a text for a member makes it a link to that place."""
    buffer = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(buffer, "w") as file:
            for name, data in members.items():
                info = zipfile.ZipInfo(name)
                if isinstance(data, str):
                    info.external_attr = 0o120777 << 16
                file.writestr(info, data)
        return buffer.getvalue()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            if isinstance(data, str):
                member.type, member.linkname = tarfile.SYMTYPE, data
                tar.addfile(member)
            else:
                member.size = len(data)
                tar.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


@pytest.mark.parametrize("command_", ["match", "ingest"])
@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_members_that_lead_out_of_an_archive_are_refused_by_name(
    tabled: Path, home: Path, tmp_path: Path, kind: str, command_: str
) -> None:
    record = json.dumps({"id": "GHSA-a", "modified": "2026-01-01T00:00:00Z", "affected": []}).encode()
    good = GOOD if command_ == "match" else record
    members: dict[str, bytes | str] = {
        "../up.json": good, "/root.json": good, "a/../../b.json": good, "link.json": "/etc/passwd", "good.json": good,
    }  # fmt: skip
    path = put(tmp_path, (f"x.{kind}", archive(kind, members)))
    done = run("--home", tabled if command_ == "match" else home, command_, path, "--json")
    assert done.returncode == 10, done.stderr
    answer = json.loads(done.stdout)
    if command_ == "match":
        said = done.stderr.decode()
        assert answer["inventory"]["affected"] == 1
    else:
        said = "\n".join(f"{r['place']}: {r['reason']}" for r in answer["rejects"])
        assert (answer["new"], answer["set_aside"]) == (1, 4)
    for name in ("../up.json", "/root.json", "a/../../b.json", "link.json"):
        assert f"x.{kind}!{name}" in said
    assert not (tmp_path.parent / "up.json").exists()


def test_ingest_sets_each_aside_by_its_place_and_takes_the_others_in(home: Path, tmp_path: Path) -> None:
    paths = []
    for number, file in enumerate(HOSTILE.values()):
        folder = tmp_path / str(number)
        folder.mkdir()
        paths.append(put(folder, file))
    record = {"id": "GHSA-a", "modified": "2026-01-01T00:00:00Z", "affected": []}
    good = put(tmp_path, ("good.json", json.dumps(record).encode()))
    done = run("--home", home, "ingest", *paths, good, "--json")
    assert done.returncode == 10, done.stderr
    assert b"Traceback" not in done.stderr
    answer = json.loads(done.stdout)
    assert answer["new"] == 1
    assert answer["set_aside"] + answer["skipped"] == len(paths)
    assert answer["set_aside"] > len(paths) // 2
    for reject in answer["rejects"]:
        assert any(reject["place"].startswith(str(path)) for path in paths)
        assert reject["reason"]


# Memory. `measured` runs one command as the only child of a small process, whose children's peak and
# processor time it reports.

MEASURE = """
import json, resource, subprocess, sys
done = subprocess.run(sys.argv[1:], stdin=sys.stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps([done.returncode, used.ru_maxrss * 1024, used.ru_utime + used.ru_stime,
                  done.stdout[-4000:].decode("utf-8", "replace"), done.stderr[-4000:].decode("utf-8", "replace")]))
"""


class Measured:
    def __init__(self, *words: str | Path, stdin: Any = subprocess.DEVNULL, timeout_s: float = 120) -> None:
        done = subprocess.run(
            [sys.executable, "-c", MEASURE, *command(*words)],
            stdin=stdin,
            capture_output=True,
            check=True,
            env=environment(),
            timeout=timeout_s,
        )
        self.code, self.peak_bytes, self.cpu_s, self.out, self.said = json.loads(done.stdout)
        assert "Traceback" not in self.said


def zip_bomb() -> bytes:
    buffer = io.BytesIO()
    with (
        zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as file,
        file.open("x.json", "w") as member,
    ):
        for _ in range(300):
            member.write(b" " * (1 << 20))
    return buffer.getvalue()


def zstd_bomb() -> bytes:
    packer = zstandard.ZstdCompressor(level=3).compressobj()
    return b"".join(packer.compress(b" " * (1 << 20)) for _ in range(2048)) + packer.flush()


@pytest.mark.parametrize("command_", ["match", pytest.param("ingest", marks=pytest.mark.slow)])
@pytest.mark.parametrize("kind", ["zip", "zst"])
def test_a_bomb_is_refused_in_little_memory(
    tabled: Path, home: Path, tmp_path: Path, kind: str, command_: str
) -> None:
    path = put(tmp_path, (f"x.{kind}", zip_bomb() if kind == "zip" else zstd_bomb()))
    done = Measured("--home", tabled if command_ == "match" else home, command_, path)
    assert done.code == 10, (done.out, done.said)
    assert str(path) in done.said
    assert done.peak_bytes < GIB
    assert done.cpu_s < 20


@pytest.mark.parametrize(
    ("command_", "name"),
    [
        ("match", "x.json"),
        ("ingest", "x.json"),
        pytest.param("match", "x.jsonl", marks=pytest.mark.slow),
        pytest.param("ingest", "x.jsonl", marks=pytest.mark.slow),
    ],
)
def test_a_line_of_2_gb_is_refused_in_bounded_memory(
    tabled: Path, home: Path, tmp_path: Path, name: str, command_: str
) -> None:
    path = tmp_path / name
    with path.open("wb") as file:  # sparse: a hole reads as zeros
        file.write(b'{"id": "')
        file.truncate(2 << 30)
    done = Measured("--home", tabled if command_ == "match" else home, command_, path)
    assert done.code == 10, (done.out, done.said)
    assert str(path) in done.said
    assert done.peak_bytes < GIB, f"{done.peak_bytes >> 20} MiB"


@pytest.mark.parametrize("command_", ["match", "ingest"])
def test_standard_input_without_end_is_refused_in_bounded_memory(
    tabled: Path, home: Path, command_: str
) -> None:
    with Path("/dev/zero").open("rb") as endless:
        done = Measured("--home", tabled if command_ == "match" else home, command_, "-", stdin=endless)
    assert done.code == 10, (done.out, done.said)
    assert done.peak_bytes < GIB, f"{done.peak_bytes >> 20} MiB"


@pytest.mark.slow
def test_a_batch_line_without_end_is_refused_in_bounded_memory(tabled: Path, tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    with path.open("wb") as file:
        file.truncate(2 << 30)
    done = Measured("--home", tabled, "query", "--batch", path)
    assert done.code == 10, (done.out, done.said)
    assert done.peak_bytes < GIB, f"{done.peak_bytes >> 20} MiB"


def big(path: Path, components: int) -> Path:
    with path.open("w") as file:
        file.write('{"bomFormat": "CycloneDX", "specVersion": "1.6", "components": [')
        for n in range(components):
            name = "alpha" if n % 100 == 0 else f"p{n}"
            comma = "," if n else ""
            file.write(f'{comma}{{"type": "library", "name": "{name}", "purl": "pkg:pypi/{name}@1.{n % 7}"}}')
        file.write("]}")
    return path


@pytest.mark.slow
def test_a_million_components_take_linear_time_and_under_a_gibibyte(tabled: Path, tmp_path: Path) -> None:
    small = Measured("--home", tabled, "match", big(tmp_path / "small.json", 100_000), "--json")
    large = Measured(
        "--home", tabled, "match", big(tmp_path / "large.json", 1_000_000), "--json", timeout_s=300
    )
    assert small.code == large.code == 1
    assert large.peak_bytes < GIB, f"{large.peak_bytes >> 20} MiB"
    assert large.cpu_s < small.cpu_s * 15


def test_a_link_to_itself_is_named(tabled: Path, tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    done = run("--home", tabled, "match", tmp_path / "loop")
    assert done.returncode in (6, 8, 10), done.stderr
    assert str(tmp_path / "loop") in done.stderr.decode()
    assert b"Traceback" not in done.stderr
