"""Targets, built without a network and apart from where their files come from; kept by what went in.

    Python   wheels are unpacked; a source distribution is built in the box with the build wheels that it names
    C        unpacked (a Debian source package by dpkg-source), patched and compiled in the box, with AddressSanitizer
             and UBSan, for the key of a crash without inlining (so that two compilers give one stack) and without the
             builder's paths: `program`

A built target is a folder that the box reads. `digest` is of what is in it: a "patched" build of the same digest is the
same program.
"""

from __future__ import annotations

import errno
import os
import shlex
import shutil
import stat
import sys
import tempfile
from collections.abc import Callable, Mapping
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal, TypeVar
from uuid import uuid4

import msgspec
from msgspec import Struct

from clearway.records.errors import ConfigError, InputError
from clearway.sandbox.run import Backend, Bind, Limits, Outcome, Run

from . import program, wheel, whose
from .files import Files
from .recipe import CTarget, Proof, PythonTarget, Recipe, Target
from .tools import COMPILERS, Compiler, compiler_version, python, python_binds, soabi, tool

VERSION = "build/v6"  # of these rules: another number builds anew
TARGET = "/target"  # where the box sees what was built
BUILD_LIMITS = Limits(
    cpu_s=240.0, wall_s=300.0, memory_mib=2048, processes=256, open_files=1024, work_mib=1024, file_mib=256
)
_WAYS = 10_000
T = TypeVar("T")  # of a way, which is the judge's
_SAID = 2_000  # bytes of a failed build's last words


class Built(Struct, frozen=True, kw_only=True):
    """A target that can be run. `folder` is on this machine; the box sees it at /target."""

    folder: Path
    kind: Literal["python", "c"]
    digest: str  # of all its files, hexadecimal
    compiler: str = ""
    sanitized: bool = False
    patches: int = 0  # that were applied
    tests: tuple[
        str, ...
    ] = ()  # that can be run: programs of a C target, beside it those of a Python package
    marks: program.Marks = program.Marks()  # what it tells the sanitizers
    over: int = 0  # files of the recipe that were laid over files of the sources
    own: tuple[str, ...] = ()  # below which a Python package's own files lie (`whose.roots`); () for all


class BuildFailedError(InputError):
    """The target could not be built; `said` is the end of what the build wrote: data, not for a log."""

    def __init__(self, what: str, said: bytes) -> None:
        super().__init__(what, mend="see what the build wrote")
        self.said = said[-_SAID:]


