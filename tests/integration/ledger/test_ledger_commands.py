"""`clearway ledger`, as it is typed; and what of it needs neither database nor driver."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from clearway.app import cli
from clearway.ledger import append
from clearway.ledger.keys import FOLDER, SIGNED
from clearway.ledger.opened import opened
from clearway.ledger.witness import Witness
from clearway.store.connect import connect
from clearway.store.server import lease
from database import copied
from intake_world import environment
from published import validated

_ALONE = """
import sys
from clearway.app import cli
cli.COMMANDS.setdefault("ledger", ("clearway.ledger.commands", "the log"))
code = cli.main(sys.argv[1:])
loaded = sorted(name for name in ("psycopg", "sqlalchemy", "litestar", "httpx", "duckdb") if name in sys.modules)
print(loaded, file=sys.stderr)
sys.exit(code)
"""


@pytest.fixture(autouse=True)
def _known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(cli.COMMANDS, "ledger", ("clearway.ledger.commands", "the log"))


@pytest.fixture(scope="module")
def log_home(made_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home whose log has a few entries; its database runs on between the commands."""
    with copied(made_home, tmp_path_factory) as folder, lease(folder) as url:
        with connect(url, autocommit=True) as db:
            for n in range(300):
                append(db, "asset.added", f"asset/{n}", {"n": n}, aud=0)
        yield folder


def run(home: Path, capfd: pytest.CaptureFixture[str], *words: str | Path) -> tuple[int, Any, str]:
    """The exit code, the JSON on standard output (or its text) and standard error."""
    code = cli.main(["--home", str(home), "ledger", *map(str, words)])
    out, err = capfd.readouterr()
    return code, json.loads(out) if out.startswith(("{", "[")) else out, err


