"""What a command reads of marked content is an entry of the log, and nothing of it is printed without one."""

from __future__ import annotations

import argparse
import inspect
import sys
import tomllib
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import psycopg
import pytest

from clearway.access import here
from clearway.app.cli import COMMANDS
from clearway.records.errors import ClearwayError, ConflictError
from people import People
from told_readings import tells

_REASONS = Path(__file__).parent / "command_readings.toml"


def _commands() -> Iterator[tuple[str, Callable[..., int]]]:
    """(words, function) of every command."""
    for module in dict.fromkeys(module for module, _ in COMMANDS.values()):
        parser = argparse.ArgumentParser(prog="clearway")
        import_module(module).add_commands(parser.add_subparsers(dest="command"))
        yield from _below(parser, ())


def _below(
    parser: argparse.ArgumentParser, words: tuple[str, ...]
) -> Iterator[tuple[str, Callable[..., int]]]:
    func = parser.get_default("func")
    if func is not None:
        yield " ".join(words), func
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, one in action.choices.items():
                yield from _below(one, (*words, name))


def test_every_command_that_reads_what_is_governed_tells_the_log_or_says_why_not() -> None:
    given = tomllib.loads(_REASONS.read_text())["silent"]
    reasons = {command: part["why"] for part in given for command in part["commands"]}
    assert len(reasons) == sum(len(part["commands"]) for part in given), "a command with two reasons"
    silent = set()
    for words, func in _commands():
        module = inspect.getmodule(func)
        assert module is not None
        if not tells(module, func.__name__, set()):
            silent.add(words)
    assert silent - set(reasons) == set(), (
        "reads without an entry: tell it by the note of access.here.reading, or say why in command_readings.toml"
    )
    assert set(reasons) - silent == set(), "a reason for what tells the log, or is gone"
    assert all(reasons.values())


@pytest.fixture
def kept(people: People) -> tuple[People, str, int]:
    """An organisation's asset in the log's words: who operates there, and its audience."""
    who = people.somebody(people.org("water"), "operator")
    with people.acting(who) as db:
        row = db.execute("select clearway.my_own_audience()").fetchone()
    assert row is not None
    return people, who.key, int(row[0])


def _readings(people: People) -> list[tuple[Any, ...]]:
    with people.owner() as db:
        return db.execute(
            "select subject, content from clearway.log_entry where act = 'content.read' order by entry"
        ).fetchall()


def test_what_was_printed_meanwhile_is_shown_once_its_entry_is_committed(
    kept: tuple[People, str, int], capsys: pytest.CaptureFixture[str]
) -> None:
    people, key, aud = kept
    with here.reading(people.pool, key, "inventory show") as (_, note):
        note("asset/1", [aud])
        print("web")
        sys.stdout.buffer.write("pump\u00e9\n".encode())
        assert capsys.readouterr().out == ""
        assert _readings(people) == []
    assert capsys.readouterr().out == "web\npump\u00e9\n"
    assert [subject for subject, _ in _readings(people)] == ["asset/1"]


def test_a_command_tells_each_time_that_it_reads(kept: tuple[People, str, int]) -> None:
    people, key, aud = kept
    for _ in range(2):
        with here.reading(people.pool, key, "exposure list") as (_, note):
            note("asset/1", [aud])
            note.listed("exposures", "status=open", [aud, aud])
    told = _readings(people)
    assert [subject for subject, _ in told] == ["asset/1", "list/exposures"] * 2
    assert all('"clearway exposure list"' in str(content) for _, content in told[1::2])


@pytest.mark.parametrize("wrong", [ConflictError("the entry can't be written"), KeyboardInterrupt()])
def test_a_command_whose_reading_is_not_committed_prints_nothing(
    kept: tuple[People, str, int], capsys: pytest.CaptureFixture[str], wrong: BaseException
) -> None:
    people, key, aud = kept

    def show() -> None:
        with here.reading(people.pool, key, "inventory show") as (_, note):
            note("asset/1", [aud])
            print("web")
            raise wrong

    with pytest.raises(type(wrong)):
        show()
    assert capsys.readouterr().out == ""
    assert _readings(people) == []


def test_a_log_that_takes_no_entry_shows_nothing_of_a_list_either(
    kept: tuple[People, str, int], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from clearway.ledger import reading

    def full(*_: object, **__: object) -> int:
        raise psycopg.errors.DiskFull("no space left on device")

    people, key, aud = kept
    monkeypatch.setattr(reading, "append", full)

    def show() -> None:
        with here.reading(people.pool, key, "inventory list") as (_, note):
            note.listed("assets", "", [aud])
            print("web")

    with pytest.raises(ClearwayError):
        show()
    assert capsys.readouterr().out == ""