class Builder:
    """Builds targets with one backend and keeps them in a folder. Safe between threads and processes."""

    def __init__(self, backend: Backend, folder: Path) -> None:
        self._backend = backend
        self._folder = folder
        self._ways: dict[tuple[str, tuple[str, ...], bytes], Any] = {}

    def known(self, built: Built, proof: Proof, recipe: Recipe, find: Callable[[], T]) -> T:
        """How a benign proof of a recipe goes on a build, found once: many patches are tried against one vulnerable
        build."""
        key = (built.digest, built.own, msgspec.json.encode((proof, recipe.oracle, recipe.limits)))
        if key not in self._ways:
            if len(self._ways) >= _WAYS:
                self._ways.clear()
            self._ways[key] = find()
        found: T = self._ways[key]
        return found

    def build(
        self, target: Target, files: Files, compiler: Compiler = "gcc", *, base: Target | None = None
    ) -> Built:
        """The target, built now or before; its test programs with the first compiler alone. For a patched target,
        `base` is the one without: the patches that this one lacks change no test (`program.target`).

        Raises:
            BuildFailedError: the build ended otherwise than well.
            NotFoundError: a file of the recipe is not there.
            ConfigError: the compiler is not installed.
        """
        if isinstance(target, PythonTarget):
            key = _key(soabi(), target)
            return self._kept(key, partial(self._python, target, files))
        if compiler != COMPILERS[0]:
            target = msgspec.structs.replace(target, tests=())
        bare = msgspec.structs.replace(target, fuzz=None)
        before = _shared(bare, base) if bare.tests else len(bare.patches)
        more = () if before == len(bare.patches) else (f"tests from before patch {before}",)
        key = _key(compiler_version(compiler), bare, *more)
        return self._kept(
            key,
            lambda fresh: self._c(
                program.target(bare, files, tool(compiler), compiler, before), bare, compiler, fresh
            ),
        )

    def fuzzer(self, target: CTarget, files: Files, entry: bytes) -> Built:
        """The target with libFuzzer in it, built now or before; `entry` is our own, or empty for the recipe's.

        Raises:
            BuildFailedError, NotFoundError, ConfigError: as `build`.
        """
        bare = msgspec.structs.replace(target, tests=())
        key = _key(compiler_version("clang"), bare, sha256(entry).hexdigest())
        return self._kept(
            key,
            lambda fresh: self._c(program.fuzzer(bare, files, tool("clang"), entry), bare, "clang", fresh),
        )

    def _kept(self, key: str, make: Callable[[Path], Built]) -> Built:
        place = self._folder / key
        note = place / "built.json"
        if not note.is_file():
            fresh = self._folder / f"{key}.{uuid4().hex}"
            (fresh / "files").mkdir(parents=True, mode=0o755)
            try:
                built = make(fresh)
                (fresh / "built.json").write_bytes(msgspec.json.encode(built, enc_hook=str))
                _open_up(fresh)
                try:
                    fresh.rename(place)
                except OSError:  # another has built it meanwhile
                    if not note.is_file():
                        raise
            finally:
                shutil.rmtree(fresh, ignore_errors=True)
        found = msgspec.json.decode(note.read_bytes(), type=Built, dec_hook=lambda _, text: Path(text))
        return msgspec.structs.replace(found, folder=place / "files")

    def _python(self, target: PythonTarget, files: Files, fresh: Path) -> Built:
        into = fresh / "files"
        own = whose.own_files(target, files)
        laid: dict[str, frozenset[str]] = {}
        # Its own files come last: what lies beside it stands in the place of none of them.
        for mine in (False, True):
            for name, digest in target.wheels.items():
                if (digest in own) is mine:
                    laid[digest] = wheel.unpack(files.read(digest), into, name)
            for name, digest in target.sdist.items():
                if (digest in own) is mine:
                    laid[digest] = self._sdist(target, name, files, into, fresh)
        if target.tests:
            self._tests(target, files, fresh / "tests")
        return Built(
            folder=into, kind="python", digest=_digest(into), sanitized=target.sanitize,
            tests=tuple(t.name for t in target.tests), own=whose.roots(laid, own),
        )  # fmt: skip

    def _tests(self, target: PythonTarget, files: Files, into: Path) -> None:
        """The project's tests beside what was built: `src/` as they were published, `needs/` what they need."""
        (into / "src").mkdir(parents=True)
        (into / "needs").mkdir()
        for name, digest in target.test_wheels.items():
            wheel.unpack(files.read(digest), into / "needs", name)
        inputs: dict[str, bytes] = {}
        script = ["mkdir src && cd src"]
        for n, digest in enumerate(target.test_archives.values()):
            inputs[f"a{n}"] = files.read(digest)
            script.append(program.unpack(f"../a{n}"))
        done = self._run("\n".join(script), inputs, {"PATH": "/usr/bin:/bin"}, ("src/**",), ())
        _write(done.kept, "src/", into / "src")
        for name, digest in target.test_files.items():
            _lay(into / "src" / name, files.read(digest), f"test_files: {name[:80]}")

    def _sdist(
        self, target: PythonTarget, name: str, files: Files, into: Path, fresh: Path
    ) -> frozenset[str]:
        helpers = fresh / "helpers"
        helpers.mkdir()
        for helper, digest in target.build_wheels.items():
            wheel.unpack(files.read(digest), helpers, helper)
        archive = "sdist.zip" if name.endswith(".zip") else "sdist.tar"
        script = (
            f"mkdir src && cd src && {program.unpack('../' + archive)}\n"
            f"{shlex.quote(python())} setup.py -q build --build-lib /work/out --build-temp /work/tmp\n"
        )
        flags = " ".join(("-fsanitize=address", "-g", "-O1", "-fno-omit-frame-pointer", "-fno-inline"))
        environment = {
            "PYTHONPATH": "/helpers",
            "PATH": "/usr/bin:/bin",
            "HOME": "/work",
            "SOURCE_DATE_EPOCH": "0",
        }
        if target.sanitize:
            environment |= {
                "CFLAGS": flags,
                "LDFLAGS": "-fsanitize=address",
                "CC": "gcc",
                "LDSHARED": "gcc -shared",
            }
        binds = (Bind(helpers, "/helpers"), *python_binds())
        done = self._run(script, {archive: files.read(target.sdist[name])}, environment, ("out/**",), binds)
        shutil.rmtree(helpers)
        _write(done.kept, "out/", into)
        return frozenset(path.removeprefix("out/") for path in done.kept)

    def _c(self, task: program.Task, target: CTarget, compiler: Compiler, fresh: Path) -> Built:
        environment = {"PATH": "/usr/bin:/bin", "HOME": "/work", "LC_ALL": "C", "SOURCE_DATE_EPOCH": "0"}
        done = self._run(task.script, task.inputs, environment, ("out/**", "marks", "over", "applied"), ())
        into = fresh / "files"
        left = {name: data for name, data in done.kept.items() if name.startswith("out/")}
        _write(left, "out/", into)
        marks = program.marks_of(done.kept.get("marks", b""))
        applied = done.kept.get("applied", b"0").strip()
        return Built(
            folder=into, kind="c", digest=_digest(into), compiler=compiler_version(compiler), sanitized=True,
            patches=len(target.patches) + (int(applied) if applied.isdigit() else 0),
            tests=tuple(t.name for t in target.tests), marks=marks, over=len(done.kept.get("over", b"").split()),
        )  # fmt: skip

    def _run(
        self,
        script: str,
        inputs: Mapping[str, bytes],
        environment: Mapping[str, str],
        keep: tuple[str, ...],
        binds: tuple[Bind, ...],
    ) -> Outcome:
        done = self._backend.run(
            Run(
                argv=("/bin/sh", "-ec", script), env=environment, inputs=inputs, binds=binds, keep=keep,
                limits=BUILD_LIMITS,
            )
        )  # fmt: skip
        if done.ended != "exited" or done.code != 0:
            why = (
                f"it ended with {done.code}"
                if done.ended == "exited"
                else f"it was stopped: {done.why or done.ended}"
            )
            raise BuildFailedError(f"the target was not built: {why}", done.stderr or done.stdout)
        if done.unkept:
            raise BuildFailedError(f"what was built is not taken: {done.unkept[0]}", done.stderr)
        return done


