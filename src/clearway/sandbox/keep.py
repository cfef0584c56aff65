"""What a box leaves behind: files of /work handed back, and names of what lies elsewhere.

The folders are open descriptors that were taken before the program started; the box is dead when they are read, so
nothing moves. Everything beneath them is hostile all the same: names, links, devices, sizes, numbers.
"""

from __future__ import annotations

import fnmatch
import os
import stat
from collections.abc import Iterator, Sequence

from msgspec import Struct

MAX_ENTRIES = 10_000  # looked at in one box
MAX_DEPTH = 32
MAX_UNKEPT = 64  # named, beyond which only their number is
MAX_STRAY = 256
_CHUNK = 1 << 20


class Kept(Struct, frozen=True):
    """Files by relative name, and what was asked for and refused, with the reason."""

    files: dict[str, bytes]
    unkept: tuple[str, ...]


def hand_back(folder: int, patterns: Sequence[str], most_bytes: int) -> Kept:
    """What of the open `folder` the patterns name, up to `most_bytes` in all.

    Only regular files, reached through folders only. Names that are no printable UTF-8 are refused.
    """
    files: dict[str, bytes] = {}
    unkept: list[str] = []
    left = most_bytes
    globs: dict[
        str, list[str]
    ] = {}  # by the folder that their names begin with: what lies elsewhere is not walked
    for pattern in filter(is_glob, patterns):
        plain = pattern[: min(pattern.index(c) for c in "*?[" if c in pattern)]
        globs.setdefault(plain.rpartition("/")[0], []).append(pattern)
    for name in patterns:
        if not is_glob(name):
            left -= _one(folder, name.rstrip("/"), left, files, unkept)
    for head, group in globs.items():
        try:
            inside = _folder(folder, head.split("/") if head else ())
        except OSError:  # nothing lies there
            continue
        try:
            for name in _walk(inside, unkept, f"{head}/" if head else ""):
                if name not in files and any(fnmatch.fnmatchcase(name, g) for g in group):
                    left -= _file(folder, name, left, files, unkept)
        finally:
            os.close(inside)
    return Kept(files, _named(unkept, MAX_UNKEPT))


def names(folders: Sequence[tuple[str, int]]) -> tuple[str, ...]:
    """What lies in these open folders, as absolute names in the box; a bounded list."""
    found: list[str] = []
    for place, folder in folders:
        for name in _walk(folder, []):
            found.append(f"{place}/{name}")
            if len(found) > MAX_STRAY:
                return _named(found, MAX_STRAY)
    return tuple(found)


def is_there(folder: int, name: str) -> bool | None:
    """Whether a file, link or device lies at `name` beneath the open `folder`; None where it can't be told.

    The place itself is looked at, however many others there are. No link is followed: what lies behind one on the way
    is not told.
    """
    *parents, last = name.split("/")
    fd = os.dup(folder)
    try:
        for part in parents:
            seen = os.stat(part, dir_fd=fd, follow_symlinks=False)
            if stat.S_ISLNK(seen.st_mode):
                return None
            if not stat.S_ISDIR(seen.st_mode):
                return False
            step = _folder(fd, [part])
            os.close(fd)
            fd = step
        return not stat.S_ISDIR(os.stat(last, dir_fd=fd, follow_symlinks=False).st_mode)
    except FileNotFoundError:
        return False
    except OSError:
        return None
    finally:
        os.close(fd)


def _one(folder: int, name: str, left: int, files: dict[str, bytes], unkept: list[str]) -> int:
    """A name without a pattern: a file, or all beneath a folder."""
    taken = 0
    try:
        inside = _folder(folder, name.split("/"))
    except OSError:
        return _file(folder, name, left, files, unkept)
    try:
        for full in _walk(inside, unkept, f"{name}/"):
            if full not in files:
                taken += _file(folder, full, left - taken, files, unkept)
    finally:
        os.close(inside)
    return taken


def _file(folder: int, name: str, left: int, files: dict[str, bytes], unkept: list[str]) -> int:
    """Reads one file; its size in bytes, 0 when it is refused."""
    *parents, last = name.split("/")
    try:
        inside = _folder(folder, parents)
    except OSError as error:
        unkept.append(f"{name}: {error.strerror}")
        return 0
    try:
        seen = os.stat(last, dir_fd=inside, follow_symlinks=False)
        if not stat.S_ISREG(seen.st_mode):
            unkept.append(f"{name}: {_kind(seen.st_mode)}")
            return 0
        if seen.st_size > left:  # also what is only a hole
            unkept.append(f"{name}: {seen.st_size} bytes, of which {max(left, 0)} may be handed back")
            return 0
        fd = os.open(last, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=inside)
    except OSError as error:
        unkept.append(f"{name}: {error.strerror}")
        return 0
    finally:
        os.close(inside)
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            unkept.append(f"{name}: not a file")
            return 0
        pieces = []
        rest = seen.st_size
        while rest > 0 and (piece := os.read(fd, min(rest, _CHUNK))):
            pieces.append(piece)
            rest -= len(piece)
        files[name] = b"".join(pieces)
        return len(files[name])
    except OSError as error:
        unkept.append(f"{name}: {error.strerror}")
        return 0
    finally:
        os.close(fd)


def _folder(folder: int, parts: Sequence[str]) -> int:
    """Opens a folder beneath, one step at a time, through no link."""
    fd = os.dup(folder)
    try:
        for part in parts:
            step = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=fd)
            os.close(fd)
            fd = step
    except BaseException:
        os.close(fd)
        raise
    return fd


def _walk(folder: int, refused: list[str], at: str = "") -> Iterator[str]:
    """Names of all that is no folder, depth first, at most `MAX_ENTRIES` looked at; each, what is refused too, begins
    with `at`."""
    seen = 0
    stack: list[tuple[int, str, int]] = [(os.dup(folder), at, 0)]
    try:
        while stack:
            fd, above, depth = stack.pop()
            below: list[tuple[str, str]] = []
            try:
                with os.scandir(fd) as entries:
                    for entry in entries:
                        seen += 1
                        if seen > MAX_ENTRIES:
                            refused.append(
                                f"{at or '.'}: more than {MAX_ENTRIES} names; the rest was not looked at"
                            )
                            return
                        name = above + entry.name
                        if not _clean(entry.name):
                            refused.append(f"{name!a}: not a printable name")
                        elif entry.is_dir(follow_symlinks=False):
                            below.append((entry.name, name))
                        else:
                            yield name
                for last, name in below:
                    if depth + 1 > MAX_DEPTH or len(stack) >= 256:
                        refused.append(f"{name}: too deep or too many folders; not looked into")
                        continue
                    try:
                        stack.append((_folder(fd, [last]), f"{name}/", depth + 1))
                    except OSError as error:
                        refused.append(f"{name}: {error.strerror}")
            finally:
                os.close(fd)
    finally:
        for fd, _, _ in stack:
            os.close(fd)


def _clean(name: str) -> bool:
    return (name.isprintable() and name.isascii()) or (name.isprintable() and _is_utf8(name))


def _is_utf8(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def is_glob(pattern: str) -> bool:
    """Whether a name to keep is a pattern of a shell."""
    return any(c in pattern for c in "*?[")


def _kind(mode: int) -> str:
    kinds = ((stat.S_ISLNK, "a link"), (stat.S_ISFIFO, "a pipe"), (stat.S_ISSOCK, "a socket"))
    return next((name for test, name in kinds if test(mode)), "a device")


def _named(found: list[str], most: int) -> tuple[str, ...]:
    if len(found) <= most:
        return tuple(found)
    return (*found[:most], f"and {len(found) - most} more")
