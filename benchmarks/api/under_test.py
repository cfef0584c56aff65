"""The server process that is measured: routes of the product, and the yardstick's own."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from litestar import Request, Response, get
from litestar.params import FromPath

from clearway import ledger
from clearway.access import audience
from clearway.access.marking import own
from clearway.app import server as up
from clearway.http import etag, events_api, health, webhook_api, webhook_store
from clearway.http.acting import Doorkeeper
from clearway.http.application import application
from clearway.http.cursor import Seals
from clearway.http.guard import PUBLIC
from clearway.http.ratelimit import Policy, Rates
from clearway.http.sse import Hub, Manners
from clearway.ledger.reading import one as one_read
from clearway.ledger.reading import reading, tell_events
from clearway.records.principal import Principal
from clearway.store import cursor_keys
from clearway.store.principal import Pool


def main(url: str) -> None:
    """Serves until it is ended."""
    pool = Pool(url)
    owners = Pool(url, owners=8)
    nobody = Principal(person=-1, name="", kind="public", credential="public")

    @get("/bare/{number:int}", opt=PUBLIC, sync_to_thread=True)
    def bare(request: Request[Any, Any, Any], number: FromPath[int]) -> Response[bytes]:
        with owners.owner() as db:
            found, version = webhook_store.one(db, number)
        return etag.thing(request, found, nobody, version)

    def keys() -> Mapping[int, bytes]:
        with pool.owner() as db:
            return cursor_keys.keys(db)

    seals = Seals(keys)
    hub = Hub(url, pool, seals, manners=Manners(), telling=tell_events)
    plenty = Policy("address", 10_000_000, 10)

    async def begin() -> None:
        await hub.start()

    async def end() -> None:
        await hub.stop()
        pool.close()
        owners.close()

    def log(db: Any, act: str, subject: str, content: Mapping[str, object], aud: int) -> None:
        ledger.append(db, act, subject, content, aud=aud)

    door = Doorkeeper(pool)
    app = application(
        [
            bare,
            events_api.routes(hub, seals),
            webhook_api.routes(lambda db, org: audience.of(db, own(org)), log, reading, one_read),
            health.routes({}),
        ],
        guard=door.guard(),
        state={"doorkeeper": door, "seals": seals},
        rates=Rates(address=plenty, principal=Policy("principal", 10_000_000, 10)),
        on_startup=[begin],
        on_shutdown=[end],
        on_ending=[hub.end],
    )
    up.run(app, "127.0.0.1", up._free_port("127.0.0.1", 0), lambda said: print(said, flush=True))


if __name__ == "__main__":
    main(sys.argv[1])
