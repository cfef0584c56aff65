"""A POST that is sent again does its work once: `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header).

    def add_asset(request: Request, data: NewAsset) -> Response[bytes]:
        with acting(request) as (db, me):
            return once(request, db, me, lambda: _add(db, me, data))

The work is a function that is called or not, so that no route can do its work and forget the key, or keep an
answer that was not given. The answer is written by the same transaction as its effect: both are there or neither.
An error rolls both back, and the key is free again. Keys belong to a person, for 24 hours. The same key with
another method, path or body is 422; with other rights than those the answer was given to, for who has left an
audience whose rows they saw then (an embargo whose party they were), or where anything that they could see then was
marked away from them since, 409: the work is done, and what it answered may be above what they see now. Which rights
somebody has and what they see is asked of the database as the request is answered, and not remembered: an answer is
given by the right that the work itself would take at that moment.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any

import msgspec
from litestar import Response
from msgspec import Struct

from clearway.records.errors import AuthenticationError, ConflictError, InputError, KeyReusedError
from clearway.records.principal import Principal
from clearway.store import answers

from .json_request import StrictRequest

if TYPE_CHECKING:
    from collections.abc import Callable

    import psycopg
    from litestar import Request

REPLAYED = "idempotency-replayed"
# A structured-field string (RFC 9651 §3.3.3), or the bare word that most clients send.
_KEY = re.compile(r'"([\x20\x21\x23-\x5b\x5d-\x7e]{1,200})"|([\x21\x23-\x5b\x5d-\x7e]{1,200})')


class Made(Struct, frozen=True, kw_only=True):
    """What a POST answers: a record, its status, where it is, and its version when it has one."""

    record: Struct | None = None
    status: int = 201
    location: str = ""
    etag: str = ""


def key_in(request: Request[Any, Any, Any]) -> str:
    """The request's idempotency key, "" without one.

    Raises:
        InputError: it is empty, too long or no text of printable ASCII, or there are two.
    """
    given = request.headers.getall("idempotency-key", [])
    if not given:
        return ""
    found = _KEY.fullmatch(given[0].strip())
    if len(given) > 1 or found is None:
        raise InputError(
            "is not one text of 1 to 200 printable ASCII characters",
            where="idempotency-key",
            mend="send a fresh UUID for each new request, and the same one when you send it again",
        )
    return found[1] or found[2]


def once(
    request: Request[Any, Any, Any],
    db: psycopg.Connection[Any],
    me: Principal,
    act: Callable[[], Made],
) -> Response[bytes]:
    """The answer of `act`, or the answer that this key was given before, with `idempotency-replayed: ?1`.

    `db` is the transaction of `acting`; `act` does its work in it.

    Raises:
        KeyReusedError: the key came before with another request.
        ConflictError: the key came before with other rights, or in sight of more.
        AuthenticationError: who asks is nobody any more.
        InputError: the key can't be read.
    """
    key = key_in(request)
    if not key:
        return _response(*_parts(act()))
    key_hash = hashlib.sha256(key.encode()).digest()
    request_hash, rights_hash = _request_hash(request), _rights_hash(db, me)
    kept = answers.claim(db, me.person, key_hash, request_hash, rights_hash)
    if kept is None:
        status, headers, body = _parts(act())
        answers.keep(db, me.person, key_hash, status, headers, body)
        return _response(status, headers, body)
    if kept.request_hash != request_hash:
        raise KeyReusedError(
            "this key came with another request before",
            where="idempotency-key",
            mend="send a fresh key with each new request",
        )
    if kept.rights_hash != rights_hash or not kept.seen:
        raise ConflictError(
            "what this key asked for was done, with other rights or in sight of more than you have now",
            where="idempotency-key",
            mend="read the thing itself",
        )
    return _response(kept.status, {**kept.headers, REPLAYED: "?1"}, kept.body)


def answer(made: Made) -> Response[bytes]:
    """The answer of work that was done without a key."""
    return _response(*_parts(made))


def _parts(made: Made) -> tuple[int, dict[str, str], bytes]:
    headers = {k: v for k, v in (("location", made.location), ("etag", made.etag)) if v}
    if made.record is None:
        return made.status, headers, b""
    return made.status, headers, msgspec.json.encode(made.record)


def _response(status: int, headers: dict[str, str], body: bytes) -> Response[bytes]:
    return Response(body, status_code=status, headers=headers, media_type="application/json")


def _request_hash(request: Request[Any, Any, Any]) -> bytes:
    said = hashlib.sha256(f"{request.method} {request.url.path}?{request.url.query}\n".encode())
    # By now the framework has read the body, if the route takes one. What nobody reads has no part in what is done.
    said.update(request.raw if isinstance(request, StrictRequest) else b"")
    return said.digest()


def _rights_hash(db: psycopg.Connection[Any], me: Principal) -> bytes:
    if me.kind != "public":
        row = db.execute("select clearway.whoami()::text").fetchone()
        if row is None or row[0] is None:
            raise AuthenticationError(
                "this credential is no longer good", mend="sign in, or use another token"
            )
        me = msgspec.json.decode(row[0], type=Principal)
    return hashlib.sha256(msgspec.json.encode((me.person, me.scopes, me.memberships))).digest()
