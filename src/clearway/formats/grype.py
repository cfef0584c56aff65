"""Grype's JSON report: matches of an image, a directory or an SBOM."""

from __future__ import annotations

from typing import Any

from clearway.records.errors import InputError
from clearway.records.fleet_input import Detection, FleetInput, Witness

from . import _asset_names as names
from . import _when
from ._assets import Asset, Assets, flaw_of
from ._scan_json import items, line, lines, load, obj
from .component import Gathering

_TYPES = {"image": "container image", "directory": "file system", "file": "file"}


def read(data: bytes, place: str) -> FleetInput:
    """One asset, with the packages that match something and a detection for each match.

    Grype's report lists no package without a match, so its components are not complete. What the user's own rules
    ignored (`ignoredMatches`) is a detection in the state "dismissed".

    Raises:
        InputError: not JSON, or another format; TooLargeError: over a bound of `_scan_json`.
    """
    report = load(data, place)
    if not isinstance(report, dict):
        raise InputError("is not a Grype report", where=place, mend="scan with `grype -o json`")
    tool = obj(report.get("descriptor"))
    found = Assets("grype-json", Witness(tool="grype", version=line(tool.get("version"), 40)), kind="")
    source = obj(report.get("source"))
    target = source.get("target")
    whole = obj(target)
    name = line(whole.get("userInput")) if whole else line(target)
    asset = found.get(name or place)
    asset.state("type", _TYPES.get(line(source.get("type")), line(source.get("type"))))
    for text in (
        line(whole.get("imageID")),
        line(whole.get("manifestDigest")),
        *lines(whole.get("repoDigests")),
    ):
        asset.digests.update(names.digests(text))
    distro = obj(report.get("distro"))
    gathering = Gathering()
    if line(distro.get("name")):
        gathering.distro = f"{line(distro.get('name'), 60)}-{line(distro.get('version'), 60)}".rstrip("-")
        asset.state("os", f"{line(distro.get('name'))} {line(distro.get('version'))}".strip())
        asset.state("distro", gathering.distro)
    try:
        at = _when.moment(line(tool.get("timestamp")), "timestamp")
    except InputError as e:
        raise InputError(e.what, where=place, mend=e.mend) from None
    if at:
        asset.seen.add(at)
    known: set[tuple[str, str, str]] = set()
    for key in ("matches", "ignoredMatches"):
        for index, match in enumerate(items(report.get(key))):
            where = f"{key}[{index}]"
            try:
                _match(obj(match), where, key == "ignoredMatches", at, asset, gathering, known)
            except InputError as e:
                found.refuse(where, e)
    asset.components.extend(gathering.finish())
    return found.finish()


def _match(
    match: dict[str, Any], where: str, ignored: bool, at: Any, asset: Asset, gathering: Gathering,
    known: set[tuple[str, str, str]],
) -> None:  # fmt: skip
    vulnerability, artifact = obj(match.get("vulnerability")), obj(match.get("artifact"))
    own = line(vulnerability.get("id"), 200)
    if not own:
        raise InputError("has no vulnerability.id", mend="export the report again")
    related = tuple(line(obj(r).get("id"), 200) for r in items(match.get("relatedVulnerabilities")))
    flaw, aliases = flaw_of(own, related)
    package, version = line(artifact.get("name")), line(artifact.get("version"))
    purl = line(artifact.get("purl"), 8192)
    asset.detect(
        Detection(
            asset=asset.name,
            flaw=flaw,
            aliases=aliases,
            last_seen=at.date() if at else None,
            source="grype",
            package=package,
            version=version,
            fixed=tuple(sorted(lines(obj(vulnerability.get("fix")).get("versions"), 200))),
            purl=purl,
            state="dismissed" if ignored else "open",
            place=where,
        )
    )
    if (purl, package, version) not in known and (purl or package):
        known.add((purl, package, version))
        gathering.add(purl, package, version, f"{where}.artifact", lines(artifact.get("cpes"), 500)[:50])
