"""What the readers of package lists and lock files share, and which file is which kind."""

from __future__ import annotations

from collections.abc import Iterator

from clearway.records.errors import InputError, TooLargeError
from clearway.records.inventory import Inventory

from .component import Gathering
from .purl_text import Purl, to_text

MAX_TOML_BYTES = 32 << 20  # the standard library's parser takes about a second a MiB
# kind -> module with `read`; imported when first met.
MODULES = {
    "purls": "packages_purls",
    "purls-json": "packages_purls",
    "requirements.txt": "packages_requirements",
    "uv.lock": "packages_toml",
    "poetry.lock": "packages_toml",
    "Cargo.lock": "packages_toml",
    "package-lock.json": "packages_npm",
    "go.sum": "packages_go",
    "go.mod": "packages_go",
    "dpkg-status": "packages_dpkg",
}
_BY_NAME = {
    "uv.lock": "uv.lock",
    "poetry.lock": "poetry.lock",
    "cargo.lock": "Cargo.lock",
    "go.sum": "go.sum",
    "go.mod": "go.mod",
    "status": "dpkg-status",
}
_OPERATORS = ("==", ">=", "<=", "~=", "!=", ">", "<")


def kind_of_text(head: bytes, name: str) -> str:
    """The kind of a text that is neither JSON nor XML, by its first lines and its file name; "" for none."""
    base = name.replace("\\", "/").rpartition("/")[2].rpartition("!")[2].lower()
    if b"[[package]]" in head:
        if base in ("uv.lock", "poetry.lock", "cargo.lock"):
            return _BY_NAME[base]
        if b"by Poetry" in head:
            return "poetry.lock"
        return "uv.lock" if b"requires-python" in head else "Cargo.lock"
    line = _first_line(head)
    words = line.split()
    if line.startswith(b"pkg:"):
        return "purls"
    if len(words) == 3 and words[1][:1] == b"v" and words[2].startswith(b"h1:"):
        return "go.sum"
    if words[:1] == [b"module"] and len(words) == 2:
        return "go.mod"
    if line.startswith(b"Package: ") and b"\nVersion: " in head:
        return "dpkg-status"
    if base in _BY_NAME and not head.strip():
        return _BY_NAME[base]
    if _is_requirement(line) or (base.startswith("requirements") and base.endswith((".txt", ".in"))):
        return "requirements.txt"
    return ""


def _first_line(head: bytes) -> bytes:
    """The first line that is neither empty nor a comment ("#" or "//")."""
    for line in head.removeprefix(b"\xef\xbb\xbf").splitlines():
        line = line.strip()
        if line and not line.startswith((b"#", b"//")):
            return line
    return b""


def _is_requirement(line: bytes) -> bool:
    """Whether `line` is "name==1.2", "name[extra]>=1", or an option that pip knows."""
    if line.startswith((b"-r ", b"-e ", b"-c ", b"--hash", b"--index-url", b"--extra-index-url", b"-i ")):
        return True
    text = line.decode("latin-1").partition(";")[0].partition("#")[0].partition("[")[0]
    at = min((text.find(op) for op in _OPERATORS if op in text), default=-1)
    name = text[:at].strip() if at > 0 else ""
    return bool(name) and name.replace("-", "").replace("_", "").replace(".", "").isalnum() and name.isascii()


def decode(data: bytes, place: str) -> str:
    """`data` as UTF-8 text without byte-order mark.

    Raises:
        InputError: invalid UTF-8, at which line.
    """
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as e:
        line = data[: e.start].count(b"\n") + 1
        raise InputError("invalid UTF-8", where=f"{place}, line {line}", mend="save it as UTF-8") from None


def numbered(text: str) -> Iterator[tuple[int, str]]:
    """(line number from 1, line) without its end, one at a time: a list of them would double the memory."""
    start = 0
    number = 0
    while start < len(text):
        number += 1
        end = text.find("\n", start)
        if end < 0:
            end = len(text)
        yield number, text[start:end].rstrip("\r")
        start = end + 1


def purl_of(kind: str, namespace: str, name: str, version: str, **qualifiers: str) -> str:
    """The text of the purl that a lock file's entry means."""
    return to_text(Purl(kind, namespace, name, version, qualifiers, ""))


def finish(found: Gathering, name: str, kind: str) -> Inventory:
    """The inventory of what `found` has gathered."""
    return Inventory(
        name=name,
        format=kind,
        components=found.finish(),
        distro=found.distro,
        problems=tuple(found.problems),
    )


def check_toml_size(data: bytes, place: str) -> None:
    """Refuses a TOML text that would take minutes to parse."""
    if len(data) > MAX_TOML_BYTES:
        raise TooLargeError(
            f"a lock file of more than {MAX_TOML_BYTES >> 20} MiB", where=place, mend="split it by project"
        )
