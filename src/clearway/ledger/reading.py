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
place in it) and the audiences that it shows: who looks at the first page all day is an entry an hour, who fetches the
whole list an entry a page. A list that leaves as a file (CSV) is said each time.

A command tells it each time, with "clearway …" as its route (`access.here`).

An entry of a list has the route, how many of its rows are for that audience, which filters were set, and a digest of
what they were set to, but not their values (`questions`).
"""

from __future__ import annotations

import time
from collections import Counter
from contextlib import contextmanager, suppress
from hashlib import blake2b
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import parse_qsl

from psycopg import sql
from psycopg.errors import DiskFull

from clearway.http import whole
from clearway.http.acting import acting, doorkeeper, peeking
from clearway.http.listing import OWN
from clearway.store.peek import UnfitError
from clearway.store.scalar import scalar

from .append import READ, append, append_read
from .questions import LIST, PLACE, digest

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

    import psycopg
    from litestar import Request, Response

    from clearway.http.listing import Listing, Page
    from clearway.records.principal import Principal
    from clearway.store.keyset import Condition

AGAIN_S = 60.0  # after which the same reading of one thing is told again
PAGE_AGAIN_S = 3_600.0  # and of the same page of a list
MOST_AUDIENCES = 16  # entries of one request; more audiences than these are told for who sees all of them
_MOST_REMEMBERED = 20_000
_MOST_FILTERS = 40
_T = TypeVar("_T")
_OPEN = frozenset((0, 1))  # what everybody, or everybody who signs in, may read
# When it was told, by a digest of credential, subject and audiences. An audience's number is another's after two days
# at the earliest (decision 0013), and what is kept here counts for an hour.
_told: dict[bytes, float] = {}
_lock = Lock()


class Note:
    """Tells the log what one request reads, in its transaction; or one command, which tells it each time."""

    def __init__(
        self,
        db: psycopg.Connection[Any],
        key: str,
        *,
        route: str,
        file: bool = False,
        command: bool = False,
    ) -> None:
        self._db = db
        self._key = key
        self._route = route
        self._file = file or command
        self._command = command
        self.made: list[bytes] = []  # what was told, to be remembered once it is committed

    def __call__(self, subject: str, auds: Iterable[int]) -> bool:
        """That content of these audiences is read; whether any of it is marked.

        `subject` is the public id of what is read ("asset/17", "finding/CWF-7Q4K-9M2X/receipt").
        """
        marked = {*auds} - _OPEN
        which = _digest(self._key, subject, marked)
        if not marked or (not self._command and _is_told(which, AGAIN_S)):
            return bool(marked)
        for aud in self._bounded(Counter(marked)):
            append_read(self._db, [subject], aud)
        self.made.append(which)
        return True

    def page(self, page: Page[Any]) -> None:
        """That a page of a list is read, as it was asked for."""
        self._list(page.name, page.asked.query(), Counter(page.auds), "rows", OWN)

    def listed(self, name: str, question: str, auds: Iterable[int]) -> None:
        """That rows with these audiences, each as often as it has rows, are read of the list `name`.

        `question` is all that was asked for, as a query string. While the database's disk is full a list is shown all
        the same, and the next request tells of it; a command shows none.
        """
        self._list(name, question, Counter(auds), "rows", PLACE)

    def counted(self, name: str, question: str, auds: Iterable[int]) -> None:
        """That figures are read which were counted from rows of these audiences, as `listed`; the entry has no number
        of rows."""
        self._list(name, question, Counter(auds), "", PLACE)

    def _list(self, name: str, question: str, rows: Counter[int], said: str, place: Collection[str]) -> None:
        subject = LIST + name
        marked = rows.keys() - _OPEN
        which = _digest(self._key, f"{subject}?{question}#{said}", marked)
        if not marked or (not self._file and _is_told(which, PAGE_AGAIN_S)):
            return
        pairs = [pair for pair in parse_qsl(question, keep_blank_values=True) if pair[0] not in place]
        content: dict[str, object] = {
            "route": self._route,
            "filters": sorted({filter_ for filter_, _ in pairs})[:_MOST_FILTERS],
        }
        try:
            with self._db.transaction():
                if pairs:
                    content["asked"] = digest(self._db, name, pairs)
                for aud, number in self._bounded(Counter({aud: rows[aud] for aud in marked})).items():
                    append(self._db, READ, subject, {**content, **({said: number} if said else {})}, aud=aud)
        except DiskFull:
            if self._command:
                raise
            return
        self.made.append(which)

    def _bounded(self, rows: Counter[int]) -> Counter[int]:
        """The rows by audience; those beyond `MOST_AUDIENCES` together, for who sees all of them."""
        found = sorted(rows)
        if len(found) <= MOST_AUDIENCES:
            return rows
        first, others = found[: MOST_AUDIENCES - 1], found[MOST_AUDIENCES - 1 :]
        bounded = Counter({aud: rows[aud] for aud in first})
        bounded[scalar(self._db, "select clearway.meet(%s)", (others,))] += sum(rows[aud] for aud in others)
        return bounded


def audiences(db: psycopg.Connection[Any], table: str, key: str, values: Iterable[object]) -> list[int]:
    """The audience of each row of a governed table whose `key` is among `values` and that the caller may see."""
    wanted = [*values]
    if not wanted:
        return []
    found = sql.SQL("select aud from clearway.{} where {} = any(%s)").format(
        sql.Identifier(table), sql.Identifier(key)
    )
    return [aud for (aud,) in db.execute(found, (wanted,))]


@contextmanager
def reading(request: Request[Any, Any, Any]) -> Iterator[tuple[psycopg.Connection[Any], Principal, Note]]:
    """A transaction as `acting` gives, and the `Note` that tells the log what of it is read."""
    key = doorkeeper(request).key(request)
    with acting(request) as (db, me):
        note = Note(
            db, key, route=str(request.scope["path_template"]), file=request.url.path.endswith(".csv")
        )
        yield db, me, note
    _remember(note.made)  # only what is committed


def one(
    request: Request[Any, Any, Any],
    read: Callable[[Any], _T],
    about: Callable[[_T], tuple[str, Iterable[int]]],
) -> tuple[_T, Principal]:
    """What `read` finds by a single statement, and who asks; `about` says of it what a `Note` is told.

    One round trip where that was told a moment ago, else a transaction that tells it.
    """
    with suppress(UnfitError):
        peek, me = peeking(request)
        found = read(peek)
        subject, auds = about(found)
        marked = {*auds} - _OPEN
        if not marked or _is_told(_digest(peek.key, subject, marked), AGAIN_S):
            return found, me
    with reading(request) as (db, me, note):
        found = read(db)
        note(*about(found))
    return found, me


def as_file(
    request: Request[Any, Any, Any],
    listing: Listing[Any],
    *conditions: Condition,
    within: Callable[[psycopg.Connection[Any], Principal, Note], Iterable[Condition]] | None = None,
    tell: Callable[[psycopg.Connection[Any], Note, Page[Any]], None] | None = None,
) -> Response[Any]:
    """The list that is asked for, as `http.whole.listed` gives it, each step told in the transaction that reads it.

    `tell` tells the log what is read, instead of `Note.page`.
    """

    def page(_: psycopg.Connection[Any], note: Note, found: Page[Any]) -> None:
        note.page(found)

    return whole.listed(request, listing, reading, tell or page, *conditions, within=within)


def tell_events(
    db: psycopg.Connection[Any], key: str, route: str, question: str, auds: Sequence[int]
) -> Callable[[], None]:
    """That events of these audiences are read by the holder of `key`, as `Note.listed`; call what it returns once that
    is committed.

    Each audience by itself: a stream that has told of one brings others later, in any company.
    """
    note = Note(db, key, route=route)
    rows = Counter(auds)
    for few in [{aud: n} for aud, n in rows.items()] if len(rows) <= MOST_AUDIENCES else [rows]:
        note.listed("events", question, Counter(few).elements())
    return lambda: _remember(note.made)


def _digest(key: str, subject: str, marked: Iterable[int]) -> bytes:
    auds = " ".join(map(str, sorted(marked)))
    return blake2b(f"{key}\n{subject}\n{auds}".encode(), digest_size=16).digest()


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
