"""A tiny program with a flaw, its fix, twenty regression inputs; and what must never count as verified."""

from __future__ import annotations

from hashlib import sha256
from typing import Any, NamedTuple

FLAWED = b"""#include <stdio.h>
#include <stdlib.h>
#include <string.h>
static void keep(char *to, const char *from) { strcpy(to, from); }
int main(int argc, char **argv) {
    char text[200], *kept = calloc(1, 16);
    FILE *file = fopen(argv[1], "r");
    size_t n = fread(text, 1, sizeof text - 1, file);
    text[n] = 0;
    keep(kept, text);
    printf("kept %s\\n", kept);
    free(kept);
    return 0;
}
"""
MENDED = FLAWED.replace(b"strcpy(to, from)", b"strncpy(to, from, 15); to[15] = 0")
RENAMED = FLAWED.replace(b"kept %s", b"held %s")
BLOCKED = FLAWED.replace(
    b"    keep(kept", b'    if (!strcmp(text, "AAAAAAAAAAAAAAAAAAAAAAAA")) return 0;\n    keep(kept'
)
AWAY = FLAWED.replace(
    b"static void keep", b'__attribute__((no_sanitize("address"))) static void keep'
).replace(b"strcpy(to, from)", b"while ((*to++ = *from++)) {}")
DELETED = FLAWED.replace(b"    keep(kept, text);", b"    kept[0] = 0; (void)keep;")
FLAKY = FLAWED.replace(b"#include <stdio.h>", b"#include <stdio.h>\n#include <time.h>").replace(
    b"    keep(kept, text);",
    b"    struct timespec t; clock_gettime(CLOCK_REALTIME, &t);\n    if ((t.tv_nsec / 7) % 2) keep(kept, text);",
)
FAKES = b"""#include <stdio.h>
#include <stdlib.h>
int main(void) {
    fputs("==1==ERROR: AddressSanitizer: heap-buffer-overflow on address 0x6 at pc 0x4\\nWRITE of size 1\\n", stderr);
    abort();
}
"""
NETWORK = FLAWED.replace(b"#include <stdio.h>", b"#include <stdio.h>\n#include <arpa/inet.h>").replace(
    b"    keep(kept, text);",
    b"    struct sockaddr_in to = {0}; int s = socket(AF_INET, SOCK_STREAM, 0);\n"
    b"    to.sin_family = AF_INET; to.sin_port = htons(53); to.sin_addr.s_addr = htonl(0x01010101);\n"
    b"    if (s >= 0 && !connect(s, (struct sockaddr *)&to, sizeof to)) keep(kept, text);",
)
PARSES = b"    keep(kept, text);"
MOVED = FLAWED.replace(b"void keep", b"void hold").replace(b" keep(kept", b" hold(kept")
LENGTH = FLAWED.replace(PARSES, b"    if (n == 24) return 0;\n" + PARSES)
FIRST = FLAWED.replace(PARSES, b"    if (text[0] == 'A') return 0;\n" + PARSES)
LEAVES = FLAWED.replace(b"    char text", b"    return 0;\n    char text")
HANGS = FLAWED.replace(PARSES, b"    if (n > 15) for (;;) ;\n" + PARSES)
CHANCE = (
    b'    FILE *r = fopen("/dev/urandom", "r"); if (r && fgetc(r) & 1) %s;\n' + PARSES
)  # half of the runs
BY_CHANCE = FLAWED.replace(PARSES, CHANCE % b"return 0")
AT_TIMES_MENDED = FLAWED.replace(PARSES, CHANCE % b"text[15] = 0")
NAME = FLAWED.replace(b"#include <stdio.h>", b"#include <stdio.h>\n#include <netdb.h>").replace(
    PARSES,
    b'    struct hostent *at = gethostbyname("example.org");\n    if (at) keep(kept, text);',
)
OUTPUT = b'#include <stdio.h>\nint main(void) { for (;;) puts("AddressSanitizer"); }\n'
FORKS = b"#include <unistd.h>\nint main(void) { for (;;) fork(); }\n"
PROOF = b"A" * 24


