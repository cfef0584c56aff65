"""Spark gives the rows that DuckDB gives. Wants pyspark (or CLEARWAY_TEST_PYSPARK, a folder with it) and Java 17."""

from __future__ import annotations

import csv
import importlib.util
import os
import random
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from clearway.exposure.fleet import rematch
from clearway.exposure.fleet.engine import FILES, DuckDb, Row, private_folder, to_parquet
from clearway.exposure.fleet.spark import Spark
from clearway.records.errors import UpstreamError
from fleet_world import DAY, Fleet

pytestmark = pytest.mark.slow

# Every first byte that sorts otherwise when bytes are signed, the ends, and keys that begin alike.
EACH = ("", "00", "0000", "01", "7f", "7f00", "7fff", "80", "8000", "81", "c3bf", "fe", "ff", "ff00")
KEYS = tuple(map(bytes.fromhex, EACH))


@pytest.fixture(scope="module")
def pyspark() -> Iterator[None]:
    """pyspark where children find it too."""
    folder = os.environ.get("CLEARWAY_TEST_PYSPARK", "")
    if folder:
        sys.path.append(folder)
    try:
        if importlib.util.find_spec("pyspark") is None:
            pytest.skip(
                "no pyspark: install clearway[spark], or name a folder with it in CLEARWAY_TEST_PYSPARK"
            )
        if not (os.environ.get("JAVA_HOME") or shutil.which("java")):
            pytest.skip("no Java: install default-jre-headless")
        yield
    finally:
        if folder:
            sys.path.remove(folder)


def write(folder: Path, rows: dict[str, list[tuple[object, ...]]]) -> None:
    """The Parquet files of these rows, made the way a re-match makes them."""
    sources = {name: folder / f"{name}.csv" for name in FILES}
    for name, path in sources.items():
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows(
                ["\\N" if v is None else v.hex() if isinstance(v, bytes) else v for v in row]
                for row in rows[name]
            )
    to_parquet(folder, sources)


def ordered(rows: Iterator[Row]) -> list[Row]:
    return sorted(rows, key=repr)


def made(seed: int, versions: int = 3_000) -> dict[str, list[tuple[object, ...]]]:
    """Versions looked up in some of sixty packages, intervals of every kind there, and what stood before."""
    chance = random.Random(seed)
    packages = range(1, 61)

    def key() -> bytes:
        return chance.choice(KEYS) + chance.randbytes(chance.randrange(3))

    rows: dict[str, list[tuple[object, ...]]] = {name: [] for name in FILES}
    for pv in range(1, versions + 1):
        rows["version"].append((pv, chance.random() < 0.95))
        for nth in range(chance.choice((1, 1, 1, 2))):
            unless = chance.choice(packages) if nth and chance.random() < 0.5 else None
            rows["lookup"].append((chance.choice(packages), pv, nth, unless, key()))
    records = [f"R-{n}-é☃" for n in range(120)]
    for record in records:
        rows["record_flaw"] += [
            (record, flaw) for flaw in chance.sample(range(1, 90), chance.choice((1, 1, 2)))
        ]
    for package in packages[:50]:
        rows["spoken"].append((package,))
        if package % 17 == 0:
            rows["special"].append((package,))
            continue
        for claim in range(chance.randrange(1, 5)):
            ends = sorted({b"", key(), key(), key(), b"\xff"})
            record = chance.choice(records)
            for lo, hi in zip(ends[::2], ends[1::2], strict=False):
                fixed = chance.choice(("", "1.0", "2:3~rc1", 'a "quoted", one'))
                verdict = chance.choice((1, 1, 2))
                rows["piece"].append(
                    (package, claim, lo, hi, record, fixed, chance.choice(("range", "listed")), verdict)
                )
    return rows


@pytest.fixture(scope="module")
def engines(pyspark: None, tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Row], list[Row]]:
    """The rows of DuckDB and of Spark over one folder, where half the answers of before stand."""
    folder = tmp_path_factory.mktemp("a folder {with} signs")
    rows = made(20_261_125)
    write(folder, rows)
    now = [row for row in DuckDb().rows(folder) if row[1] is not None]
    chance = random.Random(1)
    kept = [row[:6] for row in now if chance.random() < 0.5]
    rows["stored"] = [*kept, *[(pv, 91, 1, "range", "", "R-gone") for pv in range(1, 200, 7)]]
    write(folder, rows)
    return ordered(DuckDb().rows(folder)), ordered(Spark().rows(folder))


def test_every_row_is_the_same(engines: tuple[list[Row], list[Row]]) -> None:
    duckdb, spark = engines
    assert len(duckdb) > 1_000
    assert {row[-1] for row in duckdb} == {True, False}
    assert any(
        row[1] is None and not row[-1] for row in duckdb
    )  # a version of which nothing is said any more
    assert spark == duckdb


