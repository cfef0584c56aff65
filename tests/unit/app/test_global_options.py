"""`--json`, `--quiet` and `--home` anywhere among the words, of every command (DESIGN section 6)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from clearway.app.cli import COMMANDS, main
from table_home import make, sbom

EXPLAIN = ["directive", "explain", "--exposed", "yes", "--kev", "no"]
ANSWERS = [
    ["match", "SBOM"],
    ["query", "--purl", "pkg:pypi/alpha@1.2"],
    ["vuln", "CVE-2026-1001"],
    ["directive", "list"],
    ["directive", "show", "bod-26-04"],
    EXPLAIN,
    ["doctor"],
]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = make(tmp_path_factory.mktemp("tabled") / "home")
    (home / "a.cdx.json").write_bytes(sbom("pkg:pypi/alpha@1.2"))
    return home


def everywhere(words: list[str], *option: str) -> list[list[str]]:
    """`words` with the option before the command, after it, and at every place where no value is due."""
    places = [n for n in range(len(words) + 1) if n == 0 or not words[n - 1].startswith("--")]
    return [[*words[:n], *option, *words[n:]] for n in places]


@pytest.mark.parametrize("words", ANSWERS, ids=" ".join)
def test_json_home_and_quiet_may_stand_anywhere(
    home: Path, capfdbinary: pytest.CaptureFixture[bytes], words: list[str]
) -> None:
    words = [str(home / "a.cdx.json") if w == "SBOM" else w for w in words]
    said = []
    variants = [["--home", str(home), *w] for w in everywhere(words, "--json")]
    variants += [["--json", *w] for w in everywhere(words, "--home", str(home))]
    variants += [["--json", f"--home={home}", *w] for w in everywhere(words, "--quiet")]
    for variant in variants:
        usual = (0, 3) if words == ["doctor"] else (0, 1)  # 3: the bundled data grows old
        assert main(variant) in usual, variant
        answer = json.loads(capfdbinary.readouterr().out)
        said.append(answer if words != ["doctor"] else [check["name"] for check in answer])
    assert all(answer == said[0] for answer in said)


@pytest.mark.parametrize(
    ("words", "message"), [(["ingest"], b"nothing to take in"), (["bench", "none-such"], b"none-such")]
)
def test_these_know_json_too(
    capfdbinary: pytest.CaptureFixture[bytes], words: list[str], message: bytes
) -> None:
    for variant in everywhere(words, "--json"):
        assert main(variant) == 2
        assert message in capfdbinary.readouterr().err


@pytest.mark.parametrize("command", ["up", "demo"])
def test_a_command_without_a_json_answer_refuses_it(
    capfdbinary: pytest.CaptureFixture[bytes], command: str
) -> None:
    assert command in COMMANDS
    for variant in everywhere([command], "--json"):
        assert main(variant) == 2
        assert b"--json" in capfdbinary.readouterr().err


def test_after_two_dashes_a_word_is_no_option(home: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert main(["--home", str(home), "match", "--", "--json"]) == 6
    assert capfdbinary.readouterr().err.startswith(b"clearway: --json: no such file")


@pytest.mark.parametrize("words", [["--home"], ["--home", ""], ["--home="], ["--home", "--json", "doctor"]])
def test_a_home_without_a_folder_is_a_mistake(
    capfdbinary: pytest.CaptureFixture[bytes], words: list[str]
) -> None:
    assert main(words) == 2
    assert b"--home without a folder" in capfdbinary.readouterr().err


def test_help_and_version_are_there_beside_json(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    for word, start in (
        ("--help", b"usage: clearway"),
        ("-h", b"usage: clearway"),
        ("--version", b"clearway "),
    ):
        assert main(["--json", word]) == 0
        assert capfdbinary.readouterr().out.startswith(start)
