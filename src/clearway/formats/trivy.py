"""Trivy's JSON report: packages and vulnerabilities of an image, a file system or a repository, or of a cluster."""

from __future__ import annotations

from typing import Any

from clearway.records.errors import InputError
from clearway.records.fleet_input import Detection, FleetInput, Witness

from . import _asset_names as names
from . import _when
from ._assets import Asset, Assets, flaw_of, state_of
from ._scan_json import entry, items, line, lines, load, obj
from .component import Gathering, Hints

_TYPES = {
    "container_image": "container image",
    "filesystem": "file system",
    "repository": "repository",
    "vm": "virtual machine image",
    "aws_account": "cloud account",
    "cyclonedx": "",  # a scanned SBOM, which does not say of what
    "spdx": "",
}


def read(data: bytes, place: str) -> FleetInput:
    """One asset for an artifact, one for each resource of a cluster; its packages where the report lists them.

    Without `--list-all-pkgs` a report holds vulnerable packages alone, and these are then the components.

    Raises:
        InputError: not JSON, or another format; TooLargeError: over a bound of `_scan_json`.
    """
    report = load(data, place)
    if not isinstance(report, dict):
        raise InputError("is not a Trivy report", where=place, mend="scan with `trivy --format json`")
    version = line(obj(report.get("Trivy")).get("Version"), 40)
    found = Assets("trivy-json", Witness(tool="trivy", version=version), kind="")
    try:
        at = _when.moment(line(report.get("CreatedAt")), "CreatedAt")
    except InputError as e:
        raise InputError(e.what, where=place, mend=e.mend) from None
    if "Resources" in report or ("Vulnerabilities" in report and "ClusterName" in report):
        for index, resource in enumerate(
            (*items(report.get("Resources")), *items(report.get("Vulnerabilities")))
        ):
            where = f"Resources[{index}]"
            try:
                one = entry(resource, where)
            except InputError as e:
                found.refuse(where, e)
                continue
            path = (line(one.get("Namespace")), line(one.get("Kind")), line(one.get("Name")))
            _artifact(one, "/".join(part for part in path if part) or where, f"{where}.", at, found)
            found.get("/".join(part for part in path if part) or where).state("type", "cluster resource")
    else:
        reference = line(
            obj(report.get("Metadata")).get("Reference")
        )  # of an image that was read from a file
        _artifact(report, reference or line(report.get("ArtifactName")) or place, "", at, found)
    return found.finish()


def _artifact(report: dict[str, Any], name: str, prefix: str, at: Any, found: Assets) -> None:
    asset = found.get(name)
    asset.state("type", _TYPES.get(line(report.get("ArtifactType")), line(report.get("ArtifactType"))))
    metadata = obj(report.get("Metadata"))
    # Of what runs as an image alone: layers are shared by many images and identify none.
    for key in ("ImageID", "RepoDigests"):
        value = metadata.get(key)
        for text in lines(value) if isinstance(value, list) else (line(value),):
            asset.digests.update(names.digests(text))
    system = obj(metadata.get("OS"))
    gathering = Gathering()
    family, release = line(system.get("Family"), 60), line(system.get("Name"), 60)
    if family:
        asset.state("os", f"{family} {release}".strip())
        gathering.distro = f"{family}-{release}" if release else family
        asset.state("distro", gathering.distro)
    if at:
        asset.seen.add(at)
    asset.complete = any("Packages" in obj(r) for r in items(report.get("Results")))
    for index, result in enumerate(items(report.get("Results"))):
        where = f"{prefix}Results[{index}]"
        try:
            _result(entry(result, where), where, asset, gathering, at, found)
        except InputError as e:
            found.refuse(where, e)
    asset.components.extend(gathering.finish())


def _result(
    result: dict[str, Any], where: str, asset: Asset, gathering: Gathering, at: Any, found: Assets
) -> None:
    listed = "Packages" in result
    for index, package in enumerate(items(result.get("Packages"))):
        one = obj(package)
        purl = line(obj(one.get("Identifier")).get("PURL"), 8192)
        name, version = line(one.get("Name")), line(one.get("Version"))
        if not purl and not name:
            found.refuse(f"{where}.Packages[{index}]", "names no package")
            continue
        hints = Hints(source_name=line(one.get("SrcName")), source_version=_source_version(one))
        gathering.add(purl, name, version, f"{where}.Packages[{index}]", hints=hints)
    seen: set[tuple[str, str]] = set()
    for index, vulnerability in enumerate(items(result.get("Vulnerabilities"))):
        place = f"{where}.Vulnerabilities[{index}]"
        one = obj(vulnerability)
        own = line(one.get("VulnerabilityID"), 200)
        if not own:
            found.refuse(place, "has no VulnerabilityID (export the report again)")
            continue
        flaw, aliases = flaw_of(own, lines(one.get("VendorIDs"), 200))
        purl = line(obj(one.get("PkgIdentifier")).get("PURL"), 8192)
        package, version = line(one.get("PkgName")), line(one.get("InstalledVersion"))
        asset.detect(
            Detection(
                asset=asset.name,
                flaw=flaw,
                aliases=aliases,
                last_seen=at.date() if at else None,
                source="trivy",
                title=line(one.get("Title")),
                package=package,
                version=version,
                fixed=tuple(sorted({v.strip() for v in line(one.get("FixedVersion")).split(",")} - {""})),
                purl=purl,
                # Trivy's status is of the fix ("affected", "fixed": one exists), not of the asset.
                state=state_of("not affected") if one.get("Status") == "not_affected" else "open",
                place=place,
            )
        )
        if not listed and (package, version) not in seen:
            seen.add((package, version))
            gathering.add(purl, package, version, place)


def _source_version(package: dict[str, Any]) -> str:
    version, release, epoch = (line(package.get(key)) for key in ("SrcVersion", "SrcRelease", "SrcEpoch"))
    if version and release:
        version = f"{version}-{release}"
    return f"{epoch}:{version}" if version and epoch and epoch != "0" else version
