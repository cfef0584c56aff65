"""`clearway finding duplicates|merge|split|undo`, as processes of their own."""

from __future__ import annotations

import json

import pytest

from clearway.app.cli import main
from findings_dedup_world import Two
from findings_world import Desk


def test_merge_show_split_and_undo(
    desk: Desk, two: Two, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CLEARWAY_DATABASE_URL", desk.people.url)
    monkeypatch.setenv("CLEARWAY_TOKEN", desk.coordinator.secret)
    home = ["--home", str(desk.home)]

    def said(*words: str) -> dict[str, object]:
        assert main([*home, "finding", *words, "--json"]) == 0
        found: dict[str, object] = json.loads(capsys.readouterr().out)
        return found

    ours, theirs = two.ours.handling, two.theirs.handling
    act = said("merge", ours, theirs, "--why", "same loop")["act"]
    shown = said("duplicates", ours)
    assert [m["handling"] for m in shown["group"]] == [ours, theirs]  # type: ignore[attr-defined]
    said("undo", str(act), "--why", "no")
    assert main([*home, "finding", "duplicates", ours]) == 0
    out = capsys.readouterr().out
    assert f"{ours} is alone" in out
    assert "revoked: same" in out
    said("merge", ours, theirs, "--why", "after all")
    said("split", theirs, "--why", "two loops")
    assert len(said("duplicates", theirs)["group"]) == 1  # type: ignore[arg-type]
