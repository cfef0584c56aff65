"""A small application with one governed table, `thing`, and every manner of the API; and a server of it.

    python manners_app.py URL [SETTINGS as JSON]

`things` makes the table in a database that has the others.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec
import psycopg
from litestar import Request, Response, delete, get, post, put
from litestar.params import FromPath, JSONBody
from msgspec import Meta, Struct

import live_server
from clearway import ledger
from clearway.access import audience
from clearway.access.marking import own as own_marking
from clearway.app import server
from clearway.http import etag, events_api, health, sse, webhook_api
from clearway.http.acting import Doorkeeper, acting, needs
from clearway.http.application import Application, application
from clearway.http.cursor import Seals, sealer
from clearway.http.filters import choice, flag, number, text
from clearway.http.guard import PUBLIC
from clearway.http.idempotency import Made, once
from clearway.http.limits import Limits
from clearway.http.listing import Listing, paths
from clearway.http.openapi import READ, WRITE, gives, problems_of
from clearway.http.ratelimit import Rates
from clearway.ledger.reading import one as one_read
from clearway.ledger.reading import reading
from clearway.store import cursor_keys, events
from clearway.store.connect import connect
from clearway.store.keyset import Column, Source
from clearway.store.principal import Pool

TABLE = """
create table clearway.thing (
    id int generated always as identity primary key,
    org int not null,
    aud clearway.audience_id not null,
    name text not null,
    rank int not null default 0,
    colour text not null default 'red',
    version int not null default 1
);
select clearway.govern('clearway.thing', 'operate');
"""


Small = Annotated[int, Meta(ge=0, le=2**31 - 1)]


class Thing(Struct, frozen=True, kw_only=True):
    id: int
    name: str
    rank: int
    colour: str


class Wanted(Struct, frozen=True, kw_only=True):
    org: Small
    aud: Annotated[int, Meta(ge=0, le=65_535)]
    name: Annotated[str, Meta(min_length=1, pattern=r"^[^\x00]+$")]
    rank: Small = 0


class Changed(Struct, frozen=True, kw_only=True):
    name: Annotated[str, Meta(min_length=1, pattern=r"^[^\x00]+$")]


COLOURS = ("red", "green", "blue")
THINGS = Listing(
    "things",
    Thing,
    Source("t.id, t.name, t.rank, t.colour", "clearway.thing t"),
    sorts={"id": Column("t.id", "int"), "rank": Column("t.rank", "int"), "name": Column("t.name")},
    tie=Column("t.id", "int"),
    default="id",
    hint="t.aud",
    filters={
        "colour": choice("t.colour = any(%s)", COLOURS, "t.colour <> all(%s)"),
        "rank": number("t.rank = any(%s)"),
        "name": text("t.name = any(%s)", "t.name <> all(%s)"),
        "even": flag("(t.rank %% 2 = 0) = any(%s)"),
    },
)


def things(url: str) -> None:
    """Makes the table."""
    with connect(url) as db:
        db.execute(TABLE)


@get(
    paths("/api/v1/things"),
    opt=needs("read"),
    sync_to_thread=True,
    operation_class=THINGS.operation,
    responses=THINGS.responses,
)
def listed(request: Request[Any, Any, Any]) -> Response[bytes]:
    asked = THINGS.asked(request)
    with acting(request) as (db, me):
        page = THINGS.read(db, me, asked, sealer(request))
    return THINGS.answer(request, page, me)


@get("/api/v1/things/{number:int}", opt=needs("read"), sync_to_thread=True, responses=gives(Thing, *READ))
def one(request: Request[Any, Any, Any], number: FromPath[int]) -> Response[bytes]:
    with acting(request) as (db, me):
        thing, version = _one(db, number)
    return etag.thing(request, thing, me, version)


@put("/api/v1/things/{number:int}", opt=needs("operate"), sync_to_thread=True, responses=gives(Thing, *WRITE))
def change(
    request: Request[Any, Any, Any], number: FromPath[int], data: JSONBody[Changed]
) -> Response[bytes]:
    expected = etag.expected(request)
    with acting(request) as (db, me):
        row = db.execute("select version from clearway.thing where id = %s for update", (number,)).fetchone()
        expected.check(row[0] if row else None)
        db.execute(
            "update clearway.thing set name = %s, version = version + 1 where id = %s", (data.name, number)
        )
        thing, version = _one(db, number)
    return etag.thing(request, thing, me, version)


@delete(
    "/api/v1/things/{number:int}", opt=needs("operate"), sync_to_thread=True, responses=problems_of(*WRITE)
)
def remove(request: Request[Any, Any, Any], number: FromPath[int]) -> None:
    expected = etag.expected(request)
    with acting(request) as (db, _):
        row = db.execute("select version from clearway.thing where id = %s for update", (number,)).fetchone()
        expected.check(row[0] if row else None)
        db.execute("delete from clearway.thing where id = %s", (number,))


@post("/api/v1/things", opt=needs("operate"), sync_to_thread=True, responses=gives(Thing, *WRITE, status=201))
def add(request: Request[Any, Any, Any], data: JSONBody[Wanted]) -> Response[bytes]:
    with acting(request) as (db, me):

        def act() -> Made:
            row = db.execute(
                "insert into clearway.thing (org, aud, name, rank) values (%s, %s, %s, %s) returning id",
                (data.org, data.aud, data.name, data.rank),
            ).fetchone()
            assert row is not None
            thing, _ = _one(db, row[0])
            events.emit(
                db, "thing.added", f"thing/{thing.id}", org=data.org, aud=data.aud, body={"name": data.name}
            )
            if data.name == "fail":
                raise RuntimeError("after the insert")
            return Made(record=thing, location=f"/api/v1/things/{thing.id}")

        return once(request, db, me, act)


@get("/streams", opt=PUBLIC)
async def streams(request: Request[Any, Any, Any]) -> int:
    hub: sse.Hub = request.app.state.hub
    return hub.streams


def _one(db: psycopg.Connection[Any], number: int) -> tuple[Thing, int]:
    row = db.execute(
        "select id, name, rank, colour, version from clearway.thing where id = %s", (number,)
    ).fetchone()
    etag.Expected(None).check(row[4] if row else None)
    assert row is not None
    return Thing(id=row[0], name=row[1], rank=row[2], colour=row[3]), row[4]


def _own(db: psycopg.Connection[Any], org: int) -> int:
    return audience.of(db, own_marking(org))


def _log(
    db: psycopg.Connection[Any], act: str, subject: str, content: Mapping[str, object], aud: int
) -> None:
    ledger.append(db, act, subject, content, aud=aud)


class Settings(Struct, frozen=True, kw_only=True):
    manners: sse.Manners = sse.Manners()
    limits: Limits = Limits()
    rates: Rates | None = None
    pool: int = 8


def build(url: str, settings: Settings, *more: Any) -> Application:
    pool = Pool(url, size=settings.pool)

    def keys() -> Mapping[int, bytes]:
        with pool.owner() as db:
            return cursor_keys.keys(db)

    seals = Seals(keys)
    hub: list[sse.Hub] = []

    async def start() -> None:
        await hub[0].start()

    async def stop() -> None:
        await hub[0].stop()
        pool.close()

    hub.append(sse.Hub(url, pool, seals, manners=settings.manners))
    door = Doorkeeper(pool)
    return application(
        [
            listed,
            one,
            change,
            remove,
            add,
            streams,
            *more,
            events_api.routes(hub[0], seals),
            webhook_api.routes(_own, _log, reading, one_read),
            health.routes({}),
        ],
        guard=door.guard(),
        state={"doorkeeper": door, "seals": seals, "hub": hub[0]},
        limits=settings.limits,
        rates=settings.rates,
        on_startup=[start],
        on_shutdown=[stop],
        on_ending=[hub[0].end],
    )


def over(
    url: str, log: Path, settings: Settings | None = None
) -> contextlib.AbstractContextManager[live_server.Live]:
    """A server process of this application on the database at `url`."""
    raw = msgspec.json.encode(settings or Settings(), enc_hook=str).decode()
    return live_server.started([sys.executable, __file__, url, raw], log)


if __name__ == "__main__":
    app = build(sys.argv[1], msgspec.json.decode(sys.argv[2], type=Settings))
    server.run(app, "127.0.0.1", server._free_port("127.0.0.1", 0), lambda url: print(url, flush=True))
