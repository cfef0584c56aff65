"""Where a proof of control is put, and whether it is there.

    dns-txt     _clearway-scan-control.example.org          TXT "clearway-scan-control=TOKEN"
                for *.example.org and for www.example.org, each at its own name; for a network in its reverse zone, so
                for one that ends at an octet (IPv4) or a hexadecimal digit (IPv6): ….2.0.192.in-addr.arpa
    well-known  https://www.example.org/.well-known/clearway-scan-control.txt     a line with the token alone
                for a host or one address alone (http://192.0.2.7/…): whoever has a web server for a name does not
                have what lies below it
    repository-file   .well-known/clearway-scan-control.txt in the default branch of a repository at a known forge
    desk        a coordinator of another organisation says so, having looked: nothing is put anywhere

Of software, a repository is shown by its file, or by the host that serves it (`dns-txt`, `well-known`: whoever runs
git.example.org). A package is shown by what its name itself says of its owner, and nothing is asked of an index: a Go
module by the host of its path or its repository, a Maven artefact by the domain that its group reverses, a package that
is named by its repository by that. For all others there is `desk`.

A redirect proves nothing: many servers send a visitor wherever the address says.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from msgspec import Struct

from clearway.formats import purl
from clearway.records.errors import InputError, OutsideError

from .names import is_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clearway.http.outbound import Client

    from .scope import Target
    from .txt import Resolver

Method = Literal["dns-txt", "well-known", "repository-file", "desk"]
METHODS: tuple[Method, ...] = get_args(Method)
LABEL = "_clearway-scan-control"
VALUE = "clearway-scan-control="
PATH = "/.well-known/clearway-scan-control.txt"
# Where a forge serves a file of the default branch as it is, without a redirect.
FORGES: Mapping[str, str] = {
    "github.com": "https://raw.githubusercontent.com/{path}/HEAD",
    "gitlab.com": "https://gitlab.com/{path}/-/raw/HEAD",
    "bitbucket.org": "https://bitbucket.org/{path}/raw/HEAD",
    "codeberg.org": "https://codeberg.org/api/v1/repos/{path}/raw",
}
_MAX_BYTES = 8_192
_DEADLINE_S = 15.0


class Place(Struct, frozen=True, kw_only=True):
    """Where the owner puts what: a TXT record at `name`, or a file at `url`; neither where a coordinator confirms."""

    name: str = ""
    url: str = ""
    content: str


class Ports(Struct, frozen=True):
    """Where web servers listen."""

    https: int = 443
    http: int = 80


def place(
    target: Target, method: Method, token: str, ports: Ports | None = None, forges: Mapping[str, str] = FORGES
) -> Place:
    """Where the proof for `target` is looked for. Pure.

    Raises:
        InputError: that way shows nothing about such a target.
    """
    if not target.live:
        return _of_software(target, method, token, ports or Ports(), forges)
    if method not in ("dns-txt", "well-known"):
        raise InputError("that is a way for software", where="method", mend="use dns-txt or well-known")
    if method == "dns-txt":
        return Place(name=f"{LABEL}.{_zone(target)}", content=VALUE + token)
    at = ports or Ports()
    if target.kind == "host":
        return Place(url=f"https://{target.text}{_port(at.https, 443)}{PATH}", content=token)
    if target.net is not None and target.net.prefixlen == target.net.max_prefixlen:
        address = str(target.net.network_address)
        host = f"[{address}]" if target.net.version == 6 else address
        return Place(url=f"http://{host}{_port(at.http, 80)}{PATH}", content=token)
    raise InputError(
        "a file shows control of a host or one address alone",
        where="method",
        mend="use dns-txt for this scope",
    )


def _of_software(
    target: Target, method: Method, token: str, ports: Ports, forges: Mapping[str, str]
) -> Place:
    if method == "desk":
        return Place(content="")
    host, path = _repository(target) if target.kind == "repository" else _named_in(target.text)
    if method == "repository-file":
        # Beyond ASCII two spellings may be one scope, and two repositories.
        if host not in forges or path.count("/") < 1 or not path.isascii():
            raise InputError(
                "no file of a known forge shows that", where="method",
                mend=f"known are {', '.join(forges)}; else use dns-txt, well-known, or desk",
            )  # fmt: skip
        return Place(url=forges[host].format(path=path) + PATH, content=token)
    if not is_name(host):
        raise InputError(
            "the package's name says nothing of its owner's domain",
            where="method",
            mend="use desk: a coordinator confirms",
        )
    if method == "dns-txt":
        return Place(name=f"{LABEL}.{host}", content=VALUE + token)
    return Place(url=f"https://{host}{_port(ports.https, 443)}{PATH}", content=token)


def _repository(target: Target) -> tuple[str, str]:
    """(host, path) of a repository, as its owner spells it where the scope's words do."""
    if target.text.startswith("git+https://"):
        words = target.text.removeprefix("git+https://").partition("#")[0]
        host, _, path = words.rpartition("@")[0].partition("/") if "@" in words else words.partition("/")
        return host, path.removesuffix(".git")
    host, _, path = target.steps[0].partition("/")
    return host, path


def _named_in(text: str) -> tuple[str, str]:
    """(host, path of a repository or "") that a package's name itself says; ("", "") when it says none."""
    read = purl.parse(text)
    whole = f"{read.namespace}/{read.name}".strip("/")
    if read.type == "golang":
        host, _, path = whole.partition("/")
        return (host.lower(), "/".join(path.split("/")[:2])) if is_name(host) else ("", "")
    if read.type == "maven":
        return ".".join(reversed(read.namespace.lower().split("."))), ""
    return "", ""


class Looker:
    """Looks for proofs: through this resolver, and with one client for the outside."""

    def __init__(
        self,
        resolver: Resolver,
        client: Client,
        ports: Ports | None = None,
        forges: Mapping[str, str] = FORGES,
    ) -> None:
        self._resolver = resolver
        self._client = client
        self._ports = ports or Ports()
        self._forges = forges

    def holds(self, target: Target, method: Method, token: str) -> bool:
        """Whether the proof is where it belongs.

        Raises:
            InputError: that way shows nothing about such a target.
            OutsideError: nobody could be asked, or the answer can't be read.
        """
        at = place(target, method, token, self._ports, self._forges)
        if not at.content:
            raise InputError("a coordinator confirms that; there is nothing to look for", where="method")
        if at.name:
            return at.content in (text.strip() for text in self._resolver(at.name))
        return at.content in (line.strip() for line in self._file(at.url).splitlines())

    def _file(self, url: str) -> str:
        with tempfile.TemporaryDirectory(prefix="clearway-proof-") as folder:
            path = Path(folder) / "proof"
            got = self._client.get_to_file(url, path, max_bytes=_MAX_BYTES, deadline_s=_DEADLINE_S)
            if got.url != url:
                raise OutsideError("the address redirects, which proves nothing", where=url)
            return path.read_bytes().decode("utf-8", "replace")


def _zone(target: Target) -> str:
    if target.net is None:
        return target.text.removeprefix("*.")
    step = 8 if target.net.version == 4 else 4
    if target.net.prefixlen % step:
        near = ", ".join(f"/{n}" for n in (8, 16, 24, 32)) if step == 8 else "a multiple of 4"
        raise InputError(
            "the DNS has no reverse zone that is just this network",
            where="scope",
            mend=f"use a prefix of {near}",
        )
    labels = target.net.network_address.reverse_pointer.split(".")
    return ".".join(labels[(target.net.max_prefixlen - target.net.prefixlen) // step :])


def _port(port: int, usual: int) -> str:
    return "" if port == usual else f":{port}"
