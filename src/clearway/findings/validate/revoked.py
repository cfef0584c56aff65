"""Statements that the desk has taken back, as a list that it signs: what whoever holds a statement asks for.

A statement that was given out can't be called in. The list says which of a finding's no longer hold, since when, and
why; one that was signed later is newer. A statement is known by the SHA-256 of its payload: another envelope around the
same words is the same statement.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from datetime import datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Literal

import msgspec
from msgspec import Struct

from clearway.records.errors import ClearwayError, InputError

from .. import artefact

if TYPE_CHECKING:
    import psycopg

    from ..desk_key import DeskKey, PublicKey
    from ..kept import Finding
    from ..vault import Vault
    from .validation import Validation

    Connection = psycopg.Connection[Any]

PAYLOAD_TYPE = "application/vnd.clearway.revocations+json"
MOST_BYTES = 1 << 20


class Revoked(Struct, frozen=True, kw_only=True):
    """One statement: SHA-256 of its payload, its level, and when and why its validation was taken back."""

    statement: str
    level: int
    validation: int
    at: datetime
    why: str


class Revocations(Struct, frozen=True, kw_only=True):
    """All of one finding's, as they stood `at`."""

    format: Literal["clearway-revocations/1"] = "clearway-revocations/1"
    finding: str
    at: datetime
    revoked: tuple[Revoked, ...] = ()


def listed(
    db: Connection, vault: Vault, finding: Finding, validations: Iterable[Validation], at: datetime
) -> Revocations:
    """What of these validations was taken back. A statement whose file is gone was given out none the less, but can't
    be told any more."""
    found = []
    for one in validations:
        if one.revoked is None:
            continue
        for step in one.steps:
            if step.statement is None:
                continue
            try:
                data = artefact.read(db, vault, artefact.one(db, step.statement), logged=False)
            except ClearwayError:
                continue
            found.append(
                Revoked(
                    statement=digest_of(data), level=step.level, validation=one.number, at=one.revoked,
                    why=one.revoked_why,
                )
            )  # fmt: skip
    return Revocations(finding=finding.handling, at=at, revoked=tuple(found))


def signed(key: DeskKey, told: Revocations) -> bytes:
    """The DSSE envelope of a list, as JSON."""
    return key.envelope(PAYLOAD_TYPE, msgspec.json.encode(told))


def opened(envelope: bytes, keys: Iterable[PublicKey]) -> Revocations:
    """The list in an envelope that one of `keys` has signed.

    Raises:
        InputError: it is no list of revocations.
        IntegrityError: none of the keys has signed it.
    """
    from ..desk_key import opened as opened_envelope

    payload, _ = opened_envelope(envelope, keys, PAYLOAD_TYPE)
    try:
        return msgspec.json.decode(payload, type=Revocations)
    except (msgspec.MsgspecError, RecursionError, ValueError):
        raise InputError("this is no list of revocations", where="payload") from None


def of(told: Revocations, envelope: bytes) -> Revoked | None:
    """What the list says of a statement in its envelope; None when it is not on it."""
    digest = digest_of(envelope)
    return next((one for one in told.revoked if one.statement == digest), None)


def digest_of(envelope: bytes) -> str:
    """SHA-256 of an envelope's payload, in hexadecimal. Raises InputError: it is no envelope."""
    try:
        return sha256(base64.b64decode(json.loads(envelope)["payload"])).hexdigest()
    except (ValueError, KeyError, TypeError, RecursionError):
        raise InputError("this is no DSSE envelope", where="payload") from None
