"""`clearway access marking|approval …`: narrowed at once, lowered by two, from the command line."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from clearway.access import credential
from clearway.app import cli
from clearway.store.connect import connect
from clearway.store.server import lease
from database import home, made_home  # noqa: F401


@pytest.fixture(autouse=True)
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(cli.COMMANDS, "access", ("clearway.access.commands", "who is here and may see what"))
    monkeypatch.delenv("CLEARWAY_TOKEN", raising=False)


def told(capsys: pytest.CaptureFixture[str], home: Path, *words: str, code: int = 0) -> Any:  # noqa: F811
    assert cli.main(["--home", str(home), "access", *words, "--json"]) == code
    out = capsys.readouterr().out
    return json.loads(out) if out else None


@pytest.mark.slow
def test_a_marking_is_narrowed_and_lowered_by_two_from_the_command_line(
    home: Path,  # noqa: F811
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with lease(home) as url:  # one server for all of it
        made = told(capsys, home, "embargo", "add", "local", "Gateway")
        with connect(url) as owner:
            row = owner.execute(
                """with o as (select org, clearway.intern_audience(array[clearway.intern_clause(
                        array[clearway.find_group('staff', org)])]) as aud from clearway.organisation where house)
                insert into clearway.asset (org, aud, name) select org, aud, 'gw' from o returning asset"""
            ).fetchone()
            second = owner.execute(
                "select clearway.add_person('person', 'Second', '', clearway.house())"
            ).fetchone()
            assert row is not None
            assert second is not None
            owner.execute("select clearway.grant_role(%s, clearway.house(), 'coordinator')", second)
            token = credential.make_token(
                owner, second[0], label="t", scopes=None, life=timedelta(days=1), now=datetime.now(UTC)
            )
        what = f"asset/{row[0]}"
        shown = told(capsys, home, "marking", "show", what)
        assert shown["meaning"]["label"] == "TLP:RED"
        under = str(made["embargo"])
        asked = told(capsys, home, "marking", "change", what, "--tlp", "GREEN", "--why", "known")
        assert (asked["done"], asked["marked"]["meaning"]["label"]) == (False, "TLP:RED")
        number = str(asked["approval"]["approval"])
        assert [str(a["approval"]) for a in told(capsys, home, "approval", "list")] == [number]
        assert cli.main(["--home", str(home), "access", "approval", "list"]) == 0
        assert "then by everybody who is signed in: known" in capsys.readouterr().out
        told(capsys, home, "approval", "decide", number, "approved", code=5)
        with monkeypatch.context() as other:
            other.setenv("CLEARWAY_TOKEN", token.secret)
            assert told(capsys, home, "approval", "decide", number, "approved")["used"]
        assert told(capsys, home, "marking", "show", what)["meaning"]["label"] == "TLP:GREEN"
        done = told(
            capsys, home, "marking", "change", what, "--tlp", "GREEN", "--embargo", under, "--why", "not yet"
        )
        assert (done["done"], done["marked"]["meaning"]["label"]) == (True, "TLP:RED")
        told(capsys, home, "marking", "change", what, "--tlp", "PURPLE", "--why", "x", code=2)
        told(capsys, home, "marking", "show", "asset/x", code=2)
        told(capsys, home, "marking", "show", "asset/999999", code=6)
        told(capsys, home, "marking", "show", "held/1", code=6)
        named = told(capsys, home, "embargo", "flaw", under, "CVE-2026-40404")
        assert named["flaws"] == ["CVE-2026-40404"]
        told(capsys, home, "embargo", "arm", under, code=2)
        assert told(capsys, home, "embargo", "arm", under, "--on-exploitation")["until"] is None
        assert told(capsys, home, "embargo", "disarm", under)["on_exploitation"] is False
        assert told(capsys, home, "embargo", "flaw", under, "CVE-2026-40404", "--remove")["flaws"] == []
