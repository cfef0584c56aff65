"""The fleet matched in columns by Spark: the SQL and the Parquet files of DuckDB, on two cores here or on a cluster.

Spark runs in a process of its own (`spark_job`), which knows no database and inherits only the settings that it needs.
On a cluster, the home has to be one shared folder: executors read the files where the driver wrote them.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from clearway.records.errors import ConfigError, UpstreamError, UsageError

from .engine import MEMORY, duck

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .engine import Row

MASTER = "local[2]"
_MASTER = re.compile(r"local(\[(\d{1,3}|\*)\])?|yarn|(spark|k8s)://[\w.:/,\[\]-]+")
_SAID = 20_000  # bytes of what a job says that are kept
_JAVA = 17  # the least that Spark 4 runs on
_PASSED = ("PATH", "HOME", "USER", "LANG", "LC_ALL", "TZ", "JAVA_HOME")
# Where a cluster's settings are, among them the secret by which its processes know each other.
_PASSED_TO_CLUSTERS = (
    "SPARK_HOME", "SPARK_CONF_DIR", "SPARK_LOCAL_IP", "HADOOP_CONF_DIR", "YARN_CONF_DIR", "KUBECONFIG",
)  # fmt: skip


class Spark:
    """Spark at `master`: `local[N]` (threads of this machine, within `memory`), `yarn`, `spark://…` or `k8s://…`.

    Raises UsageError for another master, ConfigError where pyspark or Java is missing.
    """

    def __init__(self, master: str = "", memory: str = MEMORY) -> None:
        self._master = master or MASTER
        self._memory = memory.removesuffix("B").lower()  # Spark writes 1500m
        if not _MASTER.fullmatch(self._master):
            raise UsageError(
                f"no Spark master {self._master!r}", mend="local[N], yarn, spark://HOST:PORT or k8s://…"
            )
        if importlib.util.find_spec("pyspark") is None:
            raise ConfigError("Spark is not installed", mend="install clearway[spark]")
        self._environment = _environment(self._master)
        _expect_java(self._environment)

    def rows(self, folder: Path) -> Iterator[Row]:
        """The rows, in no order. Raises UpstreamError when Spark fails; ends it when the caller ends."""
        for name in ("scratch", "spill"):
            (folder / name).mkdir(mode=0o700, exist_ok=True)
        log = folder / "spark.log"
        with (
            log.open("wb") as stderr,
            subprocess.Popen(  # noqa: S603
                [sys.executable, "-m", f"{__package__}.spark_job", str(folder), self._master, self._memory],
                env={**self._environment, "TMPDIR": str(folder / "scratch")},
                stdin=subprocess.PIPE,  # when it closes, the job ends: it does not outlive this process
                stdout=subprocess.PIPE,
                stderr=stderr,
            ) as job,
        ):
            try:
                said = _until_end(job)
                job.wait()
            finally:
                job.kill()
                _until_end(job)
        if job.returncode:
            tail = said.decode(errors="replace").strip() or _tail(log)
            raise UpstreamError(
                f"Spark failed: {tail}", where=self._master, mend="more memory, another --master, or duckdb"
            )
        with duck(folder) as db:
            found = db.execute("select * from read_parquet(?)", [f"{folder}/rows/*.parquet"])
            while rows := found.fetchmany(50_000):
                yield from rows


def _until_end(job: subprocess.Popen[bytes]) -> bytes:
    """What the job said, once it and its Java, which holds the same standard output, have ended."""
    assert job.stdout is not None
    said = job.stdout.read(_SAID)
    while job.stdout.read(_SAID):
        pass
    return said


def _tail(log: Path) -> str:
    lines = log.read_text("utf-8", errors="replace").strip().splitlines()
    return lines[-1][:500] if lines else "it said nothing"


def _environment(master: str) -> dict[str, str]:
    names = _PASSED if master.startswith("local") else (*_PASSED, *_PASSED_TO_CLUSTERS)
    kept = {name: os.environ[name] for name in names if name in os.environ}
    return kept | {"PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}


def _expect_java(environment: dict[str, str]) -> None:
    home = environment.get("JAVA_HOME")
    java = f"{home}/bin/java" if home else shutil.which("java", path=environment.get("PATH"))
    mend = f"install Java {_JAVA} or later (Debian: default-jre-headless), or set JAVA_HOME"
    if not java or not Path(java).is_file():
        raise ConfigError("Spark needs Java, and none is here", where=home or "", mend=mend)
    try:
        said = subprocess.run(  # noqa: S603
            [java, "-version"], env=environment, capture_output=True, timeout=60, check=True
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise ConfigError(f"Java does not start: {error}", where=java, mend=mend) from error
    version = re.search(rb'version "(?:1\.)?(\d+)', said.stderr + said.stdout)
    if version is None or int(version[1]) < _JAVA:
        found = version[1].decode() if version else "of an unknown version"
        raise ConfigError(f"Spark needs Java {_JAVA}, and this is {found}", where=java, mend=mend)
