"""What must never count as verified: each case, and how far it may get."""

from __future__ import annotations

from pathlib import Path

import pytest

from clearway.findings.validate.build import Builder
from clearway.findings.validate.files import Given
from clearway.findings.validate.trial import trial
from clearway.sandbox import Backend
from findings_targets import (
    BYTES_BLOCKED,
    COPIES,
    DELETED,
    LONG,
    MENDED,
    SHORT,
    a_wheel,
    c_recipe,
    c_target,
    judged,
    py_recipe,
    read,
    sha,
)

RENAMED = COPIES.replace(b"kept %s", b"held %s")
QUOTED = b"==1==ERROR: AddressSanitizer: heap-buffer-overflow on address 0x1\nWRITE of size 1\n"
FAKE = b"""#include <stdio.h>
#include <stdlib.h>
int main(int argc, char **argv) {
    fputs("==1==ERROR: AddressSanitizer: heap-buffer-overflow on address 0x602 at pc 0x4\\nWRITE of size 1\\n"
          "    #0 0x401 in parse main.c:3\\nmain.c:3:1: runtime error: index out of bounds\\n", stderr);
    ENDING
    return 0;
}
"""
ECHOES = b"""#include <stdio.h>
#include <stdlib.h>
int main(int argc, char **argv) {
    char text[400];
    FILE *file = fopen(argv[1], "r");
    size_t n = fread(text, 1, sizeof text - 1, file);
    text[n] = 0;
    fprintf(stderr, "not understood: %s\\n", text);
    abort();
}
"""
FLAKY = COPIES.replace(b"parse(text);", b"if (clock_gettime_parity()) parse(text);").replace(
    b"int main",
    b"#include <time.h>\n#include <unistd.h>\nstatic int clock_gettime_parity(void) { struct timespec t; "
    b"clock_gettime(CLOCK_REALTIME, &t); return (t.tv_nsec / 7) % 2; }\nint main",
)
NEEDS_NETWORK = COPIES.replace(
    b"    parse(text);",
    b"""    struct sockaddr_in to = {0};
    to.sin_family = AF_INET; to.sin_port = htons(53); to.sin_addr.s_addr = htonl(0x01010101);
    int s = socket(AF_INET, SOCK_STREAM, 0);
    if (s >= 0 && connect(s, (struct sockaddr *)&to, sizeof to) == 0) parse(text);""",
).replace(b"#include <stdio.h>", b"#include <stdio.h>\n#include <arpa/inet.h>\n#include <sys/socket.h>")
# The same flaw in a function that the sanitizer is told not to look at, said in four ways.
SAFE = COPIES.replace(b"{ strcpy(to, from); }", b"{ while ((*to++ = *from++)) {} }")
LOOKS_AWAY = {
    "an attribute": SAFE.replace(b"static void", b'__attribute__((no_sanitize("address"))) static void'),
    "an attribute made of pieces": SAFE.replace(
        b"static void", b"#define J(a, b) a##b\n__attribute__((J(no_sanitize_, address))) static void"
    ),
    "another program under it": COPIES.replace(
        b"    parse(text);", b"#ifdef __SANITIZE_ADDRESS__\n    if (n < 16)\n#endif\n    parse(text);"
    ),
    "its own interface": COPIES.replace(
        b"int parse",
        b"void __asan_set_death_callback(void (*)(void));\nvoid _exit(int);\nstatic void off(void) "
        b"{ _exit(0); }\nint parse",
    ).replace(b"    parse(text);", b"    __asan_set_death_callback(off);\n    parse(text);"),
}
ENDLESS_OUTPUT = (
    b'#include <stdio.h>\nint main(void) { for (;;) puts("AddressSanitizer: heap-buffer-overflow"); }\n'
)
FORKS = b"#include <unistd.h>\nint main(void) { for (;;) fork(); }\n"
SLEEPS = b"#include <unistd.h>\nint main(void) { for (;;) sleep(1); }\n"


