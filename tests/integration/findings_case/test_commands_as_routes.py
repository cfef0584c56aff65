"""What routes do of findings the commands do too: on one home that is served, each sees what the other did."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from clearway.app import cli
from clearway.findings import artefact, kept
from clearway.findings.artefact import File
from clearway.findings.intake import commands_marks, record, submit
from findings_case_world import Cases
from findings_dedup_world import fired
from people import Somebody
from report_documents import dump, own
from site_client import Site, site

Say = Callable[..., Any]


@pytest.fixture(scope="module")
def served(cases: Cases) -> Iterator[Site]:
    with site(cases.desk.home, cases.world.url) as made:
        yield made


@pytest.fixture
def say(cases: Cases, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Say:
    """Runs a command as somebody: what it printed, as JSON unless `code` is another than 0, or `raw`."""
    monkeypatch.setenv("CLEARWAY_DATABASE_URL", cases.world.url)

    def run(who: Somebody, *words: object, code: int = 0, raw: bool = False) -> Any:
        monkeypatch.setenv("CLEARWAY_TOKEN", who.secret)
        capfd.readouterr()
        given = ["--home", str(cases.desk.home), "finding", *map(str, words)]
        assert cli.main(given if raw else [*given, "--json"]) == code
        said = capfd.readouterr()
        return said.err if code else said.out if raw else json.loads(said.out)

    return run


def api(served: Site, who: Somebody, path: str) -> Any:
    return served.api(who.secret, "GET", f"/api/v1{path}").json()


def submitted(cases: Cases, **facts: Any) -> kept.Finding:
    desk = cases.desk
    with desk.acting(desk.finder) as db:
        done = submit.submit(db, desk.tools, desk.lab, dump(own(**facts)))
        return kept.one(db, done.taken[0].handling)


def test_a_mark_is_given_appealed_and_decided_by_another(cases: Cases, served: Site, say: Say) -> None:
    desk = cases.desk
    finding = desk.finding(state="queued")
    other = desk.people.somebody(cases.house, "coordinator")
    given = say(desk.coordinator, "mark", finding.handling, "invalid", "--why", "it is meant so")
    assert (given["mark"], given["counts"]) == ("invalid", True)
    number = say(desk.finder, "appeal", finding.handling, "--why", "it is not")["id"]
    say(desk.coordinator, "decide", number, "granted", "--why", "I was right", code=5)
    say(other, "decide", number, "granted", "--why", "it is a flaw")
    told = api(served, desk.finder, f"/findings/{finding.handling}")["mark"]
    assert (told["counts"], told["appeals"][0]["outcome"]) == (False, "granted")
    say(desk.rival, "mark", finding.handling, "valid", "--why", "mine", code=6)
    say(desk.finder, "mark", finding.handling, "valid", "--why", "mine", code=5)


def test_a_record_is_ones_own_or_for_the_desk_anybodys(cases: Cases, served: Site, say: Say) -> None:
    desk = cases.desk
    assert say(desk.finder, "record") == api(served, desk.finder, "/findings/record")
    assert say(desk.coordinator, "record", "--org", "lab") == api(
        served, desk.coordinator, "/findings/record?organisation=lab"
    )
    say(desk.finder, "record", "--org", "rival", code=5)
    assert "under appeal" in say(desk.finder, "record", raw=True)


def test_a_limit_is_set_confirmed_and_ended(cases: Cases, served: Site, say: Say) -> None:
    desk = cases.desk
    made = say(desk.maintainer, "limit", "set", "busy", "--ecosystem", "PyPI", "--per-week", "3")
    assert (made["per_week"], made["confirmed"]) == (3, None)
    assert "(not confirmed)" in say(desk.finder, "limit", "list", raw=True)
    say(desk.maintainer, "limit", "confirm", made["id"], code=5)
    say(desk.coordinator, "limit", "confirm", made["id"])
    (standing,) = [x for x in api(served, desk.finder, "/findings/limits")["limits"] if x["id"] == made["id"]]
    assert standing["confirmed"] is not None
    assert say(desk.finder, "limit", "list") == api(served, desk.finder, "/findings/limits")
    say(desk.finder, "limit", "end", made["id"], code=5)
    left = say(desk.maintainer, "limit", "end", made["id"])["limits"]
    assert made["id"] not in {x["id"] for x in left}
    refused = say(desk.maintainer, "limit", "set", "others", "--min-level", "2")["id"]
    say(desk.coordinator, "limit", "confirm", refused, "--refuse")
    assert refused not in {x["id"] for x in api(served, desk.finder, "/findings/limits")["limits"]}
    say(desk.maintainer, "limit", "set", "busy", "--per-week", "100001", code=2)


def test_files_are_listed_and_read_byte_for_byte(
    cases: Cases, served: Site, say: Say, tmp_path: Path
) -> None:
    desk = cases.desk
    finding = desk.finding(state="queued")
    with desk.owner() as db:
        kept_file = artefact.add(
            db, desk.vault, finding, File(kind="log", data=b"\x1b[2J\x00\xff", name="../x")
        )
    (one,) = say(desk.finder, "files", finding.handling)["files"]
    assert (one["id"], one["bytes"], one["sha256"]) == (kept_file.id, 6, kept_file.sha256)
    out = tmp_path / "read"
    say(desk.finder, "files", finding.handling, kept_file.id, "--out", out)
    assert out.read_bytes() == b"\x1b[2J\x00\xff"
    assert out.stat().st_mode & 0o777 == 0o600
    path = f"/api/v1/findings/{finding.handling}/files/{kept_file.id}"
    assert served.api(desk.finder.secret, "GET", path).content == out.read_bytes()
    say(desk.finder, "files", finding.handling, kept_file.id, "--out", out, code=7)
    say(desk.rival, "files", finding.handling, code=6)
    other = desk.finding()
    say(desk.finder, "files", other.handling, kept_file.id, code=6)


def test_reported_bytes_are_not_written_to_a_terminal(
    cases: Cases, say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    desk = cases.desk
    finding = desk.finding(state="queued")
    with desk.owner() as db:
        kept_file = artefact.add(db, desk.vault, finding, File(kind="log", data=b"\x1b[2J", name="x"))
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    told = say(desk.finder, "files", finding.handling, kept_file.number, code=2)
    assert "--out" in told
    assert "\x1b[2J" not in told


def test_what_is_handed_on_is_the_same_document(cases: Cases, served: Site, say: Say, tmp_path: Path) -> None:
    desk = cases.desk
    finding = submitted(cases)
    found = say(desk.finder, "onward", finding.handling)
    assert found == api(served, desk.finder, f"/findings/{finding.handling}/onward")
    out = tmp_path / "onward.json"
    say(desk.finder, "onward", finding.handling, "--out", out, raw=True)
    assert json.loads(out.read_bytes()) == found
    say(desk.rival, "onward", finding.handling, code=6)


def test_which_public_flaw_it_is_is_said_and_taken_back(cases: Cases, served: Site, say: Say) -> None:
    desk = cases.desk
    finding = desk.finding(state="queued")
    asked = ("known", finding.handling, "--is", "CVE-2026-0777", "--fixed", "1.2.3", "--why", "same")
    say(desk.coordinator, *asked, code=10)
    said = say(desk.coordinator, *asked, "--sure")
    (one,) = said["known"]
    assert (one["flaw"], one["fixed"]) == ("CVE-2026-0777", ["1.2.3"])
    assert api(served, desk.coordinator, f"/findings/{finding.handling}/duplicates")["known"] == said["known"]
    # Its number goes through what is said of all findings: a reporter is told none.
    told = [{**one, "id": None}]
    assert api(served, desk.finder, f"/findings/{finding.handling}/duplicates")["known"] == told
    assert say(desk.finder, "known", finding.handling)["known"] == told
    assert "CVE-2026-0777" in say(desk.finder, "known", finding.handling, raw=True)
    say(desk.coordinator, "known", finding.handling, "--is", "CVE-2026-0778", code=2)
    say(desk.finder, "known", finding.handling, "--take-back", one["id"], "--why", "no", code=5)
    back = say(desk.coordinator, "known", finding.handling, "--take-back", one["id"], "--why", "another")
    assert back["known"][0]["revoked"] is not None
    assert say(desk.finder, "known", desk.finding().handling, raw=True).startswith("no public flaw")


def test_two_are_kept_apart_and_an_edge_is_revoked(cases: Cases, served: Site, say: Say) -> None:
    desk = cases.desk
    one, other = desk.finding(state="queued"), desk.finding(desk.rival, state="queued")
    act = say(desk.coordinator, "apart", one.handling, other.handling, "--why", "two loops")["act"]
    assert f"act {act}" in say(desk.coordinator, "duplicates", one.handling, raw=True)
    from clearway.findings.dedup import edge

    with desk.owner() as db:
        number = edge.add(db, one.id, other.id, "likely", "place", score=0.5, reason="the same place")
    assert f"edge {number}" in say(desk.coordinator, "duplicates", one.handling, raw=True)
    say(desk.finder, "revoke", one.handling, number, "--why", "no", code=5)
    say(desk.coordinator, "revoke", one.handling, number, "--why", "no")
    edges = api(served, desk.coordinator, f"/findings/{one.handling}/duplicates")["edges"]
    assert [e["revoked"] is None for e in edges if e["id"] == number] == [False]


def test_a_cross_run_waits_for_both_fixes(cases: Cases, say: Say) -> None:
    desk = cases.desk
    one, other = desk.finding(state="queued"), desk.finding(state="queued")
    assert "E3" in say(desk.coordinator, "cross", one.handling, other.handling, code=7)
    with desk.owner() as db:
        for each in (one, other):
            kept.set_level(db, kept.by_id(db, each.id), 3, "shown")
    job = say(desk.coordinator, "cross", one.handling, other.handling)["job"]
    with desk.owner() as db:
        row = db.execute(
            "select task_name from clearway_jobs.procrastinate_jobs where id = %s", (job,)
        ).fetchone()
    assert row == ("findings.cross",)
    say(desk.finder, "cross", one.handling, other.handling, code=5)


def test_a_vouching_is_taken_back_and_the_signed_list_says_so(cases: Cases, served: Site, say: Say) -> None:
    desk = cases.desk
    finding = fired(desk, desk.finding(state="queued"))
    digest = "ab" * 32
    with desk.owner() as db:
        db.execute(
            "update clearway.validation set vouched = array[%s] where finding = %s", (digest, finding.id)
        )
    say(desk.coordinator, "evidence", finding.handling, "--unvouch", "ff" * 32, "--why", "no", code=7)
    say(desk.finder, "evidence", finding.handling, "--unvouch", digest, "--why", "no", code=5)
    say(desk.coordinator, "evidence", finding.handling, "--unvouch", digest, code=2)
    taken = say(desk.coordinator, "evidence", finding.handling, "--unvouch", digest, "--why", "another file")
    assert len(taken["validations"]) == 1
    signed = say(desk.finder, "evidence", finding.handling, "--revocations")
    assert (
        signed["payloadType"]
        == api(served, desk.finder, f"/findings/{finding.handling}/revocations")["payloadType"]
    )


def test_one_lease_is_shown(cases: Cases, served: Site, say: Say) -> None:
    desk = cases.desk
    asked = say(desk.finder, "lease", "ask", "pkg:pypi/shown", "--activity", "source-review", "--org", "lab")
    reference = asked["lease"]["reference"]
    assert say(desk.finder, "lease", "show", reference) == api(served, desk.finder, f"/leases/{reference}")
    shown = say(desk.finder, "lease", "show", reference, raw=True)
    assert "pkg:pypi/shown" in shown
    say(desk.rival, "lease", "show", reference, code=6)


def test_the_choices_that_help_shows_are_those_that_count() -> None:
    assert commands_marks.MARKS == record.MARKS
