"""Other processes, and other accounts, that use a home."""

from __future__ import annotations

import json
import os
import pwd
import subprocess
import sys
from pathlib import Path

from clearway.store import processes
from clearway.store.server import URL_VARIABLE

SRC = Path(__file__).parents[3] / "src"
# A process that holds a lease: says so, and waits for a line or for the end of its input.
HOLDER = """
import json, sys
from pathlib import Path
from clearway.store.server import lease, status
home = Path(sys.argv[1])
with lease(home) as url:
    print(json.dumps({"url": url, "pid": status(home).pid}), flush=True)
    sys.stdin.readline()
print("over", flush=True)
"""


def wait_gone(data: Path, timeout_s: float = 10) -> bool:
    """Whether no process of the cluster is left."""
    return processes.wait_until(lambda: not processes.of_cluster(data), timeout_s)


class Holder:
    """Another process with a lease on a home."""

    def __init__(self, home: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", HOLDER, str(home)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment(),
        )

    def ready(self) -> dict[str, object]:
        assert self.process.stdout is not None
        answer = json.loads(self.process.stdout.readline())
        assert isinstance(answer, dict)
        return answer

    def end(self) -> int:
        """Ends the lease; the exit status of the process."""
        self.process.communicate("\n", timeout=30)
        return self.process.returncode

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate(timeout=30)


def environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name != URL_VARIABLE}
    return {**kept, "PYTHONPATH": os.pathsep.join([str(SRC), *filter(None, sys.path)])}


class Account:
    """An ordinary account of the machine, to run Python as; for tests that run as root."""

    def __init__(self, name: str, python: str, folder: Path) -> None:
        self.name = name
        self.uid = pwd.getpwnam(name).pw_uid
        self.python = python
        self.folder = folder

    def run(self, code: str, *arguments: str | Path, umask: int = 0o022) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.python, "-c", code, *map(str, arguments)],
            input="\n",
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            cwd="/",
            env={**environment(), "HOME": str(self.folder), "XDG_RUNTIME_DIR": ""},
            user=self.uid,
            group=pwd.getpwnam(self.name).pw_gid,
            extra_groups=[],
            umask=umask,
        )
