"""Every act of a fleet: its entry in the log and its event, in the act's own transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clearway import ledger
from clearway.store import events

if TYPE_CHECKING:
    from collections.abc import Mapping

    import psycopg


def record(
    db: psycopg.Connection[Any],
    act: str,
    subject: str,
    content: Mapping[str, object],
    *,
    org: int,
    aud: int,
    more: Mapping[str, object] | None = None,
) -> None:
    """Logs an act and tells of it: to be called last, since readers of events wait for this transaction's end.

    `more` is in the log alone, what is too long for an event (8 KiB).
    """
    ledger.append(db, act, subject, {**content, **(more or {})}, aud=aud)
    events.emit(db, act, subject, org=org, aud=aud, body=content)
