"""`/api/v1/ledger`: the public log as C2SP tlog-tiles and proofs, and the entries that the caller may see.

The tree is public by declaration: its leaves are salted hashes. Tiles never change once they are full, and
say so to caches.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from litestar import Request, Response, Router, get, post
from litestar.openapi import ResponseSpec
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from msgspec import Meta, Struct

from clearway.http.acting import SIGNED_IN, acting, doorkeeper
from clearway.http.filters import day, number, text
from clearway.http.guard import PUBLIC
from clearway.http.listing import Listing, paths
from clearway.http.openapi import problems_of
from clearway.records.errors import InputError, IntegrityError, NotFoundError
from clearway.store.keyset import Column, Source

from . import api_whole, entries, tiles
from . import tree_store as tree
from .cosigning import keep, time_of
from .leaf import STRIDE
from .merkle import HASH_BYTES
from .note import signature
from .proofs import Proof
from .reading import as_file, reading
from .tiles import ENTRIES

if TYPE_CHECKING:
    from litestar.types import ControllerRouterHandler

_FOR_EVER = "public, max-age=31536000, immutable"
_MOMENTARY = "public, max-age=1"
_TEXT = "text/plain"  # the framework adds the charset
# Entries, newest first unless asked otherwise. What may not be seen is not in the list.
ENTRIES_LIST = Listing(
    "log-entries",
    entries.Entry,
    Source(
        "e.entry, l.leaf, case when l.leaf is null then 'acknowledged' else 'integrated' end as state, e.act, "
        "e.subject, e.actor, e.credential, e.at, nullif(e.content, '')::json as content, "
        "e.header_erased as header_erased_by, e.content_erased as content_erased_by",
        "clearway.log_entry e left join clearway.log_leaf l using (entry)",
    ),
    sorts={"entry": Column("e.entry", "bigint")},
    tie=Column("e.entry", "bigint"),
    default="-entry",
    aud="e.aud",
    labelled=True,
    filters={
        "subject": text("e.subject = any(%s)", "e.subject <> all(%s)"),
        "act": text("e.act = any(%s)", "e.act <> all(%s)"),
        "actor": number(entries.BY_WHOM, entries.NOT_BY, least=-1),
        # Both days with all of their hours, in UTC.
        "since": day("e.at >= any(array(select d::timestamp at time zone 'UTC' from unnest(%s::date[]) d))"),
        "until": day(
            "e.at < any(array(select (d + 1)::timestamp at time zone 'UTC' from unnest(%s::date[]) d))"
        ),
    },
)
Number = Annotated[int, QueryParameter(ge=0, le=tiles.MAX_SIZE)]


class Keys(Struct, frozen=True):
    """The keys that have signed the log, oldest first, and the witnesses that it takes co-signatures of."""

    keys: list[tree.LogKey]
    witnesses: list[str]


class InclusionProof(Struct, frozen=True):
    """Hashes from the leaf up, in base64 (RFC 6962 §2.1.1)."""

    index: int
    size: int
    leaf: str
    proof: list[str]


class ConsistencyProof(Struct, frozen=True):
    """Hashes in base64 (RFC 6962 §2.1.2)."""

    old: int
    size: int
    proof: list[str]


class Cosignature(Struct, frozen=True):
    """A witness's signature line for the checkpoint of `size`."""

    size: Annotated[int, Meta(ge=0, le=tiles.MAX_SIZE)]
    line: Annotated[str, Meta(max_length=8_192)]


