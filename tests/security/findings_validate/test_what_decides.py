"""A patch, a flag, a limit, a name or chance decides no verdict: each case did once, with the flaw left as it was."""

from __future__ import annotations

import difflib
import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from clearway.findings.validate import recipe as r
from clearway.findings.validate.build import Builder
from clearway.findings.validate.files import Given
from clearway.findings.validate.judge import Subject, slower
from clearway.findings.validate.oracle import Seen
from clearway.findings.validate.trial import trial
from clearway.records.errors import InputError
from clearway.sandbox import Backend
from findings_targets import (
    COPIES,
    LONG,
    MENDED,
    SHORT,
    a_wheel,
    c_recipe,
    c_target,
    command,
    judged,
    py_recipe,
    py_target,
    read,
    sha,
)


def diff(before: bytes, after: bytes, name: str) -> bytes:
    lines = (text.decode().splitlines(keepends=True) for text in (before, after))
    return "".join(difflib.unified_diff(*lines, f"a/{name}", f"b/{name}")).encode()


CATCHES = COPIES.replace(
    b"#include <stdio.h>",
    b"#include <stdio.h>\n#include <signal.h>\n#include <unistd.h>\n#include <dirent.h>\n"
    b"static void quiet(int s) { DELETES _exit(0); }",
    1,
).replace(b"    char text[200];", b"    signal(SIGABRT, quiet); char text[200];")
DELETES = (
    b'DIR *d = opendir("."); struct dirent *e; while ((e = readdir(d))) unlink(e->d_name);'  # the report too
)


@pytest.mark.parametrize("deletes", [b"", DELETES], ids=["it ends well", "and it deletes the report"])
def test_a_patch_that_catches_the_sanitizers_end_is_not_silent(
    box: Backend, builds: Path, deletes: bytes
) -> None:
    patch = diff(COPIES, CATCHES.replace(b"DELETES", deletes), "main.c")
    made = c_recipe(COPIES, None) | {"patched": c_target(COPIES, "1p", patches={"a.patch": sha(patch)})}
    found = judged(box, builds, made, COPIES, LONG, SHORT, patch, upto=2)
    assert found.ladder.level == 1
    assert found.patched
    assert "fires on the patched build" in found.ladder.why


FORKS = COPIES.replace(
    b"    parse(text);", b"    if (fork() == 0) { parse(text); _exit(0); }\n    int status; wait(&status);"
).replace(b"#include <stdio.h>", b"#include <stdio.h>\n#include <unistd.h>\n#include <sys/wait.h>")


def test_a_crash_in_a_child_is_no_silence_and_fires_where_the_recipe_says_so(
    box: Backend, builds: Path
) -> None:
    mended = FORKS.replace(b"strcpy(to, from)", b"strncpy(to, from, 15); to[15] = 0")
    blobs = (FORKS, mended, LONG, SHORT)
    found = judged(box, builds, c_recipe(FORKS, mended), *blobs, upto=2)
    assert found.ladder.level == 0
    assert "a sanitizer stopped a process of it" in found.ladder.why
    found = judged(
        box, builds, c_recipe(FORKS, mended, oracle={"kind": "sanitizer", "child": True}), *blobs, upto=2
    )
    assert found.ladder.level == 2
    assert found.state is not None
    assert found.state.frames == ("keep", "parse")
    made = c_recipe(
        FORKS, mended, oracle={"kind": "sanitizer", "child": True}, benign=[command(SHORT), command(LONG)]
    )
    assert "1 of 2 benign inputs come to no good end" in judged(box, builds, made, *blobs, upto=3).ladder.why
    renamed = FORKS.replace(b"kept %s", b"held %s")
    assert judged(box, builds, c_recipe(renamed, FORKS), renamed, *blobs, upto=2).ladder.level == 0


TEST = b"""#define main of_the_program
#include "main.c"
#undef main
int main(void) { return parse("abc") == 'a' ? 0 : 1; }
"""
GONE = COPIES.replace(b"int parse(const char *text) {\n", b"int parse(const char *text) {\n    return 0;\n")


