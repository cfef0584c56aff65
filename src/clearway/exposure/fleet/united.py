"""Several mentions of one asset, as the one observation that they are. Pure.

A list may name a machine twice, by two of its names; two lists of one call may speak of it. Taken one after the other
the second would end what the first shows.
"""

from __future__ import annotations

from hashlib import sha256
from hmac import digest as hmac
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct
from msgspec.structs import replace

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clearway.records.fleet_input import Exposure, Observed


def united(several: Sequence[Observed]) -> Observed:
    """What all of them show; what only one can say (name, format, tool, serial) is the first one's that says it.

    Raises ValueError for none.
    """
    if not several:
        raise ValueError("no observation")
    first = several[0]
    if len(several) == 1:
        return first
    said = exposure(several)
    teller = next((o for o in several if o.exposure == said), first)
    return replace(
        first,
        components=tuple(c for o in several for c in o.components),
        detections=tuple(d for o in several for d in o.detections),
        services=tuple(dict.fromkeys(s for o in several for s in o.services)),
        vex=tuple(s for o in several for s in o.vex),
        problems=tuple(dict.fromkeys(p for o in several for p in o.problems)),
        complete=all(o.complete for o in several),
        seen=max((o.seen for o in several if o.seen), default=None),
        distro=next((o.distro for o in several if o.distro), ""),
        serial=next((o.serial for o in several if o.serial), ""),
        root_purl=next((o.root_purl for o in several if o.root_purl), ""),
        exposure=said,
        exposure_by=teller.exposure_by,
        exposure_since=teller.exposure_since,
    )


def exposure(several: Sequence[Observed]) -> Exposure:
    """Public where one says so: the answer with the earlier due date."""
    said = {o.exposure for o in several}
    return "public" if "public" in said else "internal" if "internal" in said else ""


_MARK = 32  # hexadecimal digits: HMAC-SHA-256 (RFC 2104 §5), cut


class Whole(Struct, frozen=True, kw_only=True):
    """A document of which a part is kept: its SHA-256, and the key of its organisation's marks."""

    sha256: bytes
    key: bytes

    def mark(self, asset: int) -> str:
        """What tells for one asset, and for nobody without the key, that it is this document again.

        A plain hash would let who sees one asset try out what the document says of others, and its mark elsewhere would
        tell which assets stand in it.
        """
        return hmac(self.key, b"%d %b" % (asset, self.sha256), sha256).hex()[:_MARK]


def part_of(observed: Observed, *marks: str) -> tuple[bytes, ...]:
    """What is kept of a document for one of the assets that it speaks of: its part, with each of these marks of it."""
    own = msgspec.Raw(msgspec.json.encode(observed))
    return tuple(msgspec.json.encode({"document": mark, "observed": own}) for mark in marks)


def parts_of(parts: Sequence[bytes]) -> bytes:
    """What is kept of several parts about one asset, the same whichever came first."""
    return b"[" + b",".join(sorted(parts)) + b"]"


def near(name: str) -> str:
    """What the names of one asset mostly share, to bring its mentions together: the first label, in lower case."""
    return name.strip().casefold().partition(".")[0]
