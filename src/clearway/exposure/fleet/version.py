"""A component as the dictionary keeps it: with all that can change a verdict, and nothing that can't. Pure.

Two tools that saw the same package write different purls for it (`distro=debian-12` or `debian-12.5`), so a
version is known by what its purl means: ecosystem with release, name, version with epoch, source package,
module stream, architecture, commit. The purl that is shown is made of these: `arch` and `epoch` as written, `distro`,
`upstream` and `rpmmod` by what they mean.
"""

from __future__ import annotations

from hashlib import sha256
from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote

import msgspec
from msgspec.structs import replace

from clearway.exposure import identity as identities
from clearway.exposure import judge as judging
from clearway.records.errors import VersionUnreadableError
from clearway.records.inventory import Component
from clearway.versions import has_keys, key, scheme_of

if TYPE_CHECKING:
    from collections.abc import Sequence

# A row of an index holds 2,704 bytes. No record names a package or a version as long as these.
_NAME_BYTES = 1_000
_KEY_BYTES = 1_000
_KEPT_QUALIFIERS = ("arch", "epoch")
_SYSTEM = ("pkg:deb/", "pkg:rpm/", "pkg:apk/")
_TEXTS = ("ecosystem", "name", "version", "purl", "vendor", "source_name", "source_version", "commit", "repo", "arch",
          "module_stream", "problem")  # fmt: skip
_texts = attrgetter(*_TEXTS)
_ENCODE = msgspec.msgpack.Encoder().encode
_COMPONENT = msgspec.msgpack.Decoder(Component)


class Lookup(NamedTuple):
    """A package under which records may speak of a version. `unless`: only while none speaks of that package."""

    ecosystem: str
    name: str
    key: bytes | None
    unless: tuple[str, str] | None = None


class Version(NamedTuple):
    """One row of the dictionary. `plain`: comparing its key with intervals is all that judging it takes."""

    digest: bytes
    component: Component
    plain: bool
    lookups: tuple[Lookup, ...]


def digest_of(component: Component) -> bytes:
    """What a version is known by: 32 bytes, equal exactly when the versions are one."""
    return sha256(_ENCODE(key_of(component))).digest()


def key_of(component: Component, *, silent: bool = False) -> tuple[object, ...]:
    """All that a version is known by; `silent` without what tools leave out: architecture and source package."""
    c = component
    source, source_version, arch = ("", "", "") if silent else (c.source_name, c.source_version, c.arch)
    text = "" if c.ecosystem else _bare(c.purl)
    # A package of an ecosystem is never looked up by its CPEs, which tools guess differently.
    cpes = () if c.ecosystem and c.ecosystem != judging.VENDOR else c.cpes
    return (
        c.ecosystem, c.name, c.version, source, source_version, c.commit, c.repo, arch, c.module_stream, c.vendor, cpes,
        text, c.problem,
    )  # fmt: skip


def said_of(component: Component) -> tuple[str, str, str]:
    """What tools leave out of a component as it is kept, and all else that tells versions of one name apart.

    (architecture, source package with its version, a digest of the rest); "" where nothing is said.
    """
    c = component
    source = c.source_name, c.source_version
    rest = (c.commit, c.repo, c.module_stream, c.vendor), c.cpes, c.problem
    apart = sha256(_ENCODE(rest)).hexdigest()[:32] if any((*rest[0], c.cpes, c.problem)) else ""
    return c.arch, "@".join(source) if any(source) else "", apart


def version_of(component: Component) -> Version:
    """The row for a component."""
    kept = replace(
        component,
        purl=_shown(component),
        cpes=() if component.ecosystem and component.ecosystem != judging.VENDOR else component.cpes,
        place="",
        host="",
        exposure="",
    )
    lookups = tuple(_lookups(component))
    return Version(digest_of(component), kept, _plain(component, lookups), lookups)


def body_of(version: Version) -> bytes:
    """The component as the dictionary keeps it."""
    return _ENCODE(version.component)


def component_of(body: bytes) -> Component:
    """The component of a row."""
    return _COMPONENT.decode(body)


def vendor_of(body: bytes | None) -> str:
    """Who makes the product of such a row; "" where there is none."""
    return component_of(body).vendor if body else ""


def named(vendor: str, name: str) -> str:
    """A component as people call it: "Fortinet FortiOS", and a name alone that says its vendor or has none."""
    said = name.casefold().startswith(f"{vendor.casefold()} ") or vendor.casefold() == name.casefold()
    return f"{vendor} {name}" if vendor and not said else name


def storable(text: str) -> str:
    """`text` without what PostgreSQL can't hold: NUL and lone surrogates become U+FFFD."""
    if text.isascii() and "\0" not in text:
        return text
    return text.encode("utf-8", "replace").decode().replace("\0", "\ufffd")


