"""Small programs with planted flaws, and recipes about them, for tests of validation."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from clearway.findings.validate import recipe
from clearway.findings.validate.build import Builder
from clearway.findings.validate.files import Given
from clearway.findings.validate.judge import Judged, Subject, judge
from clearway.sandbox import Backend

# Gives a file's text to `parse`.
READS = b"""int main(int argc, char **argv) {
    char text[200];
    FILE *file = fopen(argv[1], "r");
    size_t n = fread(text, 1, sizeof text - 1, file);
    text[n] = 0;
    parse(text);
    return 0;
}
"""
COPIES = (
    b"""#include <stdio.h>
#include <stdlib.h>
#include <string.h>
static void keep(char *to, const char *from) { strcpy(to, from); }
int parse(const char *text) {
    char *kept = malloc(16);
    int first;
    keep(kept, text);
    first = kept[0];
    printf("kept %s\\n", kept);
    free(kept);
    return first;
}
"""
    + READS
)
MENDED = COPIES.replace(b"strcpy(to, from)", b"strncpy(to, from, 15); to[15] = 0")
BYTES_BLOCKED = COPIES.replace(
    b"    keep(kept, text);",
    b'    if (strcmp(text, "AAAAAAAAAAAAAAAAAAAAAAAA") == 0) return 0;\n    keep(kept, text);',
)
DELETED = COPIES.replace(b"    parse(text);", b"    (void)parse;")
LONG, SHORT = b"A" * 24, b"abc"
MENDS = b"""--- a/main.c
+++ b/main.c
@@ -1,7 +1,7 @@
 #include <stdio.h>
 #include <stdlib.h>
 #include <string.h>
-static void keep(char *to, const char *from) { strcpy(to, from); }
+static void keep(char *to, const char *from) { strncpy(to, from, 15); to[15] = 0; }
 int parse(const char *text) {
     char *kept = malloc(16);
     int first;
"""


def sha(data: bytes) -> str:
    return sha256(data).hexdigest()


def c_target(source: bytes, version: str = "1", **more: Any) -> dict[str, Any]:
    return {"kind": "c", "name": "toy", "version": version, "files": {"main.c": sha(source)}, **more}


def command(data: bytes) -> dict[str, Any]:
    return {"kind": "command", "argv": ["target", "in"], "files": {"in": sha(data)}}


def c_recipe(source: bytes, patched: bytes | None, proof: bytes = LONG, **more: Any) -> dict[str, Any]:
    """A recipe about a C program: `patched` None for no patch."""
    made: dict[str, Any] = {
        "target": c_target(source),
        "proof": command(proof),
        "oracle": {"kind": "sanitizer"},
        "benign": [command(SHORT)],
        "limits": {"cpu_s": 2.0, "wall_s": 10.0},
        **more,
    }
    if patched is not None:
        made["patched"] = c_target(patched, "2")
    return made


def a_wheel(
    files: Mapping[str, str], name: str = "toy", version: str = "1", needs: tuple[str, ...] = ()
) -> bytes:
    """A wheel with these files; the same bytes for the same files."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        for path, text in {
            **files,
            f"{name}-{version}.dist-info/METADATA": f"Name: {name}\nVersion: {version}\n"
            + "".join(f"Requires-Dist: {need}\n" for need in needs),
        }.items():
            archive.writestr(zipfile.ZipInfo(path), text)
    return held.getvalue()


def py_target(wheel: bytes, version: str = "1") -> dict[str, Any]:
    return {"kind": "python", "name": "toy", "version": version, "wheels": {f"toy-{version}.whl": sha(wheel)}}


def py_recipe(
    before: bytes, after: bytes | None, steps: list[Any], oracle: dict[str, Any], **more: Any
) -> dict[str, Any]:
    made: dict[str, Any] = {
        "target": py_target(before),
        "proof": {"kind": "steps", "steps": steps, **more.pop("proof", {})},
        "oracle": oracle,
        "limits": {"cpu_s": 2.0, "wall_s": 10.0},
        **more,
    }
    if after is not None:
        made["patched"] = py_target(after, "2")
    return made


def read(made: dict[str, Any]) -> recipe.Recipe:
    return recipe.read(json.dumps(made).encode())


def judged(
    box: Backend,
    folder: Path,
    made: dict[str, Any],
    *blobs: bytes,
    upto: int = 4,
    seconds: float = 1.0,
    **more: Any,
) -> Judged:
    """The ladder of a recipe whose files are `blobs`."""
    return judge(
        box,
        Builder(box, folder),
        Subject(recipe=read(made), files=Given(*blobs), **more),
        upto=upto,
        seconds=seconds,
    )
