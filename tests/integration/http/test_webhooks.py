"""Webhooks from the act to a receiver that verifies with somebody else's library."""

from __future__ import annotations

import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook as Verifier

from clearway.app import tasks as app_tasks
from clearway.app.worker import mint
from clearway.http import tasks, webhook_delivery, webhook_signing, webhook_store
from clearway.store import events
from clearway.store.jobs_worker import run_worker
from manners_world import Manners, manners_of
from proxy import certificate, proxying


class Receiver:
    """A server on loopback that keeps what it is sent and answers `statuses` in turn, then 204."""

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.statuses: list[int] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                receiver.got.append(({k.lower(): v for k, v in self.headers.items()}, body))
                self.send_response(receiver.statuses.pop(0) if receiver.statuses else 204)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"
        threading.Thread(
            target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        ).start()

    def types(self) -> list[str]:
        return [json.loads(body)["type"] for _, body in self.got]

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture(scope="module")
def hooks(server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Manners]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(webhook_delivery.ALLOW_VARIABLE, "127.0.0.0/8")
        patch.setattr(webhook_signing, "WAITS_S", (0.05,) * 3)
        patch.setattr(webhook_signing, "ATTEMPTS", 4)
        patch.setattr(webhook_delivery, "PAUSE_S", 0.05)
        for manners in manners_of(server, tmp_path_factory.mktemp("hooks") / "log"):
            stop = threading.Event()
            worker = threading.Thread(
                target=run_worker,
                args=(manners.url, {**tasks.TASKS, **app_tasks.TASKS}),
                kwargs={"concurrency": 2, "stop": stop, "loops": tasks.LOOPS, "mint": mint},
            )
            worker.start()
            try:
                yield manners
            finally:
                stop.set()
                worker.join()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


@pytest.fixture(scope="module")
def admin(hooks: Manners) -> Any:
    return hooks.people.somebody(hooks.ours, "administrator")


def until(holds: Callable[[], bool], seconds: float = 60) -> bool:
    ends = time.monotonic() + seconds
    while time.monotonic() < ends and not holds():
        time.sleep(0.02)
    return holds()


def add(hooks: Manners, admin: Any, url: str, **more: Any) -> tuple[int, str]:
    status, _, body = hooks.ask(
        "POST", "/api/v1/webhooks", {"org": hooks.ours, "url": url, **more}, who=admin
    )
    assert status == 201, body
    return body["webhook"]["webhook"], body["secret"]


def states(hooks: Manners, admin: Any, webhook: int) -> list[str]:
    body = hooks.ask("GET", f"/api/v1/webhooks/{webhook}/deliveries", who=admin)[2]
    return [item["state"] for item in body["items"]]


def emit(hooks: Manners, kind: str, *, aud: int | None = None, **body: Any) -> None:
    with hooks.people.owner() as db:
        events.emit(db, kind, "thing/1", org=hooks.ours, aud=hooks.our_aud if aud is None else aud, body=body)


def remove(hooks: Manners, admin: Any, webhook: int) -> None:
    assert hooks.ask("DELETE", f"/api/v1/webhooks/{webhook}", who=admin, if_match="*")[0] == 204


def test_an_event_arrives_signed_and_its_receiver_can_verify_it(
    hooks: Manners, admin: Any, receiver: Receiver
) -> None:
    webhook, secret = add(hooks, admin, receiver.url, kinds=["thing"])
    emit(hooks, "asset.added")
    emit(hooks, "thing.changed", name="x")
    emit(hooks, "thing.changed", aud=hooks.their_aud, name="not ours")
    emit(hooks, "thing.removed", name="y")
    assert until(lambda: len(receiver.got) == 2)
    assert receiver.types() == ["thing.changed", "thing.removed"]
    for headers, body in receiver.got:
        said = Verifier(secret).verify(body, headers)
        assert set(said) == {"type", "timestamp", "data"}
    with pytest.raises(Exception, match=r"(?i)signature"):
        Verifier(secret).verify(receiver.got[0][1] + b" ", receiver.got[0][0])
    assert until(lambda: states(hooks, admin, webhook) == ["delivered", "delivered"])
    remove(hooks, admin, webhook)


