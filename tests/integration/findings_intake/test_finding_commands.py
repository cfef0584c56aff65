"""`clearway finding …` over a home of its own: report, follow, withdraw, verify a receipt offline."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import pytest

import table_home
from clearway.findings import commands
from clearway.findings.desk_key import DeskKey
from clearway.findings.intake import commands as intake_commands
from clearway.formats import reported_cut
from clearway.records.errors import ClearwayError, ConfigError, InputError, IntegrityError, NotFoundError
from database import made_home  # noqa: F401
from database import running_home as home  # noqa: F401
from report_documents import CANARY, dump, own, sarif


def run(home: Path, *words: str | Path) -> int:  # noqa: F811
    parser = argparse.ArgumentParser()
    commands.add_commands(parser.add_subparsers())
    args = parser.parse_args(["finding", *map(str, words)])
    args.home = home
    args.quiet = True
    return int(args.func(args))


def said(home: Path, out: Any, *words: str | Path) -> Any:  # noqa: F811
    out.readouterr()
    assert run(home, *words, "--json") == 0
    return json.loads(out.readouterr().out)


def test_a_report_is_sent_followed_and_its_receipt_verified_elsewhere(
    home: Path,  # noqa: F811
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    report = tmp_path / "report.json"
    report.write_bytes(dump(own(trace=[], title="evil\u202egpj \x1b[31mred")))
    (answer,) = said(home, capfd, "submit", report, "--receipts", tmp_path / "receipts")["documents"]
    (taken,) = answer["taken"]
    handling = taken["handling"]
    assert (taken["state"], [m["gate"] for m in taken["missing"]]) == ("incomplete", ["trace"])

    assert run(home, "status") == 0
    shown = capfd.readouterr().out
    assert handling in shown
    assert "\x1b" not in shown
    assert "\u202e" not in shown

    more = tmp_path / "more.json"
    more.write_bytes(dump({"trace": own()["trace"]}))
    assert run(home, "supplement", handling, more) == 0
    (one,) = said(home, capfd, "status", handling)["findings"]
    assert (one["state"], one["missing"]) == ("queued", [])
    assert CANARY not in json.dumps(one)

    receipt = tmp_path / "receipts" / f"{handling}.receipt.json"
    key = tmp_path / "desk.pem"
    assert run(home, "receipt", "key") == 0
    key.write_text(capfd.readouterr().out)
    nowhere = tmp_path / "nowhere"
    found = said(nowhere, capfd, "receipt", "verify", receipt, "--key", key, "--report", report)
    assert found["ok"] is True
    assert found["receipt"]["handling"] == handling
    assert not nowhere.exists(), "verifying needs no home"
    with pytest.raises(IntegrityError):
        run(nowhere, "receipt", "verify", receipt, "--key", key, "--report", more)
    with pytest.raises(ConfigError):
        run(nowhere, "receipt", "verify", receipt)
    with pytest.raises(InputError):
        run(nowhere, "receipt", "verify", report, "--key", key)

    assert run(home, "receipt", "key", "--all") == 0
    every = tmp_path / "every.pem"
    every.write_text(DeskKey.of_home(tmp_path / "before").public.public + capfd.readouterr().out)
    assert run(nowhere, "receipt", "verify", receipt, "--key", key, "--key", every) == 0
    assert run(nowhere, "receipt", "verify", receipt, "--key", every) == 0
    capfd.readouterr()
    assert run(home, "receipt", "show", handling) == 0
    assert capfd.readouterr().out.strip() == receipt.read_text().strip()
    assert said(home, capfd, "withdraw", handling, "--why", "a mistake")["state"] == "withdrawn"
    with pytest.raises(NotFoundError):
        run(home, "status", "CWF-0000-0000")


def test_what_is_set_aside_is_told_by_exit_code_10_and_the_rest_lands(
    home: Path,  # noqa: F811
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    good, bad, log = tmp_path / "good.jsonl", tmp_path / "bad.json", tmp_path / "log.sarif"
    good.write_bytes(
        b"\n".join(dump(own(title=f"Report {n}", cwe="x" if n == 1 else "CWE-125")) for n in range(3))
    )
    bad.write_bytes(b"{")
    log.write_bytes(dump(sarif(2)))
    assert run(home, "submit", good, bad, log, "--test") == 10
    out, err = capfd.readouterr()
    assert len(out.splitlines()) == 4
    assert out.count("(trial)") == 4
    assert "reports[1].cwe" in err
    assert "bad.json" in err
    with pytest.raises(ClearwayError):
        run(home, "submit", bad)
    with pytest.raises(NotFoundError):
        run(home, "submit", tmp_path / "missing.json")


def test_a_log_of_more_results_than_a_call_takes_is_sent_in_several(
    home: Path,  # noqa: F811
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reported_cut.cut, "__defaults__", (2,))
    waited: list[float] = []
    monkeypatch.setattr(intake_commands, "rest", waited.append)
    log = tmp_path / "big.sarif"
    log.write_bytes(dump(sarif(5)))
    made = said(home, capfd, "submit", log, "--test", "--pace", "60", "--receipts", tmp_path / "receipts")[
        "documents"
    ]
    assert [(d["part"], len(d["taken"])) for d in made] == [(1, 2), (2, 2), (3, 1)]
    assert made[2]["taken"][0]["place"] == "part 3: runs[0].results[0]"
    assert len(list((tmp_path / "receipts").iterdir())) == 5
    assert waited[0] == 0
    assert all(0 < w <= 2 for w in waited[1:]), "two reports are two seconds of a pace of one a second"
    assert len(waited) == 3
    (again,) = said(home, capfd, "submit", log, "--test", "--pace", "0")["documents"][2]["taken"]
    assert not again["new"]


def test_what_is_public_is_asked_from_the_home(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    made = table_home.make(tmp_path / "tabled")
    answer = said(made, capfd, "check", "--purl", "pkg:pypi/alpha@1.2")
    assert (answer["verdict"], [k["flaw"] for k in answer["known"]]) == ("similar", ["CVE-2026-1001"])
    assert run(made, "check", "--ecosystem", "PyPI", "--name", "odd", "--version", "1") == 0
    shown = capfd.readouterr().out
    assert "\x1b" not in shown
    assert said(made, capfd, "check", "--purl", "pkg:pypi/none@1")["verdict"] == "nothing"
    with pytest.raises(InputError):
        run(made, "check", "--purl", "nonsense")
