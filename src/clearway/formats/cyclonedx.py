"""CycloneDX JSON, 1.2 to 1.7 (and what calls itself 1.0 or 1.1), to an inventory."""

from __future__ import annotations

from typing import Any

from clearway.records.errors import InputError
from clearway.records.inventory import Inventory

from .component import NO_HINTS, Gathering, Hints
from .json_parts import Parts

# Component types that say where something is, not what: without a purl, CPE or version they are no component.
_HEADINGS = frozenset(("application", "container", "platform", "device", "firmware", "data"))


def read(data: bytes, name: str) -> Inventory:
    """The inventory in a CycloneDX JSON document.

    Nested components follow their parent; `pedigree` is ignored, because ancestors are not what runs. The
    root (`metadata.component`) is a component when it has a purl and a version, with the place
    "metadata.component". Files and operating systems without a purl are not components; the
    operating system becomes the document's distro.

    Raises:
        InputError: not JSON, a repeated key, nested too deep, or not CycloneDX.
    """
    parts = Parts(data, name)
    spec_version = parts.text("specVersion")
    if parts.text("bomFormat") != "CycloneDX" and not spec_version:
        raise InputError(
            "is not a CycloneDX document", where=name, mend="it has no bomFormat and no specVersion"
        )
    found = Gathering()
    metadata = parts.value("metadata")
    metadata = metadata if type(metadata) is dict else {}
    exposure = exposure_of(metadata, found)
    root = metadata.get("component")
    if type(root) is dict:
        add_root(root, found)
    for start, batch in parts.batches("components"):
        for i, item in enumerate(batch, start):
            if type(item) is not dict:
                found.problems.append(f"components[{i}] is not an object")
                continue
            add_component(item, f"components[{i}]", found)
            if "components" in item:
                add_nested(item, f"components[{i}]", found)
    vulnerabilities: tuple[object, ...] = ()
    if "vulnerabilities" in parts:
        from .cyclonedx_vulnerabilities import statements

        references = _references(parts, root)
        vulnerabilities = statements(parts.value("vulnerabilities"), references, found.problems)
    created = metadata.get("timestamp")
    parts.finish()
    return Inventory(
        name=name,
        format=f"cyclonedx-json-{spec_version or '?'}",
        components=found.finish(),
        distro=found.distro,
        created=created if type(created) is str else "",
        exposure=exposure,
        serial=parts.text("serialNumber"),
        vex=vulnerabilities,
        root_purl=found.root_purl,
        problems=tuple(found.problems),
    )


def add_root(root: dict[str, Any], found: Gathering) -> None:
    """Adds the document's subject where it can be judged, and what is nested in it."""
    purl = root.get("purl")
    if type(purl) is str:
        found.root_purl = purl
    if type(purl) is str and purl.startswith(("pkg:oci/", "pkg:docker/")):
        pass  # an image is the subject; what runs is inside it
    elif type(purl) is str and purl and (root.get("version") or "@" in purl):
        add_component(root, "metadata.component", found)
    elif root.get("type") == "operating-system":
        _set_distro(root, found)
    add_nested(root, "metadata.component", found)


def add_nested(parent: dict[str, Any], place: str, found: Gathering) -> None:
    """Adds the components inside `parent`, depth first and in order, without recursion."""
    todo: list[tuple[dict[str, Any], str]] = []

    def push(item: dict[str, Any], at: str) -> None:
        inner = item.get("components")
        if type(inner) is list:
            for i in range(len(inner) - 1, -1, -1):
                if type(inner[i]) is dict:
                    todo.append((inner[i], f"{at}.components[{i}]"))
                else:
                    found.problems.append(f"{at}.components[{i}] is not an object")
        elif inner is not None:
            found.problems.append(f"{at}.components is not a list")

    push(parent, place)
    while todo:
        item, at = todo.pop()
        add_component(item, at, found)
        push(item, at)


