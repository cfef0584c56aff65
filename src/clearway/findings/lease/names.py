"""One spelling for each repository, host, network and Go module, however it is written. Pure.

Where two spellings may be one thing and may be two, they are taken for one: two scopes then meet that should not, and
never the other way round. Names that only a server can resolve (a redirect, a renamed repository, a vanity import
path) are told apart.
"""

from __future__ import annotations

import re
import unicodedata
from ipaddress import IPv4Network, IPv6Network, ip_address
from urllib.parse import unquote

import idna

from clearway.records.errors import InputError

Network = IPv4Network | IPv6Network

MAX_LABELS = 23
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
_NAME_WANTED = "write git+https://host/owner/name@commit#src/**, or *.example.org"
# Forges whose repositories are just owner/name; what follows is a view of one.
TWO_PARTS = frozenset(("github.com", "bitbucket.org", "codeberg.org"))
FORGES = TWO_PARTS | {"gitlab.com"}
# Begins a view of a repository on forges with groups inside groups: GitLab reserves these words as names.
_VIEWS = frozenset(("-", "tree", "blob", "raw", "blame", "commit", "commits", "merge_requests", "issues"))
# Hosts at which a forge hands out the same repositories, with the segments that stand before owner and name.
_DOORS: dict[str, tuple[str, tuple[str, ...]]] = {
    "api.bitbucket.org": ("bitbucket.org", ("2.0", "repositories")),
    "altssh.bitbucket.org": ("bitbucket.org", ()),
    "altssh.gitlab.com": ("gitlab.com", ()),
    "api.github.com": ("github.com", ("repos",)),
    "codeload.github.com": ("github.com", ()),
    "github.dev": ("github.com", ()),
    "media.githubusercontent.com": ("github.com", ("media",)),
    "raw.github.com": ("github.com", ()),
    "raw.githubusercontent.com": ("github.com", ()),
    "ssh.github.com": ("github.com", ()),
    "uploads.github.com": ("github.com", ("repos",)),
}
# The same at the forge's own host: no owner is called so.
_OWN_DOORS = {
    "bitbucket.org": ("!api", "2.0", "repositories"),
    "codeberg.org": ("api", "v1", "repos"),
    "gitlab.com": ("api", "v4", "projects"),
}
# An address of a repository in git's words: a scheme, or "user@host:path" as of ssh.
_ADDRESS = re.compile(
    r"(?:scm:)?(?:git[+:])?(?:(?:https?|ssh|git)://(?:[^/@#?\s]*@)?([^/@#?\s]+)/|[^/@:#?\s]+@([^/@:#?\s]+):)([^@#?\s]+).*",
    re.IGNORECASE,
)
_MAJOR = re.compile(r"v[0-9]+")  # Go modules reference, "Major version suffixes"
_GOPKG = re.compile(r"(?:([^/]+)/)?([^/]+?)\.v[0-9]+(?:-unstable)?")  # gopkg.in's two forms
# Addresses of IPv6 that stand for one of IPv4: its place is right behind the prefix.
_TRANSLATED = (
    IPv6Network("::ffff:0:0/96"),  # mapped, RFC 4291 §2.5.5.2
    IPv6Network("64:ff9b::/96"),  # NAT64's well-known prefix, RFC 6052 §2.1
    IPv6Network("2002::/16"),  # 6to4, RFC 3056 §2: what lies below reaches the IPv4 address first
)


def host_labels(name: str, where: str) -> list[str]:
    """The labels of a host name in ASCII and lower case; two or more.

    Other scripts are read as IDNA 2008 says, after the mapping of UTS #46 that does not change "ß".

    Raises:
        InputError: it is no such name, or an address.
    """
    labels: list[str] = []
    try:
        if not name.isascii():
            name = idna.uts46_remap(name, std3_rules=False, transitional=False)
        labels = [
            label.lower() if label.isascii() else idna.alabel(label).decode()
            for label in name.removesuffix(".").split(".")
        ]
    except (UnicodeError, IndexError):  # idna's errors are UnicodeErrors
        labels = []
    if (
        not 2 <= len(labels) <= MAX_LABELS
        or sum(map(len, labels)) + len(labels) - 1 > 253
        or not all(map(_LABEL.fullmatch, labels))
        or _numeric(labels)
    ):
        raise InputError("this is no host name with two labels or more", where=where, mend=_NAME_WANTED)
    return labels


def is_name(text: str) -> bool:
    """Whether `text` is a host name with two labels or more."""
    try:
        host_labels(text, "")
    except InputError:
        return False
    return True


def _numeric(labels: list[str]) -> bool:
    try:
        ip_address(".".join(labels))
    except ValueError:
        return labels[-1].isdigit()
    return True


def authority(text: str, where: str) -> str:
    """The host of a repository's https address, with its port where that is not 443, without "www.".

    Raises:
        InputError: it can't be read.
    """
    host, _, port = text.partition(":")
    labels = host_labels(host, where)
    if labels[0] == "www" and len(labels) > 2:
        labels = labels[1:]
    number = int(port) if port.isascii() and port.isdigit() and len(port) < 8 else 0 if port else 443
    if not 0 < number < 65_536:
        raise InputError("the repository's port can't be read", where=where)
    return ".".join(labels) + ("" if number == 443 else f":{number}")