def test_a_patch_is_judged_by_the_tests_that_it_rewrites(box: Backend, builds: Path) -> None:
    rewritten = b"int main(void) { return 0; }\n"
    for name, patch, level in (
        ("the feature is gone", diff(COPIES, GONE, "main.c") + diff(TEST, rewritten, "t.c"), 1),
        ("it is mended", diff(COPIES, MENDED, "main.c") + diff(TEST, rewritten, "t.c"), 3),
        (
            "a test of the target's own is made a part of it",
            diff(COPIES, GONE + b'#define main of_the_test\n#include "t.c"\n', "main.c")
            + diff(TEST, rewritten, "t.c"),
            1,  # it does not build: the test is as it was
        ),
    ):
        files = {"main.c": sha(COPIES), "t.c": sha(TEST)}
        target = c_target(COPIES, tests=[{"name": "t", "compile": ["t.c"]}]) | {"files": files}
        made = c_recipe(COPIES, None) | {
            "target": target,
            "patched": target | {"version": "1p", "patches": {"p": sha(patch)}},
        }
        found = judged(box, builds, made, COPIES, TEST, LONG, SHORT, patch, upto=3)
        assert found.ladder.level == level, (name, found.ladder)


def test_the_patches_that_both_builds_have_change_the_tests_of_both(box: Backend, builds: Path) -> None:
    other = TEST.replace(b"abc", b"xyz").replace(b"'a'", b"'x'")
    both, mends = diff(TEST, other, "t.c"), diff(COPIES, MENDED, "main.c")
    target = c_target(COPIES, tests=[{"name": "t", "compile": ["t.c"]}]) | {
        "files": {"main.c": sha(COPIES), "t.c": sha(TEST)},
        "patches": {"one": sha(both)},
    }
    made = c_recipe(COPIES, None) | {
        "target": target,
        "patched": target | {"version": "1p", "patches": {"one": sha(both), "two": sha(mends)}},
    }
    found = judged(box, builds, made, COPIES, TEST, LONG, SHORT, both, mends, upto=3)
    assert found.ladder.level == 3, found.ladder
    patched = Builder(box, builds).build(
        read(made).patched or pytest.fail("none"), Given(COPIES, TEST, both, mends), base=read(made).target
    )
    assert b"xyz" in (patched.folder / "src" / "t.c").read_bytes()


BUFFER = b"""#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifndef LINE_BUF
#define LINE_BUF 4096
#endif
int main(int argc, char **argv) {
    char text[200]; FILE *file = fopen(argv[1], "r"); size_t n = fread(text, 1, 199, file); text[n] = 0;
    char *kept = malloc(LINE_BUF); strcpy(kept, text); puts(kept); free(kept); return 0;
}
"""


def test_a_flag_that_makes_the_flaw_counts_for_who_has_read_the_recipe(box: Backend, builds: Path) -> None:
    new = BUFFER.replace(b"LINE_BUF", b"LINE_SIZE")
    made = c_recipe(BUFFER, new)
    for part in ("target", "patched"):
        made[part]["flags"] = ["-DLINE_BUF=4"]
    document = sha256(json.dumps(made).encode()).hexdigest()
    known = frozenset({sha(BUFFER), sha(new)})
    found = judged(box, builds, made, BUFFER, new, LONG, SHORT, known=known, document=document, upto=2)
    assert (found.ladder.level, found.patched) == (1, "")
    assert "nobody has read the recipe, and its compiler flags" in found.ladder.why
    read_by = {*known, document}
    found = judged(
        box, builds, made, BUFFER, new, LONG, SHORT, known=frozenset(read_by), document=document, upto=2
    )
    assert found.ladder.level == 2


W1, W2 = (a_wheel({"toy.py": f"VERSION = '{n}'\n"}, version=n) for n in "12")


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({}, ""),
        ({"oracle": {"kind": "output", "text": "1"}}, "output"),
        ({"oracle": {"kind": "raised", "exception": "toy.E"}}, "output"),
        ({"proof": {"kind": "command", "argv": ["python3", "-m", "toy", "in"], "files": {"in": sha(b"")}}}, ""),
        ({"proof": {"kind": "command", "argv": ["python3", "-m", "toy"], "files": {"a.PY": sha(b"")}}}, "command"),
        ({"proof": {"kind": "command", "argv": ["python3", "-m", "helper"]}}, "command"),
    ],
    ids=["a crash", "an output", "an exception", "the package's own command", "a program", "another module"],
)  # fmt: skip
def test_what_only_a_reader_can_tell_is_capped_until_one_has(change: dict[str, Any], word: str) -> None:
    made = read(py_recipe(W1, W2, [{"get": "toy.VERSION"}], {"kind": "signal"}) | change)
    known = frozenset({sha(W1), sha(W2)})
    capped = Subject(recipe=made, files=Given(), known=known, document="d").capped_by
    assert [word in reason for reason in capped] == ([True] if word else [])
    assert Subject(recipe=made, files=Given(), known=known | {"d"}, document="d").capped_by == ()
    assert Subject(recipe=made, files=Given(), known=None).capped_by == ()


