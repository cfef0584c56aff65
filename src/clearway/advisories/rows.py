"""Bodies of the compiled table's rows, made of values that are msgpack already. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import msgspec


def by_package(rows: Iterable[tuple[str, str, bytes]]) -> list[tuple[tuple[str, str], list[bytes]]]:
    """The claims (ecosystem, name, claim) of each package, both sorted: the same whatever the order they come in."""
    found: dict[tuple[str, str], list[bytes]] = {}
    for ecosystem, name, body in rows:
        found.setdefault((ecosystem, name), []).append(body)
    return [(package, sorted(bodies)) for package, bodies in sorted(found.items())]


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
