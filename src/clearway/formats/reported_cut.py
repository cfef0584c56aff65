"""A document of more reports than one call takes, as several documents: lists, JSON lines and SARIF logs. Pure.

Each part is of the same form, and holds its reports byte for byte: a report has the same hash as when it is sent by
itself. A run of a SARIF log goes with each of its parts, since its results refer to its rules and artifacts.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import msgspec
from msgspec import Raw

from clearway.records.errors import ClearwayError

from .reported import elements_of, lines_of
from .reported_parts import MAX_REPORTS, WHITE, as_json

if TYPE_CHECKING:
    from collections.abc import Iterator

    Run = dict[str, Raw]


def cut(data: bytes, most: int = MAX_REPORTS) -> Iterator[bytes]:
    """`data` in documents of at most `most` reports each, one after the other; as it is where it has no more.

    What can't be read is handed back as it is: whoever reads it says why.
    """
    first = data.lstrip(WHITE)[:1]
    try:
        if first == b"[":
            yield from _list(data, most)
        elif first == b"{" and lines_of(data):
            yield from _lines(data, most)
        elif first == b"{":
            yield from _log(data, most)
        else:
            yield data
    except (ClearwayError, msgspec.MsgspecError, RecursionError):  # raised before a part was made
        yield data


def _list(data: bytes, most: int) -> Iterator[bytes]:
    parts = elements_of(data, "")
    if len(parts) <= most:
        yield data
        return
    for n in range(0, len(parts), most):
        yield b"[" + b",".join(parts[n : n + most]) + b"]"


def _lines(data: bytes, most: int) -> Iterator[bytes]:
    lines = [line for line in data.split(b"\n") if line.strip(WHITE)]
    if len(lines) <= most:
        yield data
        return
    starts = [*range(0, len(lines), most), len(lines)]
    if starts[-1] - starts[-2] == 1 and most > 2:
        starts[-2] -= 1  # a single line would be read as one document, its end included in its hash
    for start, end in pairwise(starts):
        some = lines[start:end]
        yield b"\n".join(some) if len(some) > 1 else b"[" + some[0].strip(WHITE) + b"]"


def _log(data: bytes, most: int) -> Iterator[bytes]:
    log = msgspec.json.decode(data.lstrip(WHITE), type=dict[str, Raw])
    if "runs" not in log or "version" not in log:
        yield data
        return
    runs = msgspec.json.decode(log["runs"], type=list[dict[str, Raw]])
    results = [_results(run) for run in runs]
    if sum(map(len, results)) <= most:
        yield data
        return
    as_json(data, "")  # whole and unambiguous, before it is cut
    part: list[Run] = []
    room = most
    for run, own in zip(runs, results, strict=True):
        if not own:
            continue  # it reports nothing
        for n in _starts(len(own), room, most):
            some = own[n : n + (room or most)]
            if not room:
                yield _written(log, part)
                part, room = [], most
            part.append({**run, "results": Raw(b"[" + b",".join(map(bytes, some)) + b"]")})
            room -= len(some)
    if part:
        yield _written(log, part)


def _starts(count: int, room: int, most: int) -> Iterator[int]:
    """Where the parts of a run of `count` results begin, the first of which has `room` left."""
    yield 0
    yield from range(room or most, count, most)


def _results(run: Run) -> list[Raw]:
    return msgspec.json.decode(run.get("results", Raw(b"[]")), type=list[Raw] | None) or []


def _written(log: dict[str, Raw], runs: list[Run]) -> bytes:
    return msgspec.json.encode({**log, "runs": runs})