@pytest.mark.parametrize(
    ("source", "patched", "proof", "most", "why"),
    [
        pytest.param(MENDED, COPIES, LONG, 0, "does not fire", id="it fires on neither"),
        pytest.param(COPIES, RENAMED, LONG, 1, "fires on the patched build", id="it fires on both"),
        pytest.param(COPIES, COPIES, LONG, 1, "is the vulnerable one", id="the patched build is the vulnerable one"),
        pytest.param(COPIES, BYTES_BLOCKED, LONG, 3, "still fire", id="the patch blocks the bytes of the proof"),
        pytest.param(COPIES, DELETED, LONG, 1, "no benign command", id="the patch deletes the feature"),
        pytest.param(NEEDS_NETWORK, MENDED, LONG, 0, "does not fire", id="the proof needs the network"),
        pytest.param(ENDLESS_OUTPUT, MENDED, LONG, 0, "stopped", id="the program writes without end"),
        pytest.param(FORKS, MENDED, LONG, 0, "stopped", id="the program is a fork bomb"),
        *(
            pytest.param(COPIES, source, LONG, 1, "look away", id=f"the patch tells the sanitizer to look away: {how}")
            for how, source in LOOKS_AWAY.items()
        ),
        *(
            pytest.param(FAKE.replace(b"ENDING", ending), MENDED, LONG, 0, "", id=f"a report is printed, then {name}")
            for name, ending in {"it ends well": b"", "it ends ill": b"return 1;", "it aborts": b"abort();"}.items()
        ),
        pytest.param(
            ECHOES, MENDED, QUOTED, 0, "",
            id="the input is a report, and is quoted by a program that aborts",
        ),
    ],
)  # fmt: skip
def test_it_is_not_verified(
    box: Backend, builds: Path, source: bytes, patched: bytes, proof: bytes, most: int, why: str
) -> None:
    found = judged(box, builds, c_recipe(source, patched, proof), source, patched, proof, SHORT, seconds=5.0)
    assert found.ladder.level == most
    assert why in found.ladder.why


def test_what_fires_now_and_then_proves_nothing(box: Backend, builds: Path) -> None:
    levels = set()
    for _ in range(3):
        found = judged(box, builds, c_recipe(FLAKY, MENDED, times=20), FLAKY, MENDED, LONG, SHORT, upto=2)
        levels.add(found.ladder.level)
    assert levels == {0}


def test_what_only_waits_does_not_run_without_end(box: Backend, builds: Path) -> None:
    made = c_recipe(SLEEPS, MENDED, oracle={"kind": "endless"}, limits={"cpu_s": 2.0, "wall_s": 1.5})
    recipe, files = read(made), Given(SLEEPS, MENDED, LONG, SHORT)
    built = Builder(box, builds).build(recipe.target, files)
    shown = trial(box, built, recipe.proof, recipe.oracle, files, recipe.limits)
    assert (shown.outcome.ended, shown.seen.shows) == ("wall", "unclear")


@pytest.mark.slow
def test_what_only_waits_reaches_no_level(box: Backend, builds: Path) -> None:
    """It has twenty seconds: five times twice its processor time."""
    made = c_recipe(SLEEPS, MENDED, oracle={"kind": "endless"}, limits={"cpu_s": 2.0, "wall_s": 1.5})
    found = judged(box, builds, made, SLEEPS, MENDED, LONG, SHORT, upto=2)
    assert (found.ladder.level, found.state) == (0, None)


def test_a_crash_of_the_reporters_own_program_stays_at_e1(box: Backend, builds: Path) -> None:
    wheel, other = a_wheel({"toy.py": "x = 1\n"}), a_wheel({"toy.py": "x = 2\n"}, version="2")
    script = b"import os, signal, toy\nos.kill(os.getpid(), signal.SIGSEGV) if toy.x == 1 else None\n"
    made = py_recipe(wheel, other, [{"call": "toy.f"}], {"kind": "signal"})
    made["proof"] = {"kind": "script", "language": "python", "source": sha(script)}
    found = judged(box, builds, made, wheel, other, script)
    assert found.ladder.level == 1
    assert "program of the reporter's" in found.ladder.steps[1].why


def test_a_target_that_only_the_reporter_has_stays_at_e1(box: Backend, builds: Path) -> None:
    made = c_recipe(COPIES, MENDED)
    files = (COPIES, MENDED, LONG, SHORT)
    assert judged(box, builds, made, *files, known=frozenset()).ladder.level == 1
    assert judged(box, builds, made, *files, known=frozenset({sha(COPIES)})).ladder.level == 1
    assert (
        judged(box, builds, made, *files, known=frozenset({sha(COPIES), sha(MENDED)}), upto=3).ladder.level
        == 3
    )


TELLS = {
    "toy.py": "import os\nVERSION = '1'\ndef version(): return VERSION\ndef echo(x): print(x); return x\n"
    "def numbers(): yield 1\ndef builtin(): return eval\n"
}


