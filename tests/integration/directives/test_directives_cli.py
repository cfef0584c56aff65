"""The commands on a home of one's own: the first needs no sign-in, and what it keeps is there for the next."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest
from test_issue_kept import DOCUMENT, publish
from test_triage_kept import EVIDENCE

from clearway.app.cli import main
from clearway.directives.kept import addresses
from database import made_home  # noqa: F401
from database import running_home as home  # noqa: F401
from directive_desk import NOW, Desk
from published import validated


def run(home: Path, capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> str:  # noqa: F811
    assert main(["--home", str(home), "directive", *words]) == code
    out, err = capsys.readouterr()
    return err if code else out


def test_a_triage_a_report_and_an_attestation_from_the_command_line(
    home: Path,  # noqa: F811
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    about = [
        "--asset",
        "gw-1",
        "--flaw",
        "CVE-2026-1",
        "--component",
        "alpha",
        "--kev-added",
        "2026-06-20",
    ]
    assert run(home, capsys, "triage").strip() == "no triage"
    assert run(home, capsys, "triage", "--open", *about).startswith("triage 1, 0 events")
    memory = tmp_path / "memory.raw"
    memory.write_bytes(b"evidence")
    event = {"event": "evidence_taken", "at": "2026-06-20T03:00:00Z", "by": "operator", **EVIDENCE}
    path = tmp_path / "event.json"
    path.write_text(json.dumps(event))
    said = run(home, capsys, "triage", "1", "--record", str(path), "--evidence", str(memory), "--json")
    found = validated("directive-triage", said.encode())
    assert found["evidence"][0]["size_bytes"] == 8
    assert "somebody" not in run(home, capsys, "triage", "1", "--record", str(path), "--after", "0", code=7)
    assert json.loads(run(home, capsys, "triage", "--json"))[0]["id"] == 1
    report = run(home, capsys, "report", "bod-26-04", "--as-of", "2026-06-30", "--submit", "--json")
    assert validated("directive-report-remediation", report.encode())["organisation"] == "local"
    said = run(home, capsys, "attest", "--by", "somebody", "--role", "operator", "--json")
    assert validated("directive-report-addresses", said.encode())["attested"]["by"] == "somebody"
    assert "the right to direct" in run(home, capsys, "compliance", "bod-26-04", code=5)
    assert "no bod-26-04 is addressed" in run(home, capsys, "acknowledge", "bod-26-04", code=6)


def test_the_list_shows_what_is_addressed(
    issuing: Desk, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    own = DOCUMENT.replace(b'"id": "bod-26-04"', b'"id": "acme-1"').replace(
        b'"issuer": "CISA"', b'"issuer": "The authority"'
    )
    past = NOW.date() - timedelta(days=20)
    publish(issuing, own, past)
    issuing.do(
        "official@authority", addresses.address, "authority", "acme-1", {"water": "binding"}, since=past
    )
    issuing.known_on_their_days()
    monkeypatch.setenv("CLEARWAY_DATABASE_URL", issuing.url)
    monkeypatch.setenv("CLEARWAY_TOKEN", issuing.secrets["operator@water"])
    shown = json.loads(run(tmp_path, capsys, "list", "--json"))
    (told,) = [one for one in shown if one["id"] == "acme-1"]
    assert (told["authority"], told["organisation"]) == ("authority", "water")
    assert "acme-1  The authority" in run(tmp_path, capsys, "list")
    monkeypatch.setenv("CLEARWAY_TOKEN", issuing.secrets["operator@hospital"])
    assert "acme-1" not in run(tmp_path, capsys, "list")