def routes() -> ControllerRouterHandler:
    """The routes of this file."""

    @get(
        "/checkpoint",
        opt=PUBLIC,
        sync_to_thread=True,
        media_type=_TEXT,
        summary="The newest signed checkpoint",
        responses={**problems_of(400, 404, 503)},
    )
    def checkpoint(request: Request[Any, Any, Any], witnessed: FromQuery[bool] = False) -> Response[bytes]:
        """A signed note (C2SP tlog-checkpoint); with `witnessed`, the newest that a witness has co-signed."""
        with acting(request) as (db, _):
            found = tree.newest(db, witnessed=witnessed)
        if found is None:
            raise NotFoundError("there is no such checkpoint yet", mend="try again in a moment")
        return _sent(found[1].render().encode(), _TEXT, _MOMENTARY)

    @get(
        "/tile/{place:path}",
        opt=PUBLIC,
        sync_to_thread=True,
        media_type="application/octet-stream",
        summary="A tile of hashes, or a bundle of leaves",
        responses={**problems_of(400, 404, 503)},
    )
    def tile(request: Request[Any, Any, Any], place: FromPath[str]) -> Response[bytes]:
        """C2SP tlog-tiles: `LEVEL/NUMBER[.p/WIDTH]` or `entries/NUMBER[.p/WIDTH]`."""
        wanted, wide = tiles.parse(f"tile/{place.lstrip('/')}")
        with acting(request) as (db, _):
            body = tree.read_tiles(db, [wanted]).get(wanted, b"")
        cut = wide * (STRIDE if wanted.level == ENTRIES else HASH_BYTES)
        if len(body) < cut:
            raise NotFoundError("the log is not as large", mend="read its checkpoint first")
        return _sent(body[:cut], "application/octet-stream", _FOR_EVER)

    @get(
        "/proof/inclusion",
        opt=PUBLIC,
        sync_to_thread=True,
        summary="That a leaf is in the tree",
        responses={**problems_of(400, 404, 503)},
    )
    def inclusion(request: Request[Any, Any, Any], index: Number, size: Number) -> InclusionProof:
        """For the leaf with number `index` in the tree of `size`."""
        with acting(request) as (db, _):
            hashes = tree.inclusion(db, index, size)
            return InclusionProof(index, size, tree.leaf_bytes(db, index).hex(), tree.encoded(hashes))

    @get(
        "/proof/consistency",
        opt=PUBLIC,
        sync_to_thread=True,
        summary="That a tree begins with a smaller one",
        responses={**problems_of(400, 404, 503)},
    )
    def consistency(request: Request[Any, Any, Any], old: Number, size: Number) -> ConsistencyProof:
        """From the tree of `old` entries to the tree of `size`."""
        with acting(request) as (db, _):
            return ConsistencyProof(old, size, tree.encoded(tree.consistency(db, old, size)))

    @get(
        "/keys",
        opt=PUBLIC,
        sync_to_thread=True,
        summary="The keys of the log and of its witnesses",
        responses={**problems_of(503)},
    )
    def keys(request: Request[Any, Any, Any]) -> Keys:
        """Each in one line, `NAME+ID+KEY` (C2SP signed-note)."""
        with acting(request) as (db, _):
            return Keys(tree.keys(db), [key.text() for key in tree.witnesses(db)])

    @post(
        "/cosignature",
        opt=PUBLIC,
        sync_to_thread=True,
        status_code=204,
        request_max_body_size=16 << 10,
        summary="Hand over a witness's co-signature",
        responses={**problems_of(400, 404, 413, 503)},
    )
    def cosignature(request: Request[Any, Any, Any], data: JSONBody[Cosignature]) -> None:
        """Taken from witnesses that the log accepts, when it holds. The signature is the right to hand it over."""
        line = signature(data.line)
        with acting(request) as (db, _):
            try:
                when = time_of(db, data.size, line)
            except IntegrityError as error:
                raise InputError(error.what, where="line") from None
        if when is None:
            raise NotFoundError("this log accepts no such witness", mend="ask its operator")
        with doorkeeper(request).pool.owner() as owner:
            keep(owner, data.size, line, when)

    @get(
        paths("/entries"),
        opt=SIGNED_IN,
        sync_to_thread=True,
        operation_class=ENTRIES_LIST.operation,
        summary="Who did what, newest first",
        responses=ENTRIES_LIST.responses,
    )
    def listed(request: Request[Any, Any, Any]) -> Response[bytes]:
        """The entries that the caller may see. `actor` 0 is the system, -1 the public, else a person.

        Filtered by a person it has also the sessions that they began, which the system wrote for them.
        """
        return as_file(request, ENTRIES_LIST)

    @get(
        "/entries/{entry:int}",
        opt=SIGNED_IN,
        sync_to_thread=True,
        summary="One entry",
        responses={
            200: ResponseSpec(entries.Entry, description="The entry", generate_examples=False),
            **problems_of(401, 404, 503),
        },
    )
    def entry(request: Request[Any, Any, Any], entry: FromPath[int]) -> Response[bytes]:
        """As far as the caller may see it; 404 for the others."""
        with reading(request) as (db, _, note):
            found = entries.one(db, entry)
            note(f"entry/{entry}", [found.aud])
            told = entries.told(db, found)
        return _private(told)

    @get(
        "/entries/{entry:int}/proof",
        opt=SIGNED_IN,
        sync_to_thread=True,
        summary="The proof that an entry is in the log",
        responses={
            200: ResponseSpec(Proof, description="The proof", generate_examples=False),
            **problems_of(401, 404, 503),
        },
    )
    def entry_proof(request: Request[Any, Any, Any], entry: FromPath[int]) -> Response[bytes]:
        """To be handed to anybody who is to know of this entry: `clearway ledger proof --check FILE`."""
        with reading(request) as (db, _, note):
            found = entries.one(db, entry)
            proof = entries.proof(db, entry)
            note(f"entry/{entry}", [found.aud])
        return _private(proof)

    @get(
        "/status",
        opt=SIGNED_IN,
        sync_to_thread=True,
        summary="How the log stands",
        responses={
            200: ResponseSpec(entries.Status, description="The state", generate_examples=False),
            **problems_of(401, 503),
        },
    )
    def status(request: Request[Any, Any, Any]) -> Response[bytes]:
        """Its size, root and signers, what waits, and how far witnesses have seen it."""
        with acting(request) as (db, _):
            return _private(entries.status(db))

    return Router(
        "/api/v1/ledger",
        route_handlers=[
            checkpoint, tile, inclusion, consistency, keys, cosignature, listed, entry, entry_proof, status,
            *api_whole.handlers(),
        ],
        tags=["ledger"],
    )  # fmt: skip


def _sent(body: bytes, media_type: str, kept: str) -> Response[bytes]:
    return Response(body, media_type=media_type, headers={"cache-control": kept})


def _private(value: Struct) -> Response[bytes]:
    return Response(
        msgspec.json.encode(value), media_type="application/json", headers={"cache-control": "no-store"}
    )
