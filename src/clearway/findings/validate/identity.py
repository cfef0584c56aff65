"""Whether a recipe is about what it names, and a finding about what its recipe is: a proof lifts its own product alone.

Bytes speak for themselves where their format does: a wheel by its METADATA (PEP 427, core metadata), a source
distribution by its PKG-INFO, a Debian source package by its `.dsc` (`debian`). Archives of C say nothing of what they
are: who vouches for them says so, or what they were fetched as (`fetched`).
"""

from __future__ import annotations

import io
import lzma
import re
import tarfile
import zipfile
import zlib
from collections.abc import Iterator

from clearway.records.errors import InputError, VersionUnreadableError
from clearway.versions import has_keys, is_generic, key, scheme_of

from . import debian
from . import recipe as r
from .files import Files

_MOST_MEMBERS = 20_000
_MOST_BYTES = 512 << 20  # that an archive unpacks to
_MOST_METADATA = 1 << 20
# Where packages are published that are no programs in C, spelled as OSV does.
_NO_C = frozenset(
    {
        "CRAN", "Bioconductor", "GHC", "GitHub Actions", "Go", "Hackage", "Hex", "Maven", "NuGet", "Packagist", "Pub",
        "PyPI", "RubyGems", "SwiftURL", "VSCode", "crates.io", "npm",
    }
)  # fmt: skip


def doubts(recipe: r.Recipe, files: Files) -> tuple[str, ...]:
    """In which of its files a recipe's releases are others than it says, in words; empty when none is.

    Raises:
        NotFoundError: a file is not there.
    """
    found = []
    for part, target in (("target", recipe.target), ("patched", recipe.patched)):
        if isinstance(target, r.PythonTarget):
            said = [v for name, v in _released(target, files) if same_package("PyPI", name, target.name)]
            fit = [same_version("PyPI", version, target.version) for version in said]
            if not any(fit):
                found.append(f"no file of {part} says that it is the release that the recipe names")
            elif not all(fit):  # one would lie over the other
                found.append(f"a file of {part} is another release of its package than the recipe names")
        again = target is recipe.patched and same_sources(recipe.target, target)
        if isinstance(target, r.DebianTarget) and not again and not _said_by_dsc(target, files):
            found.append(f"the source package of {part} is another release than the recipe names")
    return tuple(found)


def same_sources(one: r.Target, other: r.Target | None) -> bool:
    """Whether two targets are made of the same published files: then they differ in patches alone, or in nothing."""
    if isinstance(one, r.PythonTarget) and isinstance(other, r.PythonTarget):
        return (one.wheels, one.sdist) == (other.wheels, other.sdist)
    if isinstance(one, r.CTarget) and isinstance(other, r.CTarget):
        return all(getattr(one, n, {}) == getattr(other, n, {}) for n in ("source", "archives", "files"))
    return False


def base(version: str) -> str:
    """The version of a Debian source package that a recipe leaves patches out of: what stands before "~without-"."""
    return re.sub(r"~without-.*$", "", version)


def _said_by_dsc(target: r.DebianTarget, files: Files) -> bool:
    """Whether the `.dsc` says the release, to the letter: a "+" behind it is another release."""
    name = next(n for n in target.source if n.endswith(".dsc"))
    try:
        found = debian.read(files.read(target.source[name]), name)
    except InputError:
        return False
    return same_package("Debian", found.source, target.name) and found.version == base(target.version)


def no_fix(recipe: r.Recipe) -> tuple[str, ...]:
    """Why the patched target is no fix of the other, in words; empty when it may be one: a later release of the same
    product, or the same sources with at least one patch more."""
    target, patched = recipe.target, recipe.patched
    if patched is None:
        return ()
    if isinstance(target, r.CTarget) and isinstance(patched, r.CTarget) and same_sources(target, patched):
        before, after = list(target.patches.values()), list(patched.patches.values())
        one, two = getattr(target, "series", None), getattr(patched, "series", None)
        holds = two is None or (one is not None and [p for p in two if p in set(one)] == list(one))
        if after[: len(before)] == before and holds and (len(after) > len(before) or one != two):
            return ()
        return ("the fix leaves out a patch that the target has, or adds none",)
    at = (
        "PyPI"
        if isinstance(target, r.PythonTarget)
        else "Debian"
        if isinstance(target, r.DebianTarget)
        else ""
    )
    try:
        scheme = scheme_of(at)
        later = key(scheme, number(patched.version)) > key(scheme, number(target.version))
    except VersionUnreadableError:
        later = False
    return () if later else ("the fix is no later release than the target, and not its sources with a patch",)


