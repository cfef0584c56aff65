"""Fetches what the recipes of `corpus/` are made of into a folder, by the ordinary clients and checked by SHA-256.

    python scripts/fetch_corpus.py [--into DIR] [--records FILE…] [CVE-…]

Wheels come by pip and are not executed. pip asks a source distribution for its name by running its build script: only
bytes whose hash a recipe names get so far. Debian's sources come by apt from the mirrors that this machine uses. What
can't be had is named, and its recipes are skipped; the rest stands. What each file was fetched as stands beside them,
in `fetched.json`: one without is fetched again, since it counts for nothing at a desk. Then each pair is held against
the records that are bundled, and against those of `--records`: that they call the one release affected and the
other not. A pair that no record names is said to be unchecked.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator
from hashlib import sha256
from pathlib import Path

import zstandard

from clearway.findings.validate import debian, fetched, published, recipe
from clearway.records.errors import ClearwayError

ROOT = Path(__file__).resolve().parents[1]
CORPUS = ROOT / "corpus"
# Records that are bundled: the database of the Python index, a sample, and what neither has.
FACTS = (
    ROOT / "data" / "facts" / "pypi.jsonl", ROOT / "data" / "facts" / "ghsa-sample.jsonl", CORPUS / "facts.jsonl",
)  # fmt: skip
# Which record a pair is held against, and where that one differs from what the proof shows.
RECORDS = json.loads((CORPUS / "records.json").read_bytes())


def default() -> Path:
    """Where the files lie: `CLEARWAY_CORPUS_CACHE`, else the user's cache."""
    named = os.environ.get("CLEARWAY_CORPUS_CACHE")
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(named) if named else base / "clearway" / "corpus"


def recipes(only: list[str]) -> dict[str, recipe.Recipe]:
    """The recipes by folder."""
    found = {}
    for path in sorted(CORPUS.glob("*/recipe.json")):
        if not only or path.parent.name in only:
            found[path.parent.name] = recipe.read(path.read_bytes(), str(path))
    return found


def wanted(read: recipe.Recipe) -> dict[str, str]:
    """The files that a recipe needs from elsewhere: SHA-256 by file name."""
    files: dict[str, str] = {}
    for target in (read.target, read.patched):
        if isinstance(target, recipe.PythonTarget):
            files |= {**target.wheels, **target.sdist, **target.build_wheels}
            files |= {**target.test_archives, **target.test_wheels}
        elif target is not None:
            files |= target.archives
            files |= target.source if isinstance(target, recipe.DebianTarget) else {}
    return files


def there(folder: Path, name: str, digest: str) -> bool:
    """Whether the file is there, and is the one."""
    path = folder / name
    return path.is_file() and sha256(path.read_bytes()).hexdigest() == digest


def take(out: Path, folder: Path, origins: dict[str, list[fetched.Origin]]) -> None:
    """Copies what was fetched into `out` to the folder, with the notes of what it is."""
    for path in sorted(out.iterdir()):
        if path.is_file() and sha256(path.read_bytes()).hexdigest() in origins:
            shutil.copyfile(path, folder / path.name)
    fetched.write(folder, origins)


def requirement(name: str) -> tuple[str, str]:
    """Project and version of a wheel's or a source distribution's file name."""
    if name.endswith(".whl"):
        project, version, *_ = name.split("-")
        return project, version
    project, _, version = re.sub(r"\.(tar\.gz|zip)$", "", name).rpartition("-")
    return project, version


def rounds_of(files: dict[str, str]) -> list[dict[str, tuple[str, str]]]:
    """What is downloaded in one call of pip each, wheels first: name and SHA-256 by project, one version of each.

    A source distribution goes alone: pip is told for a whole call which of the two it takes.
    """
    rounds: list[dict[str, tuple[str, str]]] = []
    for name, digest in sorted(files.items()):
        project = requirement(name)[0].lower()
        wheel = name.endswith(".whl")
        place = next((r for r in rounds if wheel and of_wheels(r) and project not in r), None)
        if place is None:
            place = {}
            rounds.insert(0 if wheel else len(rounds), place)
        place[project] = (name, digest)
    return rounds


