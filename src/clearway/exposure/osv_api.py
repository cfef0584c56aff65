"""`POST /v1/query` and `POST /v1/querybatch`, wire-compatible with OSV.dev; public by declaration.

Both read their body as JSON whatever its media type says, because clients of OSV send none or a
wrong one. A batch gives way to other requests every few milliseconds.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from litestar import MediaType, Response, Router, post
from litestar.openapi import ResponseSpec
from litestar.params import JSONBody
from msgspec import Meta, Struct

from clearway.advisories.osv_api import OSV_ROUTE
from clearway.advisories.osv_document import chosen, documents
from clearway.http.openapi import problems_of

from .osv_query import MAX_QUERIES, PAGE, Query, answer, interpret, judged_or_error, page

if TYPE_CHECKING:
    from clearway.advisories.live_table import LiveTable
    from clearway.advisories.record_source import RememberedRecords
    from clearway.advisories.table import Table

QUERY_BYTES = 64 << 10
BATCH_BYTES = 8 << 20
BATCH_RECORDS = 20_000  # in one batch answer; queries beyond it get a page token instead
UNKNOWN_HEADER = "clearway-unknown"
# How long a batch keeps the event loop to itself. Another request takes about four turns to be served.
_TURN_SECONDS = 0.001
_REMEMBERED = 100_000  # lines, some 150 bytes each

_encode = msgspec.json.Encoder().encode


class Batch(Struct, frozen=True):
    """Up to 1,000 queries; the answer has as many results, in the same order."""

    queries: Annotated[list[Query], Meta(max_length=MAX_QUERIES)] = []


class Found(Struct, frozen=True):
    """Full OSV records. Members without a value are left out: `{}` for none."""

    vulns: list[dict[str, Any]] = []
    next_page_token: str = ""


class Line(Struct, frozen=True):
    """A record by its id, and when it was last changed."""

    id: str
    modified: str


class Result(Struct, frozen=True):
    """The answer to one query of a batch: `{}` for none."""

    vulns: list[Line] = []
    next_page_token: str = ""


class Results(Struct, frozen=True):
    """One result for each query, in order."""

    results: list[Result]


class _Lines:
    """The JSON of `Line` by record id, remembered for one state of the table."""

    def __init__(self) -> None:
        self._state = ""
        self._known: dict[str, bytes] = {}

    def at(self, table: Table) -> dict[str, bytes]:
        if self._state != table.meta.content or len(self._known) > _REMEMBERED:
            self._state = table.meta.content
            self._known = {}
        return self._known


def _line(table: Table, identifier: str, source: str) -> bytes:
    note = chosen(table.records(identifier), source)
    stated = "" if note is None else note.modified or note.published
    return _encode(Line(identifier, stated or table.meta.built))


def routes(live: LiveTable, records: RememberedRecords) -> Router:
    """The routes of this file, answering from `live` and `records`."""
    remembered = _Lines()

    @post(
        "/v1/query",
        opt=OSV_ROUTE,
        status_code=200,
        request_max_body_size=QUERY_BYTES,
        summary="The records that affect one package version or commit",
        responses={
            200: ResponseSpec(Found, description="The records that affirm", generate_examples=False),
            **problems_of(400, 408, 413, 500, 503),
        },
    )
    async def query(data: JSONBody[Query]) -> Response[bytes]:
        """At most 1,000 full OSV records a page; `{}` when none affirms."""
        asked = interpret(data)
        table = live.current()
        found = judged_or_error(asked, answer(table, asked))
        part = page(asked, found, data.page_token)
        wanted = {identifier: found.records[identifier] for identifier in part.ids}
        texts = await documents(table, records.at(table.meta.content), wanted) if wanted else {}
        body = _body([texts[i] for i in part.ids if i in texts], part.token)
        return _answered(body, ["0"] if found.unknown else [])

    @post(
        "/v1/querybatch",
        opt=OSV_ROUTE,
        status_code=200,
        request_max_body_size=BATCH_BYTES,
        summary="Up to 1,000 queries at once",
        responses={
            200: ResponseSpec(Results, description="A result for each query", generate_examples=False),
            **problems_of(400, 408, 413, 500, 503),
        },
    )
    async def querybatch(data: JSONBody[Batch]) -> Response[bytes]:
        """Ids and dates of change only, by position; the positions (from 0) that could not be judged
        stand in the header `clearway-unknown`.
        """
        table = live.current(len(data.queries))
        lines = remembered.at(table)
        results: list[bytes] = []
        unknown: list[str] = []
        room = BATCH_RECORDS
        turn_ends = time.monotonic() + _TURN_SECONDS
        for position, one in enumerate(data.queries):
            if time.monotonic() > turn_ends:
                await asyncio.sleep(0)
                turn_ends = time.monotonic() + _TURN_SECONDS
            where = f"queries[{position}]"
            asked = interpret(one, where)
            found = answer(table, asked)
            if found.unknown:
                unknown.append(str(position))
            part = page(asked, found, one.page_token, min(PAGE, room), where)
            room -= len(part.ids)
            items = []
            for identifier in part.ids:
                line = lines.get(identifier)
                if line is None:
                    line = lines[identifier] = _line(table, identifier, found.records[identifier])
                items.append(line)
            results.append(_body(items, part.token))
        return _answered(b'{"results":[' + b",".join(results) + b"]}", unknown)

    return Router("/", route_handlers=[query, querybatch], tags=["osv"])


def _body(items: list[bytes], token: str) -> bytes:
    """`{"vulns": […], "next_page_token": …}` from JSON texts, without the members that are empty."""
    members = [b'"vulns":[' + b",".join(items) + b"]"] if items else []
    if token:
        members.append(b'"next_page_token":' + _encode(token))
    return b"{" + b",".join(members) + b"}"


def _answered(body: bytes, unknown: list[str]) -> Response[bytes]:
    headers = {UNKNOWN_HEADER: ",".join(unknown)} if unknown else None
    return Response(body, media_type=MediaType.JSON, headers=headers)
