"""What a recipe may not say, beyond its shape. Pure.

A recipe comes from a stranger who may gain from a verdict. So its names stay beneath their folder, its compiler is told
nothing that loads code, both builds are made and tested in one way, its bounds are ours, and its steps reach into the
package that is judged and into nothing else (`drive` holds them to that in the box as well).
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from clearway.records.errors import InputError
from clearway.sandbox.run import Limits, beneath

from . import recipe as r

MOST_DEPTH = 16  # of a value in a step
MOST_VALUES = 10_000  # in all steps
LEAST_ENDLESS_S = (
    2.0  # of processor time: an interpreter and its imports take some tenths of it by themselves
)
# The most that a recipe may ask for.
MOST = Limits(
    cpu_s=60.0, wall_s=300.0, memory_mib=4096, processes=256, open_files=1024, file_mib=512, work_mib=1024,
    output_bytes=16 << 20, keep_bytes=64 << 20,
)  # fmt: skip

# No plugins, and nothing that turns a sanitizer on or off: both builds have ours.
_FLAG = re.compile(
    r"-(O[0-3sgz]?|g|D[A-Za-z_]\w*(=[\w.+-]*)?|I[\w./-]+|std=[\w+]+|l[\w+.-]+|f[\w=,-]+|W[\w=,-]*|pthread|m[\w=-]+)"
)
_MAKES = re.compile(r"-[Dfm]")  # makes another program of the same sources
_PROGRAMS = (".py", ".pyc", ".pyw", ".pyz", ".pth", ".so", ".zip", ".whl", ".egg")
_NO_FLAG = ("plugin", "sanitize", "-Wl,", "-Wp,", "-Wa,", "specs", "-fuse-ld", "-flto")
_NAME = re.compile(r"\$?[A-Za-z_]\w*(\.\w+)*")
_LABEL = re.compile(r"[A-Za-z_]\w{0,60}")
_STEP = {
    "call": {"call", "args", "kwargs", "as", "await"},
    "get": {"get", "as", "await"},
    "set": {"set", "to"},
}
# Behind objects stand their modules, and behind generators and tracebacks the frames of whoever runs them (`drive`).
BEHIND = ("__", "gi_", "cr_", "ag_", "tb_", "f_", "co_")
# What a compiler is given. No other files: a linker script names functions anew, "@opts" is read as options, and both
# may be what a patch changes.
_COMPILED = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./+-]*\.(c|cc|cpp|cxx|c\+\+|C)")
_SOURCE = re.compile(r"[A-Za-z0-9][\w.+~-]*\.(dsc|tar\.(gz|xz|bz2|lzma)|diff\.gz|asc)")
_VALUES = ("$", "object", "file", "repeat", "concat", "bytes", "dict", "tuple")
_FILE_AS = ("bytes", "text", "path", "name")
NAMED = "nobody has read the recipe, and its proof hands over the very place that it is to reach"


def check(recipe: r.Recipe, place: str) -> None:
    """Nothing, when the recipe may be tried. Raises InputError: names the field."""
    for target in (recipe.target, recipe.patched):
        if isinstance(target, r.CTarget):
            _c(target, place)
        elif target is not None:
            _python(target, place)
    _both(recipe, place)
    _limits(recipe.limits, f"{place}: limits")
    secret = recipe.oracle.file if isinstance(recipe.oracle, r.Access) else ""
    for proof in (recipe.proof, *recipe.benign):
        for name in proof.files:
            _relative(name, f"{place}: proof.files")
        if isinstance(proof, r.Steps):
            _steps(proof, secret, f"{place}: proof.steps")
        elif isinstance(proof, r.Command):
            _command(proof, f"{place}: proof.argv")
    if (
        secret
        and isinstance(recipe.proof, r.Command)
        and any(_plainly(w) == secret for w in recipe.proof.argv)
    ):
        raise InputError("the program is given the secret's file by its name", where=f"{place}: proof.argv")
    if secret and secret not in recipe.proof.files:
        raise InputError("the secret's file is none of the proof's", where=f"{place}: oracle.file")
    if isinstance(recipe.oracle, r.FileOutside):
        try:
            beneath(recipe.oracle.path)
        except InputError as error:
            raise InputError(error.what, where=f"{place}: oracle.path", mend=error.mend) from error
    if isinstance(recipe.oracle, r.Endless) and recipe.limits.cpu_s < LEAST_ENDLESS_S:
        raise InputError(
            f"{recipe.limits.cpu_s:g} s are too short to tell what does not end from what starts slowly",
            where=f"{place}: limits.cpu_s", mend=f"at least {LEAST_ENDLESS_S:g}",
        )  # fmt: skip
    if isinstance(recipe.oracle, r.Raised) and not isinstance(recipe.proof, r.Steps):
        raise InputError("an exception is seen in a proof of steps", where=f"{place}: oracle")
    if isinstance(recipe.oracle, r.Raised) and recipe.oracle.exception.startswith("__main__."):
        raise InputError("that is an exception of our harness", where=f"{place}: oracle.exception")
    if isinstance(recipe.oracle, r.Growth) and list(recipe.oracle.sizes) != sorted(set(recipe.oracle.sizes)):
        raise InputError("sizes that do not grow", where=f"{place}: oracle.sizes")
    if (
        isinstance(recipe.oracle, r.Growth)
        and not 0 < recipe.oracle.sizes[0] <= recipe.oracle.sizes[-1] <= 1 << 20
    ):
        raise InputError("sizes are between 1 and 1,048,576", where=f"{place}: oracle.sizes")


def to_read(recipe: r.Recipe) -> tuple[str, ...]:
    """Why a person has to have read a recipe before more than E1 counts, in words that quote nothing of it.

    Files may be what is published, and the proof still be the reporter's own doing: two releases differ in much that is
    no flaw, a flag of the compiler makes a program that nobody ships, and some modules run what they are given.
    """
    found = []
    if isinstance(recipe.oracle, r.Output | r.Raised):
        found.append("nobody has read the recipe, and only a reader tells whether such an output is a flaw")
    if isinstance(recipe.target, r.CTarget) and any(_MAKES.match(flag) for flag in recipe.target.flags):
        found.append(
            "nobody has read the recipe, and its compiler flags may make a program that is not shipped"
        )
    if isinstance(recipe.target, r.CTarget) and recipe.target.patches:
        found.append(
            "nobody has read the recipe, and it patches the target itself before it looks for a flaw"
        )
    if isinstance(recipe.target, r.DebianTarget) and recipe.target.series is not None:
        found.append(
            "nobody has read the recipe, and it leaves out patches that the release is published with"
        )
    proof = recipe.proof
    if isinstance(proof, r.Command) and any(_names(word, recipe.oracle) for word in proof.argv[1:]):
        found.append(NAMED)
    if isinstance(proof, r.Command) and proof.argv[0] == "python3":
        own = called_as(proof.argv[2], recipe.target.name)
        if not own or any(name.lower().endswith(_PROGRAMS) for name in proof.files):
            found.append("nobody has read the recipe, and its command may run what the reporter wrote")
    return tuple(found)


def _names(word: str, oracle: r.Oracle) -> bool:
    """Whether a word hands over the place that is to be reached: the file that is to appear, or a folder of it or of
    the secret. Of steps the run tells (`drive`), which sees what their values come to."""
    if not isinstance(oracle, r.FileOutside | r.Access):
        return False
    said = re.sub("/{2,}", "/", word.partition("=")[2] if word.startswith("-") else word)
    path = PurePosixPath(said)
    if ".." in path.parts:
        return False
    if said.startswith("/proc/"):  # another name of any place
        return True
    at = PurePosixPath("/work") / path
    if isinstance(oracle, r.FileOutside):
        folders = PurePosixPath(oracle.path).parents
        return any(oracle.path in one for one in (said, word)) or (at in folders and str(at) != "/")
    folders = (PurePosixPath("/work") / oracle.file).parents
    return at in folders and at not in (PurePosixPath("/work"), PurePosixPath("/"))


def called_as(module: str, package: str) -> bool:
    """Whether a module is called as the package is, or lies in one that is."""
    module = module.partition(".")[0]
    return re.sub(r"[-_.]+", "_", module).lower() == re.sub(r"[-_.]+", "_", package).lower()


def _c(target: r.CTarget, place: str) -> None:
    entries = (target, *target.tests, *((target.fuzz,) if target.fuzz is not None else ()))
    for flags in (e.flags for e in entries):
        for flag in flags:
            if not _FLAG.fullmatch(flag) or any(word in flag for word in _NO_FLAG):
                raise InputError(
                    f"a compiler flag that is not allowed: {flag[:60]!a}", where=f"{place}: flags"
                )
    for name in (n for e in entries for n in e.compile):
        _relative(name, place)
        if not _COMPILED.fullmatch(name):
            raise InputError(
                f"no source file in C or C++: {name[:80]!a}",
                where=f"{place}: compile",
                mend="main.c, lib/x.cc",
            )
    for name in (*target.files, *target.patches):
        _relative(name, place)
    _tests([t.name for t in target.tests], place)
    if isinstance(target, r.DebianTarget):
        for name in target.source:
            if not _SOURCE.fullmatch(name):
                raise InputError(
                    f"not a file of a source package: {name[:80]!a}", where=f"{place}: target.source"
                )
        if sum(name.endswith(".dsc") for name in target.source) != 1:
            raise InputError("a source package has one .dsc", where=f"{place}: target.source")
        for name in target.series or ():
            _relative(name, f"{place}: target.series")


def _tests(seen: list[str], place: str) -> None:
    for name in seen:
        if not re.fullmatch(r"[A-Za-z0-9][\w.-]*", name):
            raise InputError(f"not a test's name: {name[:60]!a}", where=f"{place}: tests")
    if len(set(seen)) != len(seen):
        raise InputError("two tests of one name", where=f"{place}: tests")


def _python(target: r.PythonTarget, place: str) -> None:
    if not target.wheels and not target.sdist:
        raise InputError("neither wheels nor a source distribution", where=f"{place}: target")
    if len(target.sdist) > 1:
        raise InputError("more than one source distribution", where=f"{place}: target.sdist")
    for name in (name for files in r.parts(target) for name in files):
        _relative(name, place)
    _tests([t.name for t in target.tests], place)


def _both(recipe: r.Recipe, place: str) -> None:
    """Both builds are made in one way: what falls silent does so for the patch, not for a flag or a missing test."""
    target, patched = recipe.target, recipe.patched
    if patched is None:
        return
    if patched.name != target.name or type(patched) is not type(target):
        raise InputError("the patched release is of another package", where=f"{place}: patched")
    same = True
    if isinstance(target, r.CTarget) and isinstance(patched, r.CTarget):
        same = all(getattr(target, n) == getattr(patched, n) for n in ("flags", "compile", "tests", "fuzz"))
    elif isinstance(target, r.PythonTarget) and isinstance(patched, r.PythonTarget):
        alike = ("sanitize", "tests", "test_archives", "test_files", "test_wheels")
        same = all(getattr(target, n) == getattr(patched, n) for n in alike)
    if not same:
        raise InputError(
            "the patched release is built or tested in another way",
            where=f"{place}: patched",
            mend="the same compile, flags, tests, fuzz and sanitize on both",
        )


def _limits(limits: Limits, place: str) -> None:
    for name in Limits.__struct_fields__:
        value, most = getattr(limits, name), getattr(MOST, name)
        if not 0 <= value <= most:  # also refuses NaN
            raise InputError(f"{name} is over {most:g}", where=place, mend=f"at most {most:g}")


def _command(proof: r.Command, where: str) -> None:
    """`python3 -m` runs a module of the target. One of the interpreter's, such as `timeit`, runs what it is told."""
    if proof.argv[0] != "python3":
        return
    words = proof.argv[1:3]
    if len(words) < 2 or words[0] != "-m" or not re.fullmatch(r"[A-Za-z_]\w*(\.\w+)*", words[1]):
        raise InputError("a command is `target …`, or `python3 -m MODULE …`", where=where)
    if words[1].partition(".")[0] in sys.stdlib_module_names:
        raise InputError(f"{words[1][:60]} is the interpreter's module, not the target's", where=where)


