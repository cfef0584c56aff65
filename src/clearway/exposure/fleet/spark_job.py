"""`python -m clearway.exposure.fleet.spark_job FOLDER MASTER MEMORY`: one run of Spark, for `spark.Spark`.

Reads the Parquet files in FOLDER and writes the rows of `rematch.sql` to FOLDER/rows. Ends when its standard input
does. Listens on loopback alone, and to who knows the run's secret; at a cluster, its own settings say where.
"""

from __future__ import annotations

import importlib
import os
import re
import sys
import threading
from pathlib import Path
from typing import Any

from .engine import FILES, SEPARATOR, sql

# Spark's name for a column of DuckDB's type.
_TYPES = {"INTEGER": "int", "BOOLEAN": "boolean", "VARCHAR": "string", "BLOB": "binary"}
_ORDERED = f"listagg({{value}}, '{SEPARATOR}') within group (order by {{order}})"
_JAVA_OPTIONS = (
    "-XX:+ExitOnOutOfMemoryError",
    "-XX:-UsePerfData",  # it would leave a file in /tmp
    "-XX:MaxDirectMemorySize=256m",
)


def settings(folder: Path, master: str, memory: str) -> dict[str, str]:
    """Spark's settings for one run in `folder`."""
    options = " ".join([*_JAVA_OPTIONS, _quoted(f"-Djava.io.tmpdir={folder}/scratch")])
    common = {
        "spark.app.name": "clearway fleet rematch",
        "spark.authenticate": "true",  # without it, whoever reaches the port is served
        "spark.driver.extraJavaOptions": options,
        "spark.driver.memory": memory,
        "spark.hadoop.fs.permissions.umask-mode": "077",
        "spark.io.encryption.enabled": "true",
        "spark.master": master,
        "spark.network.crypto.enabled": "true",
        "spark.sql.catalogImplementation": "in-memory",
        # Groups are many and small: hashed until there are so many of them, and not sorted from the 128th.
        "spark.sql.objectHashAggregate.sortBased.fallbackThreshold": "100000",
        "spark.sql.parquet.compression.codec": "zstd",
        "spark.sql.warehouse.dir": f"{folder}/scratch/warehouse",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
    }
    if not master.startswith("local"):
        return common
    return common | {
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.io.encryption.enabled": "false",  # files of one machine, in a folder for one user
        "spark.local.dir": f"{folder}/spill",
        "spark.sql.shuffle.partitions": "8",  # 200 by default: a fleet on one machine needs no such pieces
    }


def run(folder: Path, master: str, memory: str) -> None:
    """Writes the rows; raises what Spark raises."""
    if master.startswith("local"):
        os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"  # before Java asks what this machine is called
    pyspark: Any = importlib.import_module("pyspark")
    given = pyspark.SparkConf()
    for name, value in settings(folder, master, memory).items():
        given.set(name, value)
    session = importlib.import_module("pyspark.sql").SparkSession.builder.config(conf=given).getOrCreate()
    try:
        for name, columns in FILES.items():
            schema = ", ".join(f"{column} {_TYPES[kind]}" for column, kind in columns.items())
            path = f"file://{_no_pattern(folder)}/{name}.parquet"
            session.read.schema(schema).parquet(path).createOrReplaceTempView(name)
        session.sql(sql(_ORDERED)).write.parquet(f"file://{folder}/rows")
    finally:
        session.stop()


def _no_pattern(path: Path) -> str:
    """The path as Spark reads it, which takes `*`, `[` and `{` in one for a pattern."""
    return re.sub(r"([\\*?\[\]{}])", r"\\\1", str(path))


def _quoted(option: str) -> str:
    escaped = option.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _end_with_input() -> None:
    while os.read(0, 1_000):  # no buffered reader: Python waits for its lock before it ends
        pass
    os._exit(1)


def _main(folder: str, master: str, memory: str) -> int:
    threading.Thread(target=_end_with_input, daemon=True).start()
    try:
        run(Path(folder), master, memory)
    except Exception as error:  # noqa: BLE001 the caller has the first line, and the log the rest
        text = str(error).strip() or type(error).__name__
        print(text.splitlines()[0][:500])
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(_main(*sys.argv[1:]))
