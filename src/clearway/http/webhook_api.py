"""Webhooks under `/api/v1/webhooks`: an administrator says where events go; see docs/howto/webhooks.md."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Annotated, Any, Protocol

from litestar import Request, Response, Router, delete, get, patch, post
from litestar.params import FromPath, JSONBody
from msgspec import UNSET, Meta, Struct, UnsetType

from clearway.records.errors import InputError, NotFoundError
from clearway.records.text import plain
from clearway.store.keyset import Column, Condition, Source

from . import etag, outbound, webhook_delivery, webhook_signing, webhook_store, whole
from .acting import needs
from .acts import changed, done_once, removed
from .filters import choice, flag
from .idempotency import Made
from .listing import Listing, Page, paths
from .openapi import PREFIX, READ, WRITE, gives, problems_of
from .outbound_address import literal
from .webhook_store import Delivery, Webhook

if TYPE_CHECKING:
    import psycopg

    from clearway.records.principal import Principal

    from .acts import Db
    from .etag import Expected

# What the rooms above lend: the audience of an organisation alone, the log, and the log of what is read.
Audience = Callable[["psycopg.Connection[Any]", int], int]
Log = Callable[["psycopg.Connection[Any]", str, str, Mapping[str, object], int], object]


class Note(Protocol):
    """Tells the log that one thing is read, or a page of a list (`ledger.reading`)."""

    def __call__(self, subject: str, auds: Iterable[int]) -> bool: ...
    def page(self, page: Page[Any]) -> None: ...


Reading = Callable[["_R"], AbstractContextManager[tuple["psycopg.Connection[Any]", "Principal", Note]]]

_Seen = tuple[webhook_store.Webhook, int, int]
OneRead = Callable[
    ["_R", Callable[[Any], _Seen], Callable[[_Seen], tuple[str, Iterable[int]]]], tuple[_Seen, "Principal"]
]

_KIND = re.compile(r"[a-z][a-z0-9_-]*(\.[a-z0-9_-]+){0,4}")
_MOST_KINDS = 50
_MOST_LABEL = 200


Number = Annotated[int, Meta(ge=1, le=2**31 - 1)]
Url = Annotated[str, Meta(min_length=8, max_length=2_000)]
Kinds = Annotated[tuple[Annotated[str, Meta(max_length=100)], ...], Meta(max_length=_MOST_KINDS)]
Label = Annotated[str, Meta(max_length=_MOST_LABEL)]


class NewWebhook(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What adds a webhook. `person` is a service of the organisation; without one it works with your own rights."""

    org: Number
    url: Url
    kinds: Kinds = ()
    label: Label = ""
    person: Number | None = None