def test_both_secrets_sign_while_one_replaces_the_other(
    hooks: Manners, admin: Any, receiver: Receiver
) -> None:
    webhook, old = add(hooks, admin, receiver.url, kinds=["thing"])
    new = hooks.ask("POST", f"/api/v1/webhooks/{webhook}/secret", who=admin)[2]["secret"]
    assert hooks.ask("POST", f"/api/v1/webhooks/{webhook}/test", who=admin)[0] == 202
    assert until(lambda: len(receiver.got) == 1)
    headers, body = receiver.got[0]
    for secret in (old, new):
        assert Verifier(secret).verify(body, headers)["type"] == "webhook.test"
    third = hooks.ask("POST", f"/api/v1/webhooks/{webhook}/secret", who=admin)[2]["secret"]
    hooks.ask("POST", f"/api/v1/webhooks/{webhook}/test", who=admin)
    assert until(lambda: len(receiver.got) == 2)
    headers, body = receiver.got[1]
    Verifier(third).verify(body, headers)
    with pytest.raises(Exception, match=r"(?i)signature"):
        Verifier(old).verify(body, headers)
    remove(hooks, admin, webhook)


def test_a_failure_is_tried_again_under_the_same_id(hooks: Manners, admin: Any, receiver: Receiver) -> None:
    webhook, secret = add(hooks, admin, receiver.url)
    receiver.statuses = [500, 302]
    emit(hooks, "thing.tried")
    assert until(lambda: states(hooks, admin, webhook) == ["delivered"])
    assert len(receiver.got) == 3
    assert len({headers["webhook-id"] for headers, _ in receiver.got}) == 1
    for headers, body in receiver.got:
        Verifier(secret).verify(body, headers)
    remove(hooks, admin, webhook)


def test_what_is_never_taken_is_a_dead_letter_and_can_be_sent_again(
    hooks: Manners, admin: Any, receiver: Receiver
) -> None:
    webhook, _ = add(hooks, admin, receiver.url)
    receiver.statuses = [503] * 4
    emit(hooks, "thing.lost")
    assert until(lambda: states(hooks, admin, webhook) == ["dead"])
    assert len(receiver.got) == 4
    dead = hooks.ask("GET", f"/api/v1/webhooks/{webhook}/deliveries?state=dead", who=admin)[2]["items"][0]
    assert (dead["attempts"], dead["last_status"], dead["kind"]) == (4, 503, "thing.lost")
    path = f"/api/v1/webhooks/{webhook}/deliveries/{dead['delivery']}/redeliver"
    assert hooks.ask("POST", path, who=hooks.other)[0] == 403  # no administrator of anything
    stranger = hooks.people.somebody(hooks.theirs, "administrator")
    assert hooks.ask("POST", path, who=stranger)[0] == 404
    assert hooks.ask("POST", path, who=admin)[0] == 202
    assert until(lambda: states(hooks, admin, webhook) == ["delivered"])
    assert len(receiver.got) == 5
    remove(hooks, admin, webhook)


def test_a_receiver_that_is_gone_is_told_nothing_more(hooks: Manners, admin: Any, receiver: Receiver) -> None:
    webhook, _ = add(hooks, admin, receiver.url)
    receiver.statuses = [410]
    emit(hooks, "thing.one")
    assert until(lambda: states(hooks, admin, webhook) == ["dead"])
    emit(hooks, "thing.two")
    found = hooks.ask("GET", f"/api/v1/webhooks/{webhook}", who=admin)
    assert (found[2]["active"], "410" in found[2]["stopped"]) == (False, True)
    tag = found[1]["etag"]
    change = hooks.ask("PATCH", f"/api/v1/webhooks/{webhook}", {"active": True}, who=admin, if_match=tag)
    assert (change[0], change[2]["stopped"]) == (200, "")
    emit(hooks, "thing.three")
    assert until(lambda: receiver.types() == ["thing.one", "thing.three"])
    remove(hooks, admin, webhook)


