"""What somebody is about to look at, read into a path of a tree, so that two scopes meet when one contains the other.

    pkg:pypi/requests@2.31.0                                   a package; its version is kept in words
    git+https://git.example.org/team/tool@4f2a9c1#src/net/**   a repository at a commit, with a path glob (SPDX's form)
    192.0.2.0/24, 2001:db8::/48                                a network
    www.example.org                                            a host
    *.example.org                                              a name and all below it, itself included

Versions and commits do not tell scopes apart: a flaw of one release is mostly one of the next, and two people who
look at neighbouring commits look at the same code. A glob counts up to its first segment with a wildcard: whether two
globs share a file is then answered yes too often and never no too often. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from ipaddress import ip_network
from typing import Literal

from msgspec import Struct

from clearway.formats import purl
from clearway.records.ecosystem import normal_name
from clearway.records.errors import InputError

from . import names
from .names import Network as Network

Kind = Literal["package", "repository", "network", "host", "domain"]
MAX_TARGETS = 32
MAX_CHARS = 1_000
MAX_STEPS = 24  # deeper paths are cut: they then meet more, never less
# Whoever holds more than this holds half a continent; and a lock covers what lies below one such network.
WIDEST = {4: 8, 6: 16}
# A scan comes from a few addresses: who claims more speaks for others.
WIDEST_SOURCE = {4: 24, 6: 48}
_HOST = "="  # the step behind a host's labels: no label
_FORGE_OF = {
    "github": "github.com",
    "githubactions": "github.com",
    "gitlab": "gitlab.com",
    "bitbucket": "bitbucket.org",
}
_COMMIT = re.compile(r"[0-9a-f]{7,64}")
_GIT = re.compile(r"(?:git\+)?https://([^/@#?\s]+)/([^@#?\s]+?)/?(?:@([^#?\s]+))?(?:\?[^#\s]*)?(?:#(.*))?")
_FORMS = "write a purl, git+https://host/owner/name@commit#src/**, a network, a host, or *.example.org"


class Target(Struct, frozen=True):
    """One scope. Software has a `tree` and `steps`; hosts too, or a `net`. `text` is it in words, normalised.

    `live`: somebody's hosts answer for it, so that activity may be load on them.
    """

    kind: Kind
    text: str
    tree: Literal["pkg", "repo", "dns", ""]
    steps: tuple[str, ...]
    net: Network | None

    @property
    def live(self) -> bool:
        """Whether it is hosts, and no copy of a program."""
        return self.kind in ("network", "host", "domain")

    @property
    def root_steps(self) -> int:
        """How many steps two scopes that meet are sure to have in common."""
        return 2 if self.tree == "dns" else 1


def meets(a: Target, b: Target) -> bool:
    """Whether something lies in both: for paths and networks, that one contains the other."""
    return covers(a, b) or covers(b, a)


def covers(a: Target, b: Target) -> bool:
    """Whether all of `b` lies in `a`."""
    if a.net is not None and b.net is not None:
        return a.net.version == b.net.version and b.net.subnet_of(a.net)  # type: ignore[arg-type]
    return a.net is None and b.net is None and a.tree == b.tree and b.steps[: len(a.steps)] == a.steps


def parse(text: str, where: str = "scope") -> Target:
    """The scope that `text` names.

    Raises:
        InputError: it names none, or one that is wider than a lease may be.
    """
    text = text.strip()
    if not text or len(text) > MAX_CHARS or not text.isprintable():
        raise InputError(f"a scope is one line of up to {MAX_CHARS} characters", where=where, mend=_FORMS)
    if text[:4].lower() == "pkg:":
        return _package(text, where)
    if text.lower().startswith(("git+", "https://", "http://")):
        return _repository(text, where)
    if ":" in text or re.fullmatch(r"[0-9./]+", text):
        return _network(text, where)
    return _name(text, where)


def parse_all(texts: Sequence[str], where: str = "scope") -> tuple[Target, ...]:
    """The scopes that these texts name, without those that another one contains, in the order of their words.

    Raises:
        InputError: there is none, there are too many, or one can't be read; `where` says which.
    """
    if not 1 <= len(texts) <= MAX_TARGETS:
        raise InputError(f"a lease has 1 to {MAX_TARGETS} scopes", where=where, mend=_FORMS)
    found = [parse(text, f"{where}[{n}]") for n, text in enumerate(texts)]
    return tuple(sorted(_widest(found), key=lambda target: target.text))


def source(text: str, where: str = "sources") -> Network:
    """An address or network from which somebody scans.

    Raises:
        InputError: it is neither, or wider than `WIDEST_SOURCE`.
    """
    try:
        read = ip_network(text.strip(), strict=False)
    except ValueError:
        raise InputError("is no address and no network", where=where, mend="such as 192.0.2.7") from None
    found = names.unmapped(read, where)
    if "%" in text or found.prefixlen < WIDEST_SOURCE[found.version]:
        raise InputError(
            f"is wider than /{WIDEST_SOURCE[found.version]}",
            where=where,
            mend="name the addresses themselves",
        )
    return found


def _widest(targets: Iterable[Target]) -> list[Target]:
    kept: list[Target] = []
    for target in targets:
        if any(covers(other, target) for other in kept):
            continue
        kept = [other for other in kept if not covers(target, other)]
        kept.append(target)
    return kept


def _package(text: str, where: str) -> Target:
    try:
        read = purl.canonical(purl.parse(text))
        ecosystem, name, _ = purl.identity(read)
    except InputError:
        raise InputError(
            "the purl can't be read", where=where, mend="pkg:type/namespace/name@version"
        ) from None
    words = purl.to_text(read)
    if read.type in _FORGE_OF and read.namespace:  # the same as their repositories
        path = f"{read.namespace}/{read.name}"
        return Target(
            "repository", words, "repo", _steps(_FORGE_OF[read.type], path, read.subpath, where), None
        )
    if read.type == "git":
        host, path = names.place(names.authority(read.namespace, where), read.name, where)
        return Target("repository", words, "repo", _steps(host, path, read.subpath, where), None)
    if read.type == "generic" and (at := _source(read.qualifiers, where)) is not None:
        return Target("repository", words, "repo", _steps(*at, read.subpath, where), None)
    if read.type in ("golang", "swift"):
        host, base, *folders = names.go_module(f"{read.namespace}/{read.name}")
        if host:
            inside = "/".join([*folders, read.subpath])
            return Target("repository", words, "repo", _steps(host, base, inside, where), None)
        if read.type == "golang":
            steps = (names.folded(f"golang/{base}"), *_segments("/".join([*folders, read.subpath])))[
                :MAX_STEPS
            ]
            return Target("package", words, "pkg", steps, None)
    base = normal_name(ecosystem, name) if ecosystem and name else f"{read.namespace}/{read.name}"
    first = f"{read.type}/{base}".lower()
    steps = (first, *_segments(read.subpath))[:MAX_STEPS]
    return Target("package", words, "pkg", steps, None)


def _source(qualifiers: Mapping[str, str], where: str) -> tuple[str, str] | None:
    """(host, path) of the repository that a purl without a registry says it is from; None where it names none.

    Raises:
        InputError: its `vcs_url` can't be read.
    """
    if vcs := qualifiers.get("vcs_url", ""):
        found = names.address(vcs, where)
        if found is None:
            raise InputError("the purl's vcs_url can't be read", where=where, mend=_FORMS)
        return found
    # What is loaded down from a known forge is of the repository there; from elsewhere it is a file of any kind.
    found = names.address(qualifiers.get("download_url", ""), where)
    return found if found is not None and found[0] in names.FORGES else None


def _repository(text: str, where: str) -> Target:
    found = _GIT.fullmatch(text)
    if found is None:
        raise InputError(
            "this is no repository", where=where, mend="git+https://host/owner/name@commit#path/glob/**"
        )
    host, path = names.place(names.authority(found[1], where), names.read(found[2]), where)
    commit, globs = found[3] or "", names.read(found[4] or "")
    if commit and not _COMMIT.fullmatch(commit):
        raise InputError("a commit is 7 to 64 hexadecimal digits in lower case", where=where)
    path, view = names.repository_path(host, path, where)
    if not globs.isprintable():
        raise InputError("the repository's path can't be read", where=where)
    if view:  # a page of a file: what is behind "#" is a line of it
        globs = ""
    words = f"git+https://{host}/{names.written(path)}"
    words += f"@{commit}" if commit else ""
    words += f"#{names.written(globs)}" if globs else ""
    if len(words) > MAX_CHARS:
        raise InputError(f"the repository has more than {MAX_CHARS:,} characters", where=where)
    return Target("repository", words, "repo", _steps(host, path, globs, where), None)


def _steps(host: str, path: str, globs: str, where: str) -> tuple[str, ...]:
    # Forges read their names without case; where one does not, two repositories meet that should not.
    path, _ = names.repository_path(host, path, where)
    below: list[str] = []
    if (
        host == "gitlab.com"
    ):  # groups inside groups: a Go module's path does not say which of them is the repository
        path, below = "/".join(path.split("/")[:2]), path.split("/")[2:]
    return (f"{host}/{names.folded(path)}", *map(names.folded, below), *_segments(globs))[:MAX_STEPS]


def _segments(globs: str) -> list[str]:
    """The segments of a path, without case, up to the first that holds a wildcard; none when ".." leads elsewhere."""
    kept: list[str] = []
    parts = [part for part in globs.split("/") if part not in ("", ".")]
    for segment in parts if ".." not in parts else ():
        if any(c in segment for c in "*?[]{}!\\"):
            break
        kept.append(names.folded(segment))
    return kept


def _network(text: str, where: str) -> Target:
    try:
        asked = ip_network(text)
    except ValueError as error:
        told = "host bits are set" if "host bits" in str(error) else "is no network"
        raise InputError(told, where=where, mend="such as 192.0.2.0/24 or 2001:db8::/48") from None
    if "%" in text:
        raise InputError("a zone is of one machine alone", where=where)
    read = names.unmapped(asked, where)
    if read.prefixlen < WIDEST[read.version]:
        raise InputError(f"is wider than /{WIDEST[read.version]}", where=where, mend="ask for less")
    return Target("network", str(read), "", (), read)


def _name(text: str, where: str) -> Target:
    below = text.startswith("*.")
    labels = names.host_labels(text[2:] if below else text, where)
    name = ".".join(labels)
    steps = tuple(reversed(labels))
    if below:
        return Target("domain", f"*.{name}", "dns", steps, None)
    return Target("host", name, "dns", (*steps, _HOST), None)
