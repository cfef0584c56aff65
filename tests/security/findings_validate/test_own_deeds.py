"""What a proof does by itself is no flaw of the package: each case forged a verdict once, with a harmless package."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from clearway.findings.validate import recipe
from clearway.findings.validate.build import Builder
from clearway.findings.validate.files import Given
from clearway.findings.validate.trial import trial
from clearway.records.errors import InputError
from clearway.sandbox import Backend
from findings_targets import a_wheel, judged, py_recipe, sha

# Two releases without a flaw that differ in what they have: enough to tell one from the other.
OLD = a_wheel(
    {"toy.py": "VERSION = '1.2'\ndef echo(x): return x\ndef only_in_old(flag=True): return 1\n", "old.py": ""}
)
NEW = a_wheel({"toy.py": "VERSION = '1.3'\ndef echo(x): return x\n"}, version="2")
SECRET = b"{{secret}}"
LIMITS = {"cpu_s": 2.0, "wall_s": 20.0}
BUSY = [{"call": "set", "args": [{"repeat": ["abcdefgh", 30_000_000]}]}] * 8


def forged(steps: list[Any], oracle: dict[str, Any], **more: Any) -> dict[str, Any]:
    return py_recipe(OLD, NEW, steps, oracle, times=1, limits=LIMITS, **more)


@pytest.mark.parametrize(
    ("steps", "oracle"),
    [
        ([{"get": "toy.only_in_old"}, *BUSY], {"kind": "endless"}),
        pytest.param(
            [{"get": "toy.VERSION", "as": "v"}, {"call": "$v.index", "args": ["1.2"]}, *BUSY],
            {"kind": "endless"},
            marks=pytest.mark.slow,
        ),
        pytest.param(
            [{"call": "toy.only_in_old", "kwargs": {"flag": False}}, *BUSY],
            {"kind": "endless"},
            marks=pytest.mark.slow,
        ),
        (
            [{"get": "toy.only_in_old"}, {"call": "zipfile.ZipFile", "args": ["/tmp/planted", "w"]}],
            {"kind": "file-outside", "path": "/tmp/planted"},
        ),
        (
            [{"call": "shutil.copy2", "args": ["/target/old.py", "/tmp/planted"]}],
            {"kind": "file-outside", "path": "/tmp/planted"},
        ),
    ],
    ids=["it counts where a name is there", "where a text is found", "where an argument is taken",
         "it writes a file itself", "it copies a file of the package"],
)  # fmt: skip
def test_it_stays_below_e2(box: Backend, builds: Path, steps: list[Any], oracle: dict[str, Any]) -> None:
    assert judged(box, builds, forged(steps, oracle), OLD, NEW, upto=2).ladder.level < 2


@pytest.mark.parametrize(
    "read",
    [
        [{"call": "io.BytesIO", "as": "b"}, {"call": "zipfile.ZipFile", "args": [{"$": "b"}, "w"], "as": "z"},
         {"call": "$z.write", "args": ["outside/a"]}, {"call": "$z.close"}, {"call": "$b.getvalue"}],
        [{"call": "shutil.copy2", "args": ["outside/a", "b"]}],
        [{"call": "shutil.copy2", "args": ["x/../outside/a", "b"]}],
    ],
    ids=["packed", "copied", "copied by another name"],
)  # fmt: skip
def test_the_secret_is_the_packages_alone_to_read(box: Backend, builds: Path, read: list[Any]) -> None:
    proof = {"files": {"outside/a": sha(SECRET), "x/y": sha(b"y")}}
    made = forged([{"get": "toy.only_in_old"}, *read], {"kind": "access", "file": "outside/a"}, proof=proof)
    found = judged(box, builds, made, OLD, NEW, SECRET, b"y", upto=1)
    assert found.ladder.level == 0
    assert "fails outside of the package" in found.ladder.why


def test_the_secret_is_in_no_other_file(box: Backend, builds: Path) -> None:
    proof = {"files": {"outside/a": sha(SECRET), "given": sha(SECRET)}}
    steps = [{"call": "toy.echo", "args": [{"file": "given"}]}]
    made = forged(steps, {"kind": "access", "file": "outside/a"}, proof=proof)
    assert judged(box, builds, made, OLD, NEW, SECRET, upto=1).ladder.level == 0
    made["proof"] = {
        "kind": "command",
        "argv": ["python3", "-m", "toy", "outside/a"],
        "files": proof["files"],
    }
    with pytest.raises(InputError, match="by its name"):
        recipe.read(json.dumps(made).encode())


def test_what_fires_by_chance_is_asked_three_times_at_least(box: Backend, builds: Path) -> None:
    made = forged([{"call": "toy.only_in_old"}], {"kind": "output", "text": "1"})
    found = judged(box, builds, made, OLD, NEW, upto=1)
    assert (found.ladder.steps[1].times, found.ladder.steps[1].of) == (3, 3)


@pytest.mark.slow
def test_twenty_times_the_same_harmless_input_is_one(box: Backend, builds: Path) -> None:
    harmless = {"kind": "steps", "steps": [{"call": "toy.echo", "args": ["a"]}]}
    one = a_wheel({"toy.py": "def echo(x): return x\ndef run(x): return open(x).read()\n"})
    two = a_wheel({"toy.py": "def echo(x): return x\ndef run(x): return ''\n"}, version="2")
    steps = [{"call": "toy.run", "args": ["x/../outside/a"]}]
    proof = {"files": {"outside/a": sha(SECRET), "x/y": sha(b"y")}}
    oracle = {"kind": "access", "file": "outside/a"}
    made = py_recipe(one, two, steps, oracle, proof=proof, benign=[harmless] * 20, limits=LIMITS)
    found = judged(box, builds, made, one, two, SECRET, b"y", upto=5, seconds=0.2)
    assert found.ladder.level == 4, found.ladder
    assert "1 benign inputs: 20 are wanted" in found.ladder.why


def test_what_does_not_run_on_either_build_is_no_harmless_input(box: Backend, builds: Path) -> None:
    never = {"kind": "steps", "steps": [{"call": "toy.nothing"}]}
    made = forged(
        [{"call": "toy.echo", "args": ["1.2"]}, {"get": "toy.VERSION"}], {"kind": "output", "text": "1.2"}
    )
    made["benign"] = [never]
    found = judged(box, builds, made, OLD, NEW, upto=3)
    assert found.ladder.level == 2
    assert "no good end" in found.ladder.why


def test_what_the_package_itself_opens_is_not_bounded_by_its_caller(box: Backend, builds: Path) -> None:
    """A generator, a callback and a method of the package do as they like, whoever calls them."""
    package = """