def of_finding(recipe: r.Recipe, ecosystem: str, package: str, release: str) -> str:
    """Why the recipe's target is not what a finding is about, in words of ours; "" when it is.

    A program in C goes by the last part of the package's name: `pkg:github/DaveGamble/cJSON@v1.7.15` is cJSON 1.7.15.
    What a recipe leaves out of a Debian package stands behind "~without-" in its version.
    """
    target, at = recipe.target, ecosystem.partition(":")[0]
    debian = isinstance(target, r.DebianTarget)
    if isinstance(target, r.PythonTarget) != (at == "PyPI") or (
        not isinstance(target, r.PythonTarget) and at in _NO_C
    ):
        return "the recipe's target is of another ecosystem than the finding's product"
    if debian and at not in ("Debian", "Ubuntu", ""):
        return "the recipe's target is a Debian source package, and the finding's product is none"
    if not package:
        return "the finding names no product"
    last = re.split(r"[/:]", package.rstrip("/"))[-1]
    if not whole(recipe, ecosystem, package) and (at == "PyPI" or not same_package(at, target.name, last)):
        return "the recipe's target is another product than the finding's"
    version = base(target.version) if debian else target.version
    # What is no package of a distribution's is upstream's release, whose versions its order says nothing of.
    order = at if debian or at == "PyPI" else ""
    if not same_version(order, version, release):
        return "the recipe's target is another release than the finding's"
    return ""


def whole(recipe: r.Recipe, ecosystem: str, package: str) -> bool:
    """Whether the target is called as the finding's package is, and not as its last part alone: two owners may each
    have a program of one name, and what the desk has fetched is of one of them."""
    return same_package(ecosystem.partition(":")[0], recipe.target.name, package)


def same_package(ecosystem: str, one: str, other: str) -> bool:
    """Whether two names are one package's: on the Python index by PEP 503, elsewhere but for capital letters, as
    Debian writes the names of programs. "libfoo" is not "foo"."""
    if ecosystem == "PyPI":
        return plain(one) == plain(other)
    return one.strip().casefold() == other.strip().casefold()


def same_version(ecosystem: str, one: str, other: str) -> bool:
    """Whether two texts are one version there; a "v" before the number is none."""
    one, other = number(one), number(other)
    if one == other:
        return True
    scheme = scheme_of(ecosystem)
    if is_generic(scheme) or not has_keys(scheme) or not one or not other:
        return False
    try:
        return key(scheme, one) == key(scheme, other)
    except VersionUnreadableError:
        return False


def metadata(target: r.PythonTarget, files: Files) -> Iterator[dict[str, list[str]]]:
    """The core metadata of each of its files: values by name in small letters. What says it twice, or not, is left out.

    Raises:
        NotFoundError: a file is not there.
    """
    for _, said in by_file(target, files):
        yield said


def by_file(target: r.PythonTarget, files: Files) -> Iterator[tuple[str, dict[str, list[str]]]]:
    """As `metadata`, with the SHA-256 of the file that says it."""
    for digest in target.wheels.values():
        for said in _metadata(_of_zip(files.read(digest), r"[^/]+\.dist-info/METADATA")):
            yield digest, said
    for name, digest in target.sdist.items():
        data = files.read(digest)
        for said in _metadata(_of_zip(data, r"[^/]+/PKG-INFO") if name.endswith(".zip") else _of_tar(data)):
            yield digest, said


def _released(target: r.PythonTarget, files: Files) -> Iterator[tuple[str, str]]:
    """Name and version as each of its files says."""
    for said in metadata(target, files):
        names, versions = said.get("name", []), said.get("version", [])
        if len(names) == len(versions) == 1:
            yield names[0], versions[0]


def _metadata(found: list[bytes]) -> Iterator[dict[str, list[str]]]:
    """Of one file that is there once: two of them are two claims."""
    if len(found) != 1:
        return
    head = re.split(rb"\r?\n\r?\n", found[0], maxsplit=1)[0].decode("utf-8", "replace")
    said: dict[str, list[str]] = {}
    for line in head.splitlines():
        name, colon, value = line.partition(":")
        if colon and not line[:1].isspace():
            said.setdefault(name.strip().lower(), []).append(value.strip())
    yield said


def _of_zip(data: bytes, pattern: str) -> list[bytes]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = [m for m in archive.infolist()[:_MOST_MEMBERS] if re.fullmatch(pattern, m.filename)][:2]
            return [archive.open(m).read(_MOST_METADATA) for m in members]
    except (
        zipfile.BadZipFile, EOFError, RuntimeError, ValueError, OSError, zlib.error, lzma.LZMAError,
    ):  # fmt: skip
        return []  # what is wrong with it is told where it is unpacked


def _of_tar(data: bytes) -> list[bytes]:
    found: list[bytes] = []
    left = _MOST_BYTES
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r|*") as archive:
            for n, member in enumerate(archive):
                left -= max(member.size, 0)
                if n >= _MOST_MEMBERS or left < 0:
                    return []
                if member.isreg() and re.fullmatch(r"(\./)?[^/]+/PKG-INFO", member.name):
                    file = archive.extractfile(member)
                    found.append(file.read(_MOST_METADATA) if file is not None else b"")
    except (tarfile.TarError, EOFError, ValueError, OSError, zlib.error, lzma.LZMAError):
        return []
    return found


def number(version: str) -> str:
    """A version without the "v" before it."""
    return re.sub(r"^[vV](?=\d)", "", version.strip())


def plain(name: str) -> str:
    """A project's name as the Python index spells it."""
    return re.sub(r"[-_.]+", "-", name.strip()).lower()  # PEP 503
