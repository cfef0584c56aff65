"""What is built, what is run on it, and what counts as firing. Frozen, strict, and data from a stranger.

A recipe says nothing of a verdict: it names a target's release, an input, and an oracle of a closed list that we
apply ourselves. Files are named by their SHA-256; a recipe is a document `recipe.json` beside them.

    {"target": {"kind": "python", "name": "jinja2", "version": "3.1.2", "wheels": {"jinja2-3.1.2-….whl": "<sha256>"}},
     "patched": {…}, "proof": {"kind": "steps", "steps": [{"call": "jinja2.Environment", "as": "e"}, …]},
     "oracle": {"kind": "output", "text": "onclick"}}
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from clearway.formats import strict_json
from clearway.records.errors import InputError
from clearway.sandbox.run import Limits

MOST_BYTES = 1 << 20  # of recipe.json
MOST_STEPS = 64
MOST_FILES = 64

Sha256 = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
Text = Annotated[str, Meta(min_length=1, max_length=4_000)]
Name = Annotated[str, Meta(min_length=1, max_length=300)]
Files = Annotated[dict[Name, Sha256], Meta(max_length=MOST_FILES)]
Flags = Annotated[tuple[Annotated[str, Meta(max_length=300)], ...], Meta(max_length=64)]


class PythonTarget(
    Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="python"
):
    """A release from the Python index: wheels as they were published, or a source distribution that is built."""

    name: Name
    version: Name
    wheels: Files = {}  # unpacked, never executed
    sdist: Files = {}  # at most one; built without a network
    build_wheels: Files = {}  # what the build needs: setuptools, wheel …
    sanitize: bool = False  # compiled extensions with AddressSanitizer and UBSan
    test_archives: Files = {}  # where the tests lie, such as the source distribution: unpacked, first folder stripped
    test_files: Files = {}  # put there as they are, after the archives
    test_wheels: Files = {}  # what the tests need, such as pytest; the target's own modules come before them
    tests: Annotated[tuple[PythonTests, ...], Meta(max_length=50)] = ()


class PythonTests(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One run of the project's own tests: the words after `python3 -m`, such as `unittest tests.test_url`."""

    name: Name
    argv: Annotated[tuple[Text, ...], Meta(min_length=1, max_length=50)]


class CTarget(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="c"):
    """A program in C or C++, compiled by one command a compiler with AddressSanitizer and UBSan."""

    name: Name
    version: Name
    archives: Files = {}  # .tar.gz, .tar.xz, .zip: unpacked under /work/src, first folder stripped
    files: Files = {}  # put there as they are, after the archives
    patches: Files = {}  # unified diffs, applied in this order with -p1
    compile: Annotated[tuple[Name, ...], Meta(min_length=1, max_length=200)] = (
        "main.c",
    )  # relative to /work/src
    flags: Flags = ()
    tests: Annotated[tuple[Tests, ...], Meta(max_length=50)] = ()
    fuzz: Fuzz | None = (
        None  # libFuzzer's entry; without one, a program that reads a file or stdin is given ours
    )


class DebianTarget(CTarget, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="debian"):
    """A program in C or C++ from a Debian source package, unpacked and compiled as any other.

    `source` are the `.dsc` and the files that it names. Of `debian/patches/series` those in `series` are applied, in
    the series' order: null for all, none for an empty list. `debian/rules` is never run.
    """

    source: Annotated[Files, Meta(min_length=2)]
    series: Annotated[tuple[Name, ...], Meta(max_length=500)] | None = None


