"""Whole ladders in real boxes: C and Python targets, tests, patches, second compiler; signed, and run again."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from clearway.app import cli
from clearway.app.cli import main
from clearway.findings.desk_key import DeskKey
from clearway.findings.validate import build, level, statement, tools
from clearway.findings.validate.files import Given
from clearway.records.errors import InputError, IntegrityError
from clearway.sandbox import Backend
from findings_targets import (
    BYTES_BLOCKED,
    COPIES,
    LONG,
    MENDED,
    MENDS,
    SHORT,
    a_wheel,
    c_recipe,
    c_target,
    judged,
    py_recipe,
    py_target,
    read,
    sha,
)

AT = datetime(2026, 11, 25, 12, tzinfo=UTC)
TEST = b"int parse(const char *); int main(void) { return parse(\"abc\") != 'a'; }\n"


@pytest.fixture(scope="module")
def tested(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """A library with a test program of its own, and the patch that mends it."""
    library, main_c = (
        COPIES.partition(b"int main")[0],
        b'#include "main.c"\n' + b"int main" + COPIES.partition(b"int main")[2],
    )
    tests = [{"name": "keeps", "compile": ["test.c", "main.c"]}]
    files = {"main.c": sha(library), "use.c": sha(main_c), "test.c": sha(TEST)}
    target = c_target(COPIES, compile=["use.c"], tests=tests) | {"files": files}
    made = c_recipe(COPIES, None) | {
        "target": target,
        "patched": target | {"version": "1p", "patches": {"a": sha(MENDS)}},
    }
    return {"recipe": made, "blobs": (library, main_c, TEST, MENDS, LONG, SHORT)}


def test_a_c_target_climbs_to_e4_with_its_patch_tests_and_second_compiler(
    box: Backend, builds: Path, tested: dict[str, object]
) -> None:
    found = judged(box, builds, tested["recipe"], *tested["blobs"])  # type: ignore[misc, arg-type]
    assert [s.result for s in found.ladder.steps] == ["met"] * 5, found.ladder
    assert found.ladder.level == 4
    assert found.state is not None
    assert (found.state.error, found.state.frames) == ("heap-buffer-overflow", ("keep", "parse"))
    assert "1 tests pass as before and 1 benign" in found.ladder.steps[3].why
    assert found.vulnerable != found.patched


@pytest.mark.slow
def test_twenty_benign_inputs_make_e5(box: Backend, builds: Path) -> None:
    inputs = [b"a" * (n % 15) + f"{n}".encode()[-1:] for n in range(20)]
    made = c_recipe(COPIES, MENDED)
    made["benign"] = [{"kind": "command", "argv": ["target", "in"], "files": {"in": sha(i)}} for i in inputs]
    found = judged(box, builds, made, COPIES, MENDED, LONG, *inputs, upto=5, seconds=0.3)
    assert found.ladder.level == 5


def test_two_compilers_give_one_crash_state(box: Backend, builds: Path) -> None:
    if not tools.has("clang"):
        pytest.skip("no clang")
    from clearway.findings.validate.trial import trial

    made, files = read(c_recipe(COPIES, None)), Given(COPIES, LONG)
    states = set()
    for compiler in tools.COMPILERS:
        built = build.Builder(box, builds).build(made.target, files, compiler)
        shown = trial(box, built, made.proof, made.oracle, files, made.limits, symbolize=True)
        assert shown.seen.state is not None
        states.add(shown.seen.state.key)
    assert len(states) == 1


def test_undefined_behaviour_is_seen_as_a_sanitizers_stop(box: Backend, builds: Path) -> None:
    source = b"int main(int c, char **v) { int x = 2147483646 + c; x += c; return x == 7; }\n"
    found = judged(box, builds, c_recipe(source, None), source, LONG, SHORT, upto=1)
    assert found.ladder.level == 1
    assert found.state is not None
    assert found.state.error.startswith("ubsan:signed-integer-overflow")


STEPS = [{"call": "toy.run", "args": [{"repeat": ["a", {"n": 800}]}]}]
SLOW = a_wheel(
    {
        "toy.py": "def run(x):\n    n = range(len(x))\n    return sum(1 for a in n for b in n for c in range(5))\n"
    }
)
QUICK = a_wheel({"toy.py": "def run(x):\n    return len(x) ** 2 * 5\n"}, version="2")


@pytest.mark.slow
def test_growth_is_measured_on_three_sizes(box: Backend, builds: Path) -> None:
    benign = [{"kind": "steps", "steps": [{"call": "toy.run", "args": ["abc"]}]}]
    made = py_recipe(
        SLOW,
        QUICK,
        STEPS,
        {"kind": "growth", "ratio": 2.0},
        times=1,
        benign=benign,
        limits={"cpu_s": 1.0, "wall_s": 30.0},
    )
    found = judged(box, builds, made, SLOW, QUICK, upto=3)
    assert found.ladder.level == 3, found.ladder


@pytest.mark.parametrize(
    ("before", "after", "oracle"),
    [
        pytest.param(
            "def run(x):\n    while True: pass\n", "def run(x): pass\n", {"kind": "endless"}, marks=pytest.mark.slow
        ),
        ("def run(x): open('/tmp/a', 'w')\n", "def run(x): pass\n", {"kind": "file-outside", "path": "/tmp/a"}),
        ("class E(Exception): 1\ndef run(x): raise E\n", "def run(x): 1\n", {"kind": "raised", "exception": "toy.E"}),
        ("def run(x): return x\n", "def run(x): return ''\n", {"kind": "output", "text": "aaa"}),
        ("import ctypes\ndef run(x): ctypes.string_at(0)\n", "def run(x): pass\n", {"kind": "signal"}),
    ],
    ids=lambda v: v["kind"] if isinstance(v, dict) else "",
)  # fmt: skip
def test_every_oracle_fires_on_one_release_and_is_silent_on_the_other(
    box: Backend, builds: Path, before: str, after: str, oracle: dict[str, str]
) -> None:
    one, two = a_wheel({"toy.py": before}), a_wheel({"toy.py": after}, version="2")
    made = py_recipe(one, two, STEPS, oracle, limits={"cpu_s": 2.0, "wall_s": 20.0}, times=1)
    assert judged(box, builds, made, one, two, upto=2).ladder.level == 2


FLOODS = rb"""
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
int main(void) {
  char name[20];
  for (int n = 0; n < %d; n++) { sprintf(name, "%%d", n); fclose(fopen(name, "w")); }
  if (fork() == 0) { volatile char *bytes = malloc(1); bytes[1] = 1; _exit(0); }
  wait(NULL);
  return 0;
}
"""


def test_a_fix_that_hides_the_report_of_its_child_among_others_is_no_fix(box: Backend, builds: Path) -> None:
    one, two = FLOODS % 1, FLOODS % 10_001
    made = c_recipe(one, two, oracle={"kind": "sanitizer", "child": True})
    found = judged(box, builds, made, one, two, LONG, SHORT, upto=2)
    assert found.ladder.level == 1, found.ladder
    assert "may be missing" in found.ladder.why or "fires on the patched" in found.ladder.why


HIDES = """
import os
def run(x):
    open("/tmp/a", "w").close()
    {more}
