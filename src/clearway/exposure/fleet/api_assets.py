"""Routes of assets and their inventories."""

from __future__ import annotations

from datetime import date, datetime
from threading import BoundedSemaphore
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from litestar import Request, Response, get, post, put
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter, RawBody
from msgspec import Meta, Struct

from clearway.access.reading import as_file, reading
from clearway.http import etag, idempotency
from clearway.http.acting import SIGNED_IN, acting, doorkeeper, needs
from clearway.http.acts import changed, done_once
from clearway.http.idempotency import Made
from clearway.http.listing import paths
from clearway.http.openapi import READ, WRITE, OfDocument, gives, problems_of
from clearway.records.errors import InputError
from clearway.records.principal import member_of

from . import asset as assets
from . import described, inventory, page_asked, page_seen, page_upload, unjudged
from .api_asset_list import ASSETS
from .page_common import operating, table_of, table_or_none, today

if TYPE_CHECKING:
    from collections.abc import Callable

    import psycopg
    from litestar.handlers import HTTPRouteHandler

    from clearway.http.acts import Db
    from clearway.http.etag import Expected
    from clearway.records.principal import Principal

Slug = Annotated[str, Meta(max_length=63, pattern="^[a-z0-9-]*$")]
Text = Annotated[str, Meta(max_length=300)]
NameText = Annotated[str, QueryParameter(max_length=300)]
SlugText = Annotated[str, QueryParameter(max_length=63, pattern="^[a-z0-9-]*$")]
DayText = Annotated[str, QueryParameter(max_length=10, pattern=r"^(\d{4}-\d{2}-\d{2})?$")]
ExposedText = Annotated[str, QueryParameter(pattern="^(public|internal|unknown)$")]
EnvironmentText = Annotated[str, QueryParameter(pattern="^(production|development|unknown)$")]
Place = Annotated[int, QueryParameter(ge=0, le=2**31 - 1)]


_KEYED = BoundedSemaphore(2)