def test_no_path_of_the_target_tells_one_release_from_another(box: Backend, builds: Path) -> None:
    package = {"toy.py": "def get(p): return open(p).read()\n"}
    one = a_wheel({**package, "old/__init__.py": ""})
    two = a_wheel(package, version="2")
    for way in (
        "/target/toy-1.dist-info/../../work/s",
        "/target/toy.dist-info/../../work/s",
        "/target/old/../../work/s",
        "../target/old/../../work/s",
    ):
        steps = [{"call": "toy.get", "args": [way]}]
        oracle = {"kind": "access", "file": "s"}
        made = py_recipe(one, two, steps, oracle, proof={"files": {"s": sha(b"{{secret}}")}})
        found = judged(box, builds, made, one, two, b"{{secret}}", upto=1)
        assert found.ladder.level == 0, way
        assert "toy-1.dist-info" not in {p.name for p in builds.glob("*/files/*")}


def test_a_package_still_reads_its_own_version(box: Backend, builds: Path) -> None:
    text = "from importlib.metadata import version\ndef f(): return 'so ' + version('toy')\n"
    wheel = a_wheel({"toy.py": text}, version="1.2")
    made = py_recipe(wheel, None, [{"call": "toy.f"}], {"kind": "output", "text": "so 1.2"})
    made["target"] = py_target(wheel, "1.2")
    assert judged(box, builds, made, wheel, upto=1).ladder.level == 1


MANY = b"""#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
static void one(char *to, const char *from) { strcpy(to, from); }
static void two(char *to, const char *from) { strcpy(to, from); }
static void three(char *to, const char *from) { strcpy(to, from); }
int main(int argc, char **argv) {
    char text[200]; FILE *file = fopen(argv[1], "r"); size_t n = fread(text, 1, 199, file); text[n] = 0;
    char *kept = malloc(16); struct timespec t; clock_gettime(CLOCK_REALTIME, &t);
    switch ((t.tv_nsec / 7) % 3) { case 0: one(kept, text); break; case 1: two(kept, text); break; default: three(kept, text); }
    puts(kept); free(kept); return 0;
}
"""  # noqa: E501


def test_a_crash_that_is_at_another_place_each_time_is_not_one(box: Backend, builds: Path) -> None:
    found = judged(box, builds, c_recipe(MANY, None, times=20), MANY, LONG, SHORT, upto=1)
    assert found.ladder.level == 0
    assert "another crash state" in found.ladder.why


def test_a_stack_that_ran_over_is_one_crash_wherever_its_end_was_met(box: Backend, builds: Path) -> None:
    source = (
        b"#include <stdio.h>\nint odd(int n, char *p);\n"
        b"int even(int n, char *p) { char room[99]; room[n % 99] = 1; return odd(n + 1, room) + room[0]; }\n"
        b"int odd(int n, char *p) { char room[999]; room[n % 999] = 1; return even(n + 1, room) + room[0]; }\n"
        b"int main(int argc, char **argv) { return even(argc, argv[0]); }\n"
    )
    found = judged(box, builds, c_recipe(source, None, times=6), source, LONG, SHORT, upto=1)
    assert found.ladder.level == 1, found.ladder
    assert found.state is not None
    assert found.state.error == "stack-overflow"


def test_a_limit_does_not_make_slow_endless_nor_linear_steep(box: Backend, builds: Path) -> None:
    slow, quick = (a_wheel({"toy.py": f"def f(x):\n    return sum(n for c in x for n in range({n}))\n"}, version=v)
                   for n, v in ((4000, "1"), (3, "2")))  # fmt: skip
    with pytest.raises(InputError, match="too short to tell"):
        read(py_recipe(slow, quick, [{"call": "toy.f"}], {"kind": "endless"}, limits={"cpu_s": 1.9}))
    steps = [{"call": "toy.f", "args": [{"repeat": ["a", {"n": 200}]}]}]
    made = py_recipe(
        slow, quick, steps, {"kind": "growth", "sizes": [1, 2, 16]}, limits={"cpu_s": 0.15, "wall_s": 20.0}
    )
    found = judged(box, builds, made, slow, quick, upto=2)
    assert found.ladder.level == 0


