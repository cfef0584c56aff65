"""Builds of what is sealed lie apart, for as long as one trial, and closed to other users; what the desk fetched from
where it is published is built once and kept.

    BUILDS/published/     shared by all trials
    BUILDS/trials/…/      one trial's, mode 0700, locked while it runs; who finds one that nobody holds removes it
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
        _sweep(place, trials)
        own = Path(tempfile.mkdtemp(dir=trials))  # mode 0700
        held = _lock(own, fcntl.LOCK_EX)
    try:
        yield TrialBuilder(backend, shared, own, published)
    finally:
        shutil.rmtree(own, ignore_errors=True)
        os.close(held)


def _sweep(place: Path, trials: Path) -> None:
    for folder in trials.iterdir():
        try:
            held = _lock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:  # somebody's trial, or gone meanwhile
            continue
        shutil.rmtree(folder, ignore_errors=True)
        os.close(held)
    for folder in place.iterdir():  # as releases before this one kept them, sealed or not
        if _BUILD.fullmatch(folder.name):
            shutil.rmtree(folder, ignore_errors=True)


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
