"""How rare a term is among the descriptions that are known: counts in hashed buckets, so that no word is kept. Pure."""

from __future__ import annotations

import math
import sys
from array import array
from collections.abc import Iterable
from zlib import crc32

from clearway.records.errors import IntegrityError

BUCKETS = 1 << 16
VERSION = "clearway/words/v1"


class Learnt:
    """Document frequencies in 65,536 buckets. Two terms may share one, which makes both look a little less rare."""

    def __init__(self, counts: array[int] | None = None, documents: int = 0) -> None:
        self._counts = counts if counts is not None else array("I", bytes(4 * BUCKETS))
        self.documents = documents

    def add(self, terms: Iterable[str]) -> None:
        """Counts one document with these terms."""
        self.documents += 1
        for bucket in {crc32(t.encode()) % BUCKETS for t in terms}:
            self._counts[bucket] += 1

    def idf(self, term: str) -> float:
        """The smoothed inverse document frequency, at least 1: what nobody has said before weighs most."""
        return 1.0 + math.log((1 + self.documents) / (1 + self._counts[crc32(term.encode()) % BUCKETS]))

    def dump(self) -> bytes:
        """Its counts as bytes (little endian), for `load`."""
        counts = array("I", self._counts)
        if sys.byteorder == "big":
            counts.byteswap()
        return self.documents.to_bytes(8, "little") + counts.tobytes()

    @classmethod
    def load(cls, data: bytes) -> Learnt:
        """What `dump` gave. Raises IntegrityError when it is something else."""
        if len(data) != 8 + 4 * BUCKETS:
            raise IntegrityError("no counts of words", where=VERSION, mend="learn them again")
        counts = array("I")
        counts.frombytes(data[8:])
        if sys.byteorder == "big":
            counts.byteswap()
        return cls(counts, int.from_bytes(data[:8], "little"))
