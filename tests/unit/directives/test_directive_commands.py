"""`clearway directive` by its own arguments, against the published schema."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from clearway.directives.commands import add_commands
from clearway.records.errors import NotFoundError, UsageError

SCHEMA = json.loads((Path(__file__).parents[3] / "schemas" / "directive-explain.schema.json").read_bytes())

ROW_FIVE = ["--exposed", "yes", "--kev", "no", "--automatable", "yes", "--impact", "total"]


def run(*args: str) -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--home", type=Path, default=Path("no-home-here"))
    add_commands(parser.add_subparsers(required=True))
    parsed = parser.parse_args(args)
    code: int = parsed.func(parsed)
    return code


def explain(capsys: pytest.CaptureFixture[str], *args: str) -> dict[str, Any]:
    assert run("directive", "explain", *args, "--json") == 0
    answer: dict[str, Any] = json.loads(capsys.readouterr().out)
    jsonschema.validate(answer, SCHEMA)
    return answer


def test_explain_row_five(capsys: pytest.CaptureFixture[str]) -> None:
    answer = explain(capsys, *ROW_FIVE)
    assert answer["directive"] == "bod-26-04"
    assert (answer["row"], answer["code"], answer["days"]) == (5, "3D", 3)
    assert (answer["forensic_triage"], answer["basis"]) == (False, "published")


def test_explain_has_null_days_for_fix_on_system_upgrade(capsys: pytest.CaptureFixture[str]) -> None:
    known = ["--exposed", "no", "--kev", "no", "--automatable", "no", "--impact", "partial"]
    answer = explain(capsys, "bod-26-04", *known, "--detected", "2026-12-07", "--as-of", "2026-12-08")
    assert (answer["row"], answer["code"], answer["days"], answer["due"]) == (16, "FSU", None, None)
    assert answer["start"] == "2026-12-07"


def test_explain_gives_the_due_date_and_replays_it(capsys: pytest.CaptureFixture[str]) -> None:
    args = ["--exposed", "yes", "--automatable", "no", "--impact", "total"]
    args += ["--kev-added", "2026-12-05", "--detected", "2026-12-01"]
    late = explain(capsys, *args, "--as-of", "2026-12-31", "--standing", "binding")
    assert (late["code"], late["start"], late["due"]) == ("3DF", "2026-12-01", "2026-12-04")
    assert late["wording"] == "Due 2026-12-04 under BOD 26-04, row 3"
    early = explain(capsys, *args, "--as-of", "2026-12-04")
    assert (early["code"], early["due"]) == ("14D", "2026-12-15")
    assert [tier["code"] for tier in late["tiers"]] == ["14D", "3DF"]
    restart = explain(capsys, *args, "--as-of", "2026-12-31", "--retier", "restart_at_tier_change")
    assert restart["due"] == "2026-12-08"


def test_explain_without_any_fact_names_the_whole_range(capsys: pytest.CaptureFixture[str]) -> None:
    answer = explain(capsys)
    assert answer["range"] == {"strictest": "3DF", "lenient": "60D"}
    assert answer["basis"] == "strictest+assumed_exposed"


def test_explain_out_of_scope_without_a_cve(capsys: pytest.CaptureFixture[str]) -> None:
    answer = explain(capsys, "--cve", "", "--exposed", "yes", "--detected", "2026-01-01")
    assert (answer["code"], answer["due"], answer["row"]) == ("out_of_scope", None, None)


def test_explain_the_revoked_directive(capsys: pytest.CaptureFixture[str]) -> None:
    args = ("bod-22-01", "--cve", "CVE-2020-29583", "--kev-added", "2021-11-03", "--standing", "binding")
    answer = explain(capsys, *args, "--as-of", "2026-06-09")
    assert (answer["code"], answer["days"], answer["months"], answer["due"]) == ("6M", None, 6, "2022-05-03")
    assert not any("revoked" in reason for reason in answer["reasons"])
    answer = explain(capsys, *args, "--as-of", "2026-06-10")
    assert (answer["code"], answer["basis"], answer["due"]) == ("out_of_scope", "revoked", None)
    assert "revoked" in answer["reasons"][-1]
    assert answer["wording"] == "Nothing is due under BOD 22-01: it was revoked on 2026-06-10"
    assert [(t["code"], t["due"]) for t in answer["tiers"]] == [("6M", "2022-05-03"), ("out_of_scope", None)]


def test_explain_in_words_prints_the_row_and_the_reasons(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("directive", "explain", "--exposed", "yes", "--kev", "yes", "--impact", "total") == 0
    out = capsys.readouterr().out
    assert out.startswith("BOD 26-04, row 1: 3 days and forensic triage\n- Publicly Exposed: yes\n")
    assert out.endswith("basis: published\n")


@pytest.mark.parametrize(
    "args",
    [
        pytest.param("--kev no --kev-added 2026-01-01", id="listed and not listed"),
        pytest.param("--detected 2026-02-01 --as-of 2026-01-01", id="detected after the day asked about"),
        pytest.param("--policy cisa_90d", id="an unknown policy"),
        pytest.param("--retier never --detected 2026-01-01", id="an unknown rule"),
        pytest.param("--standing optional", id="an unknown standing"),
    ],
)
def test_explain_refuses(args: str) -> None:
    with pytest.raises(UsageError):
        run("directive", "explain", *args.split())


def test_an_unknown_directive_is_not_found() -> None:
    for command in ("show", "explain"):
        with pytest.raises(NotFoundError):
            run("directive", command, "bod-99-99")


def test_a_bad_date_is_a_usage_error_of_the_parser(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        run("directive", "explain", "--detected", "07/12/2026")
    assert stopped.value.code == 2
    assert "is not a date such as 2026-12-07" in capsys.readouterr().err


def test_list_and_show(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("directive", "list", "--json") == 0
    listed = json.loads(capsys.readouterr().out)
    assert [(d["id"], d["revoked_by"]) for d in listed] == [("bod-22-01", "bod-26-04"), ("bod-26-04", None)]
    assert run("--json", "directive", "show", "bod-26-04") == 0
    assert len(json.loads(capsys.readouterr().out)["rows"]) == 16
    for name in ("bod-22-01", "bod-26-04"):
        assert run("directive", "show", name) == 0
        assert "calendar days" in capsys.readouterr().out
    assert run("directive", "list") == 0
    assert "revoked 2026-06-10 by bod-26-04" in capsys.readouterr().out
    assert run("--home", str(tmp_path / "none"), "directive", "list") == 0
    assert not (tmp_path / "none").exists()  # asking makes no database


def test_registering_the_commands_imports_nothing_heavy() -> None:
    code = (
        "import sys, argparse, msgspec; before = set(sys.modules)\n"
        "import clearway.directives.commands\n"
        "heavy = {'dataclasses', 'typer', 'rich', 'psycopg', 'inspect', 'calendar', 'json'}\n"
        "print(sorted(heavy & (set(sys.modules) - before)))"
    )
    ran = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert ran.stdout == "[]\n"
