"""Work in a process of its own: it is done, it fails aloud, it gives way, and it never outlives who asked."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from multiprocessing import forkserver
from pathlib import Path

import pytest

from clearway.records.errors import UpstreamError
from clearway.store.apart import deaf_to_ctrl_c, run_apart


def write(path: str, text: str) -> None:
    Path(path).write_text(f"{text} {os.getpid()} {os.nice(0)}")


def fail() -> None:
    raise RuntimeError("no")


def test_it_is_done_elsewhere_and_gives_way(tmp_path: Path) -> None:
    run_apart(write, str(tmp_path / "out"), "done")
    text, pid, nice = (tmp_path / "out").read_text().split()
    assert text == "done"
    assert int(pid) != os.getpid()
    assert int(nice) > os.nice(0)


def test_a_failure_is_one_here(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UpstreamError, match="a process for fail ended with 1"):
        run_apart(fail)
    assert "RuntimeError: no" in capfd.readouterr().err


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_it_ends_with_who_asked(tmp_path: Path, number: signal.Signals) -> None:
    told = tmp_path / "pid"
    asks = "import sys; from store_apart_work import linger; from clearway.store.apart import run_apart; "
    (tmp_path / "store_apart_work.py").write_text(
        "import os, time\nfrom pathlib import Path\n\n\ndef linger(path):\n"
        "    Path(path + '.new').write_text(str(os.getpid()))\n"
        "    os.rename(path + '.new', path)\n    time.sleep(600)\n"
    )
    asked = subprocess.Popen(
        [sys.executable, "-c", f"{asks}run_apart(linger, {str(told)!r})"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])},
    )
    while not told.exists():
        assert asked.poll() is None
        time.sleep(0.01)
    pid = int(told.read_text())
    asked.send_signal(number)
    asked.wait()
    while _runs(pid):  # the run's own limit of time is the bound
        time.sleep(0.01)


@pytest.mark.parametrize("method", ["spawn", "forkserver", "fork"])
def test_ctrl_c_is_never_heard_by_what_is_started_so(method: str) -> None:
    """While it still imports too: so it is looked at before it can have done anything itself."""
    forkserver._forkserver._stop()  # type: ignore[attr-defined]  # one that runs was started otherwise
    process = multiprocessing.get_context(method).Process(target=time.sleep, args=(600,), daemon=True)
    with deaf_to_ctrl_c():
        process.start()
    try:
        assert process.pid is not None
        assert _blocks(process.pid, signal.SIGINT)
    finally:
        process.kill()
        process.join()


def test_ctrl_c_that_comes_meanwhile_is_heard_after() -> None:
    done = []

    def interrupted() -> None:
        with deaf_to_ctrl_c():
            signal.pthread_kill(threading.get_ident(), signal.SIGINT)  # another thread would hear it at once
            done.append("what was begun")

    before = signal.signal(
        signal.SIGINT, signal.default_int_handler
    )  # it is ignored in what a shell has in the background
    try:
        with pytest.raises(KeyboardInterrupt):
            interrupted()
    finally:
        signal.signal(signal.SIGINT, before)
    assert done
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


def _blocks(pid: int, number: signal.Signals) -> bool:
    lines = dict(
        line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line
    )
    return bool(int(lines["SigBlk"], 16) >> (number - 1) & 1)


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except OSError:
        return False