"""


@pytest.mark.parametrize(
    "more",
    [
        "[open(f'/tmp/{n}', 'w').close() for n in range(300)]",
        "[os.mkdir(f'/tmp/{n}') or open(f'/tmp/{n}/x\\n', 'w').close() for n in range(300)]",
        "os.makedirs('/tmp/' + 'd/' * 40)",
    ],
    ids=["among others", "among names that are not printable", "beside what is deep"],
)
def test_a_fix_that_hides_the_file_among_others_is_no_fix(box: Backend, builds: Path, more: str) -> None:
    one, two = (a_wheel({"toy.py": HIDES.format(more=m)}, version=v) for m, v in (("pass", "1"), (more, "2")))
    made = py_recipe(one, two, STEPS, {"kind": "file-outside", "path": "/tmp/a"}, times=1)
    found = judged(box, builds, made, one, two, upto=2)
    assert found.ladder.level == 1, found.ladder


def test_releases_that_differ_in_their_notes_alone_are_one_build(box: Backend, builds: Path) -> None:
    one, two = a_wheel({"toy.py": "x=1"}), a_wheel({"toy.py": "x=1"}, version="2")
    builder = build.Builder(box, builds)
    made = read(py_recipe(one, two, STEPS, {"kind": "signal"}))
    first = builder.build(made.target, Given(one, two))
    assert made.patched is not None
    assert first.digest == builder.build(made.patched, Given(one, two)).digest


def test_a_source_distribution_is_built_in_the_box(box: Backend, builds: Path) -> None:
    import io
    import tarfile

    held = io.BytesIO()
    setup = b"from distutils.core import setup\nsetup(name='toy', version='1', py_modules=['toy'])\n"
    with tarfile.open(fileobj=held, mode="w:gz") as archive:
        for name, data in (("toy-1/setup.py", setup), ("toy-1/toy.py", b"def run(x): return 'built ' + x\n")):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    sdist = held.getvalue()
    target = {"kind": "python", "name": "toy", "version": "1", "sdist": {"toy-1.tar.gz": sha(sdist)}}
    made = py_recipe(a_wheel({}), None, STEPS, {"kind": "output", "text": "built aaa"}) | {"target": target}
    found = judged(box, builds, made, sdist, upto=1)
    assert found.ladder.level == 1, (found.ladder, found.output)


def test_a_build_that_fails_is_named_and_its_words_are_apart(box: Backend, builds: Path) -> None:
    source = b"#error this is no program\n"
    found = judged(box, builds, c_recipe(source, None), source, LONG, SHORT)
    assert found.ladder.level == 0
    assert "not built" in found.ladder.why
    assert "no program" not in found.ladder.why
    assert b"no program" in found.output


FORGES = rb"""
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
int main(void) {
  char name[500], *path = strstr(getenv("ASAN_OPTIONS"), "log_path=") + 9;
  snprintf(name, sizeof name, "%.*s.1", (int)strcspn(path, ":"), path);
  FILE *file = fopen(name, "w");
  fputs("==1==ERROR: AddressSanitizer: heap-buffer-overflow on address 0x1\n"
        "WRITE of size 1 at 0x1 thread T0\n"
        "    #0 0x1 in png_decode /src/png.c:1:2 @/t+0x1\n", file);
  fclose(file);
  abort();
}
"""


def test_a_report_by_a_program_with_a_file_of_the_reporters_in_it_is_named_so(
    box: Backend, builds: Path
) -> None:
    """Who is compiled in can write what a sanitizer would. It is told as that program's word, until files are known."""
    made = c_recipe(FORGES, None)
    alone = judged(box, builds, made, FORGES, LONG, SHORT, upto=1, known=frozenset())
    assert alone.ladder.level == 1, (alone.ladder, alone.output)
    assert alone.theirs == 1
    assert alone.ladder.steps[1].why.startswith(f"{level.THEIRS} (1), which could forge it: ")
    vouched = judged(box, builds, made, FORGES, LONG, SHORT, upto=1, known=frozenset({sha(FORGES)}))
    assert (vouched.theirs, vouched.ladder.steps[1].why) == (0, "heap-buffer-overflow")


