"""Two who change one thing, one request that arrives many times, and rows that appear between two pages."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from clearway.access import audience, embargo
from clearway.access.marking import Marking
from manners_world import Manners

TIMES = 50


def at_once(times: int, act: Callable[[int], Any]) -> list[Any]:
    """What `act` returned, called by `times` threads that start together."""
    ready = threading.Barrier(times)

    def one(n: int) -> Any:
        ready.wait()
        return act(n)

    with ThreadPoolExecutor(times) as threads:
        return list(threads.map(one, range(times)))


def test_of_fifty_changes_of_one_version_one_wins(manners: Manners) -> None:
    number = manners.add("disputed")
    path = f"/api/v1/things/{number}"
    tag = manners.ask("GET", path)[1]["etag"]
    answers = at_once(TIMES, lambda n: manners.ask("PUT", path, {"name": f"by {n}"}, if_match=tag))
    assert Counter(status for status, _, _ in answers) == {200: 1, 412: TIMES - 1}
    winner = next(body for status, _, body in answers if status == 200)
    status, headers, now = manners.ask("GET", path)
    assert (status, now) == (200, winner)
    assert headers["etag"].startswith('"2.')
    refused = next(body for status, _, body in answers if status == 412)
    assert refused["type"] == "urn:clearway:problem:precondition-failed"


def test_a_change_needs_the_version_that_it_changes(manners: Manners) -> None:
    path = f"/api/v1/things/{manners.add('kept')}"
    tag = manners.ask("GET", path)[1]["etag"]
    assert manners.ask("PUT", path, {"name": "x"})[2]["type"] == "urn:clearway:problem:precondition-required"
    assert manners.ask("PUT", path, {"name": "x"})[0] == 428
    assert manners.ask("DELETE", path)[0] == 428
    for wrong, expected in (
        ('"0.aaaaaaaaaaaaaaaaaaaaaa"', 412),
        ('"x"', 412),
        (f"W/{tag}", 412),
        ("1", 400),
        ('"a" "b"', 400),
        ('"' + "x" * 5000 + '"', 400),
    ):
        assert manners.ask("PUT", path, {"name": "x"}, if_match=wrong)[0] == expected, wrong
    assert manners.ask("PUT", path, {"name": "y"}, if_match=f'"z", {tag}')[0] == 200
    assert manners.ask("PUT", path, {"name": "y"}, if_match=tag)[0] == 412
    assert manners.ask("GET", path, if_none_match=tag)[0] == 200
    assert manners.ask("DELETE", path, if_match="*")[0] == 204
    assert manners.ask("GET", path)[0] == 404


def test_a_strangers_thing_is_404_whatever_the_tag(manners: Manners) -> None:
    path = f"/api/v1/things/{manners.add('ours')}"
    tag = manners.ask("GET", path)[1]["etag"]
    bodies = []
    for ask in (
        lambda: manners.ask("GET", path, who=manners.other),
        lambda: manners.ask("PUT", path, {"name": "x"}, who=manners.other, if_match=tag),
        lambda: manners.ask("DELETE", path, who=manners.other, if_match="*"),
        lambda: manners.ask("GET", "/api/v1/things/2000000000", who=manners.other),
    ):
        status, _, body = ask()
        assert status == 404
        bodies.append({k: v for k, v in body.items() if k != "trace_id"})
    assert all(body == bodies[0] for body in bodies)


def rows(manners: Manners, name: str) -> int:
    with manners.people.owner() as db:
        row = db.execute("select count(*) from clearway.thing where name = %s", (name,)).fetchone()
        assert row is not None
        return int(row[0])


def test_fifty_copies_of_one_request_have_one_effect_and_one_answer(manners: Manners) -> None:
    answers = at_once(
        TIMES,
        lambda _: manners.ask("POST", "/api/v1/things", manners.wanted("copied"), idempotency_key="fifty"),
    )
    assert rows(manners, "copied") == 1
    assert {status for status, _, _ in answers} == {201}
    assert len({(body["id"], headers["location"]) for _, headers, body in answers}) == 1
    assert Counter(headers["idempotency-replayed"] for _, headers, _ in answers) == {None: 1, "?1": TIMES - 1}


def test_a_key_stands_for_one_request_of_one_person(manners: Manners) -> None:
    def post(body: Any, key: str, path: str = "/api/v1/things", who: Any = None) -> tuple[int, Any]:
        status, _, answer = manners.ask("POST", path, body, who=who, idempotency_key=key)
        return status, answer

    first = post(manners.wanted("keyed"), '"k-1"')
    assert first[0] == 201
    assert post(manners.wanted("keyed"), "k-1") == first  # quoted or bare
    status, problem = post(manners.wanted("other"), "k-1")
    assert (status, problem["type"]) == (422, "urn:clearway:problem:idempotency-mismatch")
    theirs = {"org": manners.theirs, "aud": manners.their_aud, "name": "keyed"}
    assert post(theirs, "k-1", who=manners.other)[0] == 201
    assert rows(manners, "keyed") == 2
    for wrong in ("", "a" * 201, 'a"b', "ä".encode().decode("latin-1")):
        status, problem = post(manners.wanted("keyed"), wrong)
        assert (status, problem.get("where")) in ((400, "idempotency-key"), (201, None)), wrong
    assert rows(manners, "keyed") == 2


def test_a_failure_keeps_no_key_and_no_effect(manners: Manners) -> None:
    for _ in range(2):
        assert manners.ask("POST", "/api/v1/things", manners.wanted("fail"), idempotency_key="f")[0] == 500
    assert rows(manners, "fail") == 0
    assert manners.ask("POST", "/api/v1/things", manners.wanted("works"), idempotency_key="f")[0] == 201


def test_a_key_is_not_answered_to_other_rights_than_before(manners: Manners) -> None:
    someone = manners.people.somebody(manners.ours, "operator", name="demoted")
    body = manners.wanted("before")
    assert manners.ask("POST", "/api/v1/things", body, who=someone, idempotency_key="d")[0] == 201
    with manners.people.owner() as db:
        db.execute("select clearway.grant_role(%s, %s, 'coordinator')", (someone.person, manners.ours))
    time.sleep(2.1)  # as long as a principal is remembered
    status, _, problem = manners.ask("POST", "/api/v1/things", body, who=someone, idempotency_key="d")
    assert (status, problem["where"]) == (409, "idempotency-key")
    assert rows(manners, "before") == 1


def test_a_key_is_not_answered_to_who_is_no_party_any_more_to_an_embargo_of_then(manners: Manners) -> None:
    """Their memberships and roles are as they were: what they see is not."""
    party = manners.people.somebody(manners.ours, "operator", name="party")
    with manners.people.owner() as db:
        kept = embargo.add(db, manners.theirs, "until the fix")
        embargo.set_party(db, kept.embargo, person=party.person)
        aud = audience.of(db, Marking(tlp="GREEN", embargo=kept.embargo))
    body = {**manners.wanted("embargoed"), "aud": aud}
    answers = [manners.ask("POST", "/api/v1/things", body, who=party, idempotency_key="e") for _ in range(2)]
    assert [(status, headers["idempotency-replayed"]) for status, headers, _ in answers] == [
        (201, None),
        (201, "?1"),
    ]
    with manners.people.owner() as db:
        # What they see more of, in an audience that was not there then, changes nothing.
        more = embargo.add(db, manners.theirs, "another")
        embargo.set_party(db, more.embargo, person=party.person)
        audience.of(db, Marking(tlp="GREEN", embargo=more.embargo))
    assert manners.ask("POST", "/api/v1/things", body, who=party, idempotency_key="e")[0] == 201
    with manners.people.owner() as db:
        embargo.set_party(db, kept.embargo, person=party.person, party=False)
    status, _, problem = manners.ask("POST", "/api/v1/things", body, who=party, idempotency_key="e")
    assert (status, problem["where"]) == (409, "idempotency-key")
    assert "embargoed" not in str(problem)
    assert rows(manners, "embargoed") == 1


def test_pages_hold_while_others_write(manners: Manners) -> None:
    before = {manners.add(f"steady {n}", rank=1000 + n % 5) for n in range(60)}
    done = threading.Event()

    def write() -> None:
        n = 0
        with manners.people.owner() as db:
            while not done.is_set():
                n += 1
                db.execute(
                    "insert into clearway.thing (org, aud, name, rank) values (%s, %s, 'new', %s)",
                    (manners.ours, manners.our_aud, 1000 + n % 5),
                )
                db.execute("commit")
                db.execute("begin")
                time.sleep(0.003)  # a reader of seven a page comes to an end all the same

    for sort in ("rank", "-rank", "-id"):
        done.clear()
        writer = threading.Thread(target=write)
        writer.start()
        try:
            seen: list[tuple[int, int]] = []
            path = f"/api/v1/things?sort={sort}&limit=7&rank=1000&rank=1001&rank=1002&rank=1003&rank=1004"
            for _ in range(400):
                status, _, body = manners.ask("GET", path)
                assert status == 200
                seen += [(t["rank"], t["id"]) for t in body["items"]]
                path = body["next"]
                if path is None or len({i for _, i in seen} & before) == len(before):
                    break
        finally:
            done.set()
            writer.join()
        key = (lambda k: k) if sort.endswith("rank") else (lambda k: k[1])
        assert seen == sorted(seen, key=key, reverse=sort.startswith("-"))
        assert len(set(seen)) == len(seen)
        assert before <= {number for _, number in seen}
