"""`GET /v1/vulns/{id}`, as OSV.dev serves it: TLP:CLEAR records, public by declaration."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from litestar import MediaType, Response, Router, get
from litestar.openapi import ResponseSpec
from litestar.params import FromPath, Parameter

from clearway.http.guard import PUBLIC
from clearway.http.openapi import problems_of
from clearway.http.problems import MEMBERS, with_rpc_code
from clearway.records.errors import NotFoundError

from .osv_document import documents

if TYPE_CHECKING:
    from .live_table import LiveTable
    from .record_source import RememberedRecords
    from .table import Table

# Public, and with the members in problems that OSV clients read.
OSV_ROUTE: dict[str, Any] = {**PUBLIC, MEMBERS: with_rpc_code}
MAX_ID_CHARS = 200  # the longest id in public data has under 60


def routes(live: LiveTable, records: RememberedRecords) -> Router:
    """The routes of this file, answering from `live` and `records`."""

    @get(
        "/v1/vulns/{identifier:str}",
        opt=OSV_ROUTE,
        summary="One record by its id",
        responses={
            200: ResponseSpec(
                dict[str, Any], generate_examples=False, description="The record, an OSV document"
            ),
            **problems_of(400, 404, 500, 503),
        },
    )
    async def vuln(
        identifier: FromPath[
            Annotated[str, Parameter(max_length=MAX_ID_CHARS, description="The record's own id, in its case")]
        ],
    ) -> Response[bytes]:
        """The record's exact bytes where it was published in OSV format; else a document derived from the
        compiled table, which says so under `database_specific.derived`.
        """
        table = live.current()
        found = await documents(table, records.at(table.meta.content), {identifier: ""})
        if identifier not in found:
            raise _not_found(table, identifier)
        return Response(found[identifier], media_type=MediaType.JSON)

    return Router("/", route_handlers=[vuln], tags=["osv"])


def _not_found(table: Table, identifier: str) -> NotFoundError:
    """What to answer, naming the records that speak of the same flaw where there are some."""
    names = {
        record
        for flaw in table.flaws_of(identifier)
        if (known := table.flaw(flaw)) is not None
        for _, record in known.records
    }
    names.discard(identifier)
    mend = f"the same flaw has {', '.join(sorted(names)[:10])}" if names else ""
    return NotFoundError("no record has this id", mend=mend)