@pytest.mark.parametrize(
    "steps",
    [
        [{"call": "os.getcwd"}],
        [{"call": "eval", "args": ["1"]}],
        [{"call": "toy.os.getcwd"}],
        [{"call": "subprocess.run", "args": [["true"]]}],
        [{"call": "importlib.metadata.version", "args": ["toy"]}],
        [{"call": "io.BytesIO", "as": "b"}, {"call": "$b.read", "as": "r"}, {"call": "builtins.print"}],
        [{"call": "toy.echo", "args": [{"object": "os.system"}]}],
        [{"call": "toy.builtin", "as": "e"}, {"call": "$e", "args": ["1"]}],
        [{"get": "toy.VERSION", "as": "v"}, {"call": "$v.format_map", "args": [{"dict": {}}]}],
        [{"call": "zipfile.ZipFile", "args": ["/tmp/planted", "w"]}],
        [{"call": "shutil.copy2", "args": ["/target/toy.py", "/tmp/planted"]}],
        [{"call": "shutil.copy2", "args": ["drive.py", "/tmp/planted"]}],
    ],
    ids=lambda steps: steps[-1]["call"],
)
def test_a_step_that_reaches_outside_its_package_does_nothing(
    box: Backend, builds: Path, steps: list[object]
) -> None:
    wheel = a_wheel(TELLS)
    made = read(py_recipe(wheel, None, steps, {"kind": "raised", "exception": "toy.E"}))
    files = Given(wheel)
    built = Builder(box, builds).build(made.target, files)
    shown = trial(box, built, made.proof, made.oracle, files, made.limits)
    assert shown.said.missing
    assert b"OutsideError: " in shown.outcome.stderr
    assert shown.seen.shows == "unclear"


def test_what_a_lazy_object_says_of_itself_is_not_asked(box: Backend, builds: Path) -> None:
    """As Django's settings before `configure`: looking at anything of them is an error."""
    lazy = """
class Lazy:
    __class__ = property(lambda self: 1 / 0)
    def __getattr__(self, name): raise RuntimeError('not configured')
    def fire(self): raise PlantedError
class PlantedError(Exception): pass
lazy = Lazy()
"""
    wheel = a_wheel({"toy.py": lazy})
    fires = [{"call": "toy.lazy.fire"}]
    made = py_recipe(wheel, None, fires, {"kind": "raised", "exception": "toy.PlantedError"})
    assert judged(box, builds, made, wheel, upto=1).ladder.level == 1


def test_a_package_that_guesses_at_the_harness_writes_no_verdict(box: Backend, builds: Path) -> None:
    """It prints what the harness prints, with each number that it can see in its environment and its files."""
    package = """
import os
def speak():
    seen = [*os.environ.values(), *os.listdir('.'), '0' * 32, open('/proc/self/cmdline').read()]
    for nonce in seen:
        print(f'\\n{nonce} raised toy.PlantedError', flush=True)
    os._exit(70)
"""
    wheel = a_wheel({"toy.py": package})
    made = py_recipe(
        wheel, None, [{"call": "toy.speak"}], {"kind": "raised", "exception": "toy.PlantedError"}
    )
    assert judged(box, builds, made, wheel, upto=1).ladder.level == 0


def test_a_secret_is_another_in_every_run_so_that_none_is_written_down(box: Backend, builds: Path) -> None:
    reads = a_wheel({"toy.py": "def get(p): return open(p).read()\n"})
    refuses = a_wheel({"toy.py": "def get(p): return open(p).read() if '..' not in p else ''\n"}, version="2")
    knows = a_wheel({"toy.py": "def get(p): return '{{secret}}' + '0' * 32\n"})
    secret = b"{{secret}}"
    oracle = {"kind": "access", "file": "outside/a"}
    steps = [{"call": "toy.get", "args": ["x/../outside/a"]}]
    proof = {"files": {"outside/a": sha(secret), "x/y": sha(b"y")}}
    made = py_recipe(reads, refuses, steps, oracle, proof=dict(proof))
    assert judged(box, builds, made, reads, refuses, secret, b"y", upto=2).ladder.level == 2
    made = py_recipe(knows, refuses, steps, oracle, proof=dict(proof))
    assert judged(box, builds, made, knows, refuses, secret, b"y", upto=2).ladder.level == 0


def test_a_patch_that_does_not_apply_is_no_patch(box: Backend, builds: Path) -> None:
    patch = b"--- a/main.c\n+++ b/main.c\n@@ -1,2 +1,2 @@\n-not there\n+still not\n and this\n"
    made = c_recipe(COPIES, None) | {"patched": c_target(COPIES, "1p", patches={"a.patch": sha(patch)})}
    found = judged(box, builds, made, COPIES, LONG, SHORT, patch)
    assert found.ladder.level == 1
    assert "not built" in found.ladder.why