def _steps(proof: r.Steps, secret: str, place: str) -> None:
    left = MOST_VALUES
    for n, step in enumerate(proof.steps):
        where = f"{place}[{n}]"
        kind = next((k for k in _STEP if k in step), "")
        if not kind or not set(step) <= _STEP[kind]:
            raise InputError("a step is one of call, get and set", where=where)
        _name(step[kind], where)
        if kind == "set" and not (step["set"].startswith("$") and "." in step["set"]):
            raise InputError(
                "what is set is an attribute of a step's own", where=where, mend="$name.attribute"
            )
        if "as" in step and not (isinstance(step["as"], str) and _LABEL.fullmatch(step["as"])):
            raise InputError("a label that is no name", where=where)
        args, kwargs = step.get("args", []), step.get("kwargs", {})
        if step.get("call") == "iter" and len(args) != 1:
            raise InputError("iter takes one value here", where=where)
        if not isinstance(args, list) or not isinstance(kwargs, dict):
            raise InputError("args is a list, kwargs an object", where=where)
        for value in (*args, *kwargs.values(), step.get("to")):
            for inner in _values(value, where):
                left -= 1
                if left < 0:
                    raise InputError(f"more than {MOST_VALUES:,} values", where=place)
                _value(inner, proof.files, secret, where)


