"""Every error as RFC 9457 problem+json: one table from the code of an error to a status.

`type` is `urn:clearway:problem:CODE`, stable and public; `docs/reference/http.md` explains each.
An error whose text may name this machine (paths, the database) shows its code and a trace id only;
the rest goes to the log under that id. The id is that of the caller's own trace where it sends one
(W3C Trace Context, `traceparent`).
"""

from __future__ import annotations

import logging
import re
import secrets
from typing import TYPE_CHECKING, Any

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException
from msgspec import Struct

from clearway.records.errors import BusyError, ClearwayError, OutsideError, TooManyRequestsError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from litestar.types import Send

log = logging.getLogger("clearway.http")

MEDIA_TYPE = "application/problem+json"
TYPE = "urn:clearway:problem:"


class Fault(Struct, frozen=True):
    """A place in the request that is wrong, as a JSON path, and what is wrong there."""

    where: str
    detail: str


class Problem(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The document (RFC 9457 §3). `code` and `message` are set where OSV clients look for them."""

    type: str
    title: str
    status: int
    detail: str = ""
    mend: str = ""
    where: str = ""
    errors: tuple[Fault, ...] = ()
    trace_id: str = ""
    code: int | None = None
    message: str = ""


class Row(Struct, frozen=True):
    """How one error leaves: its status, its title, and whether its own words are fit for strangers."""

    status: int
    title: str
    shown: bool = True
    placed: bool = (
        False  # whether `where` is shown though the fault is on this side: it names no place of this machine
    )


# One row a code of `records.errors`; a test proves that no child lacks one.
ROWS: Mapping[str, Row] = {
    "internal": Row(500, "Something went wrong here", shown=False),
    "usage": Row(400, "The request is wrong"),
    "precondition-required": Row(428, "Say which version this changes"),
    "idempotency-mismatch": Row(422, "That idempotency key belongs to another request"),
    "config": Row(503, "This server is not set up for that"),
    "input-invalid": Row(400, "The input can't be used"),
    "version-unreadable": Row(400, "The version can't be read"),
    "input-too-large": Row(413, "The input is too large"),
    "unauthenticated": Row(401, "This needs a login"),
    "forbidden": Row(403, "That is not allowed"),
    "not-found": Row(404, "Nothing of that name is here"),
    "cursor-invalid": Row(404, "No such place in this list"),
    "conflict": Row(409, "Somebody else holds it, or it changed"),
    "precondition-failed": Row(412, "It changed since you read it"),
    "too-many-requests": Row(429, "Too many requests"),
    "upstream": Row(503, "The database is busy, or does not answer", shown=False),
    "outside": Row(503, "Another server does not answer as it should", placed=True),
    "busy": Row(503, "This takes longer than it should"),
    "disk-full": Row(503, "The database's disk is full"),
    "outdated": Row(503, "This server is of an older release than its database"),
    "integrity": Row(500, "Stored data does not verify", shown=False),
}

_NOT_THE_DATABASE = "A part of this server does not answer"

# What the framework, or a bound of this room, refuses by status alone: code and title.
BY_STATUS: Mapping[int, tuple[str, str]] = {
    400: ("input-invalid", "The input can't be used"),
    401: ("unauthenticated", "This needs a login"),
    403: ("forbidden", "That is not allowed"),
    404: ("not-found", "Nothing of that name is here"),
    405: ("method-not-allowed", "The path has no such method"),
    408: ("request-timeout", "The request took too long to arrive"),
    409: ("conflict", "Somebody else holds it, or it changed"),
    412: ("precondition-failed", "It changed since you read it"),
    413: ("input-too-large", "The input is too large"),
    414: ("address-too-long", "The address is too long"),
    415: ("media-type-unsupported", "That media type can't be read here"),
    416: ("range-not-satisfiable", "The file has no such part"),
    422: ("input-invalid", "The input can't be used"),
    428: ("precondition-required", "Say which version this changes"),
    429: ("too-many-requests", "Too many requests"),
    431: ("headers-too-large", "The headers are too large"),
    500: ("internal", "Something went wrong here"),
    503: ("unavailable", "The server is busy"),
}

# google.rpc.Code, which OSV clients expect beside the HTTP status.
_RPC = {
    400: 3,
    401: 16,
    403: 7,
    404: 5,
    408: 4,
    409: 10,
    412: 9,
    413: 3,
    414: 3,
    416: 11,
    422: 3,
    428: 9,
    429: 8,
    431: 3,
    500: 13,
    503: 14,
}

_encode = msgspec.json.Encoder().encode


def of_status(status: int, detail: str = "", *, errors: tuple[Fault, ...] = ()) -> Problem:
    """The problem of a bare status; one without a row counts as 500 or 400, by its class."""
    known = status if status in BY_STATUS else 500 if status >= 500 else 400
    code, title = BY_STATUS[known]
    return Problem(
        type=TYPE + code,
        title=title,
        status=status,
        detail=detail if status < 500 or status == 503 else "",
        errors=errors,
        trace_id=secrets.token_hex(16),
    )


def of_error(error: ClearwayError) -> Problem:
    """The problem of one of our own errors; `where` is left out when it may name a place on this machine."""
    row = ROWS.get(error.code, ROWS["internal"])
    shown = row.shown
    what = error.for_strangers() if isinstance(error, OutsideError) else error.what
    return Problem(
        type=TYPE + (error.code if error.code in ROWS else "internal"),
        title=_NOT_THE_DATABASE if error.code == "upstream" and error.where != "database" else row.title,
        status=row.status,
        detail=what if shown else "",
        mend=error.mend if shown else "",
        where=error.where if shown and (row.status < 500 or row.placed) else "",
        trace_id=secrets.token_hex(16),
    )


def with_rpc_code(problem: Problem) -> Problem:
    """`problem` with the members `code` and `message` that OSV clients read."""
    words = ": ".join(part for part in (problem.where, problem.detail or problem.title) if part)
    return msgspec.structs.replace(problem, code=_RPC.get(problem.status, 2), message=words)


# What a route puts in its `opt` to add members to its problems.
MEMBERS = "problem_members"


def handle(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """Litestar's exception handler for everything that a request can raise."""
    headers: dict[str, str] = {}
    if isinstance(error, ClearwayError):
        problem = of_error(error)
        if isinstance(error, TooManyRequestsError | BusyError):
            headers["retry-after"] = str(error.retry_after_s)
    elif isinstance(error, HTTPException):
        problem = of_status(error.status_code, _detail(error), errors=_faults(error.extra))
        headers = {k: v for k, v in (error.headers or {}).items() if k.lower() in ("allow", "retry-after")}
    else:
        problem = of_status(500)
    if trace := trace_of(request.headers.get("traceparent", "")):
        problem = msgspec.structs.replace(problem, trace_id=trace)
    if problem.status == 401:
        headers["www-authenticate"] = "Bearer"  # RFC 9110 §11.6.1: a 401 names a scheme
    if problem.status >= 500:
        # The path is data from outside: shown as a literal, so that it can't forge log lines.
        log.error(
            "%s %.200r failed, trace %s", request.method, request.url.path, problem.trace_id, exc_info=error
        )
    members: Callable[[Problem], Problem] | None = _opt(request).get(MEMBERS)
    pages = request.app.state.get("pages")
    if pages is not None and members is None and wants_page(request):
        found: Response[bytes] = pages.problem(request, problem, _waiting(problem, headers))
        return found
    return response(members(problem) if members else problem, headers)


# Version 00: version, trace id, parent id, flags; all zeros is no id (W3C Trace Context §3.2).
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")


def trace_of(traceparent: str) -> str:
    """The trace id in a `traceparent` header, "" when there is none that can be used."""
    found = _TRACEPARENT.fullmatch(traceparent)
    return found[1] if found else ""


def response(problem: Problem, headers: Mapping[str, str] | None = None) -> Response[bytes]:
    """The response that carries `problem`."""
    extra = _waiting(problem, headers or {})
    return Response(_encode(problem), status_code=problem.status, media_type=MEDIA_TYPE, headers=extra)


def wants_page(request: Request[Any, Any, Any]) -> bool:
    """Whether an error should be a page: the client prefers HTML, and the path is none of the API's."""
    if request.url.path.startswith(("/api/", "/v1/")):
        return False
    return request.accept.best_match([MEDIA_TYPE, "application/json", "text/html"]) == "text/html"


def _waiting(problem: Problem, headers: Mapping[str, str]) -> dict[str, str]:
    return {"retry-after": "1", **headers} if problem.status == 503 else dict(headers)


async def send_bare(send: Send, problem: Problem, fields: Sequence[tuple[bytes, bytes]] = ()) -> None:
    """Sends `problem` with more header `fields` from outside the framework."""
    body = _encode(problem)
    headers = [(b"content-type", MEDIA_TYPE.encode()), (b"content-length", str(len(body)).encode())]
    headers += fields
    if problem.status == 503:
        headers.append((b"retry-after", b"1"))
    await send({"type": "http.response.start", "status": problem.status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})


def _opt(request: Request[Any, Any, Any]) -> Mapping[str, Any]:
    handler = request.scope.get("route_handler")
    return handler.opt if handler is not None else {}


def _detail(error: HTTPException) -> str:
    if error.extra:  # the faults say it
        return "parts of the request are wrong"
    phrase = BY_STATUS.get(error.status_code, ("", ""))[1]
    return "" if error.status_code in (401, 404, 405, 413) or error.detail == phrase else error.detail


def _faults(extra: Any) -> tuple[Fault, ...]:
    """What Litestar says of a request that does not fit: a list of {message, key, source}."""
    found = []
    for item in extra if isinstance(extra, list) else ():
        if isinstance(item, dict):
            where = ".".join(str(item[k]) for k in ("source", "key") if item.get(k))
            said = str(item.get("message", ""))
            # The framework's whole word on a body that is missing.
            found.append(Fault(where, "the body is empty" if said == "'data'" else said))
    return tuple(found[:20])
