"""Bodies of the compiled table's rows, made of values that are msgpack already. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import msgspec


def by_package(rows: Iterable[tuple[str, str, bytes]]) -> Iterator[tuple[tuple[str, str], list[bytes]]]:
    """The claims of each package; the rows (ecosystem, name, claim) come sorted by package and record."""
    at: tuple[str, str] | None = None
    bodies: list[bytes] = []
    for ecosystem, name, body in rows:
        if at is None or at[1] != name or at[0] != ecosystem:
            if at is not None:
                yield at, bodies
            at, bodies = (ecosystem, name), []
        bodies.append(body)
    if at is not None:
        yield at, bodies


def array_of(bodies: Sequence[bytes | msgspec.Raw]) -> bytes:
    """A msgpack array of ready-made msgpack values (msgpack specification, "array format family")."""
    count = len(bodies)
    if count < 16:
        head = bytes((0x90 | count,))
    elif count < 1 << 16:
        head = b"\xdc" + count.to_bytes(2, "big")
    else:
        head = b"\xdd" + count.to_bytes(4, "big")
    return b"".join((head, *bodies))
