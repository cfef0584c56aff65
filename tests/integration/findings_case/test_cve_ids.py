"""CVE ids: reserved and published at a server that speaks as CVE Services do; and contacts fetched from one."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from clearway.access import embargo
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
from clearway.store.connect import translated
from clearway.store.jobs_retry import Retry
from findings_case_world import SETTINGS, Cases
from intake_world import kev, osv, write

THIS_YEAR = datetime.now(UTC).year
ORG = "11111111-2222-4333-8444-555555555555"


class Services(ThreadingHTTPServer):
    """Reserves and publishes; `asked` is what it was asked, `answers` what it says instead, first."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[tuple[str, dict[str, str], Any]] = []
        self.answers: list[tuple[int, bytes]] = []
        self.published: dict[str, Any] = {}
        self.gives = ""  # the id that each reservation gets; "" for a new one each

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
            number = self.server.gives or f"CVE-{datetime.now(UTC).year}-{10_000 + len(self.server.asked)}"
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

    def do_GET(self) -> None:
        self.server.asked.append((self.path, dict(self.headers), None))
        record = {"cveMetadata": {}, "containers": {"cna": self.server.published[self.path.split("/")[3]]}}
        said = json.dumps(record).encode()
        self.send_response(200)
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


def test_a_record_of_ours_that_is_there_already_is_replaced(
    services: Services, found: setting.Settings, client: Client
) -> None:
    assert found.cna is not None
    ours = {"source": {"advisory": "CWC-7Q4K-9M2X"}}
    cve_id.publish(client, found.cna, "CVE-2026-1111", {"title": "first", **ours})
    cve_id.publish(client, found.cna, "CVE-2026-1111", {"title": "again", **ours})
    assert services.published["CVE-2026-1111"] == {"title": "again", **ours}


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
    with pytest.raises(ConflictError, match="no numbering authority"), cases.acting() as db:
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


def asked(cases: Cases) -> Case:
    case = cases.opened()
    with cases.acting() as db:
        return cve_id.ask(db, case, cases.desk.home)


def test_an_id_that_the_authority_gives_twice_is_of_the_first_case_alone(
    cases: Cases, services: Services, found: setting.Settings, client: Client
) -> None:
    services.gives = f"CVE-{THIS_YEAR}-77777"
    first, second = asked(cases), asked(cases)
    assert tasks.reserve(cases.desk.owner, client, found, first.id, SystemClock()) == services.gives
    with pytest.raises(IntegrityError, match="another case") as told:
        tasks.reserve(cases.desk.owner, client, found, second.id, SystemClock())
    assert Retry(attempts=12).next(1, told.value, datetime.now(UTC)) is None, "it would reserve another"
    waits = cases.again(second)
    assert (waits.cve, waits.cve_state) == ("", "requested")
    assert first.handling in waits.cve_problem
    with cases.desk.owner() as db:
        assert embargo.one(db, waits.embargo).flaws == ()
    services.gives = ""
    with cases.acting() as db:
        assert cve_id.ask(db, waits, cases.desk.home).cve_problem == ""
    given = tasks.reserve(cases.desk.owner, client, found, second.id, SystemClock())
    assert cases.again(second).cve == given


def test_an_id_that_is_public_or_in_kev_is_none_that_an_authority_gives_now(
    cases: Cases, services: Services, found: setting.Settings, client: Client, tmp_path: Path
) -> None:
    listed, known, alias = (f"CVE-{THIS_YEAR}-{n}" for n in (70001, 70002, 70003))
    cases.world.take(write(tmp_path / "known_exploited_vulnerabilities.json", kev("2026.11.24", listed)))
    cases.world.take(write(tmp_path / "a.json", osv(known)))
    cases.world.take(write(tmp_path / "b.json", osv("GHSA-abcd-efgh-2345", aliases=[alias])))
    for cve, words in (
        (listed, "listed as exploited: cisa-kev"),
        (known, "public"),
        (alias, "GHSA-abcd-efgh-2345"),
    ):
        case = asked(cases)
        services.gives = cve
        with pytest.raises(IntegrityError, match="public already"):
            tasks.reserve(cases.desk.owner, client, found, case.id, SystemClock())
        waits = cases.again(case)
        assert (waits.cve, waits.cve_state) == ("", "requested")
        assert words in waits.cve_problem


