"""Routes of one finding for its reporter and the desk: how it stands, what is added, its files, its receipt."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any

from litestar import Request, Response, get, post
from litestar.params import FromPath, JSONBody, RawBody
from msgspec import Meta, Struct

from clearway.access.reading import as_file, reading
from clearway.http import etag, partial
from clearway.http.acting import SIGNED_IN, acting, needs
from clearway.http.acts import done_once
from clearway.http.idempotency import Made
from clearway.http.listing import paths
from clearway.http.openapi import READ, WRITE, gives, problems_of
from clearway.ledger import append_read
from clearway.records.errors import InputError, NotFoundError

from .. import artefact, kept
from ..named import HandlingText
from . import onward, record, sealed, submit
from .api_list import FINDINGS
from .at_desk import add, tools
from .view import FindingView, view

if TYPE_CHECKING:
    from litestar.handlers import HTTPRouteHandler

    from clearway.http.acts import Db
    from clearway.records.principal import Principal

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


class Withdrawal(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why a finding is withdrawn, for the desk; it is on the log."""

    why: Annotated[str, Meta(max_length=300)] = ""


class AppealText(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why a mark is wrong."""

    why: Annotated[str, Meta(min_length=1, max_length=4_000)]


class Numbered(Struct, frozen=True):
    """The number of what was made."""

    id: int


def handlers() -> list[HTTPRouteHandler]:
    """The routes of this file."""

    @get(
        paths("/findings"),
        opt=SIGNED_IN,
        sync_to_thread=True,
        operation_class=FINDINGS.operation,
        summary="Findings",
        responses=FINDINGS.responses,
    )
    def listed(request: Request[Any, Any, Any]) -> Response[bytes]:
        """One's own organisation's; for coordinators everybody's."""
        return as_file(request, FINDINGS)

    @get(
        "/findings/{handling:str}",
        opt=SIGNED_IN,
        sync_to_thread=True,
        summary="One finding",
        responses=gives(FindingView, *READ),
    )
    def one(request: Request[Any, Any, Any], handling: FromPath[HandlingText]) -> Response[bytes]:
        """How it stands, what is missing, its evidence and files; the report's text is in its files."""
        with reading(request) as (db, me, note):
            finding = kept.one(db, handling)
            found = view(db, finding)
            note(finding.subject, [finding.aud])
        return etag.thing(request, found, me, finding.version)

    @get(
        "/findings/{handling:str}/receipt",
        opt=SIGNED_IN,
        sync_to_thread=True,
        summary="The signed receipt",
        responses=gives(dict[str, Any], *READ),
    )
    def signed(request: Request[Any, Any, Any], handling: FromPath[HandlingText]) -> Response[bytes]:
        """As it was given out: a DSSE envelope."""
        with reading(request) as (db, me, note):
            finding = kept.one(db, handling)
            found = submit.receipt_of(db, finding.id)
            note(f"{finding.subject}/receipt", [finding.aud])
        if not found:
            raise NotFoundError("it came without a receipt", where=finding.handling)
        headers = {"content-disposition": f'attachment; filename="{finding.handling}.receipt.json"'}
        return etag.response(request, found.encode(), me, "application/json", headers)

    @post(
        "/findings/{handling:str}/supplement",
        opt=needs("submit"),
        sync_to_thread=True,
        status_code=200,
        summary="Add what is missing",
        responses=gives(FindingView, *WRITE),
    )
    def supplement(
        request: Request[Any, Any, Any], handling: FromPath[HandlingText], body: RawBody
    ) -> Response[bytes]:
        """The body is JSON with any of `affected, place, cwe, trace, reproduction, ruled_out, files` of a report; it
        stands in place of what was said before. A finding that then lacks nothing is queued.
        """
        if not body:
            raise InputError("the body is empty", where="body", mend="send what is to be added, as JSON")
        finding, _ = add(request, handling, body)
        with acting(request) as (db, me):
            finding = kept.by_id(db, finding.id)
            found = view(db, finding)
        return etag.thing(request, found, me, finding.version)

    @post(
        "/findings/{handling:str}/withdraw",
        opt=needs("submit"),
        sync_to_thread=True,
        status_code=200,
        summary="Withdraw a finding",
        responses=gives(FindingView, *WRITE),
    )
    def withdraw(
        request: Request[Any, Any, Any], handling: FromPath[HandlingText], data: JSONBody[Withdrawal]
    ) -> Response[bytes]:
        """By its reporter, in any state but closed. It can't be taken back."""

        def act(db: Db, me: Principal) -> Made:
            moved = kept.move(db, kept.one(db, handling), "withdrawn", data.why)
            return Made(record=view(db, moved), status=200)

        return done_once(request, act)

    @get(
        "/findings/{handling:str}/files/{number:int}",
        opt=SIGNED_IN,
        sync_to_thread=True,
        media_type="application/octet-stream",
        summary="One file of a finding",
        responses=problems_of(*READ, 416),
    )
    def file(
        request: Request[Any, Any, Any], handling: FromPath[HandlingText], number: FromPath[int]
    ) -> Response[bytes]:
        """What was sealed, or the range of it that was asked for. That it was read is on the log."""
        return sealed_file(request, handling, number)

    @get(
        "/findings/{handling:str}/onward",
        opt=SIGNED_IN,
        sync_to_thread=True,
        summary="The finding as it is handed on",
        responses=gives(dict[str, Any], *READ),
    )
    def handed_on(request: Request[Any, Any, Any], handling: FromPath[HandlingText]) -> Response[bytes]:
        """A report in our own form, with its provenance byte for byte and our hop behind it. On the log."""
        at = tools(request)
        with acting(request) as (db, _):
            finding = kept.one(db, handling)
            found = sealed.stored(db, at.desk, finding)
            signed = submit.receipt_of(db, finding.id)
            append_read(db, [f"{finding.subject}/onward"], finding.aud)
        with at.readers.room(finding.org, found.size):
            report = sealed.report_of(found)
            body = onward.document(report, finding, signed, desk=at.desk.key.public.key_id)
        headers = {"content-disposition": f'attachment; filename="{finding.handling}.json"'}
        return Response(body, media_type="application/json", headers=headers)

    @post(
        "/findings/{handling:str}/appeal",
        opt=needs("submit"),
        sync_to_thread=True,
        status_code=201,
        summary="Appeal against how a finding counts",
        responses=gives(Numbered, *WRITE, status=201),
    )
    def appeal(
        request: Request[Any, Any, Any], handling: FromPath[HandlingText], data: JSONBody[AppealText]
    ) -> Response[bytes]:
        """While it is open, the mark does not count. Another coordinator than who gave it decides."""

        def act(db: Db, me: Principal) -> Made:
            return Made(record=Numbered(record.appeal(db, kept.one(db, handling), data.why)))

        return done_once(request, act)

    return [listed, one, signed, supplement, withdraw, file, handed_on, appeal]


def sealed_file(request: Request[Any, Any, Any], handling: str, number: int) -> Response[bytes]:
    """A file of a finding as a download that no browser shows or runs.

    Raises:
        NotFoundError: the finding has no such file, or its key is not here.
    """
    desk = tools(request).desk
    with acting(request) as (db, _):
        finding = kept.one(db, handling)
        found = artefact.of(db, finding, number)
        data = artefact.read(db, desk.vault, found)
    name = _UNSAFE.sub("_", found.name).strip("._") or f"{found.kind}-{number}"
    return partial.download(request, data, f"{finding.handling}-{name[:80]}", found.sha256)
