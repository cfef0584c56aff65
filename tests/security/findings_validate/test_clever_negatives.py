"""What a reporter who knows the oracles would try: other ways to the same false verdict, and how far each may get."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from clearway.findings.validate.build import Builder
from clearway.findings.validate.files import Given
from clearway.findings.validate.trial import trial
from clearway.sandbox import Backend
from findings_targets import COPIES, LONG, MENDED, SHORT, a_wheel, c_recipe, judged, py_recipe, read

PARSES = b"    parse(text);"
KEEPS = b"    keep(kept, text);"


def before(line: bytes, said: bytes, source: bytes = COPIES, includes: bytes = b"") -> bytes:
    """The program with something said before one of its lines."""
    assert line in source
    return includes + source.replace(line, b"    " + said + b"\n" + line, 1)


# Half of the runs, told by what differs from run to run.
BY_ADDRESS = before(
    PARSES, b"if (((unsigned long)text >> 12) & 1) return 0;", includes=b"#include <stdint.h>\n"
)
BY_CHANCE = before(
    PARSES,
    b'unsigned char c = 0; FILE *r = fopen("/dev/urandom", "r"); if (r) c = fgetc(r); if (c & 1) return 0;',
)
AT_TIMES_MENDED = before(
    PARSES,
    b'unsigned char c = 0; FILE *r = fopen("/dev/urandom", "r"); if (r) c = fgetc(r); if (c & 1) text[15] = 0;',
)
MOVED = COPIES.replace(b"static void keep", b"static void hold").replace(b"    keep(", b"    hold(")
READS = COPIES.replace(b"{ strcpy(to, from); }", b"{ to[0] = from[0] + to[strlen(from) - 1] * 0; }")
NULL = COPIES.replace(KEEPS, b"    if (text[20]) *(volatile char *)(long)(text[0] == 0) = 1;\n" + KEEPS)
HANGS = before(PARSES, b"if (n > 15) for (;;) ;")
NAMED = before(
    PARSES,
    b'struct addrinfo *at = 0; if (getaddrinfo("example.org", "80", 0, &at)) return 0;',
    includes=b"#include <sys/types.h>\n#include <sys/socket.h>\n#include <netdb.h>\n",
)
ITSELF = before(
    PARSES,
    b"struct sockaddr_in to = {0}; to.sin_family = AF_INET; to.sin_port = htons(22);\n"
    b"    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK); int s = socket(AF_INET, SOCK_STREAM, 0);\n"
    b"    if (s < 0 || connect(s, (struct sockaddr *)&to, sizeof to)) return 0;",
    includes=b"#include <sys/socket.h>\n#include <netinet/in.h>\n",
)
ROUTED = before(
    PARSES,
    b'char row[400] = ""; FILE *r = fopen("/proc/net/route", "r"); int rows = 0;\n'
    b"    while (r && fgets(row, sizeof row, r)) rows++; if (rows < 2) return 0;",
)


@pytest.mark.parametrize(
    ("source", "patched", "oracle", "most"),
    [
        pytest.param(COPIES, MENDED, {"kind": "sanitizer", "error": "heap-use-after-free"}, 0,
                     id="it fires on neither: the error is another than the claimed one"),
        pytest.param(COPIES, MENDED, {"kind": "signal"}, 0, id="it fires on neither: it ends by another signal"),
        pytest.param(before(PARSES, b"if (n == 24) return 0;"), MENDED, {"kind": "sanitizer"}, 0,
                     id="it fires on neither: the vulnerable build refuses the proof"),
        pytest.param(COPIES, MOVED, {"kind": "sanitizer"}, 1, id="it fires on both: the flaw has another name"),
        pytest.param(COPIES, READS, {"kind": "sanitizer"}, 1, id="it fires on both: a read in place of the write"),
        pytest.param(COPIES, NULL, {"kind": "sanitizer", "error": "heap-buffer-overflow"}, 1,
                     id="it fires on both: another error comes first"),
        pytest.param(COPIES, HANGS, {"kind": "sanitizer"}, 1, id="the patched build hangs, and is not silent"),
        pytest.param(COPIES, before(PARSES, b"return 0;"), {"kind": "sanitizer"}, 1,
                     id="the patch deletes the feature: it leaves at once"),
        pytest.param(COPIES, before(KEEPS, b"free(kept); return 0;"), {"kind": "sanitizer"}, 1,
                     id="the patch deletes the feature: nothing is kept"),
        pytest.param(COPIES, before(b"int main", b"__attribute__((constructor)) static void off(void) { exit(0); }"),
                     {"kind": "sanitizer"}, 1, id="the patch deletes the feature: a constructor ends the program"),
        pytest.param(COPIES, before(PARSES, b'if (!strcmp(argv[1], "in")) return 0;'), {"kind": "sanitizer"}, 1,
                     id="the patch refuses a file of the proof's name"),
        pytest.param(NAMED, MENDED, {"kind": "sanitizer"}, 0, id="the proof needs the network: a name to resolve"),
        pytest.param(ITSELF, MENDED, {"kind": "sanitizer"}, 0, id="the proof needs the network: a service beside it"),
        pytest.param(ROUTED, MENDED, {"kind": "sanitizer"}, 0, id="the proof needs the network: a route out"),
    ],
)  # fmt: skip
def test_it_gets_no_further(
    box: Backend, builds: Path, source: bytes, patched: bytes, oracle: dict[str, Any], most: int
) -> None:
    made = c_recipe(source, patched, oracle=oracle, limits={"cpu_s": 0.5, "wall_s": 10.0})
    found = judged(box, builds, made, source, patched, LONG, SHORT, upto=3)
    assert found.ladder.level == most, found.ladder.why


@pytest.mark.parametrize(
    "check",
    [
        pytest.param(b"if (n == 24) return 0;", id="its length"),
        pytest.param(b"if (text[0] == 'A') return 0;", id="its first byte"),
        pytest.param(b"unsigned s = 0; for (size_t i = 0; i < n; i++) s += text[i]; if (s == 24 * 'A') return 0;",
                     id="its sum"),
    ],
)  # fmt: skip
def test_a_patch_that_knows_the_proof_by_a_mark_of_it_fails_e4(
    box: Backend, builds: Path, check: bytes
) -> None:
    patched = before(PARSES, check)
    found = judged(box, builds, c_recipe(COPIES, patched), COPIES, patched, LONG, SHORT, seconds=5.0)
    assert found.ladder.level == 3
    assert "still fire" in found.ladder.why


@pytest.mark.parametrize(
    ("source", "patched", "most"),
    [
        pytest.param(BY_ADDRESS, MENDED, 0, id="by the place of its stack"),
        pytest.param(BY_CHANCE, MENDED, 0, id="by a random byte"),
        pytest.param(COPIES, AT_TIMES_MENDED, 1, id="the patched build alone"),
    ],
)
def test_what_differs_from_run_to_run_is_not_k_of_k(
    box: Backend, builds: Path, source: bytes, patched: bytes, most: int
) -> None:
    made = c_recipe(source, patched, times=20)
    found = judged(box, builds, made, source, patched, LONG, SHORT, upto=2)
    assert found.ladder.level == most, found.ladder.why


@pytest.mark.parametrize("source", [BY_ADDRESS, BY_CHANCE, AT_TIMES_MENDED], ids=["place", "byte", "mended"])
def test_these_do_differ_from_run_to_run(box: Backend, builds: Path, source: bytes) -> None:
    made, files = read(c_recipe(source, None)), Given(source, LONG)
    built = Builder(box, builds).build(made.target, files)
    shown = {trial(box, built, made.proof, made.oracle, files, made.limits).seen.shows for _ in range(40)}
    assert shown == {"fires", "silent"}


TOY = """
def one(a): return a
def now_and_then():
    import random
    if random.random() < 0.5: raise KeyError('x')
