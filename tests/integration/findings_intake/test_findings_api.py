"""The routes of findings, asked as everybody who may and may not."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest
from litestar.testing import TestClient

import kept_builds  # noqa: F401
from clearway.advisories.stored_records import StoredRecords
from clearway.advisories.table import TABLE_FILE
from clearway.app.server import build
from clearway.app.workspace import Workspace
from clearway.findings.desk_key import PublicKey
from clearway.findings.intake import at_desk, receipt, sealed
from clearway.findings.intake.readers import SMALL
from clearway.formats.reported import read_reports
from findings_world import Desk, Template
from people import Somebody
from report_documents import CANARY, PROOF, dump
from report_documents import own as whole

_COUNT = count()


def own(**changed: Any) -> dict[str, Any]:
    """A report that nobody has sent before."""
    return whole(**{"ids": [f"TEST-{next(_COUNT)}"], **changed})


class Api:
    """The application over the desk's home, asked by token."""

    def __init__(self, desk: Desk, client: TestClient[Any]) -> None:
        self.desk, self.client = desk, client

    def ask(self, who: Somebody | None, method: str, path: str, body: Any = None) -> Any:
        headers = {"authorization": f"Bearer {who.secret}"} if who else {}
        sent = {"content": body} if isinstance(body, bytes) else {"json": body}
        return self.client.request(method, f"/api/v1{path}", headers=headers, **sent)


