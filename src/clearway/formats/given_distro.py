"""The operating system that whoever runs it names, for an inventory that names none.

A dpkg status file of a stripped image, or an SBOM of bare `pkg:deb/…` purls, lists packages of an unknown release.
"""

from __future__ import annotations

from msgspec import structs

from clearway.records.inventory import Component, Inventory
from clearway.versions import scheme_of

from .distro import release_of
from .purl_identity import identity
from .purl_text import parse, to_text

# What a package type's versions are ordered by: a Debian release says nothing of an rpm in the same run.
_SCHEMES = {"deb": "dpkg", "rpm": "rpm", "apk": "apk", "alpine": "apk", "alpm": "pacman"}


def with_distro(inventory: Inventory, distro: str) -> Inventory:
    """`inventory` with `distro` ("debian-12") applied to its packages of an operating system without release.

    Nothing is changed where the document names its operating system, nor in a package that names another one.
    """
    if inventory.distro:
        return inventory
    scheme = scheme_of(release_of("", "", distro))
    listed = inventory.format == "dpkg-status"
    return structs.replace(
        inventory, components=tuple(_applied(c, distro, scheme, listed) for c in inventory.components)
    )


def _applied(component: Component, distro: str, scheme: str, listed: bool) -> Component:
    if not component.purl or component.problem or ":" in component.ecosystem:
        return component
    purl = parse(component.purl)
    if _SCHEMES.get(purl.type) != scheme:
        return component
    ecosystem, name, _ = identity(purl, distro)
    text = component.purl
    if listed:  # a purl of our own making: as it is where the status file itself tells the release
        own = ecosystem.lower().replace(":", "-")
        whole = structs.replace(
            purl, namespace=own.partition("-")[0], qualifiers={**purl.qualifiers, "distro": own}
        )
        text = to_text(whole)
    return structs.replace(component, ecosystem=ecosystem, name=name, purl=text)
