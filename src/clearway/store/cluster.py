"""One cluster: made once, started and stopped many times."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

from clearway.records.errors import ConfigError, ConflictError, UpstreamError

from . import binaries, locks, memory, processes
from .failures import at, from_os, from_server, log_tail, user_name
from .place import Place, not_as_other, private_dir, write_whole
from .probe import SOCKET_FILE, State, probe
from .settings import SETTINGS, hba, ident, render, sized

USER = "clearway"
LOGIN = "clearway_login"  # what requests connect as: owns nothing, may become clearway_app
DATABASE = "clearway"
MAJOR = "18"

_KEPT_LOGS = 5
# The builtin order of code points: the same on every machine, whatever its C library.
_INITDB = ("--encoding=UTF8", "--locale-provider=builtin", "--locale=C.UTF-8", "--no-instructions")
_INIT_TIMEOUT_S = 300.0
# Replaying the log of a killed server: 2.6 s were measured for 0.7 GB. A slow disk may need minutes.
_START_TIMEOUT_S = 600.0
_STOP_TIMEOUT_S = 60.0
_GONE_TIMEOUT_S = 15.0


def state(place: Place) -> State:
    """What the cluster's server says."""
    return probe(place.socket_dir(), USER, DATABASE)


def ensure_running(place: Place) -> None:
    """Makes the cluster where there is none and starts its server where none answers.

    Only to be called under the start lock.

    Raises:
        ConfigError: the machine or a setting does not allow it; the cure is named.
        UpstreamError: the disk is full, or the server would not start.
    """
    now = state(place)
    if now == "ready":
        return
    if now == "busy" and _wait_ready(place, None):
        return  # somebody was killed between starting it and seeing it ready
    if not place.data.exists():
        _initialise(place)
    _check_release(place)
    _clear_remains(place)
    _start(place)


def stop(place: Place) -> None:
    """Stops the server. Only to be called under the start lock, by the last who used it."""
    if not processes.stop(place.data, _STOP_TIMEOUT_S):
        raise UpstreamError("the database server does not end", where=str(place.data), mend="end it by hand")
    place.remove_socket_dir()


def _initialise(place: Place) -> None:
    """Makes the cluster in `data.new` and renames it: a cluster called `data` is whole."""
    programs = binaries.bin_dir(place)
    folder = place.unfinished
    argument = place.data_argument(folder)
    processes.kill(folder)  # left by a starter that was killed; it may still be writing
    server_lock = _lock_for_server(place)
    shutil.rmtree(folder, ignore_errors=True)
    try:
        with at(folder):
            private_dir(folder, place.server)
        _run(
            place,
            server_lock,
            [str(programs / "initdb"), "-D", argument, "-U", USER, "-A", "peer", *_INITDB],
        )
        with at(folder):
            conf = folder / "postgresql.conf"
            included = "\ninclude_if_exists 'clearway.conf'\ninclude_if_exists 'local.conf'\n"
            write_whole(conf, conf.read_bytes() + included.encode(), place.server.uid)
        _run(
            place,
            server_lock,
            [str(programs / "postgres"), "--single", "-D", argument, "template1"],
            f"create database {DATABASE}\n",
        )
        with at(folder):
            folder.rename(place.data)
    finally:
        os.close(server_lock)
        shutil.rmtree(folder, ignore_errors=True)


def _run(place: Place, server_lock: int, command: list[str], typed: str = "") -> None:
    try:
        done = subprocess.run(  # noqa: S603  our own programs
            command,
            input=typed.encode(),
            capture_output=True,
            timeout=_INIT_TIMEOUT_S,
            start_new_session=True,  # Ctrl-C is for us: we clean up, then tell
            check=False,
            pass_fds=(server_lock,),
            cwd=place.unfinished,
            env=_environment(),
            user=_server_uid(place),
            group=_server_gid(place),
            extra_groups=[] if place.as_other else None,
        )
    except subprocess.TimeoutExpired as error:
        raise UpstreamError(
            "making the database took too long", where=str(place.root), mend="see the state of the disk"
        ) from error
    except (OSError, subprocess.SubprocessError) as error:
        raise _not_startable(error, place) from error
    said = (done.stdout + done.stderr).decode("utf-8", "replace")
    # Single-user mode reports errors and still ends with 0.
    if done.returncode != 0 or "FATAL:" in said or "ERROR:" in said:
        raise from_server(said, place.root)


def _check_release(place: Place) -> None:
    with at(place.data):
        found = (place.data / "PG_VERSION").read_text("ascii", "replace").strip()
    if found != MAJOR:
        raise ConfigError(
            f"the database was made by PostgreSQL {found[:10]}, and this release runs {MAJOR}",
            where=str(place.data),
            mend="dump it with the release that made it, restore it with this one (docs/howto/database.md)",
        )