def lines(path):
    with open(path) as file:
        yield from file
class Reader:
    def __init__(self, path): self.path = path
    def __str__(self): return open(self.path).read()
"""
    wheel = a_wheel({"toy.py": package})
    for steps in (
        [{"call": "toy.lines", "args": ["outside/a"], "as": "g"}, {"call": "list", "args": [{"$": "g"}]}],
        [{"call": "toy.Reader", "args": ["outside/a"], "as": "r"}, {"call": "str", "args": [{"$": "r"}]}],
    ):
        proof = {"files": {"outside/a": sha(SECRET)}}
        made = py_recipe(wheel, None, steps, {"kind": "access", "file": "outside/a"}, proof=proof, times=1)
        assert judged(box, builds, made, wheel, SECRET, upto=1).ladder.level == 1


@pytest.mark.parametrize(
    "argv",
    [["-m", "timeit", "-n1", "1"], ["-m", "code"], ["-m", "pdb"], ["-c", "1"], ["-m"], ["-m", "-c"]],
    ids=" ".join,
)  # fmt: skip
def test_a_module_that_runs_what_it_is_told_is_no_target(argv: list[str]) -> None:
    made = py_recipe(OLD, None, [{"call": "toy.echo"}], {"kind": "signal"})
    made["proof"] = {"kind": "command", "argv": ["python3", *argv]}
    with pytest.raises(InputError):
        recipe.read(json.dumps(made).encode())


def test_a_file_of_the_proof_does_not_stand_in_for_the_package(box: Backend, builds: Path) -> None:
    """`python3 -m` would look into the working folder first, where the proof's files lie."""
    wheel = a_wheel({"toy.py": "print('the package')\n"})
    own = b"import os\nprint('planted', flush=True)\nos.abort()\n"
    made = py_recipe(wheel, None, [{"call": "toy.echo"}], {"kind": "signal", "name": "SIGABRT"})
    made["proof"] = {
        "kind": "command", "argv": ["python3", "-m", "toy"],
        "files": {"toy.py": sha(own), "toy/__main__.py": sha(own)},
    }  # fmt: skip
    read, files = recipe.read(json.dumps(made).encode()), Given(wheel, own)
    built = Builder(box, builds).build(read.target, files)
    shown = trial(box, built, read.proof, read.oracle, files, read.limits)
    assert (shown.outcome.stdout, shown.seen.shows) == (b"the package\n", "silent")
    made["proof"]["argv"] = ["python3", "-m", "planted"]
    made["proof"]["files"] = {"planted.py": sha(own)}
    read = recipe.read(json.dumps(made).encode())
    with pytest.raises(InputError, match="none of the target"):
        trial(box, built, read.proof, read.oracle, files, read.limits)


@pytest.mark.parametrize(
    "name",
    ["$g.gi_frame.f_builtins", "$g.gi_code", "$e.tb_frame", "$f.f_back", "$c.cr_frame", "$x.co_consts"],
)
def test_frames_are_behind_the_package(name: str) -> None:
    with pytest.raises(InputError, match="behind"):
        recipe.read(json.dumps(py_recipe(OLD, None, [{"get": name}], {"kind": "endless"})).encode())


def test_an_iterator_that_never_ends_can_not_be_made() -> None:
    steps = [
        {"call": "iter", "args": [{"object": "int"}, 1], "as": "i"},
        {"call": "list", "args": [{"$": "i"}]},
    ]
    with pytest.raises(InputError, match="iter"):
        recipe.read(json.dumps(py_recipe(OLD, None, steps, {"kind": "endless"})).encode())