def fetches():
    import urllib.request
    return urllib.request.urlopen('http://192.0.2.1/marker').read()
def asks():
    import socket
    return socket.getaddrinfo('example.org', 80)
"""
RAISED = {"kind": "raised", "exception": "builtins.ValueError"}


@pytest.mark.parametrize(
    ("steps", "oracle", "times"),
    [
        pytest.param([{"call": "int", "args": ["x"]}], RAISED, 3, id="an exception of the interpreter's"),
        pytest.param([{"call": "toy.one"}], {"kind": "raised", "exception": "builtins.TypeError"}, 3,
                     id="a call that the harness gets wrong"),
        pytest.param([{"call": "toy.gone"}], {"kind": "raised", "exception": "builtins.AttributeError"}, 3,
                     id="a name that is not there"),
        pytest.param([{"call": "toy.one", "args": [{"repeat": ["a" * 1000, 1_000_000]}]}], RAISED, 3,
                     id="a value too long for the harness"),
        pytest.param([{"call": "str", "args": [{"repeat": ["9", {"n": 1000}]}], "as": "s"},
                      {"call": "int", "args": [{"$": "s"}]}], {"kind": "growth"}, 3,
                     id="time that the interpreter takes"),
        pytest.param([{"call": "toy.now_and_then"}], {"kind": "raised", "exception": "builtins.KeyError"}, 20,
                     id="an exception now and then"),
        pytest.param([{"call": "toy.fetches"}], {"kind": "output", "text": "marker"}, 3, id="a page from elsewhere"),
        pytest.param([{"call": "toy.asks"}], {"kind": "output", "text": "80"}, 3, id="an address from elsewhere"),
    ],
)  # fmt: skip
def test_steps_that_show_nothing_of_the_package_stay_at_e0(
    box: Backend, builds: Path, steps: list[Any], oracle: dict[str, Any], times: int
) -> None:
    one, two = a_wheel({"toy.py": TOY}), a_wheel({"toy.py": TOY + "mended = 1\n"}, version="2")
    found = judged(box, builds, py_recipe(one, two, steps, oracle, times=times), one, two, upto=2)
    assert found.ladder.level == 0, found.ladder.why


@pytest.mark.parametrize(
    ("body", "most"),
    [
        pytest.param("return None", 2, id="it answers nothing"),
        pytest.param("raise NotImplementedError", 1, id="it refuses all"),
        pytest.param("return text if len(text) == 3 else ''", 2, id="it answers what is as long as one harmless input"),
    ],
)  # fmt: skip
def test_a_package_whose_fix_deletes_the_feature_stays_at_e2(
    box: Backend, builds: Path, body: str, most: int
) -> None:
    flawed = "def show(text): return text\n"
    one, two = a_wheel({"toy.py": flawed}), a_wheel({"toy.py": f"def show(text): {body}\n"}, version="2")
    harmless = [{"kind": "steps", "steps": [{"call": "toy.show", "args": [a]}]} for a in ("abc", "abcd")]
    steps = [{"call": "toy.show", "args": ["<script>marker"]}]
    made = py_recipe(one, two, steps, {"kind": "output", "text": "<script>"}, benign=harmless)
    found = judged(box, builds, made, one, two, upto=3)
    assert found.ladder.level == most, found.ladder.why