def clean(component: Component) -> Component:
    """The component with every text storable; itself when it is already."""
    values = _texts(component)
    joined = "".join(values)
    if joined.isascii() and "\0" not in joined and not component.cpes:
        return component
    changed = {f: storable(v) for f, v in zip(_TEXTS, values, strict=True)}
    return replace(component, **changed, cpes=tuple(storable(c) for c in component.cpes))


def _bare(purl: str) -> str:
    """A purl with the qualifiers that stand in no other field left in."""
    main, mark, rest = purl.partition("#")[0].partition("?")
    if not mark:
        return main
    kept = sorted(q for q in rest.split("&") if q.partition("=")[0].lower() in _KEPT_QUALIFIERS)
    return f"{main}?{'&'.join(kept)}" if kept else main


def _shown(c: Component) -> str:
    """The purl as the dictionary shows it: with what its qualifiers mean, and not as one tool spelled them.

    It is made of what a version is known by alone, so that nobody reads in it what only somebody else's document said.
    """
    purl = _bare(c.purl)
    if not purl.startswith(_SYSTEM):
        return purl
    main, _, rest = purl.partition("?")
    kept = dict(q.partition("=")[::2] for q in rest.split("&") if q)
    system, _, release = c.ecosystem.partition(":")
    if release:
        kept["distro"] = f"{system.lower().replace(' ', '-')}-{release.removeprefix('v')}"
    if c.module_stream:
        kept["rpmmod"] = c.module_stream
    if c.source_name and (c.source_name, c.source_version or c.version) != (c.name, c.version):
        version = f"@{c.source_version}" if c.source_version and c.source_version != c.version else ""
        kept["upstream"] = f"{c.source_name}{version}"
    query = "&".join(
        f"{k}={v if k in _KEPT_QUALIFIERS else quote(v, safe=':')}" for k, v in sorted(kept.items())
    )
    return f"{main}?{query}" if query else main


def _lookups(c: Component) -> list[Lookup]:
    """Under which packages records may speak of `c`, whatever the records; all that `exposure.identity` may choose."""
    if c.ecosystem == "reported":  # no record speaks of it; the package that the scanner names
        name = c.source_name
        fits = 0 < len(name.encode("utf-8", "replace")) <= _NAME_BYTES
        return [Lookup("reported", name, None)] if fits else []
    if c.problem:
        return []
    found: list[tuple[identities.Identity, tuple[str, str] | None]] = []
    if c.commit:
        commit = c.commit.lower()
        found.append((identities.Identity("commit", commit, commit), None))
    if c.ecosystem == judging.VENDOR:
        found += [(i, None) for i in _products(c)]
    elif c.ecosystem:
        own = identities.Identity(c.ecosystem, c.name, c.version, c.module_stream)
        if c.source_name:
            by = identities.Identity(c.ecosystem, c.source_name, c.source_version or c.version)
            if scheme_of(c.ecosystem) in ("dpkg", "apk"):
                found.append((by, None))
            else:
                found += [(own, None), (by, (c.ecosystem, c.name))]
        else:
            found.append((own, None))
    elif c.purl.startswith("pkg:github/") and c.repo:
        name = c.repo.removeprefix("https://github.com/")
        found.append((identities.Identity("GitHub Actions", name, c.version), None))
    if not c.ecosystem and not c.commit:
        found += [(i, None) for cpe in c.cpes if (i := identities.of_cpe(cpe, c.version))]
    lookups = []
    for (ecosystem, name, version, _), unless in found:
        if len(name.encode("utf-8", "replace")) + len(ecosystem) > _NAME_BYTES:
            continue
        at = _key(ecosystem, version)
        lookups.append(Lookup(ecosystem, name, at, unless))
        other = judging.other_names(ecosystem, name)
        if other is not None:
            lookups.append(Lookup(*other, at, unless))
    return list(dict.fromkeys(lookups))


def _products(c: Component) -> Sequence[identities.Identity]:
    from clearway.advisories.vendors import bundled

    product = bundled().find(c.vendor, c.name)
    kind = judging.VENDOR if product.reviewed else judging.VENDOR_UNREVIEWED
    return (
        identities.Identity(kind, product.key, c.version),
        identities.Identity(judging.CPE, product.key.replace("/", ":", 1), c.version),
    )


def _key(ecosystem: str, version: str) -> bytes | None:
    scheme = scheme_of(ecosystem)
    if not version or not has_keys(scheme):
        return None
    try:
        found = key(scheme, version)
    except VersionUnreadableError:
        return None
    return found if len(found) <= _KEY_BYTES else None


_SPECIAL = frozenset(("", "reported", judging.VENDOR, "commit", judging.CPE, judging.VENDOR_UNREVIEWED))


def _plain(c: Component, lookups: Sequence[Lookup]) -> bool:
    """Whether key comparison judges it: one package of one ecosystem, a readable version, no build in a module."""
    return (
        bool(lookups)
        and not c.commit
        and c.ecosystem not in _SPECIAL
        and all(lookup.key is not None for lookup in lookups)
        and not (".module" in c.version and scheme_of(c.ecosystem) == "rpm")
        and ".module" not in c.source_version
    )
