"""Where records come from, byte for byte: a port, its in-memory twin, and a bounded memory in front."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# Who speaks, and the record's id there: one current record.
Ref = tuple[str, str]


class RecordSource(Protocol):
    """Current records in OSV format, marked TLP:CLEAR."""

    async def osv(self, refs: Sequence[Ref]) -> dict[Ref, bytes]:
        """The exact bytes of each of these records.

        A record that is not here, is not current, is not in OSV format or is marked above
        TLP:CLEAR is left out; the four can't be told apart.

        Raises:
            UpstreamError: the store does not answer.
        """
        ...

    async def close(self) -> None:
        """Lets go of connections; `osv` may not be asked any more."""
        ...


class MemoryRecords:
    """The in-memory twin."""

    def __init__(self, records: Mapping[Ref, bytes]) -> None:
        self._records = dict(records)

    async def osv(self, refs: Sequence[Ref]) -> dict[Ref, bytes]:
        return {ref: raw for ref in refs if (raw := self._records.get(ref)) is not None}

    async def close(self) -> None:
        return None


class RememberedRecords:
    """`behind` with the records last asked for kept in memory, at most `bound_bytes` of them.

    What is kept belongs to one `state` (the content hash of the compiled table): `at` with another
    one forgets it all, so that a record changed by intake is read anew.
    """

    def __init__(self, behind: RecordSource, *, bound_bytes: int = 64 << 20) -> None:
        self._behind = behind
        self._bound = bound_bytes
        self._state = ""
        self._kept: OrderedDict[Ref, bytes] = OrderedDict()
        self._size = 0

    def at(self, state: str) -> RememberedRecords:
        """This memory, for records as of `state`."""
        if state != self._state:
            self._state = state
            self._kept.clear()
            self._size = 0
        return self

    async def osv(self, refs: Sequence[Ref]) -> dict[Ref, bytes]:
        found: dict[Ref, bytes] = {}
        missing: list[Ref] = []
        for ref in refs:
            raw = self._kept.get(ref)
            if raw is None:
                missing.append(ref)
            else:
                self._kept.move_to_end(ref)
                found[ref] = raw
        if missing:
            state = self._state
            fresh = await self._behind.osv(missing)
            found.update(fresh)
            if state == self._state:  # else what was read may be older than what is kept now
                self._keep(fresh)
        return found

    def _keep(self, fresh: Mapping[Ref, bytes]) -> None:
        for ref, raw in fresh.items():
            if ref not in self._kept:
                self._kept[ref] = raw
                self._size += len(raw)
        while self._size > self._bound:
            _, dropped = self._kept.popitem(last=False)
            self._size -= len(dropped)

    async def close(self) -> None:
        await self._behind.close()
