"""What the routes of this room have in common."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any

from litestar import Request, Response
from litestar.openapi.spec import OpenAPIMediaType, OpenAPIResponse, Operation, Schema
from litestar.openapi.spec.enums import OpenAPIType
from litestar.params import QueryParameter
from msgspec import Meta, Struct

from clearway.http import csv_out
from clearway.records.errors import InputError, NotFoundError
from clearway.records.text import plain

from .kept.who import now

if TYPE_CHECKING:
    import psycopg

_ID = re.compile(r"[a-z0-9][a-z0-9.-]{0,62}")
JSON = "application/json"
CSV = csv_out.MEDIA_TYPE
TEXT = "text/plain"  # the framework adds the charset
Slug = Annotated[str, Meta(max_length=63, pattern="^[a-z0-9-]*$")]
Id = Annotated[str, Meta(max_length=63, pattern="^[a-z0-9.-]+$")]
Note = Annotated[str, Meta(max_length=4000)]
Name = Annotated[str, Meta(max_length=200)]
SlugParameter = Annotated[str, QueryParameter(max_length=63, pattern="^[a-z0-9-]*$")]
WordParameter = Annotated[str, QueryParameter(max_length=63, pattern="^[a-z0-9_.-]*$")]
DayParameter = Annotated[str, QueryParameter(max_length=10, pattern=r"^(\d{4}-\d{2}-\d{2})?$")]


def named_org(request: Request[Any, Any, Any], organisation: str) -> str:
    """The organisation that a question names, as `organisation` or, as pages name it, `org`; "" for none.

    One that is not the caller's is refused where it is looked up, and never passed over for the caller's own.
    """
    return organisation or str(request.query_params.get("org", ""))


def in_forms(*media_types: str) -> type[Operation]:
    """The description of a route that answers with JSON, or with one of `media_types`, as its `form` says."""

    @dataclass
    class InForms(Operation):
        def __post_init__(self) -> None:
            answer = (self.responses or {}).get("200")
            if isinstance(answer, OpenAPIResponse) and answer.content is not None:
                for media_type in media_types:
                    schema = Schema(type=OpenAPIType.STRING)
                    answer.content[media_type.partition(";")[0]] = OpenAPIMediaType(schema=schema)

    return InForms


class Oscal(Struct, frozen=True, rename={"results": "assessment-results"}):
    """A report or a triage as OSCAL assessment results."""

    results: dict[str, Any]


def day_or_today(db: psycopg.Connection[Any], text: str, where: str, *, coming: bool = False) -> date:
    """The day that `text` names, "" for today in UTC. Raises InputError, also for a day to come unless `coming`."""
    today = now(db).date()
    if not text:
        return today
    try:
        asked = date.fromisoformat(text)
    except ValueError:
        raise InputError(f"{plain(text, 40)!r} is no date", where=where, mend="such as 2026-12-07") from None
    return asked if coming else not_to_come(asked, today, where)


def not_to_come(asked: date, today: date, where: str) -> date:
    """`asked`. Raises InputError for a day after `today`."""
    if asked > today:
        raise InputError(
            f"{asked} is a day to come: how it stands then is not known",
            where=where,
            mend=f"give {today}, which is today in UTC, or a day before",
        )
    return asked


def named(directive: str) -> str:
    """A directive's id from a path. Raises NotFoundError for what can't be one."""
    if not _ID.fullmatch(directive):
        raise NotFoundError("no such directive", where=plain(directive, 80))
    return directive


def sent(body: bytes, media_type: str, filename: str = "") -> Response[bytes]:
    """A document for the caller alone; with `filename`, to be saved."""
    headers = {"cache-control": "no-store"}
    if filename:
        headers["content-disposition"] = f'attachment; filename="{filename}"'
    return Response(body, media_type=media_type, headers=headers)


def sent_as(body: bytes, form: str, filename: str) -> Response[bytes]:
    """A document in one of the formats json, oscal, csv and text."""
    if form in ("json", "oscal"):
        return sent(body, JSON)
    return sent(body, CSV if form == "csv" else TEXT, f"{filename}.{'csv' if form == 'csv' else 'txt'}")