def test_statements_are_signed_one_a_level_and_hold_against_their_recipe(
    box: Backend, builds: Path, tmp_path: Path
) -> None:
    made = c_recipe(COPIES, BYTES_BLOCKED)
    raw = json.dumps(made).encode()
    found = judged(box, builds, made, COPIES, BYTES_BLOCKED, LONG, SHORT, seconds=5.0)
    told = statement.statements(read(made), raw, found, box.enforcement(), AT, finding="CWF-0000-0000")
    assert [(s.predicate.level, s.predicate.result) for s in told] == [
        (0, "met"), (1, "met"), (2, "met"), (3, "met"), (4, "failed"),
    ]  # fmt: skip
    key, other = DeskKey.of_home(tmp_path / "a"), DeskKey.of_home(tmp_path / "b")
    envelope = statement.signed(key, told[2])
    opened, by = statement.opened(envelope, [other.public, key.public])
    assert (opened, by) == (told[2], key.public)
    assert opened.predicate.crash is not None
    assert opened.predicate.crash.error == "heap-buffer-overflow"
    statement.same_subject(opened, raw)
    with pytest.raises(IntegrityError):
        statement.opened(envelope, [other.public])
    with pytest.raises(IntegrityError):
        statement.same_subject(opened, json.dumps(made | {"title": "another"}).encode())
    assert statement.differences(opened, found, box.enforcement()) == ([], [])
    less = judged(box, builds, made, COPIES, BYTES_BLOCKED, LONG, SHORT, upto=1)
    assert statement.differences(opened, less, box.enforcement())[0]
    for number in (5, 6):  # a statement of what does not come about at all, and of what fails at E4
        forged = msgspec.structs.replace(
            opened, predicate=msgspec.structs.replace(opened.predicate, level=number, crash=None)
        )
        for shown in (less, found):
            assert statement.differences(forged, shown, box.enforcement())[0], (number, shown.ladder)
    human = statement.accepted(told[3], "a person of the desk", "looked at the patch", AT)
    assert (human.predicate.level, human.predicate.accepted_by) == (6, "a person of the desk")
    with pytest.raises(InputError):
        statement.read(b'{"_type": "https://in-toto.io/Statement/v0.1"}')