@pytest.fixture(scope="module")
def desk(desk_template: Template, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """One desk for all tests of this file: each sends reports of its own."""
    for made, _ in desk_template.copy(tmp_path_factory.mktemp("api") / "home"):
        yield made


@pytest.fixture(scope="module")
def api(desk: Desk) -> Iterator[Api]:
    workspace = Workspace(desk.home, desk.people.url)
    app = build(desk.home / TABLE_FILE, StoredRecords(desk.people.url), workspace=workspace)
    with TestClient(app, base_url="http://clearway.local") as client:  # type: ignore[arg-type]
        yield Api(desk, client)


def test_a_report_is_sent_read_withdrawn_and_never_seen_by_others(api: Api, desk: Desk) -> None:
    data = dump(own())
    sent = api.ask(desk.finder, "POST", "/findings?filename=report.json", data)
    assert sent.status_code == 201, sent.text
    (taken,) = sent.json()["taken"]
    handling = taken["handling"]
    keys = [PublicKey(**k) for k in api.ask(None, "GET", "/findings/keys").json()["keys"]]
    assert receipt.verified(taken["receipt"].encode(), keys, data)[0].handling == handling
    assert api.ask(desk.finder, "POST", "/findings", data).status_code == 200

    one = api.ask(desk.finder, "GET", f"/findings/{handling}")
    assert one.json()["state"] == "queued"
    assert one.json()["missing"] == []
    assert CANARY not in one.text
    assert api.ask(desk.coordinator, "GET", f"/findings/{handling.lower()}").status_code == 200
    for stranger in (desk.rival, desk.maintainer, desk.operator):
        for path in ("", "/receipt", "/onward", f"/files/{one.json()['files'][0]['id']}"):
            assert api.ask(stranger, "GET", f"/findings/{handling}{path}").status_code == 404
        assert api.ask(stranger, "GET", "/findings").json()["items"] == []
    assert api.ask(None, "GET", f"/findings/{handling}").status_code == 401
    assert api.ask(desk.colleague, "POST", f"/findings/{handling}/withdraw", {}).status_code == 403

    gone = api.ask(desk.finder, "POST", f"/findings/{handling}/withdraw", {"why": "a mistake of ours"})
    assert gone.json()["state"] == "withdrawn"
    assert api.ask(desk.finder, "POST", f"/findings/{handling}/withdraw", {}).status_code == 409


def test_a_file_is_a_download_and_its_reading_is_on_the_log(api: Api, desk: Desk) -> None:
    handling = api.ask(desk.finder, "POST", "/findings", dump(own())).json()["taken"][0]["handling"]
    files = api.ask(desk.finder, "GET", f"/findings/{handling}").json()["files"]
    proof = next(f for f in files if f["kind"] == "input")
    answer = api.ask(desk.coordinator, "GET", f"/findings/{handling}/files/{proof['id']}")
    assert answer.content == PROOF
    assert answer.headers["content-disposition"].startswith("attachment;")
    assert answer.headers["content-type"] == "application/octet-stream"
    assert desk.acts()[-1] == "content.read"
    assert api.ask(desk.finder, "GET", f"/findings/{handling}/files/{len(files) + 1}").status_code == 404
    other = api.ask(desk.finder, "POST", "/findings", dump(own(title="Other"))).json()["taken"][0]["handling"]
    theirs = api.ask(desk.finder, "GET", f"/findings/{other}").json()["files"]
    beyond = max(f["id"] for f in theirs) + 1
    assert api.ask(desk.finder, "GET", f"/findings/{other}/files/{beyond}").status_code == 404


def test_what_one_reporter_sends_is_not_counted_by_the_numbers_of_another(api: Api, desk: Desk) -> None:
    """Files, validations, edges and what is said of public flaws: no number tells how much others have reported."""
    for title in ("One", "Two", "Three"):
        api.ask(desk.finder, "POST", "/findings", dump(own(title=title)))
    handling = api.ask(desk.finder, "POST", "/findings", dump(own(title="Mine"))).json()["taken"][0][
        "handling"
    ]
    files = api.ask(desk.finder, "GET", f"/findings/{handling}").json()["files"]
    assert [f["id"] for f in files] == list(range(1, len(files) + 1))
    more = dump({"files": [{"name": "again", "kind": "input", "data": "eyJhIjox"}]})
    api.ask(desk.finder, "POST", f"/findings/{handling}/supplement", more)
    now = api.ask(desk.finder, "GET", f"/findings/{handling}").json()["files"]
    assert [f["id"] for f in now] == list(range(1, len(now) + 1))
    assert now[: len(files)] == files  # a number stays where it is


def test_a_finding_and_a_list_of_them_are_read_on_the_log_by_whoever_reads_them(api: Api, desk: Desk) -> None:
    handling = api.ask(desk.finder, "POST", "/findings", dump(own())).json()["taken"][0]["handling"]

    def told() -> list[tuple[str, int]]:
        with desk.people.owner() as owner:
            return owner.execute(
                "select subject, actor from clearway.log_entry where act = 'content.read' order by entry"
            ).fetchall()

    for path, subject in {
        f"/findings/{handling}": f"finding/{handling}",
        "/findings?limit=1": "list/findings",
        "/findings.json?live=yes": "list/findings",
    }.items():
        before = told()
        for _ in range(2):
            assert api.ask(desk.coordinator, "GET", path).status_code == 200, path
        assert told()[len(before) :] == [(subject, desk.coordinator.person)], path
    before = told()
    for _ in range(2):
        assert api.ask(desk.coordinator, "GET", "/findings.csv").status_code == 200
    assert told()[len(before) :] == [("list/findings", desk.coordinator.person)] * 2


def test_what_is_missing_is_added_over_the_api(api: Api, desk: Desk) -> None:
    sent = api.ask(desk.finder, "POST", "/findings", dump(own(trace=[]))).json()["taken"][0]
    assert [m["gate"] for m in sent["missing"]] == ["trace"]
    more = api.ask(
        desk.finder, "POST", f"/findings/{sent['handling']}/supplement", dump({"trace": own()["trace"]})
    )
    assert (more.status_code, more.json()["state"]) == (200, "queued")
    bad = api.ask(desk.finder, "POST", f"/findings/{sent['handling']}/supplement", b"{")
    assert bad.status_code in (400, 409)


def test_provenance_goes_over_two_desks_byte_for_byte(api: Api, desk: Desk) -> None:
    block = b'{ "finders":[{"name":"\\u00c5sa"}],  "embargo": {"until":"2027-01-01T00:00:00Z"}, "n":1.50 }'
    data = dump(own()).replace(json.dumps(own()["provenance"]).encode(), block)
    for hops in (1, 2, 3):
        handling = api.ask(desk.finder, "POST", "/findings", data).json()["taken"][0]["handling"]
        data = api.ask(desk.coordinator, "GET", f"/findings/{handling}/onward").content
        (report,) = read_reports(data).reports
        assert report.provenance == block
        assert len(report.hops) == hops
        assert json.loads(report.hops[-1])["handling"] == handling
        assert PROOF in [f.data for f in report.files]


def test_a_broken_report_is_a_problem_that_quotes_nothing(api: Api, desk: Desk, caplog: Any) -> None:
    for body in (dump(own(severity=CANARY)), dump(own())[:-9], f"hello {CANARY}".encode()):
        answer = api.ask(desk.finder, "POST", "/findings", body)
        assert answer.status_code == 422 or answer.status_code == 400, answer.text
        assert CANARY not in answer.text
    assert api.ask(desk.finder, "POST", "/findings", b"").status_code in (400, 422)
    assert CANARY not in caplog.text


def test_more_reports_than_the_pace_allows_are_told_when_to_go_on(api: Api, desk: Desk) -> None:
    many = dump([own(title=f"Report {n}", cwe="x") for n in range(900)])
    quick = desk.people.somebody(desk.people.org("quick", "lab"), "finder")
    codes = [api.ask(quick, "POST", "/findings", many).status_code for _ in range(3)]
    assert codes == [200, 200, 429]
    answer = api.ask(quick, "POST", "/findings", many)
    assert int(answer.headers["retry-after"]) >= 1
    assert api.ask(desk.rival, "POST", "/findings", many).status_code == 200


def test_a_limit_is_set_by_its_receiver_and_confirmed_by_the_desk(api: Api, desk: Desk) -> None:
    wanted = {"ecosystem": "PyPI", "package": "limited", "per_reporter": 0, "note": "=cmd|' /C calc'!A0"}
    assert api.ask(desk.finder, "POST", "/findings/limits", wanted).status_code == 403
    made = api.ask(desk.maintainer, "POST", "/findings/limits", wanted)
    assert made.status_code == 201, made.text
    number = made.json()["id"]
    assert (
        api.ask(
            desk.maintainer, "POST", f"/findings/limits/{number}/confirmation", {"holds": True}
        ).status_code
        == 403
    )
    done = api.ask(desk.coordinator, "POST", f"/findings/limits/{number}/confirmation", {"holds": True})
    assert done.json()["limits"][0]["confirmed"]
    report = dump(own(affected={"purl": "pkg:pypi/limited@1.0"}))
    waits = api.ask(desk.finder, "POST", "/findings", report).json()["taken"][0]
    assert waits["state"] == "received"


def test_a_mark_is_appealed_and_does_not_count_meanwhile(api: Api, desk: Desk) -> None:
    marked = desk.people.somebody(desk.people.org("marked", "lab"), "finder")
    handling = api.ask(marked, "POST", "/findings", dump(own())).json()["taken"][0]["handling"]
    said = {"mark": "invalid", "why": "it is what the manual says"}
    assert api.ask(marked, "POST", f"/findings/{handling}/mark", said).status_code == 403
    assert api.ask(desk.coordinator, "POST", f"/findings/{handling}/mark", said).status_code == 200
    record = api.ask(marked, "GET", "/findings/record").json()
    assert (record["reported"], record["invalid"], record["appealed"]) == (1, 1, 0)
    appeal = api.ask(marked, "POST", f"/findings/{handling}/appeal", {"why": "the manual is wrong"})
    assert appeal.status_code == 201, appeal.text
    record = api.ask(desk.coordinator, "GET", "/findings/record?organisation=marked").json()
    assert (record["invalid"], record["appealed"]) == (0, 1)
    decision = {"outcome": "refused", "reason": "it is right"}
    path = f"/findings/appeals/{appeal.json()['id']}/decision"
    own_word = api.ask(desk.coordinator, "POST", path, decision)
    assert own_word.status_code == 403, "who gave the mark does not decide"
    other = desk.people.somebody(desk.people.house, "coordinator", name="Another")
    assert api.ask(other, "POST", path, decision).status_code == 200
    assert api.ask(marked, "GET", "/findings/record").json()["invalid"] == 1
    assert api.ask(marked, "POST", f"/findings/{handling}/appeal", {"why": "again"}).status_code == 409
    assert api.ask(desk.rival, "GET", "/findings/record?organisation=marked").status_code == 403


@pytest.mark.parametrize("asked", ["test=true", "live=false", "Mode=test", "mode=test&mode=live"])
def test_a_word_that_the_desk_does_not_know_makes_no_report(api: Api, desk: Desk, asked: str) -> None:
    data = dump(own(title=f"meant as a trial {asked}"))
    answer = api.ask(desk.finder, "POST", f"/findings?{asked}", data)
    assert answer.status_code == 400, answer.text
    assert f"query.{asked.partition('=')[0]}" in answer.text
    assert "trial" not in {
        i["title"][9:14] for i in api.ask(desk.coordinator, "GET", "/findings").json()["items"]
    }
    assert api.ask(desk.finder, "POST", "/findings?mode=test&filename=a.json", data).status_code == 201


def test_a_list_is_filtered_and_its_csv_runs_nothing(api: Api, desk: Desk) -> None:
    api.ask(
        desk.finder,
        "POST",
        "/findings",
        dump(own(title="=HYPERLINK(1)", affected={"purl": "pkg:pypi/listed@1.0"})),
    )
    api.ask(desk.finder, "POST", "/findings?mode=test", dump(own(title="trial")))
    items = api.ask(desk.coordinator, "GET", "/findings?live=yes&state=queued&package=listed").json()["items"]
    assert [i["title"] for i in items] == ["=HYPERLINK(1)"]
    table = api.ask(desk.coordinator, "GET", "/findings.csv").text
    assert "'=HYPERLINK(1)" in table


def test_a_large_report_finds_room_or_is_told_to_come_again_and_others_are_answered(
    api: Api, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow, large = (
        dump(own(files=[{"name": "core", "kind": "input", "text": "x" * SMALL}])) for _ in range(2)
    )
    begun, go_on = threading.Event(), threading.Event()
    real = at_desk.read_reports

    def read(data: bytes, **more: Any) -> Any:
        if data == slow:
            begun.set()
            assert go_on.wait(60)
        return real(data, **more)

    monkeypatch.setattr(at_desk, "read_reports", read)
    first: list[Any] = []
    reading = threading.Thread(target=lambda: first.append(api.ask(desk.finder, "POST", "/findings", slow)))
    reading.start()
    try:
        assert begun.wait(60)
        busy = api.ask(desk.finder, "POST", "/findings", large)
        assert (busy.status_code, busy.headers["retry-after"]) == (429, "2")
        assert "few at a time" in busy.json()["detail"]
        assert api.ask(desk.finder, "POST", "/findings", dump(own())).status_code == 201
        assert api.ask(desk.rival, "POST", "/findings", large).status_code == 201
        assert api.ask(desk.finder, "GET", "/me").status_code == 200
    finally:
        go_on.set()
        reading.join()
    assert first[0].status_code == 201
    assert api.ask(desk.finder, "POST", "/findings", large).status_code == 201


def test_a_report_is_read_in_no_transaction(api: Api, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []

    def looked(module: Any) -> None:
        real = module.read_reports

        def read(*data: Any, **more: Any) -> Any:
            with desk.owner() as db:
                row = db.execute(
                    "select count(*) from pg_stat_activity where datname = current_database() "
                    "and state like 'idle in transaction%%'"
                ).fetchone()
            seen.append(row[0] if row else -1)
            return real(*data, **more)

        monkeypatch.setattr(module, "read_reports", read)

    looked(at_desk)
    looked(sealed)
    (taken,) = api.ask(desk.finder, "POST", "/findings", dump(own(trace=[]))).json()["taken"]
    more = dump({"trace": whole()["trace"]})
    assert (
        api.ask(desk.finder, "POST", f"/findings/{taken['handling']}/supplement", more).json()["state"]
        == "queued"
    )
    assert api.ask(desk.finder, "GET", f"/findings/{taken['handling']}/onward").status_code == 200
    assert seen == [0, 0, 0]