@pytest.mark.parametrize(
    ("cpu_s", "shows"), [(0.3, "silent"), (0.5, "silent"), (0.51, "unclear"), (1.9, "unclear")]
)
def test_a_fix_that_takes_nearly_as_long_is_no_silence_by_the_clock(cpu_s: float, shows: str) -> None:
    fired = [Seen(shows="fires", why="", cpu_s=2.0 + n) for n in range(3)]
    quiet = Seen(shows="silent", why="", cpu_s=cpu_s)
    for oracle in (r.Endless(), r.Growth()):
        assert slower(quiet, fired, oracle).shows == shows
    assert slower(quiet, fired, r.Sanitizer()).shows == "silent"


@pytest.mark.slow
def test_a_fix_that_takes_nearly_as_long_is_no_silence(box: Backend, builds: Path) -> None:
    never = a_wheel({"toy.py": "def f():\n    while True: pass\n"})
    text = "import time\ndef f():\n    while time.process_time() < 0.9: pass\n"
    late = a_wheel({"toy.py": text}, version="2")
    made = py_recipe(
        never, late, [{"call": "toy.f"}], {"kind": "endless"}, limits={"cpu_s": 2.0, "wall_s": 120.0}
    )
    found = judged(box, builds, made, never, late, upto=2)
    assert found.ladder.level == 1
    assert "less than 10 times as long" in found.ladder.why


def test_a_file_in_shared_memory_is_outside_and_one_in_its_own_folder_is_not(
    box: Backend, builds: Path
) -> None:
    wheel = a_wheel({"toy.py": "def f(): open('/dev/shm/out', 'w')\n"})
    made = py_recipe(wheel, None, [{"call": "toy.f"}], {"kind": "file-outside", "path": "/dev/shm/out"})
    assert judged(box, builds, made, wheel, upto=1).ladder.level == 1
    made["oracle"]["path"] = "/work/out"
    with pytest.raises(InputError, match="path"):
        read(made)


@pytest.mark.parametrize(
    "name", ["@opts", "opts", "x.ld", "main.o", "lib.a", "a b.c", "-x.c", "a\n.c", "a.s"]
)
def test_the_compiler_is_given_sources_alone(name: str) -> None:
    for change in (
        {"compile": ["main.c", name]},
        {"tests": [{"name": "t", "compile": [name]}]},
        {"fuzz": {"compile": [name]}},
    ):
        made = c_recipe(COPIES, None) | {"target": c_target(COPIES) | change}
        with pytest.raises(InputError, match=r"no source file|not a relative"):
            read(made)


@pytest.mark.parametrize("word", ["s", "./s", "/work/s", "/work/./s", ".//s"])
def test_a_command_is_not_given_the_secret_by_any_of_its_names(word: str) -> None:
    made = c_recipe(COPIES, None, oracle={"kind": "access", "file": "s"})
    made["proof"] = {"kind": "command", "argv": ["target", word], "files": {"s": sha(b"{{secret}}")}}
    with pytest.raises(InputError, match="by its name"):
        read(made)


@pytest.mark.slow
def test_what_refuses_all_that_is_longer_than_the_harmless_input_stays_below_e5(
    box: Backend, builds: Path
) -> None:
    refuses = COPIES.replace(b"    parse(text);", b"    if (n < 9) parse(text);")
    inputs = [b"abcdefgh"[: 1 + n % 8] + b"%d" % (n % 10) for n in range(24)]
    inputs = [i[:8] for i in dict.fromkeys(inputs)][:24]
    made = c_recipe(COPIES, refuses, benign=[command(i) for i in inputs])
    found = judged(box, builds, made, COPIES, refuses, LONG, *inputs, upto=5, seconds=0.1)
    assert found.ladder.level == 4, found.ladder
    assert "up to half of the proof's" in found.ladder.why


def test_what_was_drawn_for_a_run_is_in_no_output(box: Backend, builds: Path) -> None:
    wheel = a_wheel({"toy.py": "import sys\ndef f(): print(sys.path[0]); return __file__\n"})
    made = read(py_recipe(wheel, None, [{"call": "toy.f"}], {"kind": "output", "text": "/target/toy.py"}))
    built = Builder(box, builds).build(made.target, Given(wheel))
    first, second = (trial(box, built, made.proof, made.oracle, Given(wheel), made.limits) for _ in range(2))
    assert first.outcome.stdout == second.outcome.stdout
    assert first.seen.shows == "fires"