def by_pip(folder: Path, files: dict[str, str]) -> None:
    """Downloads them; what can't be had is told."""
    for one in rounds_of(files):
        wheels = of_wheels(one)
        lines = [f"{'=='.join(requirement(name))} --hash=sha256:{digest}" for name, digest in one.values()]
        with tempfile.TemporaryDirectory() as apart:  # beside nothing that pip could take for fetched
            listed, out = Path(apart, "wanted.txt"), Path(apart, "out")
            listed.write_text("\n".join(lines), "utf-8")
            out.mkdir()
            done = subprocess.run(
                [sys.executable, "-m", "pip", "download", "-q", "--retries", "1", "--no-deps", "--require-hashes",
                 "-d", str(out),
                 "--only-binary" if wheels else "--no-binary", ":all:", "-r", str(listed)],
                check=False, capture_output=True, text=True,
            )  # fmt: skip
            if done.returncode:
                print(f"pip could not fetch {', '.join(name for name, _ in one.values())}:", file=sys.stderr)
                print("\n".join(f"  {line}" for line in done.stderr.splitlines()[-3:]), file=sys.stderr)
            take(out, folder, dict(of_index(out, one.values())))


def of_wheels(one: dict[str, tuple[str, str]]) -> bool:
    """Whether all files of a call of pip are wheels."""
    return all(name.endswith(".whl") for name, _ in one.values())


def of_index(out: Path, asked: Iterable[tuple[str, str]]) -> Iterator[tuple[str, list[fetched.Origin]]]:
    """What pip has fetched, as the project and version that it was asked for."""
    for name, digest in asked:
        if there(out, name, digest):
            project, version = requirement(name)
            yield digest, [fetched.Origin(ecosystem="PyPI", name=project, version=version, file=name)]


def of_packages(out: Path) -> dict[str, list[fetched.Origin]]:
    """What apt has fetched: each `.dsc`, and the files that it lists where they are those that it lists."""
    found: dict[str, list[fetched.Origin]] = defaultdict(list)
    for path in sorted(out.glob("*.dsc")):
        data = path.read_bytes()
        try:
            said = debian.read(data, path.name)
        except ClearwayError as error:
            print(f"{path.name}: {error}", file=sys.stderr)
            continue
        files = {path.name: sha256(data).hexdigest(), **said.files}
        for name, digest in files.items():
            if there(out, name, digest):
                origin = fetched.Origin(ecosystem="Debian", name=said.source, version=said.version, file=name)
                found[digest].append(origin)
    return found


def by_apt(folder: Path, name: str) -> None:
    """Downloads a Debian source package, with lists of sources of our own beside the system's."""
    package = name.partition("_")[0]
    if shutil.which("apt-get") is None:
        return
    with tempfile.TemporaryDirectory() as place:
        parts = Path(place, "parts")
        for below in ("parts", "lists/partial", "cache/archives/partial", "out"):
            Path(place, below).mkdir(parents=True)
        for path in Path("/etc/apt/sources.list.d").glob("*.sources"):
            text = path.read_text("utf-8")
            (parts / path.name).write_text(re.sub(r"^Types:.*$", "Types: deb-src", text, flags=re.M), "utf-8")
        old = Path("/etc/apt/sources.list")
        if old.is_file():
            (parts / "old.list").write_text(
                re.sub(r"^deb\s", "deb-src ", old.read_text("utf-8"), flags=re.M), "utf-8"
            )
        words = [
            *("-q", "-q", "-o", "Dir::Etc::SourceList=/dev/null", "-o", f"Dir::Etc::SourceParts={parts}"),
            *("-o", f"Dir::State::Lists={place}/lists", "-o", f"Dir::Cache={place}/cache"),
        ]
        for act in (("update",), ("source", "--download-only", package)):
            subprocess.run(["apt-get", *words, *act], cwd=Path(place, "out"), check=False)
        take(Path(place, "out"), folder, of_packages(Path(place, "out")))


