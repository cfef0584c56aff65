"""Routes of issuing: keys, versions, addressing, revoking, and taking note."""

from __future__ import annotations

import base64
import binascii
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any, Literal

from litestar import Request, Response, get, post
from litestar.params import FromPath, JSONBody
from msgspec import Meta, Struct

from clearway.access.reading import as_file, audiences, reading
from clearway.http.acting import SIGNED_IN, acting, needs
from clearway.http.filters import text
from clearway.http.idempotency import Made, once
from clearway.http.listing import Listing, paths
from clearway.http.openapi import READ, WRITE, gives, problems_of
from clearway.records.errors import InputError, IntegrityError
from clearway.store.keyset import Column, Source

from .acknowledgement import Acknowledgement
from .api_parts import JSON, DayParameter, Id, Name, Note, Slug, SlugParameter, day_or_today, named_org, sent
from .issue import LARGEST, read_public_key
from .kept import addresses, issues
from .kept.who import acting_in, now

if TYPE_CHECKING:
    from litestar.handlers import HTTPRouteHandler


class VersionLine(Struct, frozen=True, kw_only=True):
    """One version in the list; it governs from `begins` on, which is never before it was issued."""

    id: int
    by: str
    directive: str
    version: str
    issued: date
    begins: date
    imported: bool
    revoked: date | None
    sha256: str


VERSIONS = Listing(
    "directive-versions",
    VersionLine,
    Source(
        "v.version_id as id, o.slug as by, v.directive, v.version, v.issued, v.begins, v.imported, v.revoked, "
        "encode(v.sha256, 'hex') as sha256",
        "clearway.directive_version v join clearway.organisation o on o.org = v.org",
    ),
    sorts={"issued": Column("v.issued", "date"), "directive": Column("v.directive")},
    tie=Column("v.version_id", "bigint"),
    default="-issued",
    filters={"directive": text("v.directive = any(%s)"), "by": text("o.slug = any(%s)")},
    aud="v.aud",
)


