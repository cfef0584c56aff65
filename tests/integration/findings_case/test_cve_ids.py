"""CVE ids: reserved and published at a server that speaks as CVE Services do; and contacts fetched from one."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from clearway.findings.case import cve_id, kept, release, tasks
from clearway.findings.case import settings as setting
from clearway.findings.case.kept import Case
from clearway.http.outbound import Client, Networks
from clearway.records.clock import SystemClock
from clearway.records.errors import (
    ClearwayError,
    ConfigError,
    ConflictError,
    ForbiddenError,
    InputError,
    IntegrityError,
    UpstreamError,
)
from clearway.store.jobs_retry import Retry
from findings_case_world import SETTINGS, Cases

ORG = "11111111-2222-4333-8444-555555555555"


class Services(ThreadingHTTPServer):
    """Reserves and publishes; `asked` is what it was asked, `answers` what it says instead, first."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[tuple[str, dict[str, str], Any]] = []
        self.answers: list[tuple[int, bytes]] = []
        self.published: dict[str, Any] = {}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/api"


class Handler(BaseHTTPRequestHandler):
    server: Services

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])) or b"{}")
        self.server.asked.append((self.path, dict(self.headers), body))
        if self.server.answers:
            status, said = self.server.answers.pop(0)
        elif self.headers.get("CVE-API-KEY") != "secret-key":
            status, said = 401, b'{"error":"UNAUTHORIZED"}'
        elif self.path.startswith("/api/cve-id?"):
            number = f"CVE-2026-{10_000 + len(self.server.asked)}"
            status, said = 200, json.dumps({"cve_ids": [{"cve_id": number, "state": "RESERVED"}]}).encode()
        else:
            cve = self.path.split("/")[3]
            known = cve in self.server.published
            self.server.published.setdefault(cve, body["cnaContainer"])
            status, said = (
                (403, b'{"error":"CVE_RECORD_EXISTS"}') if known else (200, b'{"message":"created"}')
            )
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def do_PUT(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.asked.append((self.path, dict(self.headers), body))
        self.server.published[self.path.split("/")[3]] = body["cnaContainer"]
        self.send_response(200)
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: Any) -> None: ...


@pytest.fixture
def services() -> Iterator[Services]:
    made = Services()
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield made
    finally:
        made.shutdown()
        made.server_close()
        thread.join()


@pytest.fixture
def found(cases: Cases, services: Services) -> Iterator[setting.Settings]:
    path = cases.desk.home / "cases.toml"
    path.write_text(
        f'{SETTINGS}allow = "127.0.0.0/8"\n[cna]\nurl = "{services.url}"\norg = "example"\norg_id = "{ORG}"\n'
        'user = "bot@example.org"\nkey_file = "cna.key"\n'
    )
    (cases.desk.home / "cna.key").write_text("secret-key\n")
    yield setting.read(cases.desk.home)
    path.write_text(SETTINGS)


@pytest.fixture
def client() -> Iterator[Client]:
    with Client(Networks.parse("127.0.0.0/8")) as made:
        yield made


def test_an_id_is_asked_for_reserved_and_published_with_the_case(
    cases: Cases, services: Services, found: setting.Settings, client: Client
) -> None:
    case = cases.opened()
    cases.drafted(case)
    with cases.acting() as db:
        assert cve_id.ask(db, case, cases.desk.home).cve_state == "requested"
    with pytest.raises(ConflictError), cases.acting() as db:
        cve_id.ask(db, cases.again(case), cases.desk.home)
    given = tasks.reserve(cases.desk.owner, client, found, case.id, SystemClock())
    path, headers, _ = services.asked[-1]
    assert (
        path
        == f"/api/cve-id?amount=1&batch_type=sequential&cve_year={datetime.now(UTC).year}&short_name=example"
    )
    assert (headers["cve-api-org"], headers["cve-api-user"]) == ("example", "bot@example.org")
    assert cases.again(case).cve == given
    assert tasks.reserve(cases.desk.owner, client, found, case.id, SystemClock()) == "", "once is enough"
    assert tasks.tell_cna(cases.desk.owner, client, found, cases.desk.home) == 0, (
        "nothing before it is public"
    )
    with cases.acting() as db:
        release.release(
            db, cases.desk.vault, cases.again(case), cases.desk.home, "out", now=datetime.now(UTC)
        )
    release.publish(cases.desk.owner, cases.world.url, cases.world.home, case.id, SystemClock())
    assert tasks.tell_cna(cases.desk.owner, client, found, cases.desk.home) == 1
    container = services.published[given]
    assert container["providerMetadata"]["orgId"] == ORG
    with cases.desk.acting(None) as db:
        record = json.loads(release.document(db, case.handling, "cve"))
    assert record["containers"]["cna"] == container, "what is published there is what is published here"
    assert cases.again(case).cve_state == "published"
    assert tasks.tell_cna(cases.desk.owner, client, found, cases.desk.home) == 0


