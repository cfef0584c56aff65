"""The engines that match a whole fleet in columns: DuckDB in this process; others with the same SQL and files.

Private to the machine's user and gone after the run: the files hold the names of everything that anybody here
runs.
"""

from __future__ import annotations

import os
import re
import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from uuid import uuid4

from clearway.records.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SEPARATOR = "\x1f"  # between the records, and between the versions, of one answer
MEMORY = "1500MB"
FILES: dict[str, dict[str, str]] = {
    "version": {"pv": "INTEGER", "plain": "BOOLEAN"},
    "lookup": {"package": "INTEGER", "pv": "INTEGER", "nth": "INTEGER", "unless": "INTEGER", "key": "BLOB"},
    "piece": {"package": "INTEGER", "claim": "INTEGER", "lo": "BLOB", "hi": "BLOB", "record": "VARCHAR",
              "fixed": "VARCHAR", "basis": "VARCHAR", "verdict": "INTEGER"},
    "special": {"package": "INTEGER"},
    "spoken": {"package": "INTEGER"},
    "record_flaw": {"record": "VARCHAR", "flaw": "INTEGER"},
    "stored": {"pv": "INTEGER", "flaw": "INTEGER", "verdict": "INTEGER", "basis": "VARCHAR", "fixed": "VARCHAR",
               "records": "VARCHAR"},
}  # fmt: skip
_ORDERED = re.compile(r"\{ordered\((\w+), (\w+)\)\}")

# pv, flaw, verdict, basis, fixed, records, judge
Row = tuple[int, int | None, int | None, str | None, str | None, str | None, bool]


class Engine(Protocol):
    """Reads the Parquet files of `FILES` in a folder and runs the SQL of `rematch.sql` over them."""

    def rows(self, folder: Path) -> Iterator[Row]:
        """The rows, in no order."""
        ...


def engine_of(name: str, master: str = "") -> Engine:
    """The engine of that name, Spark at `master`. Raises ConfigError where it is not installed, UsageError for an
    unknown name."""
    if name == "duckdb":
        if master:
            raise UsageError("a master is Spark's", mend="add --engine spark, or leave --master out")
        return DuckDb()
    if name != "spark":
        raise UsageError(f"no engine {name!r}", mend="duckdb or spark")
    from .spark import Spark

    return Spark(master)


def sql(ordered: str) -> str:
    """The text of `rematch.sql` with an engine's way of joining texts in an order, `{value}` and `{order}` in it."""
    text = Path(__file__).with_name("rematch.sql").read_text("utf-8")
    return _ORDERED.sub(lambda m: ordered.format(value=m[1], order=m[2]), text)


class DuckDb:
    """DuckDB on this machine's cores, within `memory`, and with no access to anything but the folder."""

    def __init__(self, memory: str = MEMORY) -> None:
        self._memory = memory

    def rows(self, folder: Path) -> Iterator[Row]:
        with duck(folder, self._memory) as db:
            for name in FILES:
                db.execute(f"create view {name} as from read_parquet('{folder}/{name}.parquet')")
            cursor = db.execute(sql(f"string_agg({{value}}, '{SEPARATOR}' order by {{order}})"))
            while rows := cursor.fetchmany(50_000):
                yield from rows


@contextmanager
def duck(folder: Path, memory: str = MEMORY) -> Iterator[Any]:
    """A DuckDB that reads and writes in `folder` alone."""
    import duckdb

    db = duckdb.connect()
    try:
        db.execute(f"set memory_limit = '{memory}'")
        db.execute(f"set temp_directory = '{folder}/spill'")
        db.execute(f"set allowed_directories = ['{folder}']")
        db.execute("set enable_progress_bar = false")
        db.execute("set enable_external_access = false")
        db.execute("set lock_configuration = true")
        yield db
    finally:
        db.close()


@contextmanager
def private_folder(home: Path) -> Iterator[Path]:
    """A folder for one run, for this user's eyes alone, and gone at its end; what a killed run left goes first.

    Only one run at a time: the caller holds the fleet's lock.
    """
    above = home / "fleet"
    above.mkdir(mode=0o700, parents=True, exist_ok=True)
    for left_over in above.glob("run-*"):
        shutil.rmtree(left_over, ignore_errors=True)
    folder = above.resolve() / f"run-{uuid4().hex}"
    before = os.umask(0o077)
    try:
        folder.mkdir(mode=0o700)
        yield folder
    finally:
        os.umask(before)
        shutil.rmtree(folder, ignore_errors=True)


def to_parquet(folder: Path, sources: Mapping[str, Path]) -> None:
    """Writes the Parquet files from CSV, which it removes: no header, binary as hexadecimal, NULL as `\\N`."""
    with duck(folder) as db:
        for name, path in sources.items():
            columns = FILES[name]
            given = ", ".join(f"'{c}': '{'VARCHAR' if t == 'BLOB' else t}'" for c, t in columns.items())
            wanted = ", ".join(f"unhex({c}) as {c}" if t == "BLOB" else c for c, t in columns.items())
            db.execute(
                f"""copy (select {wanted} from read_csv('{path}', header = false, columns = {{{given}}}, quote = '"',
                    escape = '"', delim = ',', nullstr = '\\N', auto_detect = false, max_line_size = 20000000))
                to '{folder}/{name}.parquet' (format parquet, compression zstd, compression_level 1)"""  # noqa: S608
            )
            path.unlink()
