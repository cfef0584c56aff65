"""Webhook messages against the reference library, and the waits between attempts."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from clearway.http import webhook_signing


@given(st.binary(max_size=200).map(lambda b: b'{"x":"' + b.hex().encode() + b'"}'))
def test_the_reference_library_verifies_what_we_sign_with_either_secret(body: bytes) -> None:
    old, new = webhook_signing.new_secret(), webhook_signing.new_secret()
    headers = webhook_signing.headers([new, old], "msg_1", int(time.time()), body)
    for secret in (old, new):
        Webhook(webhook_signing.shown(secret)).verify(body, headers)


def test_our_signature_is_that_of_the_reference_library() -> None:
    from datetime import UTC, datetime

    secret = webhook_signing.new_secret()
    at = datetime.now(UTC).replace(microsecond=0)
    signed = webhook_signing.headers([secret], "msg_1", int(at.timestamp()), b"{}")["webhook-signature"]
    assert signed == Webhook(webhook_signing.shown(secret)).sign("msg_1", at, "{}")


@pytest.mark.parametrize("changed", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_a_message_that_was_changed_does_not_verify(changed: str) -> None:
    secret = webhook_signing.new_secret()
    headers = webhook_signing.headers([secret], "msg_1", int(time.time()), b"{}")
    first = "B" if headers["webhook-signature"][3] != "B" else "C"
    headers |= {
        "webhook-id": {"webhook-id": "msg_2"},
        "webhook-timestamp": {"webhook-timestamp": str(int(headers["webhook-timestamp"]) + 1)},
        "webhook-signature": {"webhook-signature": f"v1,{first}{headers['webhook-signature'][4:]}"},
    }[changed]
    with pytest.raises(Exception, match=r"(?i)signature|base64|padding"):
        Webhook(webhook_signing.shown(secret)).verify(b"{}", headers)


@given(st.integers(1, 30), st.floats(0, 1), st.one_of(st.none(), st.floats(0, 1e9)))
def test_waits_are_spread_bound_and_end(attempts: int, chance: float, asked: float | None) -> None:
    wait = webhook_signing.wait_s(attempts, chance, asked)
    if attempts >= webhook_signing.ATTEMPTS:
        assert wait is None
        return
    planned = webhook_signing.WAITS_S[attempts - 1]
    assert wait is not None
    assert planned * 0.5 <= wait <= max(planned * 1.5, 86_400)
    assert wait >= min(asked or 0, 86_400)


def test_a_message_is_tried_for_about_three_days() -> None:
    assert 2 < sum(webhook_signing.WAITS_S) / 86_400 < 4