def test_a_record_that_is_there_already_is_replaced(
    services: Services, found: setting.Settings, client: Client
) -> None:
    assert found.cna is not None
    cve_id.publish(client, found.cna, "CVE-2026-1111", {"title": "first"})
    cve_id.publish(client, found.cna, "CVE-2026-1111", {"title": "again"})
    assert services.published["CVE-2026-1111"] == {"title": "again"}


def out(cases: Cases, case: Case) -> None:
    """Released, or its newest draft as a revision; and published."""
    with cases.acting() as db:
        one, now = kept.by_id(db, case.id), datetime.now(UTC)
        if one.published is None:
            release.release(db, cases.desk.vault, one, cases.desk.home, "out", now=now)
        else:
            release.update(db, cases.desk.vault, one, cases.desk.home, now=now)
    release.publish(cases.desk.owner, cases.world.url, cases.world.home, case.id, SystemClock())


def test_a_record_that_the_authority_refuses_keeps_no_other_from_it_and_is_named_at_its_case(
    cases: Cases, services: Services, found: setting.Settings, client: Client
) -> None:
    both = [cases.opened(), cases.opened()]
    for case, cve in zip(both, ("CVE-2026-90001", "CVE-2026-90002"), strict=True):
        cases.drafted(case)
        with cases.acting() as db:
            cve_id.assign(db, kept.by_id(db, case.id), cve)
        out(cases, case)
    services.answers = [(400, b'{"error":"BAD_JSON"}')]
    with pytest.raises(ConfigError, match="BAD_JSON"):
        tasks.tell_cna(cases.desk.owner, client, found, cases.desk.home)
    assert [cases.again(c).cve_state for c in both] == ["reserved", "published"]
    assert "BAD_JSON" in cases.again(both[0]).cve_problem
    assert tasks.tell_cna(cases.desk.owner, client, found, cases.desk.home) == 1
    assert [cases.again(c).cve_problem for c in both] == ["", ""]


def test_a_revision_goes_to_the_authority_too(
    cases: Cases, services: Services, found: setting.Settings, client: Client
) -> None:
    case = cases.opened()
    cases.drafted(case)
    with cases.acting() as db:
        cve_id.assign(db, kept.by_id(db, case.id), "CVE-2026-90003")
    out(cases, case)
    assert tasks.tell_cna(cases.desk.owner, client, found, cases.desk.home) == 1
    cases.drafted(case, title="A better title")
    assert tasks.tell_cna(cases.desk.owner, client, found, cases.desk.home) == 0, "it is not published yet"
    out(cases, case)
    assert tasks.tell_cna(cases.desk.owner, client, found, cases.desk.home) == 1
    assert services.published["CVE-2026-90003"]["title"] == "A better title"
    assert tasks.tell_cna(cases.desk.owner, client, found, cases.desk.home) == 0


def test_without_an_authority_no_id_is_asked_for_and_one_may_still_be_noted(cases: Cases) -> None:
    case = cases.opened()
    with pytest.raises(ConfigError, match="no numbering authority"), cases.acting() as db:
        cve_id.ask(db, case, cases.desk.home)
    assert cases.again(case).cve_state == ""
    with cases.acting() as db:
        assert cve_id.assign(db, case, "CVE-2026-90004").cve_state == "reserved"


