"""An inventory (SBOM, lock file, package list) as what one witness saw of one asset.

A product list with a column of hosts is as many assets as it names.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from clearway.records.errors import InputError
from clearway.records.fleet_input import AssetIds, Exposure, FleetInput, Observed, SetAside, Witness
from clearway.records.inventory import Component, Inventory
from clearway.records.vex import VexStatement

from . import _asset_names as names
from . import _when
from ._fields import one_line
from .inventory import read_inventory
from .json_parts import top_level
from .product_list import PASSED_OVER

_LINE = re.compile(r"line ([0-9]+)\b")
_LINES = 20  # that are named one by one
_SUBJECT_BYTES = 256 << 10  # a larger description of a subject or of its tools is passed over
# How readers end what they say of an entry that they can't take for a component.
_LOST = (
    " is not an object",
    " is not a list",
    " is not a string",
    " has no name",
    " is not a module, version and hash",
    PASSED_OVER,
)
# Properties of a CycloneDX subject that name the image (Trivy, Syft).
_IMAGE_PROPERTIES = frozenset(
    ("aquasecurity:trivy:ImageID", "aquasecurity:trivy:RepoDigest", "syft:image:digest")
)


def read(data: bytes, name: str, distro: str = "") -> FleetInput:
    """One asset for the document, or one for each host that a product list names.

    Raises:
        InputError, TooLargeError: as `read_inventory`.
    """
    inventory = read_inventory(data, name, distro)
    subject, digests, witness = _subject(data, inventory)
    called = _described(data, inventory)
    by_host: dict[str, list[Component]] = {}
    spelled: dict[str, str] = {}  # of two spellings of one name the same one, whichever row comes first
    for component in inventory.components:
        name_of = names.undotted(component.host)
        host = name_of.casefold()
        by_host.setdefault(host, []).append(component)
        spelled[host] = min(spelled.get(host, name_of), name_of)
    problems = _problems(inventory, by_host)
    observed = [
        _one(
            inventory,
            subject,
            called,
            digests,
            witness,
            spelled.get(host, ""),
            tuple(by_host.get(host, ())),
            problems[host],
        )
        for host in sorted(by_host) or [""]
    ]
    # What has no shape of a component could be any of them.
    lost = [p for p in inventory.problems if p.endswith(_LOST)]
    aside = tuple(SetAside(one_line(p, 400), "is passed over (export the inventory again)") for p in lost)
    return FleetInput(format=inventory.format, observed=tuple(observed), set_aside=aside)


def _problems(inventory: Inventory, by_host: Mapping[str, Sequence[Component]]) -> dict[str, list[str]]:
    """What is said of each asset: of its own rows. Who sees one asset may not see the others of its document.

    Of rows that belong to none it is how many they are and where, and nothing that stands in them.
    """
    if len(by_host) < 2:
        return {host: [*inventory.problems] for host in by_host or ("",)}
    found: dict[str, list[str]] = {host: [] for host in by_host}
    if not inventory.problems:
        return found
    host_at = {c.place: host for host, components in by_host.items() for c in components}
    rest = []
    for problem in inventory.problems:
        host = host_at.get(problem.partition(": ")[0])
        if host is None:
            rest.append(problem)
        else:
            found[host].append(problem)
    if rest:
        lines = [m[1] for m in map(_LINE.match, rest) if m]
        more = f", and {len(lines) - _LINES:,} more" if len(lines) > _LINES else ""
        named = f": line{'s' if len(lines) > 1 else ''} {', '.join(lines[:_LINES])}{more}" if lines else ""
        rows = "1 row belongs" if len(rest) == 1 else f"{len(rest):,} rows belong"
        for own in found.values():
            own.append(f"{rows} to no asset{named}")
    return found


def _one(
    inventory: Inventory,
    subject: str,
    called: str,
    digests: tuple[str, ...],
    witness: Witness,
    host: str,
    components: tuple[Component, ...],
    own: Sequence[str],
) -> Observed:
    hostname, fqdn = names.host(host)
    ip = names.address(host)
    exposure, by = _exposure(inventory, components)
    problems = [*own]
    created = None
    try:
        created = _when.moment(inventory.created, "created")
    except InputError as e:
        problems.append(e.what)
    return Observed(
        name=one_line(host, 400) or one_line(inventory.name, 400) or "(unprintable name)",
        format=inventory.format,
        ids=AssetIds(
            hostname=hostname,
            fqdns=(fqdn,) if fqdn else (),
            ips=(ip,) if ip else (),
            image_digests=digests if not host else (),
        ),
        type="container image" if digests and not host else "host" if host else subject,
        exposure=exposure,
        exposure_by=by,
        os=inventory.distro,
        distro=inventory.distro,
        components=components,
        complete=True,
        witness=witness,
        seen=created,
        serial=inventory.serial,
        subject="" if host else called,
        root_purl=inventory.root_purl,
        vex=tuple(s for s in inventory.vex if isinstance(s, VexStatement)),
        problems=tuple(problems),
    )


def _exposure(inventory: Inventory, components: tuple[Component, ...]) -> tuple[Exposure, str]:
    """A row that says public makes its asset public; else what the document says."""
    stated = {c.exposure for c in components if c.exposure} or {inventory.exposure}
    for exposure in ("public", "internal"):
        if exposure in stated:
            return ("public" if exposure == "public" else "internal"), one_line(inventory.name, 200)
    return "", ""


def _subject(data: bytes, inventory: Inventory) -> tuple[str, tuple[str, ...], Witness]:
    """(type of the subject, digests of its image, the tool that wrote the document), as far as the document says."""
    kind, version = "", ""
    digests = set(_of_purl(inventory.root_purl))
    tool = ""
    if inventory.format.startswith("cyclonedx-json"):
        metadata = _value(data, "metadata")
        component = _object(metadata.get("component"))
        kind = _text(component.get("type"))
        if kind == "container":
            digests.update(
                names.digests(_text(component.get("version"))), _of_purl(_text(component.get("purl")))
            )
        for item in _list(component.get("properties")):
            if _text(_object(item).get("name")) in _IMAGE_PROPERTIES:
                digests.update(names.digests(_text(_object(item).get("value"))))
        tool, version = _cyclonedx_tool(metadata.get("tools"))
    elif inventory.format.startswith("spdx-json"):
        creators = [_text(c) for c in _list(_value(data, "creationInfo").get("creators"))]
        stated = [c.partition(":")[2].strip() for c in creators if c.lower().startswith("tool:")]
        tool, _, version = (stated[-1] if stated else "").rpartition("-")
        if not tool:
            tool, version = version, ""
        digests.update(_of_spdx(data, tool))
    shown = {
        "container": "container image",
        "application": "application",
        "operating-system": "host",
        "device": "device",
    }
    return (
        shown.get(kind, ""),
        tuple(sorted(digests)),
        Witness(tool=one_line(tool, 60).lower(), version=one_line(version, 60)),
    )


def _described(data: bytes, inventory: Inventory) -> str:
    """The name of what an SBOM describes, "" for none that it tells."""
    import msgspec

    if inventory.format.startswith("cyclonedx-json"):
        return one_line(_text(_object(_value(data, "metadata").get("component")).get("name")), 200)
    raw = top_level(data).get("name") if inventory.format.startswith("spdx-json") else None
    if raw is None or len(bytes(raw)) > _SUBJECT_BYTES:
        return ""
    try:
        return one_line(_text(msgspec.json.decode(bytes(raw))), 200)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return ""


def _of_spdx(data: bytes, tool: str) -> set[str]:
    """The digest in an SPDX document's name ("grafana/loki@sha256:262d…"), or in the id of what tern describes."""
    import msgspec

    found = top_level(data)
    texts = [found["name"]] if "name" in found else []
    if tool == "tern" and "documentDescribes" in found:
        texts.append(found["documentDescribes"])
    digests: set[str] = set()
    for raw in texts:
        try:
            value = msgspec.json.decode(bytes(memoryview(raw)[:10_000]))
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            continue
        if isinstance(value, str) and "@" in value:
            digests.update(names.digests(value))
        elif isinstance(value, list) and len(value) == 1 and isinstance(value[0], str):
            tail = value[0].rpartition("-")[2]
            digests.update(names.digests(f"sha256:{tail}"))
    return digests


def _of_purl(purl: str) -> tuple[str, ...]:
    """The digest in a purl of an image: "pkg:oci/debian@sha256%3A244f…"."""
    return (
        names.digests(purl.replace("%3A", ":").replace("%3a", ":"))
        if purl.startswith(("pkg:oci/", "pkg:docker/"))
        else ()
    )


def _cyclonedx_tool(tools: Any) -> tuple[str, str]:
    """Of 1.5 on an object with components, before that a list."""
    listed = _list(_object(tools).get("components")) if isinstance(tools, dict) else _list(tools)
    for item in listed:
        name = _text(_object(item).get("name"))
        if name:
            return name, _text(_object(item).get("version"))
    return "", ""


def _value(data: bytes, key: str) -> dict[str, Any]:
    import msgspec

    raw = top_level(data).get(key)
    if raw is None or len(bytes(raw)) > _SUBJECT_BYTES:
        return {}
    try:
        return _object(msgspec.json.decode(raw))
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return {}


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
