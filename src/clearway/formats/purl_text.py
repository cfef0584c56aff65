"""Package URLs as text: parsing and printing (ECMA-427).

Written for speed: a plain purl takes about one microsecond, so nothing here uses regular
expressions or `urllib`.
Reading is lenient where the specification recommends normalising (upper-case types and qualifier
keys, `pkg://`), and keeps names as written: what each type folds or forbids is `purl_types`. Where
they depart from the published test suite is listed, vector by vector, beside its test.
"""

from __future__ import annotations

from msgspec import Struct

from clearway.records.errors import InputError

MAX_CHARS = 8192  # a purl beyond this is garbage, and its parts would be copied into every finding

_KEY_CHARS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789.-_")
_TYPE_CHARS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789.-")
# ECMA-427 clause 5.4: these, and the colon, are never percent-encoded.
_PLAIN = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_~:")
# Most of what inventories hold: known good without a look at each character.
_COMMON_TYPES = frozenset(
    ("apk", "cargo", "composer", "deb", "gem", "golang", "maven", "npm", "nuget", "pypi", "rpm")
)
_MEND = "write pkg:type/namespace/name@version"


class Purl(Struct, frozen=True):
    """The parts of a package URL, percent-decoded; "" for a part that is absent.

    `type` and qualifier keys are lower-case; everything else is as written.
    """

    type: str
    namespace: str
    name: str
    version: str
    qualifiers: dict[str, str]
    subpath: str


def parse(text: str) -> Purl:
    """The parts of `text`.

    Raises:
        InputError: it is not a package URL; the message says which part is wrong.
    """
    if text[:4] != "pkg:" and text[:4].lower() != "pkg:":
        raise InputError("purl does not begin with pkg:", mend=_MEND)
    if len(text) > MAX_CHARS:
        raise InputError(f"purl is longer than {MAX_CHARS} characters", mend=_MEND)
    rest = text[4:]
    subpath = ""
    qualifiers: dict[str, str] = {}
    if "#" in rest:
        rest, _, subpath = rest.rpartition("#")
        subpath = _path(subpath, ("", ".", ".."))
    if "?" in rest:
        rest, _, query = rest.rpartition("?")
        qualifiers = _qualifiers(query)
    kind, slash, path = rest.partition("/")
    if kind not in _COMMON_TYPES:
        kind, slash, path = rest.lstrip("/").partition("/")
        kind = _type(kind)
    path = path.strip("/") if path[:1] == "/" or path[-1:] == "/" else path
    if not slash:
        raise InputError("purl has no name", mend=_MEND)
    version = ""
    at = path.rfind("@")
    # An "@" that opens a segment with more behind it is an unencoded npm scope, not a version.
    if at >= 0 and not ((at == 0 or path[at - 1] == "/") and "/" in path[at:]):
        version = path[at + 1 :]
        path = path[:at]
        if "%" in version:
            version = unquote(version)
    namespace, _, name = path.rpartition("/")
    if "%" in path or "//" in namespace:
        namespace = _path(namespace, ("",))
        name = unquote(name)
    if not name:
        raise InputError("purl is missing its name", mend=_MEND)
    return Purl(kind, namespace, name, version, qualifiers, subpath)


def unquote(text: str) -> str:
    """`text` with its percent-encoded bytes decoded as UTF-8; a `%` that opens no code stays.

    Raises:
        InputError: the bytes are not UTF-8.
    """
    if "%" not in text:
        return text
    first, *pieces = text.split("%")
    out = bytearray(first.encode("utf-8", "surrogatepass"))
    for piece in pieces:
        code = piece[:2]
        if len(code) == 2 and code.isalnum() and code.isascii():
            try:
                out.append(int(code, 16))
            except ValueError:
                out += b"%" + piece.encode("utf-8", "surrogatepass")
                continue
            out += piece[2:].encode("utf-8", "surrogatepass")
        else:
            out += b"%" + piece.encode("utf-8", "surrogatepass")
    try:
        return out.decode("utf-8")
    except UnicodeDecodeError:
        raise InputError("purl has percent-encoded bytes that are not UTF-8", mend=_MEND) from None


def quote(text: str, keep: str = "") -> str:
    """`text` percent-encoded as a purl part (ECMA-427 clause 5.4), `keep` left as it is."""
    if text.isalnum() and text.isascii():
        return text
    out = []
    for char in text:
        if char in _PLAIN or char in keep:
            out.append(char)
        else:
            out.extend(f"%{byte:02X}" for byte in char.encode("utf-8", "replace"))
    return "".join(out)


def to_text(purl: Purl) -> str:
    """`purl` as text: encoded, qualifiers sorted by key, those without a value left out.

    Raises:
        InputError: it has no valid type, no name, or an invalid qualifier key.
    """
    parts = ["pkg:", _type(purl.type), "/"]
    if not purl.name:
        raise InputError("purl is missing its name", mend=_MEND)
    if purl.namespace:
        parts += (quote(purl.namespace, "/"), "/")
    # The name of a `git` purl is a path (purl-spec, types/git-definition.json).
    parts.append(quote(purl.name, "/" if purl.type == "git" else ""))
    if purl.version:
        parts += ("@", quote(purl.version))
    pairs = [f"{_key(key)}={quote(value)}" for key, value in sorted(purl.qualifiers.items()) if value]
    if pairs:
        parts += ("?", "&".join(pairs))
    if purl.subpath:
        parts += ("#", quote(purl.subpath, "/"))
    return "".join(parts)


def _type(kind: str) -> str:
    lowered = kind.lower()
    if not lowered or not _TYPE_CHARS.issuperset(lowered) or lowered[0] in "0123456789.-":
        raise InputError("purl has no valid type", mend=_MEND)
    return lowered


def _key(key: str) -> str:
    if not _KEY_CHARS.issuperset(key) or not key or key[0] in "0123456789":
        raise InputError("purl has an invalid qualifier key", mend="use letters, digits, '.', '-' and '_'")
    return key


def _path(text: str, dropped: tuple[str, ...]) -> str:
    """The segments of `text`, decoded, without those in `dropped`."""
    segments = [unquote(segment) for segment in text.split("/")]
    return "/".join(segment for segment in segments if segment not in dropped)


def _qualifiers(query: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for pair in query.split("&"):
        key, equals, value = pair.partition("=")
        if not equals or not value:
            continue  # a key without a value is the same as no key (ECMA-427 clause 5.6.7)
        key = key.lower()
        if not _KEY_CHARS.issuperset(key) or not key or key[0] in "0123456789":
            raise InputError(
                "purl has an invalid qualifier key", mend="use letters, digits, '.', '-' and '_'"
            )
        if key in found:
            raise InputError("purl has a qualifier key twice", mend="keep one value for each key")
        found[key] = unquote(value) if "%" in value else value
    return found
