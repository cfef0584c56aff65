"""The commands that need no database: reports on rows from a file, signing, and verifying."""

from __future__ import annotations

import csv
import importlib.util
import io
import json
import warnings
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from report_rows import D, asset, row

from clearway import directives
from clearway.app.cli import main
from clearway.directives.reports.rows_file import RowsFile
from published import validated

DOCUMENT = Path(directives.__file__).parent / "data" / "bod-26-04.json"


@pytest.fixture
def rows(tmp_path: Path) -> str:
    edge = asset("asset/9", edge_device=True, exposure="public", addresses=("8.8.8.8",))
    given = RowsFile(
        organisation="water", rows=(row(due=D, detected=D), row("CVE-2026-2", tier="FSU")), assets=(edge,)
    )
    path = tmp_path / "rows.json"
    path.write_bytes(msgspec.json.encode(given))
    validated("directive-report-rows", path.read_bytes())
    return str(path)


def run(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> str:
    assert main(["--home", "/nonexistent/home", "directive", *words]) == code
    out, err = capsys.readouterr()
    return err if code else out


def test_rows_from_a_file_become_a_report_in_each_form(rows: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("report", "bod-26-04", "--rows", rows, "--as-of", "2026-12-20")
    text = run(capsys, *words)
    assert text.startswith("Seven-day report under CISA BOD 26-04")
    found = validated("directive-report-remediation", run(capsys, *words, "--json").encode())
    assert [i["flaw"] for i in found["items"]] == ["CVE-2026-1", "CVE-2026-2"]
    lines = list(csv.DictReader(io.StringIO(run(capsys, *words, "--csv"))))
    assert [line["asset"] for line in lines] == ["asset/1", "asset/1", "asset/9"]
    assert json.loads(run(capsys, *words, "--oscal"))["assessment-results"]
    assert run(capsys, *words, "--json") == run(capsys, *words, "--json")


def test_the_other_kinds_of_report(rows: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("--rows", rows, "--as-of", "2026-12-20")
    assert (
        json.loads(run(capsys, "report", "bod-26-04", "--kind", "overdue", "--json", *words))["items"] == []
    )
    found = run(capsys, "report", "bod-26-04", "--kind", "addresses", "--json", *words)
    assert validated("directive-report-addresses", found.encode())["counts"]["address"] == 1
    found = run(capsys, "report", "bod-26-02", "--json", *words)
    assert validated("directive-report-lifecycle", found.encode())["counts"]["unknown"] == 1
    assert run(capsys, "report", "bod-26-02", *words).startswith("directive,as_of,")


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--rows", "{rows}", "--csv", "--oscal"], 2, "at once"),
        (["--rows", "{rows}", "--validate"], 2, "--validate is of --oscal"),
        (["--rows", "{rows}", "--submit"], 2, "are not kept"),
        (["--rows", "{rows}", "--share-with", "x"], 2, "--share-with is of --submit"),
        (["--rows", "nowhere.json"], 6, "no such file"),
        (["--rows", "{folder}"], 10, "can't be read"),
        (["--rows", "{deep}"], 10, "not a file of rows"),
        (["--rows", "{unknown}"], 10, "not a file of rows"),
        (["--rows", "{rows}", "--as-of", "2026-12-19"], 10, "is after 2026-12-19"),
    ],
)
def test_what_can_not_be_reported_says_why(
    words: list[str], code: int, said: str, rows: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "deep.json").write_bytes(b"[" * 200_000)
    (tmp_path / "unknown.json").write_text('{"organisation": "x", "extra": 1}')
    places = {
        "rows": rows,
        "folder": tmp_path,
        "deep": tmp_path / "deep.json",
        "unknown": tmp_path / "unknown.json",
    }
    assert said in run(capsys, "report", "bod-26-04", *(w.format(**places) for w in words), code=code)


@pytest.mark.parametrize("tier", ["3d", "14 days", "6M", ""], ids=["case", "words", "another's", "none"])
@pytest.mark.parametrize("kind", ["seven-day", "two-week", "overdue"])
def test_a_tier_that_the_directive_lacks_is_refused_with_its_row_and_those_there_are(
    tier: str, kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = (
        row(),
        row("GHSA-2", tier="out_of_scope"),
        row("CVE-2026-3", tier=tier),
        row("CVE-2026-4", tier="x"),
    )
    file = tmp_path / "rows.json"
    file.write_bytes(msgspec.json.encode(RowsFile(organisation="water", rows=found)))
    words = ("report", "bod-26-04", "--rows", str(file), "--as-of", "2026-12-20", "--kind", kind)
    said = run(capsys, *words, code=10)
    assert f"{file}, $.rows[2].tier: BOD 26-04 has no tier {tier!r}" in said
    assert "one of: 3DF, 3D, 14D, 60D, FSU, out_of_scope" in said


def test_oscal_is_validated_where_the_extra_is_installed_and_else_it_says_so(
    rows: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("report", "bod-26-04", "--rows", rows, "--as-of", "2026-12-20", "--oscal", "--validate")
    if importlib.util.find_spec("trestle") is None:
        assert "install clearway[oscal]" in run(capsys, *words, code=3)
    else:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # its own
            assert json.loads(run(capsys, *words))["assessment-results"]


def keys(tmp_path: Path) -> tuple[Path, Path]:
    private = Ed25519PrivateKey.generate()
    secret, public = tmp_path / "key.pem", tmp_path / "public.pem"
    secret.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    public.write_bytes(private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return secret, public


def test_a_signed_directive_is_verified_without_a_database(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    secret, public = keys(tmp_path)
    file = tmp_path / "bod.json"
    file.write_bytes(DOCUMENT.read_bytes())
    made: dict[str, Any] = json.loads(run(capsys, "sign", str(file), "--key", str(secret), "--json"))
    said = json.loads(run(capsys, "import", str(file), "--key", str(public), "--check", "--json"))
    assert (said["key"], said["kept"], said["sha256"]) == (made["key"], False, made["sha256"])
    assert "is signed with key" in run(capsys, "import", str(file), "--key", str(public), "--check")
    file.write_bytes(file.read_bytes() + b" ")
    assert "signed by none" in run(capsys, "import", str(file), "--key", str(public), "--check", code=9)
    (tmp_path / "other").mkdir()
    _, other = keys(tmp_path / "other")
    assert "signed by none" in run(capsys, "import", str(file), "--key", str(other), "--check", code=9)


def test_a_private_key_is_never_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    secret, _ = keys(tmp_path)
    body = secret.read_text().splitlines()[1]
    said = run(
        capsys, "import", str(DOCUMENT), "--key", str(secret), "--signature", str(secret), "--check", code=10
    )
    assert "not an Ed25519 public key" in said
    assert body not in said
    assert "not a directive" in run(capsys, "sign", str(secret), "--key", str(secret), code=10)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["triage", "7", "--open"], "leave out the ID"),
        (["triage", "--record", "x"], "to which triage"),
        (["triage", "nine"], "invalid int value"),
        (["attest", "--by", "x"], "--role"),
    ],
)
def test_words_that_do_not_go_together(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert said in run(capsys, *words, code=2)
