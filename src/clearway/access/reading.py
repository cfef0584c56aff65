"""Reading what is marked is an entry in the log: one a request and audience, not one a row.

    with reading(request) as (db, me, note):
        kept = assets.one(db, asset)
        note(f"asset/{asset}", [kept.aud])

The entry is in the transaction that reads, so that nothing is shown whose reading can't be logged. One thing that the
same credential reads again within a minute is not said again by this process: an entry says that it was read, and
not how often. A list that leaves as a file ("list/assets") is said each time.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING, Any

from clearway import ledger
from clearway.http.acting import acting, doorkeeper

from .audience import meet
from .marking import CLEAR_AUD, GREEN_AUD

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    import psycopg
    from litestar import Request

    from clearway.records.principal import Principal

    Note = Callable[[str, Iterable[int]], None]

LIST = "list/"
AGAIN_S = 60.0  # after which the same reading is told again
MOST_AUDIENCES = 16  # entries of one request; more audiences than these are told for who sees all of them
_MOST_REMEMBERED = 20_000
_OPEN = frozenset((CLEAR_AUD, GREEN_AUD))  # what everybody, or everybody who signs in, may read
_told: dict[
    tuple[str, str], float
] = {}  # by credential and subject: the number of an audience is kept nowhere
_lock = Lock()


@contextmanager
def reading(request: Request[Any, Any, Any]) -> Iterator[tuple[psycopg.Connection[Any], Principal, Note]]:
    """A transaction as `acting` gives, and `note(subject, auds)`, which logs that content of these audiences is read.

    `subject` is the public id of what is read ("asset/17"), or the list that it is of ("list/assets").
    """
    key = doorkeeper(request).key(request)
    made: list[tuple[str, str]] = []
    with acting(request) as (db, me):

        def note(subject: str, auds: Iterable[int]) -> None:
            marked = sorted({*auds} - _OPEN)
            if not marked or not _is_due((key, subject)):
                return
            if len(marked) > MOST_AUDIENCES:
                marked = [*marked[: MOST_AUDIENCES - 1], meet(db, marked[MOST_AUDIENCES - 1 :])]
            for aud in marked:
                ledger.append_read(db, [subject], aud)
            if not subject.startswith(LIST):
                made.append((key, subject))

        yield db, me, note
    _remember(made)  # only what is committed


def _is_due(which: tuple[str, str]) -> bool:
    then = _told.get(which)
    return then is None or time.monotonic() - then >= AGAIN_S


def _remember(made: Iterable[tuple[str, str]]) -> None:
    now = time.monotonic()
    with _lock:
        for which in made:
            if len(_told) >= _MOST_REMEMBERED:
                _told.clear()
            _told[which] = now
