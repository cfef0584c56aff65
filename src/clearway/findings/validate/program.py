"""How a target in C or C++ is unpacked, patched and compiled: a shell script for the box, and what it reads. Pure.

What it leaves in /work: `out/` is the target; `marks` says what a build asks the sanitizers to overlook (`Marks`);
`applied` how many patches of a Debian series were applied.

    target   `compile` with AddressSanitizer and UBSan, not inlined, for the key of a crash
    fuzzer   the same sources with libFuzzer: the recipe's own entry in place of `compile`, or ours around its `main`
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from pathlib import PurePosixPath

from msgspec import Struct

from . import debian
from .files import Files
from .recipe import CTarget, DebianTarget
from .tools import Compiler

_COMMON = (
    "-g", "-O1", "-fno-omit-frame-pointer", "-fno-inline", "-fno-common", "-w", "-ffile-prefix-map=/work/src=.",
    "-fno-sanitize-recover=undefined",
)  # fmt: skip
SANITIZE = ("-fsanitize=address,undefined", *_COMMON)
# One copy of gcc's two runtimes: apart, UBSan's does not write where it is told to.
STATIC = {"gcc": "-static-libasan -static-libubsan", "clang": ""}
# What a source says to a sanitizer: attributes that switch it off for a function, and its own functions and options.
_SAID = (
    "no_sanitize|no_address_safety|disable_sanitizer|__asan_|__ubsan_|__sanitizer_|ASAN_OPTIONS|UBSAN_OPTIONS"
)
_UNZIP = "rm -rf ./*; unzip -qq {0} && mv ./*/* ."
_PATCH = (
    "patch -p1 -N -F0 -E --no-backup-if-mismatch -i {0} >&2"  # in part, or already there, is no patch of it
)


# The files that sources are made of, of the tree itself, a line each.
_NEEDED = "{} | tr -d '\\\\' | tr ' ' '\\n' | grep -v -e ':$' -e '^$' | sort -u > {}"
# To the tests' tree: of what the patched target is made of, what it was made of before, and what is new.
_CODE = (
    'while IFS= read -r one; do if grep -qxF -e "$one" ../before || [ ! -e "../tests/$one" ]; then '
    'mkdir -p "../tests/$(dirname "$one")" && cp "$one" "../tests/$one"; fi; done < ../after; cd ../tests'
)


class Task(Struct, frozen=True, kw_only=True):
    """A script for /bin/sh, and the files that it reads in /work."""

    script: str
    inputs: dict[str, bytes]


class Marks(Struct, frozen=True, kw_only=True):
    """What a source tells the sanitizers, after preprocessing: `said` are its words to them, `apart` the lines that it
    has only with or only without them. A patch that adds to either is silent because nobody looks any more."""

    said: int = 0
    apart: int = 0

    def over(self, other: Marks) -> bool:
        """Whether this build says more than another."""
        return self.said > other.said or self.apart > other.apart


def target(made: CTarget, files: Files, program: str, compiler: Compiler, before: int | None = None) -> Task:
    """Compiles the target and its test programs with `program`.

    The tests are those of the tree after the first `before` patches (all of them by default): of what the others
    change it takes the files that the target is made of, and new ones. A patch that rewrites a test is judged by the
    test that it rewrites.

    Raises:
        InputError: a source package is not what it says.
        NotFoundError: a file of the recipe is not there.
    """
    inputs: dict[str, bytes] = {}
    tests_first = before is not None and before < len(made.patches) and bool(made.tests)
    script = _sources(made, files, inputs, before if tests_first else None)
    if tests_first and before is not None:
        needs = f"{program} -MM -w {_options(made.flags)} -I. {_words(made.compile)}"
        script += [_NEEDED.format(needs, "../before"), "mkdir ../tests && cp -a . ../tests"]
        script += [_PATCH.format(f"../p{n}") for n in range(before, len(made.patches))]
        script.append(_NEEDED.format(needs, "../after"))
    for source in made.compile if compiler == "gcc" else ():
        script += _marked(program, _options(made.flags), source)
    common = " ".join((*SANITIZE, STATIC[compiler]))
    compiles = [
        f"{program} {common} {_options(flags)} -I. {_words(sources)} {_libraries(flags)} "
        f"-o ../out/{shlex.quote(out)}"
        for out, sources, flags in (
            ("target", made.compile, made.flags),
            *((f"test-{t.name}", t.compile, t.flags) for t in made.tests),
        )
    ]
    script += [compiles[0], *([_CODE] if tests_first else []), *compiles[1:]]
    if made.tests:  # tests read files of the source beside them
        script.append('cd .. && mv "$OLDPWD" out/src')
    return Task(script="\n".join(script), inputs=inputs)


def fuzzer(made: CTarget, files: Files, program: str, entry: bytes) -> Task:
    """Compiles the target for libFuzzer with clang; `entry` is our own (`entry.c`), or empty for the recipe's.

    The program's `main` is renamed in the object files: defined as another function in the source it would have to
    return. `exit` comes back to the entry, which has more inputs to try.

    Raises:
        InputError, NotFoundError: as `target`.
    """
    inputs: dict[str, bytes] = {}
    script = _sources(made, files, inputs)
    common = " ".join(_COMMON)
    if not entry and made.fuzz is not None:
        script.append(
            f"{program} -fsanitize=fuzzer,address,undefined {common} {_options(made.fuzz.flags)} -I. "
            f"{_words(made.fuzz.compile)} {_libraries(made.fuzz.flags)} -o ../out/target"
        )
        return Task(script="\n".join(script), inputs=inputs)
    inputs["entry.c"] = entry
    script.append("mkdir ../objects")
    for n, source in enumerate(made.compile):
        script.append(
            f"{program} -fsanitize=fuzzer-no-link,address,undefined {common} {_options(made.flags)} -I. "
            f"-c {shlex.quote(source)} -o ../objects/{n}.o"
        )
        script.append(f"objcopy --redefine-sym main=clearway_main ../objects/{n}.o")
    script.append(
        f"{program} -fsanitize=fuzzer,address,undefined {common} -Wl,--wrap=exit ../entry.c ../objects/*.o "
        f"{_libraries(made.flags)} -o ../out/target"
    )
    return Task(script="\n".join(script), inputs=inputs)


def unpack(archive: str) -> str:
    """The words that unpack an archive into the working folder, its first folder stripped."""
    return (
        f"if ! tar xf {archive} --strip-components=1 --no-same-owner --no-same-permissions 2>/dev/null; "
        f"then {_UNZIP.format(archive)}; fi"
    )


def _sources(made: CTarget, files: Files, inputs: dict[str, bytes], patches: int | None = None) -> list[str]:
    """Puts all sources under /work/src, with the first `patches` (all by default); the shell stands there."""
    script = ["mkdir out", ": > marks", ": > over", "echo 0 > applied"]
    if isinstance(made, DebianTarget):
        script += debian.unpacking(made, files, inputs)
    else:
        script.append("mkdir src && cd src")
    for n, digest in enumerate(made.archives.values()):
        inputs[f"a{n}"] = files.read(digest)
        script.append(unpack(f"../a{n}"))
    if isinstance(made, DebianTarget):
        script += debian.patching(made, _PATCH)
    for n, (name, digest) in enumerate(made.files.items()):
        inputs[f"f{n}"] = files.read(digest)
        script.append(f"if [ -e {shlex.quote(name)} ]; then echo {n} >> ../over; fi")
        script.append(
            f"mkdir -p {shlex.quote(str(PurePosixPath(name).parent))} && cp ../f{n} {shlex.quote(name)}"
        )
    for n, digest in enumerate(made.patches.values()):
        inputs[f"p{n}"] = files.read(digest)
        if patches is None or n < patches:
            script.append(_PATCH.format(f"../p{n}"))
    return script


def _marked(program: str, options: str, source: str) -> list[str]:
    """Counts, for `marks`, what one source says to the sanitizers: a line of two numbers."""
    reads = f"{program} -E -P -w {options} -I."
    name = shlex.quote(source)
    return [
        f"{reads} -fsanitize=address,undefined {name} > ../with || true",
        f"{reads} {name} > ../without || true",
        f"echo $(grep -oE '{_SAID}' ../with | wc -l) $(diff ../without ../with | grep -c '^[<>]') >> ../marks",
    ]


def marks_of(data: bytes) -> Marks:
    """The marks of a build from what its script left."""
    said = apart = 0
    for line in data.decode("ascii", "replace").splitlines():
        one, _, two = line.partition(" ")
        if one.isdigit() and two.isdigit():
            said, apart = said + int(one), apart + int(two)
    return Marks(said=said, apart=apart)


def _options(flags: Iterable[str]) -> str:
    return " ".join(shlex.quote(f) for f in flags if not f.startswith("-l"))


def _libraries(flags: Iterable[str]) -> str:
    return " ".join(shlex.quote(f) for f in flags if f.startswith("-l"))


def _words(names: Iterable[str]) -> str:
    return " ".join(shlex.quote(n) for n in names)
