"""Boxes for the tests: as this user, and as an ordinary user in another process; and compiled programs."""

from __future__ import annotations

import os
import pickle
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from clearway.records.errors import ConfigError
from clearway.sandbox import Backend, Outcome, Run
from clearway.sandbox.bubblewrap import Bubblewrap

SRC = Path(__file__).resolve().parents[1] / "src"
ORDINARY = 1777  # a number that no account has
_SERVE = """
import pickle, sys
from clearway.sandbox.bubblewrap import Bubblewrap
box = Bubblewrap()
while True:
    try:
        run = pickle.load(sys.stdin.buffer)
    except EOFError:
        break
    try:
        answer = box.enforcement() if run is None else box.run(run)
    except Exception as error:
        answer = error
    pickle.dump(answer, sys.stdout.buffer)
    sys.stdout.buffer.flush()
"""


class Elsewhere:
    """A backend in a process of an ordinary user, for a test that itself runs as root."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [python_for_all(), "-c", _SERVE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            user=ORDINARY,
            group=ORDINARY,
            extra_groups=[],
            env={"PATH": "/usr/bin:/bin", "PYTHONPATH": os.pathsep.join([str(SRC), *packages()])},
            cwd="/",
        )
        self._lock = threading.Lock()

    def run(self, run: Run) -> Outcome:
        return self._ask(run)

    def enforcement(self):
        return self._ask(None)

    def close(self) -> None:
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()

    def _ask(self, what):
        with self._lock:
            pickle.dump(what, self._process.stdin)
            self._process.stdin.flush()
            answer = pickle.load(self._process.stdout)
        if isinstance(answer, Exception):
            raise answer
        return answer


def packages() -> list[str]:
    """Where the installed packages lie."""
    return [p for p in sys.path if p.endswith("site-packages")]


def python_for_all() -> str:
    """An interpreter of this version that an ordinary user may run; skips the test without one."""
    for path in (sys.executable, "/usr/bin/python3", "/usr/local/bin/python3"):
        asked = [path, "-c", "import sys; print(sys.version_info[:2])"]
        try:
            said = subprocess.run(
                asked, user=ORDINARY, group=ORDINARY, extra_groups=[], capture_output=True, cwd="/"
            )
        except OSError:
            continue
        if said.stdout.decode().strip() == str(sys.version_info[:2]):
            return path
    pytest.skip("no interpreter of this version that an ordinary user may run")


def boxes() -> Backend:
    """Boxes of this process; skips the test, with the reason, where none can be made."""
    try:
        made = Bubblewrap()
        made.run(Run(argv=("/bin/true",)))
    except ConfigError as error:
        pytest.skip(str(error))
    return made


def compiled(source: Path, into: Path, *flags: str, compiler: str = "gcc") -> bytes:
    """The program, built; skips the test without a compiler."""
    if shutil.which(compiler) is None:
        pytest.skip(f"no {compiler}")
    subprocess.run([compiler, "-O1", *flags, "-o", str(into), str(source)], check=True, capture_output=True)
    return into.read_bytes()


def needs(program: str) -> None:
    """Skips the test where a program is missing."""
    if shutil.which(program) is None:
        pytest.skip(f"no {program}")