def _values(value: Any, where: str, depth: int = 0) -> Iterator[Any]:
    if depth > MOST_DEPTH:
        raise InputError(f"a value nested over {MOST_DEPTH} deep", where=where)
    yield value
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for one in inner:
        yield from _values(one, where, depth + 1)


def _value(value: Any, files: Mapping[str, str], secret: str, where: str) -> None:
    if not isinstance(value, dict):
        return
    if "file" in value:
        if not isinstance(value["file"], str) or value["file"] not in files or _how(value) not in _FILE_AS:
            raise InputError("a value names a file that is none of the proof's", where=where)
        if value["file"] == secret:
            raise InputError("a step is given the secret that is to come out", where=where)
    for kind in ("$", "object"):
        if kind in value and _VALUES.index(kind) == min(_VALUES.index(k) for k in value if k in _VALUES):
            _name(value[kind], where)
    repeat = value.get("repeat")
    if "repeat" in value and not (isinstance(repeat, list) and len(repeat) == 2):
        raise InputError("repeat is a value and how often", where=where)


def _how(value: dict[str, Any]) -> str:
    return str(value.get("as", "text"))


def _name(name: Any, where: str) -> None:
    if not isinstance(name, str) or len(name) > 300 or not _NAME.fullmatch(name):
        raise InputError("not a dotted name", where=where)
    if any(part.startswith(BEHIND) for part in name.lstrip("$").split(".")):
        raise InputError(f"a name that reaches behind the package: {name[:60]!a}", where=where)


def _plainly(word: str) -> str:
    """A file's name in /work without what leads nowhere. What climbs ("x/../a") is the program's to refuse."""
    return str(PurePosixPath(word)).removeprefix("/work/")


def _relative(name: str, place: str) -> None:
    path = PurePosixPath(name)
    if (
        path.is_absolute()
        or ".." in path.parts
        or name.startswith(("-", "@"))
        or "\0" in name
        or not path.parts
    ):
        raise InputError(f"not a relative file name: {name[:80]!a}", where=place)
