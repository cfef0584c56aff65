"""Records from PostgreSQL, read in threads over a few connections that mend themselves."""

from __future__ import annotations

import asyncio
import queue
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from clearway.records.errors import UpstreamError
from clearway.store.connect import connect, translated

if TYPE_CHECKING:
    from collections.abc import Sequence

    from psycopg import Connection

    from .record_source import Ref

# Both arrays are equality tests on the index (source, id) of current records.
_OSV = """
select source, id, raw from clearway.record
where source = any(%s) and id = any(%s) and current and format = 'osv' and tlp = 'CLEAR'
"""


class StoredRecords:
    """`RecordSource` over the table `clearway.record` at `url`.

    Connections are opened when first needed and kept, `connections` at most. One that fails is
    dropped and the question asked once more on a new one, so a restarted server is met again.
    """

    def __init__(self, url: str, *, connections: int = 4, statement_timeout_s: float = 10) -> None:
        self._url = url
        self._timeout_s = statement_timeout_s
        self._threads = ThreadPoolExecutor(connections, thread_name_prefix="records")
        self._idle: queue.SimpleQueue[Connection] = queue.SimpleQueue()

    async def osv(self, refs: Sequence[Ref]) -> dict[Ref, bytes]:
        wanted = {ref for ref in refs if all(map(_storable, ref))}
        if not wanted:
            return {}
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._read, wanted)

    async def close(self) -> None:
        self._threads.shutdown(wait=True)
        while not self._idle.empty():
            self._idle.get_nowait().close()

    def _read(self, wanted: set[Ref]) -> dict[Ref, bytes]:
        try:
            kept = self._idle.get_nowait()
        except queue.Empty:
            return self._ask(self._open(), wanted)
        try:
            return self._ask(kept, wanted)
        except UpstreamError:
            return self._ask(self._open(), wanted)

    def _open(self) -> Connection:
        return connect(self._url, autocommit=True, statement_timeout_s=self._timeout_s)

    def _ask(self, connection: Connection, wanted: set[Ref]) -> dict[Ref, bytes]:
        try:
            with translated():
                arguments = [sorted({source for source, _ in wanted}), sorted({name for _, name in wanted})]
                rows = connection.execute(_OSV, arguments, binary=True).fetchall()
        except BaseException:
            connection.close()
            raise
        self._idle.put(connection)
        return {(source, name): bytes(raw) for source, name, raw in rows if (source, name) in wanted}


def _storable(text: str) -> bool:
    """Whether PostgreSQL can hold `text`: no zero character, no half of a surrogate pair."""
    return "\0" not in text and not any("\ud800" <= char <= "\udfff" for char in text)
