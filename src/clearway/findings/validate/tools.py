"""The interpreter and the compilers of this machine, as a box sees them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Literal

from msgspec import Struct

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


class Interpreter(Struct, frozen=True, kw_only=True):
    """An interpreter as a box sees it. `version` is its own, "3.12.1"."""

    path: str
    version: str
    binds: tuple[Bind, ...] = ()


@cache
def first_interpreter() -> Interpreter:
    """The one that proofs are run with. Raises ConfigError, see `python`."""
    return Interpreter(path=python(), version=_asked(python())[1], binds=python_binds())


@cache
def second_interpreter() -> Interpreter | None:
    """One of another minor version, the nearest there is, that the user of a box may read; None without one.

    Looked for on the path of the system and beside the interpreter that runs us, where managers of versions put them.
    """
    first = _minor(first_interpreter().version)
    found: dict[int, Interpreter] = {}
    places = [Path(f"/usr/bin/python3.{n}") for n in range(11, 30)]
    places += [Path(f"/usr/local/bin/python3.{n}") for n in range(11, 30)]
    places += sorted(Path(sys.base_prefix).resolve().parent.glob("*/bin/python3.*"))
    for place in places:
        if not re.fullmatch(r"python3\.\d+", place.name) or not os.access(place, os.X_OK):
            continue
        path = os.path.realpath(place)
        prefix, version = _asked(path)
        if not prefix or _minor(version) in (first, *found):
            continue
        own = Path("/usr") not in Path(path).parents
        if own and not all(_open(p) for p in (Path(prefix), Path(prefix, "lib"), Path(path))):
            continue
        binds = (Bind(Path(prefix), prefix),) if own else ()
        found[_minor(version)] = Interpreter(path=path, version=version, binds=binds)
    return min(
        found.values(), key=lambda i: (abs(_minor(i.version) - first), -_minor(i.version)), default=None
    )


def _asked(path: str) -> tuple[str, str]:
    """Prefix and version of an interpreter; ("", "0.0") of what is none."""
    told = "import os, sys; print(os.path.realpath(sys.base_prefix), '%d.%d.%d' % sys.version_info[:3])"
    try:
        done = subprocess.run(  # noqa: S603
            [path, "-I", "-c", told], capture_output=True, text=True, check=False, timeout=20
        )
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return "", "0.0"
    prefix, _, version = done.stdout.strip().rpartition(" ")
    return (prefix, version) if done.returncode == 0 and prefix else ("", "0.0")


def _minor(version: str) -> int:
    return int(version.split(".")[1])


def _open(path: Path) -> bool:
    """Whether everybody may read it; for an ordinary user a box's user is the same."""
    return os.geteuid() != 0 or path.stat().st_mode & 0o005 == 0o005


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


@cache
def no_fuzzer() -> str:
    """What libFuzzer lacks on this machine, in words; "" when it is there."""
    if not has("clang"):
        return "clang is not installed"
    asked = [tool("clang"), "-print-runtime-dir"]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)  # noqa: S603
    if not any(Path(done.stdout.strip() or "/nowhere").glob("libclang_rt.fuzzer*")):
        return "clang is installed without libFuzzer's runtime (on Debian: libclang-rt-dev)"
    if shutil.which("objcopy", path="/usr/bin:/bin") is None:
        return "objcopy is not installed (on Debian: binutils)"
    return ""


@cache
def no_atheris() -> str:
    """What Atheris lacks on this machine, in words; "" when it is there."""
    if atheris_version() == "":
        return "it is not installed (pip install 'clearway[fuzz]')"
    if not any(atheris_folder().glob(f"core_with_libfuzzer.{soabi()}.so")):
        return "it is installed for another interpreter"
    if not all(_open(p) for p in (atheris_folder(), *atheris_folder().parents)):
        return "it can't be read by the user of a box"
    return ""


@cache
def atheris_version() -> str:
    """Its version; "" where it is not installed. It is not imported here: it makes a fuzzer of whoever does."""
    try:
        return metadata.version("atheris")
    except metadata.PackageNotFoundError:
        return ""


def atheris_folder() -> Path:
    """Where its modules lie. Raises metadata.PackageNotFoundError."""
    return Path(str(metadata.distribution("atheris").locate_file("atheris"))).resolve()


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
