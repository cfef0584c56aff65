"""Under which names the advisories may speak of a component. Nothing is matched by a bare name."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from clearway.versions import scheme_of

from . import judge as judging

if TYPE_CHECKING:
    from clearway.advisories.table import Table
    from clearway.records.inventory import Component

# Ecosystems whose advisories speak of source packages; the others name what is installed.
_BY_SOURCE = frozenset({"dpkg", "apk"})
_ACTIONS = "GitHub Actions"


class Identity(NamedTuple):
    """One package version to ask the sources about. `stream`: the rpm module stream, where it is stated."""

    ecosystem: str
    name: str
    version: str
    stream: str = ""


def identities(table: Table, component: Component) -> tuple[list[Identity], str]:
    """The packages a component is to be looked up as, the most certain first; or none, and why."""
    if component.problem:
        return [], component.problem
    if component.ecosystem == judging.VENDOR:
        return _product(table, component)
    found = []
    if component.commit:
        found.append(Identity("commit", component.commit.lower(), component.commit.lower()))
    if component.ecosystem:
        found.append(package_of(table, component))
    elif action := _action(table, component):
        found.append(Identity(_ACTIONS, action, component.version))
    if not found:
        found = list(dict.fromkeys(i for cpe in component.cpes if (i := of_cpe(cpe, component.version))))
    if found:
        return found, ""
    kind = component.purl.partition(":")[2].partition("/")[0]
    why = f"pkg:{kind} names no package ecosystem" if kind else "it has no purl"
    return [], f"no ecosystem is known: {why}, and nothing is matched by a bare name"


def _action(table: Table, component: Component) -> str:
    """The GitHub Action a repository is: it may be anything, and an advisory that names it says which."""
    name = (
        component.repo.removeprefix("https://github.com/") if component.purl.startswith("pkg:github/") else ""
    )
    return name if name and table.claims(_ACTIONS, name) else ""


def package_of(table: Table, component: Component) -> Identity:
    """The package by which advisories of the component's ecosystem name it: its source, or what is installed."""
    ecosystem, source = component.ecosystem, component.source_name
    if source and (scheme_of(ecosystem) in _BY_SOURCE or not table.claims(ecosystem, component.name)):
        return Identity(ecosystem, source, component.source_version or component.version)
    return Identity(ecosystem, component.name, component.version, component.module_stream)


def unnamed_source(ecosystem: str) -> str:
    """Why silence about an installed package says nothing here when its source package is not known; else ""."""
    if scheme_of(ecosystem) not in _BY_SOURCE:
        return ""
    return "its source package, by which advisories would name it, is not stated"


def _product(table: Table, component: Component) -> tuple[list[Identity], str]:
    """A commercial product by the reviewed map; and by CPE, which adds what is possible only."""
    from clearway.advisories.vendors import bundled

    if bundled().edition != table.meta.vendor_map:
        return [], "the table was compiled with another vendor map: run `clearway ingest --rebuild`"
    product = bundled().find(component.vendor, component.name)
    kind = judging.VENDOR if product.reviewed else judging.VENDOR_UNREVIEWED
    by_cpe = Identity(judging.CPE, product.key.replace("/", ":", 1), component.version)
    return [Identity(kind, product.key, component.version), by_cpe], ""


def of_cpe(cpe: str, version: str) -> Identity | None:
    """("cpe", "vendor:product", version) of a CPE 2.2 or 2.3 name; None when it names no product."""
    parts = cpe.split(":")
    if cpe.startswith("cpe:2.3:") and len(parts) > 5:
        vendor, product, stated = parts[3], parts[4], parts[5]
    elif cpe.startswith("cpe:/") and len(parts) > 3:
        vendor, product, stated = parts[2], parts[3], parts[4] if len(parts) > 4 else ""
    else:
        return None
    if vendor in ("", "*", "-") or product in ("", "*", "-"):
        return None
    stated = "" if stated in ("*", "-") else stated.replace("\\", "")
    return Identity(judging.CPE, f"{vendor}:{product}".lower(), stated or version)
