"""The documents against the code: what exists is documented, what is documented exists, and examples parse."""

from __future__ import annotations

import argparse
import ast
import io
import re
import shlex
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from datetime import date
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tables import BLOCK, ROOT, TABLES, documents, family, handled, renewed

from clearway.advisories.commands import summary
from clearway.advisories.groups import LARGEST_GROUP
from clearway.advisories.intake import Counts
from clearway.advisories.view import view
from clearway.app import cli
from clearway.app.doctor import Check
from clearway.exposure.as_json import report_object
from clearway.exposure.match import Matcher
from clearway.exposure.query import ask, ask_line
from clearway.formats.inventory import read_inventory
from clearway.http import problems
from clearway.records.advisory import Kev, Ssvc
from clearway.records.errors import ClearwayError
from world import record, table_of

PAGES = documents()
IDS = [str(page.relative_to(ROOT)) for page in PAGES]
REFERENCE = ROOT / "docs" / "reference"
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.DOTALL | re.MULTILINE)
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*")
CODE = re.compile(r"`([^`\n]+)`")
every_page = pytest.mark.parametrize("page", PAGES, ids=IDS)


def text_of(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def prose(page: Path) -> str:
    """The page without its code blocks."""
    return FENCE.sub("", page.read_text("utf-8"))


def section(text: str, heading: str) -> str:
    """What stands under a heading, up to the next one."""
    found = re.search(rf"^#+ {re.escape(heading)}\n(.*?)(?=^#|\Z)", text, re.DOTALL | re.MULTILINE)
    assert found, f"no heading {heading!r}"
    return found[1]


def codes(text: str) -> set[str]:
    return {part.strip() for found in CODE.findall(text) for part in found.split(",")}


# --- the parsers ---------------------------------------------------------------------------------


@cache
def parser_for(command: str) -> argparse.ArgumentParser:
    """The parser that the command line really uses for `command`."""
    parser = argparse.ArgumentParser(prog="clearway", allow_abbrev=False)
    module: Any = import_module(cli.COMMANDS[command][0])
    module.add_commands(parser.add_subparsers(dest="command", metavar="COMMAND"))
    return parser


def children(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    return {}


def leaves() -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """(words, parser) of every command without commands of its own."""
    for command in cli.COMMANDS:
        own = children(parser_for(command))[command]
        inner = children(own)
        if not inner:
            yield command, own
        for name, parser in inner.items():
            yield f"{command} {name}", parser


LEAVES = dict(leaves())
every_command = pytest.mark.parametrize("command", LEAVES)


@every_command
def test_every_option_of_a_command_is_documented_and_no_other(command: str) -> None:
    said = section(text_of("docs/reference/cli.md"), f"`clearway {command}`")
    table = "\n".join(line.split("|", 2)[1] for line in _rows(said))
    real = {o for a in LEAVES[command]._actions for o in a.option_strings if o.startswith("--")} - {"--help"}
    assert set(OPTION.findall(table)) == real


def _rows(text: str) -> list[str]:
    """The lines of tables, with an escaped `|` inside a cell out of the way."""
    return [line.replace("\\|", "¦") for line in text.splitlines() if line.startswith("|")]


@every_command
def test_every_choice_of_an_option_is_named(command: str) -> None:
    said = section(text_of("docs/reference/cli.md"), f"`clearway {command}`")
    words = set(re.findall(r"[\w-]+", said))
    for action in LEAVES[command]._actions:
        assert set(action.choices or ()) <= words, action.option_strings


def test_no_command_is_documented_that_is_none() -> None:
    headed = set(re.findall(r"^#+ `clearway ([a-z ]+)`$", text_of("docs/reference/cli.md"), re.MULTILINE))
    assert headed - {"directive"} == set(LEAVES)


def test_the_global_options_are_documented_and_no_other(capsys: pytest.CaptureFixture[str]) -> None:
    intro = text_of("docs/reference/cli.md").partition("\n## ")[0]
    assert set(OPTION.findall("".join(_rows(intro)))) == {
        "--home",
        "--quiet",
        "--json",
        "--version",
        "--help",
    }
    assert cli._globals(["--home", "x", "--quiet"]) == (Path("x"), True, [])
    for option in ("--version", "--help"):
        assert cli.main([option]) == 0
    assert {"--home"} <= set(OPTION.findall(capsys.readouterr().out)) <= set(OPTION.findall(intro))


# --- examples ------------------------------------------------------------------------------------


def examples(page: Path) -> Iterator[str]:
    """The `clearway …` command lines in the code blocks of a page."""
    for _, body in FENCE.findall(page.read_text("utf-8")):
        for line in body.splitlines():
            for part in re.split(r"\s\|\s", line.removeprefix("$ ")):
                call = re.match(r"(?:\S*/)?clearway(\s.*)?$", part.strip())
                if call:
                    yield "clearway" + (call[1] or "")


def parses(line: str) -> str:
    """ "" when the real parsers take this command line, else what they say."""
    words = shlex.split(line, comments=True)[1:]
    words = words[: next((i for i, w in enumerate(words) if w[0] in "<>&;"), len(words))]
    if words in ([], ["--help"], ["--version"]) or "…" in words or "COMMAND" in words:
        return ""
    try:
        _, _, rest = cli._globals(words)
    except ClearwayError as error:
        return str(error)
    command = next((w for w in rest if not w.startswith("-")), "")
    if command not in cli.COMMANDS:
        return f"no command {command!r}"
    rest.remove(command)
    said = io.StringIO()
    with redirect_stderr(said), redirect_stdout(said):
        try:
            parser_for(command).parse_args([command, *rest])
        except SystemExit as stop:
            return "" if not stop.code else said.getvalue()
        except ClearwayError as error:
            return str(error)
    return ""


@every_page
def test_every_command_line_in_a_code_block_parses(page: Path) -> None:
    faults = {line: wrong for line in examples(page) if (wrong := parses(line))}
    assert not faults


def test_the_check_of_command_lines_sees_what_is_wrong() -> None:
    assert parses("clearway match") != ""
    assert parses("clearway match x.json --jsn") != ""
    assert parses("clearway match x.json --detected tomorrow") != ""
    assert parses("clearway frobnicate x") != ""
    assert parses("clearway match x.json --json > out.json  # why") == ""
    assert sum(1 for page in PAGES for _ in examples(page)) > 40


def unreal(words: str) -> str:
    """ "" when a sentence's `clearway A B --c` names what there is, else what of it there is not."""
    _, _, (first, *rest) = cli._globals(words.split()[1:])
    if first not in cli.COMMANDS:
        return first
    parser = children(parser_for(first))[first]
    while rest and (inner := children(parser)) and re.fullmatch(r"[a-z][a-z|/-]*", rest[0]):
        names = re.split(r"[|/]", rest.pop(0))
        if missing := set(names) - set(inner):
            return " ".join(sorted(missing))
        parser = inner[names[0]]
    return " ".join(sorted(set(OPTION.findall(words)) - options(parser) - {"--home", "--quiet", "--version"}))


def options(parser: argparse.ArgumentParser) -> set[str]:
    """Those of a command and of the commands below it."""
    own = {option for action in parser._actions for option in action.option_strings}
    return own.union(*(options(inner) for inner in children(parser).values()))


@every_page
def test_every_command_and_option_named_in_a_sentence_exists(page: Path) -> None:
    named = [words for words in CODE.findall(prose(page)) if re.match(r"clearway (--home \S+ )?[a-z]", words)]
    assert {words: wrong for words in named if (wrong := unreal(words))} == {}


def test_the_check_of_sentences_sees_what_is_wrong() -> None:
    assert unreal("clearway frobnicate") == "frobnicate"
    assert unreal("clearway finding lese ask") == "lese"
    assert unreal("clearway finding status --sarif") == "--sarif"
    assert unreal("clearway finding submit|status") == ""
    assert unreal("clearway --home DIR match x.json --json") == ""


@every_page
def test_every_make_target_named_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", text_of("Makefile"), re.MULTILINE))
    text = page.read_text("utf-8")
    lines = [line for _, body in FENCE.findall(text) for line in body.splitlines()]
    named = [m[1] for line in lines if (m := re.match(r"(?:\$ )?make ([a-z-]+)", line))]
    named += re.findall(r"`make ([a-z-]+)", text)
    assert set(named) <= targets


def test_every_make_target_is_documented() -> None:
    explained = set(re.findall(r"^([a-z-]+):.*##", text_of("Makefile"), re.MULTILINE))
    said = "".join(page.read_text("utf-8") for page in PAGES)
    assert {t for t in explained if f"make {t}" not in said} == set()


# --- errors, settings, routes --------------------------------------------------------------------


def test_every_error_code_is_documented_and_no_other() -> None:
    said = section(text_of("docs/reference/errors.md"), "The error family")
    rows = [line.split("|")[1].strip() for line in said.splitlines() if line.startswith("| `")]
    assert sorted(rows) == sorted(f"`{e.code}`" for e in family())


def test_every_exit_code_that_the_program_has_is_documented() -> None:
    said = section(text_of("docs/reference/errors.md"), "Exit codes")
    documented = {int(n) for n in re.findall(r"^\| (\d+) \|", said, re.MULTILINE)}
    assert documented == {0, 1, cli._INTERRUPTED, *cli.EXIT_CODES.values()}


def test_every_problem_code_of_the_api_is_documented_and_no_other() -> None:
    said = text_of("docs/reference/http.md").partition("## Errors")[2].partition("\n## ")[0]
    documented = set(re.findall(r"^\| `([a-z-]+)` \|", said, re.MULTILINE))
    assert documented == {*problems.ROWS, *(code for code, _ in problems.BY_STATUS.values())}


def test_every_route_is_documented_and_no_other() -> None:
    real = {f"{method} {path}" for method, paths, _ in handled() for path in paths}
    documented = set()
    for row in _rows(section(text_of("docs/reference/http.md"), "Routes")):
        first = row.split("|")[1]
        if named := re.search(r"`([A-Z]+) (/[^`]*)`", first):
            documented |= {f"{named[1]} {path}" for path in (named[2], *re.findall(r"`(/[^`]*)`", first))}
    assert documented == real


def settings() -> set[str]:
    """Every environment variable that the code or its scripts read, by their names in the sources."""
    found: set[str] = set()
    for path in (ROOT / "src").rglob("*.py"):
        text = path.read_text("utf-8")
        # To read all the others as code takes seconds.
        for node in ast.walk(ast.parse(text)) if "CLEARWAY" in text or "XDG" in text else ():
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.update(re.findall(r"^(?:CLEARWAY|XDG)_[A-Z_]+$", node.value))
    return found


def test_every_setting_is_documented_and_no_other() -> None:
    said = section(text_of("docs/reference/files.md"), "Environment variables")
    documented = set(CODE.findall("\n".join(r.split("|")[1] for r in _rows(said))))
    # NO_COLOR is read by the library that prints tables
    assert documented == settings() | {"NO_COLOR"}


def test_the_largest_alias_group_is_the_one_that_is_explained() -> None:
    assert f"more than {LARGEST_GROUP} ids" in text_of("docs/explain/alias-groups.md")


# --- what is printed -----------------------------------------------------------------------------


def keys(value: Any) -> set[str]:
    """All keys of a JSON value, however deep; maps by a source's or a record's name are not keys."""
    if isinstance(value, dict):
        return set(value).union(*(keys(v) for k, v in value.items() if k not in ("by_source", "says")))
    if isinstance(value, list):
        return set().union(*(keys(v) for v in value))
    return set()


@pytest.fixture
def world(tmp_path: Path) -> Any:
    kev = Kev(cve="CVE-2026-1000", date_added=date(2026, 12, 1), due_date=date(2026, 12, 20), catalogue="1")
    other = record("GHSA-aaaa-bbbb-cccc", "PyPI", "demo", {"introduced": "0"}, {"fixed": "3"},
                   aliases=["CVE-2026-1000"])  # fmt: skip
    first = record("PYSEC-2026-1", "PyPI", "demo", {"introduced": "0"}, {"fixed": "2"},
                   aliases=["CVE-2026-1000"],
                   severity=[{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}])  # fmt: skip
    return table_of(tmp_path, first, other, kev)


def documented(heading: str) -> set[str]:
    return codes(section(text_of("docs/reference/json.md"), heading))


def test_every_key_of_a_match_is_documented(world: Any) -> None:
    day = date(2026, 12, 7)
    inventory = read_inventory(b"demo==1.0\nother>=2\n", "requirements.txt")
    report = Matcher(world, as_of=day).match(inventory, detected=day, detected_by="given")
    printed = msgspec.json.decode(msgspec.json.encode(report_object(report)))
    assert printed["findings"]
    assert printed["unknown"]
    assert keys(printed) <= documented("`clearway match --json`")


def test_every_key_of_a_query_is_documented(world: Any) -> None:
    answers = [
        ask(world, "", "", "", purl="pkg:pypi/demo@1.0"),
        ask_line(world, b"no json", "-:1"),
    ]
    assert keys(answers) <= documented("`clearway query --json` and `--batch`")


def test_every_key_of_a_flaw_is_documented(world: Any) -> None:
    found = msgspec.to_builtins(view(world, "PYSEC-2026-1"))
    assert found["disagreements"]
    facts = {f for struct in (Kev, Ssvc) for f in struct.__struct_fields__}
    ranges = {"introduced", "fixed", "last_affected", "limit", "end"}
    assert keys(found) - facts - ranges <= documented("`clearway vuln --json`")


def test_every_key_of_an_intake_is_documented() -> None:
    counts = Counts(rejects=[("a", "b")])
    assert keys(summary(counts)) <= documented("`clearway ingest --json`")


def test_every_key_of_an_explanation_is_documented(capsys: pytest.CaptureFixture[str]) -> None:
    words = "directive explain --exposed yes --impact total --kev-added 2026-12-05 --as-of 2026-12-31 --json"
    assert cli.main(words.split()) == 0
    printed = msgspec.json.decode(capsys.readouterr().out)
    printed.pop("range")
    assert keys(printed) <= documented("`clearway directive explain --json`")


def test_every_key_of_a_check_is_documented() -> None:
    assert set(Check.__struct_fields__) <= documented("`clearway doctor --json`")


# --- the pages -----------------------------------------------------------------------------------


@every_page
def test_tables_made_from_the_code_are_up_to_date(page: Path) -> None:
    text = page.read_text("utf-8")
    assert renewed(text) == text, "run python tests/unit/docs/tables.py"


def test_every_table_has_its_place() -> None:
    placed = [m["name"] for page in PAGES for m in BLOCK.finditer(page.read_text("utf-8"))]
    assert sorted(placed) == sorted(TABLES)


def slug(heading: str) -> str:
    """The anchor that GitHub gives a heading."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


@every_page
def test_every_relative_link_resolves(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if target.startswith(("https://", "http://", "mailto:")):
            continue
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        assert there.is_relative_to(ROOT), target
        assert there.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.+)$", prose(there), re.MULTILINE)
            assert anchor in {slug(h) for h in headings}, target


@every_page
def test_every_page_of_the_documents_is_reached_from_the_index(page: Path) -> None:
    if page.parent == ROOT or page == ROOT / "docs" / "README.md":
        return
    assert f"({page.relative_to(ROOT / 'docs').as_posix()})" in text_of("docs/README.md")


_PLACES = re.compile(r"(?<![\w.~$/])/(?:work|home|root|Users|mnt|workspace)/")
# Registries by the labels of their hosts, so that this file names none either.
_REGISTRIES = re.compile(
    r"\b(?:pypi|pythonhosted|npmjs|rubygems|packagist|nuget|maven|quay|ghcr)\.(?:org|com|io)\b"
    r"|\b(?:registry|proxy|index|static|repo1?|hub|deb)\.(?:npmjs|golang|crates|maven|docker|debian)\b|crates\.io/"
)


@every_page
def test_no_page_names_a_machine_or_a_registry_host(page: Path) -> None:
    text = page.read_text("utf-8")
    assert not _PLACES.search(text)
    assert not _REGISTRIES.search(text)


def test_the_readme_keeps_a_marked_place_for_the_figures() -> None:
    text = text_of("README.md")
    assert text.count("<!-- figures:begin -->") == text.count("<!-- figures:end -->") == 1
    assert text.index("<!-- figures:begin -->") < text.index("<!-- figures:end -->")


def test_every_benchmark_is_named_where_one_is_asked_for() -> None:
    from benchmarks import NAMES

    from clearway.app.commands import BENCHMARKS

    assert tuple(BENCHMARKS.split(", ")) == NAMES
    told = (REFERENCE / "cli.md").read_text("utf-8")
    assert ", ".join(f"`{name}`" for name in NAMES) + " or `all`" in told
