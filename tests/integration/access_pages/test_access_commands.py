"""`clearway access …` over a home of its own: what it prints, and under whose name it acts."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from clearway.app import cli
from database import made_home  # noqa: F401
from database import running_home as home  # noqa: F401

SOON = (datetime.now(UTC) + timedelta(days=200)).date().isoformat()


@pytest.fixture(autouse=True)
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(cli.COMMANDS, "access", ("clearway.access.commands", "who is here and may see what"))
    monkeypatch.delenv("CLEARWAY_TOKEN", raising=False)


def told(capsys: pytest.CaptureFixture[str], home: Path, *words: str, code: int = 0) -> Any:  # noqa: F811
    assert cli.main(["--home", str(home), "access", *words, "--json"]) == code
    out = capsys.readouterr().out
    return json.loads(out) if out else None


def test_an_organisation_gets_people_a_service_and_a_token(
    home: Path,  # noqa: F811
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = told(capsys, home, "org", "add", "riverside", "--name", "Riverside Hospital")
    assert (made["slug"], made["house"]) == ("riverside", False)
    told(capsys, home, "org", "add", "riverside", code=7)
    invited = told(capsys, home, "person", "add", "riverside", "Ines Okafor", "--role", "administrator")
    assert invited["code"].count("-") == 3
    told(capsys, home, "person", "add", "riverside", "X", "--role", "king", code=10)
    service = told(capsys, home, "person", "add", "riverside", "scanner", "--role", "operator", "--service")
    assert service["code"] is None
    told(capsys, home, "person", "role", "riverside", str(service["person"]), "auditor")
    members = told(capsys, home, "person", "list", "riverside")
    assert {m["name"]: m["roles"] for m in members} == {
        "Ines Okafor": ["administrator"],
        "scanner": ["auditor", "operator"],
    }
    token = told(capsys, home, "token", "make", "by hand", "--scope", "read", "--days", "1")
    listed = told(capsys, home, "token", "list")
    assert token["secret"] not in json.dumps(listed)
    mine = next(one for one in listed if one["public_id"] == token["public_id"])
    # With that token the commands have its rights, and no more.
    with monkeypatch.context() as narrowed:
        narrowed.setenv("CLEARWAY_TOKEN", token["secret"])
        assert told(capsys, home, "org", "list")
        told(capsys, home, "org", "add", "another", code=5)
        child = told(capsys, home, "token", "make", "child", "--scope", "read", "--days", "300")
        assert child["expires"] == token["expires"] == mine["expires"]
    told(capsys, home, "token", "revoke", str(mine["credential"]))
    monkeypatch.setenv("CLEARWAY_TOKEN", token["secret"])
    told(capsys, home, "org", "list", code=4)


def test_who_adds_a_service_is_told_who_makes_its_token(
    home: Path,  # noqa: F811
    capsys: pytest.CaptureFixture[str],
) -> None:
    def said(*words: str, code: int = 0) -> str:
        assert cli.main(["--home", str(home), "access", *words]) == code
        shown = capsys.readouterr()
        return shown.out + shown.err

    told(capsys, home, "org", "add", "riverside")
    elsewhere = said("person", "add", "riverside", "scanner", "--role", "operator", "--service")
    assert "an administrator of riverside makes its token" in elsewhere
    number = elsewhere.split(";")[0].split()[-1]
    refused = said("token", "make", "ci", "--person", number, code=6)
    assert "an administrator of its organisation" in refused
    own = said("person", "add", "local", "collector", "--role", "operator", "--service")
    assert "make it a token: clearway access token make LABEL --person" in own
    assert said("token", "make", "ci", "--person", own.split(";")[0].split()[-1])


def test_what_a_directive_is_to_an_organisation_its_own_administrators_say(
    home: Path,  # noqa: F811
    capsys: pytest.CaptureFixture[str],
) -> None:
    told(capsys, home, "org", "add", "riverside")
    assert (
        cli.main(["--home", str(home), "access", "org", "standing", "riverside", "BOD-26-04", "binding"]) == 6
    )
    assert "an administrator of its own changes it" in capsys.readouterr().err
    assert told(capsys, home, "org", "standing", "local", "BOD-26-04", "binding")["standing"] == {
        "BOD-26-04": "binding"
    }


def test_a_token_that_the_command_line_uses_was_used(
    home: Path,  # noqa: F811
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (own,) = told(capsys, home, "token", "list")
    assert own["last_used"]
    made = told(capsys, home, "token", "make", "ci")
    assert {t["label"]: bool(t["last_used"]) for t in told(capsys, home, "token", "list")}["ci"] is False
    monkeypatch.setenv("CLEARWAY_TOKEN", made["secret"])
    assert {t["label"]: bool(t["last_used"]) for t in told(capsys, home, "token", "list")}["ci"] is True


@pytest.mark.parametrize(
    ("given", "ends"),
    [
        ((f"{SOON}T00:00:00Z",), f"at {SOON} 00:00 UTC"),
        (("--on-exploitation",), "on public exploitation of one of its flaws"),
        (
            (f"{SOON}T00:00:00Z", "--on-exploitation"),
            f"at {SOON} 00:00 UTC, or before that on public exploitation of one of its flaws",
        ),
    ],
)
def test_who_arms_an_embargo_is_told_what_ends_it(
    home: Path,  # noqa: F811
    capsys: pytest.CaptureFixture[str],
    given: tuple[str, ...],
    ends: str,
) -> None:
    number = str(told(capsys, home, "embargo", "add", "local", "Gateway")["embargo"])
    assert cli.main(["--home", str(home), "access", "embargo", "arm", number, *given]) == 0
    assert capsys.readouterr().out == f"Gateway ends {ends}\n"
    assert cli.main(["--home", str(home), "access", "embargo", "list"]) == 0
    assert capsys.readouterr().out.endswith(f" ends {ends}\n")
    told(capsys, home, "embargo", "disarm", number)
    assert cli.main(["--home", str(home), "access", "embargo", "list"]) == 0
    assert capsys.readouterr().out.endswith(" no end set\n")


def test_an_embargo_is_kept_from_the_command_line(home: Path, capsys: pytest.CaptureFixture[str]) -> None:  # noqa: F811
    told(capsys, home, "org", "add", "lab-a", "--kind", "lab")
    made = told(capsys, home, "embargo", "add", "local", "Gateway")
    number = str(made["embargo"])
    told(capsys, home, "embargo", "party", number, "--org", "lab-a")
    told(capsys, home, "embargo", "arm", number, "tomorrow", code=2)
    told(capsys, home, "embargo", "arm", number, f"{SOON}T00:00:00", code=10)  # without a zone
    armed = told(capsys, home, "embargo", "arm", number, f"{SOON}T00:00:00Z", "--on-exploitation")
    assert armed["on_exploitation"] is True
    assert told(capsys, home, "embargo", "release", number, "--why", "fixed")["ended_by"] > 0
    told(capsys, home, "embargo", "release", number, "--why", "again", code=7)
    told(capsys, home, "embargo", "release", "99", "--why", "x", code=6)
