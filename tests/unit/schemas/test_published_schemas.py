"""The published schemas: valid in themselves, described, and strict enough to notice a key that is missing or new."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from clearway.app.cli import main
from published import FOLDER, validator
from table_home import make, sbom

COMMANDS = sorted(p.name.removesuffix(".schema.json") for p in FOLDER.glob("*.schema.json"))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("tabled") / "home")


@pytest.mark.parametrize("name", COMMANDS)
def test_a_schema_is_valid_2020_12_with_a_name_a_title_and_words(name: str) -> None:
    schema = json.loads((FOLDER / f"{name}.schema.json").read_bytes())
    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["$id"] == f"urn:clearway:schema:{name}:1"
    assert schema["title"].startswith(f"clearway {name.replace('-', ' ')}")
    assert schema["description"].endswith(".")


def test_every_command_of_the_contract_has_its_schema() -> None:
    assert {"ingest", "match", "query", "vuln", "directive-explain"} <= set(COMMANDS)


def answers(home: Path, folder: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> dict[str, Any]:
    path = folder / "a.cdx.json"
    path.write_bytes(
        sbom("pkg:pypi/alpha@1.2", "pkg:pypi/gamma@1.1", "pkg:pypi/beta@3", "pkg:npm/left@1", "nothing")
    )
    found = {}
    for name, words in (
        ("match", ["match", str(path), "--json"]),
        ("query", ["query", "--purl", "pkg:pypi/alpha@1.2", "--json"]),
        ("vuln", ["vuln", "CVE-2026-1001", "--json"]),
    ):
        assert main(["--home", str(home), *words]) in (0, 1)
        found[name] = json.loads(capfdbinary.readouterr().out)
    return found


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of every object inside `value`."""
    found = [path] if isinstance(value, dict) else []
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inner:
        found += places(item, (*path, key))
    return found


# Objects with keys of their own, or of another's making.
OPEN = {"says", "kev", "ssvc"}


def test_what_commands_print_is_valid_and_no_key_may_come_unannounced(
    home: Path, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    for name, answer in answers(home, tmp_path, capfdbinary).items():
        validator(name).validate(answer)
        for path in places(answer):
            if OPEN & set(path):
                continue
            spoilt = copy.deepcopy(answer)
            inside = spoilt
            for key in path:
                inside = inside[key]
            inside["unannounced"] = 1
            assert not validator(name).is_valid(spoilt), (name, path)


@pytest.mark.parametrize("name", ["ingest", "match", "query", "vuln"])
def test_each_key_is_required(
    name: str, home: Path, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    if name == "ingest":
        from clearway.advisories.commands import summary
        from clearway.advisories.intake import Counts

        counts = Counts(
            new=1, by_source={"pypa": {"new": 1, "changed": 0, "unchanged": 0}}, rejects=[("a", "b")]
        )
        answer = json.loads(json.dumps(summary(counts)))
    else:
        answer = answers(home, tmp_path, capfdbinary)[name]
    validator(name).validate(answer)
    for key in set(answer) - {"purl", "bundles"}:
        without = {k: v for k, v in answer.items() if k != key}
        assert not validator(name).is_valid(without), key
