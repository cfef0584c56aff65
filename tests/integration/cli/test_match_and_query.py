"""`clearway match`, `query` and `vuln`: exit codes, output formats, and what they need of the process they are."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from intake_world import command, environment
from intake_world import run as run_apart
from intake_world import run_here as run
from published import validated
from table_home import sbom

ALPHA, CLEAN, UNCOVERED = "pkg:pypi/alpha@1.2", "pkg:pypi/alpha@1.9", "pkg:npm/left@1.0.0"


@pytest.fixture
def alpha(tmp_path: Path) -> Path:
    path = tmp_path / "alpha.cdx.json"
    path.write_bytes(sbom(ALPHA, "pkg:pypi/beta@2.0", UNCOVERED))
    return path


@pytest.fixture
def clean(tmp_path: Path) -> Path:
    path = tmp_path / "clean.cdx.json"
    path.write_bytes(sbom(CLEAN))
    return path


def one(result: subprocess.CompletedProcess[bytes]) -> dict[str, Any]:
    found = json.loads(result.stdout)
    assert isinstance(found, dict)
    return found


# Exit codes (DESIGN section 6)


def test_match_says_1_when_something_is_affected_and_0_when_nothing_is(
    tabled: Path, alpha: Path, clean: Path
) -> None:
    assert run("--home", tabled, "match", alpha).returncode == 1
    assert run("--home", tabled, "match", clean).returncode == 0


def test_input_that_is_set_aside_makes_it_10_whatever_else(tabled: Path, alpha: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.json"
    bad.write_text('{"bomFormat": "CycloneDX", "components": [')
    result = run("--home", tabled, "match", bad, alpha, "--json")
    assert result.returncode == 10
    assert str(bad) in result.stderr.decode()
    assert one(result)["inventory"]["affected"] == 2


def test_json_of_nothing_but_what_was_set_aside_is_an_empty_array(tabled: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.json"
    bad.write_text('{"bomFormat": "CycloneDX", "components": [')
    result = run("--home", tabled, "match", bad, bad, "--json")
    assert result.returncode == 10
    assert validated("match", result.stdout) == []
    assert result.stderr.count(b"set aside") == 2


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["match"], 2),
        (["match", "--no-such-option", "x"], 2),
        (["match", "SBOM", "--json", "--sarif"], 2),
        (["match", "SBOM", "--detected", "yesterday"], 2),
        (["match", "SBOM", "--exposure", "everywhere"], 2),
        (["match", "SBOM", "--directive", "bod-99"], 6),
        (["match", "SBOM", "--policy", "none-such"], 2),
        (["match", "no-such-file"], 6),
        (["query"], 2),
        (["query", "--purl", "no purl"], 10),
        (["query", "--batch", "no-such-file"], 6),
        (["vuln", "CVE-1999-9999"], 6),
        (["no-such-command"], 2),
        ([], 2),
        (["ingest"], 2),
        (["ingest", "x", "--format", "csv"], 2),
    ],
)
def test_a_mistake_has_its_code_one_line_and_no_traceback(
    tabled: Path, alpha: Path, words: list[str], code: int
) -> None:
    result = run("--home", tabled, *(str(alpha) if w == "SBOM" else w for w in words))
    said = result.stderr.decode()
    assert result.returncode == code, said
    assert said
    assert "Traceback" not in said
    assert result.stdout == b""


def test_a_word_that_is_no_text_is_2_and_a_file_so_named_is_shown_as_it_can(
    tabled: Path, alpha: Path, tmp_path: Path
) -> None:
    named = tmp_path / os.fsdecode(b"caf\xe9.json")
    named.write_bytes(alpha.read_bytes())
    for word in ("CVE-\udcff", str(tmp_path / "not-there-\udcff")):
        result = run("--home", tabled, "vuln", word)
        assert (result.returncode, result.stdout) == (2, b"")
        assert b"is not UTF-8" in result.stderr
        assert result.stderr.count(b"\n") == 1
    for how in ((), ("--json",), ("--jsonl",), ("--sarif",), ("--vex",), ("--openvex",)):
        assert run("--home", tabled, "match", named, *how).returncode == 1, how


def test_a_defect_has_a_code_of_its_own(tabled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """1 would say that something is affected."""
    from clearway.app import cli

    def broken(*_: object) -> int:
        raise ZeroDivisionError

    monkeypatch.setattr(cli, "_run", broken)
    result = run("--home", tabled, "match", "x")
    assert (result.returncode, result.stdout) == (70, b"")
    assert b"ZeroDivisionError" in result.stderr


def test_without_a_table_the_cure_is_named(tmp_path: Path, alpha: Path) -> None:
    for words in (["match", alpha], ["query", "--purl", ALPHA], ["vuln", "CVE-2026-1001"]):
        result = run("--home", tmp_path / "nowhere", *words)
        assert result.returncode == 3
        assert "clearway ingest" in result.stderr.decode()


def test_a_damaged_table_is_9_and_names_the_way_to_make_it_anew(tmp_path: Path, alpha: Path) -> None:
    path = tmp_path / "home" / "table" / "advisories.sqlite"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"SQLite format 3\0" + b"\xff" * 4096)
    result = run("--home", tmp_path / "home", "match", alpha)
    assert result.returncode == 9
    assert "--rebuild" in result.stderr.decode()


# Outputs


def test_json_is_one_object_for_one_inventory_and_an_array_for_several(
    tabled: Path, alpha: Path, clean: Path
) -> None:
    single = validated("match", run("--home", tabled, "match", alpha, "--json").stdout)
    several = validated("match", run("--home", tabled, "match", alpha, clean, "--json").stdout)
    assert single["inventory"]["name"] == str(alpha)
    assert [r["inventory"]["name"] for r in several] == [str(alpha), str(clean)]
    assert several[0] == single


def test_json_carries_what_the_contract_names(tabled: Path, alpha: Path) -> None:
    report = validated(
        "match", run("--home", tabled, "match", alpha, "--json", "--detected", "2026-07-01").stdout
    )
    assert report["inventory"] | {"components": 3, "affected": 2, "unknown": 1} == report["inventory"]
    finding = next(f for f in report["findings"] if f["flaw"] == "CVE-2026-1001")
    assert finding["component"]["purl"] == ALPHA
    assert sorted(finding["ids"]) == ["GHSA-2222-3333-4444", "PYSEC-2026-1"]
    assert finding["verdict"] == "affected"
    assert sorted(finding["fixed"]) == ["1.5", "1.6"]
    assert finding["due"]
    assert finding["kev"] == "2026-06-15"
    assert [u["component"]["purl"] for u in report["unknown"]] == [UNCOVERED]
    assert "npm" in report["unknown"][0]["reason"]


def test_json_lines_hold_the_same_as_the_object(tabled: Path, alpha: Path, clean: Path) -> None:
    lines = [
        json.loads(x) for x in run("--home", tabled, "match", alpha, clean, "--jsonl").stdout.splitlines()
    ]
    reports = json.loads(run("--home", tabled, "match", alpha, clean, "--json").stdout)
    again = []
    for line in lines:
        kind = line.pop("kind")
        if kind == "inventory":
            again.append({**line, "findings": [], "unknown": []})
        else:
            name = line.pop("inventory")
            assert name == again[-1]["inventory"]["name"]
            again[-1]["findings" if kind == "finding" else "unknown"].append(line)
    assert again == reports


def test_sarif_names_its_version_its_rules_and_every_place(tabled: Path, alpha: Path) -> None:
    document = one(run("--home", tabled, "match", alpha, "--sarif"))
    assert document["version"] == "2.1.0"
    (single,) = document["runs"]
    rules = [r["id"] for r in single["tool"]["driver"]["rules"]]
    assert len(rules) == len(set(rules))
    for result in single["results"]:
        assert rules[result["ruleIndex"]] == result["ruleId"]
        assert result["message"]["text"]
        assert result["locations"]
    assert {r["ruleId"] for r in single["results"]} >= {"CVE-2026-1001", "CVE-2026-1002"}


@pytest.mark.parametrize("kind", ["vex", "openvex"])
def test_vex_documents_are_read_by_our_own_readers(
    tabled: Path, alpha: Path, tmp_path: Path, kind: str
) -> None:
    from clearway.formats import detect, intake

    data = run("--home", tabled, "match", alpha, f"--{kind}").stdout
    found = detect.detect(data, "x.json").kind
    (decoded,) = intake.decode(found, data, "x.json")
    assert any("CVE-2026-1001" in s.flaws for d in decoded.items for s in d.statements)  # type: ignore[union-attr]


def test_the_same_question_has_the_same_answer_byte_for_byte(tabled: Path, alpha: Path) -> None:
    for kind in ("--json", "--sarif", "--vex", "--openvex", "--jsonl"):
        words = ("--home", tabled, "match", alpha, kind, "--detected", "2026-07-01", "--as-of", "2026-07-02")
        assert run(*words).stdout == run(*words).stdout


# Options


def test_the_options_say_what_they_were_given(tabled: Path, alpha: Path) -> None:
    words = ["--exposure", "internal", "--detected", "2026-07-01", "--as-of", "2026-07-03", "--standing", "binding",
             "--policy", "strict_incomplete"]  # fmt: skip
    report = one(run("--home", tabled, "match", alpha, "--json", *words))
    assert (report["exposure"], report["exposure_stated_by"]) == ("internal", "given")
    assert (report["detected"], report["detected_by"], report["as_of"]) == (
        "2026-07-01",
        "given",
        "2026-07-03",
    )
    assert (report["standing"], report["policy"], report["directive"]) == (
        "binding",
        "strict_incomplete",
        "bod-26-04",
    )


def test_without_a_day_of_detection_today_is_taken_and_said(tabled: Path, alpha: Path) -> None:
    report = one(run("--home", tabled, "match", alpha, "--json"))
    assert report["detected_by"] == "today"
    assert "today, none was given" in run("--home", tabled, "match", alpha).stdout.decode()


def test_another_directive_gives_other_tiers(tabled: Path, alpha: Path) -> None:
    report = one(
        run("--home", tabled, "match", alpha, "--json", "--directive", "bod-22-01", "--as-of", "2026-06-20")
    )
    assert report["directive"] == "bod-22-01"


# Standard input, folders, archives


def test_standard_input_is_an_inventory(tabled: Path, alpha: Path) -> None:
    result = run("--home", tabled, "match", "-", "--json", stdin=alpha.read_bytes())
    assert result.returncode == 1
    assert validated("match", result.stdout)["inventory"]["affected"] == 2


def test_a_folder_is_every_inventory_in_it_and_nothing_else(tabled: Path, alpha: Path, clean: Path) -> None:
    (alpha.parent / "LICENSE.txt").write_text("words\n")
    (alpha.parent / "notes.json").write_text("{}")
    result = run("--home", tabled, "match", alpha.parent, "--json")
    assert result.returncode == 1, result.stderr
    assert [Path(r["inventory"]["name"]).name for r in json.loads(result.stdout)] == [alpha.name, clean.name]


# One package


def test_query_answers_as_its_schema_says(tabled: Path) -> None:
    for words, verdict in (
        (["--purl", ALPHA], "affected"),
        (["--purl", CLEAN], "not_affected"),
        (["--ecosystem", "PyPI", "--name", "Alpha", "--version", "1.2"], "affected"),
        (["--ecosystem", "PyPI", "--name", "alpha"], "unknown"),
        (["--ecosystem", "npm", "--name", "left", "--version", "1"], "unknown"),
    ):
        result = run("--home", tabled, "query", *words, "--json")
        assert result.returncode == 0
        assert validated("query", result.stdout)["verdict"] == verdict


BATCH = [
    b'{"ecosystem": "PyPI", "name": "alpha", "version": "1.2"}',
    b"no JSON",
    b'["PyPI", "alpha"]',
    b'{"ecosystem": "PyPI"}',
    b'{"ecosystem": "PyPI", "name": ["alpha"], "version": 7}',
    b'{"ecosystem": "PyPI", "name": "alpha", "name": "beta", "version": "1.2"}',
    b'{"ecosystem": "PyPI", "name": "al\xffpha", "version": "1"}',
    b'{"ecosystem": "PyPI", "name": "al\\ud800pha", "version": "1"}',
    b'{"ecosystem": "PyPI", "name": "al\\u0000pha", "version": "1"}',
    b'{"purl": "pkg:pypi/beta@2.0"}',
    b'{"purl": "pkg:"}',
    b"[" * 100_000,
    b'{"ecosystem": "PyPI", "name": "alpha", "version": "' + b"9" * 100_000 + b'"}',
]


@pytest.mark.parametrize("ending", [b"\n", b"\r\n"])
def test_each_line_of_a_batch_has_its_line_of_answer(tabled: Path, tmp_path: Path, ending: bytes) -> None:
    path = tmp_path / "batch.jsonl"
    path.write_bytes(ending.join(BATCH))
    result = run("--home", tabled, "query", "--batch", path)
    assert result.returncode == 10
    assert result.stderr == b""
    answers = [validated("query", line) for line in result.stdout.splitlines()]
    assert len(answers) == len(BATCH)
    assert answers[0]["verdict"] == answers[9]["verdict"] == "affected"
    for number in (2, 3, 4, 5, 6, 7, 11, 12):
        assert answers[number - 1]["verdict"] == "unknown"
        assert f"{path}:{number}" in answers[number - 1]["error"]


def test_a_batch_from_standard_input_is_answered_while_it_comes(tabled: Path) -> None:
    result = run("--home", tabled, "query", "--batch", "-", stdin=BATCH[0] + b"\n" + BATCH[9] + b"\n")
    assert result.returncode == 0
    assert [json.loads(x)["verdict"] for x in result.stdout.splitlines()] == ["affected", "affected"]


@pytest.mark.parametrize("blank", [b"\n", b"\r\n", b" \t\n"])
def test_a_blank_line_has_its_answer_so_that_answers_stay_beside_their_lines(
    tabled: Path, blank: bytes
) -> None:
    result = run("--home", tabled, "query", "--batch", "-", stdin=BATCH[0] + b"\n" + blank + BATCH[9] + b"\n")
    assert result.returncode == 10
    answers = [validated("query", line) for line in result.stdout.splitlines()]
    assert [a["verdict"] for a in answers] == ["affected", "unknown", "affected"]
    assert answers[1]["error"].startswith("-:2: the line is blank")


def test_a_purl_that_cannot_be_read_is_answered_with_itself_and_its_line(tabled: Path) -> None:
    result = run(
        "--home", tabled, "query", "--batch", "-", stdin=BATCH[0] + b"\n" + b'{"purl": "pkg:pypi"}\n'
    )
    assert result.returncode == 10
    bad = validated("query", result.stdout.splitlines()[1])
    assert bad["purl"] == "pkg:pypi"
    assert bad["error"].startswith("-:2: pkg:pypi: purl has no name")


def test_vuln_answers_to_any_name_as_its_schema_says(tabled: Path) -> None:
    found = [
        validated("vuln", run("--home", tabled, "vuln", name, "--json").stdout)
        for name in ("CVE-2026-1001", "cve-2026-1001", "GHSA-2222-3333-4444", "PYSEC-2026-1")
    ]
    assert {f["id"] for f in found} == {"CVE-2026-1001"}
    assert {s["source"] for s in found[0]["sources"]} == {"github", "pypa"}
    assert any("1.5" in d["text"] and "1.6" in d["text"] for d in found[0]["disagreements"])
    assert found[0]["kev"]["date_added"] == "2026-06-15"
    bundle = validated("vuln", run("--home", tabled, "vuln", "ALSA-2026:1", "--json").stdout)
    assert bundle["bundles"] == ["CVE-2026-1002", "CVE-2026-1003"]


# Manners


@pytest.mark.parametrize(
    "words",
    [
        ["match", "SBOM", "--jsonl"],
        ["match", "SBOM"],
        ["query", "--batch", "BATCH"],
        ["vuln", "CVE-2026-1001", "--json"],
        ["--help"],
    ],
)
def test_a_reader_that_closes_early_is_no_error(tabled: Path, tmp_path: Path, words: list[str]) -> None:
    big, batch = tmp_path / "big.json", tmp_path / "batch.jsonl"
    big.write_bytes(sbom(*(f"pkg:pypi/alpha@1.{n}" for n in range(3000))))
    batch.write_bytes(b"\n".join(BATCH[:1] * 5000))
    chosen = [str(big) if w == "SBOM" else str(batch) if w == "BATCH" else w for w in words]
    process = subprocess.Popen(
        command("--home", tabled, *chosen), stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    said = process.stderr.read()
    process.stderr.close()
    process.wait(60)
    assert said == b""
    assert process.returncode in (0, 1)


@pytest.mark.parametrize(
    "words", [["match", "SBOM"], ["match", "SBOM", "--json"], ["query", "--purl", ALPHA], ["--help"]]
)
def test_output_that_can_not_be_written_is_8_and_says_so(tabled: Path, alpha: Path, words: list[str]) -> None:
    chosen = command("--home", tabled, *(str(alpha) if w == "SBOM" else w for w in words))
    env = environment()
    env.pop("PYTHONUNBUFFERED", None)
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(chosen, stdout=full, stderr=subprocess.PIPE, check=False, env=env)
    assert done.returncode == 8
    assert (
        done.stderr.decode() == "clearway: output: No space left on device (free space, or write elsewhere)\n"
    )


def test_closed_and_narrow_streams_are_no_reason_to_fail(tabled: Path, alpha: Path, tmp_path: Path) -> None:
    words = [*command("--home", tabled, "match", alpha)]
    closed = subprocess.run(["sh", "-c", '"$@" >&- 2>&-', "sh", *words], check=False, env=environment())
    assert closed.returncode == 1
    named = tmp_path / "ä…😀.cdx.json"
    named.write_bytes(alpha.read_bytes())
    done = run_apart("--home", tabled, "match", named, env=environment(PYTHONIOENCODING="ascii"))
    assert (done.returncode, done.stderr) == (1, b"")
    assert b"\\u2026" in done.stdout


def imported(*words: str | Path, home: Path) -> set[str]:
    """The modules that a command imports, by running it and asking afterwards."""
    code = (
        "import sys\nfrom clearway.app.cli import main\n"
        "try:\n    main(sys.argv[1:])\nfinally:\n    sys.stdout.flush()\n"
        "    sys.stderr.write(chr(10) + 'MODULES ' + ' '.join(sys.modules) + chr(10))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "--home", str(home), *map(str, words)],
        capture_output=True,
        check=False,
        env=environment(),
        timeout=60,
    )
    return set(done.stderr.decode().rpartition("MODULES ")[2].split())


HEAVY = {"psycopg", "rich", "litestar", "sqlalchemy", "alembic", "granian", "jinja2", "asyncio", "dataclasses",
         "multiprocessing", "concurrent.futures", "defusedxml", "zstandard", "typing_extensions"}  # fmt: skip


def test_what_starts_quickly_imports_little(tabled: Path, alpha: Path) -> None:
    assert "clearway.app.cli" in imported("--help", home=tabled)
    assert not HEAVY & imported("--help", home=tabled)
    assert "msgspec" in imported("match", alpha, "--json", home=tabled)
    assert not HEAVY & imported("match", alpha, "--json", home=tabled)
    assert not HEAVY & imported("query", "--purl", ALPHA, home=tabled)
    assert not {"argparse", "clearway.exposure.commands"} & imported("--help", home=tabled)


def test_no_database_and_a_home_that_nobody_may_write_to_are_enough(tabled: Path, alpha: Path) -> None:
    env = environment(CLEARWAY_DATABASE_URL="postgresql://nobody@127.0.0.1:9/none")
    folders = [tabled, tabled / "table"]
    for folder in folders:
        folder.chmod(0o555)
    before = sorted(p.name for p in tabled.rglob("*"))
    try:
        assert run_apart("--home", tabled, "match", alpha, "--json", env=env).returncode == 1
        assert run_apart("--home", tabled, "query", "--purl", ALPHA, env=env).returncode == 0
        assert run_apart("--home", tabled, "vuln", "CVE-2026-1001", env=env).returncode == 0
    finally:
        for folder in folders:
            folder.chmod(0o755)
    assert sorted(p.name for p in tabled.rglob("*")) == before


def test_the_home_comes_from_the_option_then_the_environment(
    tabled: Path, alpha: Path, tmp_path: Path
) -> None:
    assert run_apart("match", alpha, env=environment(CLEARWAY_HOME=str(tabled))).returncode == 1
    elsewhere = environment(CLEARWAY_HOME=str(tmp_path / "nowhere"))
    assert run_apart("match", alpha, env=elsewhere).returncode == 3
    assert run_apart(f"--home={tabled}", "match", alpha, env=elsewhere).returncode == 1
    assert run_apart("--json", "--home", tabled, "match", alpha, env=elsewhere).stdout.startswith(b"{")


# Text from outside


def test_no_control_character_of_anybody_reaches_a_terminal(tabled: Path, tmp_path: Path) -> None:
    from table_home import HOSTILE

    bad = "".join(c for c in HOSTILE if not c.isprintable())
    folder = tmp_path / "in"
    folder.mkdir()
    for number, data in enumerate(
        (
            sbom("pkg:pypi/odd@1", name=HOSTILE),
            sbom(f"pkg:pypi/{HOSTILE}@{HOSTILE}"),
            json.dumps(
                {
                    "bomFormat": "CycloneDX",
                    "specVersion": "1.6",
                    "components": [
                        {
                            "type": "library",
                            "name": HOSTILE,
                            "version": HOSTILE,
                            "purl": "pkg:npm/\x1b]0;x\x07",
                        }
                    ],
                }
            ).encode(),
            f"vendor,product,version,host\n{HOSTILE!r},x,1,{HOSTILE!r}\n".encode(),
            b"\x1b[2J{",
        )
    ):
        (folder / f"{number}\x1b[31m.json").write_bytes(data)
    outputs = [
        run("--home", tabled, "match", folder, "--all"),
        run("--home", tabled, "match", *sorted(folder.iterdir())),
        run("--home", tabled, "vuln", "PYSEC-2026-4"),
        run("--home", tabled, "vuln", HOSTILE),
        run("--home", tabled, "query", "--ecosystem", "PyPI", "--name", HOSTILE, "--version", HOSTILE),
        run("--home", tabled, "query", "--purl", f"pkg:npm/{HOSTILE}@1"),
        run("--home", tabled, HOSTILE),
        run("--home", tabled, "match", f"no{HOSTILE}file"),
        run("--home", tabled, "match", "x", f"--{HOSTILE}"),
        run("--home", f"{tmp_path}/{HOSTILE}", "match", "x"),
    ]  # fmt: skip
    for done in outputs:
        shown = (done.stdout + done.stderr).decode().replace("\n", " ")
        assert done.returncode != 70, shown
        assert not {c for c in shown if not c.isprintable()}, (done.args, shown)
        assert not set(bad) - {"\r", "\n"} & set(shown)


def test_nothing_is_coloured_where_no_terminal_is(tabled: Path, alpha: Path) -> None:
    for env in (environment(), environment(NO_COLOR="1")):
        assert b"\x1b" not in run_apart("--home", tabled, "match", alpha, env=env).stdout


def test_a_terminal_with_no_color_set_sees_no_colour(tabled: Path, alpha: Path) -> None:
    import pty

    for more, coloured in (({"NO_COLOR": "1"}, False), ({}, True)):
        ours, theirs = pty.openpty()
        env = environment(TERM="xterm-256color", **more)
        if not more:
            env.pop("NO_COLOR", None)
        process = subprocess.Popen(
            command("--home", tabled, "match", alpha), stdout=theirs, stderr=theirs, env=env
        )
        os.close(theirs)
        shown = b""
        try:
            while part := os.read(ours, 65536):
                shown += part
        except OSError:  # the other end is closed
            pass
        process.wait(60)
        os.close(ours)
        assert b"CVE-2026-1001" in shown
        assert (b"\x1b[31m" in shown or b"\x1b[1;31m" in shown) == coloured


def test_openvex_of_an_inventory_without_findings_is_no_document(tabled: Path, tmp_path: Path) -> None:
    path = tmp_path / "clean.txt"
    path.write_text("pkg:pypi/nothing-known@1.0\n")
    done = run("--home", tabled, "match", path, "--openvex")
    assert (done.returncode, done.stdout) == (0, b"")
    assert b"no OpenVEX document" in done.stderr


@pytest.mark.parametrize("components", ["[1]", '[{"type": "library", "name": "a", "components": "x"}]'])
def test_a_part_of_an_inventory_that_is_lost_is_said_and_is_10(
    tabled: Path, tmp_path: Path, components: str
) -> None:
    path = tmp_path / "x.json"
    path.write_text(f'{{"bomFormat": "CycloneDX", "specVersion": "1.6", "components": {components}}}')
    done = run("--home", tabled, "match", path, "--json")
    assert done.returncode == 10
    assert b"components" in done.stderr