class Fuzz(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An entry for libFuzzer: what is compiled in place of `compile`, with `LLVMFuzzerTestOneInput` in it."""

    compile: Annotated[tuple[Name, ...], Meta(min_length=1, max_length=200)]
    flags: Flags = ()


class Tests(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One of the project's own test programs: sources to compile, and how to run it."""

    name: Name
    compile: Annotated[tuple[Name, ...], Meta(min_length=1, max_length=200)]
    flags: Flags = ()
    argv: Annotated[tuple[Text, ...], Meta(max_length=50)] = ()


Target = PythonTarget | CTarget | DebianTarget


class Steps(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="steps"):
    """Calls into a Python package, as data: run by our harness (`drive`). The last one's value is the result."""

    steps: Annotated[tuple[dict[str, Any], ...], Meta(min_length=1, max_length=MOST_STEPS)]
    files: Files = {}


class Command(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="command"):
    """A program of the target's own: argv[0] is `target` for what was compiled, or `python3` with `-m`."""

    argv: Annotated[tuple[Text, ...], Meta(min_length=1, max_length=100)]
    files: Files = {}
    stdin: Sha256 | None = None


class Script(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="script"):
    """A program that the reporter wrote. It could print anything: such a proof is capped at E1."""

    language: Annotated[str, Meta(pattern="^(python|c)$")]
    source: Sha256
    files: Files = {}


Proof = Steps | Command | Script


class Sanitizer(
    Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="sanitizer"
):
    """AddressSanitizer or UBSan stops the program; `error` narrows it ("heap-buffer-overflow").

    `child`: what is stopped may be a process that the program started, and went on without, as a server does.
    """

    error: Annotated[str, Meta(max_length=80)] = ""
    child: bool = False


class Signal(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="signal"):
    """The kernel ends the program with this signal."""

    name: Annotated[str, Meta(pattern="^SIG(SEGV|ABRT|BUS|FPE|ILL|TRAP)$")] = "SIGSEGV"


class Raised(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="raised"):
    """An exception of this class (its qualified name) leaves the last step."""

    exception: Name


class Growth(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="growth"):
    """Processor time on sizes n, 2n, 4n grows much faster than the size, or does not end within the limit."""

    sizes: Annotated[tuple[int, ...], Meta(min_length=2, max_length=6)] = (1, 2, 4)
    ratio: Annotated[float, Meta(ge=2, le=1000)] = 3.0  # last against first, per doubling beyond linear


class Endless(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="endless"):
    """The program does not end within its processor time on an input that a sound one answers at once.

    One that only waits (for a network, a lock, a busy machine) does not show it.
    """


class FileOutside(
    Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="file-outside"
):
    """A file appears in the box where the program was given nothing to write: its own folder is /work."""

    path: Annotated[str, Meta(pattern="^/(tmp|dev/shm)/", max_length=300)]


class Output(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="output"):
    """The result or the program's output has this text in it."""

    text: Text


class Access(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="access"):
    """A secret that we draw anew for each run, and put where `{{secret}}` stands in a file, comes out."""

    file: Name


Oracle = Sanitizer | Signal | Raised | Growth | Endless | FileOutside | Output | Access


class Recipe(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One proof about one release, and the release that is said to be fixed."""

    title: Annotated[str, Meta(max_length=300)] = ""
    ids: Annotated[tuple[Name, ...], Meta(max_length=20)] = ()
    cwe: Annotated[str, Meta(pattern="^(CWE-[0-9]{1,5})?$")] = ""
    target: Target
    patched: Target | None = None
    proof: Proof
    oracle: Oracle
    benign: Annotated[tuple[Proof, ...], Meta(max_length=50)] = ()  # must go the same way on both
    times: Annotated[int, Meta(ge=1, le=20)] = 3
    limits: Limits = Limits()


def read(data: bytes, place: str = "recipe.json") -> Recipe:
    """The recipe of a document.

    Raises:
        InputError: it is none; names the field and what it may be.
    """
    from .check import check  # it imports the nouns from here

    if len(data) > MOST_BYTES:
        raise InputError(f"more than {MOST_BYTES >> 10} KiB", where=place)
    try:
        recipe = msgspec.convert(strict_json.loads(data, place), Recipe)
    except msgspec.ValidationError as error:
        raise InputError(str(error), where=place, mend="see schemas/recipe.json") from None
    check(recipe, place)
    return recipe


def files_of(recipe: Recipe) -> dict[str, str]:
    """Every file that it names: SHA-256 by the part of the recipe and the name, such as "patched/main.c"."""
    found: dict[str, str] = {}
    for part, target in (("target", recipe.target), ("patched", recipe.patched)):
        if target is not None:
            found |= {f"{part}/{name}": digest for files in parts(target) for name, digest in files.items()}
    for n, proof in enumerate((recipe.proof, *recipe.benign)):
        part = f"benign-{n}" if n else "proof"
        found |= {f"{part}/{name}": digest for name, digest in proof.files.items()}
        if isinstance(proof, Script):
            found[f"{part}:script"] = proof.source
        if isinstance(proof, Command) and proof.stdin:
            found[f"{part}:stdin"] = proof.stdin
    return found


def parts(target: Target) -> tuple[Files, ...]:
    """All files of a target, in groups; patches last."""
    if isinstance(target, PythonTarget):
        tests = (target.test_archives, target.test_files, target.test_wheels)
        return (target.wheels, target.sdist, target.build_wheels, *tests)
    source = target.source if isinstance(target, DebianTarget) else {}
    return source, target.archives, target.files, target.patches


def named(recipe: Recipe, digest: str) -> str:
    """What the recipe calls a file, "patched/main.c"; the digest itself for one that it does not name."""
    return next((name for name, found in files_of(recipe).items() if found == digest), digest)


def published(recipe: Recipe) -> frozenset[str]:
    """The SHA-256 of all that the vulnerable target is made of, and of what the patched one is but for its patches."""
    found: set[str] = set()
    for target in (recipe.target, recipe.patched):
        if target is not None:
            groups = parts(target)
            if target is recipe.patched and isinstance(target, CTarget):
                groups = groups[:-1]
            found |= {digest for files in groups for digest in files.values()}
    return frozenset(found)