def test_a_log_is_integrated_shown_and_verified(log_home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    code, done, _ = run(log_home, capfd, "integrate", "--json")
    assert (code, done["size"] >= 301) == (0, True)
    code, shown, _ = run(log_home, capfd, "status", "--json")
    assert (code, shown["size"], shown["pending"], shown["epoch"]) == (0, done["size"], 0, 1)
    code, report, _ = run(log_home, capfd, "verify", "--json")
    assert code == 0
    assert validated("ledger-verify", report)["ok"] is True
    assert (report["size"], report["root"], report["first_bad"]) == (done["size"], shown["root"], None)
    code, text, _ = run(log_home, capfd, "verify")
    assert code == 0
    assert text.startswith("the log verifies: ")
    assert "no witness was asked" in text
    assert run(log_home, capfd, "status")[0] == 0


def test_an_exported_log_is_verified_without_database_and_driver(
    log_home: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for name, more in (("hashes.zip", ()), ("opened.zip", ("--opened",))):
        code, made, _ = run(log_home, capfd, "export", tmp_path / name, "--json", *more)
        assert (code, made["opened"]) == (0, bool(more))
    _, keys, _ = run(log_home, capfd, "key", "--json")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for name in ("hashes.zip", "opened.zip"):
        shutil.copy(tmp_path / name, elsewhere / name)
        done = subprocess.run(
            [sys.executable, "-c", _ALONE, "--home", str(elsewhere / "none"), "ledger", "verify", name, "--json",
             "--key", keys["keys"][0]["vkey"]],
            cwd=elsewhere, capture_output=True, text=True, check=False, env=environment(CLEARWAY_DATABASE_URL="postgresql://nowhere.invalid/x"),
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        report = validated("ledger-verify", json.loads(done.stdout))
        assert (report["ok"], report["pinned"]) == (True, True)
        assert (report["opened"] > 0) == (name == "opened.zip")
        assert done.stderr.strip() == "[]"
        assert not (elsewhere / "none").exists()
    assert (elsewhere / "hashes.zip").stat().st_size < (elsewhere / "opened.zip").stat().st_size


def test_complete_is_for_a_file_that_shows_all_and_for_the_database(
    log_home: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for name, more in (("hashes.zip", ()), ("opened.zip", ("--opened",))):
        assert run(log_home, capfd, "export", tmp_path / name, *more)[0] == 0
    with zipfile.ZipFile(tmp_path / "opened.zip") as old, zipfile.ZipFile(tmp_path / "less.zip", "w") as new:
        for info in old.infolist():
            if info.filename != "opened/000":
                new.writestr(info, old.read(info))
    assert run(log_home, capfd, "verify", "--complete")[0] == 0
    assert run(log_home, capfd, "verify", tmp_path / "opened.zip", "--complete")[0] == 0
    for name, closed in (("hashes.zip", None), ("less.zip", 512)):
        code, report, _ = run(log_home, capfd, "verify", tmp_path / name, "--complete", "--json")
        validated("ledger-verify", report)
        assert (code, report["first_bad"]) == (9, 0)
        code, report, _ = run(log_home, capfd, "verify", tmp_path / name, "--json")
        assert (code, report["closed"]) == (0, closed or 2 * report["size"])


def test_an_export_is_no_file_called_as_standard_output_is(
    log_home: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code, _, said = run(log_home, capfd, "export", "-")
    assert (code, [*tmp_path.iterdir()]) == (2, [])
    assert "name a new file" in said


def test_a_spoilt_export_is_exit_code_9_with_the_first_bad_leaf(
    log_home: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(log_home, capfd, "export", tmp_path / "log.zip", "--opened")[0] == 0
    with zipfile.ZipFile(tmp_path / "log.zip") as old, zipfile.ZipFile(tmp_path / "bad.zip", "w") as new:
        for info in old.infolist():
            body = old.read(info)
            new.writestr(
                info, body.replace(b"asset/123", b"asset/321") if info.filename == "opened/000" else body
            )
    code, report, _ = run(log_home, capfd, "verify", tmp_path / "bad.zip", "--json")
    assert (code, report["ok"]) == (9, False)
    assert isinstance(report["first_bad"], int)
    validated("ledger-verify", report)
    code, text, _ = run(log_home, capfd, "verify", tmp_path / "bad.zip")
    assert code == 9
    assert "does NOT verify" in text
    assert f"first bad leaf: {report['first_bad']}" in text


def test_what_is_no_export_is_refused_with_a_word(
    log_home: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "x.zip").write_bytes(b"no zip")
    code, _, err = run(log_home, capfd, "verify", tmp_path / "x.zip")
    assert code == 10
    assert "x.zip" in err
    assert run(log_home, capfd, "verify", tmp_path / "absent.zip")[0] == 8
    assert run(log_home, capfd, "verify", tmp_path / "x.zip", "--key", "nonsense")[0] == 8


def test_a_proof_is_handed_over_and_checked_elsewhere(
    log_home: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    code, proof, _ = run(log_home, capfd, "proof", "50")
    assert code == 0
    (tmp_path / "proof.json").write_text(json.dumps(proof))
    _, keys, _ = run(log_home, capfd, "key", "--json")
    key = keys["keys"][0]["vkey"]
    code, said, _ = run(
        tmp_path / "none", capfd, "proof", "--check", tmp_path / "proof.json", "--key", key, "--json"
    )
    assert (code, said["entry"], said["leaf"]) == (0, 50, proof["leaf"])
    assert said["shown"] == ["header", "content"]
    less = {**proof, "entry": 7, "header": None, "header_salt": None}
    (tmp_path / "less").write_text(json.dumps(less))
    code, text, _ = run(tmp_path / "none", capfd, "proof", "--check", tmp_path / "less", "--key", key)
    assert (code, "only its content is shown" in text) == (0, True), "the tree knows no numbers of entries"
    spoilt = {**proof, "content": proof["content"].replace("4", "5")}
    for name, wrong in (("content", spoilt), ("leaf", {**proof, "leaf": proof["leaf"] + 1})):
        (tmp_path / name).write_text(json.dumps(wrong))
        assert run(tmp_path / "none", capfd, "proof", "--check", tmp_path / name, "--key", key)[0] == 9
    (tmp_path / "none.json").write_text("[]")
    assert run(tmp_path / "none", capfd, "proof", "--check", tmp_path / "none.json", "--key", key)[0] == 10
    assert run(tmp_path / "none", capfd, "proof", "--check", tmp_path / "proof.json")[0] == 2
    assert run(log_home, capfd, "proof", "99999999")[0] == 6
    assert run(log_home, capfd, "proof", "x")[0] == 2


def test_a_witness_watches_the_home_and_its_copy_and_key_vouch_for_it(
    log_home: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    state = tmp_path / "state"
    run(log_home, capfd, "integrate")
    _, shown, _ = run(
        log_home, capfd, "witness", "--state", state, "--name", "witness.example", "--show-key", "--json"
    )
    code, seen, _ = run(log_home, capfd, "witness", "--state", state, "--json")
    assert (code, seen["kept"]) == (0, False), "the log does not know it yet"
    assert run(log_home, capfd, "key", "--accept-witness", shown["key"])[0] == 0
    code, seen, _ = run(log_home, capfd, "witness", "--state", state, "--json")
    assert (code, seen["kept"]) == (0, True)
    (copy,) = state.glob("*.checkpoint")
    (lines,) = state.glob("*.seen")
    code, report, _ = run(log_home, capfd, "verify", "--witness", lines, "--json")
    assert (code, report["witnesses"][0]["name"]) == (0, "witness.example")
    code, text, _ = run(log_home, capfd, "verify", "--witness", copy)
    assert f"witness.example: proved up to {seen['size']:,} entries by what it has seen" in text
    lines.write_text(lines.read_text() + "1 2")
    assert run(log_home, capfd, "verify", "--witness", copy)[0] == 10, "a cut list is no smaller one"
    lines.write_text(lines.read_text()[:-3])
    code, report, _ = run(log_home, capfd, "verify", "--witness", copy, "--witness", shown["key"], "--json")
    assert code == 0
    assert [(w["size"], w["ok"]) for w in report["witnesses"]] == [(seen["size"], True)] * 2
    assert report["witnesses"][1]["name"] == "witness.example"
    # From an exported file the line is printed, to be handed over.
    run(log_home, capfd, "export", tmp_path / "log.zip")
    assert run(log_home, capfd, "witness", "--state", state, "--from", tmp_path / "log.zip")[0] == 2, (
        "whose log?"
    )
    _, keys, _ = run(log_home, capfd, "key", "--json")
    code, text, _ = run(log_home, capfd, "witness", "--state", state, "--from", tmp_path / "log.zip",
                        "--key", keys["keys"][0]["vkey"])  # fmt: skip
    assert code == 0
    assert "— witness.example " in text


def test_an_entry_is_erased_and_the_log_verifies(log_home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    code, done, _ = run(
        log_home, capfd, "erase", "60", "--header", "--content", "--reason", "asked for", "--json"
    )
    assert (code, done["parts"]) == (0, ["header", "content"])
    run(log_home, capfd, "integrate")
    code, report, _ = run(log_home, capfd, "verify", "--json")
    assert (code, report["closed"]) == (0, 2)
    assert run(log_home, capfd, "erase", "60", "--content", "--reason", "again")[0] == 6
    assert run(log_home, capfd, "erase", "61", "--reason", "nothing")[0] == 2


def test_keys_are_rotated_and_an_epoch_is_opened(log_home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    _, before, _ = run(log_home, capfd, "key", "--json")
    code, after, _ = run(log_home, capfd, "key", "--rotate", "--post-quantum", "--json")
    assert code == 0
    assert [key["retired"] for key in after["keys"]] == [True, False, False]
    # The key that is printed as signing verifies the whole log, and says what an older one has signed.
    for key, older in zip(after["keys"], (False, True, True), strict=True):
        code, report, _ = run(log_home, capfd, "verify", "--key", key["vkey"], "--json")
        assert (code, report["older"] > 0) == (0, older)
    code, text, _ = run(log_home, capfd, "verify", "--key", after["keys"][1]["vkey"])
    assert "signed by a key from before the one given" in text
    code, epoch, _ = run(log_home, capfd, "epoch", "--reason", "restored to try it", "--json")
    assert (code, epoch["epoch"], epoch["lost"]) == (0, 2, 0)
    code, report, _ = run(log_home, capfd, "verify", "--key", before["keys"][0]["vkey"], "--json")
    assert code == 0
    assert [e["epoch"] for e in report["epochs"]] == [2]
    validated("ledger-verify", report)
    assert run(log_home, capfd, "epoch", "--reason", " ")[0] == 2


def test_a_home_where_nothing_is_signed_yet_says_so(
    home: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with lease(home) as url, connect(url, autocommit=True) as db:
        append(db, "asset.added", "asset/1", aud=0)
    code, report, _ = run(home, capfd, "verify", "--json")
    assert (code, report["size"], report["ok"], report["reasons"]) == (0, 0, True, [])
    assert report["pending"] > 0
    validated("ledger-verify", report)
    code, text, _ = run(home, capfd, "verify")
    assert code == 0
    assert text.startswith("nothing is signed yet")
    assert "clearway ledger integrate" in text
    # Who names a key or a witness expects a log that was signed.
    key = Witness(tmp_path, "witness.example").key.public.text()
    assert run(home, capfd, "verify", "--witness", key)[0] == 9
    assert run(home, capfd, "verify", "--key", key)[0] == 9
    assert run(home, capfd, "witness")[0] == 6
    assert run(home, capfd, "epoch", "--reason", "none")[0] == 7


def test_a_log_that_was_signed_here_and_is_gone_is_exit_code_9(
    log_home: Path, home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    run(log_home, capfd, "integrate")
    (home / FOLDER).mkdir(exist_ok=True)
    with lease(home) as url, connect(url, autocommit=True) as db:
        row = db.execute("select origin from clearway.log_state").fetchone()
    assert row is not None
    signed = (log_home / FOLDER / SIGNED).read_text().splitlines(keepends=True)
    (home / FOLDER / SIGNED).write_text("".join([f"{row[0]}\n", *signed[1:]]))
    for how in ((), ("--json",)):
        code, _, err = run(home, capfd, "status", *how)
        assert code == 9
        assert "verify it" in err
    assert run(home, capfd, "verify")[0] == 9


@pytest.mark.parametrize(("body", "why"), [(b"", "it is empty"), (b"{}", "it is no whole ZIP archive")])
def test_what_is_no_exported_log_is_told_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], body: bytes, why: str
) -> None:
    odd = tmp_path / "odd"
    odd.write_bytes(body)
    assert cli.main(["--home", str(tmp_path / "home"), "ledger", "verify", str(odd)]) == 10
    said = capsys.readouterr().err
    assert f"this is no exported log: {why} (give a file of `clearway ledger export`)" in said
    assert "Error" not in said


def test_the_entries_of_one_persons_question_are_found_and_of_no_other(
    log_home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with opened(log_home) as log, log.db.transaction():
        row = log.db.execute("select clearway.question_of(0, %s)", ("assets?a=1&name=web",)).fetchone()
        made = append(
            log.db, "content.read", "list/assets", {"asked": row[0] if row else "", "rows": 1}, aud=0
        )
    code, told, _ = run(log_home, capfd, "asked", "0", "assets", "name=web&a=1", "--json")
    assert (code, [found["entry"] for found in told["entries"]]) == (0, [made])
    for person, wanted, question in (
        ("0", "assets", "name=web"),
        ("1", "assets", "name=web&a=1"),
        ("0", "x", "a=1"),
    ):
        assert run(log_home, capfd, "asked", person, wanted, question)[0] == 6


def test_an_address_is_enough_and_where_nothing_is_found_the_filters_of_the_entries_are_named(
    log_home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with opened(log_home) as log, log.db.transaction():
        row = log.db.execute("select clearway.question_of(0, %s)", ("search?kind=&q=vpn-1",)).fetchone()
        content = {"asked": row[0] if row else "", "filters": ["kind", "q"], "rows": 1}
        made = append(log.db, "content.read", "list/search", content, aud=0)
    code, told, _ = run(log_home, capfd, "asked", "0", "search", "/search?q=vpn-1", "--json")
    assert (code, [found["entry"] for found in told["entries"]]) == (0, [made])
    code, _, said = run(log_home, capfd, "asked", "0", "search", "q=vpn-2")
    assert code == 6
    assert "give all of a set: kind, q" in said


@contextmanager
def no_entries(home: Path) -> Iterator[None]:
    """The log takes none."""
    with lease(home) as url, connect(url, autocommit=True) as db:
        db.execute(
            """create function clearway.no_entry() returns trigger language plpgsql as
            $$ begin raise 'no entry'; end $$;
            create trigger no_entry before insert on clearway.log_entry execute function clearway.no_entry()"""
        )
        try:
            yield
        finally:
            db.execute("drop function clearway.no_entry() cascade")


def handed_out(home: Path) -> list[tuple[Any, ...]]:
    """Act, subject, content and audience of each entry of what was handed out."""
    with lease(home) as url, connect(url, autocommit=True) as db:
        return db.execute(
            """select act, subject, content, aud from clearway.log_entry
            where act in ('ledger.exported', 'ledger.proof_given') order by entry"""
        ).fetchall()


def test_what_opens_the_log_is_its_owners_file_alone_and_is_on_the_log(
    log_home: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    before = handed_out(log_home)
    umask = os.umask(0)
    try:
        assert run(log_home, capfd, "export", tmp_path / "hashes.zip")[0] == 0
        assert handed_out(log_home) == before, "hashes say nothing of what entries are"
        assert run(log_home, capfd, "export", tmp_path / "opened.zip", "--opened")[0] == 0
    finally:
        os.umask(umask)
    assert {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {
        "hashes.zip": 0o600,
        "opened.zip": 0o600,
    }
    (told,) = handed_out(log_home)[len(before) :]
    with zipfile.ZipFile(tmp_path / "opened.zip") as bundle:
        size = json.loads(bundle.read("log.json"))["size"]
    sha256 = hashlib.sha256((tmp_path / "opened.zip").read_bytes()).hexdigest()
    assert told == ("ledger.exported", "ledger", f'{{"sha256":"{sha256}","size":{size}}}', 0)


@pytest.mark.parametrize("more", [(), ("--opened",)], ids=["hashes", "opened"])
def test_an_export_is_written_over_nothing(
    log_home: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], more: tuple[str, ...]
) -> None:
    before = handed_out(log_home)
    (tmp_path / "mine.txt").write_text("precious")
    (tmp_path / "dangling").symlink_to(tmp_path / "elsewhere")
    for name in ("mine.txt", "dangling"):
        code, _, err = run(log_home, capfd, "export", tmp_path / name, *more)
        assert code == 2
        assert "there is a file of that name" in err
    assert (tmp_path / "mine.txt").read_text() == "precious"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dangling", "mine.txt"]
    assert handed_out(log_home) == before


def test_what_opens_the_log_does_not_leave_without_an_entry(
    log_home: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with lease(log_home) as url, connect(url, autocommit=True) as db:
        green, red = (append(db, "asset.added", "asset/7", {"n": 7}, aud=aud) for aud in (1, _red(db)))
    assert run(log_home, capfd, "proof", str(red))[0] == 0, "integrated"
    with no_entries(log_home):
        code, _, err = run(log_home, capfd, "export", tmp_path / "opened.zip", "--opened")
        assert (code, "no entry" in err) == (70, True)
        assert run(log_home, capfd, "export", tmp_path / "hashes.zip")[0] == 0
        code, out, err = run(log_home, capfd, "proof", str(red))
        assert (code, out, "no entry" in err) == (70, "", True)
        assert run(log_home, capfd, "proof", str(green))[0] == 0
    assert [path.name for path in tmp_path.iterdir()] == ["hashes.zip"]


def test_a_proof_that_opens_what_is_marked_is_told_to_who_may_see_it(
    log_home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with lease(log_home) as url, connect(url, autocommit=True) as db:
        aud = _red(db)
        clear, red = (append(db, "asset.added", "asset/7", {"n": 7}, aud=each) for each in (0, aud))
    before = handed_out(log_home)
    assert run(log_home, capfd, "proof", str(clear))[0] == 0
    assert handed_out(log_home) == before
    assert run(log_home, capfd, "proof", str(red))[0] == 0
    told = ("ledger.proof_given", f"entry/{red}", '{"parts":["header","content"]}', aud)
    assert handed_out(log_home) == [*before, told]
    for part, opens in (("--header", '{"parts":["content"]}'), ("--content", None)):
        assert run(log_home, capfd, "erase", str(red), part, "--reason", "asked for")[0] == 0
        before = handed_out(log_home)
        assert run(log_home, capfd, "proof", str(red))[0] == 0
        new = [content for _, _, content, _ in handed_out(log_home)[len(before) :]]
        assert new == ([opens] if opens else []), part


def _red(db: Any) -> int:
    """An audience that is not everybody's."""
    (aud,) = db.execute(
        "select clearway.make_audience(array[clearway.make_clause(array[clearway.group_of('person', 1)], false)])"
    ).fetchone()
    return int(aud)