def test_keys_compare_byte_by_byte_without_a_sign(pyspark: None, tmp_path: Path) -> None:
    rows: dict[str, list[tuple[object, ...]]] = {name: [] for name in FILES}
    rows["spoken"] = [(1,)]
    for pv, key in enumerate(KEYS, 1):
        rows["version"].append((pv, True))
        rows["lookup"].append((1, pv, 0, None, key))
    pairs = [(lo, hi) for lo in KEYS for hi in KEYS if lo < hi]
    for flaw, (lo, hi) in enumerate(pairs, 1):
        rows["piece"].append((1, flaw, lo, hi, f"R-{flaw}", "", "range", 1))
        rows["record_flaw"].append((f"R-{flaw}", flaw))
    write(tmp_path, rows)
    expected = {
        (pv, flaw)
        for pv, key in enumerate(KEYS, 1)
        for flaw, (lo, hi) in enumerate(pairs, 1)
        if lo <= key < hi  # Python compares bytes so
    }
    assert {row[:2] for row in Spark().rows(tmp_path)} == expected
    assert {row[:2] for row in DuckDb().rows(tmp_path)} == expected


def test_a_fleet_is_answered_as_by_duckdb_and_nothing_is_left_behind(pyspark: None, mine: Fleet) -> None:
    which = mine.asset("web")
    mine.upload(which, "pkg:pypi/django@4.1", "pkg:pypi/flask@2.0", "pkg:pypi/idna@3.0", "pkg:pypi/attrs@99")
    home = mine.world.home
    with mine.owner() as owner:
        owner.execute(
            "delete from clearway.answer where pv in (select pv from clearway.held where asset = %s)",
            (which,),
        )
        assert rematch.rematch(owner, mine.table, home, DAY, engine=Spark()).changed >= 3
        assert rematch.rematch(owner, mine.table, home, DAY).changed == 0  # DuckDB agrees
    assert list((home / "fleet").iterdir()) == []


def test_it_listens_on_loopback_alone_and_works_in_a_private_folder(pyspark: None, tmp_path: Path) -> None:
    seen: set[str] = set()
    modes: set[int] = set()
    ended = threading.Event()

    def look(folder: Path) -> None:
        while not ended.wait(0.05):
            seen.update(listening(children(os.getpid())))
            modes.add(folder.stat().st_mode & 0o777)

    with private_folder(tmp_path) as folder:
        write(folder, made(7, 300))
        looking = threading.Thread(target=look, args=(folder,))
        looking.start()
        try:
            assert list(Spark().rows(folder))
        finally:
            ended.set()
            looking.join()
    assert seen == {"127.0.0.1"}
    assert modes == {0o700}  # whatever Spark's files inside allow
    assert not list((tmp_path / "fleet").iterdir())


def test_a_failure_says_what_and_java_has_ended(pyspark: None, tmp_path: Path) -> None:
    with pytest.raises(UpstreamError, match="PATH_NOT_FOUND"):
        list(Spark().rows(tmp_path))
    assert not [pid for pid in children(os.getpid()) if b"org.apache.spark" in command(pid)]


def test_it_ends_when_who_started_it_is_killed(pyspark: None, tmp_path: Path) -> None:
    write(tmp_path, made(7, 300))
    code = (
        "import sys; from pathlib import Path; from clearway.exposure.fleet.spark import Spark;"
        f"list(Spark().rows(Path({str(tmp_path)!r})))"
    )
    path = os.pathsep.join(p for p in sys.path if p)
    with subprocess.Popen([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": path}) as starter:
        family = await_java(starter.pid)
        starter.kill()
    for _ in range(200):
        if not any(Path(f"/proc/{pid}").exists() for pid in family):
            return
        time.sleep(0.1)
    pytest.fail("Spark outlived who started it")


def await_java(pid: int) -> set[int]:
    for _ in range(600):
        family = children(pid)
        if any(
            b"PythonGatewayServer" in command(child) or b"pyspark-shell" in command(child) for child in family
        ):
            return family
        time.sleep(0.1)
    pytest.fail("Java did not start")


def children(pid: int) -> set[int]:
    """Every descendant of a process."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                after = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            parents.setdefault(int(after[1]), []).append(int(entry.name))
    found: set[int] = set()
    todo = [pid]
    while todo:
        for child in parents.get(todo.pop(), ()):
            found.add(child)
            todo.append(child)
    return found


def command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def listening(pids: set[int]) -> Iterator[str]:
    """The addresses at which processes listen on TCP."""
    sockets = set()
    for pid in pids:
        if b"java" not in command(pid).partition(b"\0")[0]:
            continue
        try:
            links = [str(p.readlink()) for p in Path(f"/proc/{pid}/fd").iterdir()]
        except OSError:
            continue
        sockets |= {link[8:-1] for link in links if link.startswith("socket:[")}
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in sockets:
                yield address(fields[1].partition(":")[0])


def address(text: str) -> str:
    """An address as /proc/net writes it: words of four bytes in the machine's order."""
    raw = b"".join(bytes.fromhex(text[n : n + 8])[::-1] for n in range(0, len(text), 8))
    if len(raw) == 16 and raw[:12] == bytes(10) + b"\xff\xff":
        raw = raw[12:]
    return ".".join(map(str, raw)) if len(raw) == 4 else raw.hex()
