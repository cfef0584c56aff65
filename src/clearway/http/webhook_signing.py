"""Webhook messages as Standard Webhooks 1.0 writes them: signed, and when they are tried again. Pure.

webhook-id         the same for every attempt at one message: a receiver that has seen it drops it
webhook-timestamp  seconds since 1970, of this attempt: a receiver refuses what is minutes old
webhook-signature  "v1," and the base64 of HMAC-SHA-256 over "ID.TIMESTAMP.BODY", one for each secret in use
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from base64 import b64encode
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

SECRET_BYTES = 32
PREFIX = "whsec_"
# After the first attempt. Each wait is cut or stretched by chance; in all about three days.
WAITS_S = (5, 60, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
ATTEMPTS = len(WAITS_S) + 1
_MOST_ASKED_S = 86_400.0


def new_secret() -> bytes:
    """A fresh secret, 32 random bytes."""
    return secrets.token_bytes(SECRET_BYTES)


def shown(secret: bytes) -> str:
    """A secret as its receiver is told it, once."""
    return PREFIX + b64encode(secret).decode()


def headers(keys: Sequence[bytes], message_id: str, timestamp_s: int, body: bytes) -> dict[str, str]:
    """The headers of one attempt, signed with every one of `keys`: while one replaces another, both verify."""
    signed = b".".join((message_id.encode(), str(timestamp_s).encode(), body))
    signatures = (b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode() for key in keys)
    return {
        "content-type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp_s),
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
    }


def wait_s(attempts: int, chance: float, asked_s: float | None = None) -> float | None:
    """Seconds from a failed attempt to the next; None when `attempts`, this one included, were the last.

    `chance` from 0 to 1 spreads the wait from half to one and a half, so that what failed together does not come back
    together. A receiver that asks for a later time gets it, up to a day.
    """
    if attempts >= ATTEMPTS:
        return None
    planned = WAITS_S[attempts - 1] * (0.5 + chance)
    return max(planned, min(asked_s or 0.0, _MOST_ASKED_S))
