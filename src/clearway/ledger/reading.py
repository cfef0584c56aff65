"""Reading what is marked is an entry in the log: one a request and audience, not one a row.

    with reading(request) as (db, me, note):
        kept = assets.one(db, asset)
        note(f"asset/{asset}", [kept.aud])

    with reading(request) as (db, me, note):
        page = ASSETS.read(db, me, asked, sealer(request))
        note.page(page)

The entry is in the transaction that reads, so that nothing is shown whose reading can't be logged. What the same
credential reads again is not said again by this process for a while: an entry says that it was read, and not how often.
One thing is told again after a minute. A page of a list is told once an hour for each question (list, filters, order,
place in it): who looks at the first page all day is an entry an hour, who fetches the whole list an entry a page. The
entry has how many of its rows are for that audience, and which filters were set; not what they were set to, which may
name what others may see. A list that leaves as a file (CSV) is said each time.
"""

from __future__ import annotations

import time
from collections import Counter
from contextlib import contextmanager
from hashlib import blake2b
from threading import Lock
from typing import TYPE_CHECKING, Any

from psycopg.errors import DiskFull

from clearway.http.acting import acting, doorkeeper
from clearway.store.scalar import scalar

from .append import READ, append, append_read

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    import psycopg
    from litestar import Request

    from clearway.http.listing import Page
    from clearway.records.principal import Principal

LIST = "list/"
AGAIN_S = 60.0  # after which the same reading of one thing is told again
PAGE_AGAIN_S = 3_600.0  # and of the same page of a list
MOST_AUDIENCES = 16  # entries of one request; more audiences than these are told for who sees all of them
_MOST_REMEMBERED = 20_000
_MOST_FILTERS = 40
_OPEN = frozenset((0, 1))  # what everybody, or everybody who signs in, may read
# When it was told, by a digest of credential and subject: the number of an audience is kept nowhere.
_told: dict[bytes, float] = {}
_lock = Lock()


class Note:
    """Tells the log what one request reads, in its transaction."""

    def __init__(self, db: psycopg.Connection[Any], key: str, *, file: bool) -> None:
        self._db = db
        self._key = key
        self._file = file
        self.made: list[bytes] = []  # what was told, to be remembered once it is committed

    def __call__(self, subject: str, auds: Iterable[int]) -> None:
        """That content of these audiences is read.

        `subject` is the public id of what is read ("asset/17"), or a list that leaves as a file ("list/assets").
        """
        marked = self._marked(auds)
        which = self._digest(subject)
        if not marked or _is_told(which, AGAIN_S):
            return
        for aud in marked:
            append_read(self._db, [subject], aud)
        if not subject.startswith(LIST):
            self.made.append(which)

    def page(self, page: Page[Any]) -> None:
        """That a page of a list is read, as it was asked for."""
        filters = [filter_ for filter_, _ in page.asked.narrowed]
        self.listed(page.name, page.asked.query(), page.auds, filters)

    def listed(self, name: str, question: str, auds: Iterable[int], filters: Iterable[str] = ()) -> None:
        """That rows with these audiences, each as often as it has rows, are read of the list `name`.

        `question` is all that was asked for, and `filters` are the names of those that were set. While the database's
        disk is full a list is shown all the same; the next request tells of it.
        """
        rows = Counter(auds)
        subject = LIST + name
        which = self._digest(f"{subject}?{question}")
        marked = self._marked(rows)
        if not marked or (not self._file and _is_told(which, PAGE_AGAIN_S)):
            return
        set_ = sorted({*filters})[:_MOST_FILTERS]
        others = sum(rows[aud] for aud in rows.keys() - _OPEN - {*marked})
        try:
            with self._db.transaction():
                for aud in marked:
                    said = {"rows": rows[aud] or others, "filters": set_}
                    append(self._db, READ, subject, said, aud=aud)
        except DiskFull:
            return
        self.made.append(which)

    def _marked(self, auds: Iterable[int]) -> list[int]:
        marked = sorted({*auds} - _OPEN)
        if len(marked) > MOST_AUDIENCES:
            return [
                *marked[: MOST_AUDIENCES - 1],
                scalar(self._db, "select clearway.meet(%s)", (marked[MOST_AUDIENCES - 1 :],)),
            ]
        return marked

    def _digest(self, subject: str) -> bytes:
        return blake2b(f"{self._key}\n{subject}".encode(), digest_size=16).digest()


def tell_entries(note: Note, page: Page[Any]) -> None:
    """That a page of the log itself is read: those of its entries that show their content."""
    auds = [aud for entry, aud in zip(page.items, page.auds, strict=True) if entry.content]
    note.listed(page.name, page.asked.query(), auds, [filter_ for filter_, _ in page.asked.narrowed])


@contextmanager
def reading(request: Request[Any, Any, Any]) -> Iterator[tuple[psycopg.Connection[Any], Principal, Note]]:
    """A transaction as `acting` gives, and the `Note` that tells the log what of it is read."""
    key = doorkeeper(request).key(request)
    with acting(request) as (db, me):
        note = Note(db, key, file=request.url.path.endswith(".csv"))
        yield db, me, note
    _remember(note.made)  # only what is committed


def tell_events(
    db: psycopg.Connection[Any], key: str, question: str, auds: Sequence[int]
) -> Callable[[], None]:
    """That events of these audiences are read by the holder of `key`, as `Note.listed`; call what it returns once that
    is committed."""
    note = Note(db, key, file=False)
    note.listed("events", question, auds)
    return lambda: _remember(note.made)


def _is_told(which: bytes, span_s: float) -> bool:
    then = _told.get(which)
    return then is not None and time.monotonic() - then < span_s


def _remember(made: Iterable[bytes]) -> None:
    now = time.monotonic()
    with _lock:
        for which in made:
            if len(_told) >= _MOST_REMEMBERED:
                _told.clear()
            _told[which] = now