class Control(NamedTuple):
    """`most` is the highest level that it may reach."""

    name: str
    recipe: dict[str, Any]
    blobs: tuple[bytes, ...]
    most: int


def whole(n: int) -> tuple[dict[str, Any], tuple[bytes, ...]]:
    """A recipe that reaches E3, and its files; each `n` is another program: other bytes come out of its builds, so that
    nothing that was seen of one is known of another."""
    note = f'const char number[] = "{n}";\n'.encode()
    inputs = tuple(f"input {i}".encode() for i in range(20))
    blobs = (FLAWED + note, MENDED + note, PROOF, *inputs)
    return _recipe(blobs[0], blobs[1], inputs), blobs


def controls() -> list[Control]:
    """What must not be verified: each with the highest level that it may reach."""
    cases = (
        ("fires on neither", MENDED, FLAWED, 0),
        ("fires on both", FLAWED, RENAMED, 1),
        ("the same build", FLAWED, FLAWED, 1),
        ("the patch deletes the feature", FLAWED, DELETED, 2),
        ("the patch blocks the bytes", FLAWED, BLOCKED, 3),
        ("the patch tells the sanitizer to look away", FLAWED, AWAY, 1),
        ("flaky", FLAKY, MENDED, 0),
        ("a printed report", FAKES, MENDED, 0),
        ("needs the network", NETWORK, MENDED, 0),
        ("fires on both, under another name", FLAWED, MOVED, 1),
        ("the patched build hangs", FLAWED, HANGS, 1),
        ("the patch leaves at once", FLAWED, LEAVES, 2),
        ("the patch knows the proof's length", FLAWED, LENGTH, 3),
        ("the patch knows the proof's first byte", FLAWED, FIRST, 3),
        ("flaky by a random byte", BY_CHANCE, MENDED, 0),
        ("flaky on the patched build", FLAWED, AT_TIMES_MENDED, 1),
        ("needs a name to resolve", NAME, MENDED, 0),
        ("output without end", OUTPUT, MENDED, 0),
        ("a fork bomb", FORKS, MENDED, 0),
    )
    found = [
        Control(
            name,
            _recipe(one, two, (b"abc",), times=20 if name.startswith("flaky") else 3),
            (one, two, PROOF, b"abc"),
            most,
        )
        for name, one, two, most in cases
    ]
    script = b"import os\nos.abort()\n"
    wheel = _wheel()
    target = {"kind": "python", "name": "toy", "version": "1", "wheels": {"toy-1.whl": _sha(wheel)}}
    proof = {"kind": "script", "language": "python", "source": _sha(script)}
    made = {"target": target, "proof": proof, "oracle": {"kind": "signal", "name": "SIGABRT"}}
    return [*found, Control("a crash in the harness", made, (wheel, script), 1)]


def _recipe(one: bytes, two: bytes, inputs: tuple[bytes, ...], times: int = 3) -> dict[str, Any]:
    def target(source: bytes, version: str) -> dict[str, Any]:
        return {"kind": "c", "name": "tiny", "version": version, "files": {"main.c": _sha(source)}}

    def command(data: bytes) -> dict[str, Any]:
        return {"kind": "command", "argv": ["target", "in"], "files": {"in": _sha(data)}}

    return {
        "target": target(one, "1"), "patched": target(two, "2"), "proof": command(PROOF),
        "oracle": {"kind": "sanitizer"}, "benign": [command(data) for data in inputs], "times": times,
        "limits": {"cpu_s": 2.0, "wall_s": 10.0},
    }  # fmt: skip


def _sha(data: bytes) -> str:
    return sha256(data).hexdigest()


def _wheel() -> bytes:
    import io
    import zipfile

    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        archive.writestr(zipfile.ZipInfo("toy.py"), "x = 1\n")
    return held.getvalue()