def _clear_remains(place: Place) -> None:
    """Removes what a killed server left: its last processes, its pid file and its socket's lock.

    Each of the three files stops a start when the pid in it has been given to another process.
    A server that lives, but whose socket was swept away, is stopped: nobody can reach it any more.
    """
    if processes.has_postmaster(place.data):
        processes.stop(place.data, _STOP_TIMEOUT_S)
    if not processes.end_orphans(place.data):
        raise UpstreamError(
            "processes of a killed server won't end",
            where=str(place.data),
            mend="end them by hand, then try again",
        )
    socket = place.socket_dir() / SOCKET_FILE
    with at(place.data):
        for path in (place.data / "postmaster.pid", socket, socket.with_name(f"{SOCKET_FILE}.lock")):
            path.unlink(missing_ok=True)


def _start(place: Place) -> None:
    programs = binaries.bin_dir(place)
    server_lock = _lock_for_server(place)
    try:
        child = _launch(place, programs, server_lock)
    finally:
        os.close(server_lock)
    processes.adopt(child)
    if not _wait_ready(place, child):
        raise from_server(log_tail(place.log), place.log)


def _lock_for_server(place: Place) -> int:
    """A descriptor that holds the server lock, for the server to inherit.

    The server and all that it forks hold it until the last of them has ended, so two servers can
    never work on the same files: not even from two containers that can't see each other's processes.
    """
    fd = locks.open_lock(place.server_lock, place.owner)
    if processes.wait_until(lambda: locks.try_exclusive(fd, place.server_lock), _GONE_TIMEOUT_S):
        return fd
    os.close(fd)
    raise ConflictError(
        "a server works on this database that can't be reached from here",
        where=str(place.root),
        mend="it may belong to another container or machine: stop it there, or use another home",
    )


def _launch(place: Place, programs: Path, server_lock: int) -> subprocess.Popen[bytes]:
    socket_dir = place.make_socket_dir()
    peers = sorted({user_name(place.owner), user_name(0)})
    files = {
        "clearway.conf": render(
            {**SETTINGS, **sized(memory.total()), "unix_socket_directories": f'"{socket_dir}"'}
        ),
        "pg_hba.conf": hba(),
        "pg_ident.conf": ident(peers, (USER, LOGIN)),
    }
    with at(place.data):
        for name, text in files.items():
            write_whole(place.data / name, text.encode(), place.server.uid)
    with at(place.log):
        _rotate(place.log)
        log = os.open(place.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        if os.geteuid() == 0:
            os.fchown(log, place.owner, -1)
        return subprocess.Popen(  # noqa: S603  our own program
            [str(programs / "postgres"), "-D", place.data_argument(place.data)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=(server_lock,),
            start_new_session=True,  # Ctrl-C in the terminal is not for the server
            cwd=place.data,
            env=_environment(),
            user=_server_uid(place),
            group=_server_gid(place),
            extra_groups=[] if place.as_other else None,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise _not_startable(error, place) from error
    finally:
        os.close(log)


def _wait_ready(place: Place, child: subprocess.Popen[bytes] | None) -> bool:
    """Whether the server became ready; False when it ended, or was not there, or took too long."""
    ends = time.monotonic() + _START_TIMEOUT_S
    pause = 0.005
    while (now := state(place)) != "ready":
        if child is None and now == "down":
            return False
        if (child is not None and child.poll() is not None) or time.monotonic() > ends:
            return False
        time.sleep(pause)
        pause = min(pause * 1.2, 0.1)
    return True


def _server_uid(place: Place) -> int | None:
    return place.server.uid if place.as_other else None


def _server_gid(place: Place) -> int | None:
    return place.server.gid if place.as_other else None


def _environment() -> dict[str, str]:
    """Nothing of the caller's environment: locale, time zone and PG* settings would change the server."""
    return {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"}


def _not_startable(error: Exception, place: Place) -> Exception:
    if place.as_other and isinstance(error, PermissionError | subprocess.SubprocessError):
        return not_as_other(place.server, place.root)
    if isinstance(error, OSError):
        return from_os(error, place.root)
    return UpstreamError(str(error), where=str(place.root))


def _rotate(log: Path) -> None:
    """server.log becomes server.log.1, and so on; the oldest falls away. An empty log stays."""
    if not log.exists() or log.stat().st_size == 0:
        return
    for number in range(_KEPT_LOGS - 1, 0, -1):
        older = log.with_name(f"{log.name}.{number}")
        if older.exists():
            older.replace(log.with_name(f"{log.name}.{number + 1}"))
    log.replace(log.with_name(f"{log.name}.1"))
