"""What this room does in the background: webhooks are told, and what is too old is deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clearway.store import answers, cursor_keys, events
from clearway.store.jobs import Loop, Spec, Tasks

from . import webhook_delivery, webhook_store

if TYPE_CHECKING:
    from clearway.store.jobs import Connect, Job

EVENT_DAYS = 30
DELIVERY_DAYS = 30


def tell_webhooks(connect: Connect) -> None:
    """Starts a job for each message that is due to a webhook."""
    while True:
        with connect() as db:
            made = webhook_store.fan_out(db)
            for webhook in made:
                webhook_delivery.start(db, webhook)
        if not made:
            return


def prune(job: Job, args: dict[str, Any]) -> None:
    """Deletes events and deliveries of over thirty days, and answers of over a day."""
    for act in (
        lambda db: events.prune(db, EVENT_DAYS),
        lambda db: webhook_store.prune(db, DELIVERY_DAYS),
        answers.prune,
    ):
        with job.owner() as db:
            act(db)


def rotate(job: Job, args: dict[str, Any]) -> None:
    """A new key for cursors; the one before it opens what it has sealed."""
    with job.owner() as db:
        cursor_keys.rotate(db)


# Without the one that sends to webhooks, which is made with what tells the log (`webhook_delivery.delivering`).
TASKS: Tasks = {
    "http.prune": Spec(prune, cron="17 3 * * *"),
    "http.rotate_cursor_key": Spec(rotate, cron="41 2 1 * *"),
}
LOOPS = {"http.webhooks": Loop(events.CHANNEL, 5.0, tell_webhooks)}