def place(host: str, path: str, where: str) -> tuple[str, str]:
    """(host, path) of a repository under the one name of its forge: what its API, its raw files, its archives and ssh
    have at hosts of their own is the same repository.

    Raises:
        InputError: the address is of such a host and of no repository.
    """
    kept = _segments(path)
    base = host.partition(":")[0]
    if base not in _DOORS:
        own = _OWN_DOORS.get(host, ())
        named = bool(own) and tuple(map(folded, kept[: len(own)])) == own
        return host, "/".join(kept[len(own) :]) if named else path
    forge, before = _DOORS[base]
    if tuple(map(folded, kept[: len(before)])) != before:
        raise InputError("this names no repository of the forge", where=where, mend=_NAME_WANTED)
    return forge, "/".join(kept[len(before) :])


def address(text: str, where: str) -> tuple[str, str] | None:
    """(host, path) of the repository that an address in git's words names, by whichever protocol; None for no address.

    The port is that of a protocol, and tells no repositories of a known forge apart.

    Raises:
        InputError: its host can't be read.
    """
    found = _ADDRESS.fullmatch(text.strip())
    if found is None:
        return None
    host = authority(found[1] or found[2], where)
    if host.partition(":")[0] in FORGES:
        host = host.partition(":")[0]
    return place(host, read(found[3]), where)


def repository_path(host: str, path: str, where: str) -> tuple[str, bool]:
    """The path of a repository at `host` as its owner spells it, and whether what a browser's address adds was cut off.

    Raises:
        InputError: there is none, or it is only the half of one.
    """
    kept = _segments(path)
    if host in FORGES and len(kept) < 2:
        raise InputError("this names an owner and no repository", where=where, mend=_NAME_WANTED)
    ends = [2] if host in TWO_PARTS else []
    ends += [n for n, segment in enumerate(kept) if n >= 2 and segment in _VIEWS]
    ends += [n + 1 for n, segment in enumerate(kept) if segment.endswith(".git")]
    view = min(ends, default=len(kept)) < len(kept)
    kept = kept[: min(ends, default=len(kept))]
    while kept and kept[-1].endswith(".git"):
        kept[-1] = kept[-1].removesuffix(".git")
    if not kept or not kept[-1] or not all(segment.isprintable() for segment in kept):
        raise InputError("the repository's path can't be read", where=where, mend=_NAME_WANTED)
    return "/".join(kept), view


def _segments(path: str) -> list[str]:
    """The segments of a path, without those that only lead about (RFC 3986 §5.2.4)."""
    kept: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            kept = kept[:-1]
        elif segment not in ("", "."):
            kept.append(segment)
    return kept


def folded(text: str) -> str:
    """`text` without case and without what looks the same; forges read their names so, or nearly."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def written(text: str) -> str:
    """A path in the words of a scope: what would end it is percent-encoded, so that it reads back as itself."""
    return re.sub(r"[%@#?\s]", lambda found: f"%{ord(found[0]):02X}", text, flags=re.ASCII)


def read(text: str) -> str:
    """What `written` wrote."""
    return unquote(text, errors="replace")


def go_module(path: str) -> tuple[str, ...]:
    """Where a Go module or a package of one lives: ("github.com", "owner/name", its folders…) in a repository of a
    known forge, and elsewhere ("", "host/first", its other segments…).

    Its major version (`/v2`, gopkg.in's `.v3`) tells no modules apart: it is a branch of the same repository.
    """
    segments = [segment for segment in path.split("/") if segment not in ("", ".")]
    host = segments[0].lower().removesuffix(".") if segments else ""
    kept = 2 if host in FORGES else 0  # a repository may be named so
    rest = segments[1 : 1 + kept] + [one for one in segments[1 + kept :] if not _MAJOR.fullmatch(one)]
    if host == "gopkg.in" and rest:
        owned = len(rest) > 1 and _GOPKG.fullmatch("/".join(rest[:2]))
        alone = _GOPKG.fullmatch(rest[0])
        if alone:
            return ("github.com", f"go-{alone[2]}/{alone[2]}", *rest[1:])
        if owned:
            return ("github.com", f"{owned[1]}/{owned[2]}", *rest[2:])
    if host in FORGES and len(rest) >= 2:
        return (host, "/".join(rest[:2]), *rest[2:])
    return ("", "/".join([host, *rest[:1]]), *rest[1:])


def unmapped(net: Network, where: str) -> Network:
    """`net`, or the IPv4 network that it stands for.

    Raises:
        InputError: addresses that stand for IPv4 are only a part of it.
    """
    if isinstance(net, IPv4Network):
        return net
    for prefix in _TRANSLATED:
        if net.subnet_of(prefix):
            value = int(net.network_address) >> (96 - prefix.prefixlen) & 0xFFFFFFFF
            return IPv4Network((value, min(32, net.prefixlen - prefix.prefixlen)))
        if prefix.subnet_of(net):
            raise InputError(
                f"{prefix} in it stands for IPv4",
                where=where,
                mend="name networks beside it, and the IPv4 ones",
            )
    return net