def test_what_its_person_may_not_see_at_the_time_of_delivery_is_withheld(
    hooks: Manners, admin: Any, receiver: Receiver
) -> None:
    service = hooks.people.somebody(hooks.ours, "operator", kind="service", name="hook")
    webhook, _ = add(hooks, admin, receiver.url, person=service.person)
    receiver.statuses = [500] * 4
    webhook_signing.WAITS_S, kept = (1.5,) * 3, webhook_signing.WAITS_S
    try:
        emit(hooks, "thing.secret", name="not any more")
        assert until(lambda: len(receiver.got) == 1)
        with hooks.people.owner() as db:
            db.execute("select clearway.revoke_role(%s, %s, 'operator')", (service.person, hooks.ours))
        assert until(lambda: states(hooks, admin, webhook) == ["withheld"])
    finally:
        webhook_signing.WAITS_S = kept
    assert len(receiver.got) == 1
    emit(hooks, "thing.secret", name="never")
    time.sleep(0.5)
    assert len(receiver.got) == 1
    remove(hooks, admin, webhook)


def test_a_webhook_never_works_with_somebody_elses_rights(
    hooks: Manners, admin: Any, receiver: Receiver
) -> None:
    foreign = hooks.people.somebody(hooks.theirs, "operator", kind="service", name="theirs")
    for body in (
        {"org": hooks.ours, "url": receiver.url, "person": hooks.other.person},
        {"org": hooks.ours, "url": receiver.url, "person": hooks.me.person},
        {"org": hooks.ours, "url": receiver.url, "person": foreign.person},
        {"org": hooks.theirs, "url": receiver.url},
        {"org": 99_999, "url": receiver.url},
    ):
        status, _, problem = hooks.ask("POST", "/api/v1/webhooks", body, who=admin)
        assert (status, problem["type"]) == (404, "urn:clearway:problem:not-found"), body


@pytest.mark.parametrize(
    "url",
    ["http://169.254.169.254/latest/meta-data", "http://[::1]/", "http://10.0.0.1/", "http://example.org/x",
     "https://0x7f000001/", "https://user:pass@example.org/", "ftp://example.org/", "file:///etc/passwd", "https://",
     "https://example.org/\nx", "https://" + "a" * 3000],
)  # fmt: skip
def test_an_address_that_messages_must_not_reach_is_refused(hooks: Manners, admin: Any, url: str) -> None:
    status, _, problem = hooks.ask("POST", "/api/v1/webhooks", {"org": hooks.ours, "url": url}, who=admin)
    assert (status, problem.get("where", "url")) == (400, "url"), problem


def test_webhooks_are_their_organisations_alone(hooks: Manners, admin: Any, receiver: Receiver) -> None:
    webhook, _ = add(hooks, admin, receiver.url)
    stranger = hooks.people.somebody(hooks.theirs, "administrator")
    assert hooks.ask("GET", "/api/v1/webhooks", who=stranger)[2]["items"] == []
    for method, path, body in (
        ("GET", "", None), ("PATCH", "", {"label": "x"}), ("DELETE", "", None), ("POST", "/secret", None),
        ("POST", "/test", None), ("GET", "/deliveries", None),
    ):  # fmt: skip
        status, _, problem = hooks.ask(
            method, f"/api/v1/webhooks/{webhook}{path}", body, who=stranger, if_match="*"
        )
        assert (status, problem["title"]) == (404, "Nothing of that name is here"), (method, path)
    assert hooks.ask("GET", f"/api/v1/webhooks/{webhook}", who=admin)[0] == 200
    remove(hooks, admin, webhook)


def test_each_act_on_a_webhook_is_on_the_log(hooks: Manners, admin: Any, receiver: Receiver) -> None:
    webhook, _ = add(hooks, admin, receiver.url)
    remove(hooks, admin, webhook)
    with hooks.people.owner() as db:
        acts = db.execute(
            "select act from clearway.log_entry where subject = %s order by 1", (f"webhook/{webhook}",)
        ).fetchall()
    assert [act for (act,) in acts] == ["webhook.added", "webhook.removed"]


