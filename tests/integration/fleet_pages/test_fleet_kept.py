"""What a key was answered is not answered again to who may not see it any more."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest

from clearway.access import audience, embargo
from clearway.access.marking import Marking
from fleet_site import Site
from held import Waiting
from people import Somebody


def post(site: Site, who: Somebody, path: str, body: dict[str, Any], key: str) -> httpx.Response:
    return site.ask("POST", f"/api/v1{path}", who, json=body, headers={"idempotency-key": key})


def given(answers: list[httpx.Response]) -> list[tuple[int, str | None]]:
    return [(a.status_code, a.headers.get("idempotency-replayed")) for a in answers]


def parties(site: Site, *who: Somebody) -> int:
    """An embargo of the water works with these parties."""
    with site.people.owner() as db:
        made = embargo.add(db, site.water, f"of {len(who)} {uuid4()}")
        for one in who:
            embargo.set_party(db, made.embargo, person=one.person)
    return made.embargo


def mark(site: Site, desk: Somebody, asset: int, under: int) -> None:
    path = f"/api/v1/markings/asset/{asset}"
    tag = site.ask("GET", path, desk).headers["etag"]
    body = {"tlp": "RED", "embargo": under, "why": "it says too much"}
    done = site.ask("PUT", path, desk, json=body, headers={"if-match": tag})
    assert done.status_code == 200, done.text


@pytest.fixture(scope="module")
def desk(bare: Site) -> Somebody:
    return bare.people.somebody(bare.water, "coordinator", name="Dora Desk")


def test_a_key_is_not_answered_with_what_was_marked_away_since(bare: Site, desk: Somebody) -> None:
    mate = bare.people.somebody(bare.water, "operator", name="Mia Mate")
    body, key = {"name": "turned-1"}, str(uuid4())
    first = post(bare, bare.operator, "/assets", body, key)
    assert given([first, post(bare, bare.operator, "/assets", body, key)]) == [(201, None), (201, "?1")]
    assert post(bare, mate, "/assets", {"name": "beside-1"}, key).status_code == 201

    mark(bare, desk, first.json()["id"], parties(bare, desk, mate))
    assert bare.ask("GET", first.headers["location"], bare.operator).status_code == 404
    again = post(bare, bare.operator, "/assets", body, key)
    assert (again.status_code, again.json()["where"]) == (409, "idempotency-key")
    assert "turned-1" not in again.text
    assert "idempotency-replayed" not in again.headers
    # The work stays done, who sees it still is answered, and so is what was asked for since.
    with bare.people.owner() as db:
        there = db.execute("select count(*) from clearway.asset where name = 'turned-1'").fetchone()
    assert there == (1,)
    assert given([post(bare, mate, "/assets", {"name": "beside-1"}, key)]) == [(201, "?1")]
    later = [post(bare, bare.operator, "/assets", {"name": "later-1"}, f"{key}-later") for _ in range(2)]
    assert given(later) == [(201, None), (201, "?1")]


def test_what_follows_a_machine_is_not_answered_again_either(bare: Site, desk: Somebody) -> None:
    which = bare.machine(bare.operator, "turned-2", "pkg:pypi/flask@2.1")
    (exposure,) = [e["id"] for e in bare.exposures() if e["asset_name"] == "turned-2"]
    body, key = {"exposures": [exposure], "status": "mitigated"}, str(uuid4())
    first = [post(bare, bare.operator, "/exposures/decisions", body, key) for _ in range(2)]
    assert given(first) == [(200, None), (200, "?1")], first[0].text
    mark(bare, desk, which, parties(bare, desk))
    assert given([post(bare, bare.operator, "/exposures/decisions", body, key)]) == [(409, None)]


def test_a_marking_under_way_as_it_was_answered_counts(bare: Site, desk: Somebody) -> None:
    """What the work read of the other row may be what it was before."""
    which = bare.machine(bare.operator, "turned-3")
    with bare.people.owner() as db:
        narrower = audience.of(db, Marking(tlp="RED", org=bare.water, embargo=parties(bare, desk)))
    body, key = {"name": "meanwhile-1"}, str(uuid4())
    with bare.people.acting(desk) as db:
        db.execute("select clearway.remark('clearway.asset', %s, %s, null)", (which, narrower))
        first = [post(bare, bare.operator, "/assets", body, key) for _ in range(2)]
    assert given(first) == [(201, None), (201, "?1")]
    assert given([post(bare, bare.operator, "/assets", body, key)]) == [(409, None)]


def test_who_lost_sight_while_the_work_waited_is_answered_once(bare: Site, desk: Somebody) -> None:
    """They were told what they had asked for while they saw it; the key tells it nobody who does not."""
    which = bare.machine(bare.operator, "turned-5", "pkg:pypi/flask@2.1")
    (exposure,) = [e["id"] for e in bare.exposures() if e["asset_name"] == "turned-5"]
    under = parties(bare, desk, bare.operator)
    mark(bare, desk, which, under)
    body, key = {"exposures": [exposure], "status": "mitigated"}, str(uuid4())
    first: list[httpx.Response] = []
    with bare.people.owner() as db:
        db.execute("select from clearway.exposure where exposure = %s for update", (exposure,))
        waiting = Waiting(
            bare.people,
            lambda: first.append(post(bare, bare.operator, "/exposures/decisions", body, key)),
        )
        with bare.people.owner() as meanwhile:
            embargo.set_party(meanwhile, under, person=bare.operator.person, party=False)
    assert waiting.refused() is None
    assert given(first) == [(200, None)]
    assert bare.ask("GET", f"/api/v1/assets/{which}", bare.operator).status_code == 404
    assert given([post(bare, bare.operator, "/exposures/decisions", body, key)]) == [(409, None)]


def test_a_marking_of_a_later_moment_counts_whatever_the_number_of_its_transaction(
    bare: Site, desk: Somebody
) -> None:
    """A database that was restored from a backup counts its transactions from the start."""
    which = bare.machine(bare.operator, "turned-4")
    body, key = {"name": "restored-1"}, str(uuid4())
    assert given([post(bare, bare.operator, "/assets", body, key)]) == [(201, None)]
    mark(bare, desk, which, parties(bare, desk))
    with bare.people.owner() as db:
        db.execute(
            "update clearway.remarked set by_xact = '9' "
            "where remarked = (select max(remarked) from clearway.remarked)"
        )
    assert given([post(bare, bare.operator, "/assets", body, key)]) == [(409, None)]


def test_a_marking_of_long_before_counts_for_nothing_whatever_the_number_of_its_transaction(
    bare: Site, desk: Somebody
) -> None:
    """So does the table come back that such a database is restored with."""
    which = bare.machine(bare.operator, "turned-6")
    mark(bare, desk, which, parties(bare, desk))
    with bare.people.owner() as db:
        db.execute("update clearway.remarked set by_xact = '999999999', at = at - interval '2 hours'")
    body, key = {"name": "restored-2"}, str(uuid4())
    answers = [post(bare, bare.operator, "/assets", body, key) for _ in range(2)]
    assert given(answers) == [(201, None), (201, "?1")]
    with bare.people.owner() as db:
        db.execute("update clearway.remarked set at = at + interval '90 minutes'")
    assert given([post(bare, bare.operator, "/assets", body, key)]) == [(409, None)]
    with bare.people.owner() as db:
        db.execute("delete from clearway.remarked")


def test_an_answer_of_the_step_before_is_not_given_again(bare: Site) -> None:
    body, key = {"name": "older-1"}, str(uuid4())
    assert given([post(bare, bare.operator, "/assets", body, key)]) == [(201, None)]
    with bare.people.owner() as db:
        db.execute(
            "update clearway.idempotency set reading = null where person = %s", (bare.operator.person,)
        )
    assert given([post(bare, bare.operator, "/assets", body, key)]) == [(409, None)]


def test_who_may_see_what_was_marked_when_is_for_nobody_to_read(bare: Site) -> None:
    with bare.people.acting(bare.operator) as db, pytest.raises(psycopg.errors.InsufficientPrivilege):
        db.execute("select * from clearway.remarked")
