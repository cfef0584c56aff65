"""E4 with libFuzzer and a second build, for real: what it finds beyond mutation, and what is said where it lacks."""

from __future__ import annotations

from pathlib import Path

import pytest

from clearway.findings.validate import tools
from clearway.findings.validate.build import Builder
from clearway.findings.validate.files import Given
from clearway.findings.validate.judge import Judged
from clearway.findings.validate.trial import trial
from clearway.sandbox import Backend
from findings_targets import COPIES, LONG, MENDED, SHORT, a_wheel, c_recipe, judged, py_recipe, read, sha

# The flaw has two ways in; the second stands behind four bytes that no small change of the proof makes.
TWO_WAYS = b"""#include <stdio.h>
#include <stdlib.h>
#include <string.h>
static void keep(char *to, const char *from) { strcpy(to, from); }
int main(int argc, char **argv) {
    char text[200], *kept = calloc(1, 16);
    FILE *file = SOURCE;
    size_t n = fread(text, 1, sizeof text - 1, file);
    text[n] = 0;
    if (text[0] == 'A') keep(kept, text);
    if (memcmp(text, "CLWY", 4) == 0) keep(kept, text + 4);
    if (text[0] == 'q') exit(3);
    printf("kept %s\\n", kept);
    free(kept);
    return 0;
}
"""
FROM_FILE = TWO_WAYS.replace(b"SOURCE", b'fopen(argv[1], "r")')
FROM_STDIN = TWO_WAYS.replace(b"SOURCE", b"stdin")
ONE_SHUT = (b"if (text[0] == 'A') keep(kept, text);", b"if (text[0] == 'A' && n < 16) keep(kept, text);")
NO_FUZZER = pytest.mark.skipif(bool(tools.no_fuzzer()), reason=tools.no_fuzzer())


def fuzzed(
    box: Backend, builds: Path, one: bytes, two: bytes, seconds: float = 8.0, **more: object
) -> Judged:
    made = c_recipe(one, two) | more
    return judged(box, builds, made, one, two, LONG, SHORT, seconds=seconds)


@pytest.mark.slow
@NO_FUZZER
@pytest.mark.parametrize(
    "source",
    [FROM_FILE, pytest.param(FROM_STDIN, marks=pytest.mark.slow)],
    ids=["a file", "standard input"],
)
def test_it_finds_the_other_way_to_a_flaw_that_mutation_does_not(
    box: Backend, builds: Path, source: bytes
) -> None:
    proof = {"kind": "command", "argv": ["target"], "stdin": sha(LONG)}
    more = {"proof": proof, "benign": [proof | {"stdin": sha(SHORT)}]} if source is FROM_STDIN else {}
    shut = source.replace(*ONE_SHUT)
    found = fuzzed(box, builds, source, shut, **more)
    assert found.ladder.level == 3, found.ladder
    assert "still fire" in found.ladder.why
    assert "libFuzzer made" in found.ladder.why
    assert found.fuzzed is not None
    assert found.fuzzed.entry == "derived from its main()"
    assert (found.fuzzed.lacking, found.fuzzed.seed > 0, found.fuzzed.runs > 100) == ("", True, True)
    assert found.firing is not None
    assert found.firing.startswith(b"CLWY")
    # What it found is one input, that anybody's run of the patched build fires on.
    recipe = read(c_recipe(source, shut) | more)
    assert recipe.patched is not None
    files = Given(source, shut, LONG, SHORT)
    built = Builder(box, builds).build(recipe.patched, files)
    name = "" if source is FROM_STDIN else "in"
    again = trial(
        box, built, recipe.proof, recipe.oracle, files, recipe.limits, replaced=(name, found.firing)
    )
    assert again.seen.shows == "fires"
    assert trial(box, built, recipe.proof, recipe.oracle, files, recipe.limits).seen.shows == "silent"


@NO_FUZZER
def test_a_flaw_that_is_mended_reaches_e4_with_its_runs_its_seed_and_both_compilers(
    box: Backend, builds: Path
) -> None:
    mended = FROM_FILE.replace(b"strcpy(to, from)", b"strncpy(to, from, 15)")
    found = fuzzed(box, builds, FROM_FILE, mended, seconds=4.0)
    assert found.ladder.level == 4, found.ladder
    assert found.fuzzed is not None
    assert found.fuzzed.runs > 1000
    assert f"(seed {found.fuzzed.seed})" in found.ladder.why
    assert found.second is not None
    assert (found.second.times, found.second.of) == (3, 3)
    assert len(found.compilers) == 2
    assert "it fires 3 of 3 times under" in found.ladder.why


@NO_FUZZER
@pytest.mark.slow
def test_the_recipes_own_entry_is_used_and_one_that_does_not_reach_the_flaw_is_not(
    box: Backend, builds: Path
) -> None:
    head = b'#include <stdint.h>\n#define main unused\n#include "main.c"\n'
    takes = b"int LLVMFuzzerTestOneInput(const uint8_t *d, size_t n) { char t[200]; if (n > 199) return 0;"
    right = head + takes + b" memcpy(t, d, n); t[n] = 0; parse(t); return 0; }\n"
    wrong = head + takes + b" return d && t[0] == 1; }\n"
    lacking = {}
    for entry in (right, wrong):
        made = c_recipe(COPIES, MENDED)
        for part in ("target", "patched"):
            made[part] |= {"fuzz": {"compile": ["entry.c"]}}
            made[part]["files"]["entry.c"] = sha(entry)
        found = judged(box, builds, made, COPIES, MENDED, LONG, SHORT, entry, seconds=4.0)
        assert found.ladder.level == 4, found.ladder
        assert found.fuzzed is not None
        lacking[entry] = found.fuzzed.lacking
        if entry is right:
            assert found.fuzzed.entry == "the recipe's own"
    assert lacking == {right: "", wrong: "its entry does not reach what the proof fires on"}