def test_an_answer_without_an_id_is_asked_for_once_and_a_person_goes_on(
    cases: Cases, services: Services, found: setting.Settings, client: Client
) -> None:
    case = cases.opened()
    with cases.acting() as db:
        cve_id.ask(db, case, cases.desk.home)
    services.answers = [(200, b"{}")]
    with pytest.raises(ClearwayError) as told:
        tasks.reserve(cases.desk.owner, client, found, case.id, SystemClock())
    again = Retry(attempts=12).next(1, told.value, datetime.now(UTC))
    assert again is None, "asking again would reserve another"
    assert "names no CVE id" in cases.again(case).cve_problem
    with cases.acting() as db:
        noted = cve_id.assign(db, kept.by_id(db, case.id), "CVE-2026-90005")
    assert (noted.cve, noted.cve_state, noted.cve_problem) == ("CVE-2026-90005", "reserved", "")


def test_one_cve_id_is_of_one_case(cases: Cases) -> None:
    first, second = cases.opened(), cases.opened()
    with cases.acting() as db:
        cve_id.assign(db, first, "CVE-2026-90006")
    with pytest.raises(ConflictError, match="another case") as told, cases.acting() as db:
        cve_id.assign(db, second, "CVE-2026-90006")
    assert told.value.where == f"case/{first.handling}"
    with cases.acting() as db:
        kept.close(db, kept.by_id(db, first.id), "it is the other one")
    with cases.acting() as db:
        assert cve_id.assign(db, second, "CVE-2026-90006").cve == "CVE-2026-90006"


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ((500, b"oops"), UpstreamError),
        ((429, b"{}"), UpstreamError),
        ((401, b'{"error":"UNAUTHORIZED"}'), ConfigError),
        ((200, b"no json"), IntegrityError),
        ((200, b'{"cve_ids":[]}'), IntegrityError),
        ((200, b'{"cve_ids":[{"cve_id":"CVE-1; drop"}]}'), IntegrityError),
        ((200, b'{"cve_ids":' + b"[" * 2_000), IntegrityError),
    ],
)  # fmt: skip
def test_an_answer_that_gives_no_id_is_none(
    services: Services, found: setting.Settings, client: Client, answer: Any, error: Any
) -> None:
    assert found.cna is not None
    services.answers = [answer]
    with pytest.raises(error):
        cve_id.reserve(client, found.cna, 2026)


def test_an_id_from_elsewhere_is_noted_by_a_coordinator(cases: Cases) -> None:
    case = cases.opened()
    with pytest.raises(InputError), cases.acting() as db:
        cve_id.assign(db, case, "CVE-26-1")
    with pytest.raises(ForbiddenError), cases.acting(cases.desk.finder) as db:
        cve_id.assign(db, case, "CVE-2026-7777")
    with cases.acting() as db:
        assert cve_id.assign(db, case, " cve-2026-7777 ").cve == "CVE-2026-7777"
    with pytest.raises(ConflictError), cases.acting() as db:
        cve_id.assign(db, kept.by_id(db, case.id), "CVE-2026-8888")


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "can't be used"),
        ('name = "x"\nnamespace = "nonsense"\n', "none"),
        ("name = [", "can't be used"),
        (
            f'{SETTINGS}[cna]\nurl = "https://x.org"\norg = "x"\norg_id = "no uuid"\nuser = "u"\nkey = "k"\n',
            "lacks",
        ),
        (f'{SETTINGS}[cna]\nurl = "https://x.org"\norg = "x"\norg_id = "{ORG}"\nuser = "u"\n', "lacks"),
        (f"{SETTINGS}surprise = 1\n", "can't be used"),
    ],
)
def test_settings_that_are_wrong_say_so(cases: Cases, text: str, what: str) -> None:
    path = cases.desk.home / "cases.toml"
    path.write_text(text)
    try:
        with pytest.raises(ConfigError, match=what):
            setting.read(cases.desk.home)
    finally:
        path.write_text(SETTINGS)


def test_the_key_is_in_no_text_of_the_settings(found: setting.Settings) -> None:
    assert "secret-key" not in repr(found)