def records_of(path: Path, read: dict[str, recipe.Recipe]) -> list[dict[str, object]]:
    """The records of a file that name a flaw of the recipes; CVE records in the shape of OSV's."""
    data = path.read_bytes()
    if path.suffix == ".zst":
        with zstandard.ZstdDecompressor().stream_reader(data, read_across_frames=True) as reader:
            data = reader.read()
    ids = [name.encode() for one in read.values() for name in one.ids]
    found = []
    for line in data.splitlines():
        if any(name in line for name in ids):
            record = json.loads(line)
            found.append(published.of_cve(record) if "cveMetadata" in record else record)
    return found


def main() -> int:
    """0 when all is there and every record agrees."""
    parser = argparse.ArgumentParser(description="Fetches the files of the corpus, and holds it against OSV.")
    parser.add_argument("--into", type=Path, default=default())
    parser.add_argument(
        "--records",
        type=Path,
        action="append",
        default=[],
        help="more OSV or CVE records: JSON lines, plain or .zst",
    )
    parser.add_argument("only", nargs="*", metavar="CVE")
    asked = parser.parse_args()
    asked.into.mkdir(parents=True, exist_ok=True)
    read = recipes(asked.only)
    noted = fetched.read(asked.into).files
    lacking = {
        n: d
        for one in read.values()
        for n, d in wanted(one).items()
        if d not in noted or not there(asked.into, n, d)
    }
    # A source package is asked for once, by the name that its files begin with.
    from_apt = {n: d for n, d in lacking.items() if ".orig." in n or n.endswith(".dsc") or ".debian." in n}
    by_pip(asked.into, {n: d for n, d in lacking.items() if n not in from_apt})
    for name in {n.partition("_")[0]: n for n in from_apt}.values():
        by_apt(asked.into, name)
    missing: dict[str, list[str]] = defaultdict(list)
    for title, one in read.items():
        for name, digest in wanted(one).items():
            if not there(asked.into, name, digest):
                missing[title].append(name)
    noted = fetched.read(asked.into).files
    bare = {n for one in read.values() for n, d in wanted(one).items() if d not in noted} - {
        n for names in missing.values() for n in names
    }
    if bare:
        print(
            f"{len(bare)} files are there from before, and could not be fetched again: without a note of what they "
            "were fetched as they count for nothing at a desk",
            file=sys.stderr,
        )
    for title, names in missing.items():
        print(f"skipped {title}: not to be had: {', '.join(names)}", file=sys.stderr)
    if lacking and not any(d in noted and there(asked.into, n, d) for n, d in lacking.items()):
        print(
            f"none of {len(lacking)} files could be fetched. Is this machine offline? Run it again where the Python "
            "index and Debian's mirrors can be reached; pip and apt say above what they met.",
            file=sys.stderr,
        )
    records = []
    for path in (*FACTS, *asked.records):
        records += records_of(path, read) if path.is_file() else []
    wrong = checked = 0
    for title, one in read.items():
        each = {json.dumps(r, sort_keys=True): r for r in records}  # the same in two files is one
        count, against = published.disagreements(one, each.values())
        wrong += bool(against) and "differs" not in RECORDS[title]
        checked += bool(count)
        print(
            f"{title}: {f'{count} records' if count else 'unchecked, no record says'}"
            + "".join(f"; against it: {a}" for a in against)
        )
    print(f"{checked} of {len(read)} pairs are checked against a record")
    print(f"{len(read) - len(missing)} of {len(read)} recipes have their files in {asked.into}")
    return 1 if missing or wrong else 0


if __name__ == "__main__":
    sys.exit(main())
