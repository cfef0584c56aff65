"""`clearway finding evidence`: what the desk's page does with validations, from a terminal."""

from __future__ import annotations

import json
from typing import Any

import pytest

from clearway.app import cli
from clearway.findings import kept
from findings_world import Desk


def test_a_validation_is_asked_for_read_and_taken_back_by_coordinators_alone(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    finding = desk.finding()
    with desk.acting(desk.finder) as db:
        kept.move(db, finding, "queued", "complete")
    monkeypatch.setenv("CLEARWAY_DATABASE_URL", desk.people.url)

    def run(*given: str, code: int = 0) -> Any:
        said = ["--home", str(desk.home), "finding", "evidence", finding.handling, *given, "--json"]
        assert cli.main(said) == code
        out = capsys.readouterr().out
        return json.loads(out) if out else None

    monkeypatch.setenv("CLEARWAY_TOKEN", desk.finder.secret)
    run("--ask", code=5)
    assert run() == {"items": []}
    monkeypatch.setenv("CLEARWAY_TOKEN", desk.coordinator.secret)
    number = run("--ask", "--upto", "E2", "--seconds", "5", "--vouch", "ab" * 32, "--why", "mended")["id"]
    run("--ask", code=7)
    (one,) = run()["items"]
    assert (one["id"], one["state"], one["upto"], one["seconds"]) == (number, "waiting", 2, 5)
    assert one["again_why"] == "mended"
    run("--accept", str(number), "--by", "A person", "--why", "seen", code=7)
    run("--accept", str(number), code=2)
    run("--log", str(number), code=6)
    run("--vouch", "no digest", "--ask", code=2)
    run("--revoke", str(number), code=2)
    run("--revoke", "999", "--why", "wrong build", code=6)
    monkeypatch.setenv("CLEARWAY_TOKEN", desk.operator.secret)
    run(code=6)
