"""A disk that fills up under people at work: reads go on, nothing is corrupted, and work goes on when there is room."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from clearway.records.errors import FullError
from clearway.store.connect import connect
from clearway.store.principal import PUBLIC, Pool
from clearway.store.server import lease
from fleet_world import document
from intake_world import osv, package, run, write
from people import Somebody
from served import Served, assert_log_verifies, assert_no_corruption, eventually, serving

SIZE_MIB = 260
PROBLEM = "application/problem+json"


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small file system in memory."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to mount a small disk")
    folder = tmp_path / "disk"
    folder.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={SIZE_MIB}m", "tmpfs", str(folder)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        pytest.skip(f"can't mount here: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=False)


def _fill(disk: Path, leave: int) -> None:
    """Takes all room but `leave` bytes."""
    free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
    with (disk / "ballast").open("ab") as file:
        block = b"\1" * (1 << 20)
        for _ in range(max(0, free - leave) >> 20):
            file.write(block)


def _write(served: Served, who: Somebody, n: int) -> httpx.Response | None:
    try:
        return served.ask(who, "POST", "/api/v1/assets", json={"name": f"machine {n}"})
    except httpx.TransportError:
        return None


def test_a_full_disk_stops_writers_with_a_word_and_nobody_else(
    disk: Path, made_home: Path, tmp_path: Path
) -> None:
    home = disk / "home"
    subprocess.run(["cp", "-a", str(made_home), str(home)], check=True)
    with lease(home) as url, serving(home, tmp_path, url) as served:
        (who,) = served.prepare(1)
        served.start("api")
        served.ready()
        kept = set()
        for n in range(5):
            made = _write(served, who, n)
            assert made is not None
            assert made.status_code == 201, made.text
            kept.add(made.json()["id"])
        asset = min(kept)
        _fill(disk, 4 << 20)

        refused = 0
        big = document(*(f"pkg:pypi/package-{n}@{n}.0" for n in range(20_000)))
        for n in range(60):
            for answer in (
                _write(served, who, 1_000 + n),
                served.ask(who, "POST", f"/api/v1/assets/{asset}/inventories?witness=w{n}", content=big)
                if n % 4 == 0 else None,
            ):  # fmt: skip
                if answer is None:
                    continue
                if answer.status_code == 201:
                    if "id" in answer.json():
                        kept.add(answer.json()["id"])
                    continue
                assert answer.status_code in (503, 507), answer.text
                assert answer.headers["content-type"] == PROBLEM
                refused += 1
            if refused >= 5:
                break
        assert refused >= 5, "the disk did not fill"

        # Reads go on.
        for path in (
            f"/api/v1/assets/{asset}",
            "/api/v1/assets",
            "/api/v1/exposures",
            "/api/v1/ledger/entries",
        ):
            assert served.ask(who, "GET", path).status_code == 200, served.said()[-2000:]

        # Taking advisories in says what is wrong, and leaves what stands.
        records = [
            osv(f"PYSEC-2027-{n}", package("PyPI", f"p{n}", "1.0"), details="x" * 20_000) for n in range(600)
        ]
        done = run("--home", home, "ingest", write(tmp_path / "more.jsonl", *records))
        assert done.returncode not in (0, 1), done.stderr
        assert b"Traceback" not in done.stderr
        assert b"space" in done.stderr or b"disk" in done.stderr or b"full" in done.stderr, done.stderr
        assert served.ask(who, "GET", f"/api/v1/assets/{asset}").status_code == 200

        (disk / "ballast").unlink()
        eventually(lambda: (made := _write(served, who, 9_999)) is not None and made.status_code in (201, 409),
                   "nobody can write though there is room", served.said)  # fmt: skip
        with connect(url, autocommit=True) as db:
            there = {a for (a,) in db.execute("select asset from clearway.asset")}
            logged = {
                s for (s,) in db.execute("select subject from clearway.log_entry where act = 'asset.added'")
            }
        assert kept <= there, "an acknowledged write is lost"
        assert logged == {f"asset/{a}" for a in there}
        assert_log_verifies(url)
        assert_no_corruption(url)


@pytest.mark.slow  # half a minute: it fills a disk to the last block, again and again
def test_a_disk_without_any_room_takes_no_new_connection_and_is_said_to_be_full(
    disk: Path, made_home: Path, tmp_path: Path
) -> None:
    """PostgreSQL writes a file for new connections when its upkeep has removed the last: without room it takes none."""
    home = disk / "home"
    subprocess.run(["cp", "-a", str(made_home), str(home)], check=True)
    with lease(home) as url, serving(home, tmp_path, url) as served:
        (who,) = served.prepare(1)
        served.start("api")
        served.ready()
        assert served.ask(who, "GET", "/api/v1/assets").status_code == 200

        def refused() -> bool:
            """Removes the files as an upkeep of the catalogue does, and takes the room for new ones."""
            for left in (home / "postgres").rglob("pg_internal.init"):
                left.unlink(missing_ok=True)
            with suppress(OSError), (disk / "ballast").open("ab", buffering=0) as file:
                for size in (1 << 20, 4096):
                    with suppress(OSError):
                        while True:
                            file.write(b"\1" * size)
            try:
                connect(url).close()
            except FullError as error:
                return "doctor" in error.mend
            return False

        reading = Pool(url)
        with reading.acting(PUBLIC):
            pass  # a connection of the application, and none of the owner
        eventually(refused, "new connections are taken still")
        reading.check()
        reading.close()
        # Another process asks: what it needs is not open.
        for words in (("ledger", "verify"), ("access", "embargo", "list")):
            done = run("--home", home, *words)
            assert done.returncode == 8, done.stderr
            assert b"disk is full" in done.stderr, done.stderr
            assert b"gone" not in done.stderr
        with Pool(url) as pool, pytest.raises(FullError, match="disk is full"):
            pool.check()
        # The server has connections, so that it reads and is ready, whichever of them it looks with.
        assert served.ask(who, "GET", "/api/v1/assets").status_code == 200
        assert served.is_ready(), served.said()[-2000:]

        (disk / "ballast").unlink()
        eventually(lambda: (made := _write(served, who, 9_999)) is not None and made.status_code in (201, 409),
                   "nobody can write though there is room", served.said)  # fmt: skip
        with Pool(url) as pool:
            pool.check()
