"""The closed list of acts holds every act that the code logs: read out of the code, through whatever passes it on."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from people import People

SOURCE = Path(__file__).parents[3] / "src" / "clearway"
ACT = re.compile(r"^(?:[a-z][a-z0-9_-]*|\*)(?:\.[a-z][a-z0-9_*-]*|\.\*)+$")
# What only the owner's jobs and commands log: not for the list.
OWNERS = {"backup", "restore", "retention", "feed", "record", "ledger", "clock", "marking", "desk"}
OWNERS_ACTS = {"embargo.frozen", "session.begun", "validation.accepted", "validation.judged"}
# A noun that is known when it runs: what it can be. A new one needs its nouns here.
NOUNS = {"*.added": ("person", "service"), "*.renamed": ("person", "service")}
# What a parameter is called that passes an act on. Functions of one name are told apart by their place alone: with
# any parameter, one that is taken for another leads on to all the rest.
PASSED = ("act", "what")
Trees = dict[Path, ast.Module]
# A function that passes an act on, and the file that has it (rooms have functions of one name): which argument.
Passing = dict[tuple[str, Path], tuple[int, str]]


def collected(source: Path) -> set[str]:
    """Every act that the code names; what is only known when it runs is `*`."""
    trees = {path: ast.parse(path.read_text("utf-8")) for path in sorted(source.rglob("*.py"))}
    constants = {
        (target.id, value)
        for tree in trees.values()
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
        for value in texts(node.value, {})
    }
    passing: Passing = {("log", source): (1, "act")}  # what the room of manners is given to log with
    while True:
        found, more = set[str](), dict(passing)
        for path, tree in trees.items():
            near = nearest(passing, path)
            for function in functions(tree):
                for act in acts(function, near):
                    known = assigned(function) | assigned(tree)
                    for text in texts(act, known):
                        found |= {text}
                    if isinstance(act, ast.Name) and act.id not in known:
                        found |= {value for name, value in constants if name == act.id}
                    if (
                        isinstance(function, ast.FunctionDef)
                        and isinstance(act, ast.Name)
                        and act.id in PASSED
                    ):
                        place = [a.arg for a in function.args.args].index(act.id) if act.id in [
                                a.arg for a in function.args.args] else -1  # fmt: skip
                        if place >= 0 or act.id in [a.arg for a in function.args.kwonlyargs]:
                            # Of two functions of one name in a file the first counts: each round adds, none takes back.
                            more.setdefault((function.name, path), (place, act.id))
        if more == passing:
            return {act for act in found if ACT.match(act)}
        passing = more


def nearest(passing: Passing, path: Path) -> dict[str, tuple[int, str]]:
    """Of the functions of one name, what the one nearest to `path` passes on."""

    def shared(other: Path) -> int:
        return sum(a == b for a, b in zip(path.parts, other.parts, strict=False))

    return {name: at for (name, _), at in sorted(passing.items(), key=lambda p: shared(p[0][1]))}


def acts(function: ast.AST, passing: dict[str, tuple[int, str]]) -> Iterator[ast.expr]:
    """What stands for the act in each call of `append(…, aud=…)`, or of what passes it on to that."""
    for node in calls(function):
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        named = {k.arg: k.value for k in node.keywords}
        if name == "append" and "aud" in named and len(node.args) > 1:
            yield node.args[1]
        elif name in passing:
            place, word = passing[name]
            if word in named:
                yield named[word]
            elif 0 <= place < len(node.args):
                yield node.args[place]


# The files are gone through once for each function that passes an act on: what does not change is found once.
@cache
def functions(tree: ast.Module) -> list[ast.Module | ast.FunctionDef]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.Module)]


@cache
def calls(function: ast.AST) -> list[ast.Call]:
    return [node for node in ast.walk(function) if isinstance(node, ast.Call)]


@cache
def assigned(scope: ast.AST) -> dict[str, ast.expr]:
    return {
        target.id: node.value
        for node in ast.walk(scope)
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def texts(value: ast.expr, known: dict[str, ast.expr], depth: int = 0) -> Iterator[str]:
    if depth > 4:
        return
    if isinstance(value, ast.Constant) and isinstance(value.value, str):
        yield value.value
    elif isinstance(value, ast.IfExp):
        yield from texts(value.body, known, depth + 1)
        yield from texts(value.orelse, known, depth + 1)
    elif isinstance(value, ast.JoinedStr):
        yield "".join(str(p.value) if isinstance(p, ast.Constant) else "*" for p in value.values)
    elif isinstance(value, ast.Name) and value.id in known:
        yield from texts(known[value.id], known, depth + 1)


@pytest.fixture(scope="module")
def named() -> set[str]:
    return collected(SOURCE)


def test_the_acts_are_found_where_they_are_named_chosen_built_or_passed_on(named: set[str]) -> None:
    for act in (
        "person.invited",  # named
        "client.added",  # chosen between two
        "asset.added",  # passed on by a function of the room
        "*.added",  # built: a person or a service
        "directive.acknowledged",
        "embargo.disarmed",
        "webhook.removed",
        "finding.levelled",
        "triage.*",
        "approval.*",
    ):
        assert act in named, act


def test_every_act_that_the_code_logs_is_in_the_list(people: People, named: set[str]) -> None:
    """One that is not would fail when it is first done."""
    with people.owner() as db:
        listed = dict(db.execute("select act, app from clearway.log_act").fetchall())
    wanted = {act for act in named if not act.startswith("*.")}
    for act in named - wanted:
        assert act in NOUNS, f"{act}: say in NOUNS what its noun can be"
        wanted |= {f"{noun}{act[1:]}" for noun in NOUNS[act]}
    lacking = {
        act
        for act in wanted
        if act.split(".")[0] not in OWNERS
        and act not in OWNERS_ACTS
        and act not in listed  # also one that is listed as the owner's alone
        and not listed.get(act.split(".")[0] + ".*", False)
    }
    assert lacking == set(), "insert them into clearway.log_act by the room's migration"
