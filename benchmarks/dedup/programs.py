"""Small C programs with planted flaws, the patches of each flaw, and inputs that set them off: the truth is known.

A program has ten flaws. Four of them are twins, two in each of two functions, with one error, one access and one stack:
no crash state can tell them apart. Each flaw is reached by three callers, one of them recursive, so that one flaw has
several crash states and many stacks. Patches: one for each flaw, another hand's for eight of them, and two that are too
broad: each mends both twins of a function.
"""

from __future__ import annotations

import random
from typing import NamedTuple

FLAWS = 10
PROGRAMS = 5
TWINS = ((0, 1), (2, 3))
BROAD = TWINS
SIZE = 16  # bytes of a buffer that holds as many
DEPTH = 24

_HEAD = """#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* program {number} */
static volatile int sink;
"""
_KINDS = (
    # heap write, heap read, stack write, stack read, use after free, null: `n` is over the bound
    "char *p = malloc(16); {guard} for (int i = 0; i < n; i++) p[i] = (char)d[0]; sink += p[0]; free(p);",
    "char *p = calloc(16, 1); {guard} for (int i = 0; i < n; i++) sink += p[i]; free(p);",
    "char p[16]; {guard} for (int i = 0; i < n; i++) p[i] = (char)d[0]; sink += p[0];",
    "char p[16] = {{0}}; {guard} for (int i = 0; i < n; i++) sink += p[i];",
    "char *p = malloc(16); p[0] = 1; {guard} if (n > 16) free(p); sink += p[0]; if (n <= 16) free(p);",
    "char *p = malloc(16); char *q = p; {guard} if (n > 16) q = 0; *q = (char)n; sink += *q; free(p);",
)
_GUARDS = ("if (n > 16) n = 16;", "if (n >= 17) {{ return; }}")  # two hands mend in two ways


class Patch(NamedTuple):
    """The flaws that it mends, and in whose way."""

    name: str
    flaws: frozenset[int]
    hand: int = 0


def patches() -> tuple[Patch, ...]:
    """The twenty patches of a program."""
    return (
        *(Patch(f"fix-{n}", frozenset({n})) for n in range(FLAWS)),
        *(Patch(f"fix-{n}-too", frozenset({n}), 1) for n in range(2, FLAWS)),
        *(Patch(f"broad-{n}", frozenset(pair)) for n, pair in enumerate(BROAD)),
    )


def source(number: int, patch: Patch | None = None) -> bytes:
    """The program of that number, with a patch or without."""

    def body(flaw: int, kind: int) -> str:
        mended = patch is not None and flaw in patch.flaws
        guard = _GUARDS[patch.hand].format() if mended and patch is not None else ""
        return _KINDS[(kind + number) % len(_KINDS)].format(guard=guard)

    parts = [_HEAD.format(number=number)]
    for a, b in TWINS:
        parts.append(
            f"static void twin_{a}(const unsigned char *d, int n, int which) {{\n"
            f"    if (which) {{ {body(a, a)} }}\n    else {{ {body(b, a)} }}\n}}\n"
        )
    single = [n for n in range(FLAWS) if not any(n in pair for pair in TWINS)]
    parts += [f"static void flaw_{n}(const unsigned char *d, int n) {{ {body(n, n)} }}\n" for n in single]
    cases = [f"case {a}: twin_{a}(d, n, 1); break; case {b}: twin_{a}(d, n, 0); break;" for a, b in TWINS]
    cases += [f"case {n}: flaw_{n}(d, n); break;" for n in single]
    parts.append(
        "static void go(int op, const unsigned char *d, int n) {\n    switch (op) {\n        "
        + "\n        ".join(cases)
        + "\n    }\n    sink++;\n}\n"
        "static void plain(int op, const unsigned char *d, int n) { go(op, d, n); sink++; }\n"
        "static void nested(int op, const unsigned char *d, int n) { go(op, d, n); sink++; }\n"
        "static void again(int op, const unsigned char *d, int n, int depth) {\n"
        "    if (depth > 0) again(op, d, n, depth - 1); else go(op, d, n);\n    sink++;\n}\n"
        "int main(int argc, char **argv) {\n    unsigned char d[64] = {0};\n"
        '    FILE *file = fopen(argv[1], "r");\n    if (!file || fread(d, 1, sizeof d, file) < 4) return 1;\n'
        "    if (d[1] % 3 == 0) plain(d[0], d + 4, d[3]);\n"
        "    else if (d[1] % 3 == 1) nested(d[0], d + 4, d[3]);\n    else again(d[0], d + 4, d[3], d[2]);\n"
        "    return 0;\n}\n"
    )
    return "".join(parts).encode()


def inputs(each: int, seed: int) -> list[tuple[bytes, int]]:
    """Inputs that set a flaw off, `each` for every flaw, and which; all different."""
    draw = random.Random(seed)  # noqa: S311
    found: dict[bytes, int] = {}
    for flaw in range(FLAWS):
        count = 0
        while count < each:
            # Just past the end, where AddressSanitizer looks: the next object is further away.
            head = bytes((flaw, draw.randrange(3), draw.randrange(DEPTH), draw.randrange(SIZE + 1, SIZE + 9)))
            data = head + draw.randbytes(12)
            if data not in found:
                found[data] = flaw
                count += 1
    return list(found.items())
