"""The interpreter and the compilers of this machine, as a box sees them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from functools import cache
from pathlib import Path
from typing import Literal

from clearway.records.errors import ConfigError
from clearway.sandbox.run import Bind

Compiler = Literal["gcc", "clang"]
COMPILERS: tuple[Compiler, ...] = ("gcc", "clang")


@cache
def python() -> str:
    """The interpreter, as the box sees it: the one that runs us, or the system's of the same version where ours lies in
    a place that a box's own user may not read.

    Raises:
        ConfigError: neither will do.
    """
    ours = os.path.realpath(getattr(sys, "_base_executable", sys.executable))
    if _open_to_all(Path(ours)) and _open_to_all(Path(sys.base_prefix).resolve()):
        return ours
    system = "/usr/bin/python3"
    asked = "import sysconfig; print(sysconfig.get_config_var('SOABI'))"
    if os.access(system, os.X_OK):
        done = subprocess.run([system, "-I", "-c", asked], capture_output=True, text=True, check=False)  # noqa: S603
        if done.stdout.strip() == soabi():
            return os.path.realpath(system)
    raise ConfigError(
        "the interpreter can't be read by the user of a box",
        where=ours,
        mend=f"chmod -R o+rX its folders, or install Python {sys.version_info[0]}.{sys.version_info[1]} as {system}",
    )


def _open_to_all(path: Path) -> bool:
    return path.stat().st_mode & 0o005 == 0o005 and all(p.stat().st_mode & 0o001 for p in path.parents)


@cache
def python_binds() -> tuple[Bind, ...]:
    """What of this machine the interpreter in the box needs besides /usr."""
    if Path("/usr") in Path(python()).parents:
        return ()
    prefix = Path(sys.base_prefix).resolve()
    return (Bind(prefix, str(prefix)),)


def soabi() -> str:
    """The interpreter's binary interface: "cpython-311-x86_64-linux-gnu"."""
    return sysconfig.get_config_var("SOABI") or ""


@cache
def compiler_version(compiler: Compiler) -> str:
    """The compiler's own words: "gcc (Debian 12.2.0-14) 12.2.0". Raises ConfigError where it is not installed."""
    done = subprocess.run([tool(compiler), "--version"], capture_output=True, text=True, check=False)  # noqa: S603
    said = done.stdout
    return said.partition("\n")[0].strip()


@cache
def asan_library() -> str:
    """gcc's AddressSanitizer, to be loaded before an interpreter that was built without. Raises ConfigError."""
    return subprocess.run(  # noqa: S603
        [tool("gcc"), "-print-file-name=libasan.so"], capture_output=True, text=True, check=True
    ).stdout.strip()


def has(compiler: Compiler) -> bool:
    """Whether that compiler is installed."""
    return shutil.which(compiler, path="/usr/bin:/bin") is not None


def tool(compiler: Compiler) -> str:
    """Where the compiler is. Raises ConfigError, with the cure, where it is not."""
    found = shutil.which(compiler, path="/usr/bin:/bin")
    if found is None:
        raise ConfigError(
            f"{compiler} is not installed, and this target is compiled",
            mend="run scripts/system-packages.sh install, or install it with the system's package manager",
        )
    return found
