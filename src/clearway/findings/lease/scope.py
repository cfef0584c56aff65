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
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Literal
from urllib.parse import unquote

from msgspec import Struct

from clearway.formats import purl
from clearway.records.ecosystem import normal_name
from clearway.records.errors import InputError
from clearway.records.text import plain

Kind = Literal["package", "repository", "network", "host", "domain"]
Network = IPv4Network | IPv6Network

MAX_TARGETS = 32
MAX_CHARS = 1_000
MAX_STEPS = 24  # deeper paths are cut: they then meet more, never less
# Whoever holds more than this holds half a continent; and a lock covers what lies below one such network.
WIDEST = {4: 8, 6: 16}
_HOST = "="  # the step behind a host's labels: no label
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
_COMMIT = re.compile(r"[0-9a-f]{7,64}")
_GIT = re.compile(r"(?:git\+)?https://([^/@#?\s]+)/([^@#?\s]+?)(?:\.git)?/?(?:@([^#\s]+))?(?:#(.*))?")
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
        InputError: it is neither.
    """
    try:
        found = ip_network(text.strip(), strict=False)
    except ValueError:
        raise InputError("is no address and no network", where=where, mend="such as 192.0.2.7") from None
    if "%" in text or found.prefixlen < WIDEST[found.version] * 2:
        raise InputError(f"is wider than /{WIDEST[found.version] * 2}", where=where)
    return _unmapped(found)


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
    if read.type in ("github", "bitbucket", "gitlab") and read.namespace:  # the same as their repositories
        host = {"github": "github.com", "gitlab": "gitlab.com", "bitbucket": "bitbucket.org"}[read.type]
        steps = _repository_steps(host, f"{read.namespace}/{read.name}", read.subpath)
        return Target("repository", purl.to_text(read), "repo", steps, None)
    base = normal_name(ecosystem, name) if ecosystem and name else f"{read.namespace}/{read.name}"
    first = f"{read.type}/{base}".lower()
    steps = (first, *_segments(read.subpath))[:MAX_STEPS]
    return Target("package", purl.to_text(read), "pkg", steps, None)


def _repository(text: str, where: str) -> Target:
    found = _GIT.fullmatch(text)
    if found is None:
        raise InputError(
            "this is no repository", where=where, mend="git+https://host/owner/name@commit#path/glob/**"
        )
    authority, path, commit, globs = found[1], unquote(found[2]), found[3] or "", unquote(found[4] or "")
    host, _, port = authority.lower().partition(":")
    _labels(host, where)
    if port and not (port.isascii() and port.isdigit() and len(port) < 6):
        raise InputError("the repository's port can't be read", where=where)
    if commit and not _COMMIT.fullmatch(commit):
        raise InputError("a commit is 7 to 64 hexadecimal digits in lower case", where=where)
    if not path.strip("/") or not path.isprintable() or not globs.isprintable():
        raise InputError("the repository's path can't be read", where=where)
    steps = _repository_steps(authority.lower(), path, globs)
    words = f"git+https://{authority.lower()}/{path.strip('/')}"
    words += f"@{commit}" if commit else ""
    return Target("repository", plain(words + (f"#{globs}" if globs else ""), MAX_CHARS), "repo", steps, None)


def _repository_steps(host: str, path: str, globs: str) -> tuple[str, ...]:
    # Forges read their names without case; where one does not, two repositories meet that should not.
    first = f"{host}/{path.strip('/').removesuffix('.git')}".lower()
    return (first, *_segments(globs))[:MAX_STEPS]


def _segments(globs: str) -> list[str]:
    """The segments of a path up to the first that holds a wildcard; "." and ".." end it, since they lead elsewhere."""
    kept = []
    for segment in globs.split("/"):
        if segment in ("", "."):
            continue
        if segment == ".." or any(c in segment for c in "*?[]{}!\\"):
            break
        kept.append(segment)
    return kept


def _network(text: str, where: str) -> Target:
    try:
        read = _unmapped(ip_network(text))
    except ValueError as error:
        told = "host bits are set" if "host bits" in str(error) else "is no network"
        raise InputError(told, where=where, mend="such as 192.0.2.0/24 or 2001:db8::/48") from None
    if "%" in text:
        raise InputError("a zone is of one machine alone", where=where)
    if read.prefixlen < WIDEST[read.version]:
        raise InputError(f"is wider than /{WIDEST[read.version]}", where=where, mend="ask for less")
    return Target("network", str(read), "", (), read)


def _unmapped(net: Network) -> Network:
    """An IPv4 network that is written inside IPv6 (RFC 4291 §2.5.5.2) is that network."""
    if isinstance(net, IPv6Network) and net.prefixlen >= 96:
        inside = net.network_address.ipv4_mapped
        if inside is not None:
            return IPv4Network((int(inside), net.prefixlen - 96))
    return net


def _name(text: str, where: str) -> Target:
    below = text.startswith("*.")
    labels = _labels(text[2:] if below else text, where)
    name = ".".join(labels)
    steps = tuple(reversed(labels))
    if below:
        return Target("domain", f"*.{name}", "dns", steps, None)
    return Target("host", name, "dns", (*steps, _HOST), None)


def is_name(text: str) -> bool:
    """Whether `text` is a host name with two labels or more."""
    try:
        _labels(text, "")
    except InputError:
        return False
    return True


def _labels(name: str, where: str) -> list[str]:
    try:
        name = (
            name.rstrip(".").encode("idna").decode().lower()
            if not name.isascii()
            else name.rstrip(".").lower()
        )
    except UnicodeError:
        name = ""
    labels = name.split(".")
    try:
        ip_address(name)
        numeric = True
    except ValueError:
        numeric = labels[-1].isdigit()
    if (
        numeric
        or len(name) > 253
        or not 2 <= len(labels) < MAX_STEPS
        or not all(map(_LABEL.fullmatch, labels))
    ):
        raise InputError("this is no host name with two labels or more", where=where, mend=_FORMS)
    return labels