class NewAsset(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An asset to keep. It is seen by its organisation alone."""

    organisation: Slug = ""
    name: Annotated[str, Meta(min_length=1, max_length=300)]
    exposure: assets.Exposed = "unknown"
    since: date | None = None
    said_by: Text = ""
    details: assets.Details = assets.Details()


class ChangedAsset(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All that is to be kept of an asset; what is left out is no longer kept."""

    name: Annotated[str, Meta(min_length=1, max_length=300)]
    details: assets.Details


class SaidExposure(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How exposed an asset is, from which day on (default: today), and who says so (default: the caller)."""

    exposure: assets.Exposed
    since: date | None = None
    said_by: Text = ""


class OneAsset(Struct, frozen=True, kw_only=True):
    """One asset as it is kept, with everything that was said of its exposure.

    `described` is what was kept of it from when on, the newest first: who entered it, and on whose word.
    """

    id: int
    organisation: str
    name: str
    exposure: assets.Exposed
    details: assets.Details
    created: datetime
    said: tuple[assets.Statement, ...]
    described: tuple[described.Described, ...]
    tlp: str


class Dated(Struct, frozen=True):
    """How many due dates moved."""

    exposure: assets.Exposed
    dated: int


class Inventories(Struct, frozen=True):
    items: tuple[inventory.InventoryLine, ...]


class Held(Struct, frozen=True):
    """What an asset holds; `next` is the `after` of the next page, None on the last."""

    items: tuple[inventory.HeldLine, ...]
    next: int | None


def handlers() -> list[HTTPRouteHandler]:
    """The routes of this file."""

    @get(
        paths("/assets"),
        opt=SIGNED_IN,
        sync_to_thread=True,
        operation_class=ASSETS.operation,
        summary="Assets",
        responses=ASSETS.responses,
    )
    def listed(request: Request[Any, Any, Any]) -> Response[bytes]:
        """With how much is open on each, and the first date of that. `name` is a beginning."""
        return as_file(request, ASSETS)

    @post(
        "/assets",
        opt=needs("operate"),
        sync_to_thread=True,
        status_code=201,
        summary="Keep an asset",
        responses=gives(OneAsset, *WRITE, status=201),
    )
    def add(request: Request[Any, Any, Any], data: JSONBody[NewAsset]) -> Response[bytes]:
        """Without an inventory yet."""

        def act(db: Db, me: Principal) -> Made:
            home = member_of(me, data.organisation, "operate")
            made = assets.add(
                db,
                home.org,
                data.name,
                exposure=data.exposure,
                since=data.since or today(),
                day=today(),
                said_by=data.said_by or me.name,
                details=data.details,
            )
            record = _record(db, me, made)
            tag = etag.tag(msgspec.json.encode(record), me, "application/json", made.version)
            return Made(record=record, location=f"/api/v1/assets/{made.asset}", etag=tag)

        return done_once(request, act)

    @get(
        "/assets/{asset:int}",
        opt=SIGNED_IN,
        sync_to_thread=True,
        summary="One asset",
        responses=gives(OneAsset, *READ),
    )
    def one(request: Request[Any, Any, Any], asset: FromPath[int]) -> Response[bytes]:
        """With its tag, for changing it."""
        with reading(request) as (db, me, note):
            kept = assets.one(db, asset)
            record = _record(db, me, kept)
            note(f"asset/{asset}", [kept.aud])
        return etag.thing(request, record, me, kept.version)

    @put(
        "/assets/{asset:int}",
        opt=needs("operate"),
        sync_to_thread=True,
        summary="Change an asset",
        responses=gives(OneAsset, *WRITE),
    )
    def change(
        request: Request[Any, Any, Any], asset: FromPath[int], data: JSONBody[ChangedAsset]
    ) -> Response[bytes]:
        """Its details and name. Needs `if-match` with the tag that was read."""

        def act(db: Db, me: Principal, expected: Expected) -> tuple[OneAsset, int]:
            before = assets.one(db, asset)
            expected.check(before.version)
            operating(me, before.org)
            kept = assets.change(db, asset, before.version, data.details, name=data.name)
            return _record(db, me, kept), kept.version

        return changed(request, act)

    @post(
        "/assets/{asset:int}/exposure",
        opt=needs("operate"),
        sync_to_thread=True,
        status_code=200,
        summary="Say how exposed an asset is",
        responses=gives(Dated, *WRITE),
    )
    def expose(
        request: Request[Any, Any, Any], asset: FromPath[int], data: JSONBody[SaidExposure]
    ) -> Response[bytes]:
        """From a day on, up to today over what was said before, which stays on record; what is open is dated anew."""

        def act(db: Db, me: Principal) -> Made:
            operating(me, assets.one(db, asset).org)
            kept, moved = assets.say_exposure(
                db, asset, data.exposure, data.since or today(), data.said_by or me.name, day=today()
            )
            return Made(record=Dated(kept.exposure, moved), status=200)

        return done_once(request, act)

    @get(
        "/assets/{asset:int}/inventories",
        opt=SIGNED_IN,
        sync_to_thread=True,
        summary="Inventories of an asset, the newest first",
        responses=gives(Inventories, *READ),
    )
    def inventories(request: Request[Any, Any, Any], asset: FromPath[int]) -> Response[bytes]:
        """Up to 100."""
        with reading(request) as (db, me, note):
            note(f"asset/{asset}", [assets.one(db, asset).aud])
            found = Inventories(inventory.of_asset(db, asset))
        return etag.response(request, msgspec.json.encode(found), me)

    @get(
        "/assets/{asset:int}/components",
        opt=SIGNED_IN,
        sync_to_thread=True,
        summary="What an asset holds now",
        responses=gives(Held, *READ),
    )
    def components(
        request: Request[Any, Any, Any], asset: FromPath[int], after: Place = 0
    ) -> Response[bytes]:
        """By page of 1,000; each with the witnesses that show it."""
        with reading(request) as (db, me, note):
            note(f"asset/{asset}", [assets.one(db, asset).aud])
            found = inventory.held(db, asset, after=after, limit=1_000)
        following = found[-1].pv if len(found) == 1_000 else None
        return etag.response(request, msgspec.json.encode(Held(found, following)), me)

    @post(
        "/assets/{asset:int}/inventories",
        opt=needs("operate"),
        sync_to_thread=True,
        status_code=201,
        operation_class=OfDocument,
        summary="Upload an inventory of an asset",
        responses={**gives(page_upload.Uploaded, *WRITE, status=201), **gives(page_upload.Uploaded)},
    )
    def upload(
        request: Request[Any, Any, Any],
        asset: FromPath[int],
        body: RawBody,
        filename: NameText = "",
        witness: NameText = "",
        detected: DayText = "",
        again: FromQuery[bool] = False,
    ) -> Response[bytes]:
        """The document itself is the body, whatever its media type: it is told by its content, and by `filename`.

        `witness` is the tool that saw it: each one's newest document counts. `detected` is when it first saw these
        flaws: an earlier day than is kept counts. The same bytes again change nothing else. What a newer document has
        replaced, or is older than what is kept, is passed over, but for its days, unless `again`. What is in
        `set_aside` could not be used, and then what is missing is not taken to be gone.
        """

        def act(_: Principal) -> Made:
            door = doorkeeper(request)
            made = page_upload.to_asset(
                door.pool,
                door.key(request),
                table_of(request),
                asset,
                _there(body),
                filename,
                today(),
                witness=witness,
                detected=page_asked.day_in(detected, "detected"),
                again=again,
            )
            return Made(
                record=made,
                status=200 if made.unchanged else 201,
                location=f"/api/v1/inventories/{made.inventory}",
            )

        return _uploaded(request, act)

    @post(
        "/inventories",
        opt=needs("operate"),
        sync_to_thread=True,
        status_code=201,
        operation_class=OfDocument,
        summary="Upload a document of one or many assets",
        responses=gives(page_upload.Landed, *WRITE, status=201),
    )
    def upload_many(
        request: Request[Any, Any, Any],
        body: RawBody,
        organisation: SlugText = "",
        filename: NameText = "",
        name: NameText = "",
        exposure: ExposedText = "unknown",
        environment: EnvironmentText = "unknown",
        owner: NameText = "",
        witness: NameText = "",
        detected: DayText = "",
        again: FromQuery[bool] = False,
    ) -> Response[bytes]:
        """Its assets are found again by their identifiers or name, or made. `name` and `exposure` are for one asset.

        `environment` and `owner` are of each of its assets. `witness` is the tool that saw it: each one's newest
        document counts. `detected` is when it first saw these flaws: an earlier day than is kept counts. What a newer
        document has replaced, or is older than what is kept, is passed over, but for its days, unless `again`.

        What is in `set_aside` could not be used, and then what is missing is not taken to be gone.
        """

        def act(me: Principal) -> Made:
            door = doorkeeper(request)
            home = member_of(me, organisation, "operate")
            made = page_upload.to_organisation(
                door.pool,
                door.key(request),
                table_of(request),
                home,
                _there(body),
                filename,
                today(),
                page_upload.NewAsset(
                    name=name,
                    exposure=exposure,  # type: ignore[arg-type]  # checked with the address, as the environment is
                    said_by=me.name,
                    witness=witness,
                    details=assets.Details(owner=owner, environment=environment),  # type: ignore[arg-type]
                ),
                detected=page_asked.day_in(detected, "detected"),
                again=again,
            )
            return Made(record=made)

        return _uploaded(request, act)

    @get(
        "/inventories/{number:int}",
        opt=SIGNED_IN,
        sync_to_thread=True,
        summary="One inventory",
        responses=gives(inventory.InventoryLine, *READ),
    )
    def one_inventory(request: Request[Any, Any, Any], number: FromPath[int]) -> Response[bytes]:
        """What it is, and how much it changed."""
        with reading(request) as (db, me, note):
            found = inventory.one(db, number)
            note(f"inventory/{number}", [assets.one(db, found.asset).aud])
        return etag.response(request, msgspec.json.encode(found), me)

    @get(
        "/inventories/{number:int}/difference",
        opt=SIGNED_IN,
        sync_to_thread=True,
        summary="What an inventory changed",
        responses=gives(inventory.Difference, *READ),
    )
    def difference(request: Request[Any, Any, Any], number: FromPath[int]) -> Response[bytes]:
        """Added, removed, and packages on both sides with another version; which exposures that made and ended (up to
        2,000 of each are named); and what of it can't be judged today (up to 100 are named).
        """
        with reading(request) as (db, me, note):
            found = inventory.difference(db, number)
            bare = unjudged.of_inventory(db, table_or_none(request), number, today(), shown=100)
            found = msgspec.structs.replace(found, unjudged=bare)
            note(f"inventory/{number}", [assets.one(db, found.inventory.asset).aud])
        return etag.response(request, msgspec.json.encode(found), me)

    @get(
        "/inventories/{number:int}/document",
        opt=SIGNED_IN,
        sync_to_thread=True,
        media_type="application/octet-stream",
        summary="The document as it came",
        responses=problems_of(*READ),
    )
    def document(request: Request[Any, Any, Any], number: FromPath[int]) -> Response[bytes]:
        """Byte for byte, to be saved."""
        with reading(request) as (db, _, note):
            data = inventory.raw(db, number)
            note(f"inventory/{number}", [assets.one(db, inventory.one(db, number).asset).aud])
        headers = {
            "content-disposition": f'attachment; filename="inventory-{number}"',
            "cache-control": "no-store",
        }
        return Response(data, media_type="application/octet-stream", headers=headers)

    return [
        listed, add, one, change, expose, inventories, components, upload, upload_many, one_inventory, difference,
        document,
    ]  # fmt: skip


def _uploaded(request: Request[Any, Any, Any], act: Callable[[Principal], Made]) -> Response[bytes]:
    """What a document changed, once for the request's key.

    A document is taken in transactions of its own, one an asset; that of the key spans them, on a connection more. So
    few of these run at a time: the others wait, and never for each other's connections.
    """
    if idempotency.key_in(request):
        with _KEYED, acting(request) as (db, me):
            return idempotency.once(request, db, me, lambda: act(me))
    with acting(request) as (_, me):
        pass
    return idempotency.answer(act(me))


def _record(db: psycopg.Connection[Any], me: Principal, kept: assets.Asset) -> OneAsset:
    return OneAsset(
        id=kept.asset,
        organisation=next((m.slug for m in me.memberships if m.org == kept.org), ""),
        name=kept.name,
        exposure=kept.exposure,
        details=kept.details,
        created=kept.created,
        said=assets.exposures_said(db, kept.asset),
        described=described.described(db, kept.asset),
        tlp=page_seen.seen(db, [kept.aud]).labels[kept.aud],
    )


def _there(body: bytes) -> bytes:
    if not body:
        raise InputError("the body is empty", where="body", mend="send the document itself")
    return body