def add_component(item: dict[str, Any], place: str, found: Gathering) -> None:
    """Adds the component `item`, without those nested in it."""
    get = item.get
    purl = get("purl")
    version = get("version")
    if type(version) is not str:
        version = "" if version is None else _scalar(version)
    name = get("name")
    if type(name) is not str:
        name = "" if name is None else _scalar(name)
    cpe = get("cpe")
    cpes = (cpe,) if cpe and type(cpe) is str else ()
    hints = _hints(item["properties"]) if "properties" in item else NO_HINTS
    if purl and type(purl) is str:
        found.add(purl, name, version, place, cpes, hints)
        if get("type") == "operating-system" and not found.distro:
            _set_distro(item, found)
        return
    kind = get("type")
    if kind == "operating-system":
        _set_distro(item, found)
        return
    if (kind == "file" and not cpes) or (kind in _HEADINGS and not cpes and not version):
        return
    if purl is not None and type(purl) is not str:
        found.problems.append(f"{place}.purl is not a string")
    group = get("group")
    found.add("", f"{group}/{name}" if group and type(group) is str else name, version, place, cpes, hints)


def _scalar(value: Any) -> str:
    """A number where a string belongs is read as its text; anything else is nothing."""
    return str(value) if type(value) in (int, float) else ""


def _set_distro(item: dict[str, Any], found: Gathering) -> None:
    name, version = item.get("name"), item.get("version")
    if type(name) is str and name:
        found.distro = f"{name}-{version}" if type(version) is str and version else name


def _hints(properties: Any) -> Hints:
    """What Trivy and Syft say in properties about source package, epoch, architecture and module."""
    if type(properties) is not list:
        return NO_HINTS
    known: dict[str, str] = {}
    for entry in properties:
        if type(entry) is dict:
            key, value = entry.get("name"), entry.get("value")
            if type(key) is str and type(value) is str:
                if key.startswith("aquasecurity:trivy:"):
                    known[key[19:]] = value
                elif key.startswith("syft:"):
                    known[key] = value
    if not known:
        return NO_HINTS
    return hints_from_properties(known)


def hints_from_properties(known: dict[str, str]) -> Hints:
    """Hints from Trivy's keys (without their prefix) and Syft's (with it)."""
    get = known.get
    source_version = get("SrcVersion", "")
    if source_version and get("SrcRelease"):
        source_version += f"-{known['SrcRelease']}"
    epoch = get("SrcEpoch", "")
    if source_version and epoch not in ("", "0") and ":" not in source_version:
        source_version = f"{epoch}:{source_version}"
    kind = get("syft:package:type", "")
    stream = get("Modularitylabel", "") or get("syft:metadata:modularityLabel", "")
    parts = stream.split(":")
    return Hints(
        source_name=get("SrcName", "") or get("syft:metadata:source", ""),
        source_version=source_version or get("syft:metadata:sourceVersion", ""),
        epoch=get("syft:metadata:epoch", ""),
        arch=get("syft:metadata:architecture", ""),
        module_stream=":".join(parts[:2]) if len(parts) >= 2 else "",
        ecosystem="GitHub Actions" if kind.startswith("github-action") else "",
    )


def exposure_of(metadata: dict[str, Any], found: Gathering) -> str:
    """The property `clearway:exposure`, "public" or "internal"; "" for none and for "unknown"."""
    properties = metadata.get("properties")
    for entry in properties if type(properties) is list else ():
        if type(entry) is dict and entry.get("name") == "clearway:exposure":
            value = entry.get("value")
            if value in ("public", "internal"):
                return str(value)
            if value != "unknown":
                found.problems.append("metadata.properties: clearway:exposure is neither public nor internal")
    return ""


def _references(parts: Parts, root: Any) -> dict[str, str]:
    """bom-ref -> purl (or CPE) of every component, for the `affects` of vulnerabilities."""
    found: dict[str, str] = {}
    todo = [root] if type(root) is dict else []
    for _, batch in parts.batches("components"):
        todo.extend(item for item in reversed(batch) if type(item) is dict)
    while todo:
        item = todo.pop()
        ref, purl = item.get("bom-ref"), item.get("purl") or item.get("cpe")
        if type(ref) is str and type(purl) is str:
            found[ref] = purl
        inner = item.get("components")
        if type(inner) is list:
            todo.extend(x for x in inner if type(x) is dict)
    return found