def test_an_id_that_is_public_is_noted_by_hand_when_somebody_is_sure(cases: Cases, tmp_path: Path) -> None:
    listed = "CVE-2021-44228"
    cases.world.take(write(tmp_path / "known_exploited_vulnerabilities.json", kev("2026.11.25", listed)))
    case = cases.opened()
    with pytest.raises(InputError, match="listed as exploited") as told, cases.acting() as db:
        cve_id.assign(db, case, listed)
    assert told.value.where == "sure"
    assert cases.again(case).cve == ""
    with cases.acting() as db:
        assert cve_id.assign(db, case, listed, sure=True).cve == listed
    other = cases.opened()
    with pytest.raises(ConflictError, match="another case"), cases.acting() as db:
        cve_id.assign(db, other, listed, sure=True)


def test_a_record_that_is_marked_is_told_to_no_coordinator_as_public(cases: Cases, tmp_path: Path) -> None:
    cve = "CVE-2026-70004"
    cases.world.take(write(tmp_path / "a.json", osv(cve)))
    cases.world.sql("update clearway.record set tlp = 'AMBER' where id = %s returning 1", cve)
    with cases.acting() as db:
        assert cve_id.assign(db, cases.opened(), cve).cve == cve


def test_an_id_of_another_year_than_was_asked_for_is_none(
    cases: Cases, services: Services, found: setting.Settings, client: Client
) -> None:
    case = asked(cases)
    services.gives = "CVE-1999-0001"
    with pytest.raises(IntegrityError, match=f"asked for one of {THIS_YEAR}"):
        tasks.reserve(cases.desk.owner, client, found, case.id, SystemClock())
    waits = cases.again(case)
    assert (waits.cve, waits.cve_state) == ("", "requested")
    assert "CVE-1999-0001" in waits.cve_problem


def test_the_database_holds_that_one_id_is_of_one_case(cases: Cases) -> None:
    first, second = cases.opened(), cases.opened()
    with cases.acting() as db:
        cve_id.assign(db, first, "CVE-2026-90010")
    with pytest.raises(ConflictError), translated(), cases.acting() as db:
        db.execute(
            "update clearway.desk_case set cve = 'CVE-2026-90010', cve_state = 'reserved' where case_id = %s",
            (second.id,),
        )
    with pytest.raises(ForbiddenError), cases.acting(cases.desk.finder) as db:
        db.execute("select * from clearway.cve_elsewhere(%s, 'CVE-2026-90010')", (first.id,))


def test_opened_again_a_case_leaves_its_id_to_the_case_that_has_it_meanwhile(cases: Cases) -> None:
    first, second = cases.opened(), cases.opened()
    with cases.acting() as db:
        cve_id.assign(db, first, "CVE-2026-90011")
    with cases.acting() as db:
        kept.close(db, kept.by_id(db, first.id), "it is another one")
    with cases.acting() as db:
        cve_id.assign(db, second, "CVE-2026-90011")
    with cases.acting() as db:
        again = kept.reopen(db, kept.by_id(db, first.id), "it is this one after all")
        assert (again.cve, again.cve_state) == ("", "")
        assert second.handling in again.cve_problem
        assert embargo.one(db, again.embargo).flaws == ()
    third = cases.opened()
    with cases.acting() as db:
        cve_id.assign(db, third, "CVE-2026-90012")
    with cases.acting() as db:
        kept.close(db, kept.by_id(db, third.id), "waits")
    with cases.acting() as db:
        assert kept.reopen(db, kept.by_id(db, third.id), "goes on").cve == "CVE-2026-90012"


def test_an_id_comes_after_the_embargo_too(cases: Cases) -> None:
    case = cases.opened()
    cases.drafted(case)
    out(cases, case)
    with cases.acting() as db:
        assert cve_id.assign(db, kept.by_id(db, case.id), "CVE-2026-90013").cve == "CVE-2026-90013"


def test_a_record_of_anothers_at_the_authority_is_left_as_it_is(
    cases: Cases, services: Services, found: setting.Settings, client: Client
) -> None:
    case = cases.opened()
    cases.drafted(case)
    with cases.acting() as db:
        cve_id.assign(db, case, "CVE-2026-90014")
    out(cases, case)
    for theirs in (
        {"title": "another flaw", "source": {"advisory": "EX-1"}},
        {"title": "x", "source": "CWC"},
        {"title": "x", "source": {"advisory": [case.handling]}},
    ):
        services.published["CVE-2026-90014"] = theirs
        with pytest.raises(ConflictError, match="not of this case"):
            tasks.tell_cna(cases.desk.owner, client, found, cases.desk.home)
        assert services.published["CVE-2026-90014"] == theirs
    after = cases.again(case)
    assert after.cve_state == "reserved"
    assert "not of this case" in after.cve_problem


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