def test_the_command_judges_a_folder_and_a_third_party_runs_its_statement_again(
    box: Backend,
    builds: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(cli.COMMANDS, "finding", ("clearway.findings.commands", "the findings desk"))
    folder = tmp_path / "subject"
    folder.mkdir()
    one, two = (
        a_wheel({"toy.py": "def run(x): return 'bad'\n"}),
        a_wheel({"toy.py": "def run(x): return 'ok'\n"}, version="2"),
    )
    made = py_recipe(one, two, STEPS, {"kind": "output", "text": "bad"}, title="\x1b[31mred", times=1)
    (folder / "recipe.json").write_text(json.dumps(made))
    (folder / "w1").write_bytes(one)
    (folder / "w2").write_bytes(two)
    home = builds / "home"
    home.mkdir(exist_ok=True)
    words = ["--home", str(home), "finding"]
    asked = [*words, "validate", str(folder), "--upto", "E2", "--json"]
    assert main([*asked, "--statements", str(tmp_path / "own")]) == 1
    assert json.loads(capsys.readouterr().out)["level"] == 1, "as at the desk: nobody vouches"
    own = statement.read(_payload(tmp_path / "own" / "E1.json"))
    assert own.predicate.vouched == {}
    assert "nobody vouches that 2 files" in own.predicate.capped[0]
    assert own.predicate.why.startswith(f"{level.THEIRS} (1), which could forge it: ")
    assert main([*asked, "--statements", str(tmp_path / "out"), "--vouch"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["level"], said["target"], said["steps"][2]["result"]) == (2, "python:toy@1", "met")
    assert main([*words, "validate", str(folder), "--upto", "E3"]) == 1
    shown = capsys.readouterr().out
    assert "\x1b" not in shown
    assert "--vouch" in shown
    proof = [
        "verify",
        str(tmp_path / "out" / "E2.json"),
        "--subject",
        str(folder),
        "--key",
        str(tmp_path / "out" / "desk.pem"),
    ]
    assert main([*words, *proof, "--again", "--json"]) == 0
    verified = json.loads(capsys.readouterr().out)
    assert verified["again"] is True
    assert verified["vouched"] == {"command line": ["patched/toy-2.whl", "target/toy-1.whl", "recipe.json"]}
    (folder / "recipe.json").write_text(json.dumps(made | {"times": 2}))
    assert main([*words, *proof]) == 9
    assert py_target(one)["version"] == "1"


def _payload(path: Path) -> bytes:
    return base64.b64decode(json.loads(path.read_bytes())["payload"])


def test_a_wheel_that_is_called_by_another_packages_name_goes_no_further_than_e1(
    box: Backend, builds: Path
) -> None:
    one, two = (
        a_wheel({"toy.py": "def run(x): return 'bad'\n"}),
        a_wheel({"toy.py": "def run(x): return 'ok'\n"}),
    )
    made = py_recipe(one, two, STEPS, {"kind": "output", "text": "bad"})
    for target in ("target", "patched"):
        made[target] |= {"name": "requests"}
    found = judged(box, builds, made, one, two)
    assert (found.ladder.level, found.patched) == (1, "")
    assert "no file of target says that it is the release" in found.ladder.why
