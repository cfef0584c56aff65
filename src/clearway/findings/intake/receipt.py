"""What a reporter holds in hand: a handling id for a report's hash, signed by the desk (DSSE), verifiable offline.

A receipt quotes nothing of the report. It proves that these bytes were here at that time, and what the desk said then
was missing; who has the report and the receipt can show both to anybody who has the desk's public key.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Final, Literal

import msgspec
from msgspec import Struct

from clearway.formats.reported import read_reports
from clearway.records.errors import ClearwayError, InputError, IntegrityError

from .. import desk_key
from .gates import missing

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ..desk_key import DeskKey, PublicKey
    from ..kept import Finding
    from .gates import Gate

PAYLOAD_TYPE = "application/vnd.clearway.finding-receipt+json"
SCHEMA: Final = "urn:clearway:schema:finding-receipt:1"


class Receipt(Struct, frozen=True, kw_only=True):
    """What the desk says it has received (`schemas/finding-receipt.schema.json`). `live` is false in test mode."""

    schema: Literal["urn:clearway:schema:finding-receipt:1"] = SCHEMA
    handling: str
    organisation: str
    sha256: str  # of the report's bytes as they were received
    part: str = ""  # where it stood in what was sent
    format: str
    received: datetime
    live: bool
    state: str
    missing: tuple[str, ...] = ()  # the gates at which something was missing then


def make(key: DeskKey, finding: Finding, gates: Iterable[Gate]) -> str:
    """The signed receipt of a finding as it stands, a DSSE envelope as JSON."""
    said = Receipt(
        handling=finding.handling,
        organisation=finding.organisation,
        sha256=finding.digest,
        part=finding.part,
        format=finding.format,
        received=finding.received,
        live=finding.live,
        state=finding.state,
        missing=tuple(gate.gate for gate in missing(gates)),
    )
    return key.envelope(PAYLOAD_TYPE, msgspec.json.encode(said)).decode()


def verified(
    envelope: bytes, keys: Sequence[PublicKey], document: bytes | None = None
) -> tuple[Receipt, PublicKey]:
    """The receipt in `envelope`, signed by one of `keys`, and that key; with `document`, that it is about that.

    Raises:
        InputError: it is no receipt.
        IntegrityError: no key has signed it, or it is about another report.
    """
    payload, by = desk_key.opened(envelope, keys, PAYLOAD_TYPE)
    try:
        receipt = msgspec.json.decode(payload, type=Receipt)
    except msgspec.MsgspecError:
        raise InputError("this is no receipt", where="payload") from None
    if document is not None and receipt.sha256 not in _digests(document):
        raise IntegrityError("the receipt is about another report", where="sha256")
    return receipt, by


def _digests(document: bytes) -> set[str]:
    """The hashes of a document and of each report in it."""
    found = {sha256(document).hexdigest()}
    with suppress(ClearwayError):  # no report: then its own hash is all there is
        found |= {sha256(report.raw).hexdigest() for report in read_reports(document).reports}
    return found