class NewKey(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A public key: PEM, or 32 bytes in base64 or hexadecimal."""

    organisation: Slug
    key: Annotated[str, Meta(max_length=2000)]
    label: Name = ""


class KeyMade(Struct, frozen=True):
    key: str


class NewVersion(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A directive's exact text (UTF-8) with its Ed25519 signature in base64; `reach` is its marking."""

    organisation: Slug
    document: Annotated[str, Meta(max_length=LARGEST)]
    signature: Annotated[str, Meta(max_length=200)]
    reach: Literal["CLEAR", "GREEN"] = "CLEAR"


class Revocation(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    organisation: Slug
    reason: Note
    on: date | None = None


class NewAddresses(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """From organisation to standing, from `since` on (default: today); more than 500 in several requests.

    Each makes an audience, under a lock that others wait for.
    """

    organisation: Slug
    directive: Id
    recipients: Annotated[
        dict[str, Literal["binding", "adopted", "advisory"]], Meta(min_length=1, max_length=500)
    ]
    since: date | None = None


class AddressesMade(Struct, frozen=True):
    """How many organisations were not addressed in those terms before."""

    addressed: int


class TakenNote(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    organisation: Slug = ""
    note: Note = ""


class Addressed(Struct, frozen=True):
    """What is addressed to an organisation on a day."""

    organisation: str
    as_of: date
    items: tuple[addresses.ToDo, ...]


def handlers() -> list[HTTPRouteHandler]:
    """The routes of this file."""

    @get(
        paths("/versions"),
        opt=SIGNED_IN,
        sync_to_thread=True,
        operation_class=VERSIONS.operation,
        summary="Issued versions of directives",
        responses=VERSIONS.responses,
    )
    def versions(request: Request[Any, Any, Any]) -> Response[bytes]:
        """Every version that the caller may see; what is superseded or revoked stays in the list."""
        return as_file(request, VERSIONS)

    @get(
        "/versions/{version:int}",
        opt=SIGNED_IN,
        sync_to_thread=True,
        summary="One version, with its signature",
        responses={**problems_of(*READ)},
    )
    def version(request: Request[Any, Any, Any], version: FromPath[int]) -> issues.Version:
        """`signature` and `public` verify the bytes of the document as they are."""
        with reading(request) as (db, _, note):
            found = issues.version(db, version)
            note(f"directive/{found.id}", audiences(db, "directive_version", "version_id", [found.id]))
            return found

    @get(
        "/versions/{version:int}/document",
        opt=SIGNED_IN,
        sync_to_thread=True,
        summary="The document as it was signed",
        responses=gives(dict[str, Any], *READ),
    )
    def document(request: Request[Any, Any, Any], version: FromPath[int]) -> Response[bytes]:
        """Byte for byte; its signature has been verified anew."""
        with reading(request) as (db, _, note):
            found = issues.document(db, version)
            note(f"directive/{version}", audiences(db, "directive_version", "version_id", [version]))
            return sent(found.document, JSON)

    @post(
        "/keys",
        opt=needs("administer"),
        sync_to_thread=True,
        status_code=201,
        summary="Register a public key of an authority",
        responses=gives(KeyMade, *WRITE, status=201),
    )
    def add_key(request: Request[Any, Any, Any], data: JSONBody[NewKey]) -> Response[bytes]:
        """The key with which it will sign; the private key stays with the authority."""
        key = read_public_key(data.key.encode(), "body.key")
        with acting(request) as (db, me):
            return once(
                request,
                db,
                me,
                lambda: Made(record=KeyMade(issues.add_key(db, me, data.organisation, key, data.label))),
            )

    @post(
        "/versions",
        opt=needs("direct"),
        sync_to_thread=True,
        status_code=201,
        request_max_body_size=2 * LARGEST,
        summary="Issue a signed version",
        responses=gives(issues.Version, *WRITE, status=201),
    )
    def publish(request: Request[Any, Any, Any], data: JSONBody[NewVersion]) -> Response[bytes]:
        """Refused unless a registered key of the authority signed these very bytes; it governs from its own day on."""
        try:
            signature = base64.b64decode(data.signature, validate=True)
        except (binascii.Error, ValueError):
            raise InputError("is not base64", where="body.signature") from None
        with acting(request) as (db, me):

            def act() -> Made:
                text, today = data.document.encode(), now(db).date()
                try:
                    made = issues.publish(
                        db, me, data.organisation, text, signature, issued=today, reach=data.reach
                    )
                except IntegrityError as error:  # here it is the caller's document, and nothing of ours
                    raise InputError(error.what, where="body.signature", mend=error.mend) from error
                return Made(record=made, location=f"/api/v1/directives/versions/{made.id}")

            return once(request, db, me, act)

    @post(
        "/versions/{version:int}/revocation",
        opt=needs("direct"),
        sync_to_thread=True,
        status_code=200,
        summary="Revoke a version",
        responses=gives(issues.Version, *WRITE),
    )
    def revoke(
        request: Request[Any, Any, Any], version: FromPath[int], data: JSONBody[Revocation]
    ) -> Response[bytes]:
        """It stays for history, and stands for the days before. A day that is still to come can be brought forward."""
        with acting(request) as (db, me):

            def act() -> Made:
                found = issues.version(db, version)
                made = issues.revoke(
                    db,
                    me,
                    data.organisation,
                    found.directive,
                    found.version,
                    on=data.on or now(db).date(),
                    reason=data.reason,
                )
                return Made(record=made, status=200)

            return once(request, db, me, act)

    @post(
        "/addresses",
        opt=needs("direct"),
        sync_to_thread=True,
        status_code=200,
        summary="Address a directive to organisations",
        responses=gives(AddressesMade, *WRITE),
    )
    def address(request: Request[Any, Any, Any], data: JSONBody[NewAddresses]) -> Response[bytes]:
        """Each sees that it is addressed, and not who else is; from a day on which a version is in effect."""
        with acting(request) as (db, me):

            def act() -> Made:
                since = data.since or addresses.first_day(
                    db, data.organisation, data.directive, now(db).date()
                )
                n = addresses.address(db, me, data.organisation, data.directive, data.recipients, since=since)
                return Made(record=AddressesMade(n), status=200)

            return once(request, db, me, act)

    @get(
        "/addressed",
        opt=SIGNED_IN,
        sync_to_thread=True,
        summary="What is addressed to one's organisation",
        responses={**problems_of(*READ)},
    )
    def addressed(
        request: Request[Any, Any, Any], organisation: SlugParameter = "", as_of: DayParameter = ""
    ) -> Addressed:
        """Of each directive the version that stands on that day, and when it was taken note of."""
        with reading(request) as (db, me, note):
            org = acting_in(db, me, named_org(request, organisation), "read")
            day = day_or_today(db, as_of, "query.as_of", coming=True)
            note.listed("addressed", f"organisation={org.slug}", addresses.audiences(db, org.org))
            return Addressed(org.slug, day, addresses.addressed_to(db, org.org, day))

    @post(
        "/versions/{version:int}/acknowledgement",
        opt=needs("operate"),
        sync_to_thread=True,
        status_code=200,
        summary="Take note of a version",
        responses=gives(Acknowledgement, *WRITE),
    )
    def acknowledge(
        request: Request[Any, Any, Any], version: FromPath[int], data: JSONBody[TakenNote]
    ) -> Response[bytes]:
        """For one's organisation; the authority sees who did and when."""
        with acting(request) as (db, me):
            return once(
                request,
                db,
                me,
                lambda: Made(
                    record=addresses.acknowledge(db, me, data.organisation, version, data.note), status=200
                ),
            )

    return [versions, version, document, add_key, publish, revoke, address, addressed, acknowledge]
