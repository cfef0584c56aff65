"""What somebody runs: an inventory and its components."""

from __future__ import annotations

from msgspec import Struct


class Component(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One component of an inventory, identified within one ecosystem.

    `ecosystem` is OSV's spelling with the release where the ecosystem has releases
    ("PyPI", "Debian:12", "AlmaLinux:8"); "vendor" for a commercial product, whose
    `vendor` and `name` (product) are then as typed; "" when nothing tells the
    ecosystem, and then nothing is matched by name. `name` is spelled as that
    ecosystem spells it (PEP 503 for PyPI, "group:artifact" for Maven, the module
    path for Go). `version` is "" when the inventory gives none.
    """

    ecosystem: str = ""
    name: str = ""
    version: str = ""
    purl: str = ""
    vendor: str = ""
    cpes: tuple[str, ...] = ()
    source_name: str = ""  # OS packages: the source package it was built from
    source_version: str = ""
    commit: str = ""  # a full git commit, where the version is one
    repo: str = ""
    arch: str = ""
    module_stream: str = ""  # rpm modularity: "nodejs:18"
    place: str = ""  # where in the document: "components[14]", "line 7"
    host: str = ""  # from a product list: the machine it runs on
    exposure: str = ""  # "public", "internal" or "": not stated here
    problem: str = ""  # why this component can't be judged, e.g. "purl is missing its name"


class Inventory(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One document's components, in document order, duplicates kept.

    `distro` is the operating system the document describes ("debian-12", "alma-8.7"), "" when
    it says nothing. `problems` are defects that did not stop the reading, with their places.
    """

    name: str
    format: str  # "cyclonedx-json-1.5", "spdx-tag-2.3", "requirements.txt", …
    components: tuple[Component, ...]
    distro: str = ""
    created: str = ""  # ISO timestamp from the document
    exposure: str = ""  # from a `clearway:exposure` property, else ""
    serial: str = ""  # document namespace or serial number
    root_purl: str = ""  # the product that the document describes, for VEX about it
    vex: tuple[object, ...] = ()  # records.vex.VexStatement carried inside the document
    problems: tuple[str, ...] = ()
