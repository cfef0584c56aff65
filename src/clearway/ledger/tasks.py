"""The sequencer as a loop of the worker: one process in the cluster leads, on a home that has the key."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from clearway.store.connect import connect, translated
from clearway.store.jobs import Loop

from . import tree_store as tree
from .keys import FOLDER, LOG_KEY
from .sequencer import IDLE_S, LEAST_S, integrate_again, signer_of, waiting
from .verifying import TASK as VERIFY
from .verifying import run as verify

if TYPE_CHECKING:
    from clearway.store.jobs import Connect, Tasks

_LINGER_S = 1.0  # the connection is kept for what comes next
_TURN_S = 5.0  # then the worker looks whether it is to end


def tasks(home: Path, url: str) -> Tasks:
    """The task that verifies the whole log."""
    return {VERIFY: lambda job, _args: verify(job, home, url)}


def loops(home: Path, url: str) -> dict[str, Loop]:
    """The loop that integrates; none on a home without the key of a log that another home signs.

    Such a home must not lead: it would hold the lock and could not sign.
    """
    with translated(), connect(url, autocommit=True, application_name="clearway ledger") as db:
        signed = bool(tree.head(db).keys)
    if signed and not (home / FOLDER / LOG_KEY).exists():
        return {}
    return {"ledger.integrate": Loop(channel="", every_s=IDLE_S, run=lambda ask: _integrate(home, url, ask))}


def _integrate(home: Path, url: str, ask: Connect) -> None:
    """Integrates what waits, on a connection of its own: a batch is remembered only after its commit."""
    with ask() as db:
        if not waiting(db):
            return
    began = last = time.monotonic()
    with translated(), connect(url, autocommit=True, application_name="clearway ledger") as db:
        signer = signer_of(db, home)
        while (now := time.monotonic()) - last < _LINGER_S and now - began < _TURN_S:
            worked = waiting(db) and integrate_again(db, home, signer)
            last = time.monotonic() if worked else last
            time.sleep(max(0.0, LEAST_S - (time.monotonic() - now)))
