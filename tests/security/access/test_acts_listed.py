"""The closed list of acts holds every act that the code logs: read out of the code, through whatever passes it on."""

from __future__ import annotations

import ast
import re
from collections import deque
from collections.abc import Iterable, Iterator
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
# A function that passes an act on, and the file that has it (rooms have functions of one name): which argument.
Passing = dict[tuple[str, Path], tuple[int, str]]

# Most of a tree: nothing is within these that is looked for.
LEAVES = (ast.Name, ast.Constant, ast.expr_context, ast.alias, ast.operator, ast.cmpop)


class Scope:
    """A function or a file: what it calls, by whatever name, and what it assigns; with all that is within it."""

    def __init__(self, node: ast.Module | ast.FunctionDef) -> None:
        self.node = node
        self.calls: list[tuple[str, ast.Call]] = []
        self.names: set[str] = set()
        self.assigned: dict[str, ast.expr] = {}


def scopes(tree: ast.Module) -> list[Scope]:
    """The file and each function of it, found in one pass: the outer before what is within."""
    found: list[Scope] = []
    waiting: deque[tuple[ast.AST, tuple[Scope, ...]]] = deque([(tree, ())])
    while waiting:
        node, within = waiting.popleft()
        if isinstance(node, ast.FunctionDef | ast.Module):
            found.append(Scope(node))
            within = (*within, found[-1])
        elif isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            for scope in within:
                scope.calls.append((name, node))
                scope.names.add(name)
        elif isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Name):
                    for scope in within:
                        scope.assigned[target.id] = node.value
        for value in vars(node).values():
            for child in value if isinstance(value, list) else (value,):
                if isinstance(child, ast.AST) and not isinstance(child, LEAVES):
                    waiting.append((child, within))
    return found


class Sources:
    """The files below a folder, each read as code once it may hold what is looked for: to read all takes seconds."""

    def __init__(self, source: Path) -> None:
        self.texts = {path: path.read_text("utf-8") for path in sorted(source.rglob("*.py"))}
        self.called = {path: {*re.findall(r"(\w+)\(", text)} for path, text in self.texts.items()}
        self.read: dict[Path, list[Scope]] = {}
        self.known: dict[str, set[str]] = {}

    def scopes(self, path: Path) -> list[Scope]:
        if path not in self.read:
            self.read[path] = scopes(ast.parse(self.texts[path]))
        return self.read[path]

    def calling(self, names: Iterable[str]) -> Iterator[tuple[Path, list[Scope]]]:
        """The files that append to the log for an audience, or call something of these names."""
        wanted = {*names}
        for path, text in self.texts.items():
            called = self.called[path]
            if ("append" in called and "aud=" in text) or not wanted.isdisjoint(called):
                yield path, self.scopes(path)

    def constants(self, name: str) -> set[str]:
        """What a constant of that name is, in whatever files."""
        if name not in self.known:
            self.known[name] = {*self._constants(name)}
        return self.known[name]

    def _constants(self, name: str) -> Iterator[str]:
        return (
            value
            for path, text in self.texts.items()
            if f"\n{name} = " in text or f" = {name} = " in text
            for node in self.scopes(path)[0].node.body
            if isinstance(node, ast.Assign)
            for target in node.targets
            if isinstance(target, ast.Name) and target.id == name
            for value in texts(node.value, {})
        )


def collected(source: Path) -> set[str]:
    """Every act that the code names; what is only known when it runs is `*`."""
    sources = Sources(source)
    passing: Passing = {("log", source): (1, "act")}  # what the room of manners is given to log with
    while True:
        found, more = set[str](), dict(passing)
        asked = {"append", *(name for name, _ in passing)}
        for path, (file, *functions) in sources.calling(asked - {"append"}):
            near = nearest(passing, path)
            for scope in (file, *functions):
                function = scope.node
                for act in () if asked.isdisjoint(scope.names) else acts(scope, near):
                    known = scope.assigned | file.assigned
                    for text in texts(act, known):
                        found |= {text}
                    if isinstance(act, ast.Name) and act.id not in known:
                        found |= sources.constants(act.id)
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


def acts(scope: Scope, passing: dict[str, tuple[int, str]]) -> Iterator[ast.expr]:
    """What stands for the act in each call of `append(…, aud=…)`, or of what passes it on to that."""
    for name, node in scope.calls:
        if name != "append" and name not in passing:
            continue
        named = {k.arg: k.value for k in node.keywords}
        if name == "append" and "aud" in named and len(node.args) > 1:
            yield node.args[1]
        elif name in passing:
            place, word = passing[name]
            if word in named:
                yield named[word]
            elif 0 <= place < len(node.args):
                yield node.args[place]


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
