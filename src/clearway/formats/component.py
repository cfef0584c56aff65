"""Builds components from what inventory formats have in common: a purl, a name, a version, hints."""

from __future__ import annotations

from msgspec import Struct, structs

from clearway.records.ecosystem import normal_name
from clearway.records.errors import InputError
from clearway.records.inventory import Component

from .purl_identity import identity, is_commit, repository_of, source_of, stream_of, with_epoch
from .purl_text import Purl, parse

_SYSTEM = frozenset(("deb", "rpm", "apk", "alpine", "alpm"))
_FORGES = frozenset(("github", "gitlab", "bitbucket"))
_SHOWN_CHARS = 300  # of a purl that is garbage


class Hints(Struct, frozen=True, kw_only=True):
    """What a document says beside the purl; the purl wins where both speak."""

    source_name: str = ""
    source_version: str = ""
    epoch: str = ""
    arch: str = ""
    module_stream: str = ""
    ecosystem: str = ""  # where a tool's own property tells more than a purl of type github or generic


NO_HINTS = Hints()


class Gathering:
    """Collects a document's components in order.

    What the document says of its operating system may stand behind the packages it applies to, so
    packages whose release is not yet known are resolved again at the end.
    """

    def __init__(self) -> None:
        self.components: list[Component] = []
        self.problems: list[str] = []
        self.distro = ""
        self.root_purl = ""  # of the document's subject, which may itself be no component
        self._pending: list[tuple[int, Purl]] = []

    def add(
        self,
        text: str,
        name: str,
        version: str,
        place: str,
        cpes: tuple[str, ...] = (),
        hints: Hints = NO_HINTS,
    ) -> None:
        """Adds the component that the purl `text` names, or a nameless-ecosystem one when it is ""."""
        if not text:
            self.components.append(_without_purl(name, version, place, cpes, hints))
            return
        try:
            purl = parse(text)
        except InputError as e:
            self.components.append(
                Component(
                    name=name,
                    version=version,
                    purl=text[:_SHOWN_CHARS],
                    cpes=cpes,
                    place=place,
                    problem=e.what,
                )
            )
            return
        ecosystem, own_name, own_version = identity(purl, self.distro)
        if purl.qualifiers or hints is not NO_HINTS or purl.type in _SYSTEM or purl.type in _FORGES:
            component = _with_details(
                purl, text, ecosystem, own_name, own_version, version, place, cpes, hints
            )
            if purl.type in _SYSTEM and ":" not in ecosystem:
                self._pending.append((len(self.components), purl))
            self.components.append(component)
            return
        self.components.append(
            Component(
                ecosystem=ecosystem,
                name=own_name,
                version=own_version or version,
                purl=text,
                cpes=cpes,
                place=place,
            )
        )

    def blame(self, problem: str) -> None:
        """Gives the component added last a `problem`, unless it has one."""
        if not self.components[-1].problem:
            self.components[-1] = structs.replace(self.components[-1], problem=problem)

    def locate(self, host: str, exposure: str) -> None:
        """Says where the component added last runs."""
        self.components[-1] = structs.replace(self.components[-1], host=host, exposure=exposure)

    def drop(self, indexes: set[int]) -> None:
        """Removes the components at `indexes`."""
        kept = [i for i in range(len(self.components)) if i not in indexes]
        moved = {old: new for new, old in enumerate(kept)}
        self.components = [self.components[i] for i in kept]
        self._pending = [(moved[i], purl) for i, purl in self._pending if i in moved]

    def finish(self) -> tuple[Component, ...]:
        """The components, with the document's operating system applied to those that name none."""
        if self.distro:
            for index, purl in self._pending:
                ecosystem, name, _ = identity(purl, self.distro)
                self.components[index] = structs.replace(
                    self.components[index], ecosystem=ecosystem, name=name
                )
        return tuple(self.components)


def _without_purl(name: str, version: str, place: str, cpes: tuple[str, ...], hints: Hints) -> Component:
    return Component(
        ecosystem=hints.ecosystem,
        name=normal_name(hints.ecosystem, name) if hints.ecosystem else name,
        version=version,
        cpes=cpes,
        place=place,
        source_name=hints.source_name,
        source_version=hints.source_version,
        arch=hints.arch,
        commit=version if is_commit(version) else "",
    )


def _with_details(
    purl: Purl,
    text: str,
    ecosystem: str,
    name: str,
    version: str,
    stated: str,
    place: str,
    cpes: tuple[str, ...],
    hints: Hints,
) -> Component:
    version = version or stated
    source_name, source_version, stream, arch = hints.source_name, hints.source_version, "", ""
    if purl.type in _SYSTEM:
        if ":" in stated and stated.partition(":")[2] == version:
            version = stated  # only the document tells the epoch
        version = with_epoch(version, purl.qualifiers.get("epoch", "") or hints.epoch)
        own_source = source_of(purl, version)
        if own_source[0]:
            source_name, source_version = own_source
        elif source_name and not source_version:
            source_version = version
        stream = stream_of(purl) or hints.module_stream
        arch = purl.qualifiers.get("arch", "") or hints.arch
    repo, commit = repository_of(purl)
    if not ecosystem and hints.ecosystem:
        ecosystem = hints.ecosystem
        name = normal_name(ecosystem, f"{purl.namespace}/{purl.name}" if purl.namespace else purl.name)
    return Component(
        ecosystem=ecosystem,
        name=name,
        version=version,
        purl=text,
        cpes=cpes,
        source_name=source_name,
        source_version=source_version,
        commit=commit,
        repo=repo,
        arch=arch,
        module_stream=stream,
        place=place,
    )
