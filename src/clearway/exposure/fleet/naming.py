"""What an asset is called whose document names none: by the document's file, and by what tells it from others like it.

`bom.json` is what half of all tools call their file: by that name two machines would be one, and the next document of
one would end what the other has. So such a file is known by its folder and by what the document says it describes. What
is called so may be two where it is one; never one where it is two.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from .whose import DAY

if TYPE_CHECKING:
    from collections.abc import Iterable

# As tools call their files, without an ending, `.cdx`, `.spdx` and a day.
_GENERIC = frozenset(
    ("", "-", "bom", "sbom", "cyclonedx", "cdx", "spdx", "manifest", "syft", "trivy", "package-lock", "npm-shrinkwrap",
     "requirements", "poetry", "uv", "cargo", "go", "pom", "dpkg-status", "status", "purls", "stdin")
)  # fmt: skip
# Folders that builds and people put any such file into.
_ANYWHERE = frozenset(
    ("", "target", "build", "dist", "out", "output", "reports", "report", "results", "artifacts", "artefacts", "sbom",
     "sboms", "bom", "boms", "cyclonedx", "spdx", "data", "files", "export", "exports", "downloads", "desktop",
     "documents", "tmp", "temp", "var", "lib", "dpkg", "home", "srv", "mnt", "media", "opt", "workspace", "upload",
     "uploads")
)  # fmt: skip
# Folders that half of all projects have: they tell parts of one machine or project apart, and never two of these.
_COMMON = frozenset(
    ("src", "app", "apps", "application", "backend", "frontend", "front", "back", "server", "client", "api", "web",
     "www", "html", "public", "site", "code", "source", "sources", "repo", "project", "projects", "service",
     "services", "package", "packages", "pkg", "module", "modules", "main", "master", "trunk", "head", "current",
     "latest", "release", "releases", "root", "usr", "local", "share", "etc", "conf", "config", "docker", "deploy",
     "deployment", "ci", "infra", "scripts", "tools", "test", "tests", "docs", "example", "examples", "vendor", "node",
     "python", "java", "js", "go", "rust", "lock", "locks", "deps", "dependencies", "venv", "image", "images",
     "container", "containers", "prod", "production", "dev", "development", "staging", "qa", "checkout", "git", "scan",
     "scans")
)  # fmt: skip
_MADE = re.compile(r"tmp[._-]?\w*")  # as `mktemp` calls a folder
_A_DAY = re.compile(rf"[-_. ]*{DAY.pattern}", re.IGNORECASE)
_ENDINGS = re.compile(
    r"(?:\.(?:json|jsonl|xml|tsv|csv|txt|lock|mod|sum|cdx|spdx|zip|tar|tgz|gz|zst|zstd|xz|bz2|bom|sbom))+$",
    re.IGNORECASE,
)
_TAG = re.compile(r"(?<=.)(?:@.*|:[\w.-]+)$")
_NAMED = 80


def place_name(place: str, subject: str = "", *, several: bool = False, folder: str = "") -> str:
    """What to call the asset of a document at `place` that describes `subject` ("" for nothing told). Pure.

    `several`: files of that name stand in more than one folder. `folder` is what its folder is told from others by,
    where its name alone does not (`alike`).
    """
    stem = _stem(place)
    bare = _bare(stem.rpartition("!")[2])
    if not _is_generic(bare):
        folder = (folder or _folder(place)) if several else ""
        return f"{folder}/{stem.rpartition('!')[2]}" if folder else stem
    parts = [part for part in (folder or _folder(place), _subject(subject)) if part]
    return "/".join(dict.fromkeys(parts)) or stem


def upload_name(filename: str, subject: str = "") -> str:
    """The same of an upload, of whose folder nothing is known. Pure."""
    name = file_name(filename)
    own = _subject(subject) if _is_generic(_bare(name)) else ""
    return own or filename.partition(".")[0]


def in_several(places: Iterable[str]) -> frozenset[str]:
    """The files' names (`file_name`) that stand in more than one folder or archive."""
    found: dict[str, str] = {}
    several = set()
    for place in places:
        name = file_name(place)
        folder = os.path.abspath(place)[: -len(name)]  # noqa: PTH100 - a link stays what it is called
        if found.setdefault(name, folder) != folder:
            several.add(name)
    return frozenset(several)


def alike(places: Iterable[str]) -> dict[str, str]:
    """By place, what a folder is told by whose name others of the call have too, with files that are called alike."""
    met: dict[tuple[str, tuple[str, ...]], set[tuple[str, ...]]] = {}
    found: dict[str, tuple[str, tuple[str, ...]]] = {}
    for place in places:
        bare = _bare(file_name(place))
        kind, parts = "" if _is_generic(bare) else bare, _parts(place)
        found[place] = kind, parts
        for end in range(_least(parts), len(parts) + 1):
            met.setdefault((kind, parts[:end]), set()).add(parts)
    longer: dict[str, str] = {}
    for place, (kind, parts) in found.items():
        least = end = _least(parts)
        while end < len(parts) and len(met[kind, parts[:end]]) > 1:
            end += 1
        if end > least:
            longer[place] = "/".join(reversed(parts[:end]))
    return longer


def file_name(place: str) -> str:
    """The last part of a place, within an archive too."""
    return place.rpartition("!")[2].rpartition("/")[2]


def _is_generic(bare: str) -> bool:
    return bare in _GENERIC or bare.startswith("requirements")


def _stem(place: str) -> str:
    """The file's name without its ending, behind the archives that hold it directly, without their days."""
    *archives, name = Path(place).stem.split("!")
    return "!".join([*(a for a in map(_dayless, archives) if _bare(a)), name])


def _bare(name: str) -> str:
    """A name in lower case without endings and a day."""
    return _ENDINGS.sub("", _dayless(_ENDINGS.sub("", name.lower()))).strip("-_. ")


def _dayless(name: str) -> str:
    return _A_DAY.sub("", name)


def _folder(place: str) -> str:
    """The nearest folder or archive around a file that says something, below the next where many have it; or ""."""
    parts = _parts(place)
    return "/".join(reversed(parts[: _least(parts)]))


def _parts(place: str) -> tuple[str, ...]:
    """The folders and archives around a file that say something, the nearest first."""
    outer, *inner = place.split("!")
    parts = [*os.path.abspath(outer).split("/"), *(part for p in inner for part in p.split("/"))]  # noqa: PTH100
    names = [_ENDINGS.sub("", _dayless(part)).strip("-_. ") for part in parts[:-1] if place != "-"]
    return tuple(
        name[:_NAMED]
        for name in reversed(names)
        if name.lower() not in _ANYWHERE and _MADE.fullmatch(name.lower()) is None
    )


def _least(parts: tuple[str, ...]) -> int:
    """How many of them tell a folder from others of other machines."""
    return next((n for n, name in enumerate(parts, 1) if name.lower() not in _COMMON), len(parts))


def _subject(text: str) -> str:
    name = _TAG.sub("", text.strip()).strip("/. ")[:_NAMED]
    return name if _bare(name) not in _GENERIC else ""
