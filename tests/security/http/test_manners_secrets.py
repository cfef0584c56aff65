"""Secrets and marked content that pass through the API: they are in no log, no error and no address."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest

from database import server  # noqa: F401
from manners_world import Manners, manners_of

CANARY = "canary-9f3b2c61"


@pytest.fixture(scope="module")
def logged(server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Manners, Path]]:  # noqa: F811
    log = tmp_path_factory.mktemp("secrets") / "log"
    for manners in manners_of(server, log):
        yield manners, log


def test_a_secret_that_comes_with_a_request_is_in_no_log_and_no_answer(logged: tuple[Manners, Path]) -> None:
    manners, log = logged
    asks = [
        ("GET", "/api/v1/things", None, {"authorization": f"Bearer cw_{CANARY}.{CANARY}"}),
        (
            "GET",
            "/api/v1/things",
            None,
            {"authorization": "", "cookie": f"clearway={CANARY}; __Host-clearway={CANARY}"},
        ),
        ("GET", f"/api/v1/things?cursor={CANARY}", None, {}),
        ("GET", f"/api/v1/events?after={CANARY}", None, {}),
        ("POST", "/api/v1/things", manners.wanted("fail"), {"idempotency-key": CANARY}),
        ("POST", "/api/v1/things", {"name": CANARY}, {}),
        ("PUT", "/api/v1/things/1", {"name": CANARY}, {"if-match": f'"{CANARY}"'}),
        ("POST", "/api/v1/webhooks", {"org": 1, "url": f"https://u:{CANARY}@example.org/"}, {}),
    ]
    statuses = set()
    for method, path, body, headers in asks:
        sent = {"authorization": f"Bearer {manners.me.secret}", "content-type": "application/json", **headers}
        status, answered, found = manners.live.ask(method, path, body, sent)
        statuses.add(status)
        assert CANARY not in str(found), path
        assert CANARY not in str(answered.items()), path
        assert status >= 400
    assert 500 in statuses
    text = log.read_text()
    assert "Traceback" in text
    assert CANARY not in text
    assert manners.me.secret not in text


def test_an_address_of_a_next_page_says_nothing_of_what_is_listed(logged: tuple[Manners, Path]) -> None:
    manners, _ = logged
    for n in range(3):
        manners.add(f"{CANARY} {n}")
    status, headers, body = manners.ask("GET", "/api/v1/things?sort=name&limit=1")
    assert status == 200
    for text in (headers["link"], body["next"]):
        assert CANARY not in unquote(text)
        raw = base64.urlsafe_b64decode(body["next"].partition("cursor=")[2] + "==")
        assert CANARY.encode() not in raw


def test_the_database_keeps_no_key_of_a_request_and_the_application_reads_no_secret(
    logged: tuple[Manners, Path],
) -> None:
    manners, _ = logged
    manners.ask("POST", "/api/v1/things", manners.wanted("kept"), idempotency_key=CANARY)
    with manners.people.owner() as db:
        found = db.execute("select i::text from clearway.idempotency i").fetchall()
        assert found
        assert not any(CANARY in row[0] or CANARY.encode().hex() in row[0] for row in found)
    for table in ("cursor_key", "question_key", "webhook_secret", "event_floor"):
        with pytest.raises(Exception, match="permission denied"), manners.people.acting(manners.me) as db:
            db.execute(f"select * from clearway.{table}".encode())
    with manners.people.acting(manners.other) as db:
        assert db.execute("select count(*) from clearway.idempotency").fetchone() == (0,)