def test_what_is_sent_is_read_by_its_person_and_that_is_on_the_log(
    hooks: Manners, admin: Any, receiver: Receiver
) -> None:
    webhook, _ = add(hooks, admin, receiver.url, kinds=["thing"])
    receiver.statuses = [500]
    emit(hooks, "thing.marked", name="x")
    emit(hooks, "thing.marked", name="y")
    emit(hooks, "thing.open", aud=1, name="z")
    assert until(lambda: len(receiver.got) == 4)
    with hooks.people.owner() as db:
        read = db.execute(
            """select e.actor = w.person, e.aud = %s, e.subject from clearway.log_entry e, clearway.webhook w
            where e.act = 'content.read' and w.webhook = %s
                and e.content like '%%"webhook/' || w.webhook || '"%%'""",
            (hooks.our_aud, webhook),
        ).fetchall()
    assert read == [(True, True, "list/events")]
    remove(hooks, admin, webhook)


def test_a_webhook_that_is_read_is_told_once_a_minute_and_credential(
    hooks: Manners, admin: Any, receiver: Receiver
) -> None:
    """However it is read: what was told already takes one round trip, and what was not a transaction."""
    webhook, _ = add(hooks, admin, receiver.url)
    other = hooks.people.somebody(hooks.ours, "administrator")
    told = "select actor from clearway.log_entry where act = 'content.read' and subject = %s order by entry"
    for who, upto in ((admin, 1), (admin, 1), (other, 2), (admin, 2), (other, 2)):
        status, _, found = hooks.ask("GET", f"/api/v1/webhooks/{webhook}", who=who)
        assert (status, found["webhook"], found["url"]) == (200, webhook, receiver.url)
        with hooks.people.owner() as db:
            actors = [actor for (actor,) in db.execute(told, (f"webhook/{webhook}",))]
        assert actors == [admin.person, other.person][:upto]
    status, _, changed = hooks.ask(
        "PATCH", f"/api/v1/webhooks/{webhook}", {"label": "new"}, who=admin, if_match="*"
    )
    assert status == 200
    assert hooks.ask("GET", f"/api/v1/webhooks/{webhook}", who=admin)[2] == changed
    remove(hooks, admin, webhook)
    for who in (admin, other):
        assert hooks.ask("GET", f"/api/v1/webhooks/{webhook}", who=who)[0] == 404


def test_fan_out_goes_on_where_it_was(
    hooks: Manners, admin: Any, receiver: Receiver, monkeypatch: Any
) -> None:
    monkeypatch.setattr(webhook_store, "FAN_OUT", 3)
    webhook, _ = add(hooks, admin, receiver.url)
    with hooks.people.owner() as db:
        for n in range(10):
            events.emit(db, "thing.many", f"thing/{n}", org=None, aud=0)
    assert until(lambda: len(receiver.got) == 10, 30), len(receiver.got)
    subjects = [json.loads(body)["data"]["subject"] for _, body in receiver.got]
    assert sorted(subjects) == sorted(f"thing/{n}" for n in range(10))
    remove(hooks, admin, webhook)


def test_a_message_goes_through_the_operators_proxy_in_a_tunnel(
    hooks: Manners, admin: Any, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    cert, key = certificate(tmp_path, "hooks.invalid")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    receiver.server.socket = context.wrap_socket(receiver.server.socket, server_side=True)
    monkeypatch.setenv("SSL_CERT_FILE", str(cert))
    with proxying() as proxy:
        proxy.routes["hooks.invalid"] = receiver.server.server_port
        monkeypatch.setenv(webhook_delivery.PROXY_VARIABLE, proxy.url)
        webhook, secret = add(hooks, admin, "https://hooks.invalid/hook", kinds=["thing"])
        emit(hooks, "thing.changed", name="x")
        assert until(lambda: len(receiver.got) == 1)
        headers, body = receiver.got[0]
        assert Verifier(secret).verify(body, headers)["type"] == "thing.changed"
        assert until(lambda: states(hooks, admin, webhook) == ["delivered"])
        # What tests before this one have left to be sent goes through it too.
        asked = [line for line in proxy.asked if "hooks.invalid" in line]
        assert asked == ["CONNECT hooks.invalid:443 HTTP/1.1"]
        assert b"thing.changed" not in proxy.seen
        remove(hooks, admin, webhook)
