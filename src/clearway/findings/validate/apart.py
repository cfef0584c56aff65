"""Builds of what is sealed lie apart, for as long as one trial, and closed to other users; what the desk fetched from
where it is published is built once and kept.

    BUILDS/published/     shared by all trials, each of which holds it while it runs
    BUILDS/trials/…/      one trial's, mode 0700, locked while it runs; who finds one that nobody holds removes it

The locks are the kernel's (flock(2)): they go with the process that has them, however it ends. Whoever begins a trial
looks for what others have left, and every worker does, as it starts and each hour (`tasks.begin`).
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import recipe as r
from .build import Builder, Built, place_of

if TYPE_CHECKING:
    from clearway.sandbox import Backend

    from .files import Files

PUBLISHED, TRIALS = "published", "trials"
_BUILD = re.compile(r"[0-9a-f]{40}(\.[0-9a-f]{32})?")
_HALF = re.compile(r"[0-9a-f]{40}\.[0-9a-f]{32}")  # a build that has not come to its end


class TrialBuilder(Builder):
    """Builds beside each other what is published and, in a folder of its own, what is not."""

    def __init__(self, backend: Backend, shared: Path, own: Path, published: frozenset[str]) -> None:
        super().__init__(backend, own)
        self._shared, self._published = Builder(backend, shared), published

    def build(self, target: r.Target, files: Files, *args: Any, **more: Any) -> Built:
        """See `Builder`."""
        build = self._shared.build if self._open(target, *args, *more.values()) else super().build
        return build(target, files, *args, **more)

    def fuzzer(self, target: r.CTarget, files: Files, entry: bytes) -> Built:
        """See `Builder`."""
        return (self._shared.fuzzer if self._open(target) else super().fuzzer)(target, files, entry)

    def _open(self, *given: Any) -> bool:
        targets = [g for g in given if isinstance(g, r.PythonTarget | r.CTarget)]
        return {d for t in targets for group in r.parts(t) for d in group.values()} <= self._published


@contextmanager
def builder(backend: Backend, home: Path, published: frozenset[str]) -> Iterator[Builder]:
    """A builder for one trial; `published` are the SHA-256 of what may lie in clear. Removes what a trial that was
    killed has left.

    Raises:
        ConfigError: the folder of builds is somebody else's.
    """
    place = place_of(home)
    trials, shared = place / TRIALS, place / PUBLISHED
    for folder in (trials, shared):
        folder.mkdir(parents=True, exist_ok=True, mode=0o711)
    with _locked(trials):
        _sweep(place)
        own = Path(tempfile.mkdtemp(dir=trials))  # mode 0700
        held = [_lock(own, fcntl.LOCK_EX), _lock(shared, fcntl.LOCK_SH)]
    try:
        yield TrialBuilder(backend, shared, own, published)
    finally:
        shutil.rmtree(own, ignore_errors=True)
        for lock in held:
            os.close(lock)


def sweep(home: Path) -> int:
    """Removes what trials that were killed have left of their builds, never a running one's; how many folders.

    Raises:
        ConfigError: the folder of builds is somebody else's.
    """
    place = place_of(home)
    try:
        with _locked(place / TRIALS):
            return _sweep(place)
    except FileNotFoundError:  # nothing was ever built here
        return 0


def _sweep(place: Path) -> int:
    """As `sweep`, for who holds the lock of all trials."""
    left = [
        folder for folder in place.iterdir() if _BUILD.fullmatch(folder.name)
    ]  # of earlier releases, sealed or not
    if (place / PUBLISHED).is_dir() and (alone := _free(place / PUBLISHED)) is not None:
        left += [folder for folder in (place / PUBLISHED).iterdir() if _HALF.fullmatch(folder.name)]
        os.close(alone)  # who begins a trial waits for the lock that the caller has
    for folder in left:
        shutil.rmtree(folder, ignore_errors=True)
    count = len(left)
    for folder in (place / TRIALS).iterdir():
        held = _free(folder)
        if held is None:
            continue
        shutil.rmtree(folder, ignore_errors=True)
        os.close(held)
        count += 1
    return count


def _free(folder: Path) -> int | None:
    """A descriptor with the folder's lock; None where somebody has it, or it is gone meanwhile."""
    try:
        return _lock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return None


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    held = _lock(folder, fcntl.LOCK_EX)
    try:
        yield
    finally:
        os.close(held)


def _lock(folder: Path, how: int) -> int:
    """A descriptor that holds the lock until it is closed, also by a kill."""
    held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(held, how)
    except OSError:
        os.close(held)
        raise
    return held