def place_of(home: Path) -> Path:
    """Where the builds of a home are kept: below it, or, where a box's own user could not read them there, in a folder
    of ours among the temporary files. Everything of it can be built again.

    Raises:
        ConfigError: that folder is somebody else's.
    """
    home.mkdir(parents=True, exist_ok=True)
    if os.geteuid() != 0 or all(p.stat().st_mode & 0o001 for p in (home, *home.resolve().parents)):
        return home / "built"
    name = f"clearway-built-{sha256(str(home.resolve()).encode()).hexdigest()[:16]}"
    place = Path(tempfile.gettempdir()) / name
    place.mkdir(mode=0o711, exist_ok=True)
    seen = place.lstat()
    if not stat.S_ISDIR(seen.st_mode) or seen.st_uid != os.geteuid() or seen.st_mode & 0o022:
        raise ConfigError("the folder of builds is somebody else's", where=str(place), mend="remove it")
    return place


def _key(made_by: str, target: Target, *more: str) -> str:
    rules = [VERSION, made_by, program.SANITIZE, program.STATIC, sys.version, target, *more]
    return sha256(msgspec.json.encode(rules, order="sorted")).hexdigest()[:40]


def _shared(target: CTarget, base: Target | None) -> int:
    """How many of a target's patches, from the first on, are the base's as well; all without a base."""
    if not isinstance(base, CTarget):
        return len(target.patches)
    pairs = list(zip(target.patches.values(), base.patches.values(), strict=False))
    return next((n for n, (one, other) in enumerate(pairs) if one != other), len(pairs))


def _write(kept: Mapping[str, bytes], head: str, into: Path) -> None:
    """Files that the box handed back, their names already checked by it."""
    for name, data in kept.items():
        path = into / name.removeprefix(head)
        _lay(path, data, name)
        path.chmod(0o755)


def _lay(path: Path, data: bytes, place: str) -> None:
    """One file, with its folders. Raises InputError: another lies in the way, or it can't be called so."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    except (FileExistsError, IsADirectoryError, NotADirectoryError):
        raise InputError("a file where a folder is, or a folder where a file is", where=place) from None
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:
            raise
        raise InputError("too long a name", where=place) from None


def _open_up(folder: Path) -> None:
    """Lets a box's own user read it, whatever this process's umask."""
    for path in (folder, *folder.rglob("*")):
        path.chmod(path.stat().st_mode | (0o755 if path.is_dir() else 0o644))


def _digest(folder: Path) -> str:
    """Of every file below `folder`, by name and bytes, without the notes of an installation: two releases of the same
    code differ in those."""
    whole = sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.relative_to(folder).parts[0].endswith((".dist-info", ".egg-info")):
            whole.update(str(path.relative_to(folder)).encode() + b"\0" + sha256(path.read_bytes()).digest())
    return whole.hexdigest()