class WebhookChange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to change of a webhook; what is left out stays."""

    url: Url | UnsetType = UNSET
    kinds: Kinds | UnsetType = UNSET
    label: Label | UnsetType = UNSET
    active: bool | UnsetType = UNSET


class Added(Struct, frozen=True, kw_only=True):
    """A new webhook, and the secret that its receiver needs to verify messages. It is shown this once."""

    webhook: Webhook
    secret: str


class Secret(Struct, frozen=True, kw_only=True):
    """A new secret, shown this once. The one before it signs beside it for a day."""

    secret: str


class Started(Struct, frozen=True, kw_only=True):
    """A delivery that will be tried soon."""

    delivery: int


WEBHOOKS = Listing(
    "webhooks",
    Webhook,
    Source(
        "w.webhook, w.org, w.person, w.url, w.kinds, w.label, w.active, w.stopped, w.created",
        "clearway.webhook w",
    ),
    sorts={"webhook": Column("w.webhook", "int"), "created": Column("w.created", "timestamptz")},
    tie=Column("w.webhook", "int"),
    default="webhook",
    filters={"active": flag("w.active = any(%s)")},
    aud="w.aud",
)
DELIVERIES = Listing(
    "deliveries",
    Delivery,
    Source(
        "d.delivery, d.state, e.kind, e.subject, d.attempts, d.created, d.next_at, d.done, d.last_status, d.last_error",
        "clearway.webhook_delivery d left join clearway.event e on e.seq = d.event",
    ),
    sorts={"delivery": Column("d.delivery", "bigint")},
    tie=Column("d.delivery", "bigint"),
    default="delivery",
    filters={
        "state": choice(
            "d.state = any(%s)", ("pending", "delivered", "dead", "withheld"), "d.state <> all(%s)"
        )
    },
    aud="coalesce(e.aud, d.aud)",  # a line names what its event is about
)
_ADMINISTER = needs("administer")
_Answer = Response[bytes]
_R = Request[Any, Any, Any]


def routes(own: Audience, log: Log, reading: Reading, one_read: OneRead) -> Router:
    """The routes. `own` gives the audience of an organisation alone; `log` writes an act to the log; `reading` is a
    transaction, with what tells the log what of it is read, and `one_read` reads one thing by a single statement."""

    @get(
        paths("/webhooks"),
        opt=_ADMINISTER,
        sync_to_thread=True,
        summary="Webhooks of the organisations that you administer",
        operation_class=WEBHOOKS.operation,
        responses=WEBHOOKS.responses,
    )
    def listed(request: _R) -> Response[bytes]:
        def mine(_: Db, me: Principal, __: Note) -> list[Condition]:
            return [Condition("w.org = any(%s)", [*me.orgs("administer")])]

        return whole.listed(request, WEBHOOKS, reading, lambda _, note, found: note.page(found), within=mine)

    @post(
        "/webhooks",
        opt=_ADMINISTER,
        sync_to_thread=True,
        summary="Add a webhook",
        responses=gives(Added, *WRITE, status=201),
    )
    def add(request: _R, data: JSONBody[NewWebhook]) -> Response[bytes]:
        url, kinds, label = _url(data.url), _kinds(data.kinds), _label(data.label)
        secret = webhook_signing.new_secret()

        def act(db: Db, me: Principal) -> Made:
            if not me.may("administer", data.org):
                raise NotFoundError("no such organisation", where="org")
            aud = own(db, data.org)
            person = me.person if data.person is None else data.person
            made, _ = webhook_store.add(
                db, org=data.org, aud=aud, person=person, url=url, kinds=kinds, label=label
            )
            webhook_store.set_secret(db, made.webhook, secret)
            log(
                db,
                "webhook.added",
                f"webhook/{made.webhook}",
                {"url": url, "kinds": [*kinds], "person": person},
                aud,
            )
            return Made(
                record=Added(webhook=made, secret=webhook_signing.shown(secret)),
                location=f"{PREFIX}/webhooks/{made.webhook}",
            )

        return done_once(request, act)

    @get(
        "/webhooks/{webhook:int}",
        opt=_ADMINISTER,
        sync_to_thread=True,
        summary="One webhook",
        responses=gives(Webhook, *READ),
    )
    def one(request: _R, webhook: FromPath[int]) -> Response[bytes]:
        (found, version, _), me = one_read(
            request,
            lambda db: webhook_store.seen(db, _number(webhook)),
            lambda seen: (f"webhook/{seen[0].webhook}", [seen[2]]),
        )
        return etag.thing(request, found, me, version)

    @patch(
        "/webhooks/{webhook:int}",
        opt=_ADMINISTER,
        sync_to_thread=True,
        summary="Change a webhook",
        responses=gives(Webhook, *WRITE),
    )
    def change(request: _R, webhook: FromPath[int], data: JSONBody[WebhookChange]) -> Response[bytes]:
        def act(db: Db, _: Principal, expected: Expected) -> tuple[Webhook, int]:
            was, version = webhook_store.one(db, _number(webhook), lock=True)
            expected.check(version)
            found, version = webhook_store.change(
                db,
                was.webhook,
                url=was.url if data.url is UNSET else _url(data.url),
                kinds=was.kinds if data.kinds is UNSET else _kinds(data.kinds),
                label=was.label if data.label is UNSET else _label(data.label),
                active=was.active if data.active is UNSET else data.active,
            )
            log(
                db,
                "webhook.changed",
                f"webhook/{was.webhook}",
                {"url": found.url, "kinds": [*found.kinds], "active": found.active},
                own(db, was.org),
            )
            return found, version

        return changed(request, act)

    @delete(
        "/webhooks/{webhook:int}",
        opt=_ADMINISTER,
        sync_to_thread=True,
        summary="Remove a webhook",
        responses=problems_of(*WRITE),
    )
    def remove(request: _R, webhook: FromPath[int]) -> None:
        def act(db: Db, _: Principal, expected: Expected) -> None:
            was, version = webhook_store.one(db, _number(webhook), lock=True)
            expected.check(version)
            webhook_store.remove(db, was.webhook)
            log(db, "webhook.removed", f"webhook/{was.webhook}", {"url": was.url}, own(db, was.org))

        removed(request, act)

    @post(
        "/webhooks/{webhook:int}/secret",
        opt=_ADMINISTER,
        sync_to_thread=True,
        summary="A new secret; the old one signs beside it for a day",
        responses=gives(Secret, *WRITE, status=201),
    )
    def rotate(request: _R, webhook: FromPath[int]) -> Response[bytes]:
        secret = webhook_signing.new_secret()

        def act(db: Db, _: Principal) -> Made:
            found = webhook_store.one(db, _number(webhook))[0]
            webhook_store.set_secret(db, found.webhook, secret)
            log(db, "webhook.secret_changed", f"webhook/{found.webhook}", {}, own(db, found.org))
            return Made(record=Secret(secret=webhook_signing.shown(secret)))

        return done_once(request, act)

    @post(
        "/webhooks/{webhook:int}/test",
        opt=_ADMINISTER,
        sync_to_thread=True,
        status_code=202,
        summary="Send a test message",
        responses=gives(Started, *WRITE, status=202),
    )
    def test(request: _R, webhook: FromPath[int]) -> Response[bytes]:

        def act(db: Db, _: Principal) -> Made:
            delivery = webhook_store.test(db, _number(webhook))
            webhook_delivery.start(db, webhook)
            return Made(record=Started(delivery=delivery), status=202)

        return done_once(request, act)

    @get(
        paths("/webhooks/{webhook:int}/deliveries"),
        opt=_ADMINISTER,
        sync_to_thread=True,
        summary="Messages to a webhook, with dead letters",
        operation_class=DELIVERIES.operation,
        responses=DELIVERIES.responses,
    )
    def deliveries(request: _R, webhook: FromPath[int]) -> Response[bytes]:
        def of_it(db: Db, _: Principal, __: Note) -> list[Condition]:
            return [Condition("d.webhook = %s", webhook_store.one(db, _number(webhook))[0].webhook)]

        return whole.listed(
            request, DELIVERIES, reading, lambda _, note, found: note.page(found), within=of_it
        )

    @post(
        "/webhooks/{webhook:int}/deliveries/{delivery:int}/redeliver",
        opt=_ADMINISTER,
        sync_to_thread=True,
        status_code=202,
        summary="Deliver a message once more",
        responses=gives(Started, *WRITE, status=202),
    )
    def redeliver(request: _R, webhook: FromPath[int], delivery: FromPath[int]) -> Response[bytes]:

        def act(db: Db, _: Principal) -> Made:
            webhook_store.redeliver(db, _number(webhook), _number(delivery))
            webhook_delivery.start(db, webhook)
            return Made(record=Started(delivery=delivery), status=202)

        return done_once(request, act)

    handlers = [listed, add, one, change, remove, rotate, test, deliveries, redeliver]
    return Router(PREFIX, route_handlers=handlers, tags=["webhooks"])


def _url(text: str) -> str:
    """`text` when a message may go there: https, or a network that the operator has opened by its address.

    Raises:
        InputError: it may not.
    """
    if not 8 <= len(text) <= 2_000:
        raise InputError("a URL has 8 to 2,000 characters", where="url")
    try:
        url = outbound.checked_url(text)
        address = literal(url.raw_host.decode("ascii"))
        if reason := webhook_delivery.allowed().refusal(address) if address is not None else "":
            raise outbound.RefusedError(f"{address} is {reason}")
    except outbound.RefusedError as error:
        raise InputError(error.what, where="url", mend=error.mend) from None
    if url.scheme != "https" and address is None:
        raise InputError("messages go to https only", where="url", mend="write https://…")
    return text


def _kinds(kinds: Sequence[str]) -> tuple[str, ...]:
    if len(kinds) > _MOST_KINDS:
        raise InputError(f"more than {_MOST_KINDS} kinds", where="kinds")
    for n, kind in enumerate(kinds):
        if len(kind) > 100 or not _KIND.fullmatch(kind):
            raise InputError(
                f"{plain(kind, 60)!r} is no kind of event",
                where=f"kinds[{n}]",
                mend='such as "asset" or "asset.added"',
            )
    return tuple(dict.fromkeys(kinds))


def _label(text: str) -> str:
    if len(text) > _MOST_LABEL or not (text.isprintable() or not text):
        raise InputError(f"a label is one line of up to {_MOST_LABEL} characters", where="label")
    return text


def _number(typed: int) -> int:
    """A number from a path, as one that PostgreSQL can hold: what is beyond names nothing."""
    return typed if 0 <= typed < 2**31 else -1
