"""Lost updates and repeated requests, fifty times over, on routes that people use: one winner each time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import httpx
import pytest

import fleet_site
from clearway.access.person import ROLES
from database import server  # noqa: F401
from intake_world import World, drop_database, new_database
from people import Somebody

ROUNDS = 50
AT_ONCE = 4


@pytest.fixture(scope="module")
def site(server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[fleet_site.Site]:  # noqa: F811
    folder = tmp_path_factory.mktemp("races")
    url = new_database(server, "made")
    try:
        with fleet_site.empty_site(World(url, folder / "home")) as made:
            yield made
    finally:
        drop_database(server, url)


class Crowd:
    """Clients that ask at the same moment, each on a connection of its own."""

    def __init__(self, site: fleet_site.Site, *who: Somebody) -> None:
        self.clients = [
            httpx.Client(
                base_url=site.url, headers={"authorization": f"Bearer {w.secret}"}, timeout=60, verify=False
            )
            for w in who
        ]
        self.threads = ThreadPoolExecutor(len(who))
        self.barrier = Barrier(len(who))

    def all(self, ask: Callable[[httpx.Client, int], httpx.Response]) -> list[httpx.Response]:
        def one(number: int) -> httpx.Response:
            self.barrier.wait(60)
            return ask(self.clients[number], number)

        return list(self.threads.map(one, range(len(self.clients))))

    def __enter__(self) -> Crowd:
        return self

    def __exit__(self, *_: object) -> None:
        self.threads.shutdown()
        for client in self.clients:
            client.close()


def _rows(site: fleet_site.Site, query: str, *values: Any) -> list[tuple[Any, ...]]:
    with site.people.owner() as db:
        return db.execute(query.encode(), values).fetchall()


def test_of_changes_to_the_same_version_one_wins_and_the_others_are_told(site: fleet_site.Site) -> None:
    asset = site.machine(site.operator, "contested")
    colleague = site.people.somebody(site.water, "operator", name="Colleague")
    path = f"/api/v1/assets/{asset}"
    with Crowd(site, site.operator, colleague, site.operator, colleague) as crowd:
        for n in range(ROUNDS):
            read = crowd.clients[0].get(path)

            def change(
                client: httpx.Client, number: int, n: int = n, tag: str = read.headers["etag"]
            ) -> httpx.Response:
                body = {"name": "contested", "details": {"owner": f"round {n} by {number}"}}
                return client.put(path, json=body, headers={"if-match": tag})

            answers = crowd.all(change)
            won = [i for i, a in enumerate(answers) if a.status_code == 200]
            assert len(won) == 1, [a.text for a in answers]
            assert {a.status_code for a in answers} - {200} <= {409, 412}
            assert crowd.clients[0].get(path).json()["details"]["owner"] == f"round {n} by {won[0]}"
    logged = _rows(site, "select count(*) from clearway.log_entry where act = 'asset.changed' and subject = %s",
                   f"asset/{asset}")  # fmt: skip
    assert logged == [(ROUNDS,)]


def test_a_request_that_comes_several_times_at_once_does_its_work_once(site: fleet_site.Site) -> None:
    with Crowd(site, *[site.operator] * AT_ONCE) as crowd:
        for n in range(ROUNDS):

            def add(client: httpx.Client, _: int, n: int = n) -> httpx.Response:
                return client.post(
                    "/api/v1/assets", json={"name": f"once {n}"}, headers={"idempotency-key": f"k{n}"}
                )

            answers = crowd.all(add)
            assert {a.status_code for a in answers} == {201}, [a.text for a in answers]
            assert len({a.content for a in answers}) == 1
            assert sum("idempotency-replayed" not in a.headers for a in answers) == 1
    kept = _rows(site, "select count(*), count(distinct name) from clearway.asset where name ^@ 'once '")
    assert kept == [(ROUNDS, ROUNDS)]
    logged = _rows(site, """select count(*) from clearway.log_entry e join clearway.asset a
        on e.subject = 'asset/' || a.asset where e.act = 'asset.added' and a.name ^@ 'once '""")  # fmt: skip
    assert logged == [(ROUNDS,)]


def test_of_two_decisions_on_one_approval_one_counts(site: fleet_site.Site) -> None:
    asks, one, two = (site.people.somebody(site.water, *ROLES, name=n) for n in ("Asks", "One", "Two"))
    with Crowd(site, one, two) as crowd:
        for n in range(10):
            body = {
                "org": site.water,
                "kind": "note",
                "subject": "asset/1",
                "proposal": {"n": n},
                "why": "so",
            }
            made = site.ask("POST", "/api/v1/approvals", asks, json=body)
            assert made.status_code == 201, made.text
            path = f"/api/v1/approvals/{made.json()['approval']}/decision"
            answers = crowd.all(
                lambda client, number, path=path: client.post(  # type: ignore[misc]
                    path, json={"verdict": ("approved", "refused")[number]}
                )
            )
            assert sorted(a.status_code for a in answers)[0] == 200, [a.text for a in answers]
            assert sum(a.status_code == 200 for a in answers) == 1, [a.text for a in answers]
