"""The keeper of one home: takes records in under a lock, and keeps the compiled table beside the database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from clearway.records.errors import ClearwayError
from clearway.store.connect import connect
from clearway.store.migrate import migrate

from .compile import compile_changes, compile_whole
from .intake import Changes, Counts, derive_again, take_in
from .snapshot import Snapshot
from .store import Store
from .store_catalogues import Catalogues
from .table import TABLE_FILE, Table

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from types import TracebackType

    import psycopg

    from clearway.records.clock import Clock

    from .table_meta import Meta

# From this many changed records on, compiling everything is quicker than following each.
_WHOLE_PAYS_AT = 300


class Teller(Protocol):
    """Told of progress: counts after each batch, and a sentence before a long step."""

    def __call__(self, counts: Counts) -> None: ...

    def say(self, text: str) -> None: ...


class Keeper:
    """Holds one connection; use it as a context manager."""

    def __init__(self, url: str, home: Path, clock: Clock) -> None:
        self._url = url
        self._clock = clock
        self.table = home / TABLE_FILE

    def __enter__(self) -> Keeper:
        migrate(self._url)
        self._db: psycopg.Connection[Any] = connect(
            self._url, autocommit=True, application_name="clearway ingest"
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._db.close()

    def take_in(
        self,
        paths: Sequence[str],
        *,
        forced: str = "",
        rebuild: bool = False,
        accept_smaller: bool = False,
        accept_older: bool = False,
        progress: Teller | None = None,
    ) -> Counts:
        """Takes in everything under `paths`, then compiles what changed. Waits while another intake runs.

        What takes back much of a catalogue or a source is set aside, unless `accept_smaller`. What is older than what
        stands takes no place, unless `accept_older`.
        """
        store = Store(self._db, self._clock.now(), accept_smaller=accept_smaller, accept_older=accept_older)
        if not store.try_lock():
            if progress is not None:
                progress.say("another intake is at work on this home; waiting for it to end")
            store.lock()
        was_current = self._is_current()
        run = store.begin_run()
        counts, changes = Counts(), Changes()
        if derive_again(store):
            was_current = False
        if paths:
            # Interrupted here, the table stays behind the database's generation, and the next run, which finds
            # it so, compiles everything: nobody could say what of this one was committed.
            counts, changes = take_in(
                paths, store, Catalogues(store, self._db),
                forced=forced, progress=progress,
            )  # fmt: skip
        self._compile(changes, whole=rebuild or not was_current)
        store.end_run(
            run, {"read": counts.read, "new": counts.new, "changed": counts.changed}, self._clock.now()
        )
        return counts

    def _is_current(self) -> bool:
        """Whether the table stands exactly for what the database holds."""
        try:
            meta = self._meta()
        except ClearwayError:
            return False
        row = self._db.execute("select n, home::text from clearway.generation").fetchone()
        return row is not None and (meta.generation, meta.home) == (row[0], row[1])

    def _meta(self) -> Meta:
        table = Table.open(self.table)
        try:
            return table.meta
        finally:
            table.close()

    def _compile(self, changes: Changes, *, whole: bool) -> None:
        with self._db.transaction():
            self._db.execute("set transaction isolation level repeatable read, read only")
            snapshot = Snapshot(self._db, self._url)
            built = self._clock.now().strftime("%Y-%m-%dT%H:%M:%SZ")
            touched = sorted(changes.touched)
            if whole or changes.whole or len(touched) > _WHOLE_PAYS_AT:
                compile_whole(snapshot, self.table, built=built)
            elif touched or snapshot.generation != self._meta().generation:
                compile_changes(snapshot, self.table, touched, changes.stood, changes.replaced, built=built)
