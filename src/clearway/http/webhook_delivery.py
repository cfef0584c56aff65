"""Sending one webhook message: read as its person, signed, posted, and settled or tried again later.

    1. The delivery is pending and its time has come, or nothing is done.
    2. The event is read again with the rights that the webhook's person has *now*: what it may not see any more is
       withheld, whatever it could see when the event happened. That it is read is told to the log, in that transaction.
    3. The message is signed with each secret in use and posted once, through the checked client.
    4. 2xx settles it. 410 gives up and stops the webhook, an address that may not be reached gives up. Anything else
       is tried again, later each time, and is a dead letter after the last time.

A worker that dies after step 3 sends again under the same `webhook-id`.
"""

from __future__ import annotations

import os
import random
import time
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from clearway.records.errors import ForbiddenError, NotFoundError, UpstreamError
from clearway.records.text import plain
from clearway.store import events, jobs

from . import webhook_signing, webhook_store
from .outbound import Client, InnerError, Networks, RefusedError

if TYPE_CHECKING:
    import psycopg

    from clearway.store.events import Event
    from clearway.store.jobs import Job, Task

    from .sse import Telling
    from .webhook_store import Due

TASK = "http.webhooks.deliver"
# Networks that are reached though not public, or not though public.
ALLOW_VARIABLE = "CLEARWAY_WEBHOOKS_ALLOW"
PROXY_VARIABLE = "CLEARWAY_WEBHOOKS_PROXY"
DEADLINE_S = 15.0
RUN_S = 60.0  # of one job; then others have their turn
PAUSE_S = 5.0  # after a failure, before the next message to the same receiver
_GONE = 410


def allowed() -> Networks:
    """The networks that messages may go to."""
    return Networks.parse(os.environ.get(ALLOW_VARIABLE, ""), ALLOW_VARIABLE)


def start(db: psycopg.Connection[Any], webhook: int) -> None:
    """Starts the job that sends what is due to `webhook`, when this transaction commits."""
    jobs.defer(db, TASK, {"webhook": webhook}, once=f"webhook/{webhook}")


def delivering(telling: Telling) -> Task:
    """The task `TASK`, which tells the log by `telling` what it reads for the persons of webhooks."""
    return partial(_deliver, telling)


def _deliver(telling: Telling, job: Job, args: dict[str, Any]) -> None:
    """Sends what is due to the webhook `args["webhook"]`, one message after the other.

    After a failure the others wait a little too: a receiver that is down is not asked by each of them at once.
    """
    webhook = int(args["webhook"])
    with job.owner() as db:
        if not webhook_store.claim(db, webhook):
            return  # whoever has it looks again when it is done
    one: Due | None = None
    ends = time.monotonic() + RUN_S
    while time.monotonic() < ends and not job.stopping:
        with job.owner() as db:
            one = webhook_store.due(db, webhook)
        if one is None or not _attempt(telling, job, one):
            break
    with job.owner() as db:
        following = webhook_store.release(db, webhook)
        if following is not None:
            soon = datetime.now(UTC) + timedelta(seconds=0 if one is None else PAUSE_S)
            jobs.defer(db, TASK, {"webhook": webhook}, at=max(following, soon))


def _attempt(telling: Telling, job: Job, one: Due) -> bool:
    """Tries one message once; whether the next may follow at once."""
    body = _body(telling, job, one)
    if body is None:
        with job.owner() as db:
            webhook_store.settle(db, one, "withheld", status=None)
        return True
    status, error, lasting, asked_s = _post(one, body)
    with job.owner() as db:
        if status is not None and 200 <= status < 300:
            webhook_store.settle(db, one, "delivered", status=status)
            return True
        spread = random.random()  # noqa: S311 - to spread, not to hide
        wait_s = None if lasting else webhook_signing.wait_s(one.attempts + 1, spread, asked_s)
        if wait_s is None:
            webhook_store.settle(db, one, "dead", status=status, error=error)
        else:
            webhook_store.postpone(db, one, wait_s, status=status, error=error)
        return False


def _body(telling: Telling, job: Job, one: Due) -> bytes | None:
    """The message's body; None when the webhook's person may not see the event."""
    if one.event is None:
        return msgspec.json.encode(
            {"type": "webhook.test", "timestamp": _now(), "data": {"webhook": one.webhook}}
        )
    try:
        with job.acting(one.person) as db:
            event = events.one(db, one.event)
            # Its secret is what a session's key is to a reader: no other webhook has it.
            key = "".join(secret.hex() for secret in one.keys[:1])
            told = telling(db, key, f"webhook/{one.webhook}", "", [] if event is None else [event.aud])
    except (NotFoundError, ForbiddenError):  # no longer anybody to act for
        return None
    told()
    return None if event is None else _message(event)


def _message(event: Event) -> bytes:
    data = {"subject": event.subject, "org": event.org, "body": event.body}
    return msgspec.json.encode({"type": event.kind, "timestamp": event.at, "data": data})


def _post(one: Due, body: bytes) -> tuple[int | None, str, bool, float | None]:
    """Status, what went wrong, whether that lasts, and the wait in seconds that the receiver asks for."""
    sent = webhook_signing.headers(one.keys, f"msg_{one.uid.hex}", int(time.time()), body)
    try:
        with Client(allowed(), proxy=os.environ.get(PROXY_VARIABLE, "")) as outside:
            answer = outside.post(one.url, body, sent, DEADLINE_S)
    except InnerError:  # what a name leads to inside is not told to who chose the name
        return None, "its address is not a public one", True, None
    except RefusedError as error:
        return None, plain(error.what, 200), True, None
    except UpstreamError as error:
        return None, plain(error.what, 200), False, None
    return answer.status, f"answered {answer.status}", answer.status == _GONE, answer.retry_after_s


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
