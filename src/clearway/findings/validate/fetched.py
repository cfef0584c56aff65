"""What the desk has fetched from where it is published, and as what: a file counts as that alone.

    corpus/…             files, whatever their names, known by their SHA-256
    corpus/fetched.json  written as they were fetched: of which package and release each is

Somebody else's sources are published too. So a file speaks for the product and release that it was fetched as, and for
no other: another name, another release, or no note at all, and a person has to vouch for it (docs/explain/evidence.md).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Literal
from uuid import uuid4

import msgspec
from msgspec import Struct

from clearway.records.errors import ConfigError

from . import identity
from . import recipe as r
from .files import Folders

FOLDER = "corpus"  # in the home
NOTE = "fetched.json"
MOST_NOTE = 16 << 20
AGAIN = "python scripts/fetch_corpus.py --into FOLDER"
# dsc(5): upstream's archive. One of a component (`.orig-NAME.tar.*`) is another project's, or a part.
_ORIG = re.compile(r"[^/]+\.orig\.tar\.(gz|xz|bz2|lzma)")


class Origin(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a file was fetched as: a wheel or a source distribution of a project of the Python index, or a file that
    the `.dsc` of a Debian source package lists with its SHA-256, or that `.dsc`."""

    ecosystem: Literal["PyPI", "Debian"]
    name: str
    version: str  # the package's: of a source package with its epoch and revision
    file: str

    @property
    def upstream(self) -> str:
        """The release of upstream's that an archive of a source package is; "" for any other file."""
        if self.ecosystem != "Debian" or not _ORIG.fullmatch(self.file):
            return ""
        version = self.version.rpartition(":")[2]  # deb-version(7): [epoch:]upstream[-revision]
        return version.rpartition("-")[0] or version


class Note(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The origins of a folder's files by SHA-256. One archive may belong to several releases of a source package."""

    format: Literal["clearway-fetched/1"] = "clearway-fetched/1"
    files: dict[r.Sha256, tuple[Origin, ...]] = {}


class Fetched(Folders):
    """The files of folders that the desk has fetched, and what each was fetched as."""

    def __init__(self, *folders: Path) -> None:
        super().__init__(*folders)
        self._notes = folders

    def origins(self) -> dict[str, tuple[Origin, ...]]:
        """By SHA-256, of files that are there. Raises ConfigError: a note can't be read."""
        found: dict[str, tuple[Origin, ...]] = {}
        for folder in self._notes:
            for digest, said in read(folder).files.items():
                found[digest] = (*found.get(digest, ()), *said)
        return {digest: said for digest, said in found.items() if digest in self.digests()}

    def unnoted(self) -> frozenset[str]:
        """The files of which nothing says what they were fetched as."""
        return self.digests() - self.origins().keys()

    def counting(self, recipe: r.Recipe, *, read: bool = False) -> frozenset[str]:
        """See `counts`."""
        return counts(recipe, self.origins(), read=read)

    def why(self, recipe: r.Recipe, known: frozenset[str]) -> str:
        """Of files here that `known` lacks, why they don't count, in words that quote nothing; "" for none."""
        lacking = (r.published(recipe) - known) & self.digests()
        bare = lacking & self.unnoted()
        said = []
        if bare:
            said.append(
                f"{len(bare)} of them are at hand without a note of what they were fetched as: fetch them again, "
                f"{AGAIN}"
            )
        if others := len(lacking - bare):
            said.append(
                f"{others} of them were fetched as another product or release, or as something else than the "
                "recipe makes of them"
            )
        return "; ".join(said)


def counts(
    recipe: r.Recipe, origins: Mapping[str, tuple[Origin, ...]], *, read: bool = False
) -> frozenset[str]:
    """The SHA-256 of the target's and the fix's files that were fetched as what the recipe says they are.

    A file of another package (what a wheel needs, what builds it, what runs its tests) counts where somebody has read
    the recipe and it has there the name that it was fetched by: a proof may lie in any of them. What is laid over the
    sources, and what patches them, never does. A digest with one use that does not count does not count at all.
    """
    good: set[str] = set()
    bad: set[str] = set()
    for target, of in ((recipe.target, recipe.target), (recipe.patched, recipe.target)):
        if target is None:
            continue
        stands_as = of if identity.same_sources(target, of) else target
        for group, name, digest in _uses(target):
            as_what = (
                of if group.startswith("test_") else stands_as
            )  # tests are those of the vulnerable release
            fits = any(_fits(o, as_what, group, name, read=read) for o in origins.get(digest, ()))
            (good if fits else bad).add(digest)
    return frozenset(good - bad)


def read(folder: Path) -> Note:
    """The note of a folder; an empty one where there is none.

    Raises:
        ConfigError: it can't be read, or is none.
    """
    path = folder / NOTE
    try:
        with path.open("rb") as file:
            data = file.read(MOST_NOTE + 1)
    except FileNotFoundError:
        return Note()
    except OSError as error:
        raise ConfigError(f"it can't be read: {error.strerror}", where=str(path)) from None
    try:
        if len(data) > MOST_NOTE:
            raise ValueError(f"more than {MOST_NOTE >> 20} MiB")
        return msgspec.json.decode(data, type=Note)
    except (msgspec.MsgspecError, RecursionError, ValueError) as error:
        raise ConfigError(
            f"no note of what was fetched: {error}", where=str(path), mend=f"remove it, then {AGAIN}"
        ) from None


def write(folder: Path, more: Mapping[str, Iterable[Origin]]) -> None:
    """Adds to a folder's note, which is there whole or as it was. Raises ConfigError, as `read`."""
    files = dict(read(folder).files)
    for digest, said in more.items():
        files[digest] = tuple(dict.fromkeys((*files.get(digest, ()), *said)))
    fresh = folder / f".{NOTE}.{uuid4().hex}"
    data = msgspec.json.encode(Note(files=dict(sorted(files.items()))))
    fresh.write_bytes(msgspec.json.format(data, indent=1) + b"\n")
    fresh.replace(folder / NOTE)


def _uses(target: r.Target) -> Iterator[tuple[str, str, str]]:
    """Group, name and SHA-256 of each of a target's files; its patches too."""
    groups: tuple[str, ...] = ("archives", "files", "patches")
    if isinstance(target, r.PythonTarget):
        groups = ("wheels", "sdist", "build_wheels", "test_archives", "test_files", "test_wheels")
    elif isinstance(target, r.DebianTarget):
        groups = ("source", *groups)
    for group in groups:
        for name, digest in getattr(target, group).items():
            yield group, name, digest


def _fits(origin: Origin, target: r.Target, group: str, name: str, *, read: bool) -> bool:
    if isinstance(target, r.PythonTarget):
        if origin.ecosystem != "PyPI" or group == "test_files":
            return False
        own = identity.same_package("PyPI", origin.name, target.name) and identity.same_version(
            "PyPI", origin.version, target.version
        )
        if group in ("build_wheels", "test_wheels"):
            own = False
        return own or (read and group.endswith("wheels") and origin.file == name)
    if origin.ecosystem != "Debian" or not identity.same_package("Debian", origin.name, target.name):
        return False
    if isinstance(target, r.DebianTarget):  # its .dsc says which files it has (`debian.control`)
        return group == "source" and origin.version == identity.base(target.version)
    # To the letter: upstream's 1.01 and 1.1 are two releases, which Debian's order takes for one.
    return (
        group == "archives" and bool(origin.upstream) and origin.upstream == identity.number(target.version)
    )
