"""Every act of a fleet: its entry in the log and its event, in the act's own transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from clearway import ledger
from clearway.store import events

if TYPE_CHECKING:
    from collections.abc import Mapping

    import psycopg

_EVENT_BYTES = 8192  # of an event's body, as PostgreSQL writes it


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

    `more` is in the log alone, which has all words whole; an event's are cut where they are too long for it.
    """
    ledger.append(db, act, subject, {**content, **(more or {})}, aud=aud)
    events.emit(db, act, subject, org=org, aud=aud, body=fitting(content))


def fitting(content: Mapping[str, object]) -> dict[str, object]:
    """The same for an event: the longest text of it is cut, with an ellipsis, until all has its place."""
    body = dict(content)
    while (over := _size(body) - _EVENT_BYTES) > 0:
        name, text = max(
            ((k, v) for k, v in body.items() if isinstance(v, str)),
            key=lambda one: len(one[1]),
            default=("", ""),
        )
        if len(text) < 2:
            break  # it is no text that is too long
        kept = text.encode()[: -over - len("…".encode())] if over < len(text.encode()) else b""
        body[name] = kept.decode(errors="ignore") + "…"
    return body


def _size(body: Mapping[str, object]) -> int:
    text = msgspec.json.encode(body)
    return len(text) + text.count(b",") + text.count(b":")  # a space behind each, at most