def test_where_clang_lacks_mutation_alone_is_tried_and_it_is_said(
    box: Backend, builds: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tools, "no_fuzzer", lambda: "clang is not installed")
    monkeypatch.setattr(tools, "has", lambda compiler: compiler == "gcc")
    found = fuzzed(box, builds, COPIES, MENDED, seconds=0.5)
    assert found.ladder.level == 4
    assert "libFuzzer was not used: clang is not installed" in found.ladder.why
    assert "no second build: clang is not installed" in found.ladder.why


RUNS = [{"call": "toy.run", "args": ["aaaa"]}]
CRASHES = "import ctypes\ndef run(x): ctypes.string_at(0) if x.startswith('a') else None\n"


@pytest.mark.slow
def test_a_python_package_is_tried_under_a_second_interpreter_or_what_lacks_is_said(
    box: Backend, builds: Path
) -> None:
    one, two = a_wheel({"toy.py": CRASHES}), a_wheel({"toy.py": "def run(x): pass\n"}, version="2")
    benign = [{"kind": "steps", "steps": [{"call": "toy.run", "args": ["b"]}]}]
    made = py_recipe(one, two, RUNS, {"kind": "signal"}, benign=benign)
    found = judged(box, builds, made, one, two, seconds=0.5)
    assert found.ladder.level == 4, found.ladder
    assert "Atheris was not used: " in found.ladder.why
    other = tools.second_interpreter()
    wanted = f"3 of 3 times under Python {other.version}" if other else "no second build: there is no second"
    assert wanted in found.ladder.why
    assert found.compilers == ()


@pytest.mark.slow
def test_a_package_that_does_not_run_under_the_second_interpreter_fails_nothing(
    box: Backend, builds: Path
) -> None:
    if tools.second_interpreter() is None:
        pytest.skip("no second interpreter")
    picky = "import sys\nif sys.version_info[:2] != (%d, %d): raise ImportError\n"
    major, minor = tools.first_interpreter().version.split(".")[:2]
    head = picky % (int(major), int(minor))
    one = a_wheel({"toy.py": head + CRASHES})
    two = a_wheel({"toy.py": head + "def run(x): pass\n"}, version="2")
    benign = [{"kind": "steps", "steps": [{"call": "toy.run", "args": ["b"]}]}]
    found = judged(
        box, builds, py_recipe(one, two, RUNS, {"kind": "signal"}, benign=benign), one, two, seconds=0.5
    )
    assert found.ladder.level == 4, found.ladder
    assert "the package does not run under Python" in found.ladder.why


@NO_FUZZER
@pytest.mark.slow
def test_a_patch_that_floods_the_fuzzer_with_inputs_of_its_own_is_heard_within_bounds(
    box: Backend, builds: Path
) -> None:
    """It writes what libFuzzer would, and ends it. None of it fires; none of it counts, and it is said."""
    floods = MENDED.replace(
        b"    parse(text);",
        b'    if (access("/work/corpus", F_OK) == 0) { for (int i = 0; i < 3000; i++) { char name[64];\n'
        b'        sprintf(name, "/work/found/crash-%d", i); FILE *f = fopen(name, "w"); if (f) { fputs("x", f);'
        b" fclose(f); } }\n        _exit(0); }\n    parse(text);",
    ).replace(b"#include <stdio.h>", b"#include <stdio.h>\n#include <unistd.h>")
    found = fuzzed(box, builds, COPIES, floods, seconds=6.0)
    assert found.ladder.level == 4, found.ladder
    assert "libFuzzer was not used: the patched build ended it at once" in found.ladder.why


@pytest.mark.slow
@NO_FUZZER
@pytest.mark.parametrize(
    "size",
    [60 << 20, pytest.param(2 << 20, marks=pytest.mark.slow)],
    ids=["than is handed back", "than is tried"],
)
def test_an_input_that_is_larger_fails_the_level_as_nobody_can_look_at_it(
    box: Backend, builds: Path, size: int
) -> None:
    """The patched build leaves it where libFuzzer leaves what it stopped on, and libFuzzer goes on."""
    hides = MENDED.replace(
        b"    parse(text);",
        b'    if (access("/work/corpus", F_OK) == 0 && access("/work/found/crash-1", F_OK) != 0) {\n'
        b'        FILE *f = fopen("/work/found/crash-1", "w"); if (f) { if (ftruncate(fileno(f), %d)) exit(3);'
        b" fclose(f); } }\n    parse(text);" % size,
    ).replace(b"#include <stdio.h>", b"#include <stdio.h>\n#include <stdlib.h>\n#include <unistd.h>")
    found = fuzzed(box, builds, COPIES, hides, seconds=4.0)
    assert found.ladder.level == 3, found.ladder
    assert found.ladder.why.startswith("nothing can be said: ")
    assert found.fuzzed is not None
    assert (found.fuzzed.lost > 0, found.fuzzed.runs > 0, found.firing) == (True, True, None)
