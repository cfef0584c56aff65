"""Text in a report is data on every surface: pages, terminal, CSV, JSON, errors, log, events, jobs."""

from __future__ import annotations

import argparse
import io
import logging
import re
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from browser.hostile import CORPUS
from clearway.findings import commands, kept
from clearway.findings.intake import submit
from clearway.store.principal import key_of
from findings_world import Desk, Template
from report_documents import CANARY, dump, own, vince
from site_client import Site, site

TAGS = re.compile(
    r"<(?:img|svg|script|iframe|object|a|math|style|input|details|body|video)\b[^>]*?(?:on\w+=|alert|javascript:)",
    re.I,
)


@pytest.fixture(scope="module")
def desk(desk_template: Template, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """One desk for all tests of this file."""
    for made, _ in desk_template.copy(tmp_path_factory.mktemp("hostile") / "home"):
        yield made


@pytest.fixture(scope="module")
def served(desk: Desk) -> Iterator[Site]:
    with site(desk.home, desk.people.url) as made:
        yield made


def everywhere(text: str) -> dict[str, Any]:
    """A report with `text` in each field that takes text."""
    short = text[:200]
    return own(
        title=short, description=text[:5_000], affected={"ecosystem": "PyPI", "name": short, "release": short[:100]},
        place={"file": short, "function": short}, ids=[short[:90]], references=[short],
        trace=[{"role": "source", "file": short, "what": text[:1_000]}],
        reproduction={"release": short[:100], "steps": text[:5_000]},
        ruled_out=[{"shape": "documented", "why": text[:1_000]}],
        provenance={"finders": [{"name": short}]}, files=[{"name": short, "text": text[:1_000]}],
    )  # fmt: skip


PAYLOADS = {name: text.replace("\0", "") for name, text in CORPUS.items()}


@pytest.fixture(scope="module")
def filled(desk: Desk) -> list[str]:
    """The handling ids of a finding for each payload."""
    with desk.acting(desk.finder) as db:
        made = submit.submit(db, desk.tools, desk.lab, dump([everywhere(text) for text in PAYLOADS.values()]))
    assert len(made.taken) == len(PAYLOADS), made.set_aside
    return [taken.handling for taken in made.taken]


def test_no_payload_becomes_markup_on_any_page(desk: Desk, served: Site, filled: list[str]) -> None:
    for who in (desk.finder, desk.coordinator):
        for path in ("/findings", *(f"/findings/{handling}" for handling in filled)):
            shown = served.page(who.cookie, path)
            assert not TAGS.search(shown), path


def test_no_payload_runs_in_a_spreadsheet_and_none_changes_the_json(
    desk: Desk, served: Site, filled: list[str]
) -> None:
    import csv

    table = served.api(desk.coordinator.secret, "GET", "/api/v1/findings.csv").content.decode()
    for row in list(csv.reader(io.StringIO(table)))[1:]:
        for cell in row:
            assert not cell.lstrip(" ").startswith(("=", "+", "-", "@", "\t", "\r", "＝", "＋")), cell
    items = served.api(desk.coordinator.secret, "GET", "/api/v1/findings?limit=200").json()["items"]
    assert {i["handling"] for i in items} >= set(filled)


def test_no_payload_reaches_a_terminal(
    desk: Desk, filled: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLEARWAY_TOKEN", desk.coordinator.secret)
    monkeypatch.setenv("CLEARWAY_DATABASE_URL", desk.people.url)
    parser = argparse.ArgumentParser()
    commands.add_commands(parser.add_subparsers())
    args = parser.parse_args(["finding", "status", *filled])
    args.home, args.quiet = desk.home, True
    out = io.StringIO()
    monkeypatch.setattr(sys, "stdout", out)
    assert args.func(args) == 0
    assert all(c.isprintable() or c == "\n" for c in out.getvalue())


def test_no_report_text_is_in_errors_logs_events_or_what_others_are_told(
    desk: Desk, served: Site, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    secret = desk.finder.secret
    bad = (
        dump(own(cwe=CANARY)), dump(own(files=[{"name": CANARY, "data": "!"}])),
        dump({**vince(), "attachments": CANARY}),
        dump(own())[:-3], b"Subject: x\n" + f"{CANARY}: ".encode() * 50_001, dump(own(affected={"purl": CANARY})),
        f'{{"{CANARY}":1,"{CANARY}":2}}'.encode(), dump([own(severity=CANARY)]),
    )  # fmt: skip
    for body in bad:
        answer = served.http.post(
            "/api/v1/findings", content=body, headers={"authorization": f"Bearer {secret}"}
        )
        assert answer.status_code < 500, answer.text
        assert CANARY not in answer.text
    good = dump(own())
    answer = served.http.post("/api/v1/findings", content=good, headers={"authorization": f"Bearer {secret}"})
    handling = answer.json()["taken"][0]["handling"]
    served.api(secret, "GET", f"/api/v1/findings/{handling}/onward")
    served.api(secret, "POST", f"/api/v1/findings/{handling}/withdraw", body={})
    assert CANARY not in caplog.text
    for who in (desk.finder, desk.coordinator):
        events = served.api(who.secret, "GET", "/api/v1/events").text
        assert handling in events
        assert CANARY not in events
        assert own()["title"] not in events
    assert handling not in served.api(desk.rival.secret, "GET", "/api/v1/events").text
    with desk.owner() as db:
        for table in ("log_entry", "event", "procrastinate_jobs", "job_failure", "search_doc"):
            schema = "clearway_jobs" if table.startswith("procrastinate") else "clearway"
            for text in (CANARY, own()["title"]):
                row = db.execute(
                    f"select count(*) from {schema}.{table} t where t::text like %s", (f"%{text}%",)
                ).fetchone()
                assert row == (0,), table


def test_a_backup_of_the_database_opens_no_report(desk: Desk) -> None:
    with desk.acting(desk.finder) as db:
        submit.submit(db, desk.tools, desk.lab, dump([own(), own(title="another")]))
    with desk.owner() as db:
        sealed = [bytes(row[0]) for row in db.execute("select sealed from clearway.artefact")]
        sealed += [
            bytes(r[0]) for r in db.execute("select sealed from clearway.submission where sealed is not null")
        ]
    assert len(sealed) >= 7
    for one in sealed:
        assert one.startswith(b"CWV1")
        assert CANARY.encode() not in one


def test_many_who_send_one_report_at_once_make_one_finding(desk: Desk) -> None:
    data = dump(own(title="sent eight times"))

    def send(n: int) -> str:
        with desk.people.pool.acting(key_of(desk.finder.secret)) as db:
            return submit.submit(db, desk.tools, desk.lab, data).taken[0].handling

    with ThreadPoolExecutor(4) as threads:
        handlings = set(threads.map(send, range(8)))
    assert len(handlings) == 1
    with desk.owner() as db:
        row = db.execute("select count(*) from clearway.finding where title = 'sent eight times'").fetchone()
        assert row == (1,)
        assert kept.one(db, handlings.pop()).state == "queued"


def test_a_lie_about_state_or_level_by_sql_is_refused(desk: Desk) -> None:
    from clearway.records.errors import ClearwayError

    made = desk.finding()
    for statement in (
        "update clearway.finding set state = 'closed' where finding = %s",
        "update clearway.finding set level = 6 where finding = %s",
        "update clearway.finding set aud = 0 where finding = %s",
        "update clearway.finding set live = false where finding = %s",
        "delete from clearway.finding where finding = %s",
        "insert into clearway.finding_mark (finding, org, aud, mark, why) "
        "select finding, org, aud, 'valid', 'x' from clearway.finding where finding = %s",
        "insert into clearway.artefact (finding, org, aud, kind, bytes, sha256, sealed) "
        "select finding, org, aud, 'statement', 0, digest, '' from clearway.finding where finding = %s",
        "update clearway.finding_receipt set envelope = 'x' where finding = %s",
        "select clearway.level_finding(%s, 6, 'x')",
        "select clearway.locked_finding(%s)",
    ):
        with pytest.raises(ClearwayError), desk.acting(desk.finder) as db:
            db.execute(statement, (made.id,))


def test_the_files_of_a_trial_folder_are_the_owners_alone(desk: Desk) -> None:
    with desk.acting(desk.finder) as db:
        submit.submit(db, desk.tools, desk.lab, dump(own()), live=False)
    for path in (desk.home / "vault").rglob("*"):
        assert Path(path).stat().st_mode & 0o077 == 0
