"""Leases over the API: ask, renew, give back, whose, proofs of control."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from clearway.findings.lease import at_desk
from clearway.records.errors import OutsideError
from lease_house import NET, House
from site_client import Site

BASE = "/api/v1/leases"


@pytest.fixture
def api(one_site: Site, house: House) -> Site:
    return one_site


def test_ask_renew_and_give_back(api: Site, house: House) -> None:
    secret = house.finder.secret
    body = {"activity": "fuzzing", "scope": ["pkg:pypi/requests@2.31.0"], "label": "night run"}
    made = api.api(secret, "POST", BASE, 201, body)
    lease = made.json()["lease"]
    at = f"{BASE}/{lease['reference']}"
    assert made.headers["location"] == at
    assert api.api(secret, "GET", at).json()["state"] == "held"
    renewed = api.api(secret, "POST", f"{at}/renewal", 200, {"fence": lease["fence"], "ttl_s": 3_600}).json()
    assert renewed["ends"] > lease["ends"]
    api.api(secret, "POST", f"{at}/renewal", 409, {"fence": 1})
    assert api.api(secret, "POST", f"{at}/release", 200, {}).json()["state"] == "released"
    api.api(secret, "POST", f"{at}/renewal", 409, {"fence": lease["fence"]})
    listed = api.api(secret, "GET", f"{BASE}?state=released&activity=fuzzing").json()["items"]
    assert [one["label"] for one in listed] == ["night run"]
    assert "night run" in api.api(secret, "GET", f"{BASE}.csv").text


def test_the_same_question_sent_again_with_its_key_is_asked_once(api: Site, house: House) -> None:
    body = {"activity": "fuzzing", "scope": ["pkg:pypi/requests"]}
    one = api.api(house.finder.secret, "POST", BASE, 201, body, **{"idempotency-key": "k-1"}).json()
    same = api.api(house.finder.secret, "POST", BASE, 201, body, **{"idempotency-key": "k-1"}).json()
    assert one == same
    assert house.acts().count("lease.granted") == 1


def test_a_proof_a_lease_and_a_wait(api: Site, house: House, zone: dict[str, tuple[str, ...]]) -> None:
    secret = house.operator.secret
    asked = {"activity": "port", "scope": [NET], "sources": ["198.51.100.7"]}
    assert api.api(secret, "POST", BASE, 200, asked).json()["why"] == "no-proof"
    begun = api.api(secret, "POST", f"{BASE}/controls", 201, {"scope": NET}).json()
    at = f"{BASE}/controls/{begun['id']}"
    missing = api.api(secret, "POST", f"{at}/check", 409, {})
    assert begun["put"]["name"] in missing.text
    zone[begun["put"]["name"]] = (begun["put"]["content"],)
    assert api.api(secret, "POST", f"{at}/check", 200, {}).json()["proven"]
    api.api(secret, "POST", f"{at}/stance", 200, {"stance": "own", "authorised": ["lab"]})
    assert api.api(secret, "POST", BASE, 201, asked).json()["answer"] == "go"
    wait = api.api(
        house.finder.secret, "POST", BASE, 200, {"activity": "port", "scope": ["192.0.2.9"]}
    ).json()
    assert (wait["answer"], wait["lease"]) == ("wait", None)
    seen = {"source": "198.51.100.7", "target": "192.0.2.77"}
    assert api.api(house.rival.secret, "POST", f"{BASE}/whose", 200, seen).json()["answer"] == "ours"
    api.api(secret, "POST", f"{at}/end", 200, {})
    assert api.api(secret, "GET", f"{BASE}/controls").json()["items"] == []


def test_looks_for_proofs_are_paced(api: Site, house: House, zone: dict[str, tuple[str, ...]]) -> None:
    begun = api.api(house.rival.secret, "POST", f"{BASE}/controls", 201, {"scope": NET}).json()
    statuses = [
        api.http.post(
            f"{BASE}/controls/{begun['id']}/check",
            headers={"authorization": f"Bearer {house.rival.secret}"},
        ).status_code
        for _ in range(at_desk.LOOKS.quota + 2)
    ]
    assert statuses.count(409) == at_desk.LOOKS.quota
    assert statuses[-1] == 429


def begun(api: Site, secret: str, scope: str) -> tuple[str, str]:
    """Where a proof is looked for by the API, and its name in the DNS."""
    made = api.api(secret, "POST", f"{BASE}/controls", 201, {"scope": scope}).json()
    return f"{BASE}/controls/{made['id']}/check", made["put"]["name"]


def test_an_organisation_whose_names_are_not_answered_keeps_nobody_else_waiting(
    api: Site, house: House, zone: dict[str, Any]
) -> None:
    """Two of its looks wait, a third is refused at once; others look for their proofs, and requests go on."""
    go_on = threading.Event()
    on: list[str] = []

    def late() -> tuple[str, ...]:
        on.append(threading.current_thread().name)
        go_on.wait(30)
        return ()

    slow = []
    for number in range(3):
        at, name = begun(api, house.finder.secret, f"10.{number}.0.0/16")
        slow.append(at)
        zone[name] = late
    other, _ = begun(api, house.operator.secret, NET)
    with ThreadPoolExecutor(2) as askers:
        waiting = [askers.submit(api.api, house.finder.secret, "POST", at, 409, {}) for at in slow[:2]]
        try:
            for _ in range(1_000):
                if len(on) == 2:
                    break
                time.sleep(0.02)
            refused = api.api(house.finder.secret, "POST", slow[2], 429, {})
            assert int(refused.headers["retry-after"]) >= 5
            api.api(house.operator.secret, "POST", other, 409, {})
            api.api(house.finder.secret, "GET", "/api/v1/me")
            assert not any(one.done() for one in waiting)
        finally:
            go_on.set()
        for one in waiting:
            assert "not there" in one.result(30).text
    assert {name.rpartition("_")[0] for name in on} == {"outside-proofs-of-control"}
    api.api(house.finder.secret, "POST", slow[2], 409, {})


def test_where_the_owner_of_a_name_does_not_answer_the_problem_names_it(
    api: Site, house: House, zone: dict[str, Any]
) -> None:
    at, name = begun(api, house.operator.secret, NET)

    def silent() -> tuple[str, ...]:
        raise OutsideError("the DNS does not answer: timed out", where=name)

    zone[name] = silent
    said = api.api(house.operator.secret, "POST", at, 503, {}).json()
    assert (said["type"], said["where"]) == ("urn:clearway:problem:outside", name)
    assert "does not answer" in said["detail"]
    assert "database" not in str(said)


@pytest.fixture
def refused(api: Site, house: House) -> Callable[[Any, str], str]:
    def send(body: Any, path: str = BASE) -> str:
        answer = api.http.post(path, json=body, headers={"authorization": f"Bearer {house.finder.secret}"})
        assert 400 <= answer.status_code < 500, answer.text
        assert answer.headers["content-type"].startswith("application/problem+json")
        return answer.text

    return send


def test_hostile_bodies_are_refused_with_a_problem(refused: Callable[[Any, str], str], house: House) -> None:
    for body in (
        {}, [], {"activity": "ddos", "scope": ["pkg:pypi/x"]}, {"activity": "port", "scope": "10.0.0.0/24"},
        {"activity": "port", "scope": [NET] * 33}, {"activity": "fuzzing", "scope": ["\u0000"]},
        {"activity": "fuzzing", "scope": ["pkg:pypi/x"], "ttl_s": 10**30},
        {"activity": "fuzzing", "scope": ["x" * 100_000]},
        {"activity": "fuzzing", "scope": ["pkg:pypi/x"], "until": "tomorrow"},
        {"activity": "fuzzing", "scope": ["pkg:pypi/x"], "org": 1},
        {"activity": "fuzzing", "scope": ["pkg:pypi/x"], "rate": "NaN"},
        {"activity": "fuzzing", "scope": ["pkg:pypi/x"], "organisation": "water"},
    ):  # fmt: skip
        refused(body, BASE)
    for body in (
        {"source": "1.2.3.4"},
        {"source": "1.2.3.4", "target": "\u202e"},
        {"source": "1.2.3.4/0", "target": NET},
    ):
        refused(body, f"{BASE}/whose")
    for body in (
        {"scope": "0.0.0.0/0"},
        {"scope": "192.0.2.0/25"},
        {"scope": NET, "method": "phone"},
        {"scope": "pkg:pypi/x"},
    ):
        refused(body, f"{BASE}/controls")
    assert "lease.granted" not in house.acts()


def test_text_of_a_lease_is_data_wherever_it_is_shown(api: Site, house: House) -> None:
    hostile = "<img src=x onerror=alert(1)>{{7*7}}\u001b[31m=cmd|x"
    lease = house.lease(
        house.finder, "pkg:pypi/requests", activity="fuzzing", label=hostile, authorisation=hostile
    )
    for path in ("/leases", f"/leases/{lease.reference}"):
        shown = api.page(house.finder.cookie, path)
        assert "<img src=x" not in shown
        assert "&lt;img src=x onerror=alert(1)&gt;{{7*7}}" in shown
        assert "\u001b" not in shown
    assert "\u001b" not in api.api(house.finder.secret, "GET", f"{BASE}.csv").text
